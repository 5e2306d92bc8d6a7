"""Changed files as the system tells of them, in groups that belong together."""

from __future__ import annotations

import hashlib
import os
import time

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.sources.folder_state import is_aside
from poetry_lambda_plugin.watching.folders import is_passed_over


if TYPE_CHECKING:
    from collections.abc import Collection
    from threading import Event
    from types import TracebackType

    from typing_extensions import Self
    from watchfiles._rust_notify import RustNotify


STEP = 15
"""Milliseconds without a change after which those before it are told: an editor writes a file in fewer."""

MOST = 1000
"""Milliseconds after which changes are told though there are always more."""

MANY = 8
"""More files at once than a person saves: git or a formatter is at work, and a pause means little."""

PAUSE = 100
"""Milliseconds without a change that mean that it is done."""

GIT_AT_MOST = 10.0
"""Seconds that a lock of git, which may be left by one that was killed, is waited for."""

GIT_LOCK = os.path.join(".git", "index.lock")  # noqa: PTH118
"""What is there while git changes files."""

ADDED = 1
"""What watchfiles calls a file that is new."""

POLLING = 300
"""Milliseconds between two looks where the system tells nothing."""

LARGE = 1 << 24
"""Bytes of a file that is not read to know whether it is another one."""


class WatchLimitError(LambdaBundleError):
    """More folders than the system lets this user watch."""

    def __init__(self, count: int, error: Exception) -> None:
        super().__init__(
            f"The {count} folders of the project can't be watched: {_reason(error)}. On Linux raise "
            "fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl, close other programs "
            "that watch files, or set WATCHFILES_FORCE_POLLING=1 to have the files looked at several times a "
            "second."
        )


class Changes:
    """Tells of changed files in some folders, those that changed while nobody asked too."""

    def __init__(self, stopped: Event) -> None:
        """Take what is set when nobody is to wait any more."""
        self._stopped = stopped
        self._folders: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        """Those that were to be watched, the unreadable ones too."""
        self._notify: RustNotify | None = None
        self._digests: dict[str, bytes | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def watch(self, folders: frozenset[str]) -> bool:
        """Watch other folders from now on; tell whether they are others. Raises WatchLimitError."""
        if folders == self._wanted and self._notify is not None:
            return False
        # a library that only those have who asked for it
        from watchfiles._rust_notify import RustNotify

        # the earlier ones are given up first: both together might be more than the system lets
        self._stop()
        try:
            self._notify = RustNotify(sorted(folders), False, _is_polling(), POLLING, False, False)
        except (OSError, RuntimeError) as error:
            # some may be gone since they were found
            readable = frozenset(folder for folder in folders if os.access(folder, os.R_OK))
            if readable == folders:
                raise WatchLimitError(len(folders), error) from error
            self.watch(readable)
            self._wanted = folders
            return True
        self._folders = self._wanted = folders
        return True

    def wait(self, outputs: Collection[str], seconds: float | None = None) -> list[str]:
        """Wait for files with other bytes than before, and return their paths; none where time is up.

        `outputs` are passed over. Raises KeyboardInterrupt.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            found = self._next(STEP, None if end is None else end - time.monotonic())
            if len(found) > MANY:
                found |= self._rest()
            paths = sorted({path for _, path in found})
            changed = [path for path in paths if self._is_changed(path, outputs)]
            if changed:
                # if nothing else is left, one of them was there before
                return [path for path in changed if not _came_and_went(path, found)] or changed
        return []

    def _rest(self) -> set[tuple[int, str]]:
        """Return what else changes until a program that changes many files is done."""
        found: set[tuple[int, str]] = set()
        end = time.monotonic() + GIT_AT_MOST
        while time.monotonic() < end:
            more = self._next(PAUSE, PAUSE / 1000)
            found |= more
            if not more and not self._is_git_busy():
                break
        return found

    def _next(self, step: int, seconds: float | None) -> set[tuple[int, str]]:
        if self._notify is None:
            raise ValueError("nothing is watched")
        milliseconds = 0 if seconds is None else max(1, int(seconds * 1000))
        found = self._notify.watch(MOST, step, milliseconds, self._stopped)
        if found in ("signal", "stop"):
            raise KeyboardInterrupt
        return set() if isinstance(found, str) else found

    def _is_changed(self, path: str, outputs: Collection[str]) -> bool:
        """Tell whether a file is of concern, and has other bytes than when it was last told of."""
        if is_passed_over(path, outputs):
            return False
        if os.path.isdir(path):  # noqa: PTH112 - asked for each file that changes
            # of one that is watched its own files tell
            return path not in self._folders and not is_aside(path, outputs)
        digest = _digest(Path(path))
        is_known = path in self._digests
        before, self._digests[path] = self._digests.get(path), digest
        return not is_known or digest != before or digest == b""

    def _is_git_busy(self) -> bool:
        return any(os.path.exists(os.path.join(folder, GIT_LOCK)) for folder in self._folders)  # noqa: PTH110, PTH118

    def _stop(self) -> None:
        if self._notify is not None:
            self._notify.close()
            self._notify = None


def _came_and_went(path: str, found: Collection[tuple[int, str]]) -> bool:
    """Tell what an editor writes first and then renames."""
    return (ADDED, path) in found and not os.path.lexists(path)


def _digest(path: Path) -> bytes | None:
    """Return what tells a file's bytes and mode from all others: None without one, empty where unknown."""
    with suppress(OSError), open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > LARGE:
            return b""
        return hashlib.sha256(b"%o " % status.st_mode + file.read(LARGE)).digest()
    return b"" if path.exists() else None


def _is_polling() -> bool:
    """Tell whether files are to be looked at again and again, as watchfiles is asked by its own variable."""
    value = os.environ.get("WATCHFILES_FORCE_POLLING", "")
    return bool(value) and value.lower() not in ("false", "disable", "disabled")


def _reason(error: Exception) -> str:
    # the library adds a folder and its own words
    return str(error).partition(" about [")[0].partition(" (os error")[0].rstrip(".")
