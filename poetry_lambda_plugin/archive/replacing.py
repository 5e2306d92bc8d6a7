"""Files that are read only where they are files, and files of a cache, written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time

from contextlib import contextmanager
from contextlib import suppress
from typing import TYPE_CHECKING

from poetry_lambda_plugin.strays import beside


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from io import BufferedReader
    from pathlib import Path
    from typing import BinaryIO


PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts to replace a file that another program has open."""

WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)
"""Windows has no pipes among its files, for whose writers a reader would wait."""


def open_regular(path: Path) -> BufferedReader:
    """Open a file to be read; raises OSError for a folder, and a pipe or device, which may never end."""
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | WITHOUT_WAITING)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is no regular file", path)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Lend a file that takes the place of whatever is at `path`, a link, folder or pipe included.

    It is for the user's eyes alone, as are the folders made for it: an index may be private. Raises OSError,
    and leaves nothing behind then.
    """
    _make_folders(path.parent)
    temporary = beside(path)
    try:
        with open(temporary, "xb", opener=_private) as file:
            yield file
        if path.is_dir():
            make_room(path)
        take_place(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def take_place(file: Path, place: Path, pauses: Sequence[float] = PAUSES) -> None:
    """Let a file take another one's place, or a folder one where nothing is; raises OSError.

    On Windows that can't be while anyone has either open, as virus scanners have for a moment.
    """
    try:
        file.replace(place)
    except PermissionError as error:
        if not pauses or not is_of_windows(error):
            raise
        time.sleep(pauses[0])
        take_place(file, place, pauses[1:])


def is_of_windows(error: OSError) -> bool:
    """Tell an error that Windows has a number of its own for."""
    return getattr(error, "winerror", None) is not None


def make_room(path: Path) -> None:
    """Remove what lies in a file's place, whatever it is; raises OSError where that can't be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _make_folders(folder: Path) -> None:
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
