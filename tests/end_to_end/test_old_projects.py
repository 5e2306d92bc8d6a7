"""Projects and locks of earlier Poetry, which people still have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project


POETRY_1 = """\
[tool.poetry]
name = "my-fn"
version = "0.1.0"
description = ""
authors = ["Someone <someone@example.org>"]

[tool.poetry.dependencies]
python = "^3.9"
wanted = "*"
extra-one = {{version = "*", optional = true}}

[tool.poetry.extras]
fast = ["extra-one"]

[tool.poetry.dev-dependencies]
unwanted = "*"

[[tool.poetry.source]]
name = "tests"
url = "{url}"
"""


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param((), {"wanted.py"}, id="main"),
        pytest.param(("-E", "fast"), {"wanted.py", "extra_one.py"}, id="extra"),
        pytest.param(("--with", "dev"), {"wanted.py", "unwanted.py"}, id="dev-dependencies"),
    ],
)
def test_bundles_a_poetry_1_project(
    project: Project, index: Index, version: str, options: tuple[str, ...], expected: set[str]
) -> None:
    """A project with nothing but [tool.poetry] and dev-dependencies is bundled, whatever its lock's age."""
    wheels = {name: make_wheel(name) for name in ("wanted", "extra-one", "unwanted")}
    index.add(*wheels.values())
    project.write({"pyproject.toml": POETRY_1.format(url=index.url), "my_fn.py": ""})
    project.lock(
        [
            Locked.of(wheels["extra-one"], optional=True, markers='extra == "fast"'),
            Locked.of(wheels["unwanted"], groups=["dev"]),
            Locked.of(wheels["wanted"]),
        ],
        source=index.url,
        extras={"fast": ["extra-one"]},
        version=version,
    )

    outcome = bundle(*options)

    assert outcome.exit_code == 0, outcome.error
    modules = {path for path in contents(project.folder / "dist/my-fn.zip") if path.endswith(".py")}
    assert modules == expected | {"my_fn.py"}


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
@pytest.mark.parametrize(
    ("runtime", "expected"), [("python3.9", "1.26.20"), ("python3.12", "2.2.3")], ids=["old", "new"]
)
def test_picks_one_of_two_versions_by_marker(
    project: Project, index: Index, version: str, runtime: str, expected: str
) -> None:
    """Two versions of one package, split by marker, as locks with urllib3 have had for years."""
    old, new = make_wheel("urllib3", "1.26.20"), make_wheel("urllib3", "2.2.3")
    client = make_wheel("client", requires=("urllib3",))
    index.add(old, new, client)
    below, above = 'python_version < "3.10"', 'python_version >= "3.10"'
    project.pyproject(dependencies=["client"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock(
        [
            Locked.of(
                client,
                dependencies={
                    "urllib3": [
                        {"version": ">=1.25.4,<1.27", "markers": below},
                        {"version": ">=1.25.4,<2.2.0 || >2.2.0,<3", "markers": above},
                    ]
                },
            ),
            Locked.of(old, markers=below),
            Locked.of(new, markers=above),
        ],
        source=index.url,
        version=version,
    )

    outcome = bundle("--runtime", runtime)

    assert outcome.exit_code == 0, outcome.error
    assert f"urllib3-{expected}.dist-info/METADATA" in contents(project.folder / "dist/my-fn.zip")


def test_judges_arbitrary_equality(project: Project, index: Index) -> None:
    """A marker with `===` compares as text, and against Lambda's Python."""
    yes, no = make_wheel("wanted"), make_wheel("unwanted")
    index.add(yes, no)
    project.pyproject(dependencies=["wanted", "unwanted"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock(
        [
            Locked.of(yes, markers='platform_machine === "x86_64"'),
            Locked.of(no, markers='platform_machine === "aarch64"'),
        ],
        source=index.url,
    )

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert {"wanted.py"} == {p for p in contents(project.folder / "dist/my-fn.zip") if "wanted.py" in p}
