"""A ZIP writer whose bytes depend on nothing but what it is given.

Members of wheels keep their compressed bytes and get a new header; all else is compressed with
libdeflate, whose output does not depend on the zlib of the host.
"""

from __future__ import annotations

import hashlib
import time

from base64 import b64encode
from collections import defaultdict
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol
from typing import cast

import deflate

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.format import CENTRAL_HEADER
from poetry_lambda_plugin.archive.format import CENTRAL_SIGNATURE
from poetry_lambda_plugin.archive.format import DEFLATED
from poetry_lambda_plugin.archive.format import END_RECORD
from poetry_lambda_plugin.archive.format import END_SIGNATURE
from poetry_lambda_plugin.archive.format import LOCAL_HEADER
from poetry_lambda_plugin.archive.format import LOCAL_SIGNATURE
from poetry_lambda_plugin.archive.format import SENTINEL_16
from poetry_lambda_plugin.archive.format import SENTINEL_32
from poetry_lambda_plugin.archive.format import STORED
from poetry_lambda_plugin.archive.format import UTF8_NAME
from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import data_start
from poetry_lambda_plugin.archive.reader import read_raw
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import BinaryIO


VERSION_NEEDED = 20
"""ZIP 2.0: deflate, and no ZIP64 record (APPNOTE 4.4.3)."""
MADE_ON_UNIX = 3 << 8 | VERSION_NEEDED
REGULAR_FILE = 0o100644 << 16
EXECUTABLE_FILE = 0o100755 << 16

MAX_ENTRIES = SENTINEL_16 - 1
"""More would need ZIP64, which Lambda has never been known to need or promised to read."""

EARLIEST = 315_532_800
"""1980-01-01 in seconds since 1970: the DOS epoch of ZIP."""
LATEST = 4_354_819_198
"""2107-12-31 23:59:58, the last moment that a DOS date can hold."""

PIECE = 1 << 20
"""Bytes written and hashed at once, so many that handing them to a thread costs next to nothing."""

MAX_PENDING = 4
"""Pieces that wait to be hashed: enough for neither side to wait often."""

COMPRESSION_LEVEL = 6
"""Of libdeflate; 9 takes four times as long for half a percent."""


class ArchiveLimitError(LambdaBundleError):
    """More than a ZIP without ZIP64 records can hold."""


class Sink(Protocol):
    """Where the archive's bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


class Sizes(NamedTuple):
    """What some files take."""

    zipped: int = 0
    """Compressed bytes and their headers."""
    unzipped: int = 0
    """Bytes once unpacked."""
    files: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveDigest:
    """What was written."""

    sha256: bytes
    """Of the whole archive; 32 bytes."""
    total: Sizes
    packed_sizes: Sequence[int]
    """What each entry takes in the archive, in their order: compressed bytes and headers."""
    by_owner: Mapping[str, Sizes]
    """The sum of their zipped bytes is the archive's, less the 22 of its end record."""

    @property
    def code_sha256(self) -> str:
        """Base64 of the digest, as Lambda's API reports it in `CodeSha256`."""
        return b64encode(self.sha256).decode("ascii")


def moment_of(epoch: int) -> int:
    """Return the moment nearest to one in seconds since 1970 that a ZIP has: of 1980 … 2107, and even."""
    return min(max(epoch, EARLIEST), LATEST) // 2 * 2


class Timestamp(NamedTuple):
    """A moment as ZIP headers hold it (APPNOTE 4.4.6)."""

    time: int
    date: int

    @classmethod
    def from_epoch(cls, seconds: int) -> Timestamp:
        """Convert seconds since 1970 (UTC), clamped to 1980 … 2107."""
        moment = time.gmtime(moment_of(seconds))
        return cls(
            moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2,
            (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday,
        )


class Packed(NamedTuple):
    """Bytes as they lie in an archive."""

    method: int
    crc: int
    compressed_size: int
    size: int


def write_archive(entries: Sequence[Entry], sink: Sink, timestamp: Timestamp) -> ArchiveDigest:
    """Write `entries` in their order; raises LambdaBundleError.

    The caller sorts: the order is part of the bytes.
    """
    if len(entries) > MAX_ENTRIES:
        raise ArchiveLimitError(
            f"The bundle would have {len(entries)} files; a ZIP that Lambda reads holds {MAX_ENTRIES}. "
            "Leave some out with --exclude."
        )
    writer = _Writer(sink, timestamp)
    for wheel, group in groupby(entries, key=_wheel):
        if wheel is None:
            for entry in group:
                writer.add(entry)
        else:
            with wheel.open("rb") as file:
                for run in _runs(group):
                    writer.add_run(run, file)
    return writer.finish()


class _OverlappingDigest:
    """A SHA-256 of some pieces while the next ones are read and written: hashlib lets go of Python's lock."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Take bytes that won't change; at most MAX_PENDING pieces are waiting."""
        if len(self._pending) == MAX_PENDING:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._state.update, data))

    def digest(self) -> bytes:
        """Return the 32 bytes, when all pieces are in."""
        self._thread.shutdown()
        return self._state.digest()


class _Writer:
    """The archive so far."""

    def __init__(self, sink: Sink, timestamp: Timestamp) -> None:
        self._sink = sink
        self._timestamp = timestamp
        self._digest = _OverlappingDigest()
        self._offset = 0
        self._piece: list[bytes | memoryview] = []
        self._piece_size = 0
        self._directory: list[bytes] = []
        self._by_owner: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._packed_sizes: list[int] = []

    def add(self, entry: Entry) -> None:
        """Compress and write one file, which is read whole."""
        if entry.content.size >= SENTINEL_32:
            raise ArchiveLimitError(
                f"{entry.path} of {entry.owner} has {entry.content.size:,} bytes, and a ZIP that Lambda "
                "reads holds no file of 4 GB. Leave it out with --exclude."
            )
        self._add_packed(entry, *_packed(entry.read()))

    def _add_packed(self, entry: Entry, packed: Packed, chunks: Iterable[bytes]) -> None:
        """Write one file whose compressed bytes are at hand."""
        self._write(self._headers(entry, packed))
        for chunk in chunks:
            self._write(chunk)

    def add_run(self, run: Sequence[Entry], file: BinaryIO) -> None:
        """Copy members of one wheel that are neighbours there with one read."""
        if _goes_alone(_content(run[0])):
            self._add_alone(run[0], file)
            return
        first, last = _content(run[0]).member, _content(run[-1]).member
        file.seek(first.offset)
        buffer = memoryview(file.read(last.end - first.offset))
        for entry in run:
            wheel, member, _ = _content(entry)
            header = buffer[member.offset - first.offset :]
            start = data_start(member, header, wheel.name)
            data = header[start : start + member.compressed_size]
            if len(data) < member.compressed_size:
                raise InvalidArchiveError(wheel.name, "the file is cut off", member.name)
            packed = Packed(member.method, member.crc, member.compressed_size, member.size)
            self._write(self._headers(entry, packed), data)

    def finish(self) -> ArchiveDigest:
        """Write the central directory and the end record."""
        start = self._offset
        self._write(*self._directory)
        size, count = self._offset - start, len(self._directory)
        if self._offset > SENTINEL_32 - 1:
            raise ArchiveLimitError("The bundle would be larger than 4 GB, which no Lambda takes.")
        self._write(END_RECORD.pack(END_SIGNATURE, 0, 0, count, count, size, start, 0))
        self._flush()
        by_owner = {owner: Sizes(*sizes) for owner, sizes in self._by_owner.items()}
        unzipped = sum(sizes.unzipped for sizes in by_owner.values())
        return ArchiveDigest(
            sha256=self._digest.digest(),
            total=Sizes(self._offset, unzipped, count),
            packed_sizes=self._packed_sizes,
            by_owner=by_owner,
        )

    def _add_alone(self, entry: Entry, file: BinaryIO) -> None:
        """Copy a large member piece by piece."""
        wheel, member, _ = _content(entry)
        packed = Packed(member.method, member.crc, member.compressed_size, member.size)
        self._add_packed(entry, packed, read_raw(file, member, wheel.name))

    def _write(self, *parts: bytes | memoryview) -> None:
        size = sum(map(len, parts))
        self._offset += size
        self._piece += parts
        self._piece_size += size
        if self._piece_size >= PIECE:
            self._flush()

    def _flush(self) -> None:
        piece = b"".join(self._piece)
        self._piece, self._piece_size = [], 0
        self._sink.write(piece)
        self._digest.update(piece)

    def _headers(self, entry: Entry, packed: Packed) -> bytes:
        """Return the local header of the file that comes next, and keep its central one for the end."""
        if max(self._offset, packed.compressed_size, packed.size) >= SENTINEL_32:
            raise ArchiveLimitError("The bundle would be larger than 4 GB, which no Lambda takes.")
        name = entry.path.encode()
        flags = 0 if len(name) == len(entry.path) else UTF8_NAME
        attributes = EXECUTABLE_FILE if entry.executable else REGULAR_FILE
        common = (VERSION_NEEDED, flags, packed.method, *self._timestamp, *packed[1:], len(name))
        local = LOCAL_HEADER.pack(LOCAL_SIGNATURE, *common, 0) + name
        central = CENTRAL_HEADER.pack(
            CENTRAL_SIGNATURE, MADE_ON_UNIX, *common, 0, 0, 0, 0, attributes, self._offset
        )
        self._directory.append(central + name)
        taken = len(local) + packed.compressed_size + len(central) + len(name)
        self._packed_sizes.append(taken)
        sizes = self._by_owner[entry.owner]
        sizes[0] += taken
        sizes[1] += packed.size
        sizes[2] += 1
        return local


def _wheel(entry: Entry) -> Path | None:
    """Return the wheel whose compressed bytes serve; None where they are made here.

    Those of a method that Lambda may not know don't.
    """
    content = entry.content
    if not isinstance(content, WheelContent) or content.recompress:
        return None
    return content.source if content.member.method in (STORED, DEFLATED) else None


def _content(entry: Entry) -> WheelContent:
    return cast("WheelContent", entry.content)


def _runs(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Split members of one wheel into runs that lie one behind the other, up to CHUNK bytes."""
    run: list[Entry] = []
    start = end = -1
    for entry in entries:
        content = _content(entry)
        member = content.member
        alone = _goes_alone(content)
        if run and (alone or member.offset != end or member.end - start > CHUNK):
            yield run
            run = []
        if not run:
            start = member.offset
        run.append(entry)
        # nothing joins one that goes alone
        end = -1 if alone else member.end
    if run:
        yield run


def _goes_alone(content: WheelContent) -> bool:
    """Tell whether a member is too large to be read at once."""
    return content.member.end - content.member.offset > CHUNK


def _packed(data: bytes) -> tuple[Packed, tuple[bytes]]:
    """Compress, or store where that is no larger."""
    compressed = bytes(deflate.deflate_compress(data, COMPRESSION_LEVEL)) if data else b""
    crc = deflate.crc32(data)
    if 0 < len(compressed) < len(data):
        return Packed(DEFLATED, crc, len(compressed), len(data)), (compressed,)
    return Packed(STORED, crc, len(data), len(data)), (data,)
