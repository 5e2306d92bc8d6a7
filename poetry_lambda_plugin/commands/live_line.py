"""The line at the bottom of a terminal that is rewritten in place."""

from __future__ import annotations

import os
import time

from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeGuard
from unicodedata import combining
from unicodedata import east_asian_width

from poetry_lambda_plugin.report.text import escaped


if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleo.io.outputs.output import Output
    from cleo.io.outputs.stream_output import StreamOutput


ERASE = "\r\x1b[K"
"""Back to the first column, and all to the right of it deleted (ECMA-48, EL)."""

INTERVAL = 0.1
"""Seconds between two states of the line: a reader can't follow more, and slow terminals need not."""

DEFAULT_WIDTH = 80
"""Columns of a terminal that does not tell them."""


class Span(NamedTuple):
    """Some text in one style."""

    text: str
    style: str = ""


class LiveLine:
    """Never ends in a new line and never wraps, so that nothing above it moves."""

    def __init__(self, output: StreamOutput) -> None:
        self._output = output
        self._shown = ""
        self._due = 0.0

    def show(self, *forms: Sequence[Span]) -> bool:
        """Write the first form that fits, or what fits of the last; False where it is too soon for that."""
        now = time.monotonic()
        if now < self._due:
            return False
        line = _fitting(forms, _width(self._output))
        if line != self._shown:
            self._due = now + INTERVAL
            self._shown = line
            self._output.write(ERASE + line)
        return True

    def erase(self) -> None:
        """Leave the cursor at the start of an empty line."""
        if self._shown:
            self._shown = ""
            self._output.write(ERASE)


def is_terminal(output: Output) -> TypeGuard[StreamOutput]:
    """Tell whether lines can be rewritten: on a terminal that knows escape sequences."""
    stream = getattr(output, "stream", None)
    known = output.is_decorated() and os.environ.get("TERM") != "dumb"
    return stream is not None and stream.isatty() and known


def _width(output: StreamOutput) -> int:
    """Return the columns that may be filled, asked anew each time; the last one would let some wrap."""
    try:
        columns = os.get_terminal_size(output.stream.fileno()).columns
    except OSError:
        columns = 0
    return (columns or DEFAULT_WIDTH) - 1


def _fitting(forms: Sequence[Sequence[Span]], width: int) -> str:
    for form in forms:
        if sum(_columns(span.text) for span in form) <= width:
            return _styled(form)
    return _styled(_cut(forms[-1], width))


def _cut(form: Sequence[Span], width: int) -> list[Span]:
    taken = []
    for span in form:
        text = span.text
        while _columns(text) > width:
            text = text[:-1]
        width -= _columns(text)
        taken.append(Span(text, span.style))
        if text != span.text:
            break
    return taken


def _styled(form: Sequence[Span]) -> str:
    return "".join(
        f"<{span.style}>{escaped(span.text)}</>" if span.style and span.text else escaped(span.text)
        for span in form
    )


def _columns(text: str) -> int:
    """Return the columns that a text takes: two for a wide character, none for one that joins another."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
