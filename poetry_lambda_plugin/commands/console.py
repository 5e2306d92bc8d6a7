"""The console as everything here writes to it: it takes any text, and no failure of it stops the work."""

from __future__ import annotations

import logging
import os
import sys

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import TextIO

from cleo.io.io import IO
from cleo.io.outputs.output import Output
from poetry.console.logging.io_handler import IOHandler

from poetry_lambda_plugin.commands.redaction import CredentialsFilter


if TYPE_CHECKING:
    from collections.abc import Iterable

    from cleo.io.outputs.section_output import SectionOutput


PLAIN = str.maketrans({"→": "->", "…": "...", "×": "x"})
"""Our own signs where the encoding of a stream lacks them; other people's are written as `\\u20ac`."""


class Console(IO):
    """Standard input, output and error of a command."""

    def __init__(self, io: IO) -> None:
        self.told = SteadyOutput(io.output)
        super().__init__(io.input, self.told, SteadyOutput(io.error_output))

    def take_logs(self, passwords: Iterable[str] = (), *, beside: bool) -> None:
        """Write what Poetry and its libraries log here, masked; `beside` keeps the output free of it."""
        root = logging.getLogger()
        output = self.error_output if beside else self.output
        for handler in [handler for handler in root.handlers if isinstance(handler, IOHandler)]:
            log = IOHandler(IO(self.input, output, self.error_output))
            log.setFormatter(handler.formatter)
            log.filters = [*handler.filters, CredentialsFilter(passwords)]
            root.removeHandler(handler)
            root.addHandler(log)


class SteadyOutput(Output):
    """Writes what another output can encode, and nothing more once that one has failed."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.failure: Exception | None = None
        """Why text did not arrive."""
        super().__init__(output.verbosity, output.is_decorated(), output.formatter)

    @property
    def stream(self) -> TextIO | None:
        """The stream below, where there is one."""
        return getattr(self._output, "stream", None)

    def section(self) -> SectionOutput:
        """Return a part of the output that can be rewritten."""
        return self._output.section()

    def _write(self, message: str, new_line: bool = False) -> None:
        if self.failure is not None:
            return
        try:
            self._output._write(_encodable(message, getattr(self.stream, "encoding", None)), new_line)
        except (OSError, ValueError) as error:
            self.failure = error
            self._abandon()

    def _abandon(self) -> None:
        """Let what the stream still holds go nowhere, or Python would fail with it at its end."""
        stream = self.stream
        if stream is not None and stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _encodable(text: str, encoding: str | None) -> str:
    """Replace what an encoding lacks, as a name that is not UTF-8 holds it too."""
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
