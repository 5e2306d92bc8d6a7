"""One distribution as it lies in the bundle, whatever it came from, and its RECORD (PEP 376)."""

from __future__ import annotations

import csv
import hashlib
import io

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.content import content_size
from poetry_lambda_plugin.archive.content import read_file
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_data


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Content
    from poetry_lambda_plugin.archive.content import Entry


MAX_RECORD = 64 << 20
"""Bytes that a RECORD may have; one of 65,534 files has about 8 MB."""


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


def record_content(distribution: Distribution, entries: Iterable[Entry], *, changed: bool) -> Content:
    """Return RECORD: the wheel's own where nothing changed, else one that tells the truth."""
    if distribution.record is not None and not changed:
        return distribution.record
    known = _known_rows(distribution.record) if distribution.record else {}
    rows = [(entry.path, *_hash_and_size(entry.content, known)) for entry in entries]
    rows.append((str(distribution.record_path), "", ""))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(sorted(rows))
    return BytesContent(text.getvalue().encode())


def _known_rows(record: WheelContent) -> Mapping[str, tuple[str, str]]:
    if record.member.size > MAX_RECORD:
        raise InvalidArchiveError(
            record.wheel.name,
            f"it has {record.member.size:,} bytes, too many for its kind",
            record.member.name,
        )
    with record.wheel.open("rb") as file:
        text = b"".join(read_data(file, record.member, record.wheel.name)).decode("utf-8", "replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[1]}
    except csv.Error as error:
        raise InvalidArchiveError(
            record.wheel.name, f"it can't be read ({error})", record.member.name
        ) from None


def _hash_and_size(content: Content, known: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Return a RECORD row's last two fields, from the wheel's RECORD where it has them."""
    if isinstance(content, WheelContent) and content.member.name in known:
        return known[content.member.name]
    digest = urlsafe_b64encode(content_digest(content)).decode().rstrip("=")
    return f"sha256={digest}", str(content_size(content))


def content_digest(content: Content) -> bytes:
    """Return the SHA-256 of a file's uncompressed bytes, read in pieces."""
    digest = hashlib.sha256()
    for chunk in chunks(content):
        digest.update(chunk)
    return digest.digest()


def module_sources(entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and text of every Python module."""
    for entry in entries:
        if entry.path.endswith(".py"):
            yield entry.path, b"".join(chunks(entry.content))


def chunks(content: Content) -> Iterator[bytes]:
    """Yield a file's uncompressed bytes in pieces."""
    if isinstance(content, BytesContent):
        yield content.data
    elif isinstance(content, FileContent):
        yield read_file(content)
    else:
        with content.wheel.open("rb") as file:
            yield from read_data(file, content.member, content.wheel.name)
