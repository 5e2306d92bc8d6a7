"""Small files that appear whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.replacing import replacing


if TYPE_CHECKING:
    from pathlib import Path


def test_file_appears_when_complete(tmp_path: Path) -> None:
    """Until then the old one is there."""
    path = tmp_path / "note"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_failure_leaves_no_litter(tmp_path: Path) -> None:
    """The old file stays as it was, alone."""
    path = tmp_path / "note"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
