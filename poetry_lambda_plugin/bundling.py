"""The one verb: from a project and its lock to ZIP files, room by room.

All that needs no network is decided first, for all bundles; then the files are fetched; then all bundles are
planned and compiled; only then is anything written, and nothing takes its place before all is complete. A
bundle that can't be made drops out on the way, with those that need it as a layer; the others go on.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import is_nowhere
from poetry_lambda_plugin.archive.reader import verify
from poetry_lambda_plugin.bytecode.compiling import CompilationObserver
from poetry_lambda_plugin.bytecode.compiling import Compiler
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.report.assembly import Questions
from poetry_lambda_plugin.report.assembly import check_size
from poetry_lambda_plugin.report.assembly import outlook
from poetry_lambda_plugin.report.assembly import report_of
from poetry_lambda_plugin.report.difference import read_bundle
from poetry_lambda_plugin.report.failed import CommitError
from poetry_lambda_plugin.report.failed import FailedBundlesError
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.sources.artifacts import Supplier
from poetry_lambda_plugin.sources.artifacts import temporary_folder
from poetry_lambda_plugin.sources.fetching import Progress
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.stages.collisions import check_outputs
from poetry_lambda_plugin.stages.compiled import compiled
from poetry_lambda_plugin.stages.compiled import compiled_before
from poetry_lambda_plugin.stages.failures import failures_of
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.planned import planned_bundles
from poetry_lambda_plugin.stages.selected import select_bundles
from poetry_lambda_plugin.stages.supplied import Supply
from poetry_lambda_plugin.stages.written import written
from poetry_lambda_plugin.stages.written import written_like


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
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


class _Finished(NamedTuple):
    """A bundle that waits beside its place."""

    bundle: Written
    file: OutputFile | _Nowhere


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What all bundles of one run have in common."""

    facts: ProjectFacts
    circumstances: Circumstances
    questions: Questions
    supplier: Supplier
    compiler: Compiler
    observer: Observer
    stopwatch: Stopwatch
    supply: Supply
    failures: Failures
    trimmed: tuple[str, ...]
    """What any bundle of the project leaves out by patterns."""


def make_bundles(
    project: OpenProject,
    order: Order,
    circumstances: Circumstances,
    observer: Observer,
) -> Iterator[BundleReport]:
    """Make every bundle for every architecture asked for, then yield a report of each: the work is done then.

    Raises LambdaBundleError for what is wrong with all bundles, and for the only one; of several,
    FailedBundlesError at the end.
    """
    stopwatch = Stopwatch()
    project = replace(project, settings=replace(project.settings, dry_run=circumstances.dry_run))
    failures = failures_of(order)
    configs = [one.config for one in order.wanted]
    outputs = written_before(project.facts, (*configs, *order.family, *order.plain, *order.earlier))
    bundles = select_bundles(project, order, circumstances.today, outputs, failures)
    check_outputs(bundles)
    old = read_bundle(circumstances.compare_with) if circumstances.compare_with else None
    with temporary_folder() as temporary:
        supplier = Supplier(project, observer, temporary, _wheel_problems)
        run = _Run(
            facts=project.facts,
            circumstances=circumstances,
            questions=Questions(explain=circumstances.explain, old=old),
            supplier=supplier,
            compiler=Compiler(project, observer, temporary, supplier.wheel_hash),
            observer=observer,
            stopwatch=stopwatch,
            supply=Supply(supplier, partial(_read, observer, outputs), failures),
            failures=failures,
            trimmed=tuple(dict.fromkeys(p for config in order.family for p in config.exclude)),
        )
        bundles = failures.each(bundles, partial(_with_interpreter, run.compiler), _itself)
        stopwatch.end("selecting")
        for first in bundles[:1]:
            observer.turn_to(first)
        reports = [*_foreseen(run, bundles)] if circumstances.dry_run else _made(run, bundles)
    return _told(run, bundles[:1], reports)


def _told(
    run: _Run, listed: Sequence[Selected], reports: Sequence[tuple[Selected, BundleReport]]
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


def _made(run: _Run, bundles: Sequence[Selected]) -> Sequence[tuple[Selected, BundleReport]]:
    """Fetch, plan, compile, write and check all bundles, then let all take their places."""
    parts = run.supply.parts(bundles)
    run.stopwatch.end("fetching")
    plans = planned_bundles(run.failures.left(bundles), parts, run.failures, run.trimmed)
    run.stopwatch.end("planning")
    compilations = run.failures.each(plans, lambda plan: compiled(plan, run.compiler), _selected)
    _end_compiling(run, bundles)
    with ExitStack() as outputs:
        finished = run.failures.each(compilations, partial(_write, run, {}, outputs), _selected)
        run.supplier.check_unchanged()
        reports = [_report_finished(*pair, run.questions) for pair in finished]
        _commit(run, finished, reports)
    run.stopwatch.end("writing")
    return [(pair.bundle.selected, report) for pair, report in zip(finished, reports, strict=True)]


def _commit(run: _Run, finished: Sequence[_Finished], reports: Sequence[BundleReport]) -> None:
    """Let all bundles take their places, one after the other; raises CommitError for the first that can't."""
    done = 0
    try:
        for done, (_, file) in enumerate(finished):  # noqa: B007 - it is told below
            file.commit()
    except (LambdaBundleError, KeyboardInterrupt) as error:
        # it may have been stopped between taking its place and telling so
        done += finished[done].file.is_in_place
        if isinstance(error, KeyboardInterrupt) and not done:
            raise
        failed = partial(replace, status="failed", changed=False, error=str(error) or "Interrupted.")
        told = (*reports[:done], *map(failed, reports[done:]))
        units = (one.bundle.selected.unit for one in finished)
        raise CommitError(error, run.failures, run.facts, dict(zip(units, told, strict=True))) from error


def _write(run: _Run, made: dict[Unit, _Finished], outputs: ExitStack, bundle: Compiled) -> _Finished:
    """Write a bundle beside its place; `made` are those before it, and `outputs` ends with the run."""
    path, epoch = bundle.selected.output, run.circumstances.source_date_epoch
    size_of = partial(_unzipped, made)
    with ExitStack() as own:
        file = _Nowhere() if is_nowhere(path) else own.enter_context(OutputFile(path))
        twin = _twin(bundle, made.values())
        if twin is None:
            finished = written(bundle, file, epoch, size_of)
        else:
            finished = written_like(twin.bundle, bundle, twin.file.chunks(), file, size_of)
        file.finish()
        check_size(finished)
        outputs.push(own.pop_all())
    made[bundle.selected.unit] = _Finished(finished, file)
    return made[bundle.selected.unit]


def _unzipped(made: Mapping[Unit, _Finished], unit: Unit) -> int:
    return made[unit].bundle.digest.total.unzipped


def _twin(bundle: Compiled, made: Iterable[_Finished]) -> _Finished | None:
    """Return a bundle of the same files, as functions are that differ in their handlers alone."""
    entries = bundle.plan.entries
    return next((one for one in made if one.bundle.plan.entries == entries and one.file.keeps), None)


def _report_finished(bundle: Written, file: OutputFile | _Nowhere, questions: Questions) -> BundleReport:
    """Report a bundle as it will be in its place: nothing that could still fail is left for later."""
    status: Status = "written" if file.differs else "unchanged"
    return report_of(bundle, status, questions, changed=file.differs)


def _foreseen(run: _Run, bundles: Sequence[Selected]) -> Iterator[tuple[Selected, BundleReport]]:
    """Tell what would be made, as far as it can be told from what is at hand: nothing is written."""
    parts = run.supply.at_hand(bundles)
    run.stopwatch.end("fetching")
    plans = planned_bundles(run.failures.left(bundles), parts, run.failures, run.trimmed)
    run.stopwatch.end("planning")
    compilations = run.failures.each(plans, lambda plan: compiled_before(plan, run.compiler), _selected)
    _end_compiling(run, bundles)
    made: dict[Unit, Written] = {}
    run.failures.each(filter(None, compilations), partial(_foresee, run, made), _selected)
    run.stopwatch.end("writing")
    for bundle in run.failures.left(bundles):
        if would_be := made.get(bundle.unit):
            is_there = has_hash(bundle.output, f"sha256:{would_be.digest.sha256.hex()}")
            yield bundle, report_of(would_be, "planned", run.questions, changed=not is_there)
        else:
            yield bundle, outlook(bundle, run.questions, made)


def _foresee(run: _Run, made: dict[Unit, Written], bundle: Compiled) -> None:
    """Find out what a bundle would be, if all its layers are known."""
    layers = [layer.selected.unit for layer in bundle.selected.layers if isinstance(layer, LayerBundle)]
    if all(layer in made for layer in layers):
        epoch = run.circumstances.source_date_epoch
        finished = written(bundle, _Nowhere(), epoch, lambda unit: made[unit].digest.total.unzipped)
        check_size(finished)
        made[bundle.selected.unit] = finished


def _itself(bundle: Selected) -> Selected:
    return bundle


def _selected(bundle: Planned | Compiled) -> Selected:
    return bundle.selected


def _with_interpreter(compiler: Compiler, bundle: Selected) -> Selected:
    """Find all that will compile a bundle before anything is fetched."""
    if bundle.config.bytecode is not None:
        compiler.interpreter(bundle.target.runtime.python)
    return bundle


def _end_compiling(run: _Run, bundles: Iterable[Selected]) -> None:
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


class _Nowhere:
    """Takes the archive of a dry run, for its digest, or that which is to be thrown away."""

    differs, is_in_place, keeps = True, False, False

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def chunks(self) -> Iterator[bytes]:
        """Have nothing."""
        yield from ()

    def finish(self) -> None:
        """Have nothing to end."""

    def commit(self) -> None:
        """Have no place to take."""
