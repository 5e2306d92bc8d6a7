"""Time `poetry lambda-bundle` beside what people run instead, and measure how it grows.

    python -m tests.benchmarks.compare --python ENV/bin/python --peers PEERS/bin/python

ENV is an environment with Poetry and this plugin; PEERS is one with Poetry, poetry-plugin-export,
poetry-plugin-lambda-build and uv. All commands take turns in one run, so that a slow moment of the
machine hits all of them, and all their files are read into memory before each; quote the ratios.
Results go to `results.json`, `results.md` and `results.svg` beside this file. matplotlib draws the plot
(in the environment that runs this script).

The floor is `poetry version` (Poetry's own start with the project read) and reading, hashing and
writing every byte of the ZIP once: what no bundler inside Poetry can do without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator


HERE = Path(__file__).resolve().parent
PROJECTS = ("small", "medium", "large")
BUNDLE = "poetry lambda-bundle --runtime python3.12 -o ours.zip"
PEERS = {
    "recipe": (
        "rm -rf dist package recipe.zip; poetry build -q && pip install -q --upgrade -t package dist/*.whl"
        " && cd package && zip -qr ../recipe.zip . -x '*.pyc'"
    ),
    "uv": (
        "rm -rf target uv.zip; poetry export -q -o r.txt && uv pip install -q --target target --no-deps"
        " --python-platform x86_64-manylinux_2_34 --python-version 3.12 -r r.txt && cp -r *_fn target/"
        " && cd target && zip -qr ../uv.zip . -x '*.pyc'"
    ),
    "lambda-build": "poetry build-lambda package-artifact-path=peer.zip",
}
SECOND_BUNDLE_TURNS = 25
UNUSUAL = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
"""Variables that few people have, and that change what is measured."""
TITLES = {
    "ours": "poetry lambda-bundle",
    "uv": "poetry export + uv pip install --target + zip",
    "recipe": "poetry build + pip install -t + zip",
    "lambda-build": "poetry-plugin-lambda-build",
}


@dataclass(frozen=True)
class Run:
    """One finished command."""

    seconds: float
    peak: int
    """Bytes of its largest process."""


def run(command: str, cwd: Path, env: dict[str, str]) -> Run:
    """Run a shell command to its end; raises SystemExit with its output where it fails."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, shell=True, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"failed: {command}\n{output.read().decode()[-3000:]}")
    return Run(seconds, usage.ru_maxrss * 1024)


def environment(python: Path, cache: Path) -> dict[str, str]:
    """Return the variables of a person who has an environment's commands first on PATH."""
    env = {k: v for k, v in os.environ.items() if k not in UNUSUAL}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    env["POETRY_CACHE_DIR"] = str(cache / "poetry")
    env["PIP_CACHE_DIR"] = str(cache / "pip")
    env["UV_CACHE_DIR"] = str(cache / "uv")
    return env


def copy_seconds(path: Path) -> float:
    """Read, hash and write every byte of a file once."""
    start = time.perf_counter()
    digest, copy = hashlib.sha256(), path.with_suffix(".copy")
    with path.open("rb") as source, copy.open("wb") as target:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
    copy.unlink()
    return time.perf_counter() - start


def keep_in_memory(*folders: Path) -> None:
    """Read all files once: some hosts take back within a minute what the page cache holds.

    Without this, whatever takes its turn after a slow command would measure the disk. It is done in small
    pieces, for a command's peak memory is never below what this process has when it starts it.
    """
    buffer = bytearray(1 << 16)
    for folder in folders:
        for path in filter(Path.is_file, folder.rglob("*")):
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def compare(name: str, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Time all commands on one project, warm and cold."""
    base = work / name
    shutil.copytree(HERE / "projects" / name, base)
    ours = environment(options.python, work / "cache")
    commands = {"ours": (BUNDLE, ours), "floor": ("poetry version -s", ours)}
    if options.peers:
        theirs = environment(options.peers, work / "cache")
        commands |= {key: (command, theirs) for key, command in PEERS.items()}
    environments = [python.parents[1] for python in (options.python, options.peers) if python]
    runs: dict[str, list[Run]] = {key: [] for key in commands}
    for turn in range(options.runs + 1):
        for key, (command, env) in commands.items():
            keep_in_memory(base, work / "cache", *environments)
            finished = run(command, base, env)
            if turn:
                runs[key].append(finished)
    warm = {key: statistics.median(r.seconds for r in of_key) for key, of_key in runs.items()}
    archive = base / "ours.zip"
    warm["floor"] += statistics.median(copy_seconds(archive) for _ in range(3))
    cold: dict[str, list[float]] = {key: [] for key in commands if key != "floor"}
    for _ in range(options.runs):
        for key, seconds in cold.items():
            shutil.rmtree(work / "cold", ignore_errors=True)
            python = options.python if key == "ours" else options.peers
            seconds.append(run(commands[key][0], base, environment(python, work / "cold")).seconds)
    start = run("poetry --version", base, ours).peak
    return {
        "zip_bytes": archive.stat().st_size,
        "warm_seconds": warm,
        "cold_seconds": {key: statistics.median(seconds) for key, seconds in cold.items()},
        "extra_peak_bytes": max(r.peak for r in runs["ours"]) - start,
    }


def growth(options: argparse.Namespace, work: Path) -> dict[str, list[dict[str, Any]]]:
    """Time bundles of made-up wheels of growing number, members and bytes."""
    return {
        "distributions": [_grown(options, work, n, 8, 2_000) for n in (125, 250, 500, 1_000)],
        "members": [_grown(options, work, 1, n, 200) for n in (7_500, 15_000, 30_000, 60_000)],
        "megabytes": [_grown(options, work, 1, n, 1 << 20) for n in (187, 375, 750, 1_500)],
    }


def _grown(options: argparse.Namespace, work: Path, wheels: int, members: int, size: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(dir=work))
    project = Project(folder)
    made = [_made_up_wheel(f"made-up-{i:04}", members, size) for i in range(wheels)]
    locked = []
    tool = "[tool.poetry.dependencies]\n"
    for wheel in made:
        path = f"wheels/{wheel.filename}"
        project.write({path: wheel.data})
        entry = Locked.of(wheel, source={"type": "file", "url": path})
        tool += f'{entry.name} = {{path = "{path}"}}\n'
        locked.append(entry)
    names = [entry.name for entry in locked]
    project.pyproject(dependencies=names, tool=tool, config='max-size = "none"')
    project.write({"my_fn.py": ""})
    project.lock(locked)
    env = environment(options.python, work / "cache")
    run(BUNDLE, folder, env)
    runs = [run(BUNDLE, folder, env) for _ in range(options.runs)]
    starts = [run("poetry version -s", folder, env) for _ in range(options.runs)]
    bare = run("poetry --version", folder, env).peak
    result = {
        "distributions": wheels,
        "members": wheels * members,
        "bytes": (folder / "ours.zip").stat().st_size,
        "seconds": statistics.median(r.seconds for r in runs),
        "start_seconds": statistics.median(r.seconds for r in starts),
        "extra_peak_bytes": max(r.peak for r in runs) - bare,
    }
    shutil.rmtree(folder)
    return result


def _made_up_wheel(name: str, members: int, size: int) -> Any:
    stem = name.replace("-", "_")
    noise = os.urandom(size)
    files: dict[str, bytes | str] = {f"{stem}/data{i:05}.bin": noise for i in range(members)}
    return make_wheel(name, files=files, compression=0)


def second_bundles(options: argparse.Namespace, work: Path) -> dict[str, dict[str, float]]:
    """Time one bundle of each project, and what another one adds in the same run."""
    return {name: _second_bundle(options, work / name, work / "cache") for name in PROJECTS}


def _second_bundle(options: argparse.Namespace, base: Path, cache: Path) -> dict[str, float]:
    env = environment(options.python, cache)
    with (base / "pyproject.toml").open("a") as file:
        file.write("".join(f"\n[tool.poetry-lambda-plugin.bundles.{name}]\n" for name in ("one", "two")))
    first = "poetry lambda-bundle one --runtime python3.12 -o '{bundle}-{architecture}.zip'"
    commands = {
        "start": "poetry version -s",
        "first": first,
        "bundle": f"{first} two",
        "architecture": f"{first} --architecture x86_64 --architecture arm64",
    }
    for command in commands.values():
        run(command, base, env)
    # hundredths of a second: these need more turns than whole commands
    turns = [
        {key: run(command, base, env).seconds for key, command in commands.items()}
        for _ in range(SECOND_BUNDLE_TURNS)
    ]
    return {
        "first_seconds": statistics.median(turn["first"] - turn["start"] for turn in turns),
        "bundle_seconds": statistics.median(turn["bundle"] - turn["first"] for turn in turns),
        "architecture_seconds": statistics.median(turn["architecture"] - turn["first"] for turn in turns),
        "copy_seconds": statistics.median(copy_seconds(base / "one-arm64.zip") for _ in turns),
    }


def machine() -> str:
    """Describe what this ran on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}"


def markdown(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        f"Medians of {results['runs']} runs in turn on {results['machine']}, in seconds; "
        "in brackets the ratio to ours.\n"
    )
    keys = [key for key in TITLES if key in results["projects"]["small"]["warm_seconds"]]
    for kind, title in (
        ("warm_seconds", "Warm caches"),
        ("cold_seconds", "Cold caches (network included)"),
    ):
        yield f"**{title}**\n"
        yield "| | " + " | ".join(f"`{name}`" for name in results["projects"]) + " |"
        yield "|---" * (len(results["projects"]) + 1) + "|"
        for key in keys:
            cells = []
            for project in results["projects"].values():
                seconds, base = project[kind][key], project[kind]["ours"]
                cells.append(f"{seconds:.2f}" + ("" if key == "ours" else f" ({seconds / base:.1f} ×)"))
            yield f"| {TITLES[key]} | " + " | ".join(cells) + " |"
        if kind == "warm_seconds":
            cells = [
                f"{p[kind]['floor']:.2f} (ours is {p[kind]['ours'] / p[kind]['floor']:.2f} ×)"
                for p in results["projects"].values()
            ]
            yield "| floor: `poetry version` + one copy | " + " | ".join(cells) + " |"
        yield ""
    peaks = ", ".join(
        f"{name} {p['extra_peak_bytes'] / 1e6:.0f} MB" for name, p in results["projects"].items()
    )
    yield f"Peak memory above `poetry --version`: {peaks}.\n"
    yield "**A second bundle in the same run**, seconds over start-up (`poetry version`)\n"
    yield "| | first | a bundle of the same files adds | an architecture adds | one copy of its bytes |"
    yield "|---|---|---|---|---|"
    for name, added in results["second_bundles"].items():
        first = added["first_seconds"]
        cells = [
            f"{added[key]:.3f} ({added[key] / first:.0%})"
            for key in ("bundle_seconds", "architecture_seconds", "copy_seconds")
        ]
        yield f"| `{name}` | {first:.3f} | " + " | ".join(cells) + " |"
    yield ""
    yield "**Growth**, made-up wheels, warm\n"
    yield "| distributions | members | ZIP, MB | seconds | over start-up | extra memory, MB |"
    yield "|---|---|---|---|---|---|"
    for curve in results["growth"].values():
        for point in curve:
            over = point["seconds"] - point["start_seconds"]
            yield (
                f"| {point['distributions']:,} | {point['members']:,} | {point['bytes'] / 1e6:.0f} "
                f"| {point['seconds']:.2f} | {over:.2f} | {point['extra_peak_bytes'] / 1e6:.0f} |"
            )


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw the warm times, on a logarithmic scale."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "poetry-lambda-plugin"
    from matplotlib import pyplot as plt

    names = list(results["projects"])
    keys = [key for key in TITLES if key in results["projects"]["small"]["warm_seconds"]]
    figure, axes = plt.subplots(figsize=(8, 3.6))
    height = 0.8 / len(keys)
    for position, key in enumerate(keys):
        seconds = [results["projects"][name]["warm_seconds"][key] for name in names]
        places = [i + position * height for i in range(len(names))]
        bars = axes.barh(places, seconds, height * 0.9, label=TITLES[key])
        axes.bar_label(bars, labels=[f"{s:.1f} s" for s in seconds], padding=3, fontsize=8)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(0.2, max(max(p["warm_seconds"].values()) for p in results["projects"].values()) * 2.5)
    axes.set_xlabel("seconds, warm caches, logarithmic")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.18), ncol=2, frameon=False)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def main() -> int:
    """Measure everything and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, type=lambda p: Path(p).absolute())
    parser.add_argument("--peers", type=lambda p: Path(p).absolute())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HERE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lambda-bench-") as folder:
        work = Path(folder)
        results = {
            "machine": machine(),
            "runs": options.runs,
            "projects": {name: compare(name, options, work) for name in PROJECTS},
            "second_bundles": second_bundles(options, work),
            "growth": growth(options, work),
        }
    (options.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.output / "results.md").write_text("\n".join(markdown(results)) + "\n")
    plot(results, options.output / "results.svg")
    sys.stdout.write((options.output / "results.md").read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
