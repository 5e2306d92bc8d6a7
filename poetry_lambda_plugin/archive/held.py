"""What a ZIP or a folder holds, whoever made it: nothing of it is believed before it has been read."""

from __future__ import annotations

import hashlib
import os
import stat

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple
from zlib import crc32

from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.reader import MAX_UNPACKED
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import BinaryIO

    from poetry_lambda_plugin.archive.reader import Member


MAX_FILES = 1 << 18
"""Files of a folder that may be a bundle; a ZIP without ZIP64 records holds a fourth of them."""

AT_ONCE = 256
"""Files that a thread reads before it asks for more: neighbours, so that the disk is read in order."""


class UnreadableBundleError(LambdaBundleError):
    """A ZIP or a folder that can't be read, or that Lambda would not take."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} can't be verified: {reason}.")


class HeldFile(NamedTuple):
    """A file as its directory describes it."""

    size: int
    """Bytes, uncompressed."""
    mode: int
    """Unix mode, 0 where none is told."""
    member: Member | None
    """None in a folder."""


class Fingerprint(NamedTuple):
    """What tells a file's bytes from all others."""

    sha256: bytes
    crc: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBundle:
    """The files of a ZIP or of a folder."""

    path: Path
    files: Mapping[str, HeldFile]
    """By path, with forward slashes; in a ZIP in the order of their bytes."""
    is_folder: bool

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces; raises UnreadableBundleError."""
        with self._archive() as archive:
            yield from self._pieces(name, archive)

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes; None where they are more than `most`. Raises UnreadableBundleError."""
        return None if self.files[name].size > most else b"".join(self.chunks(name))

    def fingerprints(self, names: Sequence[str]) -> Mapping[str, Fingerprint]:
        """Return the fingerprints of some files; raises UnreadableBundleError."""
        pieces = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return {name: found for piece in pool.map(self._fingerprints, pieces) for name, found in piece}

    def _fingerprints(self, names: Sequence[str]) -> list[tuple[str, Fingerprint]]:
        with self._archive() as archive:
            return [(name, self._fingerprint(name, archive)) for name in names]

    def _fingerprint(self, name: str, archive: BinaryIO) -> Fingerprint:
        state, crc, member = hashlib.sha256(), 0, self.files[name].member
        for chunk in self._pieces(name, archive):
            state.update(chunk)
            # a ZIP's is checked while it is read
            crc = crc if member else crc32(chunk, crc)
        return Fingerprint(state.digest(), member.crc if member else crc)

    def _archive(self) -> BinaryIO:
        """Open the ZIP, in its place nothing where this is a folder."""
        return Path(os.devnull if self.is_folder else self.path).open("rb")

    def _pieces(self, name: str, archive: BinaryIO) -> Iterator[bytes]:
        held = self.files[name]
        try:
            if held.member is not None:
                yield from read_data(archive, held.member, self.path.name)
            else:
                with open_regular(self.path / name) as file:
                    while chunk := file.read(CHUNK):
                        yield chunk
        except InvalidArchiveError as error:
            raise UnreadableBundleError(self.path, error.detail) from error
        except OSError as error:
            raise UnreadableBundleError(self.path, f"{name!r}: {error.strerror or error}") from error


def read_held(path: Path) -> HeldBundle:
    """Read the directory of a ZIP or of a folder; raises UnreadableBundleError."""
    try:
        if path.is_dir():
            return HeldBundle(path=path, files=dict(_folder_files(path)), is_folder=True)
        members = read_members(path)
    except InvalidArchiveError as error:
        raise UnreadableBundleError(path, error.detail) from error
    except OSError as error:
        raise UnreadableBundleError(path, error.strerror or str(error)) from error
    files = {_unpacked_name(member): HeldFile(member.size, member.mode, member) for member in members}
    if len(files) < len(members):
        raise UnreadableBundleError(path, "two of its members would be unpacked to one place")
    return HeldBundle(path=path, files=files, is_folder=False)


def _unpacked_name(member: Member) -> str:
    """Return the name that a file gets on Linux: its bytes, which are UTF-8 though `zip` does not say so."""
    if member.name.isascii():
        return member.name
    try:
        return member.raw_name.decode("utf-8")
    except UnicodeDecodeError:
        return member.name


def _folder_files(root: Path) -> Iterator[tuple[str, HeldFile]]:
    """Yield the files below a folder, by their relative paths, until they are more than any bundle has."""
    unpacked = 0
    for count, (name, status) in enumerate(_walked(root, "")):
        unpacked += status.st_size
        if count == MAX_FILES or unpacked > MAX_UNPACKED:
            reason = "it has more files, or larger ones, than any bundle. Name the folder that is deployed"
            raise UnreadableBundleError(root, reason)
        yield name, HeldFile(status.st_size, status.st_mode, None)


def _walked(root: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(root / below) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        name = f"{below}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            yield from _walked(root, f"{name}/")
        elif stat.S_ISREG(status.st_mode):
            yield name, status
        elif stat.S_ISLNK(status.st_mode):
            raise UnreadableBundleError(
                root,
                f"{name!r} is a link, and a bundle holds files only. Copy it with `cp -rL` first",
            )
        else:
            raise UnreadableBundleError(root, f"{name!r} is no regular file, and a bundle holds nothing else")
