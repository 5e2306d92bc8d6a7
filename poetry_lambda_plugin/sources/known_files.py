"""Where Poetry's artifact cache has a locked file, remembered by its hash.

Poetry finds an artifact by its URL, and a lock names none, so that even a full cache would need the
index. These notes, one small file per hash, save the question. They lie among the caches of their index,
so that `poetry cache clear` removes them; a note that is wrong or gone only costs the question.
"""

from __future__ import annotations

import json
import os
import secrets

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


FOLDER = "_lambda_bundle_"
"""Below the folder of an index in Poetry's repository cache."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A note on one locked file."""

    path: Path
    verified: bool
    """Whether every member has been decompressed once, and none lied."""


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The notes of one index."""

    folder: Path
    """The index's folder in Poetry's repository cache."""
    artifacts: Path
    """Poetry's artifact cache."""

    def find(self, file_hash: str) -> KnownFile | None:
        """Return the note on a hash (`sha256:…`) whose file is still there."""
        try:
            note = json.loads(self._note(file_hash).read_bytes())
            path = self.artifacts / note["path"]
            known = KnownFile(path, note["verified"] is True)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return known if path.is_file() else None

    def remember(self, file_hash: str, path: Path, *, verified: bool) -> None:
        """Write a note; it appears whole or not at all, whoever else writes it meanwhile."""
        note = self._note(file_hash)
        temporary = note.with_name(f"{note.name}.{secrets.token_hex(4)}")
        content = {
            "path": os.fspath(path.relative_to(self.artifacts).as_posix()),
            "verified": verified,
        }
        # a cache that can't be written to costs time, nothing else
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(note)

    def _note(self, file_hash: str) -> Path:
        name = file_hash.replace(":", "-")
        return self.folder / FOLDER / name[:10] / name
