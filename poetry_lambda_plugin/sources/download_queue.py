"""What is fetched next: each file as soon as its index has answered, the largest of those first."""

from __future__ import annotations

import heapq
import threading

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING
from typing import Generic
from typing import TypeVar


if TYPE_CHECKING:
    from collections.abc import Sequence

    from poetry_lambda_plugin.selection.choice import Choice


Result = TypeVar("Result")


class DownloadQueue(Generic[Result]):
    """Choices that wait to be looked up in their index, then to be made ready; for several threads.

    Each thread takes until it has made one choice ready, so there is something to take for as many threads as
    choices.
    """

    def __init__(self, choices: Sequence[Choice], workers: int) -> None:
        self.results: dict[Choice, Future[Result]] = {choice: Future() for choice in choices}
        """In the order of the choices, whichever is ready first."""
        self._lock = threading.Lock()
        self._unknown = deque(enumerate(choices))
        self._known: list[tuple[int, int, Choice]] = []
        self._asking = 0
        # half of the workers ask, so that the others find a large file early, and none waits for all pages
        self._most_asking = max(1, workers // 2)

    def take(self) -> tuple[int, Choice, bool]:
        """Return a choice with its position, and whether it has been looked up already."""
        with self._lock:
            if self._unknown and (not self._known or self._asking < self._most_asking):
                self._asking += 1
                position, choice = self._unknown.popleft()
                return position, choice, False
            _, position, choice = heapq.heappop(self._known)
            return position, choice, True

    def looked_up(self, position: int, choice: Choice, size: int) -> None:
        """Put a choice back whose file has so many bytes, 0 where nobody knows."""
        with self._lock:
            self._asking -= 1
            heapq.heappush(self._known, (-size, position, choice))
