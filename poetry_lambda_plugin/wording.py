"""The words that messages share: names that are near or many, numbers, sizes and times."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence


MAX_LISTED = 5
"""Names that a message lists before it says how many more there are."""

BEGINNING = 3
"""Letters that tell which name is meant."""

SIMILAR = 0.6
"""How much of two names is the same where one may be a slip of the other, as difflib counts."""


def similar(name: str, known: Iterable[str], cutoff: float = SIMILAR) -> str | None:
    """Return the name that is spelt most nearly so; None where none is."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the shortest name that begins as typed, or one that is similar; None where there is none."""
    names = sorted(known)
    begun = [known for known in names if len(name) >= BEGINNING and known.startswith(name)]
    return min(begun, key=len, default=None) or similar(name, names)


def hint(name: str, known: Iterable[str]) -> str:
    """Return a question to follow a sentence; empty where no name is near."""
    meant = nearest(name, known)
    return f" Did you mean {meant}?" if meant else ""


def listing(name: str, known: Iterable[str], where: str) -> str:
    """Return a sentence that lists the names a place has, of many those nearest to what was typed."""
    names = sorted(known)
    if len(names) > MAX_LISTED:
        names = get_close_matches(name, names, n=len(names), cutoff=0)
    return f"{where} has {listed(names) or 'none'}."


def listed(names: Sequence[str], limit: int = MAX_LISTED) -> str:
    """Write the first names, and how many more there are; empty without a name."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


def joined(names: Sequence[str]) -> str:
    """Write at least one name, the last after "and"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


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
