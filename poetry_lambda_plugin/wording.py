"""What a mistyped name was likely meant to be, in the words of an error."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


MAX_LISTED = 5
"""Names that a message lists; of more, those nearest to what was typed."""

BEGINNING = 3
"""Letters that tell which name is meant."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the shortest name that begins as typed, or one that is close to it; None where there is none."""
    names = sorted(known)
    begun = [known for known in names if len(name) >= BEGINNING and known.startswith(name)]
    return min(begun, key=len, default=None) or next(iter(get_close_matches(name, names, n=1)), None)


def hint(name: str, known: Iterable[str]) -> str:
    """Return a question to follow a sentence; empty where no name is near."""
    meant = nearest(name, known)
    return f" Did you mean {meant}?" if meant else ""


def listing(name: str, known: Iterable[str], where: str) -> str:
    """Return a sentence that lists the names a place has, of many the nearest only."""
    names = sorted(known)
    if not names:
        return f"{where} has none."
    if len(names) <= MAX_LISTED:
        return f"{where} has {', '.join(names)}."
    closest = get_close_matches(name, names, n=MAX_LISTED, cutoff=0)
    return f"{where} has {', '.join(closest)} and {len(names) - MAX_LISTED} more."


MEGABYTE = 1 << 20
"""As AWS counts it (AWS page "Lambda quotas")."""


def share(count: int, total: int) -> str:
    """Write a part of a total."""
    return f"{100 * count / total:.1f} %" if total else ""


def size(count: int) -> str:
    """Write bytes in megabytes of 1,048,576 bytes, small ones in kilobytes; always with one decimal."""
    if count < MEGABYTE // 10:
        return f"{count / 1024:.1f} KB"
    return f"{count / MEGABYTE:.1f} MB"


def round_size(count: int) -> str:
    """Write a size that somebody chose: without decimals where it has none."""
    return size(count).replace(".0 ", " ")


def counted(count: int, noun: str) -> str:
    """Write a number of things, one of them or several."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def duration(seconds: float) -> str:
    """Write a time in whole seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
