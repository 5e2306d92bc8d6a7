"""Raw, distrustful access to the members of a ZIP archive.

Everything that one record says is held against what the others say, since two readers that believe
different records would see different files (CVE-2025-54368 and its kin). Section numbers are APPNOTE.TXT's.
"""

from __future__ import annotations

import stat
import struct
import sys
import zlib

from contextlib import suppress
from importlib import import_module
from itertools import chain
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol

from poetry_lambda_plugin.archive.format import BZIP2
from poetry_lambda_plugin.archive.format import CENTRAL_HEADER
from poetry_lambda_plugin.archive.format import CENTRAL_SIGNATURE
from poetry_lambda_plugin.archive.format import DATA_DESCRIPTOR
from poetry_lambda_plugin.archive.format import DEFLATED
from poetry_lambda_plugin.archive.format import DESCRIPTOR_SIGNATURE
from poetry_lambda_plugin.archive.format import ENCRYPTED
from poetry_lambda_plugin.archive.format import END_RECORD
from poetry_lambda_plugin.archive.format import END_SIGNATURE
from poetry_lambda_plugin.archive.format import LOCAL_HEADER
from poetry_lambda_plugin.archive.format import LOCAL_SIGNATURE
from poetry_lambda_plugin.archive.format import LZMA
from poetry_lambda_plugin.archive.format import LZMA_END_MARKER
from poetry_lambda_plugin.archive.format import MAX_COMMENT
from poetry_lambda_plugin.archive.format import MAX_DESCRIPTOR
from poetry_lambda_plugin.archive.format import METHODS
from poetry_lambda_plugin.archive.format import PATCH
from poetry_lambda_plugin.archive.format import SENTINEL_16
from poetry_lambda_plugin.archive.format import SENTINEL_32
from poetry_lambda_plugin.archive.format import SENTINELS
from poetry_lambda_plugin.archive.format import STORED
from poetry_lambda_plugin.archive.format import UNICODE_PATH_EXTRA
from poetry_lambda_plugin.archive.format import UTF8_NAME
from poetry_lambda_plugin.archive.format import ZIP64_END_RECORD
from poetry_lambda_plugin.archive.format import ZIP64_END_SIGNATURE
from poetry_lambda_plugin.archive.format import ZIP64_EXTRA
from poetry_lambda_plugin.archive.format import ZIP64_LOCATOR
from poetry_lambda_plugin.archive.format import ZIP64_LOCATOR_SIGNATURE
from poetry_lambda_plugin.archive.format import ZSTANDARD
from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType
    from typing import BinaryIO


LZMA_HEADER = struct.Struct("<2xHBL")
"""Before LZMA data: version, length of the settings, lc, lp and pb in one, dictionary size (5.8.8)."""
LZMA_SETTINGS = 5
LZMA_LEAST_DICTIONARY = 4096
LZMA_MOST_DICTIONARY = 256 << 20
"""Bytes of memory; whoever compresses as well as can be asks for 64 MB."""

CHUNK = 1 << 18
"""Bytes read at once."""

MAX_DIRECTORY = 32 << 20
"""Bytes of a central directory, which is read whole; one of 65,534 files has about 8 MB."""

MAX_UNPACKED = 10 << 30
"""Bytes of all members; Lambda takes so many at most, and those as a container image."""


class _Decompressor(Protocol):
    """What the standard library's decompressors have in common, zlib's aside."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class InvalidArchiveError(LambdaBundleError):
    """A file that is no ZIP, or one that could mean different things to different readers."""

    def __init__(self, archive: str, reason: str, member: str | None = None) -> None:
        self.archive = archive
        self.member = member
        self.reason = reason
        self.detail = reason if member is None else f"member {member!r}: {reason}"
        """The reason, and which member it concerns."""
        place = archive if member is None else f"{archive}, member {member!r}"
        super().__init__(
            f"{place}: {reason}. The file can't be trusted: ask its publisher for a sound one, "
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

    @property
    def packed_size(self) -> int:
        """Bytes that it takes in an archive written here: compressed ones and both headers."""
        return LOCAL_HEADER.size + CENTRAL_HEADER.size + 2 * len(self.raw_name) + self.compressed_size


def read_members(path: Path) -> tuple[Member, ...]:
    """Return the files of an archive in the order of their bytes; folders are left out.

    Raises InvalidArchiveError; OSError where the file can't be read.
    """
    with open_regular(path) as file:
        members = list(_central_directory(file, path.name))
        names = _checked_names(members, path.name)
        members.sort(key=attrgetter("offset"))
        members = list(_with_ends(members, path.name))
        for member in members:
            if member.name.endswith("/"):
                _check_folder(file, member, names, path.name)
    return tuple(member for member in members if not member.name.endswith("/"))


def data_start(member: Member, header: bytes | memoryview, archive: str) -> int:
    """Hold a local header against its member; return where the data begins, counted from the header.

    `header` begins at `member.offset` and has at least the header's fixed part, name and extra field.
    """
    if len(header) < LOCAL_HEADER.size:
        raise InvalidArchiveError(archive, "its local header is cut off", member.name)
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = (
        LOCAL_HEADER.unpack_from(header)
    )
    start: int = LOCAL_HEADER.size + name_length + extra_length
    extra_start = LOCAL_HEADER.size + name_length
    name = bytes(header[LOCAL_HEADER.size : extra_start])
    fields = _extra_fields(bytes(header[extra_start:start]), member.name, archive) if extra_length else {}
    if SENTINEL_32 in (packed, size):
        size, packed, _ = _zip64_sizes(fields, size, packed, 0, archive, member.name)
    here, there = (crc, packed, size), (member.crc, member.compressed_size, member.size)
    late = flags & DATA_DESCRIPTOR
    # what follows in a descriptor is zero in the header
    agree = here == there or (late and all(h in (0, t) for h, t in zip(here, there, strict=True)))
    compared = ENCRYPTED | DATA_DESCRIPTOR | PATCH | (0 if name.isascii() else UTF8_NAME)
    if (
        signature != LOCAL_SIGNATURE
        or name != member.raw_name
        or method != member.method
        or flags & compared != member.flags & compared
        or not agree
    ):
        raise InvalidArchiveError(archive, "its local header contradicts the central directory", member.name)
    rest = member.end - member.offset - start - member.compressed_size
    if rest < 0:
        raise InvalidArchiveError(archive, "it overlaps the member after it", member.name)
    if rest > (MAX_DESCRIPTOR if late else 0):
        raise InvalidArchiveError(archive, "after it there are bytes that belong to no member", member.name)
    return start


def read_raw(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    """Yield a member's compressed bytes, at most CHUNK at a time."""
    file.seek(member.offset)
    longest = LOCAL_HEADER.size + len(member.raw_name) + SENTINEL_16
    header = file.read(min(longest, member.end - member.offset - member.compressed_size))
    file.seek(member.offset + data_start(member, header, archive))
    left = member.compressed_size
    while left:
        chunk = file.read(min(left, CHUNK))
        if not chunk:
            raise InvalidArchiveError(archive, "the file is cut off", member.name)
        left -= len(chunk)
        yield chunk
    if member.flags & DATA_DESCRIPTOR and file.read(member.end - file.tell()) not in _descriptors(member):
        raise InvalidArchiveError(
            archive, "its data descriptor contradicts the central directory", member.name
        )


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


def read_whole(path: Path, member: Member, most: int) -> bytes:
    """Return a member's uncompressed bytes; raises InvalidArchiveError where they are more than `most`."""
    if member.size > most:
        raise InvalidArchiveError(
            path.name, f"it has {member.size:,} bytes, too many for its kind", member.name
        )
    with path.open("rb") as file:
        return b"".join(read_data(file, member, path.name))


def verify(path: Path, members: Sequence[Member]) -> None:
    """Decompress every member once, to know that none lies about its size or checksum."""
    with path.open("rb") as file:
        for member in members:
            for _ in read_data(file, member, path.name):
                pass


def _central_directory(file: BinaryIO, archive: str) -> Iterator[Member]:
    count, size, offset = _directory_location(file, archive)
    if size > MAX_DIRECTORY:
        raise InvalidArchiveError(
            archive, f"its central directory has {size:,} bytes, too many for any bundle"
        )
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
    _, *stated, comment = END_RECORD.unpack_from(tail, found)
    if found + END_RECORD.size + comment != len(tail):
        raise InvalidArchiveError(archive, "there are bytes after the end of the archive")
    end = tail_start + found
    zip64 = _zip64_location(file, end, archive)
    if zip64 is not None:
        end, *exact = zip64
        pairs = zip(stated, exact, SENTINELS, strict=True)
        if any(short not in (long, sentinel) for short, long, sentinel in pairs):
            raise InvalidArchiveError(archive, "its two end records contradict each other")
        stated = exact
    disk, first_disk, disk_count, count, size, offset = stated
    if disk or first_disk or disk_count != count:
        raise InvalidArchiveError(archive, "it is split over several files")
    if offset + size != end:
        raise InvalidArchiveError(archive, "its central directory is not where it should be")
    return count, size, offset


def _zip64_location(file: BinaryIO, end: int, archive: str) -> tuple[int, ...] | None:
    """Read the ZIP64 records before the end record (4.3.14, 4.3.15), where there are any.

    The first value is the ZIP64 end record's own offset, the others are those of the end record.
    """
    start = max(0, end - ZIP64_LOCATOR.size)
    file.seek(start)
    locator = file.read(end - start)
    if len(locator) < ZIP64_LOCATOR.size or not locator.startswith(ZIP64_LOCATOR_SIGNATURE):
        return None
    _, disk, record, disks = ZIP64_LOCATOR.unpack(locator)
    if disk or disks > 1:
        raise InvalidArchiveError(archive, "it is split over several files")
    if record + ZIP64_END_RECORD.size > start:
        raise InvalidArchiveError(archive, "its ZIP64 records are missing")
    file.seek(record)
    signature, length, _, _, *values = ZIP64_END_RECORD.unpack(file.read(ZIP64_END_RECORD.size))
    # the length leaves out the signature and itself
    if signature != ZIP64_END_SIGNATURE or record + 12 + length != start:
        raise InvalidArchiveError(archive, "its ZIP64 records are missing")
    return (record, *values)


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
    if signature != CENTRAL_SIGNATURE:
        raise InvalidArchiveError(archive, "its central directory is damaged")
    name_start = position + CENTRAL_HEADER.size
    extra_start = name_start + name_length
    raw_name = directory[name_start:extra_start]
    name = _decoded_name(raw_name, flags, archive)
    extra = directory[extra_start : extra_start + extra_length]
    fields = _extra_fields(extra, name, archive) if extra else {}
    if SENTINEL_32 in (packed, size, offset):
        size, packed, offset = _zip64_sizes(fields, size, packed, offset, archive, name)
    if flags & ENCRYPTED:
        raise InvalidArchiveError(archive, "it is encrypted", name)
    if flags & PATCH:
        raise InvalidArchiveError(archive, "it is a patch of other data", name)
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
    fields: Mapping[int, bytes], size: int, packed: int, offset: int, archive: str, name: str
) -> tuple[int, int, int]:
    """Take from the ZIP64 extra field those values that the header leaves to it (4.5.3)."""
    body = fields.get(ZIP64_EXTRA, b"")
    values = (int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body) - 7, 8))
    try:
        size = next(values) if size == SENTINEL_32 else size
        packed = next(values) if packed == SENTINEL_32 else packed
        offset = next(values) if offset == SENTINEL_32 else offset
    except StopIteration:
        raise InvalidArchiveError(archive, "its ZIP64 sizes are missing", name) from None
    return size, packed, offset


def _extra_fields(extra: bytes, name: str, archive: str) -> Mapping[int, bytes]:
    """Return extra fields by their kind (4.5.1), but none that could be understood in two ways."""
    fields: dict[int, bytes] = {}
    position = 0
    # a rest too short for a field is padding
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4 + length
        if kind in fields and kind in (ZIP64_EXTRA, UNICODE_PATH_EXTRA):
            reason = "it has two extra fields of one kind, of which readers may take either"
            raise InvalidArchiveError(archive, reason, name)
        fields[kind] = extra[position - length : position]
    if position > len(extra):
        raise InvalidArchiveError(archive, "its extra fields are damaged", name)
    other = fields.get(UNICODE_PATH_EXTRA)
    if other is not None and other[5:] != name.encode():
        raise InvalidArchiveError(archive, "it has two names, of which readers may take either", name)
    return fields


def _checked_names(members: Sequence[Member], archive: str) -> set[str]:
    """Return the names, each of which stands for one member, of which none is too large to be bundled."""
    seen: set[str] = set()
    unpacked = 0
    for member in members:
        unpacked += member.size
        if member.size >= SENTINEL_32 or unpacked > MAX_UNPACKED:
            reason = f"with it there are {unpacked:,} bytes to unpack, too many for any bundle"
            raise InvalidArchiveError(archive, reason, member.name)
        if member.name in seen:
            raise InvalidArchiveError(archive, "it is in the archive twice", member.name)
        seen.add(member.name)
    return seen


def _check_folder(file: BinaryIO, folder: Member, names: set[str], archive: str) -> None:
    """Refuse an entry for a folder that some reader could take for a file."""
    if folder.name[:-1] in names:
        raise InvalidArchiveError(archive, "it is a folder, and a file has its name", folder.name)
    if folder.size:
        raise InvalidArchiveError(archive, "it is a folder, but has data", folder.name)
    for _ in read_data(file, folder, archive):
        pass


def _with_ends(members: Sequence[Member], archive: str) -> Iterator[Member]:
    """Bound each member by the header after it, so that none can reach into another."""
    if members and members[0].offset:
        raise InvalidArchiveError(archive, "there are bytes before its first member")
    for member, following in zip_longest(members, members[1:]):
        end = following.offset if following else member.end
        least = member.offset + LOCAL_HEADER.size + len(member.raw_name) + member.compressed_size
        if least > end:
            raise InvalidArchiveError(archive, "it overlaps the member after it", member.name)
        # as _replace does it, in a third of the time
        yield Member(*member[:8], end, member.mode)  # type: ignore[call-arg]


def _descriptors(member: Member) -> Iterator[bytes]:
    """Yield every form of a data descriptor (4.3.9): sizes of 4 or 8 bytes, signature or none."""
    for numbers in (struct.Struct("<3L"), struct.Struct("<L2Q")):
        with suppress(struct.error):
            stated = numbers.pack(member.crc, member.compressed_size, member.size)
            yield from (stated, DESCRIPTOR_SIGNATURE + stated)


def _decompressed(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    if member.method == STORED:
        return read_raw(file, member, archive)
    if member.method == DEFLATED:
        return _inflated(file, member, archive)
    return _decoded(file, member, archive)


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


def _decoded(file: BinaryIO, member: Member, archive: str) -> Iterator[bytes]:
    """Decompress a member in one of the rare methods."""
    raw = read_raw(file, member, archive)
    head = next(raw, b"")
    try:
        decompressor, start = _decompressor(member, head)
        for chunk in chain((head[start:],), raw):
            data = decompressor.decompress(chunk, CHUNK)
            while data:
                yield data
                pending = not (decompressor.needs_input or decompressor.eof)
                data = decompressor.decompress(b"", CHUNK) if pending else b""
    except EOFError:
        complete = False
    except _decompression_errors(member.method) as error:
        raise InvalidArchiveError(archive, f"it can't be decompressed ({error})", member.name) from None
    else:
        unmarked = member.method == LZMA and not member.flags & LZMA_END_MARKER
        complete = (decompressor.eof or unmarked) and not decompressor.unused_data
    if not complete:
        raise InvalidArchiveError(archive, "its compressed bytes are fewer or more than stated", member.name)


def _decompressor(member: Member, head: bytes) -> tuple[_Decompressor, int]:
    """Return a decompressor, and how many bytes at the head of the data tell its settings."""
    if member.method == BZIP2:
        import bz2

        return bz2.BZ2Decompressor(), 0
    if member.method == LZMA:
        import lzma

        length, settings, dictionary = LZMA_HEADER.unpack_from(head)
        if length != LZMA_SETTINGS:
            raise ValueError("unknown LZMA settings")
        # no reference reaches further back than the member is long
        dictionary = min(dictionary, max(member.size, LZMA_LEAST_DICTIONARY))
        if dictionary > LZMA_MOST_DICTIONARY:
            raise ValueError(f"it would take {dictionary:,} bytes of memory")
        lzma1 = {
            "id": lzma.FILTER_LZMA1,
            "dict_size": dictionary,
            "lc": settings % 9,
            "lp": settings // 9 % 5,
            "pb": settings // 45,
        }
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1]), LZMA_HEADER.size
    decompressor: _Decompressor = _zstd_module().ZstdDecompressor()
    return decompressor, 0


def _decompression_errors(method: int) -> tuple[type[Exception], ...]:
    if method == LZMA:
        import lzma

        return (lzma.LZMAError, ValueError, struct.error)
    return (_zstd_module().ZstdError,) if method == ZSTANDARD else (OSError,)


def _zstd_module() -> ModuleType:
    """Return Python's own module, which it has since 3.14, or its backport."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
