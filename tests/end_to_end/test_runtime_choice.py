"""The runtime that the bare command takes: what the project and its lock can run on."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import Outcome
from tests.support.runner import bundle
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


X86 = "manylinux_2_17_x86_64"
ARM = "manylinux_2_17_aarch64"
NEWEST = "python3.14"


def compiled(name: str, *pythons: int, platforms: tuple[str, ...] = (X86,)) -> Locked:
    """Lock a package with wheels for some minor versions of Python 3, and an sdist."""
    wheels = [
        make_wheel(name, files={f"{name}/__init__.py": ""}, tag=f"cp3{python}-cp3{python}-{platform}")
        for python in pythons
        for platform in platforms
    ]
    return Locked.of(*wheels, MadeFile(f"{name}-1.0.tar.gz", b""))


def locked(project: Project, index: Index, *packages: Locked, **fields: Any) -> None:
    index.add(*(file for package in packages for file in package.files))
    project.pyproject(dependencies=[package.name for package in packages], source=index.url, **fields)
    project.write({"my_fn.py": ""})
    project.lock(packages, source=index.url)


def chosen(outcome: Outcome) -> tuple[str, str, list[str]]:
    assert outcome.exit_code == 0, outcome.error
    reports = json.loads(outcome.output)["bundles"]
    ((runtime, by),) = {(report["runtime"], report["runtime_chosen_by"]) for report in reports}
    return runtime, by, list(dict.fromkeys(note for report in reports for note in report["notes"]))


def made(*arguments: str) -> tuple[str, str, list[str]]:
    return chosen(bundle("--format", "json", *arguments))


def test_takes_the_newest(project: Project, index: Index) -> None:
    """Where everything can run on the newest runtime, that is the one, and a short note pins it."""
    locked(project, index, compiled("numbers", 13, 14))

    assert made() == (
        NEWEST,
        "newest",
        [
            (
                "python3.14 is the newest runtime that the project's Python constraint allows; "
                '`runtime = "python3.14"` in [tool.poetry-lambda-plugin] pins it.'
            ),
        ],
    )


def test_takes_what_the_lock_serves(project: Project, index: Index) -> None:
    """An older runtime is taken where the lock has wheels for no newer one; the note names the packages."""
    locked(project, index, compiled("frames", 11, 12, 13), compiled("numbers", 11, 12))

    assert made() == (
        "python3.12",
        "lock",
        [
            (
                "python3.12 is chosen since the lock has no wheel of frames 1.0 and numbers 1.0 "
                "for python3.14, nor of numbers 1.0 for python3.13; "
                '`runtime = "python3.12"` in [tool.poetry-lambda-plugin] pins it.'
            )
        ],
    )


def test_text_has_the_note(project: Project, index: Index) -> None:
    """A person reads it below the summary."""
    locked(project, index, *(compiled(name, 12) for name in ("a1", "b1", "c1", "d1", "e1")))

    output = bundle().output

    assert "for python3.12 on x86_64" in output
    assert (
        "Note: python3.12 is chosen since the lock has no wheel of a1 1.0, b1 1.0, c1 1.0 and 2 more for "
        'python3.14 and python3.13; `runtime = "python3.12"` in [tool.poetry-lambda-plugin] pins it.'
    ) in output


def test_all_architectures_count(project: Project, index: Index) -> None:
    """What is missing for one of the architectures is missing."""
    both = compiled("numbers", 12, platforms=(X86, ARM))
    more = compiled("numbers", 13, 14)
    locked(project, index, Locked.of(*both.files[:-1], *more.files))

    assert made()[0] == "python3.14"
    assert made("--architecture", "x86_64", "--architecture", "arm64")[0] == "python3.12"


def test_one_that_was_asked_for_is_not_replaced(project: Project, index: Index) -> None:
    """An option or a key is an order, and the refusal says what would do."""
    locked(project, index, Locked.of(*compiled("numbers", 12).files[:1]))

    assert made("--runtime", "python3.12")[:2] == ("python3.12", "configuration")
    outcome = bundle("--runtime", "python3.13")

    assert outcome.exit_code == 1
    assert "For python3.12 on x86_64 the lock has wheels of them." in outcome.message


def test_deprecated_runtime_may_be_chosen(project: Project, index: Index) -> None:
    """A lock that is that old gets its bundle, with a warning."""
    locked(project, index, compiled("numbers", 8, 9))

    outcome = bundle()

    assert outcome.exit_code == 0
    assert "for python3.9 on x86_64" in outcome.output
    assert "Warning: python3.9 is deprecated by AWS" in outcome.message


def test_pure_sdist_stands_in_no_way(project: Project, index: Index) -> None:
    """A release that never had wheels for single platforms is taken for pure."""
    locked(project, index, Locked.of(make_wheel("other")), Locked.of(MadeFile("pure-1.0.tar.gz", b"")))

    outcome = bundle("--dry-run", "--format", "json")

    assert chosen(outcome)[:2] == (NEWEST, "newest")


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="builds for Lambda")
def test_builds_where_nothing_else_will_do(project: Project, index: Index) -> None:
    """If no runtime can be served, the newest is taken for which what is missing can be built here."""
    locked(project, index, compiled("a1", 12), compiled("b1", 13))
    python = f"python3.{sys.version_info[1]}"
    project.pyproject(
        dependencies=["a1", "b1"], source=index.url, python=f"=={python.removeprefix('python')}.*"
    )
    project.lock([compiled("a1", 8), compiled("b1", 9)], source=index.url)

    outcome = bundle("--dry-run", "--format", "json")

    runtime, by, notes = chosen(outcome)
    assert (runtime, by) == (python, "build")
    assert notes[0] == (
        f"{python} is the newest runtime for which a1 1.0 and b1 1.0 can be built here; "
        f'`runtime = "{python}"` in [tool.poetry-lambda-plugin] pins it.'
    )


def test_refuses_for_the_newest_if_none_will_do(project: Project, index: Index) -> None:
    """Where nothing helps, the error is that of the newest runtime."""
    wheel = make_wheel("winonly", tag="cp312-cp312-win_amd64")
    locked(project, index, Locked.of(wheel))

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.startswith("1 package has no wheel for python3.14 on x86_64:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("3.12\n", "python3.12", id="minor"),
        pytest.param("pypy3.10-7.3.12\n", NEWEST, id="pypy"),
        pytest.param("3.99\n", NEWEST, id="unknown"),
        pytest.param("3.8\n", NEWEST, id="ruled-out-by-the-project"),
    ],
)
def test_version_file(project: Project, index: Index, text: str, expected: str) -> None:
    """.python-version beside pyproject.toml says what the project is developed with."""
    locked(project, index, python=">=3.9")
    project.write({".python-version": text})

    runtime, by, notes = made()

    assert runtime == expected
    assert by == ("newest" if expected == NEWEST else "python-version")
    if by == "python-version":
        line = f'`runtime = "{expected}"` in [tool.poetry-lambda-plugin]'
        assert notes[0] == f"{expected} is what .python-version names; {line} pins it."


def test_version_file_that_the_lock_cannot_serve(project: Project, index: Index) -> None:
    """What .python-version names is no order: if the lock can't serve it, the newest that it can is taken."""
    locked(project, index, compiled("numbers", 12, 13))
    project.write({".python-version": "3.11"})

    assert made()[:2] == ("python3.13", "lock")


def test_version_file_above(project: Project, index: Index) -> None:
    """It counts up to the root of the repository."""
    locked(project, index, python=">=3.9")
    project.write({"../.python-version": "3.11\n"})
    subprocess.run(["git", "init", "-q", project.folder.parent], check=True)

    assert made()[0] == "python3.11"


LAYERED = """
[tool.poetry-lambda-plugin.bundles.deps]
layer = true
no-root = true
[tool.poetry-lambda-plugin.bundles.api]
exclude-layers = ["dist/deps.zip"]
[tool.poetry-lambda-plugin.bundles.lone]
only-root = true
[tool.poetry-lambda-plugin.bundles.pure]
exclude-packages = ["numbers"]
"""


def test_function_and_layer_choose_together(project: Project, index: Index) -> None:
    """A function takes the runtime of its layer, although nothing compiled is left in it."""
    locked(project, index, compiled("numbers", 12), config=LAYERED)

    assert made("deps")[0] == "python3.12"
    assert made("api")[0] == "python3.12"
    assert made("lone")[0] == "python3.12"
    assert made("pure")[0] == NEWEST


def test_layer_pins_for_its_functions(project: Project, index: Index) -> None:
    """Where only the layer names a runtime, its functions take it, and the other way round."""
    pinned = LAYERED.replace("layer = true", 'layer = true\nruntime = "python3.11"')
    locked(project, index, compiled("numbers", 11, 12), config=pinned)

    assert made("deps")[:2] == ("python3.11", "configuration")
    assert made("api")[:2] == ("python3.11", "layers")
    assert made("api")[2][0] == "python3.11 is the runtime of deps, with which it shares a layer."


def test_functions_that_contradict_each_other(project: Project, index: Index) -> None:
    """A layer of functions with different runtimes can't be made for both."""
    config = (
        "[tool.poetry-lambda-plugin.bundles.deps]\nlayer = true\nno-root = true\n"
        '[tool.poetry-lambda-plugin.bundles.a]\nruntime = "python3.12"\nexclude-layers = ["dist/deps.zip"]\n'
        '[tool.poetry-lambda-plugin.bundles.b]\nruntime = "python3.13"\nexclude-layers = ["dist/deps.zip"]\n'
    )
    locked(project, index, Locked.of(make_wheel("pure")), config=config)

    assert bundle("deps").message == (
        "deps shares a layer with bundles of different runtimes: a has python3.12 and b has python3.13. "
        "Set runtime in [tool.poetry-lambda-plugin.bundles.deps], and make a layer for each runtime."
    )


def test_runtime_without_the_architecture_is_no_candidate(project: Project, index: Index) -> None:
    """What AWS has for x86_64 alone is not chosen for arm64."""
    locked(project, index, Locked.of(make_wheel("pure")), python=">=3.7")
    project.write({".python-version": "3.7"})

    assert made("--architecture", "arm64")[:2] == (NEWEST, "newest")
    assert made()[0] == "python3.7"


def test_each_bundle_chooses_for_itself(project: Project, index: Index) -> None:
    """What one function needs holds no other one back."""
    config = "[tool.poetry-lambda-plugin.bundles.a]\n[tool.poetry-lambda-plugin.bundles.b]\nwith = 'more'\n"
    numbers = compiled("numbers", 12)
    index.add(*numbers.files)
    project.pyproject(
        source=index.url, config=config, tool='[tool.poetry.group.more.dependencies]\nnumbers = "*"'
    )
    project.write({"my_fn.py": ""})
    numbers.groups = ["more"]
    project.lock([numbers], source=index.url)

    reports = json.loads(bundle("--format", "json").output)["bundles"]

    assert {r["bundle"]: r["runtime"] for r in reports} == {"a": NEWEST, "b": "python3.12"}


def test_project_alone_needs_no_lock(project: Project, tmp_path: Path) -> None:
    """--only-root works without a lock, and then the newest runtime is taken."""
    project.pyproject()
    project.write({"my_fn.py": ""})

    assert made("--only-root")[:2] == (NEWEST, "newest")
