"""Hostile archives as data: each record of the format lied about, one lie a row.

The names of records and fields, and the places of the fields, are those of PKWARE's APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import bz2
import struct
import zlib

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from tests.support.zips import BZIP2
from tests.support.zips import DEFLATED
from tests.support.zips import DESCRIPTOR
from tests.support.zips import LZMA
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import ZSTANDARD
from tests.support.zips import Raw
from tests.support.zips import deflated
from tests.support.zips import raw_wheel
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence


TEXT = b"Some words, some words, and again some words.\n" * 40

LOCAL = b"PK\3\4"
CENTRAL = b"PK\1\2"
END = b"PK\5\6"
ZIP64_END = b"PK\6\6"
ZIP64_LOCATOR = b"PK\6\7"
DATA_DESCRIPTOR = b"PK\7\10"

NO_ZIP = "it is not a ZIP archive, or it is cut off"
MISPLACED = "its central directory is not where it should be"
DAMAGED = "its central directory is damaged"
DIRECTORY_CUT = "its central directory is cut off"
OTHER_SIZE = "its central directory has another size than stated"
AFTER_END = "there are bytes after the end of the archive"
BEFORE_FIRST = "there are bytes before its first member"
SPLIT = "it is split over several files"
NO_ZIP64 = "its ZIP64 records are missing"
TWO_ENDS = "its two end records contradict each other"
LEAVES = "its name could leave the folder it is unpacked to"
NOT_UTF8 = "its name is not UTF-8"
TWICE = "it is in the archive twice"
TWO_NAMES = "it has two names, of which readers may take either"
FILE_AND_FOLDER = "it is a folder, and a file has its name"
FULL_FOLDER = "it is a folder, but has data"
BAD_EXTRA = "its extra fields are damaged"
TWO_EXTRA = "it has two extra fields of one kind, of which readers may take either"
NO_ZIP64_SIZES = "its ZIP64 sizes are missing"
OVERLAPS = "it overlaps the member after it"
TOO_MUCH = "with it there are 18,446,744,073,709,551,615 bytes to unpack, too many for any bundle"
BELONGS_TO_NONE = "after it there are bytes that belong to no member"
LOCAL_CUT = "its local header is cut off"
CONTRADICTS = "its local header contradicts the central directory"
DESCRIPTOR_CONTRADICTS = "its data descriptor contradicts the central directory"
IS_ENCRYPTED = "it is encrypted"
IS_PATCH = "it is a patch of other data"
TWO_SIZES = "it is stored, but its two sizes differ"
WRONG_LENGTH = "its compressed bytes are fewer or more than stated"
BAD_CRC = "its checksum (CRC-32) is wrong"
NO_DATA = "it can't be decompressed ("
"""The rest is the decompressor's own words."""

A, B = Raw("a.py", TEXT), Raw("b.py", TEXT)
SOUND = (A, B)


def unchanged(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Lie:
    """An archive that lies once."""

    name: str
    reason: str
    """What it is refused for; one that ends with a bracket is the beginning only."""
    members: Sequence[Raw] = SOUND
    damage: Callable[[bytes], bytes] = unchanged
    """What is done to the bytes once they are put together."""
    archive: Mapping[str, Any] = field(default_factory=dict)
    """For `zip_bytes`."""
    member: str | None = None
    """The one that is named in the error."""

    @property
    def data(self) -> bytes:
        return self.damage(zip_bytes(self.members, **self.archive))

    @property
    def wheel(self) -> bytes:
        """Return the same lie in what is a wheel in all else."""
        return self.damage(raw_wheel("broken", self.members, **self.archive).data)


def place(data: bytes, record: bytes) -> int:
    """Return where a record is: the end's own are the last ones of their kind, others the first."""
    return data.rindex(record) if record in (END, ZIP64_END, ZIP64_LOCATOR) else data.index(record)


def put(record: bytes, at: int, value: bytes) -> Callable[[bytes], bytes]:
    """Write other bytes over a record's own."""

    def damage(data: bytes) -> bytes:
        start = place(data, record) + at
        return data[:start] + value + data[start + len(value) :]

    return damage


def add(record: bytes, at: int, size: int, by: int) -> Callable[[bytes], bytes]:
    """Add to the number of `size` bytes that a record has at a place."""

    def damage(data: bytes) -> bytes:
        start = place(data, record) + at
        number = int.from_bytes(data[start : start + size], "little") + by
        return data[:start] + number.to_bytes(size, "little") + data[start + size :]

    return damage


def cut(record: bytes, at: int = 0) -> Callable[[bytes], bytes]:
    """End the file at a record, or some bytes into it."""
    return lambda data: data[: place(data, record) + at]


def insert(record: bytes, more: bytes, at: int = 0) -> Callable[[bytes], bytes]:
    """Put bytes before a record, or some bytes into it."""

    def damage(data: bytes) -> bytes:
        start = place(data, record) + at
        return data[:start] + more + data[start:]

    return damage


def extra(kind: int, body: bytes) -> bytes:
    """Return an extra field (4.5.1)."""
    return struct.pack("<2H", kind, len(body)) + body


def unicode_path(name: str, other: str, version: int = 1) -> bytes:
    """Return Info-ZIP's field with a second name (4.6.9)."""
    return extra(0x7075, struct.pack("<BL", version, zlib.crc32(name.encode())) + other.encode())


ZIP64 = {"zip64": True}
ZIP64_SIZES = struct.pack("<2Q", len(TEXT), len(deflated(TEXT)))
ALL_RECORDS = (Raw("a.py", TEXT, descriptor=True), B)


def files_that_are_no_zip() -> Iterator[Lie]:
    yield Lie("empty-file", NO_ZIP, damage=lambda _: b"")
    yield Lie("page-of-a-proxy", NO_ZIP, damage=lambda _: b"<html>502 Bad Gateway</html>")
    yield Lie("signature-alone", NO_ZIP, damage=lambda _: LOCAL)
    yield Lie("gzip", NO_ZIP, damage=lambda data: b"\x1f\x8b\x08" + data[3:-22])
    yield Lie("end-signature-alone", NO_ZIP, damage=lambda _: END)


def cut_off_at_each_record() -> Iterator[Lie]:
    places = {
        "local-header": (LOCAL, 10),
        "local-name": (LOCAL, 31),
        "data": (LOCAL, 50),
        "descriptor": (DATA_DESCRIPTOR, 0),
        "descriptor-middle": (DATA_DESCRIPTOR, 9),
        "directory": (CENTRAL, 0),
        "central-header": (CENTRAL, 20),
        "central-name": (CENTRAL, 47),
        "zip64-end": (ZIP64_END, 0),
        "zip64-end-middle": (ZIP64_END, 30),
        "zip64-locator": (ZIP64_LOCATOR, 0),
        "zip64-locator-middle": (ZIP64_LOCATOR, 12),
        "end-record": (END, 0),
        "end-record-middle": (END, 12),
        "end-record-last-byte": (END, 21),
    }
    for name, (record, at) in places.items():
        yield Lie(f"cut-off-at-{name}", NO_ZIP, ALL_RECORDS, cut(record, at), ZIP64)


def holes_and_additions() -> Iterator[Lie]:
    yield Lie("beginning-missing", MISPLACED, damage=lambda data: data[40:])
    yield Lie("bytes-missing-from-data", MISPLACED, damage=lambda data: data[:50] + data[60:])
    yield Lie("bytes-missing-from-directory", MISPLACED, damage=lambda data: data[:-30] + data[-22:])
    yield Lie("prefix", MISPLACED, archive={"prefix": b"#!/bin/sh\n"})
    yield Lie("prefix-that-offsets-know", BEFORE_FIRST, archive={"prefix": b"#!/bin/sh\n", "shift": 10})
    yield Lie("spanning-marker", BEFORE_FIRST, archive={"prefix": DATA_DESCRIPTOR, "shift": 4})
    yield Lie("byte-after-the-end", AFTER_END, archive={"suffix": b"\n"})
    yield Lie("zeros-after-the-end", AFTER_END, archive={"suffix": bytes(512)})
    yield Lie("two-archives-in-one", MISPLACED, damage=lambda data: data + data)
    yield Lie("archive-in-a-comment", MISPLACED, archive={"comment": zip_bytes([Raw("evil.py", TEXT)])})
    yield Lie("second-end-signature", NO_ZIP, archive={"suffix": END})
    yield Lie("second-end-record", MISPLACED, damage=lambda data: data + data[-22:])
    yield Lie("signature-of-the-directory", MISPLACED, damage=insert(END, b"PK\5\5\0\0"))
    yield Lie("bytes-before-the-directory", MISPLACED, damage=insert(CENTRAL, b"PK\6\10\0\0\0\0"))


def end_records() -> Iterator[Lie]:
    yield Lie("end-disk", SPLIT, damage=add(END, 4, 2, 1))
    yield Lie("end-first-disk", SPLIT, damage=add(END, 6, 2, 1))
    yield Lie("end-count-on-disk", SPLIT, damage=add(END, 8, 2, -1))
    yield Lie("end-count", SPLIT, damage=add(END, 10, 2, 1))
    yield Lie("end-counts-too-low", OTHER_SIZE, damage=add(END, 8, 4, -0x10001))
    yield Lie("end-counts-too-high", DIRECTORY_CUT, damage=add(END, 8, 4, 0x10001))
    yield Lie("end-counts-nothing", OTHER_SIZE, damage=put(END, 8, bytes(4)))
    yield Lie("end-size", MISPLACED, damage=add(END, 12, 4, -1))
    yield Lie("end-size-of-4-gb", MISPLACED, damage=put(END, 12, b"\xff" * 4))
    yield Lie("end-offset", MISPLACED, damage=add(END, 16, 4, 1))
    yield Lie("end-offset-of-zero", MISPLACED, damage=put(END, 16, bytes(4)))
    yield Lie("end-comment-longer-than-stated", AFTER_END, archive={"comment": b"words", "comment_length": 3})
    yield Lie(
        "end-comment-shorter-than-stated", AFTER_END, archive={"comment": b"words", "comment_length": 9}
    )


def zip64_end_records() -> Iterator[Lie]:
    def lie(name: str, reason: str, damage: Callable[[bytes], bytes]) -> Lie:
        return Lie(f"zip64-{name}", reason, damage=damage, archive=ZIP64)

    yield lie("end-signature", NO_ZIP64, put(ZIP64_END, 0, b"PK\6\5"))
    yield lie("end-length", NO_ZIP64, add(ZIP64_END, 4, 8, 1))
    yield lie("end-length-of-nothing", NO_ZIP64, put(ZIP64_END, 4, bytes(8)))
    yield lie("end-disk", SPLIT, add(ZIP64_END, 16, 4, 1))
    yield lie("end-first-disk", SPLIT, add(ZIP64_END, 20, 4, 1))
    yield lie("end-count-on-disk", SPLIT, add(ZIP64_END, 24, 8, 1))
    yield lie("end-count", SPLIT, add(ZIP64_END, 32, 8, 1))
    yield lie("end-size", MISPLACED, add(ZIP64_END, 40, 8, -1))
    yield lie("end-size-of-everything", MISPLACED, put(ZIP64_END, 40, b"\xff" * 8))
    yield lie("end-offset", MISPLACED, add(ZIP64_END, 48, 8, -1))
    yield lie("locator-signature", SPLIT, put(ZIP64_LOCATOR, 0, b"PK\6\5"))
    yield lie("locator-disk", SPLIT, add(ZIP64_LOCATOR, 4, 4, 1))
    yield lie("locator-disks", SPLIT, add(ZIP64_LOCATOR, 16, 4, 1))
    yield lie("locator-offset", NO_ZIP64, add(ZIP64_LOCATOR, 8, 8, -1))
    yield lie("locator-far-away", NO_ZIP64, put(ZIP64_LOCATOR, 8, b"\xff" * 8))
    yield lie("end-records-of-two-offsets", TWO_ENDS, put(END, 16, bytes(4)))
    yield lie("end-records-of-two-sizes", TWO_ENDS, put(END, 12, bytes(4)))
    yield lie("end-records-of-two-counts", TWO_ENDS, put(END, 8, bytes(4)))
    yield lie("end-records-of-two-disks", TWO_ENDS, put(END, 4, b"\2\0"))


def central_headers() -> Iterator[Lie]:
    def lie(name: str, reason: str, damage: Callable[[bytes], bytes], member: str | None = "a.py") -> Lie:
        return Lie(f"central-{name}", reason, damage=damage, member=member)

    yield lie("signature", DAMAGED, put(CENTRAL, 0, b"PK\1\1"), None)
    yield lie("flag-encrypted", IS_ENCRYPTED, put(CENTRAL, 8, b"\1\0"))
    yield lie("flag-strongly-encrypted", IS_ENCRYPTED, put(CENTRAL, 8, b"\x41\0"))
    yield lie("flag-directory-encrypted", IS_ENCRYPTED, put(CENTRAL, 8, b"\0\x20"))
    yield lie("flag-patch", IS_PATCH, put(CENTRAL, 8, b"\x20\0"))
    yield lie("flag-descriptor", CONTRADICTS, put(CENTRAL, 8, b"\x08\0"))
    yield lie("method-stored", TWO_SIZES, put(CENTRAL, 10, b"\0\0"))
    for method in (1, 6, 9, 95, 99, 0xFFFF):
        reason = f"it has an unknown compression method ({method})"
        yield lie(f"method-{method}", reason, put(CENTRAL, 10, struct.pack("<H", method)))
    yield lie("method-other", CONTRADICTS, put(CENTRAL, 10, b"\x0c\0"))
    yield lie("crc", CONTRADICTS, add(CENTRAL, 16, 4, -1))
    yield lie("compressed-size", CONTRADICTS, add(CENTRAL, 20, 4, -1))
    yield lie("compressed-size-reaches-into-the-next", OVERLAPS, put(CENTRAL, 20, b"\0\1\0\0"))
    yield lie("size", CONTRADICTS, add(CENTRAL, 24, 4, 1))
    yield lie("size-left-to-zip64", NO_ZIP64_SIZES, put(CENTRAL, 24, b"\xff" * 4))
    yield lie("compressed-size-left-to-zip64", NO_ZIP64_SIZES, put(CENTRAL, 20, b"\xff" * 4))
    yield lie("offset-left-to-zip64", NO_ZIP64_SIZES, put(CENTRAL, 42, b"\xff" * 4))
    yield lie("name-length", DAMAGED, add(CENTRAL, 28, 2, -1), None)
    yield lie("extra-length", DAMAGED, add(CENTRAL, 30, 2, 1), None)
    yield lie("comment-length", DAMAGED, add(CENTRAL, 32, 2, 1), None)
    yield lie("comment-length-past-the-end", DIRECTORY_CUT, put(CENTRAL, 32, b"\xff" * 2), None)
    yield lie("disk", SPLIT, put(CENTRAL, 34, b"\1\0"))
    yield lie("offset", BEFORE_FIRST, put(CENTRAL, 42, b"\1\0\0\0"), None)
    yield lie("offset-past-the-end", BEFORE_FIRST, put(CENTRAL, 42, b"\0\0\0\1"), None)
    yield lie("name", CONTRADICTS, put(CENTRAL, 46, b"c.py"), "c.py")


def local_headers() -> Iterator[Lie]:
    def lie(name: str, damage: Callable[[bytes], bytes], reason: str = CONTRADICTS) -> Lie:
        return Lie(f"local-{name}", reason, damage=damage, member="a.py")

    yield lie("signature", put(LOCAL, 0, b"PK\3\5"))
    yield lie("flag-encrypted", put(LOCAL, 6, b"\1\0"))
    yield lie("flag-descriptor", put(LOCAL, 6, b"\x08\0"))
    yield lie("flag-patch", put(LOCAL, 6, b"\x20\0"))
    yield lie("method", put(LOCAL, 8, b"\0\0"))
    yield lie("crc", add(LOCAL, 14, 4, -1))
    yield lie("compressed-size", add(LOCAL, 18, 4, -1))
    yield lie("size", add(LOCAL, 22, 4, 1))
    yield lie("no-sizes", put(LOCAL, 14, bytes(12)))
    yield lie("size-left-to-zip64", put(LOCAL, 22, b"\xff" * 4), NO_ZIP64_SIZES)
    yield lie("name-length", add(LOCAL, 26, 2, -1))
    yield lie("extra-length", add(LOCAL, 28, 2, 1), OVERLAPS)
    yield lie("name", put(LOCAL, 30, b"c.py"))
    yield lie("name-in-capitals", put(LOCAL, 30, b"A.PY"))
    yield lie("name-outside", put(LOCAL, 30, b"../a"))
    accented = Raw("é.py", TEXT, flags=UTF8, local={"flags": 0})
    yield Lie("local-flag-utf8", CONTRADICTS, (accented, B), member="é.py")
    shorter = Raw("a.py", TEXT, descriptor=True, local={"flags": 0})
    yield Lie("local-flag-no-descriptor", CONTRADICTS, (shorter, B), member="a.py")
    beside = Raw("a.py", TEXT, descriptor=True, local={"size": 1})
    yield Lie("local-size-beside-descriptor", CONTRADICTS, (beside, B), member="a.py")


def data_descriptors() -> Iterator[Lie]:
    def lie(name: str, damage: Callable[[bytes], bytes], **fields: Any) -> Lie:
        member = Raw("a.py", TEXT, descriptor=True, **fields)
        return Lie(f"descriptor-{name}", DESCRIPTOR_CONTRADICTS, (member, B), damage, member="a.py")

    yield lie("signature", put(DATA_DESCRIPTOR, 0, b"PK\7\7"))
    yield lie("crc", add(DATA_DESCRIPTOR, 4, 4, -1))
    yield lie("compressed-size", add(DATA_DESCRIPTOR, 8, 4, -1))
    yield lie("size", add(DATA_DESCRIPTOR, 12, 4, 1))
    yield lie("zip64-size", add(DATA_DESCRIPTOR, 16, 8, 1), zip64=True)
    yield lie("longer", unchanged, after=b"more")
    missing = Raw("a.py", TEXT, flags=DESCRIPTOR)
    yield Lie("descriptor-missing", DESCRIPTOR_CONTRADICTS, (missing, B), member="a.py")
    hidden = Raw("a.py", TEXT, flags=DESCRIPTOR, after=LOCAL + bytes(8))
    yield Lie("descriptor-that-is-a-header", DESCRIPTOR_CONTRADICTS, (hidden, B), member="a.py")
    followed = Raw("a.py", TEXT, descriptor=True, after=b"more than one")
    yield Lie("descriptor-and-more", BELONGS_TO_NONE, (followed, B), member="a.py")


def extra_fields() -> Iterator[Lie]:
    def lie(name: str, reason: str, **fields: Any) -> Lie:
        return Lie(f"extra-{name}", reason, (Raw("a.py", TEXT, **fields), B), member="a.py")

    size = {"size": 0xFFFFFFFF}
    both = {**size, "compressed_size": 0xFFFFFFFF}
    wrong = extra(1, struct.pack("<2Q", len(TEXT) + 1, len(deflated(TEXT))))
    yield lie("zip64-local-lies", CONTRADICTS, local_extra=wrong, local=both)
    yield lie("zip64-of-size-alone", NO_ZIP64_SIZES, extra=extra(1, ZIP64_SIZES[:8]), stated=both)
    yield lie("zip64-cut-off", NO_ZIP64_SIZES, extra=extra(1, b"\5\0\0\0"), stated=size)
    yield lie("zip64-local-cut-off", NO_ZIP64_SIZES, local_extra=extra(1, b"\5\0\0\0"), local=size)
    yield lie("zip64-of-everything", TOO_MUCH, extra=extra(1, b"\xff" * 16), stated=both)
    yield lie("zip64-twice", TWO_EXTRA, extra=extra(1, ZIP64_SIZES) * 2, stated=both)
    yield lie("zip64-local-twice", TWO_EXTRA, local_extra=extra(1, ZIP64_SIZES) + wrong, local=both)
    yield lie("past-its-end", BAD_EXTRA, extra=b"UT\xff\0\1abcd")
    yield lie("local-past-its-end", BAD_EXTRA, local_extra=b"UT\xff\0\1abcd")
    other = unicode_path("a.py", "evil.py")
    yield lie("second-name", TWO_NAMES, extra=other)
    yield lie("second-name-outside", TWO_NAMES, extra=unicode_path("a.py", "../evil.py"))
    yield lie("second-name-of-another-version", TWO_NAMES, extra=unicode_path("a.py", "evil.py", 2))
    yield lie("second-name-cut-off", TWO_NAMES, extra=extra(0x7075, b"\1"))
    yield lie("local-second-name", TWO_NAMES, local_extra=other)
    yield lie("third-name", TWO_EXTRA, extra=unicode_path("a.py", "a.py") + other)


NAMES_OUTSIDE = {
    "parent": "../evil.py",
    "parent-below": "a/../../evil.py",
    "parent-at-the-end": "a/..",
    "parent-alone": "..",
    "parent-that-stays-inside": "a/../evil.py",
    "absolute": "/etc/passwd",
    "root": "/",
    "network": "//host/share",
    "drive": "C:/evil.py",
    "drive-relative": "c:evil.py",
    "backslash": "a\\evil.py",
    "backslash-parent": "..\\evil.py",
    "backslash-network": "\\\\host\\share",
    "nul": "evil.py\0.txt",
    "nul-at-the-end": "evil.py\0",
    "dot": "./evil.py",
    "dot-inside": "a/./evil.py",
    "two-slashes": "a//evil.py",
    "folder-outside": "../evil/",
    "folder-absolute": "/evil/",
    "nothing": "",
}


def names() -> Iterator[Lie]:
    for name, path in NAMES_OUTSIDE.items():
        yield Lie(f"name-{name}", LEAVES, (A, Raw(path)), member=path)
    for name, raw in (
        ("latin-1", b"caf\xe9.py"),
        ("overlong", b"\xc0\xae\xc0\xae/a"),
        ("surrogate", b"\xed\xb0\x80"),
    ):
        yield Lie(f"name-in-{name}", NOT_UTF8, (A, Raw(raw, flags=UTF8)), member=repr(raw))
    yield Lie("name-twice", TWICE, (A, B, Raw("a.py", b"evil")), member="a.py")
    accented = (Raw("é.py", flags=UTF8), Raw("é.py".encode("cp437")))
    yield Lie("name-twice-in-two-encodings", TWICE, accented, member="é.py")
    yield Lie("folder-twice", TWICE, (Raw("d/", method=STORED), Raw("d/", method=STORED)), member="d/")
    yield Lie("folder-and-file", FILE_AND_FOLDER, (Raw("d"), Raw("d/", method=STORED)), member="d/")
    yield Lie("folder-with-data", FULL_FOLDER, (Raw("d/", TEXT), B), member="d/")
    hiding = Raw("d/", method=STORED, local={"name": b"e."})
    yield Lie("folder-that-is-a-file-to-streams", CONTRADICTS, (hiding, B), member="d/")
    gap = Raw("d/", method=STORED, after=LOCAL)
    yield Lie("folder-with-bytes-behind", BELONGS_TO_NONE, (gap, B), member="d/")


def overlaps_and_gaps() -> Iterator[Lie]:
    long = {"compressed_size": 900, "size": 900}
    yield Lie("overlap-same-offset", OVERLAPS, (A, Raw("b.py", TEXT, stated={"offset": 0})), member="a.py")
    into_next = (Raw("a.py", b"x" * 9, STORED, stated=long), Raw("b.py", TEXT, STORED))
    yield Lie("overlap-into-the-next", OVERLAPS, into_next, member="a.py")
    inner = deflated(TEXT)
    quoted = (Raw("a.py", inner * 2, STORED), Raw("b.py", TEXT, stated={"offset": 40}))
    yield Lie("overlap-quoted", OVERLAPS, quoted, member="a.py")
    yield Lie(
        "offset-of-a-member-past-the-end",
        OVERLAPS,
        (A, Raw("b.py", TEXT, stated={"offset": 1 << 20})),
        member="b.py",
    )
    yield Lie("hidden-bytes", BELONGS_TO_NONE, (Raw("a.py", TEXT, after=b"hidden"), B), member="a.py")
    hidden = LOCAL + b"hidden member"
    yield Lie("hidden-member", BELONGS_TO_NONE, (A, Raw("b.py", TEXT, after=hidden)), member="b.py")
    yield Lie("hidden-in-zeros", BELONGS_TO_NONE, (Raw("a.py", TEXT, after=bytes(1)), B), member="a.py")


def sizes_and_checksums() -> Iterator[Lie]:
    def lie(name: str, reason: str, method: int = DEFLATED, **stated: int) -> Lie:
        return Lie(f"stated-{name}", reason, (Raw("a.py", TEXT, method, stated=stated), B), member="a.py")

    yield lie("crc", BAD_CRC, crc=1)
    yield lie("crc-of-stored", BAD_CRC, STORED, crc=1)
    yield lie("crc-of-bzip2", BAD_CRC, BZIP2, crc=1)
    yield lie("size-too-small", "it is larger than the 10 bytes stated", size=10)
    yield lie("size-of-nothing", "it is larger than the 0 bytes stated", size=0)
    yield lie("size-too-large", "it is 3 bytes smaller than stated", size=len(TEXT) + 3)
    yield lie("size-of-stored", TWO_SIZES, STORED, size=5)
    yield lie("size-of-bzip2-too-small", "it is larger than the 9 bytes stated", BZIP2, size=9)
    yield lie("size-of-bzip2-too-large", "it is 1 bytes smaller than stated", BZIP2, size=len(TEXT) + 1)
    large = f"it is {(1 << 31) - len(TEXT)} bytes smaller than stated"
    yield lie("size-of-2-gb", large, size=1 << 31)
    bomb = Raw("a.py", bytes(20 << 20), stated={"size": 10})
    yield Lie("bomb-that-states-10-bytes", "it is larger than the 10 bytes stated", (bomb, B), member="a.py")
    bomb = Raw("a.py", bytes(20 << 20), BZIP2, stated={"size": 10})
    yield Lie("bomb-of-bzip2", "it is larger than the 10 bytes stated", (bomb, B), member="a.py")


def compressed_data() -> Iterator[Lie]:
    def lie(name: str, reason: str, method: int, compressed: bytes) -> Lie:
        return Lie(f"data-{name}", reason, (Raw("a.py", TEXT, method, compressed), B), member="a.py")

    packed, bzipped = deflated(TEXT), bz2.compress(TEXT)
    yield lie("deflate-cut-off", WRONG_LENGTH, DEFLATED, packed[:-4])
    yield lie("deflate-and-more", WRONG_LENGTH, DEFLATED, packed + b"more")
    yield lie("deflate-twice", WRONG_LENGTH, DEFLATED, packed * 2)
    yield lie("deflate-of-no-bytes", WRONG_LENGTH, DEFLATED, b"")
    yield lie("deflate-damaged", NO_DATA, DEFLATED, b"\xff" + packed[1:])
    yield lie("deflate-with-zlib-header", NO_DATA, DEFLATED, zlib.compress(TEXT))
    yield lie("bzip2-cut-off", WRONG_LENGTH, BZIP2, bzipped[:-5])
    yield lie("bzip2-and-more", WRONG_LENGTH, BZIP2, bzipped + b"more")
    yield lie("bzip2-twice", WRONG_LENGTH, BZIP2, bzipped * 2)
    yield lie("bzip2-damaged", NO_DATA, BZIP2, b"no bzip2 at all")
    yield lie("lzma-settings", NO_DATA, LZMA, b"\x09\x04\x05\x00\xff\x00\x00\x01\x00" + b"x" * 40)
    yield lie("lzma-settings-length", NO_DATA, LZMA, b"\x09\x04\x06\x00]\x00\x00\x01\x00\x00" + b"x" * 40)
    yield lie("lzma-damaged", NO_DATA, LZMA, b"\x09\x04\x05\x00]\x00\x00\x01\x00" + b"x" * 40)
    yield lie("lzma-header-cut-off", NO_DATA, LZMA, b"\x09\x04")
    yield lie("lzma-of-no-bytes", NO_DATA, LZMA, b"")
    yield lie("zstandard-damaged", NO_DATA, ZSTANDARD, b"no Zstandard at all")
    yield lie("zstandard-of-no-bytes", WRONG_LENGTH, ZSTANDARD, b"")


ARCHIVES: tuple[Lie, ...] = (
    *files_that_are_no_zip(),
    *cut_off_at_each_record(),
    *holes_and_additions(),
    *end_records(),
    *zip64_end_records(),
    *central_headers(),
    *local_headers(),
    *data_descriptors(),
    *extra_fields(),
    *names(),
    *overlaps_and_gaps(),
    *sizes_and_checksums(),
    *compressed_data(),
)
