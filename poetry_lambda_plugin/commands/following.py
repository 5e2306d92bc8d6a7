"""What `--watch` tells: the first run as any, then a line for each bundle that a change concerns."""

from __future__ import annotations

import time

from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from poetry_lambda_plugin.report.text import followed_line
from poetry_lambda_plugin.watching.loop import PROJECT_FILES


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.exceptions import LambdaBundleError
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.report.bundle_report import BundleReport


@dataclass(slots=True)
class Follower:
    """Tells a person."""

    line: Callable[[str], None]
    report: Callable[[Iterator[BundleReport]], None]
    """Tells of the bundles of a run."""
    warn: Callable[[Iterable[Finding]], None]
    fail: Callable[[LambdaBundleError], object]
    """Tells of an error."""
    _told: dict[Path, frozenset[Finding]] = field(default_factory=dict)
    """What was found in each bundle, by its output."""
    _has_failed: bool = False

    def first(self, reports: Iterator[BundleReport]) -> None:
        """Tell of the bundles as a run without the loop does."""
        self.report(self._noted(reports))

    def began(self) -> None:
        """Say that files are watched from now on."""
        self.line("\nWatching for changes. Ctrl-C ends it.")

    def failed(self, error: LambdaBundleError) -> None:
        """Tell what keeps bundles from being made."""
        self._has_failed = True
        self.fail(error)

    def remade(self, changed: Sequence[str], reports: Iterator[BundleReport], started: float) -> None:
        """Tell of the bundles that a change concerns."""
        clock, is_told = datetime.now().astimezone().strftime("%H:%M:%S"), False
        found: set[Finding] = set()
        for report in reports:
            if report.changed or self._has_failed:
                self.line(followed_line(clock, changed, report, time.perf_counter() - started))
                is_told = True
            found |= set(report.findings) - self._told.get(report.output, frozenset())
            self._told[report.output] = frozenset(report.findings)
        self.warn(sorted(found, key=lambda finding: finding.message))
        if not is_told and (self._has_failed or not set(changed).isdisjoint(PROJECT_FILES)):
            self.line(followed_line(clock, changed, None, time.perf_counter() - started))
        self._has_failed = False

    def _noted(self, reports: Iterator[BundleReport]) -> Iterator[BundleReport]:
        for report in reports:
            self._told[report.output] = frozenset(report.findings)
            yield report


@dataclass(slots=True)
class DocumentFollower:
    """Tells a program: a document on each line."""

    write: Callable[[Sequence[BundleReport]], None]
    """Writes the document of some reports."""
    fail: Callable[[LambdaBundleError], object]
    _has_failed: bool = False

    def first(self, reports: Iterator[BundleReport]) -> None:
        """Write the first document."""
        self.write(list(reports))

    def began(self) -> None:
        """Say nothing."""

    def failed(self, error: LambdaBundleError) -> None:
        """Write what keeps bundles from being made."""
        self._has_failed = True
        self.fail(error)

    def remade(self, changed: Sequence[str], reports: Iterator[BundleReport], started: float) -> None:  # noqa: ARG002
        """Write what became of a change, if anything did."""
        told = [report for report in reports if report.changed or self._has_failed]
        if told or self._has_failed:
            self.write(told)
        self._has_failed = False
