"""Where Poetry's artifact cache has a locked file, remembered by its hash.

Poetry finds an artifact by its URL, and a lock names none, so that even a full cache would need the
index. These notes, one small file each, save the question. They lie among the caches of their index, so
that `poetry cache clear` removes them; a note that is wrong or gone only costs the question.
"""

from __future__ import annotations

import hashlib
import json
import os

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.selection.locked import STRONG_HASHES
from poetry_lambda_plugin.selection.locked import WEAK_HASHES


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence


FOLDER = "_lambda_bundle_"
"""Below the folder of an index in Poetry's repository cache."""


MOST_OF_NOTE = 1 << 16
"""Bytes; none that was written here has so many."""

ARTIFACT_DEPTH = 4
"""Folders between Poetry's artifact cache and a file: `ab/cd/ef/`, the rest of a digest."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file on disk that has been held against its hash."""

    path: Path
    hash: str
    """Algorithm and digest that it had, as in `sha256:…`; empty where none is known."""
    verified: bool
    """Whether every member has been decompressed once, and none lied."""
    stamp: tuple[int, ...] = ()
    """What the file system knew of it before its bytes were read, and what changes with them."""

    @property
    def is_unchanged(self) -> bool:
        """Tell whether its path still has the bytes that were read.

        Another process may have put the same ones there again, as each does that downloads them.
        """
        return self.looks_unchanged or has_hash(self.path, self.hash)

    @property
    def looks_unchanged(self) -> bool:
        """Tell whether its path still is the file that was read, and was not written to."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The notes of one index, or of all that comes from none."""

    folder: Path
    """A folder in Poetry's repository cache."""
    artifacts: Path
    """Poetry's artifact cache."""
    takes_new: bool = True
    """Whether anything is written."""

    def find(self, key: str) -> CheckedFile | None:
        """Return a file that is still there and still has the bytes it had."""
        try:
            note = read_note(self._note(key))
            known = checked(self.artifacts / note["path"], note["hash"], verified=note["verified"] is True)
            return known if known.hash == note["hash"] else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember(self, key: str, file: CheckedFile) -> None:
        """Write a note; it appears whole or not at all, whoever else writes it meanwhile."""
        if not self.takes_new:
            return
        # a file dependency lies elsewhere, so its path stays absolute
        is_inside = self.artifacts in file.path.parents
        path = file.path.relative_to(self.artifacts) if is_inside else file.path
        write_note(self._note(key), {"path": path.as_posix(), "hash": file.hash, "verified": file.verified})

    def _note(self, key: str) -> Path:
        """Return a note's file; a key is a hash as a lock has it, or digits alone (`source_key`)."""
        algorithm, _, digits = key.rpartition(":")
        name = f"{algorithm or 'source'}-{digits}"
        return self.folder / FOLDER / name[:10] / name


def read_note(note: Path) -> Any:
    """Return a note's JSON; raises OSError and ValueError."""
    with open_regular(note) as file:
        return json.loads(file.read(MOST_OF_NOTE))


def write_note(note: Path, content: Mapping[str, object]) -> None:
    """Write a note as JSON, or none: a cache that can't be written to costs time, nothing else."""
    with suppress(OSError), replacing(note) as file:
        file.write(json.dumps(content).encode())


def source_key(*parts: str | None) -> str:
    """Return a key of hexadecimal digits for what is made of something that has no hash of its own."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def cached_artifacts(folder: Path) -> Mapping[str, Sequence[Path]]:
    """Return the files in Poetry's artifact cache by name, in a fixed order; links are not followed."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(_files_at(os.fspath(folder), ARTIFACT_DEPTH)):
        found[os.path.basename(path)].append(Path(path))  # noqa: PTH119
    return found


def _files_at(folder: str, depth: int) -> Iterator[str]:
    """Yield the files so many folders below; what can't be read is not there."""
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
    except OSError:
        return
    for entry in inside:
        if depth and entry.is_dir(follow_symlinks=False):
            yield from _files_at(entry.path, depth - 1)
        elif not depth and entry.is_file(follow_symlinks=False):
            yield entry.path


def digest(path: Path, like: str) -> str:
    """Return a file's digest like another one; raises as `checked`."""
    return checked(path, like).hash


def checked(path: Path, like: str, *, verified: bool = False) -> CheckedFile:
    """Return a file with its digest in the algorithm of another one, both as `algorithm:hex`.

    Raises OSError, and ValueError for an algorithm that Python lacks.
    """
    algorithm = like.partition(":")[0]
    if algorithm not in STRONG_HASHES | WEAK_HASHES:
        raise ValueError(f"the hash algorithm {algorithm!r} is not one that a lock may use")
    state = hashlib.new(algorithm)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    with open_regular(path) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        while count := file.readinto(buffer):
            state.update(view[:count])
    return CheckedFile(path, f"{algorithm}:{state.hexdigest()}", verified, stamp)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def has_hash(path: Path, file_hash: str) -> bool:
    """Tell whether a file has the bytes that a hash wants; False where one of them can't be had."""
    return held_against(path, file_hash) is not None


def held_against(path: Path, file_hash: str) -> CheckedFile | None:
    """Return a file that has the bytes that a hash wants; None where one of them can't be had."""
    try:
        found = checked(path, file_hash)
    except (OSError, ValueError):
        return None
    return found if found.hash == file_hash else None
