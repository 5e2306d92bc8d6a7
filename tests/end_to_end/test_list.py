"""`--list`: which bundles there are, and a fingerprint that is equal only where the ZIPs are."""

from __future__ import annotations

import json
import os
import sys

from hashlib import sha256
from itertools import product
from random import Random
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index


SEVERAL = """
runtime = "python3.12"

[tool.poetry-lambda-plugin.bundles.api]
handler = "my_fn.handler"
architecture = ["x86_64", "arm64"]

[tool.poetry-lambda-plugin.bundles.deps]
layer = true
no-root = true

[tool.poetry-lambda-plugin.bundles.worker]
exclude-layers = ["dist/deps.zip"]

[tool.poetry-lambda-plugin.bundles.odd]
with = ["nowhere"]
"""


def listed(*arguments: str) -> list[dict[str, Any]]:
    """Return the bundles of a list, which is one line of JSON."""
    outcome = bundle("--list", "--format", "json", *arguments)
    assert outcome.output.count("\n") == 1
    document = json.loads(outcome.output)
    assert outcome.exit_code == (1 if document["error"] else 0)
    bundles: list[dict[str, Any]] = document["bundles"]
    return bundles


def test_tells_all_bundles(project: Project, index: Index) -> None:
    """A bundle that can't be made, or whose layer is still to be made, keeps back no other."""
    wheel = make_wheel("dep")
    index.add(wheel)
    project.pyproject(dependencies=["dep"], source=index.url, config=SEVERAL)
    project.write({"my_fn.py": "def handler(event, context): ...\n"})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle("--list")

    assert (outcome.exit_code, index.requests) == (1, [])
    prints = {(row["bundle"], row["architecture"]): row["fingerprint"] for row in listed()}
    assert outcome.output.splitlines() == [
        "Bundle  Runtime     Architecture  Output               Layers         Fingerprint",
        (
            f"api     python3.12  x86_64        dist/api-x86_64.zip  -              "
            f"{prints['api', 'x86_64'][:16]}"
        ),
        (
            f"api     python3.12  arm64         dist/api-arm64.zip   -              "
            f"{prints['api', 'arm64'][:16]}"
        ),
        (
            f"deps    python3.12  x86_64        dist/deps.zip        -              "
            f"{prints['deps', 'x86_64'][:16]}"
        ),
        "worker  python3.12  x86_64        dist/worker.zip      dist/deps.zip  unknown",
        "odd     -           x86_64        -                    -              can't be made",
        "Note: worker has no fingerprint: The layer deps.zip is not there yet.",
    ]
    assert outcome.message == ("odd: The project has no dependency group 'nowhere'. It has main.")
    assert len({*prints.values()}) == 4
    assert not (project.folder / "dist").exists()


def test_is_a_matrix(project: Project, index: Index) -> None:
    """Each row says what to type and what comes out, and the JSON is one line."""
    project.pyproject(config=SEVERAL)
    project.write({"my_fn.py": "def handler(event, context): ...\n"})
    project.lock()

    (row,) = listed("api", "--architecture", "arm64")

    fingerprint = row.pop("fingerprint")
    assert row == {
        "bundle": "api",
        "project": "my-fn",
        "version": "0.1.0",
        "runtime": "python3.12",
        "runtime_chosen_by": "configuration",
        "architecture": "arm64",
        "handler": "my_fn.handler",
        "layer": False,
        "output": "dist/api.zip",
        "layers": [],
        "unknown": None,
        "error": None,
    }
    assert len(fingerprint) == 64
    assert bundle(row["bundle"], "--architecture", row["architecture"]).exit_code == 0
    assert (project.folder / row["output"]).is_file()
    assert listed("api", "--architecture", "arm64")[0]["fingerprint"] == fingerprint


def test_a_layer_that_is_there_decides(project: Project, index: Index) -> None:
    """What a layer holds is left out, so the fingerprint changes with its contents."""
    wheel = make_wheel("dep")
    index.add(wheel)
    project.pyproject(dependencies=["dep"], source=index.url, config='runtime = "python3.12"\nno-root = true')
    project.lock([Locked.of(wheel)], source=index.url)
    assert bundle("--layer", "-o", "layer.zip").exit_code == 0
    (before,) = listed()
    project.pyproject(
        dependencies=["dep"],
        source=index.url,
        config='runtime = "python3.12"\nexclude-layers = ["layer.zip"]',
    )
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    (after,) = listed()

    assert after["layers"] == ["layer.zip"]
    assert after["fingerprint"] not in (None, before["fingerprint"])


SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "dep"\nversion = "1.0"\n'


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        pytest.param(
            Locked("dep", files=[make_wheel("dep")], source={"type": "directory", "url": "dep"}),
            "dep (1.0) has to be built.",
            id="folder of another backend",
        ),
        pytest.param(
            Locked(
                "dep",
                source={
                    "type": "git",
                    "url": "https://example.org/dep.git",
                    "reference": "main",
                    "resolved_reference": "a" * 40,
                },
            ),
            "dep (1.0) has to be built.",
            id="git",
        ),
    ],
)
def test_what_is_built_has_no_fingerprint(project: Project, package: Locked, reason: str) -> None:
    """What a build gives can't be known before it is done; that is told, and no error."""
    project.write(
        {
            "my_fn.py": "",
            "dep/setup.py": "",
            "dep/pyproject.toml": SETUPTOOLS,
        }
    )
    project.pyproject(dependencies=["dep"], config='runtime = "python3.12"')
    project.lock([package])

    (row,) = listed()

    assert (row["fingerprint"], row["unknown"], row["error"]) == (None, reason, None)


@pytest.mark.parametrize("rival", ["--dry-run", "--explain", "--diff=old.zip"])
def test_nothing_is_made(locked_project: Project, rival: str) -> None:
    """Options that say how to make or report a bundle can't be meant."""
    outcome = bundle("--list", rival)

    assert (outcome.exit_code, outcome.message) == (
        1,
        f"--list and {rival.partition('=')[0]} can't be used together. Drop one.",
    )


LIB = '[project]\nname = "lib"\nversion = "1.0"\n[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'

WORDS: tuple[dict[str, str], ...] = (
    {},
    {"my_fn/__init__.py": "x = 1\n"},
    {"my_fn/data.json": "{}"},
    {"my_fn/b.py": "", "config.toml": ""},
)
CONFIGS = (
    "",
    'exclude = ["my_fn/b.py"]',
    "scripts = true",
    "layer = true",
    "only-root = true",
    'include = ["config.toml"]',
    'include = ["config.toml:my_fn/data.json"]',
    'exclude-packages = ["dep"]',
    'modules = ["my_fn"]',
    'architecture = "arm64"',
    'runtime = "python3.13"',
    'ignore = ["path-conflict"]',
    'max-size = "9 MB"',
)
RELEASES = ("1.0", "2.0")
TIMES = (None, "315532800", "315532802", "1700000000")
METADATA = ("", 'description = "A word."\n', '[project.scripts]\nrun = "my_fn:run"\n')


def test_equal_fingerprints_give_equal_zips(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever differs in files, modes, lock, options, metadata and time: the ZIPs are told apart."""
    wheels = {v: make_wheel("dep", v, {"dep.py": f"V = {v!r}", "dep/data.json": v}) for v in RELEASES}
    index.add(*wheels.values())
    lib = Project(project.folder / "lib")
    lib.write({"pyproject.toml": LIB})
    folder = Locked("lib", source={"type": "directory", "url": "lib"})
    cases = [*product(WORDS, CONFIGS, RELEASES, TIMES, METADATA, (False, True))]
    digests: dict[str, str] = {}
    for words, config, release, time, metadata, executable in Random(18).sample(cases, 60):
        for path in ("my_fn/data.json", "my_fn/b.py"):
            (project.folder / path).unlink(missing_ok=True)
        project.write({"my_fn/__init__.py": "", "config.toml": "a = 1\n", **words})
        (project.folder / "my_fn/__init__.py").chmod(0o755 if executable else 0o644)
        lib.write({"lib/__init__.py": f"V = {len(words)}"})
        runtime = "" if "runtime" in config else 'runtime = "python3.12"\n'
        project.pyproject(
            dependencies=["dep", "lib"], source=index.url, project=metadata, config=f"{runtime}{config}"
        )
        project.lock([Locked.of(wheels[release]), folder], source=index.url)
        if time is None:
            monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
        else:
            monkeypatch.setenv("SOURCE_DATE_EPOCH", time)

        (row,) = listed()
        outcome = bundle("-o", "out/made.zip")

        assert outcome.exit_code == 0, outcome.error
        made = sha256((project.folder / "out/made.zip").read_bytes()).hexdigest()
        assert digests.setdefault(row["fingerprint"], made) == made
    assert len(digests) > 40


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_is_the_same_in_another_folder(
    locked_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the project lies, and what is of no byte's concern, changes nothing."""
    (before,) = listed()
    other = locked_project.folder.rename(tmp_path / "elsewhere")
    os.utime(other / "my_fn.py", (1, 1))
    monkeypatch.chdir(other)

    (after,) = listed("--strict", "-o", "x.zip", "--max-size", "9 MB")

    assert after["fingerprint"] == before["fingerprint"]
    assert after["output"] == "x.zip"
