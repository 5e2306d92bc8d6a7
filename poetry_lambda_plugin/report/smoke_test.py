"""What a smoke test adds to a bundle's report, and when it ends the run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.findings import judged
from poetry_lambda_plugin.report.assembly import ReportedError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.trial.outcome import SmokeTest


INIT_SECONDS = 10
"""How long the init phase may take (AWS page "Understanding the Lambda execution environment lifecycle")."""

MAX_LINES = 10
"""Lines of output that an error shows."""


class SmokeTestError(ReportedError):
    """A handler that can't be imported from its bundle, which has not taken its place."""

    reports: Sequence[BundleReport]


def with_smoke_test(report: BundleReport, test: SmokeTest, config: BundleConfig) -> BundleReport:
    """Add a result to a bundle's report; raises SmokeTestError, and StrictError for what is not certain."""
    if test.status == "failed":
        failed = replace(report, smoke_test=test, status="failed", changed=False)
        raise SmokeTestError(*_failure(test), "Nothing was written.", reports=[failed])
    has_none = test.status == "untried" and (config.layer or config.no_root)
    findings = () if has_none else tuple(_findings(report, test))
    told = judged(findings, config.ignore, strict=config.strict).told
    notes = (*report.notes, *_notes(test, has_none=has_none))
    return replace(report, smoke_test=test, findings=(*report.findings, *told), notes=notes)


def enforce_tried(reports: Sequence[BundleReport]) -> None:
    """Raise SmokeTestError where nothing could be tried."""
    tests = [report.smoke_test for report in reports if report.smoke_test]
    if tests and all(test.status == "untried" for test in tests):
        lines = list(dict.fromkeys(str(test.message) for test in tests))
        failed = [replace(report, status="failed", changed=False) for report in reports]
        raise SmokeTestError(*lines, "Nothing was written.", reports=failed)


def _notes(test: SmokeTest, *, has_none: bool) -> Iterator[str]:
    if has_none:
        yield f"The smoke test passed over it. {test.message}"
    if test.seconds is not None and test.seconds > INIT_SECONDS:
        yield (
            f"The import of the handler took {test.seconds:.1f} s here. Lambda gives the start of a function "
            f"{INIT_SECONDS} s, then it begins again within the function's own timeout."
        )


def _findings(report: BundleReport, test: SmokeTest) -> Iterator[Finding]:
    if test.status == "unclear":
        yield Finding("smoke-test-unclear", str(test.message), report.handler)
    if test.status == "untried":
        yield Finding("smoke-test-untried", f"{report.output.name}: {test.message}", report.output.name)


def _failure(test: SmokeTest) -> Iterator[str]:
    yield str(test.message)
    if test.output:
        yield "Its last output:"
        yield from (f"  {line}" for line in test.output[-MAX_LINES:])
