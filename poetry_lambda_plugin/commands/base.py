"""What the commands share: the project opened, and every error told as one paragraph."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import traceback

from abc import ABC
from abc import abstractmethod
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.exceptions import CleoNoSuchOptionError
from cleo.io.outputs.output import Type as OutputType
from cleo.io.outputs.output import Verbosity
from poetry.console.commands.group_command import GroupCommand

from poetry_lambda_plugin.commands.console import Console
from poetry_lambda_plugin.commands.options import UnknownOptionError
from poetry_lambda_plugin.commands.redaction import without_credentials
from poetry_lambda_plugin.commands.redaction import written_passwords
from poetry_lambda_plugin.configuration.bundles import bundle_configs
from poetry_lambda_plugin.configuration.misnamed import misnamed_tables
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import StrictError
from poetry_lambda_plugin.poetry_api.project import open_project
from poetry_lambda_plugin.poetry_api.project import silence_path_warnings
from poetry_lambda_plugin.report import text
from poetry_lambda_plugin.sources.building import BuildFailedError


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from cleo.io.io import IO

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.poetry_api.project import OpenProject


INTERRUPTED = 130
"""Exit code of a command that the user stopped, as shells have it (128 + SIGINT)."""


class UnexpectedError(LambdaBundleError):
    """A failure of this machine, such as a full disk or a file that has gone."""


class LambdaCommand(GroupCommand, ABC):
    """A command that reads a project and reports, to a person or as one document."""

    loggers: ClassVar[list[str]] = []

    formats: ClassVar[tuple[str, ...]] = ("text", "json")
    """Of the report; all but text are one document, which standard output is."""

    interrupted = "Interrupted."
    """What is said when the user stops it."""

    _ignored: tuple[Finding, ...] = ()
    """Warnings of tables that are not read, to be told before an error that they may explain."""
    _root: Path | None = None
    """Of the project, as soon as it is known."""

    @abstractmethod
    def perform(self) -> None:
        """Do what the command is for, and tell a person of it; raises LambdaBundleError."""

    @abstractmethod
    def document(self, error: str | None) -> str:
        """Return what is known by now, and the error that ended the run, as one document."""

    def all_the_same(self) -> str:
        """Return what is to be said of the work where its report can't be written."""
        return ""

    def run(self, io: IO) -> int:
        """Run the command, and answer an option that does not exist with the nearest one."""
        self._console = Console(io)
        self._format = _wanted_format(io, self.formats)
        try:
            code = super().run(self._console)
        except CleoNoSuchOptionError as error:
            self._io = self._console
            code = self._fail(UnknownOptionError(error, self.definition.options, self.name or ""))
        except Exception as error:
            self._write_document(str(error))
            raise
        return self._arrived(code)

    def handle(self) -> int:
        """Run the command; every error that a user can cause is one paragraph."""
        self._console.take_logs(beside=self._is_document)
        silence_path_warnings()
        try:
            with _garbage_left_alone():
                self._check_format()
                self.perform()
        except LambdaBundleError as error:
            return self._fail(error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            unexpected = UnexpectedError(f"{where}{error.strerror or error}. Nothing was changed.")
            unexpected.__cause__ = error
            return self._fail(unexpected)
        except KeyboardInterrupt:
            self._write_document(self.interrupted)
            self._write_error(self.interrupted, verbosity=Verbosity.NORMAL)
            return INTERRUPTED
        self._write_document(None)
        return 0

    def opened(self) -> OpenProject:
        """Read the project; raises ProjectFileError."""
        project = open_project(self.get_application(), self._poetry)
        self._root = project.facts.root
        if self.io.is_verbose():
            self._console.take_logs(written_passwords(self._root), beside=self._is_document)
        self._ignored = tuple(misnamed_tables(project.facts.document))
        return project

    @property
    def _is_document(self) -> bool:
        return self._format != "text"

    def _check_format(self) -> None:
        if len(self.formats) > 1 and self.option("format") not in self.formats:
            listed = f"{', '.join(self.formats[:-1])} or {self.formats[-1]}"
            raise ConfigError(f"--format must be {listed}, not {self.option('format')!r}.")

    def _warn(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding.severity != "remark":
                self.line_error(f"<warning>Warning: {safe(finding.message)}</warning>")

    def _fail(self, error: LambdaBundleError) -> int:
        """Say what is wrong, and return the exit code."""
        masked = partial(without_credentials, passwords=written_passwords(self._root) if self._root else ())
        interrupted = isinstance(error.__cause__, KeyboardInterrupt)
        if not isinstance(error, StrictError):
            self._warn(self._ignored)
        self._write_document(masked(str(error)))
        # shown with -q too: nobody should have to guess why a deployment stopped
        self._write_error(masked(str(error)), verbosity=Verbosity.NORMAL if interrupted else Verbosity.QUIET)
        for cause in self._causes(error):
            if isinstance(cause, BuildFailedError) and self.io.is_verbose():
                self.line_error(safe(masked(cause.log)))
        if self.io.is_debug():
            for cause in self._causes(error):
                self.line_error(safe(masked("".join(traceback.format_exception(cause)))))
        return INTERRUPTED if interrupted else 1

    def _causes(self, error: LambdaBundleError) -> Sequence[LambdaBundleError]:
        """Return what went wrong, where an error tells of several things."""
        return (error,)

    def _write_error(self, message: str, verbosity: Verbosity = Verbosity.QUIET) -> None:
        self.io.write_error_line(f"\n<error>{safe(message)}</error>", verbosity=verbosity)

    def _write_document(self, error: str | None) -> None:
        """Write the one document that standard output is, as it is: its tags are none of the console's."""
        if self._is_document:
            document = self.document(error and without_credentials(error))
            self._console.told.write_line(document, verbosity=Verbosity.QUIET, type=OutputType.RAW)

    def _arrived(self, code: int) -> int:
        """Return the exit code, after words on a report that standard output did not take.

        A reader that has closed its end, as `head` does, had enough, and misses nothing.
        """
        failure = self._console.told.failure
        if code or failure is None or isinstance(failure, BrokenPipeError):
            return code
        reason = getattr(failure, "strerror", None) or str(failure)
        words = f"The report could not be written to standard output: {reason}."
        self._write_error(f"{words} {self.all_the_same()}".rstrip())
        if self.io.is_debug():
            self.line_error(safe("".join(traceback.format_exception(failure))))
        return 1


def config_reader(project: OpenProject) -> Callable[..., tuple[BundleConfig, ...]]:
    """Return what reads the bundles' configuration, given the options and the names of bundles."""
    return partial(
        bundle_configs,
        project.facts.document.get("tool", {}).get("poetry-lambda-plugin", {}),
        root=project.facts.root,
        cwd=Path.cwd(),
    )


def _wanted_format(io: IO, formats: Iterable[str]) -> str:
    """Return the format that is expected, also where the options turn out to be wrong."""
    given, has = io.input.parameter_option("--format"), io.input.has_parameter_option
    return next((name for name in formats if given == name or has(f"--format={name}")), "text")


def safe(foreign: str) -> str:
    """Mask credentials, and keep style tags and control characters from the terminal, line by line."""
    return "\n".join(map(text.escaped, without_credentials(foreign).splitlines()))


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """Spare the collector its walks through all that Poetry has made, a tenth of a second in all.

    What is made here has no cycles to speak of, and the process ends soon; frozen objects are passed over
    at its end too. They are frozen once, lest a process that runs many commands should keep their garbage.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, as CI sends it, clean up like Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
