"""Bundles of a run that could not be made: each told by its name, the others beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from poetry_lambda_plugin.report.assembly import MaxSizeError
from poetry_lambda_plugin.report.assembly import ReportedError
from poetry_lambda_plugin.report.assembly import refused
from poetry_lambda_plugin.report.bundle_report import FailedReport
from poetry_lambda_plugin.report.smoke_test import SmokeTestError
from poetry_lambda_plugin.stages.planned import FindingsError
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.stages.failures import Failure
    from poetry_lambda_plugin.stages.failures import Failures
    from poetry_lambda_plugin.stages.failures import Unit


class FailedBundlesError(ReportedError):
    """Some bundles of a run that could not be made; `reports` has the others too."""

    def __init__(
        self, failures: Failures, facts: ProjectFacts, made: Mapping[Unit, BundleReport], *lines: str
    ) -> None:
        self.causes = tuple(failure.error for failure in failures.found)
        failed = {failure.unit: _report(failure, facts) for failure in failures.found}
        reports = {**made, **failed}
        # those whose tables can't be read come last
        ordered = dict.fromkeys((*failures.order, *reports))
        super().__init__(
            *lines,
            *_paragraphs(failures.found, facts.name),
            reports=[reports[unit] for unit in ordered if unit in reports],
        )


class CommitError(FailedBundlesError):
    """Files that did not all take their places, for trouble with the disk; the reports tell which have."""

    def __init__(
        self,
        cause: BaseException,
        failures: Failures,
        facts: ProjectFacts,
        made: Mapping[Unit, BundleReport],
        files: Sequence[Path],
        done: int,
    ) -> None:
        """`files` are all of them, of which so many are `done`."""
        there, missing = files[:done], files[done:]
        words = str(cause) or "Interrupted."
        if there:
            words += f" In place already: {', '.join(map(str, there))}."
        if missing and len(files) > 1:
            words += f" Not written, and as before: {', '.join(map(str, missing))}."
        super().__init__(failures, facts, made, words)


def _report(failure: Failure, facts: ProjectFacts) -> BundleReport | FailedReport:
    error = failure.error
    if isinstance(error, MaxSizeError | SmokeTestError):
        (report,) = error.reports
        return replace(report, status="failed", changed=False, error=str(error))
    if isinstance(error, FindingsError):
        return replace(refused(error.selected, error.findings), error=str(error))
    return FailedReport(
        project=facts.name,
        version=facts.version,
        bundle=failure.unit.bundle,
        architecture=failure.unit.architecture,
        target=failure.target,
        handler=failure.handler,
        output=failure.output,
        error=str(error),
    )


def _paragraphs(failures: Sequence[Failure], project: str) -> Iterator[str]:
    """Yield a paragraph for each bundle and each error of it, architectures with the same one together."""
    places: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        where = str(failure.target or failure.unit.architecture or "")
        places.setdefault((failure.unit.bundle or project, str(failure.error)), []).append(where)
    for (name, words), targets in places.items():
        told = joined([target for target in targets if target]) if any(targets) else ""
        first, *lines = words.splitlines() or [""]
        yield f"{name}{f' for {told}' if told else ''} could not be made: {first}"
        yield from lines
