"""The one verb: from a project and its lock to ZIP files, room by room.

All that needs no network is decided first, for all bundles; then the files are fetched; then all bundles are
planned and compiled; only then is anything written, and nothing takes its place before all is complete. A
bundle that can't be made drops out on the way, with those that need it as a layer; the others go on.
"""

from __future__ import annotations

from contextlib import ExitStack
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import Protocol
from typing import TypeAlias

from poetry_lambda_plugin.archive.reader import verify
from poetry_lambda_plugin.bytecode.compiling import CompilationObserver
from poetry_lambda_plugin.bytecode.compiling import Compiler
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.extras import SBOM
from poetry_lambda_plugin.extras import check_extra
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.report.assembly import Questions
from poetry_lambda_plugin.report.assembly import ReportedError
from poetry_lambda_plugin.report.assembly import check_size
from poetry_lambda_plugin.report.assembly import outlook
from poetry_lambda_plugin.report.assembly import refused
from poetry_lambda_plugin.report.assembly import report_of
from poetry_lambda_plugin.report.difference import read_bundle
from poetry_lambda_plugin.report.failed import CommitError
from poetry_lambda_plugin.report.failed import FailedBundlesError
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.sources.artifacts import Supplier
from poetry_lambda_plugin.sources.artifacts import temporary_folder
from poetry_lambda_plugin.sources.fetching import Progress
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
from poetry_lambda_plugin.stages.collisions import check_outputs
from poetry_lambda_plugin.stages.collisions import check_report
from poetry_lambda_plugin.stages.collisions import check_settled
from poetry_lambda_plugin.stages.compiled import compiled
from poetry_lambda_plugin.stages.compiled import compiled_before
from poetry_lambda_plugin.stages.failures import failures_of
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.stages.memory import Memory
from poetry_lambda_plugin.stages.outputs import records_of
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.placed import Nowhere
from poetry_lambda_plugin.stages.placed import Placed
from poetry_lambda_plugin.stages.placed import Placing
from poetry_lambda_plugin.stages.placed import compared_with
from poetry_lambda_plugin.stages.placed import placed
from poetry_lambda_plugin.stages.planned import FindingsError
from poetry_lambda_plugin.stages.planned import planned_bundles
from poetry_lambda_plugin.stages.selected import select_bundles
from poetry_lambda_plugin.stages.supplied import Supply
from poetry_lambda_plugin.stages.written import written


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import Status
    from poetry_lambda_plugin.report.phases import Phase
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.artifacts import Artifact
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.failures import Failures
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.planned import Planned
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written
    from poetry_lambda_plugin.trial.trying import Trier
    from poetry_lambda_plugin.trial.wishes import TrialWishes

    _Finished: TypeAlias = "tuple[Placed, BundleReport]"


class Observer(Progress, CompilationObserver, Protocol):
    """Is told what happens."""

    def trying(self, handler: str, version: str) -> None:
        """Take note that a handler is being imported, which can take a while."""

    def tried(self) -> None:
        """Take note that it was."""

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
    trial: TrialWishes | None = None
    """How the handlers are to be tried; None for not at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What all bundles of one run have in common."""

    facts: ProjectFacts
    circumstances: Circumstances
    questions: Questions
    supplier: Supplier
    compiler: Compiler
    notes: WheelNotes
    observer: Observer
    stopwatch: Stopwatch
    supply: Supply
    failures: Failures
    records: Path
    """Where it is kept what earlier runs have written to folders."""
    trier: Trier | None
    """None where no handler is to be tried."""
    memory: Memory
    """What earlier runs of this process have found out."""
    trimmed: tuple[str, ...]
    """What any bundle of the project leaves out by patterns."""


def make_bundles(
    project: OpenProject,
    order: Order,
    circumstances: Circumstances,
    observer: Observer,
    memory: Memory | None = None,
) -> Iterator[BundleReport]:
    """Make every bundle for every architecture asked for, then yield a report of each: the work is done then.

    What the `memory` has of earlier runs is neither read nor made again where it would be the same, and not
    told of.

    Raises LambdaBundleError for what is wrong with all bundles, and for the only one; of several,
    FailedBundlesError at the end.
    """
    stopwatch, memory = Stopwatch(), memory or Memory()
    project = replace(project, settings=replace(project.settings, dry_run=circumstances.dry_run))
    failures = failures_of(order)
    configs = [one.config for one in order.wanted]
    known = (*configs, *order.family, *order.plain, *order.earlier)
    outputs = written_before(project.facts, known, records_of(project))
    select = memory.selector(project.lock, order.plain)
    bundles = select_bundles(project, order, circumstances.today, outputs, failures, select)
    check_outputs(bundles)
    check_report(circumstances.page, bundles)
    if any(bundle.sbom for bundle in bundles):
        check_extra(SBOM)
    old = read_bundle(circumstances.compare_with) if circumstances.compare_with else None
    questions = Questions(explain=circumstances.explain, old=old, files=circumstances.page is not None)
    with begun(
        project, order, circumstances, questions, observer, outputs, failures, stopwatch, memory
    ) as run:
        if run.trier is not None:
            run.trier.check(bundles)
        bundles = failures.each(bundles, partial(_with_interpreter, run.compiler), _itself)
        run.stopwatch.end("selecting")
        for first in bundles[:1]:
            observer.turn_to(first)
        try:
            reports = [*_foreseen(run, bundles)] if circumstances.dry_run else _made(run, bundles)
        except FindingsError as error:
            report = refused(error.selected, error.findings)
            raise ReportedError(*error.args, reports=[report]) from error
    return _told(run, bundles[:1], reports)


@contextmanager
def begun(
    project: OpenProject,
    order: Order,
    circumstances: Circumstances,
    questions: Questions,
    observer: Observer,
    outputs: Collection[FileId],
    failures: Failures,
    stopwatch: Stopwatch,
    memory: Memory | None = None,
) -> Iterator[Run]:
    """Begin a run, whose temporary files are gone at its end."""
    memory = memory or Memory()
    with temporary_folder() as temporary:
        supplier = Supplier(project, observer, temporary, _wheel_problems, memory.wheels)
        supply = Supply(supplier, partial(_read, observer, outputs), failures)
        yield Run(
            facts=project.facts,
            circumstances=circumstances,
            questions=questions,
            supplier=supplier,
            compiler=Compiler(project, observer, temporary, supplier.wheel_hash),
            notes=WheelNotes(project.settings, supplier.wheel_hash, memory.notes),
            observer=observer,
            stopwatch=stopwatch,
            supply=supply,
            failures=failures,
            records=records_of(project),
            memory=memory,
            trimmed=tuple(dict.fromkeys(p for config in order.family for p in config.exclude)),
            trier=_trier(project, circumstances, observer, temporary, supply),
        )


def _told(
    run: Run, listed: Sequence[Selected], reports: Sequence[tuple[Selected, BundleReport]]
) -> Iterator[BundleReport]:
    """Yield each bundle's report below its list; raises FailedBundlesError at the end for the others.

    `listed` are those whose list has begun.
    """
    for bundle, report in reports:
        if bundle not in listed:
            run.observer.turn_to(bundle)
        run.observer.complete()
        yield report
    run.stopwatch.end("reporting")
    run.observer.took(run.stopwatch.phases)
    if run.failures:
        raise FailedBundlesError(run.failures, run.facts, {bundle.unit: report for bundle, report in reports})


def _made(run: Run, bundles: Sequence[Selected]) -> Sequence[tuple[Selected, BundleReport]]:
    """Fetch, plan, compile, write and check all bundles, then let all take their places."""
    parts = run.supply.parts(bundles)
    run.memory.forget_others({bundle.unit for bundle in bundles}, parts)
    sources = (*(bundle.project for bundle in bundles), *parts.values())
    run.memory.sources = [source for source in sources if isinstance(source, ProjectSource)]
    run.stopwatch.end("fetching")
    left = run.failures.left(bundles)
    plans = planned_bundles(left, parts, run.failures, run.notes, run.trimmed, run.memory)
    run.stopwatch.end("planning")
    compilations = run.failures.each(plans, partial(_compile, run), _selected)
    _end_compiling(run, bundles)
    with ExitStack() as outputs:
        placing = Placing(run.circumstances.source_date_epoch, run.records, _described, {})
        place = partial(_place, run.memory, placing, outputs, run.questions)
        found = run.failures.each(compilations, place, _selected)
        run.supplier.check_unchanged()
        check_settled([done.bundle for done in placing.done.values()])
        finished = [done for done in found if done is not None]
        pairs = [(done, _report_finished(done, run.questions)) for done in finished]
        if run.trier is not None:
            pairs = _tried(run.trier, run.failures, pairs)
            run.stopwatch.end("trying")
        _commit(run, pairs)
    for one, _ in pairs:
        run.memory.took_place(one.bundle)
    run.stopwatch.end("writing")
    return [(one.bundle.selected, report) for one, report in pairs]


def _compile(run: Run, planned: Planned) -> Compiled:
    """Add bytecode to a bundle, unless an earlier run has."""
    make = partial(compiled, planned, run.compiler)
    finished: Compiled = run.memory.compiled.of(planned.selected.unit, planned, make)
    return finished


def _commit(run: Run, finished: Sequence[_Finished]) -> None:
    """Let all files take their places, one after the other; raises CommitError for the first that can't."""
    files = [file for placed, _ in finished for file in placed.files]
    done = 0
    try:
        for done, file in enumerate(files):  # noqa: B007 - it is told below
            file.commit()
    except (LambdaBundleError, KeyboardInterrupt) as error:
        # it may have been stopped between taking its place and telling so
        done += files[done].is_in_place
        if isinstance(error, KeyboardInterrupt) and not done:
            raise
        told = {
            one.bundle.selected.unit: report if one.output in files[:done] else _not_there(report, error)
            for one, report in finished
        }
        paths = [file.path for file in files]
        raise CommitError(error, run.failures, run.facts, told, paths, done) from error


def _not_there(report: BundleReport, error: BaseException) -> BundleReport:
    return replace(report, status="failed", changed=False, error=str(error) or "Interrupted.")


def _place(
    memory: Memory, placing: Placing, outputs: ExitStack, questions: Questions, bundle: Compiled
) -> Placed | None:
    """Write a bundle beside its place, from where `outputs` removes it if it is not to stay.

    None for one that is there already, made by an earlier run of this process.
    """
    if there := memory.in_place(bundle.selected.unit, bundle):
        placing.done[bundle.selected.unit] = Placed(there, Nowhere(there.output), None)
        return None
    with ExitStack() as own:
        finished = placed(placing, bundle, own)
        check_size(finished.bundle, questions)
        outputs.push(own.pop_all())
    placing.done[bundle.selected.unit] = finished
    return finished


def _described(bundle: Written) -> bytes:
    # its library is large, and needed here alone
    from poetry_lambda_plugin.report.sbom import sbom_document

    return sbom_document(bundle)


def _report_finished(finished: Placed, questions: Questions) -> BundleReport:
    """Report a bundle as it will be in its place: nothing that could still fail is left for later."""
    differs = finished.output.differs
    status: Status = "written" if differs else "unchanged"
    return report_of(finished.bundle, status, questions, changed=differs)


def _tried(trier: Trier, failures: Failures, pairs: Sequence[_Finished]) -> list[_Finished]:
    """Import the handlers before any bundle takes its place: those that can't be imported fail."""
    from poetry_lambda_plugin.report.smoke_test import enforce_tried
    from poetry_lambda_plugin.report.smoke_test import with_smoke_test

    made = {one.bundle.selected.unit: one.bundle for one, _ in pairs}

    def attempt(pair: _Finished) -> _Finished:
        bundle = pair[0].bundle
        return pair[0], with_smoke_test(pair[1], trier.tried(bundle, made), bundle.selected.config)

    told = failures.each(pairs, attempt, lambda pair: pair[0].bundle.selected)
    if not failures:
        enforce_tried([report for _, report in told])
    return told


def _trier(
    project: OpenProject,
    circumstances: Circumstances,
    observer: Observer,
    temporary: Path,
    supply: Supply,
) -> Trier | None:
    """Return what tries handlers, where that is asked for: few runs need all that belongs to it."""
    if circumstances.trial is None:
        return None
    from poetry_lambda_plugin.stages.brought_along import brought_along
    from poetry_lambda_plugin.trial.trying import Trier

    packages = partial(brought_along, project, supply)
    return Trier(project, circumstances.trial, observer, temporary, packages)


def _foreseen(run: Run, bundles: Sequence[Selected]) -> Iterator[tuple[Selected, BundleReport]]:
    """Tell what would be made, as far as it can be told from what is at hand: nothing is written."""
    parts = run.supply.at_hand(bundles)
    run.stopwatch.end("fetching")
    plans = planned_bundles(run.failures.left(bundles), parts, run.failures, run.notes, run.trimmed)
    run.stopwatch.end("planning")
    compilations = run.failures.each(plans, lambda plan: compiled_before(plan, run.compiler), _selected)
    _end_compiling(run, bundles)
    made: dict[Unit, Written] = {}
    run.failures.each(filter(None, compilations), partial(_foresee, run, made), _selected)
    check_settled([*made.values()])
    run.stopwatch.end("writing")
    for bundle in run.failures.left(bundles):
        if would_be := made.get(bundle.unit):
            changed = _would_differ(run, would_be)
            yield bundle, report_of(would_be, "planned", run.questions, changed=changed)
        else:
            yield bundle, outlook(bundle, run.questions, made)


def _foresee(run: Run, made: dict[Unit, Written], bundle: Compiled) -> None:
    """Find out what a bundle would be, if all its layers are known."""
    layers = [layer.selected.unit for layer in bundle.selected.layers if isinstance(layer, LayerBundle)]
    if all(layer in made for layer in layers):
        epoch = run.circumstances.source_date_epoch
        finished = written(bundle, Nowhere(bundle.selected.output), epoch, made)
        check_size(finished, run.questions)
        made[bundle.selected.unit] = finished


def _would_differ(run: Run, bundle: Written) -> bool:
    if bundle.selected.config.unpacked is not None:
        return compared_with(bundle, run.circumstances.source_date_epoch, run.records).differs
    return not has_hash(bundle.output, f"sha256:{bundle.digest.sha256.hex()}")


def _itself(bundle: Selected) -> Selected:
    return bundle


def _selected(bundle: Planned | Compiled) -> Selected:
    return bundle.selected


def _with_interpreter(compiler: Compiler, bundle: Selected) -> Selected:
    """Find all that will compile a bundle before anything is fetched."""
    if bundle.config.bytecode is not None:
        compiler.interpreter(bundle.target.runtime.python)
    return bundle


def _end_compiling(run: Run, bundles: Iterable[Selected]) -> None:
    if any(bundle.config.bytecode for bundle in bundles):
        run.stopwatch.end("compiling")


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
