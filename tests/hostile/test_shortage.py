"""A disk that is full, and many runs at once over one cache that is cold."""

from __future__ import annotations

import shutil
import subprocess
import sys

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.hostile.support_processes import Scene
from tests.hostile.support_processes import change
from tests.hostile.support_processes import project_with_wheels
from tests.support.index import downloads
from tests.support.projects import Locked
from tests.support.sources import make_sdist
from tests.support.sources import poetry_project
from tests.support.sources import wheel_of_installed


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index


if sys.platform == "win32":
    pytest.skip("Windows has neither RLIMIT_FSIZE nor mount namespaces", allow_module_level=True)

import resource


RUNS = 16

MOUNTED = """
mount -t tmpfs -o size=256k none dist || exit 77
printf "PK\\5\\6old" > dist/my-fn.zip
"$@"
code=$?
ls -A dist | tr '\\n' ' '
cat dist/my-fn.zip
exit $code
"""
"""Runs a command where `dist` is a small file system that nobody else sees; tells what is in it then."""


@pytest.fixture
def scene(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A project with an old output, a warm cache, and a change since."""
    scene = project_with_wheels(tmp_path / "scene", index)
    scene.enter(monkeypatch)
    assert scene.run().exit_code == 0
    change(scene)
    return scene


def limited(size: int) -> None:
    """Let no file of this process grow larger."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        pytest.param(0, "There is no place for temporary files", id="nothing"),
        pytest.param(1, "my-fn.zip: File too large", id="a-byte"),
        pytest.param(1000, "my-fn.zip: File too large", id="a-header"),
        pytest.param(1 << 20, "my-fn.zip: File too large", id="a-piece"),
        pytest.param((4 << 20) + 500, "my-fn.zip: File too large", id="almost-all"),
    ],
)
def test_output_that_may_not_grow(scene: Scene, size: int, words: str) -> None:
    """Whenever the disk is full, the old output stays, alone, and the error names it."""
    before, files = scene.made(), scene.files()

    process = scene.start(prepare=partial(limited, size))
    output, error = process.communicate(timeout=120)

    assert process.returncode == 1, output
    assert words in " ".join(error.split())
    assert "Traceback" not in output + error
    assert scene.made() == before
    assert scene.files() == files


def test_cache_that_may_not_grow(scene: Scene) -> None:
    """A wheel that can't be kept whole is no fault of the index, and is whole the next time."""
    before = scene.made()
    shutil.rmtree(scene.root / "now/cache")

    process = scene.start(prepare=partial(limited, 1 << 20))
    output, error = process.communicate(timeout=120)

    assert process.returncode == 1, output
    assert "File too large" in error
    assert "does not answer" not in error
    assert "Traceback" not in output + error
    assert scene.made() == before
    assert scene.run().exit_code == 0


def test_small_file_system(scene: Scene) -> None:
    """A file system that is full in the middle leaves the old file whole, and nothing beside it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare")
    command = [sys.executable, "-m", "poetry", "lambda-bundle"]
    done = subprocess.run(
        [unshare, "--mount", "--map-root-user", "sh", "-c", MOUNTED, "sh", *command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this host mounts nothing")

    assert done.returncode == 1, done.stderr
    assert "my-fn.zip: No space left on device" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.endswith("my-fn.zip PK\5\6old")
    assert "tmp" not in done.stdout


@pytest.mark.slow
def test_many_runs_over_one_cold_cache(scene: Scene) -> None:
    """Runs side by side give one and the same bundle, and a cache that needs no network."""
    expected = together(scene)

    assert scene.run().exit_code == 0
    assert scene.made() == expected
    scene.index.requests.clear()
    assert scene.run().exit_code == 0
    assert downloads(scene.index.requests) == []
    assert [path for path in scene.files() if path.endswith(".tmp")] == []


@pytest.mark.slow
@pytest.mark.xfail(strict=False, reason="issue 16 C24: identical bytes may be told as changed")
def test_many_runs_over_one_sdist(scene: Scene) -> None:
    """Two processes that build one sdist don't stand in each other's way."""
    sdist = make_sdist("built", poetry_project("built"))
    index = scene.index
    index.add(sdist, wheel_of_installed("poetry-core"))
    scene.project.pyproject(dependencies=["built"], source=index.url)
    scene.project.lock([Locked.of(sdist)], source=index.url)

    together(scene)


def together(scene: Scene) -> dict[str, bytes | None]:
    """Start many runs at once over an empty cache; all have to succeed."""
    shutil.rmtree(scene.root / "now/cache", ignore_errors=True)
    processes = [scene.start() for _ in range(RUNS)]
    ends = [(process.communicate(timeout=550), process.returncode) for process in processes]
    assert [(output, code) for output, code in ends if code] == []
    return scene.made()
