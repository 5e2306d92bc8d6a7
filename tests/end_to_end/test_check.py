"""`poetry lambda-check`: where the locked packages can run, told from the lock alone."""

from __future__ import annotations

import json
import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import run
from tests.support.wheels import MadeFile


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.projects import Project
    from tests.support.runner import Outcome


X86 = "manylinux_2_17_x86_64"
ARM = "manylinux_2_17_aarch64"


def compiled(name: str, *tags: str, sdist: bool = True, **fields: Any) -> Locked:
    """Lock a release with wheels of some tags; none of its files exists anywhere."""
    files = [MadeFile(f"{name}-1.0-{tag}.whl", b"") for tag in tags]
    return Locked.of(*files, *([MadeFile(f"{name}-1.0.tar.gz", b"")] if sdist else []), **fields)


def tags(*pythons: int, platforms: Sequence[str] = (X86, ARM)) -> list[str]:
    return [f"cp3{python}-cp3{python}-{platform}" for python in pythons for platform in platforms]


def locked(project: Project, *packages: Locked, config: str = "", **fields: Any) -> None:
    project.pyproject(
        dependencies=[p.name for p in packages], **{"python": ">=3.11", "config": config} | fields
    )
    project.write({"my_fn.py": ""})
    project.lock(packages)


def check(*arguments: str) -> Outcome:
    return run("lambda-check", *arguments)


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    outcome = check("--format", "json", *arguments)
    assert outcome.exit_code == code, outcome.error
    found = json.loads(outcome.output)
    assert isinstance(found, dict)
    return found


def statuses(check: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(t["runtime"], t["architecture"]): t["status"] for t in check["targets"]}


NUMBERS = compiled("numbers", *tags(12, 13, platforms=[X86]), *tags(12, platforms=[ARM]))
FRAMES = compiled(
    "frames", *tags(11, 12, 13, 14, platforms=["manylinux_2_28_x86_64", "manylinux_2_28_aarch64"])
)
PURE = compiled("pure", "py3-none-any")
OTHER_PYTHON = "sdist only: no wheel for this Python"


def test_tells_all(project: Project) -> None:
    """Each runtime and architecture, what is wrong where, and what a move would take: nothing else."""
    locked(project, NUMBERS, FRAMES, PURE, config='runtime = "python3.13"')

    outcome = check()

    assert outcome.exit_code == 0
    assert outcome.error == ""
    assert outcome.output.splitlines() == [
        "Checking my-fn (0.1.0) for python3.13 on x86_64",
        "",
        "  Runtime               x86_64           arm64",
        "  python3.11            2 sdist only     2 sdist only",
        "  python3.12            ok (glibc 2.28)  ok (glibc 2.28)",
        "  python3.13            ok (glibc 2.28)  1 sdist only",
        "  python3.14            1 sdist only     1 sdist only",
        "  python3.15 (preview)  2 sdist only     2 sdist only",
        "",
        f"  Package      {'Where':<48}  What the lock has",
        f"  frames 1.0   {'python3.11':<48}  sdist only: wheels need glibc 2.28",
        f"               {'python3.15':<48}  {OTHER_PYTHON}",
        f"  numbers 1.0  {'python3.11, python3.14 and python3.15 on x86_64':<48}  {OTHER_PYTHON}",
        f"               {'python3.11 and python3.13 to python3.15 on arm64':<48}  {OTHER_PYTHON}",
        "",
        "  Ruled out by the project, whose Python constraint is '>=3.11': python3.6 to python3.10.",
        "  To move to python3.14: update numbers 1.0.",
        "  To move to arm64: update numbers 1.0.",
    ]


def test_all_is_well(project: Project) -> None:
    """Then there is but one table."""
    locked(project, PURE, python=">=3.13,<3.15")

    assert check().output.splitlines() == [
        "Checking my-fn (0.1.0) for python3.14 on x86_64",
        "",
        "  Runtime     x86_64  arm64",
        "  python3.13  ok      ok",
        "  python3.14  ok      ok",
        "",
        (
            "  Ruled out by the project, whose Python constraint is '>=3.13,<3.15': "
            "python3.6 to python3.12 and python3.15."
        ),
        "  To move to arm64: nothing has to be updated.",
    ]


def test_sources_that_were_never_compiled_are_well(project: Project) -> None:
    """They are built wherever the bundle is made, and named."""
    locked(project, compiled("old"), config='runtime = "python3.13"', python="~3.13")

    lines = check().output.splitlines()

    assert "  python3.13  ok      ok" in lines
    assert "  Built where they are bundled, having no wheels for single platforms: old 1.0." in lines


def test_target_that_cannot_be_had_is_an_error(project: Project) -> None:
    """After the table, with the remedies that the bundle itself would name."""
    locked(project, compiled("numbers", *tags(12), sdist=False), config='runtime = "python3.13"')

    outcome = check()

    assert outcome.exit_code == 1
    assert "python3.13            1 nothing" in outcome.output
    assert outcome.message == (
        "For python3.13 on x86_64 the lock has no wheel of numbers 1.0. For python3.12 on x86_64 the lock "
        "has wheels of them. Choose that with --runtime python3.12, or lock versions that have wheels for "
        "this target."
    )


def test_sdist_is_an_error_with_the_line_that_compiles_it(project: Project) -> None:
    """This machine is none of one of the two architectures."""
    locked(project, NUMBERS, config='runtime = "python3.14"')

    both = ("--architecture", "arm64", "--architecture", "x86_64")

    assert "\n  docker run --rm --platform linux/" in check(*both).error
    assert "\nOr bundle on Amazon Linux for " in check(*both, "--runtime", "python3.15").error


def test_fails_just_where_the_bundle_would(project: Project) -> None:
    """Both judge a package for this very machine, so a check in CI stops no bundle that could be made."""
    locked(project, NUMBERS)

    for runtime in ("python3.11", "python3.12", "python3.13", "python3.14"):
        for architecture in ("x86_64", "arm64"):
            target = ("--runtime", runtime, "--architecture", architecture)
            assert check(*target).exit_code == bundle("--dry-run", *target).exit_code, target


def test_narrowed_to_some_targets(project: Project) -> None:
    """Nothing else is told of, and these are the ones that count."""
    locked(project, NUMBERS, config='runtime = "python3.14"')

    found = document("--runtime", "python3.13", "--runtime", "python3.12", "--architecture", "x86_64")[
        "bundles"
    ]

    assert statuses(found[0]) == {("python3.13", "x86_64"): "ok", ("python3.12", "x86_64"): "ok"}
    assert [target["asked"] for target in found[0]["targets"]] == [True, True]


def test_project_rules_out_what_is_asked_for(project: Project) -> None:
    """With the bundle's own words."""
    locked(project, PURE)

    outcome = check("--runtime", "python3.9")

    assert outcome.exit_code == 1
    assert outcome.message.startswith(
        "The project's Python constraint '>=3.11' rules out python3.9, which runs Python 3.9.25."
    )


def test_move_beyond_the_constraint(project: Project) -> None:
    """It takes a change of pyproject.toml first."""
    locked(project, NUMBERS, PURE, python=">=3.12,<3.14", config='runtime = "python3.13"')

    output = check("--architecture", "x86_64").output

    assert "To move to python3.14: let requires-python allow it, lock again and update numbers 1.0." in output


TWO_BUNDLES = """
runtime = "python3.13"
[tool.poetry-lambda-plugin.bundles.api]
exclude-packages = ["numbers"]
[tool.poetry-lambda-plugin.bundles.worker]
exclude-packages = ["numbers"]
[tool.poetry-lambda-plugin.bundles.night]
runtime = "python3.12"
"""


def test_bundles_of_the_table(project: Project) -> None:
    """Each with its own packages and targets; those that are alike are told of together."""
    locked(project, NUMBERS, PURE, config=TWO_BUNDLES)

    headings = [line for line in check().output.splitlines() if line.startswith("Checking")]

    assert headings == [
        "Checking my-fn (0.1.0) as api and worker for python3.13 on x86_64",
        "Checking my-fn (0.1.0) as night for python3.12 on x86_64",
    ]
    assert [found["bundle"] for found in document("night")["bundles"]] == ["night"]
    assert document("night", "--runtime", "python3.14", "--architecture", "arm64", code=1)["error"]


def test_one_bundle_that_fails_is_enough(project: Project) -> None:
    """Though the others are well."""
    numbers = compiled("numbers", *tags(13), sdist=False)
    locked(project, numbers, PURE, config=TWO_BUNDLES)

    assert check().exit_code == 1
    assert check("api", "worker").exit_code == 0


def test_groups_and_extras_are_chosen_as_for_a_bundle(project: Project) -> None:
    """By the same options."""
    numbers = compiled("numbers", *tags(12), sdist=False, groups=["reports"])
    project.pyproject(python=">=3.11", tool='[tool.poetry.group.reports.dependencies]\nnumbers = "*"\n')
    project.write({"my_fn.py": ""})
    project.lock([numbers])

    assert check("--architecture", "arm64", "--runtime", "python3.13").exit_code == 0
    assert check("--architecture", "arm64", "--runtime", "python3.13", "--with", "reports").exit_code == 1
    assert check("--architecture", "arm64", "--runtime", "python3.12", "--only", "reports").exit_code == 0


def test_what_a_layer_holds_is_left_out(project: Project) -> None:
    """A layer that is not there yet leaves out nothing: what it will hold has to run there too."""
    locked(
        project,
        compiled("numbers", *tags(12), sdist=False),
        config='runtime = "python3.13"\nexclude-layers = ["layer.zip"]',
    )
    assert check().exit_code == 1

    with zipfile.ZipFile(project.folder / "layer.zip", "w") as layer:
        layer.writestr("python/numbers-1.0.dist-info/METADATA", "")

    assert check().exit_code == 0


@pytest.mark.parametrize("version", ["2.0", "1.1"])
def test_old_locks(project: Project, version: str) -> None:
    """Locks of Poetry 1 tell as much."""
    locked(project, NUMBERS, PURE)
    new = document("--runtime", "python3.12")
    project.lock([NUMBERS, PURE], version=version)

    assert document("--runtime", "python3.12") == new


def test_asks_no_network_and_writes_nothing(project: Project) -> None:
    """No index is there to be asked, and the folder stays as it is."""
    locked(project, NUMBERS, PURE, source="http://127.0.0.1:9/simple/", config='runtime = "python3.13"')
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}

    assert check().exit_code == 0
    assert {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ("--runtime", "python4"), "--runtime: 'python4' is not a Lambda Python runtime.", id="runtime"
        ),
        pytest.param(
            ("--architecture", "aarch64"),
            "--architecture: 'aarch64' is not a Lambda architecture. Lambda calls it arm64.",
            id="architecture",
        ),
        pytest.param(("--format", "yaml"), "--format must be text or json, not 'yaml'.", id="format"),
        pytest.param(
            ("--runtimes", "x"), "There is no option --runtimes. Did you mean --runtime?", id="option"
        ),
        pytest.param(
            ("--frobnicate",),
            "There is no option --frobnicate. `poetry lambda-check --help` lists all.",
            id="odd",
        ),
        pytest.param(("apu",), "Unknown bundle 'apu'", id="bundle"),
        pytest.param(("--with", "nope"), "The project has no dependency group 'nope'.", id="group"),
    ],
)
def test_wrong_words(project: Project, arguments: tuple[str, ...], words: str) -> None:
    """One paragraph, and in JSON the same in one document."""
    locked(project, PURE)

    outcome = check(*arguments)
    assert (outcome.exit_code, outcome.output) == (1, "")
    assert words in outcome.message
    if "--format" not in arguments:
        found = document(*arguments, code=1)
        assert found["bundles"] == []
        assert words in " ".join(found["error"].split())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        pytest.param("no-lock", "There is no poetry.lock in", id="no-lock"),
        pytest.param(
            "stale", "pyproject.toml changed significantly since poetry.lock was last generated.", id="stale"
        ),
        pytest.param("damaged", "can't be read", id="damaged"),
        pytest.param("no-project", "could not find a pyproject.toml file in", id="no-project"),
    ],
)
def test_lock_that_cannot_be_used(project: Project, harm: str, words: str) -> None:
    """With the bundle's own words, and JSON is one document all the same."""
    locked(project, PURE)
    if harm == "no-lock":
        (project.folder / "poetry.lock").unlink()
    elif harm == "stale":
        project.pyproject(dependencies=["pure", "more"], python=">=3.11")
    elif harm == "damaged":
        project.write({"poetry.lock": "package = 5\n[metadata]\nlock-version = '2.1'\n"})
    else:
        (project.folder / "pyproject.toml").unlink()

    for runtime in ([], ["--runtime", "python3.13"]):
        outcome = check(*runtime)
        assert (outcome.exit_code, outcome.output) == (1, "")
        assert words in outcome.message
        assert "Traceback" not in outcome.error
        assert words in " ".join(document(*runtime, code=1)["error"].split())
