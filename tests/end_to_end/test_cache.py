"""What a run leaves in the caches, and what it takes from them."""

from __future__ import annotations

import shutil
import sys

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.sources import make_sdist
from tests.support.sources import poetry_project
from tests.support.sources import wheel_of_installed
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


BYTECODE = ("--runtime", f"python3.{sys.version_info[1]}", "--bytecode", "checked-hash")


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files below a folder, with their times and bytes."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def built_project(project: Project, index: Index) -> Project:
    """A project with a wheel, and an sdist that has to be built."""
    wheel = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'hello'\n"})
    sdist = make_sdist("built", poetry_project("built"))
    index.add(wheel, sdist, wheel_of_installed("poetry-core"))
    project.pyproject(dependencies=["greeting", "built"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel), Locked.of(sdist)], source=index.url)
    return project


def test_no_cache_leaves_nothing_of_ours(built_project: Project, tmp_path: Path) -> None:
    """But Poetry's own artifacts, as `poetry install --no-cache` leaves them."""
    assert bundle(*BYTECODE, "--no-cache").exit_code == 0

    assert files(tmp_path / "cache/cache/repositories") == {}


def test_dry_run_writes_nothing(built_project: Project, tmp_path: Path) -> None:
    """Neither over a cold cache, nor over a warm one."""
    before = files(tmp_path)
    assert bundle(*BYTECODE, "--dry-run").exit_code == 0
    assert files(tmp_path) == before

    assert bundle(*BYTECODE).exit_code == 0
    warm = files(tmp_path)
    assert bundle(*BYTECODE, "--dry-run").exit_code == 0
    assert files(tmp_path) == warm


def test_cache_is_the_users_alone(built_project: Project, tmp_path: Path) -> None:
    """An index may be private: nobody else reads its files, or what is made of them."""
    assert bundle(*BYTECODE).exit_code == 0

    own = [
        path
        for name in (
            "artifacts",
            "cache/repositories/lambda-bundle",
            "cache/repositories/tests/_lambda_bundle_",
        )
        for path in (tmp_path / "cache" / name).rglob("*")
        if path.is_file() or "repositories" in name
    ]
    assert own
    assert [path for path in own if path.stat().st_mode & 0o077] == []


def test_next_run_takes_what_was_built(built_project: Project, index: Index) -> None:
    """Without the index, and with the same bytes."""
    assert bundle(*BYTECODE, "-o", "first.zip").exit_code == 0
    index.close()

    assert bundle(*BYTECODE, "-o", "second.zip").exit_code == 0

    folder = built_project.folder
    assert (folder / "first.zip").read_bytes() == (folder / "second.zip").read_bytes()


def test_downloaded_once_where_it_is_another_file(built_project: Project, index: Index) -> None:
    """A file that was not in the cache before can't have been damaged there."""
    name = "greeting-1.0-py3-none-any.whl"
    index.sent[name] = b"another file"

    assert bundle().exit_code == 1

    assert index.requests.count(f"/files/{name}") == 1


FOLDERS = ["artifacts", "cache/repositories/tests", "cache/repositories/lambda-bundle"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_run_does_without_a_cache(locked_project: Project, tmp_path: Path, folder: str) -> None:
    """One that can't be written to costs time, nothing else."""
    assert bundle(*BYTECODE, "-o", "first.zip").exit_code == 0
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache" / folder).parent.mkdir(parents=True)
    (tmp_path / "cache" / folder).write_text("a file where a folder should be")

    outcome = bundle(*BYTECODE, "-o", "second.zip")

    assert outcome.exit_code == 0, outcome.error
    project = locked_project.folder
    assert (project / "first.zip").read_bytes() == (project / "second.zip").read_bytes()
