"""The one verb: from a project and its lock to ZIP files, room by room.

Everything that needs neither network nor disk is checked first, for all bundles; then the files are
fetched; then all bundles are planned; only then is anything written.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from functools import partial
from heapq import nsmallest
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING
from typing import Protocol

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.reader import verify
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.audit.handler import check_handler
from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.audit.handler import include_lines
from poetry_lambda_plugin.audit.handler import nearest_handler
from poetry_lambda_plugin.audit.imports import aws_callers
from poetry_lambda_plugin.audit.imports import service_notes
from poetry_lambda_plugin.audit.imports import unimported
from poetry_lambda_plugin.audit.limits import MaxSizeError
from poetry_lambda_plugin.audit.limits import excess
from poetry_lambda_plugin.audit.limits import too_large
from poetry_lambda_plugin.audit.limits import unzipped_limit
from poetry_lambda_plugin.audit.limits import zipped_notes
from poetry_lambda_plugin.audit.savings import RUNTIME_PACKAGES_OPTION
from poetry_lambda_plugin.audit.savings import SERVICES_OPTION
from poetry_lambda_plugin.audit.savings import savings
from poetry_lambda_plugin.bytecode.compiling import CompilationObserver
from poetry_lambda_plugin.bytecode.compiling import Compiler
from poetry_lambda_plugin.bytecode.placing import BytecodeSettings
from poetry_lambda_plugin.bytecode.placing import bytecode_root
from poetry_lambda_plugin.bytecode.placing import sources_of
from poetry_lambda_plugin.bytecode.placing import with_bytecode
from poetry_lambda_plugin.configuration.values import AUTO
from poetry_lambda_plugin.job import EmptyBundleError
from poetry_lambda_plugin.job import check_outputs
from poetry_lambda_plugin.job import enforce
from poetry_lambda_plugin.job import import_warnings
from poetry_lambda_plugin.job import needs_own_sdk
from poetry_lambda_plugin.job import prepare
from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.botocore import check_services
from poetry_lambda_plugin.layout.botocore import known_services
from poetry_lambda_plugin.layout.botocore import service_use
from poetry_lambda_plugin.layout.distribution import module_sources
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.layer import layer_prefix
from poetry_lambda_plugin.layout.modules import only_chosen
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.plan import Exclusions
from poetry_lambda_plugin.layout.plan import plan_bundle
from poetry_lambda_plugin.layout.project import project_distribution
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from poetry_lambda_plugin.report.bundle_report import BundleReport
from poetry_lambda_plugin.report.bundle_report import BytecodeReport
from poetry_lambda_plugin.report.bundle_report import Explanation
from poetry_lambda_plugin.report.bundle_report import FileReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.report.difference import difference
from poetry_lambda_plugin.report.difference import read_bundle
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.sources import known_files
from poetry_lambda_plugin.sources.artifacts import Supplier
from poetry_lambda_plugin.sources.artifacts import temporary_folder
from poetry_lambda_plugin.sources.code_places import places_to_include
from poetry_lambda_plugin.sources.fetching import Progress


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry.poetry import Poetry

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.bytecode.compiling import Bytecode
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.job import BundleJob
    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.report.bundle_report import Status
    from poetry_lambda_plugin.report.difference import OldBundle
    from poetry_lambda_plugin.report.phases import Phase
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.artifacts import Artifact


MAX_FILES = 10
"""Files that an explanation lists."""


class Observer(Progress, CompilationObserver, Protocol):
    """Is told what happens."""

    def begin(self, job: BundleJob) -> None:
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


def make_bundles(
    poetry: Poetry,
    configs: Sequence[BundleConfig],
    family: Sequence[BundleConfig],
    circumstances: Circumstances,
    observer: Observer,
) -> Iterator[BundleReport]:
    """Make every bundle for every architecture asked for, and report each when it is in its place.

    `family` are all bundles of the project. Raises LambdaBundleError; no output is touched before all are
    complete.
    """
    stopwatch = Stopwatch()
    jobs = prepare(poetry, configs, family, circumstances.today)
    check_outputs(jobs)
    old = read_bundle(circumstances.compare_with) if circumstances.compare_with else None
    with (
        temporary_folder() as temporary,
        ExitStack() as outputs,
    ):
        supplier = Supplier(poetry, observer, temporary)
        compiler = Compiler(poetry, observer, temporary, supplier.wheel_hash)
        for job in jobs:
            if job.config.bytecode is not None:
                compiler.interpreter(job.target.runtime.python)
        stopwatch.end("selecting")
        observer.begin(jobs[0])
        parts = _parts(supplier, jobs, circumstances, observer)
        stopwatch.end("fetching")
        # what several bundles have in common is laid out once
        lay_out = cache(partial(_layout, parts))
        plans = [_plan(job, parts, lay_out) for job in jobs]
        stopwatch.end("planning")
        compiled = [_compiled(j, plan, compiler, circumstances) for j, plan in zip(jobs, plans, strict=True)]
        plans = [plan for plan, _ in compiled]
        if any(job.config.bytecode for job in jobs):
            stopwatch.end("compiling")
        written = [_write(job, plan, circumstances, outputs) for job, plan in zip(jobs, plans, strict=True)]
        supplier.check_unchanged()
        _check_sizes(jobs, plans, [digest for digest, _ in written])
        stopwatch.end("writing")
        for job, (plan, bytecode), (digest, output) in zip(jobs, compiled, written, strict=True):
            status: Status = "planned" if output is None else "written" if output.commit() else "unchanged"
            explanation = None
            if circumstances.explain and plan is not None and digest is not None:
                explanation = _explanation(job, plan, digest)
            report = _report(job, plan, digest, status, explanation)
            report = replace(report, bytecode=_bytecode_report(job, plan, digest, bytecode))
            if old is not None:
                report = _compared(report, plan, old)
            if job is not jobs[0]:
                observer.begin(job)
            observer.complete()
            yield report
        stopwatch.end("reporting")
        observer.took(stopwatch.phases)


def _parts(
    supplier: Supplier, jobs: Sequence[BundleJob], circumstances: Circumstances, observer: Observer
) -> Mapping[Choice, Wheel | ProjectSource]:
    """Make ready and read what all bundles are made of, each part once; in a dry run what is at hand."""

    def read(choice: Choice, artifact: Artifact) -> Wheel | ProjectSource:
        part = _read(artifact)
        observer.ready(choice, part.version)
        return part

    choices = [choice for job in jobs for choice in (*job.choices, *filter(None, [job.build]))]
    choices = list(dict.fromkeys(choices))
    if not circumstances.dry_run:
        return supplier.supply(choices, read)
    at_hand = {choice: supplier.at_hand(choice) for choice in choices}
    return {choice: read(choice, artifact) for choice, artifact in at_hand.items() if artifact is not None}


def _read(artifact: Artifact) -> Wheel | ProjectSource:
    """Read a wheel's directory, and every byte of it the first time that it is seen."""
    if isinstance(artifact, ProjectSource):
        return artifact
    package = artifact.choice.package
    # what is built here may have another version than the one locked, as folders do
    version = package.version if artifact.choice.target is None else ""
    wheel = read_wheel(artifact.path, package.name, version)
    if not artifact.verified:
        verify(artifact.path, wheel.members)
    return wheel


def _plan(
    job: BundleJob, parts: Collection[Choice], lay_out: Callable[..., Distribution]
) -> BundlePlan | None:
    """Plan a bundle; None where a dry run lacks some of its parts."""
    choices = (*job.choices, *filter(None, [job.build]))
    if not all(choice in parts for choice in choices):
        return None
    interpreter = f"/var/lang/bin/{job.target.runtime.name}" if job.config.scripts else None
    distributions = [lay_out(choice, interpreter, is_project=choice is job.build) for choice in choices]
    if job.project is not None and job.project.files:
        distributions.append(project_distribution(job.project, interpreter, is_project=True))
    if job.build is not None and job.config.modules is not None:
        beside = {file.path for file in job.project.files} if job.project else ()
        modules = job.config.modules
        distributions = [only_chosen(d, modules, beside) if d.is_project else d for d in distributions]
    services, warnings = _services(job, distributions)
    if job.build is not None:
        warnings += import_warnings(job.config, _project_modules(distributions))
    plan = plan_bundle(distributions, Exclusions(PathFilter(job.config.exclude), services), _prefix(job))
    plan = replace(plan, warnings=(*plan.warnings, *warnings))
    enforce(job.config, plan.warnings)
    if not plan.entries:
        raise EmptyBundleError(
            "There is nothing to bundle: exclude leaves out every file. Drop one of its patterns."
        )
    return _with_handler_checked(job, plan)


def _with_handler_checked(job: BundleJob, plan: BundlePlan) -> BundlePlan:
    """Make sure that Lambda will find the handler, where one is set and the bundle is a function."""
    handler = job.config.handler
    if handler is None or job.config.layer:
        return plan
    bundled = {entry.path: entry for entry in plan.entries}
    layers = frozenset(path for layer in job.layers for path in layer.files)
    if job.config.no_root and not has_module(handler, {*bundled, *layers}):
        note = f"The handler {handler!r} is not in this bundle, since no-root leaves out the project."
        return replace(plan, notes=(*plan.notes, note))
    python = job.target.runtime.python
    warnings = tuple(check_handler(handler, bundled, layers, python, partial(_missing_module, job, plan)))
    enforce(job.config, warnings)
    return replace(plan, warnings=(*plan.warnings, *warnings))


def _missing_module(job: BundleJob, plan: BundlePlan, module: str) -> str:
    """Say where the module of the handler is instead, and what to write for it to be in the bundle."""
    config, paths = job.config, (f"{module}.py", f"{module}/__init__.py")
    bundled = {entry.path for entry in plan.entries}
    left_out = {left.path: left.reason for d in plan.distributions for left in d.left_out}
    for path in paths:
        if left_out.get(path) == "excluded":
            return f"exclude leaves out {path}: change the pattern, or add '!{path}' after it."
    if config.modules is not None and any((job.root / path).is_file() for path in paths):
        return f"`modules` leaves it out: add {module.replace('/', '.')!r} to it in [{config.table}]."
    top = module.partition("/")[0]
    if "/" in module and (job.root / module).with_suffix(".py").is_file() and f"{top}.py" in bundled:
        taken = f"Python takes {top}.py before the folder {top}/, which has no __init__.py"
        return f"{taken}: rename one of the two."
    own = [e.path for e in plan.entries if e.owner == job.name and ".dist-info/" not in e.path]
    hint = nearest_handler(str(config.handler), own)
    places = places_to_include(job.root, module)
    if places:
        present = [i.path if i.to is None else f"{i.path}:{i.to}" for i in config.include]
        lines = include_lines(places, present, config.table)
        return f"{hint} Or w{lines[1:]}" if hint else lines
    hint = f" {hint}" if hint else ""
    return f"No file of the project is it.{hint} If a layer has it, name the layer in exclude-layers."


def _compiled(
    job: BundleJob, plan: BundlePlan | None, compiler: Compiler, circumstances: Circumstances
) -> tuple[BundlePlan | None, Bytecode | None]:
    """Add bytecode to a plan, where it is asked for; no plan is left where a dry run lacks some of it."""
    config, python = job.config, job.target.runtime.python
    if plan is None or config.bytecode is None:
        return plan, None
    settings = BytecodeSettings(
        mode=config.bytecode, exclude=PathFilter(config.bytecode_exclude), optimize=config.optimize
    )
    sources = sources_of(plan, settings, python)
    bytecode = compiler.compiled(
        sources, settings, python, bytecode_root(plan), only_at_hand=circumstances.dry_run
    )
    return with_bytecode(plan, sources, bytecode.members) if bytecode else None, bytecode


def _prefix(job: BundleJob) -> str:
    if not job.config.layer:
        return ""
    return layer_prefix(job.target.runtime, version_specific=job.config.layer_path == "version-specific")


def _services(
    job: BundleJob, distributions: Sequence[Distribution]
) -> tuple[ServiceFilter | None, tuple[str, ...]]:
    """Return the AWS services whose models are kept, and a warning for each call that names none."""
    wanted = job.config.botocore_services
    if wanted is None:
        return None, ()
    if wanted != (AUTO,):
        known = known_services(e.path for d in distributions if d.name == "botocore" for e in d.entries)
        check_services(wanted, known)
        return ServiceFilter(frozenset(wanted)), ()
    use = service_use(_project_modules(distributions))
    unclear = tuple(
        f"{place} asks for an AWS service that is not written out, so botocore-services = 'auto' can't keep "
        "it. List the services instead."
        for place in use.unclear
    )
    return ServiceFilter(use.services), unclear


def _project_modules(distributions: Iterable[Distribution]) -> Iterator[tuple[str, bytes]]:
    return module_sources(entry for d in distributions if d.is_project for entry in d.entries)


def _layout(
    parts: Mapping[Choice, Wheel | ProjectSource],
    choice: Choice,
    interpreter: str | None,
    *,
    is_project: bool,
) -> Distribution:
    part = parts[choice]
    if isinstance(part, ProjectSource):
        return project_distribution(part, interpreter, is_project=is_project)
    return wheel_distribution(part, interpreter, is_project=is_project)


def _write(
    job: BundleJob, plan: BundlePlan | None, circumstances: Circumstances, outputs: ExitStack
) -> tuple[ArchiveDigest | None, OutputFile | None]:
    """Write a bundle beside its place; in a dry run only work out what it would be."""
    if plan is None:
        return None, None
    epoch = circumstances.source_date_epoch
    timestamp = Timestamp.from_epoch(EARLIEST if epoch is None else epoch)
    output = None if circumstances.dry_run else outputs.enter_context(OutputFile(job.output))
    digest = write_archive(plan.entries, output or _Nowhere(), timestamp)
    if output is not None:
        output.finish()
    return digest, output


def _check_sizes(
    jobs: Sequence[BundleJob], plans: Sequence[BundlePlan | None], digests: Sequence[ArchiveDigest | None]
) -> None:
    """Refuse all bundles that are too large at once, each with what takes its room."""
    messages, reports = [], []
    for job, plan, digest in zip(jobs, plans, digests, strict=True):
        if plan is None or digest is None:
            continue
        unzipped, layers = digest.total.unzipped, _layers_size(job)
        if excess(unzipped + layers, job.config) > 0:
            explanation = _explanation(job, plan, digest)
            messages.append(too_large(job.output.name, unzipped, layers, job.config, explanation.savings))
            reports.append(_report(job, plan, digest, "planned", explanation))
    if messages:
        raise MaxSizeError("\n".join(messages), reports)


def _layers_size(job: BundleJob) -> int:
    return sum(layer.unzipped for layer in job.layers)


def _explanation(job: BundleJob, plan: BundlePlan, digest: ArchiveDigest) -> Explanation:
    """Work out why each package is there, what takes the room and what could be saved."""
    graph = job.graph()
    sized = [
        FileReport(entry.path, packed, entry.content.size)
        for entry, packed in zip(plan.entries, digest.packed_sizes, strict=True)
    ]
    return Explanation(
        paths={d.name: graph.path(d.name) for d in plan.distributions if not d.is_project},
        savings=_savings(job, plan, digest),
        largest_files=tuple(nsmallest(MAX_FILES, sized, key=lambda file: (-file.unzipped, file.path))),
        unimported=unimported(plan, graph, job.name, job.config.handler),
    )


def _savings(job: BundleJob, plan: BundlePlan, digest: ArchiveDigest) -> Savings:
    """Measure the options that the bundle does not use, and that would not break it."""
    config = job.config
    use = service_use(module_sources(entry for entry in plan.entries if entry.owner == job.name))
    not_offered = {f'exclude = ["{pattern}"]' for pattern in config.exclude}
    if config.exclude_runtime_packages or needs_own_sdk(job):
        not_offered.add(RUNTIME_PACKAGES_OPTION)
    without_project = not any(distribution.is_project for distribution in plan.distributions)
    uncertain = without_project or use.unclear or aws_callers(plan, job.name)
    if config.botocore_services is not None or uncertain:
        not_offered.add(SERVICES_OPTION)
    return savings(plan, digest, job.graph(), frozenset(config.exclude_packages), use.services, not_offered)


class _Nowhere:
    """Takes the archive of a dry run, for its digest."""

    def write(self, data: bytes) -> None:
        """Drop the bytes."""


def _report(
    job: BundleJob,
    plan: BundlePlan | None,
    digest: ArchiveDigest | None,
    status: Status,
    explanation: Explanation | None,
) -> BundleReport:
    warnings, notes = job.warnings, job.notes
    if plan is None or digest is None:
        notes += (_unknown_sizes_note(job.config),)
    else:
        warnings += plan.warnings
        notes += plan.notes
        notes += tuple(zipped_notes(digest.total, job.output, layer=job.config.layer))
        if job.config.botocore_services == (AUTO,):
            bundled = {d.name for d in plan.distributions if not d.is_project}
            notes += tuple(service_notes(bundled, job.graph()))
    return BundleReport(
        project=job.name,
        version=job.version,
        bundle=job.config.bundle,
        target=job.target,
        runtime_chosen_by=job.runtime_chosen_by,
        handler=job.config.handler,
        output=job.output,
        status=status,
        changed=_changed(job, digest, status),
        packages=tuple(_package_reports(job, plan, digest)),
        left_out=job.left_out,
        unzipped_limit=unzipped_limit(job.config),
        layers_unzipped=_layers_size(job),
        digest=digest,
        bytecode=None,
        explanation=explanation,
        differences=None,
        loose_files=job.project.loose if job.project else (),
        warnings=warnings,
        notes=notes,
    )


def _compared(report: BundleReport, plan: BundlePlan | None, old: OldBundle) -> BundleReport:
    if plan is None:
        note = "Without sizes --diff has nothing to compare: run the command without --dry-run."
        return replace(report, notes=(*report.notes, note))
    owners = {entry.path: entry.owner for entry in plan.entries}
    return replace(report, differences=difference(old, report, owners))


def _changed(job: BundleJob, digest: ArchiveDigest | None, status: Status) -> bool | None:
    if status != "planned":
        return status == "written"
    if digest is None:
        return None
    try:
        return known_files.digest(job.output, "sha256:") != f"sha256:{digest.sha256.hex()}"
    except OSError:
        return True


def _bytecode_report(
    job: BundleJob, plan: BundlePlan | None, digest: ArchiveDigest | None, bytecode: Bytecode | None
) -> BytecodeReport | None:
    if job.config.bytecode is None:
        return None
    if plan is None or digest is None or bytecode is None:
        return BytecodeReport(mode=job.config.bytecode, version=None, sizes=None, skipped=None)
    taken = zip(plan.entries, digest.packed_sizes, strict=True)
    zipped = sum(size for entry, size in taken if entry.path in bytecode.members)
    unzipped = sum(content.member.size for content in bytecode.members.values())
    return BytecodeReport(
        mode=job.config.bytecode,
        version=bytecode.version,
        sizes=Sizes(zipped, unzipped, len(bytecode.members)),
        skipped=bytecode.skipped,
    )


def _package_reports(
    job: BundleJob, plan: BundlePlan | None, digest: ArchiveDigest | None
) -> Iterator[PackageReport]:
    if plan is None or digest is None:
        for choice in job.choices:
            package = choice.package
            file = choice.file.name if choice.file else package.source_type
            yield PackageReport(name=package.name, version=package.version, file=file, sizes=None)
        if job.build is not None or job.project is not None:
            yield PackageReport(name=job.name, version=job.version, file=".", sizes=None)
        return
    ordered = sorted(plan.distributions, key=lambda d: (d.is_project, d.name))
    for name, group in groupby(ordered, key=attrgetter("name")):
        # a project that was built, and the files that it includes beside its wheel, are one
        distribution, *others = group
        yield PackageReport(
            name=name,
            version=distribution.version,
            file=distribution.source,
            sizes=digest.by_owner.get(name, Sizes()),
            left_out=sum((other.left_out for other in others), distribution.left_out),
        )


def _unknown_sizes_note(config: BundleConfig) -> str:
    missing, restraint = "files", "asks no network"
    if config.bytecode is not None:
        missing, restraint = "files or their bytecode", "neither asks the network nor compiles"
    return (
        f"Some {missing} are not in Poetry's cache and a dry run {restraint}, "
        "so sizes and digest are unknown."
    )
