"""Which bundle paths a user leaves out: gitignore patterns, and ready-made sets of them."""

from __future__ import annotations

import re

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Mapping

    from pathspec import GitIgnoreSpec


SETS: Mapping[str, tuple[str, ...]] = {
    # django.test is for the tests of others, and imported by them alone, but it is a public module
    "tests": ("tests/", "test/", "conftest.py", "!django/test/"),
    "type-stubs": ("*.pyi",),
    "headers-and-sources": (
        *("*.h", "*.hh", "*.hpp", "*.hxx", "*.cuh", "*.inl"),
        *("*.c", "*.cc", "*.cpp", "*.cxx", "*.cu", "*.f", "*.f90", "*.rs"),
        *("*.pyx", "*.pxd", "*.pxi", "*.a", "*.lib"),
    ),
    # not docs/ at any depth: botocore.docs and its like are modules that are imported
    "docs": ("/doc/", "/docs/", "/example/", "/examples/", "*.md", "*.rst"),
}
"""What most functions can do without, by name; in `.dist-info` folders none of them counts."""


class PatternError(LambdaBundleError):
    """A pattern that git would not take either, or a set that does not exist."""


@dataclass(frozen=True)
class PathFilter:
    """Patterns on paths in the bundle (git-scm.com/docs/gitignore) and `@sets`; the last match decides."""

    patterns: tuple[str, ...] = ()

    def excludes(self, path: str) -> bool:
        """Tell whether a file is left out."""
        if not self.patterns:
            return False
        return (self._own if ".dist-info/" in path else self._all).match_file(path)

    def unused(self, paths: Collection[str]) -> tuple[str, ...]:
        """Return the patterns and sets that match none of the paths."""
        wanted = (pattern for pattern in self.patterns if not pattern.startswith(("!", "#")))
        return tuple(p for p in wanted if not any(map(PathFilter((p,)).excludes, paths)))

    @cached_property
    def _all(self) -> GitIgnoreSpec:
        return _spec(line for pattern in self.patterns for line in _lines(pattern))

    @cached_property
    def _own(self) -> GitIgnoreSpec:
        return _spec(pattern for pattern in self.patterns if not pattern.startswith("@"))


def check_patterns(patterns: Iterable[str]) -> None:
    """Raise PatternError for a pattern or a set that can't be understood."""
    _spec(line for pattern in patterns for line in _lines(pattern))


def _lines(pattern: str) -> tuple[str, ...]:
    if not pattern.startswith("@"):
        return (pattern,)
    name = pattern.removeprefix("@")
    if name not in SETS:
        nearest = similar(name, SETS)
        hint = f" Did you mean @{nearest}?" if nearest else ""
        listing = ", ".join(f"@{known}" for known in SETS)
        raise PatternError(f"there is no set {pattern!r}.{hint} The sets are {listing}.")
    return SETS[name]


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise PatternError(f"{error}. See git-scm.com/docs/gitignore.") from None
