"""Ctrl-C and SIGTERM taken note of, since Python forgets what interrupts a finalizer."""

from __future__ import annotations

import signal
import threading

from contextlib import contextmanager
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def noted_signals() -> Iterator[threading.Event]:
    """Lend what is set by Ctrl-C or SIGTERM, besides all that they do anyway.

    An exception that a signal's handler raises in a finalizer, as those that run while garbage is
    collected, is told and dropped (https://docs.python.org/3/reference/datamodel.html#object.__del__).
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        stopped.set()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    taken = [number for number, handler in previous.items() if callable(handler)]
    for number in taken:
        signal.signal(number, note)
    try:
        yield stopped
    finally:
        for number in taken:
            signal.signal(number, previous[number])
