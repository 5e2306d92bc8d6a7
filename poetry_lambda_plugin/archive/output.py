"""A file that appears under its name complete or not at all."""

from __future__ import annotations

import os
import secrets

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

    from typing_extensions import Self


class UnwritableOutputError(LambdaBundleError):
    """An output path that can't become a file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"The bundle can't be written to {path}: {reason}. Choose another --output.")


def check_writable(path: Path) -> None:
    """Raise UnwritableOutputError where it is already clear that `path` can't be written.

    Nothing is created: the nearest folder that exists decides.
    """
    try:
        reason = _obstacle(_followed(path))
    except OSError as error:
        reason = error.strerror or str(error)
    if reason is not None:
        raise UnwritableOutputError(path, reason)


def _obstacle(path: Path) -> str | None:
    """Return why a path can't become a file."""
    if path.is_dir():
        return "it is a folder"
    if path.exists() and not path.is_file():
        return "it is not a regular file"
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable"
    return None


def _followed(path: Path) -> Path:
    """Return the file that is meant where a path is a link: the link stays one."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


class OutputFile:
    """Writes beside its path and takes the path's place at the end (os.replace is atomic).

    Left without `commit`, whatever the reason, it removes what it wrote and the folders it made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = _followed(path)
        self._temporary = self._place.with_name(f".{self._place.name}.{secrets.token_hex(8)}.tmp")
        self._made: list[Path] = []
        self._file: BinaryIO | None = None
        self._previous: BinaryIO | None = None
        """What the path holds now, as long as every byte written is the same."""
        self._same = 0
        """Bytes that were the same."""

    def __enter__(self) -> Self:
        try:
            self._open()
        except OSError as error:
            self._clean_up()
            raise UnwritableOutputError(self.path, error.strerror or str(error)) from error
        except BaseException:
            # Ctrl-C, when __exit__ is not yet to be called
            self._clean_up()
            raise
        return self

    def _open(self) -> None:
        for folder in reversed([p for p in self._place.parents if not p.exists()]):
            self._made.append(folder)
            folder.mkdir(exist_ok=True)
        self._file = self._temporary.open("xb")
        with suppress(OSError):
            self._previous = self._place.open("rb")

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clean_up()

    def write(self, data: bytes) -> None:
        """Append; raises UnwritableOutputError, as on a full disk.

        As long as the path holds the same bytes already, they are compared and not written again.
        """
        try:
            if self._previous is not None:
                if self._previous.read(len(data)) == data:
                    self._same += len(data)
                    return
                self._copy_same()
            self._opened.write(data)
        except OSError as error:
            raise UnwritableOutputError(self.path, error.strerror or str(error)) from error

    def commit(self) -> bool:
        """Take the path's place unless it holds the same bytes already; tell whether it changed."""
        try:
            if self._previous is not None:
                if not self._previous.read(1):
                    return False
                self._copy_same()
            self._opened.close()
            self._temporary.replace(self._place)
        except OSError as error:
            raise UnwritableOutputError(self.path, error.strerror or str(error)) from error
        return True

    def _copy_same(self) -> None:
        """Write what was the same so far, now that something differs."""
        if self._previous is None:
            return
        self._previous.seek(0)
        while self._same:
            chunk = self._previous.read(min(self._same, CHUNK))
            if not chunk:
                raise OSError(f"{self.path} was cut off meanwhile")
            self._same -= len(chunk)
            self._opened.write(chunk)
        self._forget_previous()

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("used outside its `with` block")
        return self._file

    def _forget_previous(self) -> None:
        if self._previous is not None:
            self._previous.close()
            self._previous = None

    def _clean_up(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._forget_previous()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
        for folder in reversed(self._made):
            # the one that holds the finished file is not empty
            with suppress(OSError):
                folder.rmdir()
