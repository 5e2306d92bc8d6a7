"""What a file of the bundle is made of: a member of a wheel, a file on disk, or bytes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeAlias


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.archive.reader import Member


class WheelContent(NamedTuple):
    """A member of a wheel, copied as it is."""

    wheel: Path
    member: Member
    recompress: bool = False
    """Compress it anew, since its compressed bytes show the zlib of the host that made them."""


class FileContent(NamedTuple):
    """A file on disk, read when it is written."""

    file: Path
    size: int
    """Bytes when it was planned; another size later is an error."""


class BytesContent(NamedTuple):
    """Bytes made by us."""

    data: bytes


Content: TypeAlias = WheelContent | FileContent | BytesContent


class Entry(NamedTuple):
    """One file of the bundle."""

    path: str
    """Where it goes, with forward slashes, relative to the archive's root."""
    content: Content
    executable: bool = False
    owner: str = ""
    """Normalised name of the distribution it belongs to."""
