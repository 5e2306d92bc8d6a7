"""Two folders that change places in one step, where the system knows such a step."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


CURRENT_FOLDER = -100
"""AT_FDCWD of Linux."""
RENAME_EXCHANGE = 2
"""Of renameat2(2), Linux 3.15."""
RENAME_SWAP = 2
"""Of renamex_np(2), macOS 10.12."""


def swap(one: Path, other: Path) -> None:
    """Let two paths exchange what they hold; raises OSError where that is not known or not allowed."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            code = library.renamex_np(os.fsencode(one), os.fsencode(other), RENAME_SWAP)
        else:
            here = CURRENT_FOLDER
            code = library.renameat2(here, os.fsencode(one), here, os.fsencode(other), RENAME_EXCHANGE)
    except (AttributeError, TypeError):
        # a C library without it, or Windows, which has no library of all
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(one)) from None
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
