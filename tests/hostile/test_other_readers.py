"""What other readers make of a bundle: the same names, the same bytes, no complaint."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel
from tests.support.zips import BZIP2
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import parse_zip
from tests.support.zips import raw_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


TEXT = b"Some words, some words, and again some words.\n" * 40

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the readers tried are POSIX systems'")


def tool(*names: str) -> str:
    """Return the first command that this host has."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"needs {names[0]}")
    return found


@pytest.fixture
def made(project: Project, index: Index) -> Path:
    """A bundle with members of every form that wheels have, and names of every kind."""
    awkward = raw_wheel(
        "awkward",
        [
            Raw("awkward/stored.bin", bytes(range(256)) * 20, STORED),
            Raw("awkward/late.py", TEXT, descriptor=True),
            Raw("awkward/wide.py", TEXT, zip64=True),
            Raw("awkward/rare.py", TEXT, BZIP2),
            Raw("awkward/empty.py", b"", STORED),
            Raw("awkward/remark.py", TEXT, comment=b"remark", extra=b"UT\5\0\1abcd"),
            Raw("awkward/größe Ω.py", TEXT, flags=UTF8),
            Raw("awkward/$(touch pwned) & 'x'.txt", TEXT),
            Raw("awkward/run", b"#!/bin/sh\n", mode=0o100755),
        ],
    )
    plain = make_wheel("plain")
    index.add(awkward, plain)
    project.pyproject(dependencies=["awkward", "plain"], source=index.url)
    project.write({"my_fn.py": TEXT})
    project.lock([Locked.of(awkward), Locked.of(plain)], source=index.url)
    outcome = bundle()
    assert outcome.exit_code == 0, outcome.error
    return project.folder / "dist/my-fn.zip"


def expected(made: Path) -> dict[str, bytes]:
    files = {member.name: member.data for member in parse_zip(made.read_bytes())}
    assert files["awkward/rare.py"] == TEXT
    assert files["awkward/größe Ω.py"] == TEXT
    return files


def unpacked(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def run(*command: str) -> str:
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return done.stdout


def test_python(made: Path, tmp_path: Path) -> None:
    """Python's own reader, which Lambda's tools use."""
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")

    assert unpacked(tmp_path / "out") == expected(made)


def test_unzip(made: Path, tmp_path: Path) -> None:
    """Info-ZIP's."""
    unzip = tool("unzip")

    assert "No errors detected" in run(unzip, "-t", str(made))
    run(unzip, "-q", str(made), "-d", str(tmp_path / "out"))
    assert unpacked(tmp_path / "out") == expected(made)
    assert (tmp_path / "out/awkward/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/my_fn.py").stat().st_mode & 0o777 == 0o644


def test_7z(made: Path, tmp_path: Path) -> None:
    """7-Zip's."""
    seven = tool("7zz", "7z", "7za")

    assert "Everything is Ok" in run(seven, "t", str(made))
    run(seven, "x", "-y", f"-o{tmp_path / 'out'}", str(made))
    assert unpacked(tmp_path / "out") == expected(made)


def test_zipinfo(made: Path) -> None:
    """Info-ZIP's list has each path once, sorted."""
    names = run(tool("zipinfo"), "-1", str(made)).splitlines()

    assert names == sorted(expected(made))
