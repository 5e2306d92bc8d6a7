"""Where Poetry's artifact cache has a locked file, remembered by its hash.

Poetry finds an artifact by its URL, and a lock names none, so that even a full cache would need the
index. These notes, one small file each, save the question. They lie among the caches of their index, so
that `poetry cache clear` removes them; a note that is wrong or gone only costs the question.
"""

from __future__ import annotations

import hashlib
import json
import secrets

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "sha1", "md5"})
"""What indexes have named; Poetry locks SHA-256 wherever it can."""

FOLDER = "_lambda_bundle_"
"""Below the folder of an index in Poetry's repository cache."""


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
