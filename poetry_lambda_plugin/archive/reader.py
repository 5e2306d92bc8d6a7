"""Raw, distrustful access to the members of a ZIP archive.

Field names and offsets follow PKWARE's APPNOTE.TXT 6.3.10, whose section numbers the comments give.
Everything that one record says is held against what the others say, since two readers that believe
different records would see different files (CVE-2025-54368 and its kin).
"""

from __future__ import annotations

import stat
import struct
import sys
import zlib

from importlib import import_module
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType
    from typing import BinaryIO


STORED = 0
DEFLATED = 8
BZIP2 = 12
LZMA = 14
ZSTANDARD = 93
METHODS = frozenset({STORED, DEFLATED, BZIP2, LZMA, ZSTANDARD})

ENCRYPTED = 0x1 | 0x40 | 0x2000
"""General purpose bits of traditional, strong and central directory encryption (4.4.4)."""
DATA_DESCRIPTOR = 0x8
UTF8_NAME = 0x800

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
END_RECORD = struct.Struct("<4s4H2LH")
ZIP64_LOCATOR = struct.Struct("<4sLQL")
ZIP64_END_RECORD = struct.Struct("<4sQ2H2L4Q")
LOCAL_SIGNATURE = b"PK\3\4"
CENTRAL_SIGNATURE = b"PK\1\2"
END_SIGNATURE = b"PK\5\6"
ZIP64_LOCATOR_SIGNATURE = b"PK\6\7"
ZIP64_END_SIGNATURE = b"PK\6\6"

ZIP64_EXTRA = 0x0001
MAX_COMMENT = 0xFFFF
SENTINEL_16 = 0xFFFF
SENTINEL_32 = 0xFFFFFFFF

CHUNK = 1 << 20
"""Bytes read at once."""


class InvalidArchiveError(LambdaBundleError):
    """A file that is no ZIP, or one that could mean different things to different readers."""

    def __init__(self, archive: str, reason: str, member: str | None = None) -> None:
        self.archive = archive
        self.member = member
        self.reason = reason
        where = f"{archive}, member {member!r}" if member is not None else archive
        super().__init__(
            f"{where}: {reason}. The file can't be trusted: ask its publisher for a sound one, "
            "or lock another version."
        )


class Member(NamedTuple):
    """One file of an archive, as its central directory describes it."""

    name: str
    method: int
    """Compression method (4.4.5)."""
    flags: int
    """General purpose bit flag (4.4.4)."""
    crc: int
    """CRC-32 of the uncompressed bytes."""
    compressed_size: int
    size: int
    """Uncompressed bytes."""
    raw_name: bytes
    offset: int
    """Where its local header begins."""
    end: int
    """Where the next header begins: no byte of the member lies there or after."""
    mode: int
    """Unix mode, 0 where the archive has none."""

    @property
    def executable(self) -> bool:
        """Tell whether it is a regular file with an executable bit, as `installer` does."""
        return stat.S_ISREG(self.mode) and bool(self.mode & 0o111)


def read_members(path: Path) -> tuple[Member, ...]:
    """Return the files of an archive in the order of their bytes; folders are left out.

    Raises InvalidArchiveError; OSError where the file can't be read.
    """
    with path.open("rb") as file:
        members = list(_central_directory(file, path.name))
    _check_names(members, path.name)
    members.sort(key=lambda member: member.offset)
    return tuple(m for m in _with_ends(members, path.name) if not m.name.endswith("/"))


def data_start(member: Member, header: bytes | memoryview, archive: str) -> int:
    """Hold a local header against its member; return where the data begins, counted from the header.

    `header` begins at `member.offset` and has at least the header's fixed part and the name.
    """
    if len(header) < LOCAL_HEADER.size:
        raise InvalidArchiveError(archive, "its local header is cut off", member.name)
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = (
        LOCAL_HEADER.unpack_from(header)
    )
    start: int = LOCAL_HEADER.size + name_length + extra_length
    name = bytes(header[LOCAL_HEADER.size : LOCAL_HEADER.size + name_length])
    sizes = {(member.crc, member.compressed_size, member.size)}
    if flags & DATA_DESCRIPTOR:
        sizes.add((0, 0, 0))
    if SENTINEL_32 in (packed, size):
        # 4.5.3: the true sizes are in the extra field; the directory's are used for all else
        packed, size = member.compressed_size, member.size
    if (
        signature != LOCAL_SIGNATURE
        or name != member.raw_name
        or method != member.method
        or flags & (ENCRYPTED | DATA_DESCRIPTOR) != member.flags & (ENCRYPTED | DATA_DESCRIPTOR)
        or (crc, packed, size) not in sizes
    ):
        raise InvalidArchiveError(archive, "its local header contradicts the central directory", member.name)
    if member.offset + start + member.compressed_size > member.end:
        raise InvalidArchiveError(archive, "it overlaps the member after it", member.name)
    return start


def read_raw(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    """Yield a member's compressed bytes, at most CHUNK at a time."""
    file.seek(member.offset)
    fixed = LOCAL_HEADER.size + len(member.raw_name)
    file.seek(member.offset + data_start(member, file.read(fixed), archive))
    left = member.compressed_size
    while left:
        chunk = file.read(min(left, CHUNK))
        if not chunk:
            raise InvalidArchiveError(archive, "the file is cut off", member.name)
        left -= len(chunk)
        yield chunk


def read_data(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    """Yield a member's uncompressed bytes; size and CRC-32 are checked by the end.

    Nothing past the stated size is ever produced, so a "bomb" costs no memory.
    """
    left, crc = member.size, 0
    for chunk in _decompressed(file, member, archive):
        left -= len(chunk)
        if left < 0:
            raise InvalidArchiveError(
                archive, f"it is larger than the {member.size} bytes stated", member.name
            )
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if left:
        raise InvalidArchiveError(archive, f"it is {left} bytes smaller than stated", member.name)
    if crc != member.crc:
        raise InvalidArchiveError(archive, "its checksum (CRC-32) is wrong", member.name)


def verify(path: Path, members: Sequence[Member]) -> None:
    """Decompress every member once, to know that none lies about its size or checksum."""
    with path.open("rb") as file:
        for member in members:
            for _ in read_data(file, member, path.name):
                pass


def _central_directory(file: BinaryIO, archive: str) -> Iterator[Member]:
    count, size, offset = _directory_location(file, archive)
    file.seek(offset)
    directory = file.read(size)
    position = 0
    for _ in range(count):
        member, position = _central_header(directory, position, offset, archive)
        yield member
    if position != size:
        raise InvalidArchiveError(archive, "its central directory has another size than stated")


def _directory_location(file: BinaryIO, archive: str) -> tuple[int, int, int]:
    """Return the central directory's number of entries, size and offset (4.3.16)."""
    total = file.seek(0, 2)
    tail_start = max(0, total - END_RECORD.size - MAX_COMMENT)
    file.seek(tail_start)
    tail = file.read()
    found = tail.rfind(END_SIGNATURE)
    if found < 0 or found + END_RECORD.size > len(tail):
        raise InvalidArchiveError(archive, "it is not a ZIP archive, or it is cut off")
    _, disk, first_disk, disk_count, count, size, offset, comment = END_RECORD.unpack_from(tail, found)
    if found + END_RECORD.size + comment != len(tail):
        raise InvalidArchiveError(archive, "there are bytes after the end of the archive")
    end = tail_start + found
    if SENTINEL_16 in (count, disk_count) or SENTINEL_32 in (size, offset):
        disk, first_disk, disk_count, count, size, offset, end = _zip64_location(file, end, archive)
    if disk or first_disk or disk_count != count:
        raise InvalidArchiveError(archive, "it is split over several files")
    if offset + size != end:
        raise InvalidArchiveError(archive, "its central directory is not where it should be")
    return count, size, offset


def _zip64_location(file: BinaryIO, end: int, archive: str) -> tuple[int, int, int, int, int, int, int]:
    """Read the ZIP64 records before the end record (4.3.14, 4.3.15)."""
    try:
        file.seek(end - ZIP64_LOCATOR.size)
        signature, _, record, _ = ZIP64_LOCATOR.unpack(file.read(ZIP64_LOCATOR.size))
        file.seek(record)
        fields = ZIP64_END_RECORD.unpack(file.read(ZIP64_END_RECORD.size))
    except (OSError, ValueError, OverflowError, struct.error):
        raise InvalidArchiveError(archive, "its ZIP64 records are cut off") from None
    if signature != ZIP64_LOCATOR_SIGNATURE or fields[0] != ZIP64_END_SIGNATURE:
        raise InvalidArchiveError(archive, "its ZIP64 records are missing")
    _, _, _, _, disk, first_disk, disk_count, count, size, offset = fields
    return disk, first_disk, disk_count, count, size, offset, record


def _central_header(directory: bytes, position: int, limit: int, archive: str) -> tuple[Member, int]:
    """Return the member described at `position`, and the position after it."""
    try:
        (
            signature,
            _,
            _,
            flags,
            method,
            _,
            _,
            crc,
            packed,
            size,
            name_length,
            extra_length,
            comment_length,
            disk,
            _,
            attributes,
            offset,
        ) = CENTRAL_HEADER.unpack_from(directory, position)
    except struct.error:
        raise InvalidArchiveError(archive, "its central directory is cut off") from None
    name_start = position + CENTRAL_HEADER.size
    extra_start = name_start + name_length
    raw_name = directory[name_start:extra_start]
    name = _decoded_name(raw_name, flags, archive)
    if SENTINEL_32 in (packed, size, offset):
        extra = directory[extra_start : extra_start + extra_length]
        size, packed, offset = _zip64_sizes(extra, size, packed, offset, archive, name)
    if signature != CENTRAL_SIGNATURE:
        raise InvalidArchiveError(archive, "its central directory is damaged")
    if flags & ENCRYPTED:
        raise InvalidArchiveError(archive, "it is encrypted", name)
    if method not in METHODS:
        raise InvalidArchiveError(archive, f"it has an unknown compression method ({method})", name)
    if method == STORED and size != packed:
        raise InvalidArchiveError(archive, "it is stored, but its two sizes differ", name)
    if disk:
        raise InvalidArchiveError(archive, "it is split over several files", name)
    member = Member(name, method, flags, crc, packed, size, raw_name, offset, limit, attributes >> 16)
    return member, extra_start + extra_length + comment_length


def _decoded_name(raw: bytes, flags: int, archive: str) -> str:
    """Decode a name as Python's zipfile does, and refuse one that could leave the target folder."""
    try:
        name = raw.decode("utf-8" if flags & UTF8_NAME else "cp437")
    except UnicodeDecodeError:
        raise InvalidArchiveError(archive, "its name is not UTF-8", repr(raw)) from None
    parts = name.removesuffix("/").split("/")
    if not name or "\0" in name or "\\" in name or name[1:2] == ":" or not {"", ".", ".."}.isdisjoint(parts):
        raise InvalidArchiveError(archive, "its name could leave the folder it is unpacked to", name)
    return name


def _zip64_sizes(
    extra: bytes, size: int, packed: int, offset: int, archive: str, name: str
) -> tuple[int, int, int]:
    """Take from the ZIP64 extra field those values that the header leaves to it (4.5.3)."""
    values = _zip64_values(extra)
    try:
        size = next(values) if size == SENTINEL_32 else size
        packed = next(values) if packed == SENTINEL_32 else packed
        offset = next(values) if offset == SENTINEL_32 else offset
    except StopIteration:
        raise InvalidArchiveError(archive, "its ZIP64 sizes are missing", name) from None
    return size, packed, offset


def _zip64_values(extra: bytes) -> Iterator[int]:
    position = 0
    while position + 4 <= len(extra):
        identifier, length = struct.unpack_from("<2H", extra, position)
        if identifier == ZIP64_EXTRA:
            body = extra[position + 4 : position + 4 + length]
            for at in range(0, len(body) - 7, 8):
                yield int.from_bytes(body[at : at + 8], "little")
            return
        position += 4 + length


def _check_names(members: Sequence[Member], archive: str) -> None:
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise InvalidArchiveError(archive, "it is in the archive twice", member.name)
        seen.add(member.name)


def _with_ends(members: Sequence[Member], archive: str) -> Iterator[Member]:
    """Bound each member by the header after it, so that none can reach into another."""
    for member, following in zip(members, [*members[1:], None], strict=True):
        end = following.offset if following else member.end
        least = member.offset + LOCAL_HEADER.size + len(member.raw_name) + member.compressed_size
        if least > end:
            raise InvalidArchiveError(archive, "it overlaps the member after it", member.name)
        yield member._replace(end=end)


def _decompressed(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    if member.method == STORED:
        return read_raw(file, member, archive)
    if member.method == DEFLATED:
        return _inflated(file, member, archive)
    return _decoded_by_zipfile(file, member, archive)


def _inflated(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in read_raw(file, member, archive):
            data = inflater.decompress(chunk, CHUNK)
            while data:
                yield data
                data = inflater.decompress(inflater.unconsumed_tail, CHUNK)
    except zlib.error as error:
        raise InvalidArchiveError(archive, f"it can't be decompressed ({error})", member.name) from None
    if not inflater.eof or inflater.unused_data:
        raise InvalidArchiveError(archive, "its compressed bytes are fewer or more than stated", member.name)


def _decoded_by_zipfile(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    """Read a member in one of the rare methods, which the standard library knows."""
    zipfile = _zipfile_module(member.method)
    try:
        with zipfile.ZipFile(file) as opened, opened.open(member.name) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
    ) as error:
        raise InvalidArchiveError(archive, f"it can't be decompressed ({error})", member.name) from None


def _zipfile_module(method: int) -> ModuleType:
    """Return the zipfile that knows Zstandard: Python's own since 3.14, its backport before."""
    if method == ZSTANDARD and sys.version_info < (3, 14):
        return import_module("backports.zstd.zipfile")
    return import_module("zipfile")
