"""`poetry lambda-bundle`."""

from __future__ import annotations

import os

from contextlib import closing
from datetime import datetime
from datetime import timezone
from functools import partial
from itertools import chain
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.helpers import argument

from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.bundling import Circumstances
from poetry_lambda_plugin.bundling import make_bundles
from poetry_lambda_plugin.commands.base import LambdaCommand
from poetry_lambda_plugin.commands.base import config_reader
from poetry_lambda_plugin.commands.base import safe
from poetry_lambda_plugin.commands.base import termination_as_interrupt
from poetry_lambda_plugin.commands.options import RIVALS_OF_LIST
from poetry_lambda_plugin.commands.options import RIVALS_OF_WATCH
from poetry_lambda_plugin.commands.options import bundle_options
from poetry_lambda_plugin.commands.options import typed_values
from poetry_lambda_plugin.commands.progress import ConsoleObserver
from poetry_lambda_plugin.commands.progress import SilentObserver
from poetry_lambda_plugin.commands.redaction import without_credentials
from poetry_lambda_plugin.commands.redaction import written_passwords
from poetry_lambda_plugin.configuration.bundles import BrokenBundlesError
from poetry_lambda_plugin.configuration.bundles import checked_options
from poetry_lambda_plugin.configuration.layering import FOR_LAYERS_TOO
from poetry_lambda_plugin.configuration.layering import Order
from poetry_lambda_plugin.configuration.layering import wanted_bundles
from poetry_lambda_plugin.configuration.readers import ContradictionError
from poetry_lambda_plugin.configuration.readers import source_date_epoch
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.extras import WATCH
from poetry_lambda_plugin.extras import check_extra
from poetry_lambda_plugin.report import text
from poetry_lambda_plugin.report.assembly import MaxSizeError
from poetry_lambda_plugin.report.assembly import ReportedError
from poetry_lambda_plugin.report.failed import FailedBundlesError
from poetry_lambda_plugin.report.json import json_document
from poetry_lambda_plugin.stages.pages import write_page
from poetry_lambda_plugin.trial.wishes import trial_wishes


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from cleo.io.inputs.argument import Argument
    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.bundling import Observer
    from poetry_lambda_plugin.configuration.bundles import Given
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import FailedReport
    from poetry_lambda_plugin.stages.listed import Listed
    from poetry_lambda_plugin.watching.loop import Teller


class UnwrittenPageError(LambdaBundleError):
    """A page that could not be written when all bundles were there."""


class BundleCommand(LambdaCommand):
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

    formats = ("text", "json", "markdown")

    interrupted = "Interrupted: no bundle was left half-written."

    _reports: Sequence[BundleReport | FailedReport] = ()
    """Of all bundles, when they are done, or of those that an error is about."""
    _lists = False
    """Whether bundles are listed instead of made."""
    _listed: Sequence[Listed] = ()
    _follows = False
    """Whether bundles are made again and again."""
    _is_stopped = False
    """Whether nothing more is to be told of changes."""

    def perform(self) -> None:
        """Make all bundles and report; raises LambdaBundleError."""
        self._lists = self.option("list")
        if self._lists:
            self._list()
            return
        self._follows = self.option("watch")
        if self._follows:
            self._watch()
            return
        with termination_as_interrupt(), closing(self._observer()) as observer:
            self._report(self._make(observer))
        try:
            self._write_page(None)
        except UnwritableOutputError as error:
            raise UnwrittenPageError(f"{error} {self.all_the_same()}") from error

    def document(self, error: str | None) -> str:
        """Return what became of each bundle, and the error, as one document."""
        # what few runs need is imported where they do, here as below
        if self._format == "markdown":
            from poetry_lambda_plugin.report.markdown import markdown_document

            return markdown_document(self._reports, error)
        if self._lists:
            from poetry_lambda_plugin.report.listing import list_document

            return list_document(self._listed, error)
        return json_document(self._reports, error, on_one_line=self._follows)

    def all_the_same(self) -> str:
        """Say how far the bundles are."""
        done = "All bundles are planned" if self.option("dry-run") else "All bundles are in their places"
        return f"{done} all the same."

    def _observer(self) -> ConsoleObserver | SilentObserver:
        return SilentObserver() if self._is_document else ConsoleObserver(self.io)

    def _make(self, observer: Observer) -> Iterator[BundleReport]:
        options = checked_options(typed_values(self.option))
        circumstances = self._circumstances()
        project = self.opened()
        return make_bundles(project, self._order(config_reader(project), options), circumstances, observer)

    def _circumstances(self) -> Circumstances:
        epoch = source_date_epoch(os.environ)
        wishes = trial_wishes(
            self.option("env"),
            self.option("timeout"),
            wanted=self.option("smoke-test"),
            dry_run=self.option("dry-run"),
        )
        return Circumstances(
            today=datetime.now(tz=timezone.utc).date(),
            source_date_epoch=epoch,
            dry_run=self.option("dry-run"),
            explain=self.option("explain") or self.option("report") is not None,
            compare_with=Path(self.option("diff")).absolute() if self.option("diff") else None,
            page=self._page(),
            trial=wishes,
        )

    def _watch(self) -> None:
        """Make bundles again and again, until the user stops it; raises LambdaBundleError."""
        _check_alone("watch", RIVALS_OF_WATCH, self.option)
        if self._format == "markdown":
            raise ContradictionError("--watch and --format markdown can't be used together. Drop one.")
        check_extra(WATCH)
        # few runs need all that belongs to it
        from poetry_lambda_plugin.watching.loop import Loop

        circumstances = self._circumstances
        with termination_as_interrupt(), closing(self._observer()) as observer:
            try:
                observers = chain([observer], repeat(SilentObserver()))
                Loop(self._read_anew, circumstances, observers, self._teller(), self._is_heard).run()
            except KeyboardInterrupt:
                self._is_stopped = True
                raise

    def _write_document(self, error: str | None) -> None:
        if not self._is_stopped:
            super()._write_document(error)
            self._reports = ()

    def _read_anew(self) -> tuple[OpenProject, Order]:
        """Read the project as it is now; raises LambdaBundleError."""
        options = checked_options(typed_values(self.option))
        project = self.opened()
        # what another plugin has opened stays as it was
        self._poetry = None
        return project, self._order(config_reader(project), options)

    def _teller(self) -> Teller:
        from poetry_lambda_plugin.commands.following import DocumentFollower
        from poetry_lambda_plugin.commands.following import Follower

        if self._format == "json":
            return DocumentFollower(self._write_reports, self._fail)
        return Follower(self.line, self._report, self._warn, self._fail)

    def _is_heard(self) -> bool:
        return self._console.told.failure is None

    def _write_reports(self, reports: Sequence[BundleReport]) -> None:
        self._reports = reports
        self._write_document(None)

    def _order(self, configs_of: Callable[..., Sequence[BundleConfig]], options: Given) -> Order:
        """Find out what is to be made."""
        asked, broken = _sound(configs_of, options, self.argument("bundles"))
        family, _ = _sound(configs_of, options)
        unasked = partial(_sound, partial(configs_of, made=False))
        plain, _ = unasked({name: options[name] for name in options.keys() & FOR_LAYERS_TOO})
        earlier, _ = unasked({})
        wanted = wanted_bundles(asked, plain)
        return Order(wanted=wanted, broken=broken, family=family, plain=plain, earlier=earlier)

    def _list(self) -> None:
        """Tell which bundles there are; raises LambdaBundleError where one of them can't be made."""
        from poetry_lambda_plugin.report.listing import list_lines
        from poetry_lambda_plugin.stages.listed import enforce_makeable
        from poetry_lambda_plugin.stages.listed import listed_bundles

        _check_alone("list", RIVALS_OF_LIST, self.option)
        if self._format == "markdown":
            raise ContradictionError("--list and --format markdown can't be used together. Drop one.")
        options = checked_options(typed_values(self.option))
        project = self.opened()
        order, today = self._order(config_reader(project), options), datetime.now(tz=timezone.utc).date()
        self._listed = tuple(listed_bundles(project, order, today, source_date_epoch(os.environ)))
        if not self._is_document:
            for line in list_lines(self._listed):
                self.line(line)
        enforce_makeable(self._listed)

    def _report(self, reports: Iterator[BundleReport]) -> None:
        done: list[BundleReport] = []
        for report in reports:
            if not self._is_document:
                # bundles of one project mostly have the same ones
                self._report_text(report, {note for other in done for note in other.notes})
            told = {finding for other in done for finding in other.findings}
            self._warn(finding for finding in report.findings if finding not in told)
            done.append(report)
        self._reports = done

    def _page(self) -> Path | None:
        return Path(self.option("report")).absolute() if self.option("report") is not None else None

    def _write_page(self, error: str | None) -> None:
        """Write the page that is asked for; raises PageError."""
        path = self._page()
        if path is None:
            return
        # reads files of its own, and is seldom asked for
        from poetry_lambda_plugin.report.page import report_page

        write_page(path, report_page(self._reports, error))
        if not self._is_document:
            self.line(f"\nThe report is in <c1>{safe(str(path))}</c1>.")

    def _fail(self, error: LambdaBundleError) -> int:
        """Say what is wrong, of which bundles, and return the exit code."""
        if isinstance(error, ReportedError):
            self._reports = error.reports
        for cause in self._causes(error):
            if isinstance(cause, MaxSizeError):
                self._report_too_large(cause.reports, is_one_of_many=cause is not error)
        if isinstance(error, ReportedError):
            self._write_page_of_failure(error)
        return super()._fail(error)

    def _write_page_of_failure(self, error: ReportedError) -> None:
        """Write the page with what failed above all else; what keeps it from that comes second."""
        try:
            passwords = written_passwords(self._root) if self._root else ()
            self._write_page(without_credentials(str(error), passwords))
        except UnwritableOutputError as unwritten:
            self.line_error(f"<warning>Warning: {safe(str(unwritten))}</warning>")

    def _causes(self, error: LambdaBundleError) -> Sequence[LambdaBundleError]:
        """Return the error, and each bundle's own."""
        return (error, *dict.fromkeys(error.causes if isinstance(error, FailedBundlesError) else ()))

    def _report_too_large(self, reports: Sequence[BundleReport], *, is_one_of_many: bool) -> None:
        """Show what takes the room, above the error, which is then the last to be seen."""
        for report in reports:
            if is_one_of_many:
                heading = text.heading(report.project, report.version, report.bundle, report.target)
                self.line_error(f"\n{heading}")
            for line in text.explanation(report):
                self.line_error(line)

    def _report_text(self, report: BundleReport, told: Collection[str]) -> None:
        self.line("")
        for line in text.summary(report):
            self.line(line)
        explained = text.explanation(report) if self.option("explain") else ()
        for line in (*text.slowest_modules(report), *explained, *text.differences(report)):
            self.line(line)
        for note in (note for note in report.notes if note not in told):
            self.line(f"<comment>Note: {safe(note)}</comment>")
        if self.io.is_verbose():
            for line in (*text.details(report), *text.trial_details(report)):
                self.line(line)


def _check_alone(name: str, rivals: Iterable[str], value_of: Callable[[str], object]) -> None:
    """Raise ContradictionError where an option was typed with one that it goes not with."""
    for rival in rivals:
        if value_of(rival):
            raise ContradictionError(f"--{name} and --{rival} can't be used together. Drop one.")


def _sound(
    configs_of: Callable[..., Sequence[BundleConfig]], options: Given, names: Sequence[str] = ()
) -> tuple[Sequence[BundleConfig], Mapping[str, LambdaBundleError]]:
    """Return the bundles whose tables can be meant, and the errors of the others, by name.

    Raises BrokenBundlesError where that is not for each bundle to tell: where none is sound, or one is broken
    that is not to be made.
    """
    try:
        return configs_of(options, names), {}
    except BrokenBundlesError as error:
        if not error.configs or not error.are_wanted:
            raise
        return error.configs, error.errors
