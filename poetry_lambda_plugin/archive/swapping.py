"""Two folders that change places in one step, where the system knows such a step."""

from __future__ import annotations

import ctypes
import errno
import os

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


CURRENT_FOLDER = -100
"""AT_FDCWD of Linux."""
EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2), Linux 3.15, and RENAME_SWAP of renamex_np(2), macOS 10.12."""


def swapper() -> Callable[[Path, Path], None]:
    """Return what lets two paths exchange what they hold; raises OSError where nothing does.

    What is returned raises OSError too, since not every disk can do it.
    """
    try:
        library = ctypes.CDLL(None, use_errno=True)
    except TypeError:
        # Windows has no library of the process itself
        library = None
    linux, macos = (getattr(library, name, None) for name in ("renameat2", "renamex_np"))
    exchange = linux or macos
    if exchange is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    def swap(one: Path, other: Path) -> None:
        first, second = os.fsencode(one), os.fsencode(other)
        arguments = (CURRENT_FOLDER, first, CURRENT_FOLDER, second) if linux is not None else (first, second)
        if exchange(*arguments, EXCHANGE):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(one))

    return swap
