"""A folder that holds a bundle's files: all of them, or what it held before."""

from __future__ import annotations

import os
import shutil

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.content import all_folders
from poetry_lambda_plugin.archive.output import refused_as
from poetry_lambda_plugin.archive.replacing import take_place
from poetry_lambda_plugin.archive.swapping import swapper
from poetry_lambda_plugin.archive.unpacked import FOLDER_MODE
from poetry_lambda_plugin.archive.unpacked import compared
from poetry_lambda_plugin.archive.unpacked import mode_of
from poetry_lambda_plugin.archive.unpacked import read_record
from poetry_lambda_plugin.archive.unpacked import record_of
from poetry_lambda_plugin.archive.unpacked import stamp
from poetry_lambda_plugin.archive.unpacked import stamps_of
from poetry_lambda_plugin.archive.unpacked import write_record
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.strays import beside


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.archive.unpacked import Record


BATCH = 64
"""Files that a thread takes at once."""

SECOND = 1_000_000_000
"""Nanoseconds."""

WRITERS = 4
"""Threads: decompressing and writing let go of Python's lock."""


class SameFileError(LambdaBundleError):
    """Two files of a bundle that this system takes for one."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"The bundle has {path} and a file that this disk does not tell from it. Unpack it on one that "
            "does, as Lambda's, or leave one of them out with --exclude."
        )


class LostNameError(LambdaBundleError):
    """A file of a bundle that this system keeps under another name, or not at all."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"The bundle has {path}, which this disk does not keep under that name. Unpack it on one that "
            "does, as Lambda's, or leave the file out with --exclude."
        )


class OutputFolder:
    """Makes what is new beside its path, and takes the path's place at the end.

    The whole folder is exchanged in one step where the system can do that; the files that are as they should
    be are linked into the new one. Elsewhere, as where it is a mount point, files are moved into it one by
    one. Left without `commit`, whatever the reason, it removes what it wrote and the folders it made.
    """

    def __init__(self, path: Path, note: Path, entries: Sequence[Entry], modified: int) -> None:
        """Take what goes to `path`, every file with a time in seconds, and where its record is kept."""
        self.path = path
        self._place = Path(os.path.realpath(path))
        self._note = note
        self._entries = entries
        self._modified = modified * SECOND
        self._record = read_record(note)
        self._comparison = compared(self._place, entries, modified, self._record)
        self._made: list[Path] = []
        self._new: Path | None = None
        """Where the new files wait, and after an exchange the old ones for their end."""
        self._number: int | None = None
        """The inode of the new folder."""
        self._is_moved = False

    @property
    def differs(self) -> bool:
        """Tell whether the folder holds anything else than the bundle."""
        return self._comparison.differs

    @property
    def is_in_place(self) -> bool:
        """Tell whether it has taken the path's place."""
        with suppress(OSError):
            return self._is_moved or (self.differs and self._place.stat().st_ino == self._number)
        return False

    def __enter__(self) -> Self:
        try:
            with refused_as(self.path, "unpacked"):
                self._unpack()
        except BaseException:
            # __exit__ is not yet to be called
            self._clean_up()
            raise
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clean_up()

    def commit(self) -> None:
        """Take the path's place unless it holds the bundle already.

        Raises ChangedFileError and ForeignFilesError for what others have put there meanwhile.
        """
        with refused_as(self.path, "unpacked"):
            if stamps_of(self._place) != self._comparison.stamps:
                self._check_again()
                return
            record = record_of(self._entries)
            if self._new is not None:
                # one who is killed now finds what is there in the record, be it the old or the new
                self._write_record({**self._record, **record})
                self._move(self._new)
            if record != self._record:
                self._write_record(record)

    def _check_again(self) -> None:
        """Let it pass that another run has put the same bundle there."""
        known = {**read_record(self._note), **self._record}
        if compared(self._place, self._entries, self._modified // SECOND, known).differs:
            raise self._changed_meanwhile()

    def _changed_meanwhile(self) -> ChangedFileError:
        return ChangedFileError(f"{self.path} changed while it was written. Run the command again.")

    def _write_record(self, record: Record) -> None:
        write_record(self._note, self._place, record)

    def _unpack(self) -> None:
        if not self.differs:
            return
        self._new = self._workplace()
        self._new.mkdir()
        self._new.chmod(FOLDER_MODE)
        self._number = self._new.stat().st_ino
        _make_folders(self._new, self._comparison.changed)
        _unpack_all(self._comparison.changed, self._new, self._modified)
        _check_names(self._new, self._comparison.changed)

    def _workplace(self) -> Path:
        """Return where to write: beside the folder, or in it where it can't be moved."""
        for folder in reversed([p for p in self._place.parents if not p.exists()]):
            self._made.append(folder)
            folder.mkdir(exist_ok=True)
        return beside(self._place / "any" if self._is_fixed() else self._place)

    def _is_fixed(self) -> bool:
        """Tell whether the folder can't be moved, or somebody is in it."""
        here = Path.cwd()
        return self._place.is_dir() and (
            os.path.ismount(self._place)
            or not os.access(self._place.parent, os.W_OK)
            or self._place in (here, *here.parents)
        )

    def _move(self, new: Path) -> None:
        if not self._place.exists():
            self._finish_folders(new)
            take_place(new, self._place)
            return
        try:
            self._exchange(new)
        except OSError:
            self._move_singly(new)

    def _exchange(self, new: Path) -> None:
        """Complete the new folder with links to what stays, and let the two change places."""
        if new.parent == self._place:
            raise OSError("a folder can't change places with its own")
        swap = swapper()
        _make_folders(new, self._comparison.unchanged)
        for entry in self._comparison.unchanged:
            # no Path: there may be tens of thousands
            link = f"{new}/{entry.path}"
            try:
                os.link(f"{self._place}/{entry.path}", link)
            except FileExistsError:
                raise SameFileError(entry.path) from None
            if stamp(os.lstat(link)) != self._comparison.stamps[entry.path]:
                raise self._changed_meanwhile()
        _check_names(new, self._entries)
        self._finish_folders(new)
        new.chmod(self._place.stat().st_mode & 0o7777)
        swap(new, self._place)

    def _move_singly(self, new: Path) -> None:
        """Bring the folder up to date file by file; once begun, an interrupt waits for the end."""
        self._check_room()
        try:
            self._move_files(new)
        except KeyboardInterrupt:
            self._move_files(new)
            raise
        _check_names(self._place, self._entries)

    def _check_room(self) -> None:
        """Raise SameFileError for a new file in whose place the disk has one that stays."""
        staying = {self._comparison.stamps[entry.path] for entry in self._comparison.unchanged}
        for entry in self._comparison.changed:
            with suppress(OSError):
                if stamp(os.lstat(f"{self._place}/{entry.path}")) in staying:
                    raise SameFileError(entry.path)

    def _move_files(self, new: Path) -> None:
        for path in self._comparison.obsolete:
            (self._place / path).unlink(missing_ok=True)
        emptied = sorted(
            all_folders((*self._comparison.obsolete, *(e.path for e in self._comparison.changed)))
        )
        for folder in reversed(emptied):
            # those that hold something stay
            with suppress(OSError):
                (self._place / folder).rmdir()
        for entry in self._comparison.changed:
            with suppress(OSError):
                (self._place / entry.path).rmdir()
        _make_folders(self._place, self._comparison.changed)
        for entry in self._comparison.changed:
            if os.path.lexists(new / entry.path):
                take_place(new / entry.path, self._place / entry.path)
        self._finish_folders(self._place)
        self._is_moved = True

    def _finish_folders(self, root: Path) -> None:
        """Give the folders below a root the time of the files, the innermost first."""
        for folder in sorted(all_folders(entry.path for entry in self._entries), reverse=True):
            os.utime(root / folder, ns=(self._modified, self._modified))

    def _clean_up(self) -> None:
        if self._new is not None:
            shutil.rmtree(self._new, ignore_errors=True)
        for folder in reversed(self._made):
            # the one that holds the finished folder is not empty
            with suppress(OSError):
                folder.rmdir()


def _unpack_all(entries: Sequence[Entry], folder: Path, modified: int) -> None:
    """Write files below a folder, in threads; raises OSError, ChangedFileError and InvalidArchiveError."""
    batches = [entries[start : start + BATCH] for start in range(0, len(entries), BATCH)]
    with ThreadPoolExecutor(min(WRITERS, os.cpu_count() or 1)) as pool:
        waiting = [pool.submit(_unpack_batch, batch, folder, modified) for batch in batches]
        try:
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _check_names(folder: Path, entries: Iterable[Entry]) -> None:
    """Raise LostNameError for a file that a listing of the folder does not have.

    Windows keeps `con.py` nowhere, `a.` as `a` and `a:b` in `a`; a disk that knows no case, `A/b` with `a/c`.
    """
    top = os.fspath(folder)
    found = {
        f"{above}/{name}"[len(top) + 1 :].replace(os.sep, "/")
        for above, _, names in os.walk(top)
        for name in names
    }
    for entry in entries:
        if entry.path not in found:
            raise LostNameError(entry.path)


def _unpack_batch(entries: Iterable[Entry], folder: Path, modified: int) -> None:
    for entry in entries:
        path = f"{folder}/{entry.path}"
        try:
            file = open(path, "xb")  # noqa: PTH123, SIM115 - there may be tens of thousands
        except FileExistsError:
            raise SameFileError(entry.path) from None
        with file:
            file.writelines(entry.content.chunks())
        os.chmod(path, mode_of(entry))  # noqa: PTH101
        os.utime(path, ns=(modified, modified))


def _make_folders(root: Path, entries: Iterable[Entry]) -> None:
    for folder in sorted(all_folders(entry.path for entry in entries)):
        path = root / folder
        if not path.is_dir():
            path.mkdir()
            path.chmod(FOLDER_MODE)
