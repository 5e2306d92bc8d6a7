"""What the lock says of every package, those included that a bundle does not get."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping


class PackageOutline(NamedTuple):
    """A locked package, in short."""

    groups: tuple[str, ...]
    """The groups that need it; empty in locks before 2.1, which don't say."""
    optional: bool
    extras: Mapping[str, tuple[str, ...]]
    """The distributions that each of its own extras adds, by normalised names."""
    project_extras: tuple[str, ...]
    """The extras of the project that name it."""
