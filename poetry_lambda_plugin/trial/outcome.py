"""What became of a handler that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from typing import NamedTuple


Status = Literal["passed", "unclear", "failed", "untried"]
Isolation = Literal["namespaces", "landlock", "audit-hook"]


class ModuleTime(NamedTuple):
    """What the import of one module took."""

    name: str
    seconds: float
    """With all that it imports for the first time."""
    own_seconds: float
    """Without."""
    bytes: int
    """Of its file; 0 for one that has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokeTest:
    """One bundle's."""

    status: Status
    message: str | None = None
    """One paragraph on what is wrong, unclear or in the way; None where it passed."""
    python: str | None = None
    """Version of the CPython that imported the handler."""
    isolation: Isolation | None = None
    """What held; None where nothing was started."""
    refused: tuple[tuple[str, str], ...] = ()
    """Stronger isolations, each with the reason that this host has against it."""
    seconds: float | None = None
    """What the import took; None where it did not come to an end."""
    modules: tuple[ModuleTime, ...] = ()
    """All that were imported, in the order in which they were ready."""
    chain: tuple[str, ...] = ()
    """The steps that led to what is wrong, as `path:line` in the bundle, the first one first."""
    output: tuple[str, ...] = ()
    """The last lines that were written meanwhile."""
