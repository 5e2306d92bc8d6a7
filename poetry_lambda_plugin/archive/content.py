"""What a file of the bundle is made of: a member of a wheel, a file on disk, or bytes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeAlias

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.archive.reader import Member


class ChangedFileError(LambdaBundleError):
    """A file that changed while it was bundled."""


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
    modified: int | None = None
    """Its time of modification then, in nanoseconds; another one later is an error too."""


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


def read_file(content: FileContent) -> bytes:
    """Read a file that must be as it was planned; raises ChangedFileError."""
    try:
        data = content.file.read_bytes()
        modified = content.file.stat().st_mtime_ns
    except OSError as error:
        raise ChangedFileError(f"{content.file} can't be read any more: {error.strerror}.") from error
    if len(data) != content.size or (content.modified is not None and modified != content.modified):
        raise ChangedFileError(f"{content.file} changed while it was bundled. Run the command again.")
    return data


def content_size(content: Content) -> int:
    """Return a file's uncompressed bytes."""
    if isinstance(content, WheelContent):
        return content.member.size
    return len(content.data) if isinstance(content, BytesContent) else content.size
