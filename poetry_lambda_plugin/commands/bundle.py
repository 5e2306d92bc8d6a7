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
from cleo.io.outputs.output import Verbosity
from poetry.console.commands.group_command import GroupCommand

from poetry_lambda_plugin.bundling import Circumstances
from poetry_lambda_plugin.bundling import make_bundles
from poetry_lambda_plugin.commands.options import UnknownOptionError
from poetry_lambda_plugin.commands.options import bundle_options
from poetry_lambda_plugin.commands.options import typed_values
from poetry_lambda_plugin.commands.progress import ConsoleObserver
from poetry_lambda_plugin.commands.progress import SilentObserver
from poetry_lambda_plugin.commands.redaction import mask_logged_credentials
from poetry_lambda_plugin.commands.redaction import without_credentials
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

    def run(self, io: IO) -> int:
        """Run the command, and answer an option that does not exist with the nearest one."""
        try:
            return super().run(io)
        except CleoNoSuchOptionError as error:
            self._io = io
            self._report_error(UnknownOptionError(error, self.definition.options))
            return 1

    def handle(self) -> int:
        """Run the command; every error that a user can cause is one paragraph."""
        mask_logged_credentials()
        silence_path_warnings()
        try:
            with _termination_as_interrupt(), _garbage_left_alone(), closing(self._observer()) as observer:
                self._report(self._make(observer))
        except LambdaBundleError as error:
            self._report_error(error)
            return 1
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self._report_error(UnexpectedError(f"{where}{error.strerror or error}. Nothing was changed."))
            return 1
        except KeyboardInterrupt:
            self.line_error("\n<error>Interrupted: no bundle was left half-written.</error>")
            return INTERRUPTED
        return 0

    def _observer(self) -> ConsoleObserver | SilentObserver:
        return SilentObserver() if self._is_json else ConsoleObserver(self.io)

    def _make(self, observer: Observer) -> Iterator[BundleReport]:
        if self.option("format") not in ("text", "json"):
            raise ConfigError(f"--format must be text or json, not {self.option('format')!r}.")
        options = checked_options(typed_values(self.option))
        epoch = source_date_epoch(os.environ)
        project = open_project(self.get_application(), self._poetry)
        self._ignored = tuple(misnamed_tables(project.facts.document))
        configs_of = partial(
            bundle_configs,
            project.facts.document.get("tool", {}).get("poetry-lambda-plugin", {}),
            options,
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
        configs = configs_of(self.argument("bundles"))
        return make_bundles(project, configs, configs_of(()), circumstances, observer)

    @property
    def _is_json(self) -> bool:
        return bool(self.option("format") == "json")

    def _report(self, reports: Iterator[BundleReport]) -> None:
        done: list[BundleReport] = []
        for report in reports:
            if not self._is_json:
                self._report_text(report)
            # two architectures of one bundle mostly have the same ones
            told = {finding for other in done for finding in other.findings}
            self._warn(finding for finding in report.findings if finding not in told)
            done.append(report)
        if self._is_json:
            self.io.output.write_line(json_document(done), verbosity=Verbosity.QUIET)

    def _warn(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.line_error(f"<warning>Warning: {text.escaped(finding.message)}</warning>")

    def _report_error(self, error: LambdaBundleError) -> None:
        if isinstance(error, MaxSizeError):
            self._report_too_large(error.reports)
        if not isinstance(error, StrictError):
            self._warn(self._ignored)
        # shown with -q too: nobody should have to guess why a deployment stopped
        message = f"\n<error>{text.escaped(without_credentials(str(error)))}</error>"
        self.io.write_error_line(message, verbosity=Verbosity.QUIET)
        if isinstance(error, BuildFailedError) and self.io.is_verbose():
            self.line_error(text.escaped(without_credentials(error.log)))
        if self.io.is_debug():
            trace = "".join(traceback.format_exception(error))
            self.line_error(text.escaped(without_credentials(trace)))

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
            self.line(f"<comment>Note: {text.escaped(note)}</comment>")
        if self.io.is_verbose():
            for line in text.details(report):
                self.line(line)


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
