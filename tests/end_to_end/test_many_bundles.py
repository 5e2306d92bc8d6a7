"""Many bundles of one run: little more time, memory and open files than one needs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

from statistics import median
from typing import TYPE_CHECKING
from typing import NamedTuple

import pytest

from tests.support.limits import few_handles
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project


TABLE = "tool.poetry-lambda-plugin.bundles"
LAYER = f'[{TABLE}.deps]\nlayer = true\nshared-by = "all"\n'
MB = 1 << 20


@pytest.fixture
def stack(project: Project, index: Index) -> Project:
    """A project with a usual number of dependencies and files: 25 wheels, 1,000 files, 17 MB."""
    noise = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(17 * 32))
    wheels = [
        make_wheel(f"dep-{n}", files={f"dep_{n}/m{m}.py": b"#" + noise.hex().encode()[m:] for m in range(40)})
        for n in range(25)
    ]
    index.add(*wheels)
    project.write({"my_fn.py": "def handler(event, context):\n    return 1\n"})
    project.pyproject(dependencies=[f"dep-{n}" for n in range(25)], source=index.url)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    return project


def configure(project: Project, *tables: str) -> None:
    """Replace the project's own configuration, which the lock does not mind."""
    text = (project.folder / "pyproject.toml").read_text().partition("\n[tool.poetry-lambda-plugin]")[0]
    config = '\n[tool.poetry-lambda-plugin]\nruntime = "python3.12"\n' + "".join(tables)
    project.write({"pyproject.toml": text + config})


def functions(count: int) -> str:
    return "".join(f'[{TABLE}.f{n}]\nhandler = "my_fn.handler"\n' for n in range(count))


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_handles_of_new_bundles(stack: Project) -> None:
    """However many are written at once, with a layer or with files of their own."""
    stack.write({f"{n}.txt": str(n) for n in range(60)})
    own = "".join(f'[{TABLE}.o{n}]\ninclude = ["{n}.txt"]\nonly-root = true\n' for n in range(60))
    configure(stack, functions(60), own, LAYER)
    assert bundle("deps", "--dry-run").exit_code == 0

    with few_handles(40):
        outcome = bundle("--format", "json")

    assert outcome.error == ""
    assert [made["status"] for made in json.loads(outcome.output)["bundles"]] == ["written"] * 121


def test_bundles_of_the_same_files(stack: Project) -> None:
    """They have the same bytes, whichever of them is there already, and whoever takes what is written."""
    configure(stack, functions(3))
    first = bundle("f0", "--format", "json").report
    tables = functions(3).replace(f"[{TABLE}.f1]", f"[{TABLE}.f1]\noutput = '{os.devnull}'")
    configure(stack, tables)

    for statuses in (["unchanged", "written", "written"], ["unchanged", "written", "unchanged"]):
        made = json.loads(bundle("--format", "json").output)["bundles"]
        assert [report["status"] for report in made] == statuses
        assert {report["sha256"] for report in made} == {first["sha256"]}
    paths = [stack.folder / f"dist/f{n}.zip" for n in (0, 2)]
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == {first["sha256"]}
    assert paths[0].stat().st_ino != paths[1].stat().st_ino


class Taken(NamedTuple):
    """What a run took."""

    seconds: float
    peak: int
    """Bytes."""


def taken(project: Project) -> Taken:
    """Run in a process of its own, with all bundles to be written."""
    shutil.rmtree(project.folder / "dist", ignore_errors=True)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "poetry", "lambda-bundle", "-q"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Taken(time.perf_counter() - started, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs to know what a process took")
@pytest.mark.parametrize(
    ("tables", "most"),
    [
        pytest.param(functions(20), 1.8, id="of-the-same-files"),
        pytest.param(functions(20) + LAYER, 1.5, id="with-a-layer"),
    ],
)
def test_time_of_twenty_functions(stack: Project, tables: str, most: float) -> None:
    """Against one, in pairs that are run in turn."""
    pairs = []
    for _ in range(6):
        configure(stack, functions(1))
        one = taken(stack).seconds
        configure(stack, tables)
        pairs.append(taken(stack).seconds / one)

    # the first pair warms up
    assert median(pairs[1:]) <= most


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs to know what a process took")
def test_memory_of_two_hundred_functions(stack: Project) -> None:
    """At most 60 MB over one, each with a file of its own."""
    stack.write({f"{n}.txt": str(n) for n in range(200)})
    configure(stack, functions(1))
    taken(stack)
    one = taken(stack)
    configure(stack, "".join(f'[{TABLE}.f{n}]\ninclude = ["{n}.txt"]\n' for n in range(200)))

    assert taken(stack).peak - one.peak <= 60 * MB
