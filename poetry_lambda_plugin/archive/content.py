"""What a file of the bundle is made of: a member of a wheel, a file on disk, or bytes in memory."""

from __future__ import annotations

import hashlib
import os

from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeAlias

from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from poetry_lambda_plugin.archive.reader import Member


PIECE = 1 << 24
"""Bytes of a file that are read at once; nearly every file has fewer."""


class ChangedFileError(LambdaBundleError):
    """A file that changed while it was bundled."""


class WheelContent(NamedTuple):
    """A member of a wheel, copied as it is."""

    source: Path
    """The wheel's file."""
    member: Member
    recompress: bool = False
    """Compress it anew, since its compressed bytes show the zlib of the host that made them."""

    @property
    def size(self) -> int:
        """Uncompressed bytes."""
        return self.member.size

    @property
    def member_name(self) -> str:
        """Its path in the wheel."""
        return self.member.name

    def chunks(self) -> Iterator[bytes]:
        """Yield its uncompressed bytes in pieces."""
        with self.source.open("rb") as file:
            yield from read_data(file, self.member, self.source.name)


class FileContent(NamedTuple):
    """A file on disk, read when it is written."""

    source: Path
    size: int
    """Bytes when it was planned; another size later is an error."""
    modified: int | None = None
    """Its time of modification then, in nanoseconds; another one later is an error too."""

    @property
    def member_name(self) -> str:
        """Empty, since it is no member of a wheel."""
        return ""

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes, which must be as planned; raises ChangedFileError."""
        left = self.size
        try:
            with self.source.open("rb", buffering=0) as file:
                # one that grows without end is read no further than to know it
                while left >= 0 and (chunk := file.read(min(left, PIECE) + 1)):
                    left -= len(chunk)
                    yield chunk
                modified = os.fstat(file.fileno()).st_mtime_ns
        except OSError as error:
            raise ChangedFileError(f"{self.source} can't be read any more: {error.strerror}.") from error
        if left or (self.modified is not None and modified != self.modified):
            raise ChangedFileError(f"{self.source} changed while it was bundled. Run the command again.")


class BytesContent(NamedTuple):
    """Bytes made by us."""

    data: bytes

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.data)

    @property
    def source(self) -> None:
        """They are taken from no file."""

    @property
    def member_name(self) -> str:
        """Empty, since they are no member of a wheel."""
        return ""

    def chunks(self) -> Iterator[bytes]:
        """Yield them."""
        yield self.data


Content: TypeAlias = WheelContent | FileContent | BytesContent


class Entry(NamedTuple):
    """One file of the bundle."""

    path: str
    """Where it goes, with forward slashes, relative to the archive's root."""
    content: Content
    executable: bool = False
    owner: str = ""
    """Normalised name of the distribution it belongs to."""

    def read(self) -> bytes:
        """Return its uncompressed bytes."""
        return b"".join(self.content.chunks())

    def digest(self) -> bytes:
        """Return the SHA-256 of its uncompressed bytes, read in pieces."""
        digest = hashlib.sha256()
        for chunk in self.content.chunks():
            digest.update(chunk)
        return digest.digest()


def all_folders(paths: Iterable[str]) -> set[str]:
    """Return every folder that some paths lie in, at any depth; the root is none."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
