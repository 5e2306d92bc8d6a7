"""What the lock says of the packages that it selects."""

from __future__ import annotations

import re

from dataclasses import dataclass


STRONG_HASHES = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b"})
WEAK_HASHES = frozenset({"sha1", "md5"})
"""What indexes have named; Poetry locks SHA-256 wherever it can."""

ELSEWHERE = frozenset({"directory", "file", "git", "url"})
"""Poetry's words for what comes from no index."""


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file that the lock allows for a package."""

    name: str
    hash: str
    """Algorithm and hexadecimal digest, as in `sha256:…`; empty for a URL in a lock before 2.0."""

    @property
    def algorithm(self) -> str:
        """What its hash was made with; empty where the lock does not say."""
        return self.hash.rpartition(":")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedPackage:
    """A package that the lock selects for a target."""

    name: str
    """Normalised name."""
    version: str
    files: tuple[LockedFile, ...]
    source_type: str
    """Empty for the default index, else Poetry's word: legacy, directory, file, git or url."""
    source_reference: str | None
    """Name of the index, or what was asked of git."""
    source_url: str | None
    """An address, or the absolute path of a file or folder."""
    source_revision: str | None = None
    """What git's reference was resolved to when it was locked."""
    source_subdirectory: str | None = None
    """Folder of the project below the root of a repository."""

    @property
    def is_from_index(self) -> bool:
        """Tell whether an index has its files; what Poetry does not know either is looked for there."""
        return self.source_type not in ELSEWHERE

    @property
    def revision(self) -> str:
        """What to check out of a repository."""
        return self.source_revision or self.source_reference or "HEAD"

    @property
    def is_fixed(self) -> bool:
        """Tell a revision that stays the same from a branch or tag, as in locks that resolved none."""
        return re.fullmatch("[0-9a-f]{40,64}", self.revision) is not None

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"
