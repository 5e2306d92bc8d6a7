"""Report pages: told from other people's, so that they are neither bundled nor in danger of being lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import check_writable
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from pathlib import Path


BEGINNING = b"<!DOCTYPE html>\n<!-- A bundle's report, written by poetry-lambda-plugin. -->\n"
"""How every page begins, of whatever release: by this one that lies in a project is known."""

SUFFIXES = (".html", ".htm")


class PageError(LambdaBundleError):
    """A page that can't be written where it is wanted."""

    def __init__(self, path: Path, reason: str, *more: str) -> None:
        self.path = path
        self.reason = reason
        words = f"--report: the page can't be written to {path}: {reason}. Choose another file."
        super().__init__(" ".join((words, *more)))


def check_page(path: Path) -> None:
    """Raise PageError where it is already clear that a page can't be written, or would replace another."""
    if path.suffix.lower() not in SUFFIXES:
        raise PageError(path, "its name must end with .html")
    try:
        check_writable(path)
    except UnwritableOutputError as error:
        raise PageError(path, error.reason) from error
    if path.is_file() and path.stat().st_size and not is_page(path):
        raise PageError(path, "it is there and no report of this plugin, and would be lost")


def is_page(file: Path) -> bool:
    """Tell whether some run has written a file as its report; raises OSError."""
    if not file.name.lower().endswith(SUFFIXES):
        return False
    with file.open("rb") as opened:
        return opened.read(len(BEGINNING)) == BEGINNING


def write_page(path: Path, page: bytes) -> None:
    """Write a page as bundles are: whole, or as it was where that fails; raises PageError."""
    try:
        with OutputFile(path) as file:
            file.write(page)
            file.commit()
    except UnwritableOutputError as error:
        raise PageError(path, error.reason) from error
