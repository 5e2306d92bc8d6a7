"""Small files that appear whole or not at all."""

from __future__ import annotations

import os

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
