"""What the next run removes of one that was killed, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.strays import DAY
from poetry_lambda_plugin.strays import beside
from poetry_lambda_plugin.strays import is_ours
from poetry_lambda_plugin.strays import own_prefix
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, age alone decides")


def prefix_of(process: int) -> str:
    """Return how the names of another process of this host begin."""
    return own_prefix().replace(f"-{os.getpid()}-", f"-{process}-")


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_removes_what_a_dead_process_left(tmp_path: Path, dead: int) -> None:
    """Files, folders with all in them, and links, but not what they lead to."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / f".{prefix_of(dead)}1.tmp").touch()
    (tmp_path / f"{prefix_of(dead)}a_2").mkdir()
    (tmp_path / f"{prefix_of(dead)}a_2/file").touch(0o444)
    (tmp_path / f"{prefix_of(dead)}a_2").chmod(0o555)
    (tmp_path / f"{prefix_of(dead)}3").symlink_to("kept")

    sweep(tmp_path)

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]


@pytest.mark.parametrize("parent", [False, True], ids=["own", "another"])
def test_leaves_what_a_living_process_has(tmp_path: Path, parent: bool) -> None:
    """However old it is, and whatever this process has written before."""
    file = tmp_path / f".{prefix_of(os.getppid() if parent else os.getpid())}1.tmp"
    file.touch()
    os.utime(file, (0, 0))

    sweep(tmp_path)

    assert file.exists()


AGES = pytest.mark.parametrize(("age", "stays"), [(0, True), (DAY - 60, True), (DAY + 60, False)])


@AGES
def test_leaves_what_any_process_of_windows_may_have(
    tmp_path: Path, dead: int, age: int, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a finished file that waits for its place is not open, and nobody can ask whose it is."""
    monkeypatch.setattr(sys, "platform", "win32")
    file = tmp_path / f".{prefix_of(dead)}1.tmp"
    file.touch()
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))

    sweep(tmp_path)

    assert file.exists() is stays


@AGES
def test_leaves_what_another_host_may_have(tmp_path: Path, dead: int, age: int, stays: bool) -> None:
    """Where a process can't be asked, a day decides."""
    host = own_prefix().split("-")[2]
    file = tmp_path / f".{prefix_of(dead).replace(host, 'f' * 8 if host != 'f' * 8 else '0' * 8)}1.tmp"
    file.touch()
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))

    sweep(tmp_path)

    assert file.exists() is stays


@pytest.mark.parametrize(
    "name", ["lambda-bundle-notes.txt", ".lambda-bundle.tmp", "my-lambda-bundle-00000000-1-a", "x.tmp"]
)
def test_leaves_what_is_not_ours(tmp_path: Path, name: str) -> None:
    """A name that is like ours alone is nobody's stray."""
    (tmp_path / name).touch()

    sweep(tmp_path)

    assert (tmp_path / name).exists()
    assert not is_ours(name)


def test_leaves_what_another_user_has(tmp_path: Path, dead: int) -> None:
    """As in a temporary folder for all."""
    if os.getuid() != 0:
        pytest.skip("needs to give a file away")
    file = tmp_path / f"{prefix_of(dead)}1"
    file.touch()
    os.chown(file, 12345, 12345)

    sweep(tmp_path)

    assert file.exists()


def test_sweeps_no_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nothing happens, and nothing is made."""
    sweep(tmp_path / "nowhere")

    assert list(tmp_path.iterdir()) == []


def test_name_is_known_and_short(tmp_path: Path) -> None:
    """However long the name of what it becomes."""
    found = beside(tmp_path / ("x" * 249))

    assert is_ours(found.name)
    assert found.parent == tmp_path
    assert len(found.name) < 80
