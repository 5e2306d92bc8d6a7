"""Which bundle paths a user leaves out, by the rules of gitignore."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True)
class PathFilter:
    """Patterns on paths in the bundle (git-scm.com/docs/gitignore); the last match decides."""

    patterns: tuple[str, ...] = ()

    def excludes(self, path: str) -> bool:
        """Tell whether a file is left out."""
        return bool(self.patterns) and self._spec.match_file(path)

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(self.patterns)
