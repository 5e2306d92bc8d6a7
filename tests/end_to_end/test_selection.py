"""Which of the locked packages are bundled: groups, extras and markers, as `poetry install` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.index import Index
    from tests.support.projects import Project


GROUPS = """
[tool.poetry.group.dev.dependencies]
dev-tool = "*"

[tool.poetry.group.test.dependencies]
test-tool = "*"

[tool.poetry.group.docs]
optional = true

[tool.poetry.group.docs.dependencies]
docs-tool = "*"
"""

EXTRAS = """
[project.optional-dependencies]
speed = ["fast"]
patience = ["slow"]
"""


def selected(*arguments: str) -> list[str]:
    """Return the names of the dependencies in the bundle, by a dry run."""
    outcome = bundle("--format", "json", "--dry-run", *arguments)
    assert (outcome.exit_code, outcome.error) == (0, "")
    return [package["name"] for package in outcome.report["packages"] if package["name"] != "my-fn"]


def lock_all(
    project: Project,
    index: Index,
    fields: dict[str, dict[str, object]],
    *,
    extras: dict[str, list[str]] | None = None,
    version: str = "2.1",
) -> None:
    """Lock a pure wheel for each name, with fields of its own."""
    wheels = {name: make_wheel(name) for name in fields}
    index.add(*wheels.values())
    locked = [Locked.of(wheels[name], **own) for name, own in fields.items()]
    project.lock(locked, source=index.url, extras=extras, version=version)


@pytest.fixture(params=[pytest.param(v, id=f"lock-{v}") for v in ("2.1", "2.0", "1.1")])
def grouped_project(request: pytest.FixtureRequest, project: Project, index: Index) -> Project:
    """A project with groups and extras in each format of the lock that Poetry reads."""
    project.pyproject(dependencies=["base"], project=EXTRAS, tool=GROUPS, source=index.url)
    project.write({"my_fn.py": ""})
    fields: dict[str, dict[str, object]] = {
        "base": {},
        "dev-tool": {"groups": ["dev"]},
        "docs-tool": {"groups": ["docs"]},
        "fast": {"optional": True, "markers": 'extra == "speed"'},
        "slow": {"optional": True, "markers": 'extra == "patience"'},
        "test-tool": {"groups": ["test"]},
    }
    extras = {"patience": ["slow"], "speed": ["fast"]}
    lock_all(project, index, fields, extras=extras, version=request.param)
    return project


@pytest.mark.usefixtures("grouped_project")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], ["base"], id="main-only"),
        pytest.param(["--with", "dev"], ["base", "dev-tool"], id="with"),
        pytest.param(["--with", "dev,docs"], ["base", "dev-tool", "docs-tool"], id="comma"),
        pytest.param(["--with", "dev docs"], ["base", "dev-tool", "docs-tool"], id="space"),
        pytest.param(["--with", "dev", "--with", "test"], ["base", "dev-tool", "test-tool"], id="repeated"),
        pytest.param(["--with", "DEV"], ["base", "dev-tool"], id="case"),
        pytest.param(["--without", "main", "--with", "dev"], ["dev-tool"], id="without-main"),
        pytest.param(["--without", "dev,test"], ["base"], id="without"),
        pytest.param(["--only", "main"], ["base"], id="only-main"),
        pytest.param(["--only", "dev"], ["dev-tool"], id="only"),
        pytest.param(["--only", "docs"], ["docs-tool"], id="only-optional"),
        pytest.param(["--only", "dev,test"], ["dev-tool", "test-tool"], id="only-comma"),
        pytest.param(["--only", "dev", "--only", "docs"], ["dev-tool", "docs-tool"], id="only-repeated"),
        pytest.param(["-E", "speed"], ["base", "fast"], id="extra"),
        pytest.param(["-E", "Speed"], ["base", "fast"], id="extra-case"),
        pytest.param(["-E", "speed", "--extras", "patience"], ["base", "fast", "slow"], id="extras"),
        pytest.param(["-E", "speed patience"], ["base", "fast", "slow"], id="extras-space"),
        pytest.param(["--all-extras"], ["base", "fast", "slow"], id="all-extras"),
        pytest.param(["--only-root"], [], id="only-root"),
    ],
)
def test_selects_groups_and_extras(arguments: list[str], expected: list[str]) -> None:
    """Groups and extras mean what they mean to `poetry install`, but only main is the default."""
    assert selected(*arguments) == expected


@pytest.mark.parametrize("version", [pytest.param(v, id=v) for v in ("1.1", "2.0", "2.1")])
def test_never_asks_the_index_to_select(project: Project, index: Index, version: str) -> None:
    """Older locks are resolved again from the lock alone."""
    project.pyproject(dependencies=["base"], source=index.url)
    project.write({"my_fn.py": ""})
    fields: dict[str, dict[str, object]] = {"base": {"dependencies": {"inner": ">=1"}}, "inner": {}}
    lock_all(project, index, fields, version=version)

    assert selected() == ["base", "inner"]
    assert index.requests == []


def test_option_beats_key(project: Project, index: Index) -> None:
    """A selection that is typed beats the table's."""
    project.pyproject(tool=GROUPS, dependencies=["base"], source=index.url, config='only = ["test"]')
    project.write({"my_fn.py": ""})
    lock_all(
        project,
        index,
        {
            "base": {},
            "dev-tool": {"groups": ["dev"]},
            "docs-tool": {"groups": ["docs"]},
            "test-tool": {"groups": ["test"]},
        },
    )

    assert selected() == ["test-tool"]
    assert selected("--with", "dev") == ["base", "dev-tool"]


def test_bundles_have_selections_of_their_own(project: Project, index: Index) -> None:
    """One lock serves several functions with a group each."""
    project.pyproject(
        tool=GROUPS,
        source=index.url,
        config=(
            "[tool.poetry-lambda-plugin.bundles.api]\nonly = ['dev']\n"
            "[tool.poetry-lambda-plugin.bundles.job]\nonly = ['test']"
        ),
    )
    project.write({"my_fn.py": ""})
    lock_all(
        project,
        index,
        {
            "dev-tool": {"groups": ["dev"]},
            "docs-tool": {"groups": ["docs"]},
            "test-tool": {"groups": ["test"]},
        },
    )

    assert selected("api") == ["dev-tool"]
    assert selected("job") == ["test-tool"]
    outcome = bundle()
    assert outcome.exit_code == 0
    assert sorted(p.name for p in (project.folder / "dist").iterdir()) == ["api.zip", "job.zip"]


def test_knows_groups_of_pep_735(project: Project, index: Index) -> None:
    """[dependency-groups] are groups like any other."""
    from packaging.version import Version
    from poetry.core import __version__

    if Version(__version__) < Version("2.2"):
        pytest.skip("this Poetry knows no [dependency-groups]")
    project.pyproject(
        dependencies=["base"], source=index.url, tool='[dependency-groups]\ntools = ["pep-tool"]\n'
    )
    project.write({"my_fn.py": ""})
    lock_all(project, index, {"base": {}, "pep-tool": {"groups": ["tools"]}})

    assert selected() == ["base"]
    assert selected("--with", "tools") == ["base", "pep-tool"]


def test_project_without_dependencies_has_no_main_group(project: Project) -> None:
    """A project without any dependency is bundled all the same."""
    project.pyproject()
    project.write({"my_fn.py": ""})
    project.lock()

    assert selected() == []


MARKERS = [
    ('sys_platform == "win32"', [], "windows"),
    ('sys_platform == "linux"', ["3.10 x86_64", "3.13 arm64", "3.13 x86_64"], "linux"),
    ('platform_machine == "aarch64"', ["3.13 arm64"], "aarch64"),
    ('platform_machine == "x86_64"', ["3.10 x86_64", "3.13 x86_64"], "x86_64"),
    ('python_version < "3.11"', ["3.10 x86_64"], "older-python"),
    ('python_version >= "3.13"', ["3.13 arm64", "3.13 x86_64"], "newer-python"),
    ('python_full_version <= "3.13.2"', ["3.10 x86_64"], "micro"),
    ('platform_system != "Linux"', [], "system"),
    ('implementation_name == "pypy"', [], "implementation"),
]


@pytest.mark.parametrize("version", [pytest.param(v, id=v) for v in ("1.1", "2.0", "2.1")])
@pytest.mark.parametrize(
    ("marker", "where"), [pytest.param(marker, where, id=name) for marker, where, name in MARKERS]
)
def test_markers_are_judged_for_the_target(
    project: Project, index: Index, marker: str, where: Iterable[str], version: str
) -> None:
    """A marker holds where the function runs, whatever the host is."""
    project.pyproject(dependencies=[f"base ; {marker}"], source=index.url)
    project.write({"my_fn.py": ""})
    lock_all(project, index, {"base": {"markers": marker}}, version=version)

    found = []
    for target in ("3.10 x86_64", "3.13 arm64", "3.13 x86_64"):
        python, architecture = target.split()
        outcome = bundle(
            *("--format", "json", "--dry-run"),
            *("--runtime", f"python{python}", "--architecture", architecture),
        )
        if "base" in [package["name"] for package in outcome.report["packages"]]:
            found.append(target)
    assert found == where


@pytest.mark.parametrize("version", [pytest.param(v, id=v) for v in ("1.1", "2.0", "2.1")])
def test_markers_of_inner_dependencies_are_judged_for_the_target(
    project: Project, index: Index, version: str
) -> None:
    """What a dependency needs on the target is bundled, what it needs elsewhere is not."""
    project.pyproject(dependencies=["base"], source=index.url)
    project.write({"my_fn.py": ""})
    on_windows, on_arm = 'sys_platform == "win32"', 'platform_machine == "aarch64"'
    dependencies = {
        "for-arm": {"version": "*", "markers": on_arm},
        "for-windows": {"version": "*", "markers": on_windows},
    }
    lock_all(
        project,
        index,
        {
            "base": {"dependencies": dependencies},
            "for-arm": {"markers": on_arm},
            "for-windows": {"markers": on_windows},
        },
        version=version,
    )

    assert selected() == ["base"]
    assert selected("--architecture", "arm64") == ["base", "for-arm"]


@pytest.mark.parametrize("version", [pytest.param(v, id=v) for v in ("1.1", "2.0", "2.1")])
def test_chooses_between_versions_by_marker(project: Project, index: Index, version: str) -> None:
    """Of two locked versions the one for the target's Python is taken, with its own file."""
    old, new = make_wheel("split", "1.0"), make_wheel("split", "2.0")
    index.add(old, new)
    project.pyproject(
        dependencies=['split (==1.0) ; python_version < "3.12"', 'split (==2.0) ; python_version >= "3.12"'],
        source=index.url,
    )
    project.write({"my_fn.py": ""})
    project.lock(
        [
            Locked.of(old, markers='python_version < "3.12"'),
            Locked.of(new, markers='python_version >= "3.12"'),
        ],
        source=index.url,
        version=version,
    )

    taken = {
        runtime: bundle("--format", "json", "--runtime", runtime).report["packages"][0]["file"]
        for runtime in ("python3.11", "python3.13")
    }

    assert taken == {"python3.11": old.filename, "python3.13": new.filename}
