"""Where Poetry's artifact cache has a locked file, remembered by its hash.

Poetry finds an artifact by its URL, and a lock names none, so that even a full cache would need the
index. These notes, one small file each, save the question. They lie among the caches of their index, so
that `poetry cache clear` removes them; a note that is wrong or gone only costs the question.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence


ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "sha1", "md5"})
"""What indexes have named; Poetry locks SHA-256 wherever it can."""

FOLDER = "_lambda_bundle_"
"""Below the folder of an index in Poetry's repository cache."""


ARTIFACT_DEPTH = 4
"""Folders between Poetry's artifact cache and a file: `ab/cd/ef/`, the rest of a digest."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A note on one file."""

    path: Path
    hash: str
    """Algorithm and digest that the file must have."""
    verified: bool
    """Whether every member has been decompressed once, and none lied."""


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The notes of one index, or of all that comes from none."""

    folder: Path
    """A folder in Poetry's repository cache."""
    artifacts: Path
    """Poetry's artifact cache."""

    def find(self, key: str) -> KnownFile | None:
        """Return a file that is still there and still has the bytes it had."""
        try:
            note = json.loads(self._note(key).read_bytes())
            known = KnownFile(self.artifacts / note["path"], note["hash"], note["verified"] is True)
            return known if digest(known.path, known.hash) == known.hash else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember(self, key: str, path: Path, file_hash: str, *, verified: bool) -> None:
        """Write a note; it appears whole or not at all, whoever else writes it meanwhile."""
        note = self._note(key)
        temporary = note.with_name(f"{note.name}.{secrets.token_hex(4)}")
        # a file dependency lies elsewhere, so its path stays absolute
        inside = path.relative_to(self.artifacts) if self.artifacts in path.parents else path
        content = {"path": inside.as_posix(), "hash": file_hash, "verified": verified}
        # a cache that can't be written to costs time, nothing else
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(note)

    def _note(self, key: str) -> Path:
        """Return a note's file; a key is a hash as a lock has it, or digits alone (`source_key`)."""
        algorithm, _, digits = key.rpartition(":")
        name = f"{algorithm or 'source'}-{digits}"
        return self.folder / FOLDER / name[:10] / name


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
    """Return a file's digest in the algorithm of another one, both as `algorithm:hex`.

    Raises OSError, and ValueError for an algorithm that Python lacks.
    """
    algorithm = like.partition(":")[0]
    if algorithm not in ALGORITHMS:
        raise ValueError(f"the hash algorithm {algorithm!r} is not one that a lock may use")
    state = hashlib.new(algorithm)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            state.update(view[:count])
    return f"{algorithm}:{state.hexdigest()}"


def has_hash(path: Path, file_hash: str) -> bool:
    """Tell whether a file has the bytes that a hash wants; False where one of them can't be had."""
    try:
        return bool(file_hash) and digest(path, file_hash) == file_hash
    except (OSError, ValueError):
        return False
