"""Small files that appear whole or not at all."""

from __future__ import annotations

import os

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.archive.replacing import replacing


if TYPE_CHECKING:
    from collections.abc import Callable


def test_file_appears_when_complete(tmp_path: Path) -> None:
    """Until then the old one is there."""
    path = tmp_path / "note"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert [child.read_text() for child in tmp_path.iterdir()] == ["new"]


def test_failure_leaves_no_litter(tmp_path: Path) -> None:
    """The old file stays as it was, alone."""
    path = tmp_path / "note"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [child.read_text() for child in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("make", [Path.mkdir, partial(Path.symlink_to, target="nowhere"), os.mkfifo])
def test_what_lies_in_the_way_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whatever it is, and nothing is written through a link."""
    path = tmp_path / "note"
    make(path)

    with replacing(path) as file:
        file.write(b"new")

    assert [(child.name, child.read_text()) for child in tmp_path.iterdir()] == [("note", "new")]


def test_files_and_their_folders_are_the_users_alone(tmp_path: Path) -> None:
    """An index may be private."""
    with replacing(tmp_path / "a/b/note") as file:
        file.write(b"new")

    assert [oct(path.stat().st_mode & 0o777) for path in sorted(tmp_path.rglob("*"))] == [
        "0o700",
        "0o700",
        "0o600",
    ]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, partial(Path.symlink_to, target="/dev/zero")])
def test_only_files_are_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe would keep its reader for good, and a device never end."""
    make(tmp_path / "a")

    with pytest.raises(OSError, match=r"regular file|Is a directory"):
        open_regular(tmp_path / "a")


def refuse(monkeypatch: pytest.MonkeyPatch, times: int, number: int | None) -> list[Path]:
    """Let `Path.replace` refuse some times, as Windows does with its numbers; return its calls."""
    asked: list[Path] = []
    replace = Path.replace

    def refusing(file: Path, place: Path) -> Path:
        asked.append(place)
        if len(asked) > times:
            return replace(file, place)
        error = PermissionError(13, "Access is denied", str(place))
        error.winerror = number  # type: ignore[attr-defined,unused-ignore]
        raise error

    monkeypatch.setattr(Path, "replace", refusing)
    return asked


def test_a_file_that_is_open_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows lets nobody replace what a virus scanner looks at."""
    refuse(monkeypatch, times=2, number=5)

    with OutputFile(tmp_path / "a.zip") as output:
        output.write(b"new")
        assert output.commit()

    assert [(child.name, child.read_bytes()) for child in tmp_path.iterdir()] == [("a.zip", b"new")]


def test_a_file_that_stays_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is there as before, alone."""
    path = tmp_path / "a.zip"
    path.write_bytes(b"old")
    refuse(monkeypatch, times=9, number=5)

    with OutputFile(path) as output:
        output.write(b"new")
        with pytest.raises(UnwritableOutputError) as caught:
            output.commit()

    assert str(caught.value) == (
        f"The bundle can't be written to {path}: Access is denied (another program may have it open). "
        "Choose another --output."
    )
    assert [(child.name, child.read_bytes()) for child in tmp_path.iterdir()] == [("a.zip", b"old")]


def test_elsewhere_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another system refuses it will refuse again."""
    asked = refuse(monkeypatch, times=9, number=None)

    with pytest.raises(PermissionError), replacing(tmp_path / "note"):
        pass

    assert asked == [tmp_path / "note"]
