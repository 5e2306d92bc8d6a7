"""Files and folders that are gone when a run ends, unless it was killed: then the next run removes them.

Their names tell whose they are. A process of another host or container, with which a cache may be shared,
can't be asked whether it lives, nor any on Windows: what is its is left alone for a day.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
import time

from contextlib import contextmanager
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING
from zlib import crc32


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NAME = re.compile(r"\.?lambda-bundle-(?P<host>[0-9a-f]{8})-(?P<process>[0-9]{1,10})-[a-z0-9_]+(?:\.tmp)?")

DAY = 24 * 60 * 60
"""Seconds that no run takes."""


def own_prefix() -> str:
    """Return how the name of all begins that this process leaves behind when it is killed."""
    return f"lambda-bundle-{_host()}-{os.getpid()}-"


@contextmanager
def named_temporaries() -> Iterator[None]:
    """Let what others make in our name, such as Poetry's downloads, have names that are known as ours too."""
    usual = tempfile.template
    tempfile.template = own_prefix()
    try:
        yield
    finally:
        tempfile.template = usual


def beside(path: Path) -> Path:
    """Return where to write what becomes `path`, after a look for strays there; the name is always short."""
    sweep(path.parent)
    return path.with_name(f".{own_prefix()}{secrets.token_hex(8)}.tmp")


def is_ours(name: str) -> bool:
    """Tell whether a name is of a file or folder that some run is about to remove."""
    return NAME.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Remove from a folder what killed runs of this user have left there."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - a temporary folder may have many
            if (match := NAME.fullmatch(name)) is not None:
                _remove_stray(folder / name, match["host"], int(match["process"]))


def remove_folder(path: Path) -> None:
    """Remove a folder with all in it, read-only folders too; what can't be removed is no error."""
    for folder, _, files in os.walk(path):
        # a file that is itself read-only can't be removed on Windows alone
        names = [folder, *(os.path.join(folder, file) for file in files if sys.platform == "win32")]  # noqa: PTH118
        for name in names:
            with suppress(OSError):
                os.chmod(name, 0o700)  # noqa: PTH101 - one for each of thousands
    shutil.rmtree(path, ignore_errors=True)


def _remove_stray(path: Path, host: str, process: int) -> None:
    with suppress(OSError):
        status = path.lstat()
        if sys.platform != "win32" and status.st_uid != os.getuid():
            return
        # on Windows the question may end who is asked
        can_be_asked = host == _host() and sys.platform != "win32"
        if _lives(process) if can_be_asked else time.time() - status.st_mtime < DAY:
            return
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink()


def _lives(process: int) -> bool:
    """Tell whether a process of this host is there, or may be."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


@cache
def _host() -> str:
    """Return a name for the host, or the container, whose processes are told apart by their numbers."""
    try:
        processes = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no file
    except OSError:
        processes = ""
    return f"{crc32(f'{platform.node()} {processes}'.encode('utf-8', 'replace')):08x}"
