"""The one verb: from a project and its lock to ZIP files, room by room.

All that needs no network is decided first, for all bundles; then the files are fetched; then all bundles are
planned and compiled; only then is anything written, and nothing takes its place before all is complete.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import Protocol
from typing import TypeAlias

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import is_nowhere
from poetry_lambda_plugin.archive.reader import verify
from poetry_lambda_plugin.bytecode.compiling import CompilationObserver
from poetry_lambda_plugin.bytecode.compiling import Compiler
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.report.assembly import Questions
from poetry_lambda_plugin.report.assembly import ReportedError
from poetry_lambda_plugin.report.assembly import check_sizes
from poetry_lambda_plugin.report.assembly import outlook
from poetry_lambda_plugin.report.assembly import report_of
from poetry_lambda_plugin.report.difference import read_bundle
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.sources.artifacts import Supplier
from poetry_lambda_plugin.sources.artifacts import temporary_folder
from poetry_lambda_plugin.sources.fetching import Progress
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
from poetry_lambda_plugin.stages.collisions import check_outputs
from poetry_lambda_plugin.stages.collisions import check_report
from poetry_lambda_plugin.stages.compiled import compiled
from poetry_lambda_plugin.stages.compiled import compiled_before
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.planned import planned_bundles
from poetry_lambda_plugin.stages.selected import select_bundles
from poetry_lambda_plugin.stages.written import written


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import Status
    from poetry_lambda_plugin.report.phases import Phase
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.artifacts import Artifact
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written

    _Finished: TypeAlias = "tuple[Written, OutputFile | _Nowhere]"


class CommitError(ReportedError):
    """Bundles that did not all take their places; the reports tell which have."""

    def __init__(self, cause: BaseException, reports: Sequence[BundleReport]) -> None:
        there = [str(report.output) for report in reports if report.status != "failed"]
        missing = [str(report.output) for report in reports if report.status == "failed"]
        words = str(cause) or "Interrupted."
        if there:
            words += f" In place already: {', '.join(there)}."
        if missing and len(reports) > 1:
            words += f" Not written, and as before: {', '.join(missing)}."
        super().__init__(words, reports=reports)


class Observer(Progress, CompilationObserver, Protocol):
    """Is told what happens."""

    def turn_to(self, bundle: Selected) -> None:
        """Take note of the bundle that is told of from now on."""

    def ready(self, choice: Choice, version: str) -> None:
        """Take note of a package that has been read; called from several threads."""

    def complete(self) -> None:
        """Take note that the bundle is in its place."""

    def took(self, phases: Sequence[Phase]) -> None:
        """Take note, at the end, where the time went."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What the bundle may depend on besides the project, made explicit."""

    today: date
    """Only warnings depend on it."""
    source_date_epoch: int | None
    """Seconds since 1970 for every file's time; None for 1980-01-01."""
    dry_run: bool
    """Plan everything, write nothing, ask no network."""
    explain: bool = False
    """Work out why each package is there and what could be saved."""
    compare_with: Path | None = None
    """An older bundle."""
    page: Path | None = None
    """Where the report will be written as a page, by whoever is given it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all bundles of one run have in common."""

    circumstances: Circumstances
    questions: Questions
    supplier: Supplier
    compiler: Compiler
    notes: WheelNotes
    observer: Observer
    stopwatch: Stopwatch
    read: Callable[[Choice, Artifact], Wheel | ProjectSource]


def make_bundles(
    project: OpenProject,
    configs: Sequence[BundleConfig],
    family: Sequence[BundleConfig],
    earlier: Sequence[BundleConfig],
    circumstances: Circumstances,
    observer: Observer,
) -> Iterator[BundleReport]:
    """Make every bundle for every architecture asked for, then yield a report of each: the work is done then.

    `family` are all bundles of the project, and `earlier` what they are without options, as earlier runs may
    have had none. Raises LambdaBundleError.
    """
    stopwatch = Stopwatch()
    project = replace(project, settings=replace(project.settings, dry_run=circumstances.dry_run))
    outputs = written_before(project.facts, (*configs, *family, *earlier))
    bundles = select_bundles(project, configs, family, circumstances.today, outputs)
    check_outputs(bundles)
    check_report(circumstances.page, bundles)
    old = read_bundle(circumstances.compare_with) if circumstances.compare_with else None
    with temporary_folder() as temporary:
        supplier = Supplier(project, observer, temporary, _wheel_problems)
        run = _Run(
            circumstances=circumstances,
            questions=Questions(explain=circumstances.explain, old=old, files=circumstances.page is not None),
            supplier=supplier,
            compiler=Compiler(project, observer, temporary, supplier.wheel_hash),
            notes=WheelNotes(project.settings, supplier.wheel_hash),
            observer=observer,
            stopwatch=stopwatch,
            read=partial(_read, observer, outputs),
        )
        _find_interpreters(run.compiler, bundles)
        stopwatch.end("selecting")
        observer.turn_to(bundles[0])
        reports = [*_foreseen(run, bundles)] if circumstances.dry_run else _made(run, bundles)
    return _told(run, bundles, reports)


def _told(run: _Run, bundles: Sequence[Selected], reports: Sequence[BundleReport]) -> Iterator[BundleReport]:
    """Yield each bundle's report below its list."""
    for bundle, report in zip(bundles, reports, strict=True):
        if bundle is not bundles[0]:
            run.observer.turn_to(bundle)
        run.observer.complete()
        yield report
    run.stopwatch.end("reporting")
    run.observer.took(run.stopwatch.phases)


def _made(run: _Run, bundles: Sequence[Selected]) -> Sequence[BundleReport]:
    """Fetch, plan, compile, write and check all bundles, then let all take their places."""
    parts = run.supplier.supply(_all_parts(bundles), run.read)
    run.stopwatch.end("fetching")
    plans = planned_bundles(bundles, parts, run.notes)
    run.stopwatch.end("planning")
    compilations = [compiled(plan, run.compiler) for plan in plans]
    _end_compiling(run, bundles)
    with ExitStack() as outputs:
        finished = [_write(run, bundle, outputs) for bundle in compilations]
        run.supplier.check_unchanged()
        check_sizes([bundle for bundle, _ in finished], run.questions)
        reports = [_report_finished(*pair, run.questions) for pair in finished]
        _commit(finished, reports)
    run.stopwatch.end("writing")
    return reports


def _commit(finished: Sequence[_Finished], reports: Sequence[BundleReport]) -> None:
    """Let all bundles take their places, one after the other; raises CommitError for the first that can't."""
    done = 0
    try:
        for done, (_, file) in enumerate(finished):  # noqa: B007 - it is told below
            file.commit()
    except (LambdaBundleError, KeyboardInterrupt) as error:
        # it may have been stopped between taking its place and telling so
        done += finished[done][1].is_in_place
        if isinstance(error, KeyboardInterrupt) and not done:
            raise
        failed = [replace(report, status="failed", changed=False) for report in reports[done:]]
        raise CommitError(error, [*reports[:done], *failed]) from error


def _write(run: _Run, bundle: Compiled, outputs: ExitStack) -> _Finished:
    """Write a bundle beside its place."""
    path = bundle.planned.selected.output
    file = _Nowhere() if is_nowhere(path) else outputs.enter_context(OutputFile(path))
    finished = written(bundle, file, run.circumstances.source_date_epoch)
    file.finish()
    return finished, file


def _report_finished(bundle: Written, file: OutputFile | _Nowhere, questions: Questions) -> BundleReport:
    """Report a bundle as it will be in its place: nothing that could still fail is left for later."""
    status: Status = "written" if file.differs else "unchanged"
    return report_of(bundle, status, questions, changed=file.differs)


def _foreseen(run: _Run, bundles: Sequence[Selected]) -> Iterator[BundleReport]:
    """Tell what would be made, as far as it can be told from what is at hand: nothing is written."""
    at_hand = {choice: run.supplier.at_hand(choice) for choice in _all_parts(bundles)}
    parts = {c: run.read(c, artifact) for c, artifact in at_hand.items() if artifact is not None}
    run.stopwatch.end("fetching")
    plans = planned_bundles(bundles, parts, run.notes)
    run.stopwatch.end("planning")
    compilations = [compiled_before(plan, run.compiler) for plan in plans]
    _end_compiling(run, bundles)
    epoch = run.circumstances.source_date_epoch
    finished = [written(bundle, _Nowhere(), epoch) for bundle in compilations if bundle is not None]
    check_sizes(finished, run.questions)
    run.stopwatch.end("writing")
    known = {bundle.selected.output: bundle for bundle in finished}
    for bundle in bundles:
        if bundle.output in known:
            would_be = known[bundle.output]
            is_there = has_hash(bundle.output, f"sha256:{would_be.digest.sha256.hex()}")
            yield report_of(would_be, "planned", run.questions, changed=not is_there)
        else:
            yield outlook(bundle, run.questions)


def _find_interpreters(compiler: Compiler, bundles: Iterable[Selected]) -> None:
    """Find all that will compile before anything is fetched."""
    for bundle in bundles:
        if bundle.config.bytecode is not None:
            compiler.interpreter(bundle.target.runtime.python)


def _end_compiling(run: _Run, bundles: Iterable[Selected]) -> None:
    if any(bundle.config.bytecode for bundle in bundles):
        run.stopwatch.end("compiling")


def _all_parts(bundles: Iterable[Selected]) -> list[Choice]:
    """Return all that has to be made ready, each part once."""
    return list(dict.fromkeys(choice for bundle in bundles for choice in bundle.parts))


def _read(
    observer: Observer, outputs: Collection[FileId], choice: Choice, artifact: Artifact
) -> Wheel | ProjectSource:
    """Read a wheel's directory, and every byte of it the first time that it is seen."""
    part: Wheel | ProjectSource
    if isinstance(artifact, ProjectSource):
        part = without_outputs(artifact, outputs)
    else:
        # what is built here may have another version than the one locked, as folders do
        part = read_wheel(artifact.path, choice.package.name, choice.version)
        if not artifact.verified:
            verify(artifact.path, part.members)
    observer.ready(choice, part.version)
    return part


def _wheel_problems(wheel: Path, target: Target) -> Iterator[str]:
    """Yield what keeps the compiled code in a wheel that was built here from running on a target."""
    # reads ELF files with a library that is large, and needed here alone
    from poetry_lambda_plugin.audit.binaries import wheel_problems

    return wheel_problems(wheel, target)


class _Nowhere:
    """Takes the archive of a dry run, for its digest, or that which is to be thrown away."""

    differs, is_in_place = True, False

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def finish(self) -> None:
        """Have nothing to end."""

    def commit(self) -> None:
        """Have no place to take."""
