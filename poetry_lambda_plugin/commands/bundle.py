"""`poetry lambda-bundle`."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback

from contextlib import closing
from contextlib import contextmanager
from datetime import datetime
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.exceptions import CleoNoSuchOptionError
from cleo.helpers import argument
from cleo.io.outputs.output import Type as OutputType
from cleo.io.outputs.output import Verbosity
from poetry.console.commands.group_command import GroupCommand

from poetry_lambda_plugin.bundling import Circumstances
from poetry_lambda_plugin.bundling import make_bundles
from poetry_lambda_plugin.commands.console import Console
from poetry_lambda_plugin.commands.options import UnknownOptionError
from poetry_lambda_plugin.commands.options import bundle_options
from poetry_lambda_plugin.commands.options import typed_values
from poetry_lambda_plugin.commands.progress import ConsoleObserver
from poetry_lambda_plugin.commands.progress import SilentObserver
from poetry_lambda_plugin.commands.redaction import without_credentials
from poetry_lambda_plugin.commands.redaction import written_passwords
from poetry_lambda_plugin.configuration.bundles import bundle_configs
from poetry_lambda_plugin.configuration.bundles import checked_options
from poetry_lambda_plugin.configuration.misnamed import misnamed_tables
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import source_date_epoch
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import StrictError
from poetry_lambda_plugin.poetry_api.project import open_project
from poetry_lambda_plugin.poetry_api.project import silence_path_warnings
from poetry_lambda_plugin.report import text
from poetry_lambda_plugin.report.assembly import MaxSizeError
from poetry_lambda_plugin.report.assembly import ReportedError
from poetry_lambda_plugin.report.json import json_document
from poetry_lambda_plugin.sources.building import BuildFailedError


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from cleo.io.inputs.argument import Argument
    from cleo.io.inputs.option import Option
    from cleo.io.io import IO

    from poetry_lambda_plugin.bundling import Observer
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.report.bundle_report import BundleReport


INTERRUPTED = 130
"""Exit code of a command that the user stopped, as shells have it (128 + SIGINT)."""


class UnexpectedError(LambdaBundleError):
    """A failure of this machine, such as a full disk or a file that has gone."""


class InterruptedRunError(LambdaBundleError):
    """A run that the user stopped."""


class BundleCommand(GroupCommand):
    """Bundle a locked project for AWS Lambda."""

    name = "lambda-bundle"
    description = "Write AWS Lambda deployment ZIPs from the locked dependencies."
    help = (
        "Without a name, every bundle in <info>[tool.poetry-lambda-plugin.bundles]</info> is made, "
        "or the one that the options describe."
    )

    arguments: ClassVar[list[Argument]] = [
        argument("bundles", "Bundles from the project's configuration.", optional=True, multiple=True),
    ]
    options: ClassVar[list[Option]] = list(bundle_options())
    loggers: ClassVar[list[str]] = []

    _ignored: tuple[Finding, ...] = ()
    """Warnings of tables that are not read, to be told before an error that they may explain."""
    _root: Path | None = None
    """Of the project, as soon as it is known."""

    def run(self, io: IO) -> int:
        """Run the command, and answer an option that does not exist with the nearest one."""
        self._console = Console(io)
        self._is_json = _wants_json(io)
        try:
            code = super().run(self._console)
        except CleoNoSuchOptionError as error:
            self._io = self._console
            code = self._fail(UnknownOptionError(error, self.definition.options))
        except Exception as error:
            self._write_json((), str(error))
            raise
        return self._arrived(code)

    def handle(self) -> int:
        """Run the command; every error that a user can cause is one paragraph."""
        self._console.take_logs(beside=self._is_json)
        silence_path_warnings()
        try:
            with _termination_as_interrupt(), _garbage_left_alone(), closing(self._observer()) as observer:
                self._report(self._make(observer))
        except LambdaBundleError as error:
            return self._fail(error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            unexpected = UnexpectedError(f"{where}{error.strerror or error}. Nothing was changed.")
            unexpected.__cause__ = error
            return self._fail(unexpected)
        except KeyboardInterrupt:
            return self._fail(InterruptedRunError("Interrupted: no bundle was left half-written."))
        return 0

    def _observer(self) -> ConsoleObserver | SilentObserver:
        return SilentObserver() if self._is_json else ConsoleObserver(self.io)

    def _make(self, observer: Observer) -> Iterator[BundleReport]:
        if self.option("format") not in ("text", "json"):
            raise ConfigError(f"--format must be text or json, not {self.option('format')!r}.")
        options = checked_options(typed_values(self.option))
        epoch = source_date_epoch(os.environ)
        project = open_project(self.get_application(), self._poetry)
        self._root = project.facts.root
        if self.io.is_verbose():
            self._console.take_logs(written_passwords(self._root), beside=self._is_json)
        self._ignored = tuple(misnamed_tables(project.facts.document))
        configs_of = partial(
            bundle_configs,
            project.facts.document.get("tool", {}).get("poetry-lambda-plugin", {}),
            root=project.facts.root,
            cwd=Path.cwd(),
        )
        circumstances = Circumstances(
            today=datetime.now(tz=timezone.utc).date(),
            source_date_epoch=epoch,
            dry_run=self.option("dry-run"),
            explain=self.option("explain"),
            compare_with=Path(self.option("diff")).absolute() if self.option("diff") else None,
        )
        configs = configs_of(options, self.argument("bundles"))
        family = configs_of(options, ())
        earlier = configs_of({}, (), made=False)
        return make_bundles(project, configs, family, earlier, circumstances, observer)

    def _report(self, reports: Iterator[BundleReport]) -> None:
        done: list[BundleReport] = []
        for report in reports:
            if not self._is_json:
                self._report_text(report)
            # two architectures of one bundle mostly have the same ones
            told = {finding for other in done for finding in other.findings}
            self._warn(finding for finding in report.findings if finding not in told)
            done.append(report)
        self._write_json(done, None)

    def _write_json(self, reports: Sequence[BundleReport], error: str | None) -> None:
        """Write the one document that standard output is; it is ASCII, and no markup."""
        if self._is_json:
            document = json_document(reports, error and without_credentials(error))
            self._console.told.write_line(document, verbosity=Verbosity.QUIET, type=OutputType.RAW)

    def _warn(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.line_error(f"<warning>Warning: {_safe(finding.message)}</warning>")

    def _fail(self, error: LambdaBundleError) -> int:
        """Say what is wrong, and return the exit code."""
        masked = partial(without_credentials, passwords=written_passwords(self._root) if self._root else ())
        interrupted = isinstance(error, InterruptedRunError) or isinstance(error.__cause__, KeyboardInterrupt)
        if isinstance(error, MaxSizeError):
            self._report_too_large(error.reports)
        if not isinstance(error, StrictError | InterruptedRunError):
            self._warn(self._ignored)
        self._write_json(error.reports if isinstance(error, ReportedError) else (), masked(str(error)))
        # shown with -q too: nobody should have to guess why a deployment stopped
        self._write_error(masked(str(error)), verbosity=Verbosity.NORMAL if interrupted else Verbosity.QUIET)
        if isinstance(error, BuildFailedError) and self.io.is_verbose():
            self.line_error(_safe(masked(error.log)))
        if self.io.is_debug() and not isinstance(error, InterruptedRunError):
            self.line_error(_safe(masked("".join(traceback.format_exception(error)))))
        return INTERRUPTED if interrupted else 1

    def _write_error(self, message: str, verbosity: Verbosity = Verbosity.QUIET) -> None:
        self.io.write_error_line(f"\n<error>{_safe(message)}</error>", verbosity=verbosity)

    def _arrived(self, code: int) -> int:
        """Return the exit code, after words on a report that standard output did not take.

        A reader that has closed its end, as `head` does, had enough, and misses nothing.
        """
        failure = self._console.told.failure
        if code or failure is None or isinstance(failure, BrokenPipeError):
            return code
        reason = getattr(failure, "strerror", None) or str(failure)
        done = "All bundles are planned" if self.option("dry-run") else "All bundles are in their places"
        self._write_error(
            f"The report could not be written to standard output: {reason}. {done} all the same."
        )
        if self.io.is_debug():
            self.line_error(_safe("".join(traceback.format_exception(failure))))
        return 1

    def _report_too_large(self, reports: Sequence[BundleReport]) -> None:
        """Show what takes the room, above the error, which is then the last to be seen."""
        for report in reports:
            if len(reports) > 1:
                heading = text.heading(report.project, report.version, report.bundle, report.target)
                self.line_error(f"\n{heading}")
            for line in text.explanation(report):
                self.line_error(line)

    def _report_text(self, report: BundleReport) -> None:
        self.line("")
        for line in text.summary(report):
            self.line(line)
        for line in (*text.explanation(report), *text.differences(report)):
            self.line(line)
        for note in report.notes:
            self.line(f"<comment>Note: {_safe(note)}</comment>")
        if self.io.is_verbose():
            for line in text.details(report):
                self.line(line)


def _wants_json(io: IO) -> bool:
    """Tell whether a JSON document is expected, also where the options turn out to be wrong."""
    return io.input.parameter_option("--format") == "json" or io.input.has_parameter_option("--format=json")


def _safe(foreign: str) -> str:
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
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, as CI sends it, clean up like Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
