"""The archive written, read back byte by byte."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile

from base64 import b64encode
from typing import TYPE_CHECKING
from typing import NamedTuple

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import MAX_ENTRIES
from poetry_lambda_plugin.archive.writer import PIECE
from poetry_lambda_plugin.archive.writer import ArchiveLimitError
from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from tests.support.zips import BZIP2
from tests.support.zips import DEFLATED
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import parse_zip
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from tests.support.zips import Parsed


TEXT = b"Some words, some words, and again some words.\n" * 40
NOON = Timestamp.from_epoch(EARLIEST)


class Written(NamedTuple):
    data: bytes
    digest: ArchiveDigest
    largest_write: int

    @property
    def members(self) -> list[Parsed]:
        return parse_zip(self.data)

    @property
    def files(self) -> dict[str, bytes]:
        return {member.name: member.data for member in self.members}


class Sink(io.BytesIO):
    """Knows the largest piece that it was given."""

    largest = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.largest = max(self.largest, len(data))
        return super().write(data)


def write(entries: Sequence[Entry], timestamp: Timestamp = NOON) -> Written:
    sink = Sink()
    digest = write_archive(entries, sink, timestamp)
    return Written(sink.getvalue(), digest, sink.largest)


def entries_of(path: Path, *members: Raw) -> list[Entry]:
    """Write an archive; return its members as entries."""
    path.write_bytes(zip_bytes(members))
    return [Entry(m.name, WheelContent(path, m), m.executable) for m in read_members(path)]


def text_entry(path: str, data: bytes = TEXT, *, executable: bool = False, owner: str = "") -> Entry:
    return Entry(path, BytesContent(data), executable, owner)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_headers_hold_nothing_of_the_host(tmp_path: Path) -> None:
    """Both headers of every member are the same constants, whatever the wheel's own said."""
    wheel = entries_of(
        tmp_path / "w.zip",
        Raw("a.py", TEXT, flags=0x6, extra=b"UT\1\0\0", local_extra=b"UT\1\0\0", comment=b"remark"),
        Raw("b.py", TEXT, descriptor=True, mode=0o100600),
        Raw("c.py", TEXT, STORED, zip64=True, mode=0),
        Raw("d.py", TEXT, BZIP2, mode=0o120777),
    )
    file = tmp_path / "f.py"
    file.write_bytes(TEXT)

    written = write([*wheel, text_entry("e.py"), Entry("f.py", FileContent(file, len(TEXT)))])

    assert written.files == dict.fromkeys(("a.py", "b.py", "c.py", "d.py", "e.py", "f.py"), TEXT)
    for member in written.members:
        assert member.local == member.central
        assert (member.local.needed, member.local.flags, member.local.extra_length) == (20, 0, 0)
        assert (member.local.date, member.local.time) == (0x21, 0)
        assert member.made_by == 3 << 8 | 20
        assert member.attributes == 0o100644 << 16


def test_executables_have_mode_755(tmp_path: Path) -> None:
    """Of a mode the archive keeps only whether the file is an executable."""
    wheel = entries_of(tmp_path / "w.zip", Raw("a", TEXT, mode=0o100700), Raw("b", TEXT, mode=0o100666))

    written = write([*wheel, text_entry("c", executable=True)])

    modes = {member.name: member.attributes for member in written.members}
    assert modes == {"a": 0o100755 << 16, "b": 0o100644 << 16, "c": 0o100755 << 16}


def test_non_ascii_names_have_the_utf8_flag(tmp_path: Path) -> None:
    """The flag is set where it is needed, and there alone, however the wheel encoded the name."""
    wheel = entries_of(
        tmp_path / "w.zip",
        Raw("ascii.py", flags=UTF8),
        Raw("größe.py", flags=UTF8),
        Raw("größen.py".encode("cp437")),
    )

    flags = {member.name: member.local.flags for member in write(wheel).members}

    assert flags == {"ascii.py": 0, "größe.py": UTF8, "größen.py": UTF8}


@pytest.mark.parametrize(
    ("seconds", "stamp"),
    [
        pytest.param(EARLIEST, (1980, 1, 1, 0, 0, 0), id="1980"),
        pytest.param(0, (1980, 1, 1, 0, 0, 0), id="before-1980"),
        pytest.param(-1, (1980, 1, 1, 0, 0, 0), id="before-1970"),
        pytest.param(1_700_000_001, (2023, 11, 14, 22, 13, 20), id="odd-second"),
        pytest.param(4_354_819_199, (2107, 12, 31, 23, 59, 58), id="last-second"),
        pytest.param(4_354_819_200, (2107, 12, 31, 23, 59, 58), id="after-2107"),
        pytest.param(10**30, (2107, 12, 31, 23, 59, 58), id="far-away"),
    ],
)
def test_time_is_the_one_given(seconds: int, stamp: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A time is UTC, cut to two seconds and clamped to what a ZIP can hold."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")

    written = write([text_entry("a")], Timestamp.from_epoch(seconds))

    assert zipfile.ZipFile(io.BytesIO(written.data)).getinfo("a").date_time == stamp


def test_copies_compressed_bytes_as_they_are(tmp_path: Path) -> None:
    """A member of a wheel is not compressed again, even where that would be smaller."""
    members = [
        Raw("a", TEXT),
        Raw("b", TEXT, STORED),
        Raw("c", noise(3 << 20)),
        Raw("d", noise(3 << 20), STORED),
        Raw("e"),
    ]

    written = write(entries_of(tmp_path / "w.zip", *members))

    assert [(m.local.method, m.packed) for m in written.members] == [(m.method, m.packed) for m in members]


@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
def test_recompresses_rare_methods(tmp_path: Path, size: int) -> None:
    """Lambda is known to read deflate and stored members only."""
    data = b"word " * size

    written = write(entries_of(tmp_path / "w.zip", Raw("a", TEXT), Raw("b", data, BZIP2), Raw("c", TEXT)))

    assert written.files == {"a": TEXT, "b": data, "c": TEXT}
    assert [member.local.method for member in written.members] == [DEFLATED] * 3


def test_recompressed_bytes_are_those_of_a_file(tmp_path: Path) -> None:
    """One content gives the same bytes, wherever it comes from."""
    file = tmp_path / "a"
    file.write_bytes(TEXT)

    from_file = write([Entry("a", FileContent(file, len(TEXT)))])

    assert write(entries_of(tmp_path / "w.zip", Raw("a", TEXT, BZIP2))).data == from_file.data
    assert write([text_entry("a")]).data == from_file.data


@pytest.mark.parametrize(
    ("data", "method"),
    [
        pytest.param(TEXT, DEFLATED, id="text"),
        pytest.param(b"", STORED, id="empty"),
        pytest.param(b"x", STORED, id="too-short-to-compress"),
        pytest.param(noise(5000), STORED, id="noise"),
    ],
)
def test_compresses_where_that_is_smaller(data: bytes, method: int) -> None:
    """What compression would not make smaller is stored."""
    (member,) = write([text_entry("a", data)]).members

    assert (member.local.method, member.data) == (method, data)
    assert len(member.packed) <= len(data)


def test_keeps_the_order_given() -> None:
    """The order is the caller's, since it is part of the bytes."""
    assert list(write([text_entry(name) for name in "cab"]).files) == ["c", "a", "b"]


def test_writes_no_folders() -> None:
    """Folders follow from the paths of their files."""
    assert list(write([text_entry("a/b/c.py")]).files) == ["a/b/c.py"]


def test_digest_is_that_of_the_archive() -> None:
    """The digest computed while writing is the one that Lambda computes of the file."""
    written = write([text_entry("a"), text_entry("b")])

    assert written.digest.sha256 == hashlib.sha256(written.data).digest()
    assert written.digest.code_sha256 == b64encode(hashlib.sha256(written.data).digest()).decode()


def test_sizes_sum_to_the_archive(tmp_path: Path) -> None:
    """The owners' sizes are the whole archive, less its end record."""
    wheel = entries_of(tmp_path / "w.zip", Raw("a", TEXT), Raw("größe", b"12", STORED))

    written = write([entry._replace(owner="w") for entry in wheel] + [text_entry("b", owner="p")])

    total, by_owner = written.digest.total, written.digest.by_owner
    assert (total.zipped, total.unzipped, total.files) == (len(written.data), 2 * len(TEXT) + 2, 3)
    assert sum(sizes.zipped for sizes in by_owner.values()) == len(written.data) - 22
    assert (by_owner["w"].unzipped, by_owner["w"].files) == (len(TEXT) + 2, 2)
    assert (by_owner["p"].unzipped, by_owner["p"].files) == (len(TEXT), 1)


def test_writes_an_empty_archive() -> None:
    """No files are an end record alone."""
    written = write([])

    assert written.data == b"PK\5\6" + bytes(18)
    assert written.digest.total == Sizes(22, 0, 0)


def test_takes_as_many_files_as_a_zip_can_hold() -> None:
    """The last number before ZIP64 is still written without it."""
    entries = [text_entry(f"{number}", b"") for number in range(MAX_ENTRIES)]

    assert len(write(entries).members) == 65534


def test_refuses_more_files_than_a_zip_can_hold() -> None:
    """One more is an error before anything is written."""
    sink = io.BytesIO()

    with pytest.raises(
        ArchiveLimitError, match="would have 65535 files; a ZIP that Lambda reads holds 65534"
    ):
        write_archive([text_entry("a", b"")] * (MAX_ENTRIES + 1), sink, NOON)

    assert sink.getvalue() == b""


def test_refuses_file_of_4_gb_before_it_is_read(tmp_path: Path) -> None:
    """A size that would need ZIP64 is an error, not an overflow, and costs no memory."""
    with pytest.raises(ArchiveLimitError) as caught:
        write([Entry("a.bin", FileContent(tmp_path / "missing", (1 << 32) - 1), owner="my-fn")])

    assert str(caught.value) == (
        "a.bin of my-fn has 4,294,967,295 bytes, and a ZIP that Lambda reads holds no file of 4 GB. "
        "Leave it out with --exclude."
    )


@pytest.mark.parametrize("size", [0, 5], ids=["emptied", "grown"])
def test_refuses_file_that_changed_since_it_was_planned(tmp_path: Path, size: int) -> None:
    """A file that is edited during the run would give a bundle that nobody can repeat."""
    file = tmp_path / "a.py"
    file.write_bytes(b"x" * size)

    with pytest.raises(
        ChangedFileError, match=r"a\.py changed while it was bundled. Run the command again\."
    ):
        write([Entry("a.py", FileContent(file, 3))])


@pytest.mark.parametrize("size", [100, 3 << 20], ids=["in-a-run", "alone"])
def test_refuses_wheel_that_was_cut_off_since_it_was_read(tmp_path: Path, size: int) -> None:
    """Bytes that are no longer there are noticed while copying."""
    path = tmp_path / "w.zip"
    entries = entries_of(path, Raw("a", TEXT), Raw("b", noise(size), STORED))
    path.write_bytes(path.read_bytes()[: read_members(path)[1].offset + size // 2])

    with pytest.raises(InvalidArchiveError) as caught:
        write(entries)

    assert (caught.value.member, caught.value.reason) == ("b", "the file is cut off")


def test_refuses_wheel_that_was_replaced_since_it_was_read(tmp_path: Path) -> None:
    """Headers are held against the directory again while copying."""
    path = tmp_path / "w.zip"
    entries = entries_of(path, Raw("a", TEXT), Raw("b", TEXT))
    path.write_bytes(zip_bytes([Raw("a", TEXT), Raw("c", TEXT)]))

    with pytest.raises(InvalidArchiveError) as caught:
        write(entries)

    assert caught.value.member == "b"
    assert caught.value.reason == "its local header contradicts the central directory"


def test_streams_large_members(tmp_path: Path) -> None:
    """Neither a large member nor many small ones are ever in memory as a whole."""
    small = [Raw(f"{number}", noise(5000 + number), STORED) for number in range(600)]

    written = write(entries_of(tmp_path / "w.zip", Raw("large", noise(5 << 20)), *small))

    assert len(written.files) == 601
    assert written.largest_write <= PIECE + CHUNK


MEMBERS = [
    *(Raw(f"small/{number}.py", b"x = 1\n" * number, (STORED, DEFLATED)[number % 2]) for number in range(40)),
    Raw("large.bin", noise((1 << 20) + 500)),
    *(Raw(f"late/{number}.py", b"y = 2\n" * number, descriptor=number % 3 == 0) for number in range(20)),
    Raw("wide.bin", noise(700_000), STORED),
    Raw("wider.bin", noise(800_000), STORED),
    Raw("rare.py", TEXT, BZIP2),
    Raw("empty.py", b"", STORED),
]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_gives_the_right_contents(tmp_path: Path, seed: int) -> None:
    """However members of two wheels are picked and mixed, each file holds its own bytes."""
    chance = random.Random(seed)
    one = entries_of(tmp_path / "one.zip", *chance.sample(MEMBERS, len(MEMBERS)))
    other = entries_of(tmp_path / "other.zip", *(m for m in MEMBERS if chance.random() < 0.5))
    others = [entry._replace(path=f"other/{entry.path}") for entry in other]
    entries = [*one, *others, *(text_entry(f"made/{number}") for number in range(5))]
    picked = [entry for entry in entries if chance.random() < 0.8]
    if seed % 3 == 0:
        # long runs of neighbours, with gaps
        picked.sort(key=lambda e: e.content.member.offset if isinstance(e.content, WheelContent) else -1)
    elif seed % 3 == 1:
        chance.shuffle(picked)
    contents = {str(member.name): member.data for member in MEMBERS}

    written = write(picked)

    assert [member.name for member in written.members] == [entry.path for entry in picked]
    for path, data in written.files.items():
        expected = TEXT if path.startswith("made/") else contents[path.removeprefix("other/")]
        assert data == expected, path
