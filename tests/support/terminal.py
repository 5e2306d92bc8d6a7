"""Commands run on a terminal of a given size, and what a person then sees of them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""An escape sequence (ECMA-48, CSI)."""


POETRY = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('poetry', run_name='__main__', alter_sys=True)"
)
"""Poetry as it takes Ctrl-C on a terminal, which what a shell has started in the background would ignore."""


@dataclass
class Session:
    """A command on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    output: bytes = b""
    times: list[tuple[float, bytes]] = field(default_factory=list)
    """What arrived, and when in seconds."""

    @property
    def text(self) -> str:
        return self.output.decode()

    @property
    def newlines(self) -> int:
        return self.output.count(b"\n")

    def read_until(self, happened: Callable[[str], object], timeout: float = 60) -> None:
        """Read until something is in the output; the command may go on."""
        end = time.monotonic() + timeout
        while not happened(self.text):
            assert time.monotonic() < end, self.text
            assert self._read(0.1), self.text

    def wait(self, timeout: float = 120) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + timeout
        while self._read(0.1):
            assert time.monotonic() < end, self.text
        os.close(self.master)
        return self.process.wait(timeout)

    def _read(self, seconds: float) -> bool:
        """Take what arrives within a time; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            # EIO is what Linux says when nobody holds the other end any more
            return False
        self.output += data
        self.times.append((time.monotonic(), data))
        return bool(data)


def start(*arguments: str, columns: int = 60, lines: int = 15, **environment: str) -> Session:
    """Start `poetry ARGUMENTS` in the current folder, on a terminal."""
    master, slave = pty.openpty()
    resize(master, columns, lines)
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", POETRY, *arguments],
        env={key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")} | own,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    return Session(process, master)


def resize(master: int, columns: int, lines: int) -> None:
    """Set a terminal's size, as a window manager does."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def seen(text: str) -> list[str]:
    """Return the lines of a terminal without borders, the one with the cursor last."""
    rows, column, position = [""], 0, 0
    while position < len(text):
        sequence = SEQUENCE.match(text, position)
        position = sequence.end() if sequence else position + 1
        character = text[position - 1]
        if sequence and sequence.group() == "\x1b[K":
            rows[-1] = rows[-1][:column]
        elif sequence:
            assert character == "m", f"{sequence.group()!r} would move the cursor or the page"
        elif character == "\n":
            rows.append("")
        elif character == "\r":
            column = 0
        else:
            rows[-1] = rows[-1][:column].ljust(column) + character + rows[-1][column + 1 :]
            column += 1
    return rows
