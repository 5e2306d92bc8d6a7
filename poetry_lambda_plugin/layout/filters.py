"""Which bundle paths a user leaves out, by the rules of gitignore."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class PatternError(LambdaBundleError):
    """A pattern that git would not take either."""


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

        try:
            return GitIgnoreSpec.from_lines(self.patterns)
        except ValueError as error:
            raise PatternError(f"exclude: {error}. See git-scm.com/docs/gitignore.") from None
