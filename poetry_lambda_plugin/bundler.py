"""The one verb: from a project and its lock to ZIP files, room by room.

Everything that needs neither network nor disk is checked first, for all bundles; then the files are
fetched; then all bundles are planned; only then is anything written.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Protocol

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import check_writable
from poetry_lambda_plugin.archive.reader import verify
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.config import output_path
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.plan import plan_bundle
from poetry_lambda_plugin.layout.project import project_distribution
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from poetry_lambda_plugin.report.bundle_report import BundleReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.sources.artifacts import Supplier
from poetry_lambda_plugin.sources.artifacts import WheelArtifact
from poetry_lambda_plugin.sources.building import can_build
from poetry_lambda_plugin.sources.choice import BinaryPolicy
from poetry_lambda_plugin.sources.choice import Choice
from poetry_lambda_plugin.sources.choice import choose
from poetry_lambda_plugin.sources.fetching import Progress
from poetry_lambda_plugin.sources.lockfile import LockedPackage
from poetry_lambda_plugin.sources.lockfile import locked_packages
from poetry_lambda_plugin.sources.project import ProjectSource
from poetry_lambda_plugin.sources.project import needs_build
from poetry_lambda_plugin.sources.project import project_identity
from poetry_lambda_plugin.sources.project import project_root
from poetry_lambda_plugin.sources.project import python_constraint
from poetry_lambda_plugin.sources.project import read_includes
from poetry_lambda_plugin.sources.project import read_project
from poetry_lambda_plugin.target.platform import newest_runtime
from poetry_lambda_plugin.target.platform import runtime_warnings
from poetry_lambda_plugin.target.platform import target_for
from poetry_lambda_plugin.target.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.target.runtimes import MAX_ZIPPED_SIZE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry.poetry import Poetry

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.config import BundleConfig
    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.report.bundle_report import Status
    from poetry_lambda_plugin.sources.artifacts import Artifact
    from poetry_lambda_plugin.target.platform import Target
    from poetry_lambda_plugin.target.runtimes import Architecture


class EmptyBundleError(LambdaBundleError):
    """Nothing to bundle."""


class OutputCollisionError(LambdaBundleError):
    """Two bundles with one output."""


class StrictError(LambdaBundleError):
    """A warning where the user asked for none."""


class Observer(Progress, Protocol):
    """Is told what happens."""

    def begin(self, job: BundleJob) -> None:
        """Take note of a bundle that is in its place."""

    def bundled(self, name: str, version: str) -> None:
        """Take note of a distribution in the bundle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What the bundle may depend on besides the project, made explicit."""

    today: date
    """Only warnings depend on it."""
    source_date_epoch: int | None
    """Seconds since 1970 for every file's time; None for 1980-01-01."""
    dry_run: bool
    """Plan everything, write nothing, ask no network."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleJob:
    """One bundle with everything decided that the lock and the options decide."""

    config: BundleConfig
    target: Target
    name: str
    version: str
    output: Path
    project: ProjectSource | None
    """None for the dependencies alone."""
    build: Choice | None
    """The project where it has to be built; `project` then holds only what the user includes."""
    choices: tuple[Choice, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def make_bundles(
    poetry: Poetry,
    configs: Sequence[BundleConfig],
    circumstances: Circumstances,
    observer: Observer,
) -> Iterator[BundleReport]:
    """Make every bundle for every architecture asked for, and report each when it is in its place.

    Raises LambdaBundleError; no output is touched before all are complete.
    """
    jobs = [
        _prepare(poetry, config, architecture, circumstances.today)
        for config in configs
        for architecture in config.architectures
    ]
    _check_outputs(jobs)
    with Supplier(poetry, observer) as supplier, ExitStack() as outputs:
        parts = _parts(supplier, jobs, circumstances)
        plans = [_plan(job, parts) for job in jobs]
        written = [_write(job, plan, circumstances, outputs) for job, plan in zip(jobs, plans, strict=True)]
        for job, plan, (digest, output) in zip(jobs, plans, written, strict=True):
            status: Status = "planned" if output is None else "written" if output.commit() else "unchanged"
            report = _report(job, plan, digest, status)
            _tell(job, report, observer)
            yield report


def _prepare(poetry: Poetry, config: BundleConfig, architecture: Architecture, today: date) -> BundleJob:
    """Decide all that needs no network."""
    allows, constraint = python_constraint(poetry)
    runtime = config.runtime or newest_runtime(allows, constraint)
    target = target_for(runtime, architecture, allows, constraint)
    warnings = tuple(runtime_warnings(runtime, allows, constraint, today))
    _enforce(config, warnings)
    name, version = project_identity(poetry)
    placeholders = {
        "name": name,
        "version": version,
        "runtime": runtime.name,
        "architecture": architecture,
        "bundle": config.bundle or name,
    }
    root = project_root(poetry)
    output = output_path(config, root / "dist", placeholders)
    check_writable(output)
    choices: tuple[Choice, ...] = ()
    if not config.only_root:
        packages = locked_packages(poetry, target, config.selection)
        choices = choose(packages, target, BinaryPolicy.of(poetry), can_build)
    project, build = _project(poetry, config, target, output)
    if not choices and build is None and (project is None or not project.files):
        raise EmptyBundleError(
            f"There is nothing to bundle: no dependency is selected, and {root} has no module, package or "
            "included file. Add a dependency, a module beside pyproject.toml, or files with --include."
        )
    return BundleJob(
        config=config,
        target=target,
        name=name,
        version=version,
        output=output,
        project=project,
        build=build,
        choices=choices,
        warnings=warnings,
        notes=_notes(project),
    )


def _project(
    poetry: Poetry, config: BundleConfig, target: Target, output: Path
) -> tuple[ProjectSource | None, Choice | None]:
    """Return the project's files, or what has to be built of it."""
    if config.no_root:
        return None, None
    if not needs_build(poetry):
        return _without(output, read_project(poetry, config.include)), None
    name, version = project_identity(poetry)
    root = LockedPackage(
        name=name,
        version=version,
        files=(),
        source_type="directory",
        source_reference=None,
        source_url=str(project_root(poetry)),
    )
    return _without(output, read_includes(poetry, config.include)), Choice(root, None, target)


def _without(output: Path, project: ProjectSource) -> ProjectSource:
    """Keep the last bundle out of the next one, should an included folder hold it."""
    return replace(project, files=tuple(file for file in project.files if file.file != output))


def _notes(project: ProjectSource | None) -> tuple[str, ...]:
    if project is None or not project.loose:
        return ()
    count = "1 module or package" if len(project.loose) == 1 else f"{len(project.loose)} modules and packages"
    note = f"The project has no package to build, so the {count} beside pyproject.toml are bundled"
    return (f"{note} (-v lists them); `include` chooses others.",)


def _check_outputs(jobs: Sequence[BundleJob]) -> None:
    seen: dict[Path, BundleJob] = {}
    for job in jobs:
        other = seen.setdefault(job.output, job)
        if other is not job:
            raise OutputCollisionError(
                f"Two bundles would be written to {job.output}. Tell them apart in --output with "
                "{architecture} or {bundle}."
            )


def _parts(
    supplier: Supplier, jobs: Sequence[BundleJob], circumstances: Circumstances
) -> Mapping[Choice, Wheel | ProjectSource]:
    """Make ready and read what all bundles are made of, each part once; in a dry run what is at hand."""
    choices = [choice for job in jobs for choice in (*job.choices, *filter(None, [job.build]))]
    choices = list(dict.fromkeys(choices))
    if circumstances.dry_run:
        at_hand = {choice: supplier.at_hand(choice) for choice in choices}
        artifacts = {choice: artifact for choice, artifact in at_hand.items() if artifact is not None}
    else:
        artifacts = dict(supplier.supply(choices))
    with ThreadPoolExecutor() as pool:
        parts = dict(zip(artifacts, pool.map(_read, artifacts.values()), strict=True))
    for artifact in artifacts.values():
        if isinstance(artifact, WheelArtifact) and not artifact.verified and not circumstances.dry_run:
            supplier.remember_verified(artifact)
    return parts


def _read(artifact: Artifact) -> Wheel | ProjectSource:
    """Read a wheel's directory, and every byte of it the first time that it is seen."""
    if isinstance(artifact, ProjectSource):
        return artifact
    package = artifact.choice.package
    wheel = read_wheel(artifact.path, package.name, package.version)
    if not artifact.verified:
        verify(artifact.path, wheel.members)
    return wheel


def _plan(job: BundleJob, parts: Mapping[Choice, Wheel | ProjectSource]) -> BundlePlan | None:
    """Plan a bundle; None where a dry run lacks some of its parts."""
    choices = (*job.choices, *filter(None, [job.build]))
    if not all(choice in parts for choice in choices):
        return None
    interpreter = f"/var/lang/bin/{job.target.runtime.name}" if job.config.scripts else None
    distributions = [
        _distribution(parts[choice], interpreter, is_project=choice is job.build) for choice in choices
    ]
    if job.project is not None and job.project.files:
        distributions.append(_distribution(job.project, interpreter, is_project=True))
    plan = plan_bundle(distributions, PathFilter(job.config.exclude))
    _enforce(job.config, plan.warnings)
    if not plan.entries:
        raise EmptyBundleError("There is nothing to bundle: --exclude leaves out every file.")
    return plan


def _distribution(part: Wheel | ProjectSource, interpreter: str | None, *, is_project: bool) -> Distribution:
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
    _enforce(job.config, _size_warnings(digest))
    return digest, output


def _tell(job: BundleJob, report: BundleReport, observer: Observer) -> None:
    observer.begin(job)
    for package in report.packages:
        observer.bundled(package.name, package.version)


class _Nowhere:
    """Takes the archive of a dry run, for its digest."""

    def write(self, data: bytes) -> None:
        """Drop the bytes."""


def _report(
    job: BundleJob, plan: BundlePlan | None, digest: ArchiveDigest | None, status: Status
) -> BundleReport:
    return BundleReport(
        project=job.name,
        version=job.version,
        bundle=job.config.bundle,
        target=job.target,
        handler=job.config.handler,
        output=job.output,
        status=status,
        packages=tuple(_package_reports(job, plan, digest)),
        digest=digest,
        loose_files=job.project.loose if job.project else (),
        warnings=(*job.warnings, *(plan.warnings if plan else ()), *_size_warnings(digest)),
        notes=(*job.notes, *(() if plan else (_unknown_sizes_note(),))),
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
    for distribution in sorted(plan.distributions, key=lambda d: (d.is_project, d.name)):
        yield PackageReport(
            name=distribution.name,
            version=distribution.version,
            file=distribution.source,
            sizes=digest.by_owner.get(distribution.name, Sizes()),
            left_out=distribution.left_out,
        )


def _size_warnings(digest: ArchiveDigest | None) -> tuple[str, ...]:
    """Warn of Lambda's limits (AWS page "Lambda quotas"); both must be undercut."""
    if digest is None:
        return ()
    warnings = []
    if digest.total.zipped >= MAX_ZIPPED_SIZE:
        warnings.append(
            f"The ZIP has {digest.total.zipped:,} bytes; Lambda's API takes less than {MAX_ZIPPED_SIZE:,} "
            "(50 MB) directly. Upload it to S3 and deploy it from there."
        )
    if digest.total.unzipped >= MAX_UNZIPPED_SIZE:
        warnings.append(
            f"Unzipped, the bundle has {digest.total.unzipped:,} bytes; Lambda refuses {MAX_UNZIPPED_SIZE:,} "
            "(250 MB) or more, layers included. Leave files out with --exclude, or use a container image."
        )
    return tuple(warnings)


def _unknown_sizes_note() -> str:
    return (
        "Some files are not in Poetry's cache and a dry run asks no network, so sizes and digest are unknown."
    )


def _enforce(config: BundleConfig, warnings: Sequence[str]) -> None:
    """Turn warnings into an error where the user asked for that."""
    if config.strict and warnings:
        raise StrictError(f"{' '.join(warnings)} (--strict makes this an error.)")
