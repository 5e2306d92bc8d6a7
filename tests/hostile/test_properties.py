"""What holds for any archive, any damage to one, and any set of distributions."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from hypothesis import HealthCheck
from hypothesis import assume
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.layout.distribution import Distribution
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.plan import Exclusions
from poetry_lambda_plugin.layout.plan import PathConflictError
from poetry_lambda_plugin.layout.plan import plan_bundle
from tests.support.zips import BZIP2
from tests.support.zips import DEFLATED
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import parse_zip
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from random import Random

    from poetry_lambda_plugin.archive.content import Content


ALL = Exclusions(PathFilter())
NOON = Timestamp.from_epoch(EARLIEST)

PLENTY = 40
"""How many times as many examples `-m faults` tries."""

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="/\\:\0")
PARTS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
DATA = st.one_of(
    st.binary(max_size=200),
    st.binary(min_size=1, max_size=20).map(lambda data: data * 400),
)
FILES = st.dictionaries(PATHS, DATA, max_size=12)
FORMS = st.fixed_dictionaries(
    {
        "method": st.sampled_from([STORED, DEFLATED, BZIP2]),
        "descriptor": st.booleans(),
        "zip64": st.booleans(),
        "mode": st.sampled_from([0, 0o100644, 0o100755, 0o120777]),
        "extra": st.sampled_from([b"", b"UT\5\0\1abcd"]),
        "local_extra": st.sampled_from([b"", b"UT\1\0\0", bytes(4)]),
    }
)


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def check(examples: int) -> list[object]:
    """Return how often a property is tried: in each run, and where there is time."""
    return [
        pytest.param(examples, id="some"),
        pytest.param(examples * PLENTY, id="plenty", marks=pytest.mark.faults),
    ]


def read(path: Path) -> dict[str, tuple[bytes, bool]]:
    """Return bytes and executable bit of each file, in the order of the archive."""
    with path.open("rb") as file:
        return {
            member.name: (b"".join(read_data(file, member, path.name)), member.executable)
            for member in read_members(path)
        }


def written(entries: list[Entry]) -> bytes:
    sink = io.BytesIO()
    digest = write_archive(entries, sink, NOON)
    assert digest.sha256 == hashlib.sha256(sink.getvalue()).digest()
    return sink.getvalue()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("examples", check(100))
def test_any_members_are_read(folder: Path, examples: int) -> None:
    """Whatever sound form a member has, its own bytes are read, and no other member's."""
    members = st.lists(st.tuples(PATHS, DATA, FORMS), max_size=8, unique_by=lambda member: member[0])

    @bounded(examples)
    @given(members)
    def holds(members: list[tuple[str, bytes, dict[str, Any]]]) -> None:
        archive = folder / "a.zip"
        archive.write_bytes(zip_bytes([Raw(path, data, flags=UTF8, **form) for path, data, form in members]))

        found = read(archive)

        assert list(found) == [path for path, _, _ in members]
        for path, data, form in members:
            assert found[path] == (data, form["mode"] == 0o100755)

    holds()


@pytest.mark.parametrize("examples", check(80))
def test_any_files_give_one_archive(folder: Path, examples: int) -> None:
    """Any files, from wheels, disk or memory, are read back equal, sorted, the same bytes in any order."""
    kinds = st.sampled_from(["wheel", "recompressed", "file", "memory"])
    files = st.dictionaries(PATHS, st.tuples(DATA, kinds, st.booleans()), max_size=10)

    @bounded(examples)
    @given(files, st.randoms(use_true_random=False))
    def holds(files: dict[str, tuple[bytes, str, bool]], chance: Random) -> None:
        assume(not clashes(files))
        entries = entries_of(folder, files)
        archive = folder / "out.zip"
        archive.write_bytes(written(planned(entries)))
        chance.shuffle(entries)

        assert written(planned(entries)) == archive.read_bytes()
        expected = {path: (data, executable) for path, (data, _, executable) in files.items()}
        assert read(archive) == expected
        assert [member.name for member in parse_zip(archive.read_bytes())] == sorted(files)
        with zipfile.ZipFile(archive) as same:
            assert same.testzip() is None
            assert {info.filename: same.read(info) for info in same.infolist()} == {
                path: data for path, (data, _) in expected.items()
            }

    holds()


def entries_of(folder: Path, files: dict[str, tuple[bytes, str, bool]]) -> list[Entry]:
    """Make each file what it is to come from."""
    wheel = folder / "wheel.zip"
    modes = {True: 0o100755, False: 0o100644}
    wheel.write_bytes(
        zip_bytes([Raw(path, data, flags=UTF8, mode=modes[x]) for path, (data, _, x) in files.items()])
    )
    members = {member.name: member for member in read_members(wheel)}
    entries = []
    for number, (path, (data, kind, executable)) in enumerate(files.items()):
        file = folder / f"{number}"
        file.write_bytes(data)
        contents: dict[str, Content] = {
            "wheel": WheelContent(wheel, members[path]),
            "recompressed": WheelContent(wheel, members[path], recompress=True),
            "file": FileContent(file, len(data)),
            "memory": BytesContent(data),
        }
        entries.append(Entry(path, contents[kind], executable, "one"))
    return entries


def planned(entries: list[Entry]) -> list[Entry]:
    one = Distribution(name="one", version="1", source="one", entries=tuple(entries))
    return list(plan_bundle([one], ALL).entries)


def clashes(paths: Iterable[str]) -> bool:
    """Tell whether a file would have to be a folder."""
    files = set(paths)
    return any(
        "/".join(parts[:length]) in files
        for parts in (path.split("/") for path in files)
        for length in range(1, len(parts))
    )


SOUND = zip_bytes(
    [
        Raw("a.py", b"stored", STORED),
        Raw("größe.py", b"word " * 9, flags=UTF8, descriptor=True),
        Raw("d/", method=STORED),
        Raw("d/b.py", b"word " * 9, zip64=True, extra=b"UT\5\0\1abcd", comment=b"remark"),
        Raw("d/c.py", b"word " * 9, BZIP2),
    ],
    zip64=True,
    comment=b"remark",
)


@pytest.mark.parametrize("bits", [0xFF, 0x01, 0x80, 0x20])
def test_every_byte_counts(folder: Path, bits: int) -> None:
    """Each byte of an archive with every record is changed once: it is refused, or the same is read."""
    archive = folder / "flipped.zip"
    archive.write_bytes(SOUND)
    sound = {name: data for name, (data, _) in read(archive).items()}
    for position in range(len(SOUND)):
        check_damaged(archive, flipped(SOUND, position, bits), sound)


@pytest.mark.parametrize("examples", check(100))
def test_any_damage_is_refused_or_harmless(folder: Path, examples: int) -> None:
    """Bytes changed, dropped, repeated or cut off anywhere in any archive never change what is read."""

    @bounded(examples)
    @given(FILES, st.data())
    def holds(files: dict[str, bytes], draw: st.DataObject) -> None:
        data = zip_bytes([Raw(path, content, flags=UTF8) for path, content in files.items()])
        start = draw.draw(st.integers(0, len(data) - 1))
        end = draw.draw(st.integers(start, min(len(data), start + 40)))
        put = draw.draw(st.one_of(st.binary(max_size=4), st.just(data[start:end] * 2)))
        check_damaged(folder / "damaged.zip", data[:start] + put + data[end:], files)

    holds()


def flipped(data: bytes, position: int, bits: int) -> bytes:
    return data[:position] + bytes([data[position] ^ bits]) + data[position + 1 :]


def check_damaged(archive: Path, data: bytes, sound: dict[str, bytes]) -> None:
    """Modes aside, which the format states once and nothing else confirms, all that is read is sound."""
    archive.write_bytes(data)
    try:
        found = read(archive)
    except InvalidArchiveError:
        return
    assert {name: content for name, (content, _) in found.items()} == sound


@pytest.mark.parametrize("examples", check(150))
def test_any_distributions_give_one_plan(examples: int) -> None:
    """Each path once, sorted, whoever came first; who loses a path to other bytes is told."""
    part = st.sampled_from(["a", "b", "A", "é", "a b"])
    path = st.lists(part, min_size=1, max_size=3).map("/".join)
    files = st.dictionaries(path, st.sampled_from([b"1", b"2"]), max_size=5)
    distributions = st.dictionaries(st.sampled_from("pqrs"), files, max_size=4)

    @bounded(examples)
    @given(distributions, st.sampled_from("pqrs"), st.randoms(use_true_random=False))
    def holds(files_of: dict[str, dict[str, bytes]], project: str, chance: Random) -> None:
        parts = [distribution(name, files, is_project=name == project) for name, files in files_of.items()]
        shuffled = chance.sample(parts, len(parts))
        paths = {path for files in files_of.values() for path in files}
        if clashes(paths):
            with pytest.raises(PathConflictError, match="to be a file and a folder"):
                plan_bundle(parts, ALL)
            return

        plan = plan_bundle(parts, ALL)

        assert plan == plan_bundle(shuffled, ALL)
        assert [entry.path for entry in plan.entries] == sorted(paths)
        for entry in plan.entries:
            owners = sorted(
                (name for name, files in files_of.items() if entry.path in files),
                key=lambda name: (name != project, name),
            )
            assert entry.owner == owners[0]
            assert entry.content == BytesContent(files_of[owners[0]][entry.path])
            for loser in owners[1:]:
                warning = f"{entry.path} is in {owners[0]} and in {loser} with other bytes: "
                differs = files_of[loser][entry.path] != files_of[owners[0]][entry.path]
                assert any(found.message.startswith(warning) for found in plan.findings) is differs

    holds()


def distribution(name: str, files: dict[str, bytes], *, is_project: bool) -> Distribution:
    entries = tuple(Entry(path, BytesContent(data), owner=name) for path, data in files.items())
    return Distribution(name=name, version="1", source=name, entries=entries, is_project=is_project)
