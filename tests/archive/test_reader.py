"""What is read from a ZIP archive; what is refused is in `tests/hostile/archives.py`."""

from __future__ import annotations

import io
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
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import ZSTANDARD
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path


TEXT = b"Some words, some words, and again some words.\n" * 40


def read(folder: Path, data: bytes) -> dict[str, bytes]:
    """Return what an archive holds, every byte of it checked."""
    path = folder / "a.zip"
    path.write_bytes(data)
    members = read_members(path)
    verify(path, members)
    with path.open("rb") as file:
        return {member.name: b"".join(read_data(file, member, path.name)) for member in members}


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


def refusal(folder: Path, data: bytes) -> tuple[str | None, str]:
    """Return the member and the reason of the refusal."""
    with pytest.raises(InvalidArchiveError) as caught:
        read(folder, data)
    return caught.value.member, caught.value.reason


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
