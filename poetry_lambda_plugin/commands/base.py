"""What the commands share: the project opened, and every error told as one paragraph."""

from __future__ import annotations

import gc
import traceback

from abc import ABC
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.exceptions import CleoNoSuchOptionError
from cleo.io.outputs.output import Type as OutputType
from cleo.io.outputs.output import Verbosity
from poetry.console.commands.group_command import GroupCommand

from poetry_lambda_plugin.commands.options import UnknownOptionError
from poetry_lambda_plugin.commands.redaction import mask_logged_credentials
from poetry_lambda_plugin.commands.redaction import without_credentials
from poetry_lambda_plugin.configuration.misnamed import misnamed_tables
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.project import open_project
from poetry_lambda_plugin.poetry_api.project import silence_path_warnings
from poetry_lambda_plugin.report import text


if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleo.io.io import IO

    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.poetry_api.project import OpenProject


INTERRUPTED = 130
"""Exit code of a command that the user stopped, as shells have it (128 + SIGINT)."""


class UnexpectedError(LambdaBundleError):
    """A failure of this machine, such as a full disk or a file that has gone."""


class LambdaCommand(GroupCommand, ABC):
    """A command that reads a project, reports, and may write its report as one JSON document."""

    loggers: ClassVar[list[str]] = []

    _ignored: tuple[Finding, ...] = ()
    """Warnings of tables that are not read, to be told before an error that they may explain."""

    @abstractmethod
    def perform(self) -> None:
        """Do what the command is for, and report; raises LambdaBundleError."""

    @abstractmethod
    def document(self, error: str | None) -> str:
        """Return what is known by now, and the error that ended the run, as one JSON document."""

    def run(self, io: IO) -> int:
        """Run the command, and answer an option that does not exist with the nearest one."""
        self._is_json = wants_json(io)
        try:
            return super().run(io)
        except CleoNoSuchOptionError as error:
            self._io = io
            return self._fail(UnknownOptionError(error, self.definition.options, self.name or ""))
        except Exception as error:
            # such as an argument too many, which the application tells
            self._io = io
            self._write_document(without_credentials(str(error)))
            raise

    def handle(self) -> int:
        """Run the command; every error that a user can cause is one paragraph."""
        mask_logged_credentials()
        silence_path_warnings()
        try:
            with garbage_left_alone():
                self.perform()
        except LambdaBundleError as error:
            return self._fail(error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return self._fail(UnexpectedError(f"{where}{error.strerror or error}. Nothing was changed."))
        except KeyboardInterrupt:
            self.line_error("\n<error>Interrupted.</error>")
            return INTERRUPTED
        self._write_document(None)
        return 0

    def opened(self) -> OpenProject:
        """Read the project; raises ProjectFileError, and ConfigError for an unknown format."""
        if self.option("format") not in ("text", "json"):
            raise ConfigError(f"--format must be text or json, not {self.option('format')!r}.")
        project = open_project(self.get_application(), self._poetry)
        self._ignored = tuple(misnamed_tables(project.facts.document))
        return project

    def _fail(self, error: LambdaBundleError) -> int:
        """Say what is wrong, and return the exit code."""
        for finding in self._ignored:
            self.line_error(f"<warning>Warning: {text.escaped(finding.message)}</warning>")
        words = without_credentials(str(error))
        self._write_document(words)
        lines = "\n".join(map(text.escaped, words.splitlines()))
        # shown with -q too: nobody should have to guess why a deployment stopped
        self.io.write_error_line(f"\n<error>{lines}</error>", verbosity=Verbosity.QUIET)
        if self.io.is_debug():
            trace = "".join(traceback.format_exception(error))
            self.line_error("\n".join(map(text.escaped, without_credentials(trace).splitlines())))
        return 1

    def _write_document(self, error: str | None) -> None:
        """Write the one document that standard output is; it is no markup."""
        if self._is_json:
            document = self.document(error)
            self.io.output.write_line(document, verbosity=Verbosity.QUIET, type=OutputType.RAW)


def wants_json(io: IO) -> bool:
    """Tell whether a JSON document is expected, also where the options turn out to be wrong."""
    return io.input.parameter_option("--format") == "json" or io.input.has_parameter_option("--format=json")


@contextmanager
def garbage_left_alone() -> Iterator[None]:
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
