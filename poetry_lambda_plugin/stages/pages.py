"""Report pages: told from other people's, so that they are neither bundled nor in danger of being lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import check_writable


if TYPE_CHECKING:
    from pathlib import Path


BEGINNING = b"<!DOCTYPE html>\n<!-- A bundle's report, written by poetry-lambda-plugin. -->\n"
"""How every page begins, of whatever release: by this one that lies in a project is known."""

SUFFIXES = (".html", ".htm")


def check_page(path: Path) -> None:
    """Raise UnwritableOutputError where a page can't be written, or would replace what is none."""
    if path.suffix.lower() not in SUFFIXES:
        raise UnwritableOutputError(path, "its name must end with .html", "report")
    check_writable(path, "report")
    if path.is_file() and path.stat().st_size and not is_page(path):
        words = "it is there and no report of this plugin, and would be lost"
        raise UnwritableOutputError(path, words, "report")


def is_page(file: Path) -> bool:
    """Tell whether some run has written a file as its report; raises OSError."""
    if not file.name.lower().endswith(SUFFIXES):
        return False
    with file.open("rb") as opened:
        return opened.read(len(BEGINNING)) == BEGINNING


def write_page(path: Path, page: bytes) -> None:
    """Write a page as bundles are: whole, or as it was where that fails; raises UnwritableOutputError."""
    with OutputFile(path, "report") as file:
        file.write(page)
        file.commit()
