"""`poetry lambda-bundle --watch` in a process of its own, and what it tells line by line."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import threading
import time

from contextlib import contextmanager
from typing import IO
from typing import TYPE_CHECKING
from typing import Any

from tests.support.runner import start_apart


if TYPE_CHECKING:
    import subprocess

    from collections.abc import Iterator
    from pathlib import Path


PATIENCE = 60.0
"""Seconds that a busy machine may need for anything here."""

QUIET = 1.0
"""Seconds without a line after which none is believed to come."""

CLOCK = re.compile(r"^\d\d:\d\d:\d\d  ")
TAKEN = re.compile(r"(?:, \d+\.\d\d s(\))| \(\d+\.\d\d s\))$")

READY = "Watching for changes. Ctrl-C ends it."


class Watched:
    """What is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.beside: list[str] = []
        """What was told between documents."""
        self._lines: queue.Queue[str] = queue.Queue()
        streams = filter(None, (process.stdout, process.stderr))
        self._readers = [threading.Thread(target=self._read, args=(stream,)) for stream in streams]
        for reader in self._readers:
            reader.start()

    def line(self) -> str:
        """Return the next line that is not empty, without its time of day and how long it took."""
        while True:
            line = self._lines.get(timeout=PATIENCE).strip()
            if line:
                return TAKEN.sub(r"\1", CLOCK.sub("", line))

    def document(self) -> Any:
        """Return the next JSON document; errors are told beside it, sooner or later."""
        while not (line := self.line()).startswith("{"):
            self.beside.append(line)
        return json.loads(line)

    def until(self, last: str) -> list[str]:
        """Return the lines up to one."""
        lines = [self.line()]
        while lines[-1] != last:
            lines.append(self.line())
        return lines

    def more(self) -> list[str]:
        """Return what is told until nothing more is."""
        lines: list[str] = []
        end = time.monotonic() + QUIET
        while time.monotonic() < end:
            if not self._lines.empty():
                lines.append(self.line())
                end = time.monotonic() + QUIET
            time.sleep(0.02)
        return lines

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Read to the end, when the process has ended."""
        for reader in self._readers:
            reader.join()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)


@contextmanager
def watched(folder: Path, *arguments: str, **environment: str) -> Iterator[Watched]:
    """Start `poetry lambda-bundle --watch ARGUMENTS` in the current folder; `folder` is for what it needs."""
    # pytest's own parents may have turned Ctrl-C off
    hook = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = ("lambda-bundle", "--watch", *arguments)
    process = start_apart(folder, *command, hook=hook, PYTHONUNBUFFERED="1", **environment)
    run = Watched(process)
    try:
        yield run
    finally:
        process.kill()
        process.wait()
        run.close()


def save(file: Path, text: str) -> None:
    """Write a file as most editors do: beside it, then in its place."""
    beside = file.with_name(f"{file.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, file)  # noqa: PTH105 - what editors call
