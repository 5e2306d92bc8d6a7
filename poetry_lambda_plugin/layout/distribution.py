"""One distribution as it lies in the bundle, whatever it came from, and its RECORD (PEP 376)."""

from __future__ import annotations

import csv
import io

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_whole


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Container
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.archive.content import Content
    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.archive.content import WheelContent
    from poetry_lambda_plugin.archive.reader import Member


MAX_RECORD = 64 << 20
"""Bytes that a RECORD may have; one of 65,534 files has about 8 MB."""


class Release(NamedTuple):
    """What a `.dist-info` folder says it is of."""

    name: str
    """Normalised."""
    version: str


class LeftOut(NamedTuple):
    """A file that a distribution has and the bundle lacks."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """A distribution's files on their places in the bundle."""

    name: str
    """Normalised name."""
    version: str
    source: str
    """What it was made of: a wheel's file name, or `.` for the project."""
    entries: tuple[Entry, ...]
    """All files but RECORD."""
    left_out: tuple[LeftOut, ...] = ()
    record_path: str | None = None
    """Where RECORD goes; None for files that are no distribution."""
    record: WheelContent | None = None
    """RECORD as its wheel has it."""
    changed: bool = True
    """Whether the wheel's RECORD is no longer true."""
    is_project: bool = False

    @property
    def metadata(self) -> Content | None:
        """Its METADATA, which the bundle may do without; None for files that are no distribution."""
        path = str(self.record_path).removesuffix("RECORD") + "METADATA"
        return next((entry.content for entry in self.entries if entry.path == path), None)


def release_of(folder: str) -> Release | None:
    """Return whose `.dist-info` a folder's name says it is; None for other folders."""
    stem = folder.removesuffix(".dist-info")
    # old wheels have dashes in names; in no version there is one
    name, dash, version = stem.rpartition("-")
    return Release(canonicalize_name(name), version) if dash and stem != folder else None


def record_content(distribution: Distribution, entries: Collection[Entry], *, changed: bool) -> Content:
    """Return RECORD: the wheel's own where nothing changed, else one that tells the truth."""
    if distribution.record is not None and not changed:
        return distribution.record
    members = {entry.content.member_name for entry in entries}
    known = _known_rows(distribution.record, members) if distribution.record else {}
    rows = [(entry.path, *_hash_and_size(entry, known)) for entry in entries]
    rows.append((str(distribution.record_path), "", ""))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(sorted(rows))
    return BytesContent(text.getvalue().encode())


def record_rows(path: Path, record: Member) -> Iterator[list[str]]:
    """Yield the rows of a RECORD in an archive; raises InvalidArchiveError."""
    try:
        yield from rows_of(read_whole(path, record, MAX_RECORD))
    except csv.Error:
        reason = f"a field of it has more than {csv.field_size_limit():,} characters"
        raise InvalidArchiveError(path.name, reason, record.name) from None


def rows_of(record: bytes) -> Iterator[list[str]]:
    """Yield the rows of a RECORD; raises csv.Error."""
    # not every Python that this runs with lets csv see a NUL
    text = record.decode("utf-8", "replace").replace("\0", "\ufffd")
    return csv.reader(io.StringIO(text, newline=""))


def _known_rows(record: WheelContent, members: Container[str]) -> Mapping[str, tuple[str, str]]:
    """Return what a wheel's RECORD says of some of its members."""
    rows = record_rows(record.source, record.member)
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[1] and row[0] in members}


def _hash_and_size(entry: Entry, known: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Return a RECORD row's last two fields, from the wheel's RECORD where it has them."""
    if entry.content.member_name in known:
        return known[entry.content.member_name]
    digest = urlsafe_b64encode(entry.digest()).decode().rstrip("=")
    return f"sha256={digest}", str(entry.content.size)


def module_sources(entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and text of every Python module."""
    for entry in entries:
        if entry.path.endswith(".py"):
            yield entry.path, entry.read()
