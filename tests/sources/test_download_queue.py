"""The order in which several threads look packages up and download them."""

from __future__ import annotations

from poetry_lambda_plugin.sources.download_queue import DownloadQueue
from tests.support.values import wheel_choice


A, B, C, D = (wheel_choice(name) for name in "abcd")


def queue(*choices: object, workers: int) -> DownloadQueue[None]:
    return DownloadQueue(choices, workers)  # type: ignore[arg-type]


def test_choices_are_looked_up_in_their_order() -> None:
    """With their position, by which ties are settled."""
    waiting = queue(A, B, workers=4)

    assert [waiting.take(), waiting.take()] == [(0, A, False), (1, B, False)]


def test_half_of_the_workers_ask() -> None:
    """So that the others download what is known, and none waits for all pages."""
    waiting = queue(A, B, C, D, workers=4)
    waiting.looked_up(*waiting.take()[:2], 10)
    waiting.take()
    waiting.take()

    assert waiting.take() == (0, A, True)


def test_one_worker_asks_all_pages_first() -> None:
    """Who does one thing at a time loses nothing by knowing all sizes."""
    waiting = queue(A, B, workers=1)
    waiting.looked_up(*waiting.take()[:2], 1)
    waiting.looked_up(*waiting.take()[:2], 2)

    assert [waiting.take(), waiting.take()] == [(1, B, True), (0, A, True)]


def test_largest_is_downloaded_first() -> None:
    """Of equals, and of those whose size nobody knows, the first in order."""
    waiting = queue(A, B, C, D, workers=2)
    for size in (0, 5, 9, 5):
        waiting.looked_up(*waiting.take()[:2], size)

    assert [waiting.take()[1] for _ in "abcd"] == [C, B, D, A]


def test_results_are_in_the_order_of_the_choices() -> None:
    """Whichever is ready first."""
    assert list(queue(B, A, workers=2).results) == [B, A]
