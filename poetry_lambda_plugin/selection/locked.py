"""What the lock says of the packages that it selects."""

from __future__ import annotations

import re

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file that the lock allows for a package."""

    name: str
    hash: str
    """Algorithm and hexadecimal digest, as in `sha256:…`."""


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
    def revision(self) -> str:
        """What to check out of a repository."""
        return self.source_revision or self.source_reference or "HEAD"

    @property
    def is_fixed(self) -> bool:
        """Tell a revision that stays the same from a branch or tag, as in locks that resolved none."""
        return re.fullmatch("[0-9a-f]{40,64}", self.revision) is not None

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"
