"""Who needs whom among the locked packages, for one target and the extras chosen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping


@dataclass(frozen=True)
class DependencyGraph:
    """Packages by normalised name."""

    direct: frozenset[str]
    """What the project itself depends on."""
    needs: Mapping[str, frozenset[str]]
    """What each package depends on; cycles are allowed."""
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The versions that a package allows of another, where later ones of its major are not among them."""

    def reachable(self, without: Collection[str] = ()) -> frozenset[str]:
        """Return what is still needed when some packages, and the way through them, are gone."""
        return frozenset(self._parents(frozenset(without)))

    def path(self, name: str) -> tuple[str, ...]:
        """Return the shortest way from a direct dependency to a package, both included; empty for none."""
        steps: list[str] = []
        current: str | None = name if name in self._shortest else None
        while current is not None:
            steps.append(current)
            current = self._shortest[current]
        return tuple(reversed(steps))

    @cached_property
    def _shortest(self) -> Mapping[str, str | None]:
        return self._parents(frozenset())

    def _parents(self, without: frozenset[str]) -> Mapping[str, str | None]:
        """Search in breadth, in the order of names, so that the shortest way is always the same one."""
        parents: dict[str, str | None] = dict.fromkeys(sorted(self.direct - without))
        queue = deque(parents)
        while queue:
            name = queue.popleft()
            for needed in sorted(self.needs.get(name, frozenset()) - without):
                if needed not in parents:
                    parents[needed] = name
                    queue.append(needed)
        return parents
