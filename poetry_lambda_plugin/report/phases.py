"""Where the time of a run went."""

from __future__ import annotations

import time

from typing import NamedTuple


class Phase(NamedTuple):
    """One part of a run."""

    name: str
    seconds: float


class Stopwatch:
    """Measures phases that follow each other."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._phases: list[Phase] = []

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Those that have ended."""
        return tuple(self._phases)

    def end(self, name: str) -> None:
        """End a phase; the next one begins."""
        now = time.perf_counter()
        self._phases.append(Phase(name, now - self._last))
        self._last = now
