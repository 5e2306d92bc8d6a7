"""A file that appears under its name complete or not at all."""

from __future__ import annotations

import os

from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Literal

import deflate

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.replacing import is_of_windows
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.archive.replacing import take_place
from poetry_lambda_plugin.archive.unpacked import held
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.strays import beside


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from types import TracebackType
    from typing import BinaryIO

    from typing_extensions import Self

    from poetry_lambda_plugin.archive.content import Entry


Kind = Literal["output", "report", "sbom", "unpacked"]
"""What is written, by the option that says where."""

NAMES: Mapping[Kind, str] = {"output": "bundle", "report": "page", "sbom": "SBOM", "unpacked": "bundle"}


class UnwritableOutputError(LambdaBundleError):
    """An output path that can't become a file."""

    def __init__(self, path: Path, reason: str, kind: Kind = "output") -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"The {NAMES[kind]} can't be written to {path}: {reason}. Choose another --{kind}.")


class NoRoomError(LambdaBundleError):
    """A temporary folder that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"There is no place for temporary files: {error}. Set TMPDIR to a folder that can be written to."
        )


def check_writable(path: Path, kind: Kind = "output") -> None:
    """Raise UnwritableOutputError where it is already clear that `path` can't be written.

    Nothing is created: the nearest folder that exists decides.
    """
    try:
        reason = _obstacle(_followed(path), kind)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason is not None:
        raise UnwritableOutputError(path, reason, kind)


def is_nowhere(path: Path) -> bool:
    """Tell whether what is written to `path` is thrown away: such a file is never replaced."""
    return os.path.realpath(path) == os.path.realpath(os.devnull)


def _obstacle(path: Path, kind: Kind) -> str | None:
    """Return why a path can't become a file."""
    if path.is_dir() and kind != "unpacked":
        is_open = kind == "output" and path.suffix != ".zip"
        way = " (end it with a slash for a ZIP in it)" if is_open else ""
        return f"it is a folder{way}"
    if kind == "unpacked" and path.exists() and not path.is_dir():
        return "it is not a folder"
    if is_nowhere(path):
        return None
    if path.exists() and not path.is_file() and kind != "unpacked":
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


@contextmanager
def refused_as(path: Path, kind: Kind) -> Iterator[None]:
    """Raise UnwritableOutputError for what the system refuses."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, PermissionError) and is_of_windows(error):
            reason += " (another program may have it open)"
        raise UnwritableOutputError(path, reason, kind) from error


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written to, or replaced."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def keep_archive(entries: Sequence[Entry], place: Path, *others: Path) -> tuple[Path, str]:
    """Write an archive to the first place that takes it; return which, and the archive's hash.

    A cache that is full or can't be written to costs time, nothing else. Raises NoRoomError for the last one.
    """
    try:
        with replacing(place) as file:
            written = write_archive(entries, file, Timestamp.from_epoch(EARLIEST))
    except OSError as error:
        if not others:
            raise NoRoomError(error) from error
        return keep_archive(entries, *others)
    return place, f"sha256:{written.sha256.hex()}"


class OutputFile:
    """Writes beside its path and takes the path's place at the end (os.replace is atomic).

    As long as the path holds the same bytes already, they are compared and not written again. Left without
    `commit`, whatever the reason, it removes what it wrote and the folders it made.
    """

    def __init__(self, path: Path, kind: Kind = "output", *, folder: Path | None = None) -> None:
        """Take a path, or one that is not settled yet, and the folder to write in until it is."""
        self.path = path
        self._is_settled = folder is None
        self._kind = kind
        self._place = _followed(path) if folder is None else folder / path.name
        self._temporary = beside(self._place)
        self._made: list[Path] = []
        self._file: BinaryIO | None = None
        self._previous: BinaryIO | None = None
        """What the path holds now, as long as every byte written is the same."""
        self._same = 0
        """Bytes that were the same."""
        self._checksum = 0
        """Their CRC-32, since the path may be written to meanwhile."""
        self._stamp: tuple[int, ...] | None = None
        """The path's as it was opened; None when something differs from what it holds."""

    def __enter__(self) -> Self:
        try:
            with refused_as(self.path, self._kind):
                self._open()
        except BaseException:
            # __exit__ is not yet to be called
            self._clean_up()
            raise
        return self

    def _open(self) -> None:
        self._make_folders()
        self._file = self._temporary.open("xb")
        if not self._is_settled:
            # there is nothing to compare with
            return
        try:
            self._previous = self._place.open("rb")
            self._stamp = _stamp(self._place)
        except OSError:
            self._forget_previous()
        self._take_mode()

    def _make_folders(self) -> None:
        for folder in reversed([p for p in self._place.parents if not p.exists()]):
            self._made.append(folder)
            folder.mkdir(exist_ok=True)

    def _take_mode(self) -> None:
        # what was for one user's eyes is so from the first byte
        with suppress(OSError):
            self._temporary.chmod(self._place.stat().st_mode & 0o777)

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clean_up()

    def write(self, data: bytes) -> None:
        """Append; raises UnwritableOutputError, as on a full disk, and ChangedFileError."""
        with refused_as(self.path, self._kind):
            if self._previous is not None:
                if self._previous.read(len(data)) == data:
                    self._same += len(data)
                    self._checksum = deflate.crc32(data, self._checksum)
                    return
                self._copy_same(self._previous)
            self._opened.write(data)

    def finish(self) -> None:
        """End the writing: from here to `commit` no handle is open, however many outputs wait for it."""
        with refused_as(self.path, self._kind):
            if self._previous is not None and self._previous.read(1):
                self._copy_same(self._previous)
            self._close()

    def chunks(self) -> Iterator[bytes]:
        """Yield what was written, once it is finished; raises UnwritableOutputError and ChangedFileError."""
        with (
            refused_as(self.path, self._kind),
            (self._temporary if self.differs else self._place).open("rb") as file,
        ):
            if not self.differs and _stamp(self._place) != self._stamp:
                raise self._changed_meanwhile()
            while chunk := file.read(CHUNK):
                yield chunk

    def settle(self, path: Path) -> None:
        """Take the name that depends on what was written; the folders on its way are made."""
        self.finish()
        self.path, self._place = path, _followed(path)
        with refused_as(path, self._kind):
            self._make_folders()
            self._take_mode()
            with suppress(FileNotFoundError):
                stamp = _stamp(self._place)
                if (found := held(self._place)) == held(self._temporary):
                    self._stamp, (self._same, self._checksum) = stamp, found

    @property
    def differs(self) -> bool:
        """Tell, once it is finished, whether the path holds other bytes."""
        return self._stamp is None

    @property
    def is_in_place(self) -> bool:
        """Tell whether it has taken the path's place."""
        return self.differs and not self._temporary.exists()

    def commit(self) -> bool:
        """Take the path's place unless it holds the same bytes already; tell whether it changed."""
        self.finish()
        with refused_as(self.path, self._kind):
            if self._stamp is None:
                take_place(self._temporary, self._place)
            elif not self._still_holds_it():
                raise self._changed_meanwhile()
        return self._stamp is None

    def _still_holds_it(self) -> bool:
        """Tell whether the path has the same bytes, maybe put there again by one that bundles the same."""
        return _stamp(self._place) == self._stamp or held(self._place) == (self._same, self._checksum)

    def _copy_same(self, previous: BinaryIO) -> None:
        """Write what was the same so far, now that something differs."""
        checksum = 0
        previous.seek(0)
        while chunk := previous.read(min(self._same, CHUNK)):
            self._same -= len(chunk)
            checksum = deflate.crc32(chunk, checksum)
            self._opened.write(chunk)
        if self._same or checksum != self._checksum:
            raise self._changed_meanwhile()
        self._forget_previous()

    def _changed_meanwhile(self) -> ChangedFileError:
        return ChangedFileError(f"{self.path} changed while it was written. Run the command again.")

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("used outside its `with` block")
        return self._file

    def _forget_previous(self) -> None:
        if self._previous is not None:
            self._previous.close()
        self._previous = self._stamp = None

    def _close(self) -> None:
        for file in filter(None, (self._previous, self._file)):
            file.close()
        self._previous = None

    def _clean_up(self) -> None:
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
        for folder in reversed(self._made):
            # the one that holds the finished file is not empty
            with suppress(OSError):
                folder.rmdir()
