"""ZIP archives put together byte by byte, sound or not, and taken apart again.

Nothing here is shared with the package, so that both would have to be wrong in the same way.
"""

from __future__ import annotations

import bz2
import struct
import zlib

from dataclasses import dataclass
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from tests.support.wheels import MadeFile
from tests.support.wheels import record


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence


STORED = 0
DEFLATED = 8
BZIP2 = 12
LZMA = 14
ZSTANDARD = 93

ENCRYPTED = 0x1
DESCRIPTOR = 0x8
UTF8 = 0x800

LOCAL = "<4s5H3L2H"
CENTRAL = "<4s6H3L5H2L"
END = "<4s4H2LH"
NEEDED = 20


@dataclass(frozen=True)
class Raw:
    """One member; the fields after `method` are right unless they are given."""

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    compressed: bytes | None = None
    """Compressed bytes, for the methods that this module doesn't know."""
    flags: int = 0
    mode: int = 0o100644
    extra: bytes = b""
    """Extra field of the central header."""
    local_extra: bytes = b""
    comment: bytes = b""
    disk: int = 0
    descriptor: bool = False
    """State CRC and sizes after the data, zeros in the local header."""
    zip64: bool = False
    """State the sizes in ZIP64 fields of both headers."""
    after: bytes = b""
    """Bytes after the data that belong to nothing."""
    stated: Mapping[str, int] = field(default_factory=dict)
    """`crc`, `compressed_size`, `size` or `offset` where both headers lie."""
    local: Mapping[str, Any] = field(default_factory=dict)
    """`signature`, `name`, `method`, `flags`, `crc`, `compressed_size` or `size` of the local header only."""

    @property
    def raw_name(self) -> bytes:
        return self.name.encode() if isinstance(self.name, str) else self.name

    @property
    def packed(self) -> bytes:
        if self.compressed is not None:
            return self.compressed
        if self.method == DEFLATED:
            return deflated(self.data)
        return bz2.compress(self.data) if self.method == BZIP2 else self.data


def deflated(data: bytes) -> bytes:
    """Return raw deflate data."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def zip_bytes(
    members: Sequence[Raw],
    *,
    prefix: bytes = b"",
    comment: bytes = b"",
    suffix: bytes = b"",
    shift: int = 0,
    zip64: bool = False,
    **end: int,
) -> bytes:
    """Put an archive together.

    `prefix` lies before it, `suffix` after it; `shift` is added to every offset; `zip64` adds ZIP64 end
    records; `end` overrides fields of the end record: `disk`, `first_disk`, `disk_count`, `count`,
    `size`, `offset`, `comment_length`.
    """
    body, directory = b"", b""
    for member in members:
        local, central = _headers(member, len(body) + shift)
        body += local
        directory += central
    count = len(members)
    true = {"disk": 0, "first_disk": 0, "disk_count": count, "count": count}
    true |= {"size": len(directory), "offset": len(body) + shift}
    records = b""
    if zip64:
        records = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, *true.values())
        records += struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory) + shift, 1)
        true = dict.fromkeys(true, 0xFFFF) | {"size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    last = struct.pack(END, b"PK\5\6", *({**true, "comment_length": len(comment)} | end).values())
    return prefix + body + directory + records + last + comment + suffix


def _headers(member: Raw, offset: int) -> tuple[bytes, bytes]:
    """Return a member with its local header, and its central header."""
    packed = member.packed
    fields = {"crc": zlib.crc32(member.data), "compressed_size": len(packed), "size": len(member.data)}
    fields |= {"offset": offset, **member.stated}
    offset = fields.pop("offset")
    flags = member.flags | (DESCRIPTOR if member.descriptor else 0)
    common = {"flags": flags, "method": member.method, **fields}
    extra, local_extra = member.extra, member.local_extra
    local: dict[str, Any] = {"signature": b"PK\3\4", "name": member.raw_name, **common}
    if member.descriptor:
        local |= dict.fromkeys(fields, 0)
    if member.zip64:
        sizes = (fields["size"], fields["compressed_size"])
        extra += struct.pack("<2H2Q", 1, 16, *sizes)
        local_extra += struct.pack("<2H2Q", 1, 16, *((0, 0) if member.descriptor else sizes))
        sentinels = {"compressed_size": 0xFFFFFFFF, "size": 0xFFFFFFFF}
        common |= sentinels
        local |= sentinels
    local |= member.local
    header = struct.pack(
        LOCAL,
        local["signature"],
        NEEDED,
        local["flags"],
        local["method"],
        0,
        0x21,
        local["crc"],
        local["compressed_size"],
        local["size"],
        len(local["name"]),
        len(local_extra),
    )
    central = struct.pack(
        CENTRAL,
        b"PK\1\2",
        3 << 8 | NEEDED,
        NEEDED,
        common["flags"],
        common["method"],
        0,
        0x21,
        common["crc"],
        common["compressed_size"],
        common["size"],
        len(member.raw_name),
        len(extra),
        len(member.comment),
        member.disk,
        0,
        member.mode << 16,
        offset,
    )
    descriptor = b""
    if member.descriptor:
        sizes_format = "<4sL2Q" if member.zip64 else "<4s3L"
        descriptor = struct.pack(sizes_format, b"PK\7\10", *fields.values())
    return (
        header + local["name"] + local_extra + packed + descriptor + member.after,
        central + member.raw_name + extra + member.comment,
    )


def raw_wheel(name: str, members: Sequence[Raw], *, version: str = "1.0", **archive: Any) -> MadeFile:
    """Make a wheel of `members` and sound metadata; `archive` goes to `zip_bytes`."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    names = {m.raw_name.decode("utf-8", "replace"): m.data for m in members if not m.raw_name.endswith(b"/")}
    files[f"{info}/RECORD"] = record({**names, **files}, info)
    metadata = [Raw(path, data) for path, data in files.items()]
    return MadeFile(f"{name}-{version}-py3-none-any.whl", zip_bytes([*members, *metadata], **archive))


class Parsed(NamedTuple):
    """A member as the bytes of an archive have it; `local` and `central` are the headers' fields."""

    name: str
    packed: bytes
    local: Header
    central: Header
    attributes: int
    made_by: int
    offset: int

    @property
    def data(self) -> bytes:
        """Return the uncompressed bytes, whose size and CRC-32 are as stated."""
        data = self.packed if self.local.method == STORED else zlib.decompress(self.packed, -zlib.MAX_WBITS)
        assert (len(data), zlib.crc32(data)) == (self.local.size, self.local.crc)
        return data


class Header(NamedTuple):
    """What both headers of a member state."""

    needed: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    compressed_size: int
    size: int
    name_length: int
    extra_length: int


def parse_zip(data: bytes) -> list[Parsed]:
    """Take an archive apart that has no extra fields, comments, ZIP64 records or gaps."""
    signature, disk, first_disk, disk_count, count, size, start, comment = struct.unpack(END, data[-22:])
    assert (signature, disk, first_disk, comment) == (b"PK\5\6", 0, 0, 0)
    assert (disk_count, start + size) == (count, len(data) - 22)
    members = list(_parsed(data, start, count))
    ends = [member.offset + 30 + member.local.name_length + len(member.packed) for member in members]
    assert [member.offset for member in members] == [*chain([0], ends[:-1])][: len(members)]
    assert (ends[-1] if ends else 0) == start
    return members


def _parsed(data: bytes, position: int, count: int) -> Iterator[Parsed]:
    for _ in range(count):
        signature, made_by, *rest = struct.unpack_from(CENTRAL, data, position)
        *common, comment, disk, internal, attributes, offset = rest
        central = Header(*common)
        assert (signature, comment, disk, internal) == (b"PK\1\2", 0, 0, 0)
        position += 46
        name = data[position : position + central.name_length]
        position += central.name_length + central.extra_length
        local_signature, *local_fields = struct.unpack_from(LOCAL, data, offset)
        local = Header(*local_fields)
        assert local_signature == b"PK\3\4"
        start = offset + 30 + local.name_length + local.extra_length
        assert data[offset + 30 : offset + 30 + local.name_length] == name
        packed = data[start : start + local.compressed_size]
        yield Parsed(name.decode(), packed, local, central, attributes, made_by, offset)
