"""Measure what bytecode brings and what it costs, on the `medium` project.

    python -m tests.benchmarks.bytecode --python ENV/bin/python --target PYTHON3.12

ENV is an environment with Poetry and this plugin; PYTHON3.12 is a CPython 3.12, which stands for the one on
Lambda. Everything takes turns in one run; quote the ratios. The tables go to standard output.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.compare import HERE
from tests.benchmarks.compare import environment
from tests.benchmarks.compare import machine
from tests.benchmarks.compare import run


if TYPE_CHECKING:
    from collections.abc import Iterator


KINDS = {"none": "", "checked-hash": "--bytecode checked-hash", "unchecked-hash": "--bytecode unchecked-hash"}
MODULE = "medium_fn"


def bundle(kind: str, project: Path, env: dict[str, str]) -> float:
    """Return the seconds that one bundle takes."""
    command = f"poetry lambda-bundle --runtime python3.12 {KINDS[kind]} -o {kind}.zip"
    return run(command, project, env).seconds


def forget_bytecode(env: dict[str, str]) -> None:
    """Remove what earlier runs compiled; the wheels stay."""
    shutil.rmtree(Path(env["POETRY_CACHE_DIR"]) / "cache/repositories/lambda-bundle")


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a bundle, and let nobody write to it, as on Lambda."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o555)  # noqa: PTH101
    return folder


def import_seconds(target: Path, folder: Path) -> float:
    """Return the seconds that a fresh process takes to import the handler's module."""
    start = time.perf_counter()
    env = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([target, "-c", f"import {MODULE}"], cwd=folder, env=env, check=True)
    return time.perf_counter() - start


def compile_seconds(target: Path, archive: Path, folder: Path) -> float:
    """Return the seconds that `compileall` takes for all of a bundle."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    start = time.perf_counter()
    subprocess.run([target, "-m", "compileall", "-qq", "-j0", "."], cwd=folder, check=False)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


def measure(options: argparse.Namespace, work: Path) -> Iterator[str]:
    """Yield the lines of the tables."""
    project = work / "medium"
    shutil.copytree(HERE / "projects" / "medium", project)
    env = environment(options.python, work / "cache")
    for kind in KINDS:
        bundle(kind, project, env)
    folders = {kind: unpack(project / f"{kind}.zip", work / f"task-{kind}") for kind in KINDS}
    imports: dict[str, list[float]] = {kind: [] for kind in KINDS}
    plain, first, second, compileall = [], [], [], []
    for turn in range(options.runs + 1):
        for kind, folder in folders.items():
            seconds = import_seconds(options.target, folder)
            if turn:
                imports[kind].append(seconds)
    for _ in range(options.runs):
        plain.append(bundle("none", project, env))
        compileall.append(compile_seconds(options.target, project / "none.zip", work / "compiled"))
        forget_bytecode(env)
        first.append(bundle("checked-hash", project, env))
        second.append(bundle("checked-hash", project, env))
    yield f"Medians of {options.runs} runs in turn on {machine()}.\n"
    yield "| | Import | | ZIP, MB | Unzipped, MB |"
    yield "|---|---|---|---|---|"
    base = statistics.median(imports["none"])
    for kind, times in imports.items():
        seconds = statistics.median(times)
        with zipfile.ZipFile(project / f"{kind}.zip") as archive:
            unzipped = sum(member.file_size for member in archive.infolist())
        zipped = (project / f"{kind}.zip").stat().st_size
        ratio = "" if kind == "none" else f"{base / seconds:.1f} × as fast"
        title = "no bytecode" if kind == "none" else f"`{kind}`"
        sizes = f"{zipped / (1 << 20):.1f} | {unzipped / (1 << 20):.1f}"
        yield f"| {title} | {seconds:.2f} s | {ratio} | {sizes} |"
    yield ""
    without, compiling = statistics.median(plain), statistics.median(compileall)
    once, again = statistics.median(first), statistics.median(second)
    yield "| Bundling | Seconds | |"
    yield "|---|---|---|"
    yield f"| without bytecode | {without:.2f} | |"
    yield f"| the first time with it | {once:.2f} | {once / compiling:.2f} × `compileall` |"
    yield f"| every other time with it | {again:.2f} | {again / without:.2f} × without |"
    yield f"| for comparison: `python -m compileall -j0` of the unpacked ZIP | {compiling:.2f} | |"


def main() -> int:
    """Measure everything and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, type=lambda p: Path(p).absolute())
    parser.add_argument("--target", required=True, type=lambda p: Path(p).absolute())
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lambda-bench-") as folder:
        for line in measure(options, Path(folder)):
            sys.stdout.write(f"{line}\n")
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o755)  # noqa: PTH101
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
