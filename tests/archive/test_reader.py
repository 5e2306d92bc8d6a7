"""What is read from a ZIP archive, and what is refused."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib

from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.reader import verify
from tests.support.zips import BZIP2
from tests.support.zips import DEFLATED
from tests.support.zips import ENCRYPTED
from tests.support.zips import LZMA
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import ZSTANDARD
from tests.support.zips import Raw
from tests.support.zips import deflated
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path


TEXT = b"Some words, some words, and again some words.\n" * 40
REMEDY = "The file can't be trusted: ask its publisher for a sound one, or lock another version."

IS_CUT_OFF = "it is not a ZIP archive, or it is cut off"
CONTRADICTS = "its local header contradicts the central directory"
LEAVES = "its name could leave the folder it is unpacked to"
MISPLACED = "its central directory is not where it should be"
SPLIT = "it is split over several files"
WRONG_LENGTH = "its compressed bytes are fewer or more than stated"


def read(folder: Path, data: bytes) -> dict[str, bytes]:
    """Return what an archive holds, every byte of it checked."""
    path = folder / "a.zip"
    path.write_bytes(data)
    members = read_members(path)
    verify(path, members)
    with path.open("rb") as file:
        return {member.name: b"".join(read_data(file, member, path.name)) for member in members}


def refusal(folder: Path, data: bytes) -> tuple[str | None, str]:
    """Return the member and the reason of the refusal."""
    with pytest.raises(InvalidArchiveError) as caught:
        read(folder, data)
    where = "a.zip" if caught.value.member is None else f"a.zip, member {caught.value.member!r}"
    assert str(caught.value) == f"{where}: {caught.value.reason}. {REMEDY}"
    return caught.value.member, caught.value.reason


BZIPPED = Raw("a", TEXT, BZIP2).packed
BAD_CRC = "its checksum (CRC-32) is wrong"
ZIP64_SIZE_ALONE = struct.pack("<2HQ", 1, 8, 5)
SOUND = zip_bytes([Raw("a.py", TEXT), Raw("b.py", TEXT)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", IS_CUT_OFF, id="empty-file"),
        pytest.param(b"<html>502 Bad Gateway</html>", IS_CUT_OFF, id="no-zip"),
        pytest.param(b"PK\3\4", IS_CUT_OFF, id="signature-alone"),
        pytest.param(SOUND[:-1], IS_CUT_OFF, id="last-byte-missing"),
        pytest.param(SOUND[:-22], IS_CUT_OFF, id="end-record-missing"),
        pytest.param(SOUND[:-60], IS_CUT_OFF, id="cut-in-central-directory"),
        pytest.param(SOUND[:100], IS_CUT_OFF, id="cut-in-data"),
        pytest.param(SOUND[:50] + SOUND[60:], MISPLACED, id="bytes-missing-from-the-middle"),
        pytest.param(SOUND[:-30] + SOUND[-22:], MISPLACED, id="bytes-missing-from-the-directory"),
        pytest.param(SOUND[40:], MISPLACED, id="beginning-missing"),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], suffix=b"\n"),
            "there are bytes after the end of the archive",
            id="byte-after-the-end",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], comment=b"words", comment_length=9),
            "there are bytes after the end of the archive",
            id="comment-shorter-than-stated",
        ),
        pytest.param(SOUND + b"PK\5\6", IS_CUT_OFF, id="second-end-signature"),
        pytest.param(zip_bytes([Raw("a", TEXT)], prefix=b"#!/bin/sh\n"), MISPLACED, id="prefix"),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], prefix=b"#!/bin/sh\n", shift=10),
            "there are bytes before its first member",
            id="prefix-that-offsets-know",
        ),
        pytest.param(zip_bytes([Raw("a", TEXT)], disk=1), SPLIT, id="split-this-disk"),
        pytest.param(zip_bytes([Raw("a", TEXT)], first_disk=1), SPLIT, id="split-first-disk"),
        pytest.param(zip_bytes([Raw("a", TEXT)], disk_count=0), SPLIT, id="split-count"),
        pytest.param(
            zip_bytes([Raw("a", TEXT), Raw("b")], count=1, disk_count=1),
            "its central directory has another size than stated",
            id="more-members-than-counted",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], count=2, disk_count=2),
            "its central directory is cut off",
            id="fewer-members-than-counted",
        ),
        pytest.param(zip_bytes([Raw("a", TEXT)], offset=0), MISPLACED, id="directory-offset"),
        pytest.param(zip_bytes([Raw("a", TEXT)], size=1), MISPLACED, id="directory-size"),
        pytest.param(
            zip_bytes([Raw("a", TEXT)]).replace(b"PK\1\2", b"PK\1\1"),
            "its central directory is damaged",
            id="directory-signature",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True, offset=0),
            "its two end records contradict each other",
            id="end-records-contradict",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True, count=7, disk_count=7),
            "its two end records contradict each other",
            id="end-records-count-differently",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True).replace(b"PK\6\6", b"PK\6\5"),
            "its ZIP64 records are missing",
            id="zip64-end-signature",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True).replace(b"PK\6\7", b"PK\6\5"),
            SPLIT,
            id="zip64-locator-missing",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True).replace(struct.pack("<Q", 44), struct.pack("<Q", 45)),
            "its ZIP64 records are missing",
            id="zip64-end-of-another-length",
        ),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True)[:-34] + b"\xff" * 8 + zip_bytes([], zip64=True)[-26:],
            "its ZIP64 records are missing",
            id="zip64-locator-points-far-away",
        ),
    ],
)
def test_refuses_archive_as_a_whole(tmp_path: Path, data: bytes, reason: str) -> None:
    """An archive whose frame is damaged or ambiguous is refused without naming a member."""
    assert refusal(tmp_path, data) == (None, reason)


@pytest.mark.parametrize(
    "name",
    [
        "../a.py",
        "a/../../b.py",
        "a/..",
        "..",
        "/etc/passwd",
        "//host/share",
        "C:/a.py",
        "c:a.py",
        "a\\b.py",
        "..\\a.py",
        "a.py\0.txt",
        "./a.py",
        "a//b.py",
        "a/./b.py",
        "/",
    ],
)
def test_refuses_name_outside_the_root(tmp_path: Path, name: str) -> None:
    """A name that some system could take for a place outside the folder, or twice the same, is refused."""
    assert refusal(tmp_path, zip_bytes([Raw("fine.py"), Raw(name)])) == (name, LEAVES)


def test_refuses_member_without_a_name(tmp_path: Path) -> None:
    """An empty name is no file."""
    assert refusal(tmp_path, zip_bytes([Raw("")])) == ("", LEAVES)


def test_refuses_name_that_is_not_the_utf8_it_claims(tmp_path: Path) -> None:
    """A name with the UTF-8 flag and other bytes is refused, and shown with its bytes."""
    member, reason = refusal(tmp_path, zip_bytes([Raw(b"caf\xe9.py", flags=UTF8)]))

    assert (member, reason) == ("b'caf\\xe9.py'", "its name is not UTF-8")


def test_refuses_repeated_name(tmp_path: Path) -> None:
    """Of two members with one name, readers would pick either."""
    data = zip_bytes([Raw("a.py", b"good"), Raw("b.py"), Raw("a.py", b"evil")])

    assert refusal(tmp_path, data) == ("a.py", "it is in the archive twice")


def test_refuses_name_repeated_in_another_encoding(tmp_path: Path) -> None:
    """Names are compared as they will be written, not as bytes."""
    data = zip_bytes([Raw("é.py", flags=UTF8), Raw("é.py".encode("cp437"))])

    assert refusal(tmp_path, data) == ("é.py", "it is in the archive twice")


@pytest.mark.parametrize(
    ("members", "refused"),
    [
        pytest.param(
            [Raw("a", TEXT), Raw("b", TEXT, stated={"offset": 0})],
            ("a", "it overlaps the member after it"),
            id="same-offset",
        ),
        pytest.param(
            [Raw("a", b"x" * 9, STORED, stated={"compressed_size": 90, "size": 90}), Raw("b", TEXT, STORED)],
            ("a", "it overlaps the member after it"),
            id="size-reaches-into-the-next",
        ),
        pytest.param(
            [Raw("a", b"x" * 9, STORED, stated={"compressed_size": 90, "size": 90})],
            ("a", "it overlaps the member after it"),
            id="size-reaches-into-the-directory",
        ),
        pytest.param(
            [Raw("a", TEXT), Raw("b", TEXT, stated={"offset": 1 << 20})],
            ("b", "it overlaps the member after it"),
            id="offset-past-the-end",
        ),
        pytest.param(
            [Raw("a", TEXT, after=b"hidden"), Raw("b")],
            ("a", "after it there are bytes that belong to no member"),
            id="bytes-between-members",
        ),
        pytest.param(
            [Raw("a"), Raw("b", TEXT, after=b"PK\3\4")],
            ("b", "after it there are bytes that belong to no member"),
            id="bytes-before-the-directory",
        ),
    ],
)
def test_refuses_members_not_side_by_side(
    tmp_path: Path, members: list[Raw], refused: tuple[str, str]
) -> None:
    """Each byte before the central directory belongs to exactly one member."""
    assert refusal(tmp_path, zip_bytes(members)) == refused


def test_refuses_local_extra_field_that_reaches_into_the_next_member(tmp_path: Path) -> None:
    """A local header can't push its data into another member."""
    data = bytearray(zip_bytes([Raw("a", TEXT), Raw("b", TEXT)]))
    struct.pack_into("<H", data, 28, 40)

    assert refusal(tmp_path, bytes(data)) == ("a", "it overlaps the member after it")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        pytest.param(Raw("a", TEXT, flags=ENCRYPTED), "it is encrypted", id="encrypted"),
        pytest.param(Raw("a", TEXT, flags=0x41), "it is encrypted", id="strongly-encrypted"),
        pytest.param(Raw("a", TEXT, flags=0x2000), "it is encrypted", id="directory-encrypted"),
        pytest.param(Raw("a", TEXT, method=9), "it has an unknown compression method (9)", id="deflate64"),
        pytest.param(Raw("a", TEXT, method=99), "it has an unknown compression method (99)", id="aes"),
        pytest.param(Raw("a", TEXT, disk=1), SPLIT, id="on-another-disk"),
        pytest.param(
            Raw("a", TEXT, STORED, stated={"size": 5}),
            "it is stored, but its two sizes differ",
            id="stored-with-two-sizes",
        ),
        pytest.param(
            Raw("a", TEXT, stated={"size": 0xFFFFFFFF}),
            "its ZIP64 sizes are missing",
            id="zip64-size-missing",
        ),
        pytest.param(
            Raw("a", TEXT, extra=ZIP64_SIZE_ALONE, stated={"offset": 0xFFFFFFFF, "size": 0xFFFFFFFF}),
            "its ZIP64 sizes are missing",
            id="zip64-offset-missing",
        ),
    ],
)
def test_refuses_member_by_its_directory_entry(tmp_path: Path, member: Raw, reason: str) -> None:
    """What can't be unpacked with certainty is refused before its data is touched."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes([member]))

    with pytest.raises(InvalidArchiveError) as caught:
        read_members(path)

    assert (caught.value.member, caught.value.reason) == ("a", reason)


ZIP64_LIE = struct.pack("<2H2Q", 1, 16, len(TEXT) + 1, len(deflated(TEXT)))


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(Raw("a", TEXT, local={"signature": b"PK\3\5"}), id="signature"),
        pytest.param(Raw("a", TEXT, local={"name": b"b"}), id="name"),
        pytest.param(Raw("a", TEXT, local={"name": b"A"}), id="name-in-capitals"),
        pytest.param(Raw("a", TEXT, local={"method": STORED}), id="method"),
        pytest.param(Raw("a", TEXT, local={"flags": ENCRYPTED}), id="flag-encrypted"),
        pytest.param(Raw("a", TEXT, local={"flags": 0x8}), id="flag-descriptor"),
        pytest.param(Raw("a", TEXT, descriptor=True, local={"flags": 0}), id="flag-no-descriptor"),
        pytest.param(Raw("é", TEXT, flags=UTF8, local={"flags": 0}), id="flag-utf8"),
        pytest.param(Raw("a", TEXT, local={"crc": 1}), id="crc"),
        pytest.param(Raw("a", TEXT, local={"size": 1}), id="size"),
        pytest.param(Raw("a", TEXT, local={"compressed_size": 1}), id="compressed-size"),
        pytest.param(Raw("a", TEXT, local={"crc": 0, "compressed_size": 0, "size": 0}), id="zeros"),
        pytest.param(Raw("a", TEXT, descriptor=True, local={"size": 1}), id="size-beside-descriptor"),
        pytest.param(
            Raw("a", TEXT, local_extra=ZIP64_LIE, local={"size": 0xFFFFFFFF, "compressed_size": 0xFFFFFFFF}),
            id="zip64-size",
        ),
    ],
)
def test_refuses_local_header_that_contradicts(tmp_path: Path, member: Raw) -> None:
    """What one reader would take from the local header must be what another takes from the directory."""
    name = member.raw_name.decode()

    assert refusal(tmp_path, zip_bytes([Raw("first"), member])) == (name, CONTRADICTS)


def test_refuses_dictionary_that_takes_all_memory(tmp_path: Path) -> None:
    """LZMA's memory is what its header asks for, at most what the member needs."""
    header = b"\x09\x04\x05\x00]\xff\xff\xff\xff"
    member = Raw("a", b"", LZMA, compressed=header + b"x" * 40, stated={"size": 3 << 30})

    assert refusal(tmp_path, zip_bytes([member])) == (
        "a",
        "it can't be decompressed (it would take 3,221,225,472 bytes of memory)",
    )


GB = 1 << 30


@pytest.mark.parametrize(
    ("sizes", "member", "unpacked"),
    [
        pytest.param([32 * GB], "0", "34,359,738,368", id="one"),
        pytest.param([4 * GB - 1], "0", "4,294,967,295", id="one-that-no-bundle-holds"),
        pytest.param([7, 3 * GB, 3 * GB, 3 * GB, 3 * GB], "4", "12,884,901,895", id="together"),
    ],
)
def test_refuses_what_unpacks_to_too_much(
    tmp_path: Path, sizes: list[int], member: str, unpacked: str
) -> None:
    """Sizes are summed up before anything is unpacked."""
    path = tmp_path / "a.zip"
    members = [Raw(str(n), b"x", zip64=True, stated={"size": size}) for n, size in enumerate(sizes)]
    path.write_bytes(zip_bytes(members))

    with pytest.raises(InvalidArchiveError) as caught:
        read_members(path)

    assert (caught.value.member, caught.value.reason) == (
        member,
        f"with it there are {unpacked} bytes to unpack, too many for any bundle",
    )


def test_reads_what_unpacks_to_as_much_as_lambda_takes(tmp_path: Path) -> None:
    """Whoever states 10 GB in all may mean it."""
    path = tmp_path / "a.zip"
    members = [Raw(str(n), b"x", zip64=True, stated={"size": 2 * GB}) for n in range(5)]
    path.write_bytes(zip_bytes(members))

    assert sum(member.size for member in read_members(path)) == 10 * GB


def test_refuses_central_directory_that_is_too_large(tmp_path: Path) -> None:
    """It is read whole, so that it must not be as large as the archive allows."""
    data = zip_bytes([Raw("a", comment=b"c" * 65_000)] * 520)

    assert refusal(tmp_path, data) == (
        None,
        f"its central directory has {520 * 65_047:,} bytes, too many for any bundle",
    )


def test_refuses_local_header_without_its_zip64_sizes(tmp_path: Path) -> None:
    """A local header that leaves its sizes to a field must have that field."""
    data = zip_bytes([Raw("a", TEXT, local={"size": 0xFFFFFFFF})])

    assert refusal(tmp_path, data) == ("a", "its ZIP64 sizes are missing")


BROKEN_DEFLATE = b"\xff" + deflated(TEXT)[1:]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        pytest.param(Raw("a", TEXT, stated={"crc": 1}), BAD_CRC, id="crc"),
        pytest.param(Raw("a", TEXT, STORED, stated={"crc": 1}), BAD_CRC, id="crc-of-stored"),
        pytest.param(
            Raw("a", TEXT, stated={"size": 10}), "it is larger than the 10 bytes stated", id="size-too-small"
        ),
        pytest.param(
            Raw("a", TEXT, stated={"size": 0}), "it is larger than the 0 bytes stated", id="size-of-nothing"
        ),
        pytest.param(
            Raw("a", TEXT, stated={"size": len(TEXT) + 3}),
            "it is 3 bytes smaller than stated",
            id="size-too-large",
        ),
        pytest.param(Raw("a", TEXT, compressed=deflated(TEXT)[:-4]), WRONG_LENGTH, id="deflate-cut-off"),
        pytest.param(Raw("a", TEXT, compressed=deflated(TEXT) + b"more"), WRONG_LENGTH, id="deflate-more"),
        pytest.param(Raw("a", TEXT, compressed=b""), WRONG_LENGTH, id="deflate-of-no-bytes"),
        pytest.param(Raw("a", TEXT, BZIP2, stated={"crc": 1}), BAD_CRC, id="bzip2-crc"),
        pytest.param(
            Raw("a", TEXT, BZIP2, stated={"size": 9}),
            "it is larger than the 9 bytes stated",
            id="bzip2-small",
        ),
        pytest.param(
            Raw("a", TEXT, BZIP2, stated={"size": len(TEXT) + 1}),
            "it is 1 bytes smaller than stated",
            id="bzip2-large",
        ),
        pytest.param(Raw("a", TEXT, BZIP2, compressed=BZIPPED[:-5]), WRONG_LENGTH, id="bzip2-cut-off"),
        pytest.param(
            Raw("a", TEXT, BZIP2, compressed=BZIPPED + b"more"),
            WRONG_LENGTH,
            id="bzip2-and-more",
        ),
    ],
)
def test_refuses_data_that_is_not_what_was_stated(tmp_path: Path, member: Raw, reason: str) -> None:
    """Sizes and checksum are held against the data itself."""
    assert refusal(tmp_path, zip_bytes([member, Raw("b")])) == ("a", reason)


@pytest.mark.parametrize(
    ("method", "compressed"),
    [
        pytest.param(DEFLATED, BROKEN_DEFLATE, id="deflate"),
        pytest.param(BZIP2, b"no bzip2 at all", id="bzip2"),
        pytest.param(LZMA, b"\x09\x04\x05\x00\xff\x00\x00\x01\x00" + b"x" * 40, id="lzma-settings"),
        pytest.param(LZMA, b"\x09\x04\x06\x00]\x00\x00\x01\x00\x00" + b"x" * 40, id="lzma-settings-length"),
        pytest.param(LZMA, b"\x09\x04\x05\x00]\x00\x00\x01\x00" + b"x" * 40, id="lzma-data"),
        pytest.param(LZMA, b"\x09\x04", id="lzma-header-cut-off"),
        pytest.param(LZMA, b"", id="lzma-of-no-bytes"),
        pytest.param(ZSTANDARD, b"no Zstandard at all", id="zstandard"),
    ],
)
def test_refuses_data_that_is_not_compressed_as_stated(
    tmp_path: Path, method: int, compressed: bytes
) -> None:
    """Bytes that a decompressor rejects are the member's fault, whatever the method."""
    member, reason = refusal(tmp_path, zip_bytes([Raw("a", TEXT, method, compressed)]))

    assert member == "a"
    assert reason.startswith("it can't be decompressed (")


def test_stops_a_bomb_at_its_stated_size(tmp_path: Path) -> None:
    """Not one byte past the stated size is handed out."""
    bomb = Raw("a", b"\0" * (20 << 20), stated={"size": 10})
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes([bomb]))
    (member,) = read_members(path)

    with path.open("rb") as file:
        pieces = read_data(file, member, path.name)
        with pytest.raises(InvalidArchiveError, match="larger than the 10 bytes stated"):
            next(pieces)


def zipfile_bytes(files: dict[str, bytes], method: int, *, streamed: bool = False) -> bytes:
    """Let Python write an archive, as wheels are made; `streamed` gives data descriptors."""
    buffer = io.BytesIO()
    sink: Any = Pipe(buffer) if streamed else buffer
    native = method != ZSTANDARD or sys.version_info >= (3, 14)
    module: Any = zipfile if native else import_module("backports.zstd.zipfile")
    with module.ZipFile(sink, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """Takes bytes and can't go back."""

    def __init__(self, sink: io.BytesIO) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._sink.write(data)


FILES = {"pkg/__init__.py": b"", "pkg/text.py": TEXT, "pkg/größe.py": b"x = 1\n", "large.bin": TEXT * 1000}


@pytest.mark.parametrize("streamed", [False, True], ids=["seekable", "streamed"])
@pytest.mark.parametrize(
    "method",
    [
        pytest.param(zipfile.ZIP_STORED, id="stored"),
        pytest.param(zipfile.ZIP_DEFLATED, id="deflated"),
        pytest.param(zipfile.ZIP_BZIP2, id="bzip2"),
        pytest.param(zipfile.ZIP_LZMA, id="lzma"),
        pytest.param(ZSTANDARD, id="zstandard"),
    ],
)
def test_reads_what_python_writes(tmp_path: Path, method: int, streamed: bool) -> None:
    """Archives of Python's own writer are read in every method, with and without data descriptors."""
    assert read(tmp_path, zipfile_bytes(FILES, method, streamed=streamed)) == FILES


def test_reads_what_python_writes_with_zip64_sizes(tmp_path: Path) -> None:
    """A member opened for more than 4 GB has ZIP64 fields in its local header alone."""
    for streamed in (False, True):
        buffer = io.BytesIO()
        sink: Any = Pipe(buffer) if streamed else buffer
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("a.py", "w", force_zip64=True) as member:
                member.write(TEXT)
            archive.writestr("b.py", b"")

        assert read(tmp_path, buffer.getvalue()) == {"a.py": TEXT, "b.py": b""}


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(Raw("a", TEXT), id="deflated"),
        pytest.param(Raw("a", TEXT, STORED), id="stored"),
        pytest.param(Raw("a", b"", STORED), id="empty"),
        pytest.param(Raw("a", b"", DEFLATED), id="empty-deflated"),
        pytest.param(Raw("a", TEXT, descriptor=True), id="descriptor"),
        pytest.param(Raw("a", TEXT, STORED, descriptor=True), id="stored-with-descriptor"),
        pytest.param(
            Raw("a", TEXT, descriptor=True, local={"crc": zlib.crc32(TEXT), "size": len(TEXT)}),
            id="descriptor-repeats-what-is-known",
        ),
        pytest.param(Raw("a", TEXT, zip64=True), id="zip64"),
        pytest.param(Raw("a", TEXT, zip64=True, descriptor=True), id="zip64-descriptor"),
        pytest.param(
            Raw("a", TEXT, extra=b"UT\5\0\1abcd", local_extra=b"UT\x09\0\3abcdefgh"), id="extra-fields"
        ),
        pytest.param(
            Raw("a", TEXT, zip64=True, extra=b"UT\1\0\0", local_extra=b"UT\1\0\0"), id="extra-zip64"
        ),
        pytest.param(Raw("a", TEXT, comment=b"a remark"), id="comment"),
        pytest.param(Raw("a", TEXT, flags=0x4, local={"flags": 0x2}), id="compression-level-flags"),
        pytest.param(Raw("a", TEXT, mode=0o120777), id="symbolic-link"),
    ],
)
def test_reads_sound_member(tmp_path: Path, member: Raw) -> None:
    """The rarer forms that the specification allows are read like any other."""
    data = zip_bytes([Raw("first", b"1"), member, Raw("last", b"2")])

    assert read(tmp_path, data) == {"first": b"1", "a": member.data, "last": b"2"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(zip_bytes([Raw("a", TEXT)], comment=b"a remark"), id="comment"),
        pytest.param(zip_bytes([Raw("a", TEXT)], comment=b"x" * 0xFFFF), id="longest-comment"),
        pytest.param(zip_bytes([Raw("a", TEXT)], zip64=True), id="zip64-end-record"),
        pytest.param(
            zip_bytes([Raw("a", TEXT)], zip64=True, count=1, disk_count=1, disk=0, first_disk=0),
            id="zip64-end-record-beside-true-numbers",
        ),
        pytest.param(
            zip_bytes([Raw("d/", method=STORED), Raw("a", TEXT), Raw("d/e/", method=STORED)]), id="folders"
        ),
    ],
)
def test_reads_sound_archive(tmp_path: Path, data: bytes) -> None:
    """Comments, ZIP64 records and entries for folders change nothing."""
    assert read(tmp_path, data) == {"a": TEXT}


def test_reads_archive_without_members(tmp_path: Path) -> None:
    """An end record alone is an archive."""
    assert read(tmp_path, zip_bytes([])) == {}


@pytest.mark.parametrize(
    ("raw", "flags", "name"),
    [
        pytest.param("größe/Ω.py".encode(), UTF8, "größe/Ω.py", id="utf8"),
        pytest.param("größe.py".encode("cp437"), 0, "größe.py", id="cp437"),
        pytest.param(b"a b,c\"d'.py", 0, "a b,c\"d'.py", id="punctuation"),
        pytest.param(b"...a/..b/c..", 0, "...a/..b/c..", id="dots-that-lead-nowhere"),
    ],
)
def test_reads_name(tmp_path: Path, raw: bytes, flags: int, name: str) -> None:
    """A name is UTF-8 with the flag and code page 437 without it, as Python reads it."""
    data = zip_bytes([Raw(raw, TEXT, flags=flags)])

    assert read(tmp_path, data) == {name: TEXT}
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == [name]


def test_returns_members_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    """The directory's order doesn't matter: neighbours in the file are neighbours in the result."""
    data = zip_bytes([Raw("b", b"1"), Raw("a", b"2")])
    start = data.index(b"PK\1\2")
    entry = (len(data) - 22 - start) // 2
    path = tmp_path / "a.zip"
    path.write_bytes(
        data[:start] + data[start + entry : start + 2 * entry] + data[start : start + entry] + data[-22:]
    )

    members = read_members(path)

    assert [member.name for member in members] == ["b", "a"]
    assert [member.end for member in members] == [members[1].offset, start]


@pytest.mark.parametrize(
    ("mode", "executable"),
    [
        pytest.param(0o100755, True, id="regular-755"),
        pytest.param(0o100010, True, id="group-alone"),
        pytest.param(0o100644, False, id="regular-644"),
        pytest.param(0o120777, False, id="symbolic-link"),
        pytest.param(0o755, False, id="no-file-type"),
        pytest.param(0, False, id="no-mode"),
    ],
)
def test_tells_executables(tmp_path: Path, mode: int, executable: bool) -> None:
    """Only a regular file with an executable bit is an executable."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes([Raw("a", TEXT, mode=mode)]))

    (member,) = read_members(path)

    assert member.executable is executable


def test_streams_large_members(tmp_path: Path) -> None:
    """No piece of an unpacked member is larger than a chunk."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes([Raw("a", b"\0" * (5 << 20)), Raw("b", b"\0" * (5 << 20), BZIP2)]))

    with path.open("rb") as file:
        for member in read_members(path):
            sizes = [len(chunk) for chunk in read_data(file, member, path.name)]

            assert sum(sizes) == 5 << 20
            assert max(sizes) <= CHUNK
