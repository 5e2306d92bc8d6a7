"""The live line on a terminal of a given width."""

from __future__ import annotations

import os
import sys

from typing import TYPE_CHECKING

import pytest

from cleo.io.outputs.stream_output import StreamOutput

from poetry_lambda_plugin.commands.live_line import ERASE
from poetry_lambda_plugin.commands.live_line import LiveLine
from poetry_lambda_plugin.commands.live_line import Span


if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """A terminal whose width is set, and what was written to it."""

    def __init__(self, columns: int) -> None:
        import pty

        from tests.support.terminal import resize

        self._master, slave = pty.openpty()
        resize(self._master, columns, 24)
        self._stream = os.fdopen(slave, "w", encoding="utf-8")
        self.output = StreamOutput(self._stream, decorated=False)

    def read(self) -> str:
        """Return all that was written, which may arrive in pieces."""
        self._stream.write("\0")
        self._stream.flush()
        data = b""
        while not data.endswith(b"\0"):
            data += os.read(self._master, 1 << 16)
        return data.decode().removesuffix("\0")

    def close(self) -> None:
        self._stream.close()
        os.close(self._master)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal with as many columns as the test's parameter says, and one of them never filled."""
    made = Terminal(request.param)
    yield made
    made.close()


LONG = [Span("  - Bundling "), Span("greeting"), Span(": 50 %")]
SHORT = [Span("  - greeting: 50 %")]


@pytest.mark.parametrize(
    ("terminal", "line"),
    [
        pytest.param(60, "  - Bundling greeting: 50 %", id="wide"),
        pytest.param(28, "  - Bundling greeting: 50 %", id="just-wide-enough"),
        pytest.param(27, "  - greeting: 50 %", id="narrow"),
        pytest.param(19, "  - greeting: 50 %", id="very-narrow"),
        pytest.param(10, "  - greet", id="too-narrow"),
    ],
    indirect=["terminal"],
)
def test_first_form_that_fits_is_shown(terminal: Terminal, line: str) -> None:
    """Of the last one, what fits; so it never wraps."""
    LiveLine(terminal.output).show(LONG, SHORT)

    assert terminal.read() == ERASE + line


@pytest.mark.parametrize("terminal", [9], indirect=True)
def test_wide_characters_take_two_columns(terminal: Terminal) -> None:
    """And accents that join another character none."""
    LiveLine(terminal.output).show([Span("e\u0301日本語 x")], [Span("日本語日本語")])

    assert terminal.read() == f"{ERASE}日本語日"


@pytest.mark.parametrize("terminal", [60], indirect=True)
def test_next_state_waits_for_its_time(terminal: Terminal) -> None:
    """A reader can't follow more than ten a second."""
    live = LiveLine(terminal.output)

    assert (live.show(LONG), live.show(SHORT)) == (True, False)


@pytest.mark.parametrize("terminal", [60], indirect=True)
def test_erase_leaves_an_empty_line(terminal: Terminal) -> None:
    """Once: what is not shown is not erased."""
    live = LiveLine(terminal.output)
    live.show(SHORT)
    live.erase()
    live.erase()

    assert terminal.read() == f"{ERASE}  - greeting: 50 %{ERASE}"
