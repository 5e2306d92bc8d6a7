"""One bundle with everything decided that the lock, the options and the project's files decide.

Nothing here needs the network, and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from functools import partial
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.archive.output import check_writable
from poetry_lambda_plugin.configuration.reading import misnamed_tables
from poetry_lambda_plugin.configuration.reading import output_path
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.layer import read_layer
from poetry_lambda_plugin.layout.python_source import imported_modules
from poetry_lambda_plugin.poetry_api.lock import LockError
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import UnsuitableRuntimeError
from poetry_lambda_plugin.runtime.platform import allowed_runtimes
from poetry_lambda_plugin.runtime.platform import runtime_warnings
from poetry_lambda_plugin.runtime.platform import target_for
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.selection.choice import WheelBuild
from poetry_lambda_plugin.selection.choice import choose
from poetry_lambda_plugin.selection.choice import unserved
from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
from poetry_lambda_plugin.selection.exclusion import UnknownPackageError
from poetry_lambda_plugin.selection.exclusion import exclude_layers
from poetry_lambda_plugin.selection.exclusion import exclude_packages
from poetry_lambda_plugin.selection.exclusion import imported_anyway
from poetry_lambda_plugin.selection.exclusion import sdk_clashes
from poetry_lambda_plugin.selection.exclusion import sdk_pins
from poetry_lambda_plugin.selection.locked import LockedPackage
from poetry_lambda_plugin.selection.runtime_choice import RuntimeChoice
from poetry_lambda_plugin.selection.runtime_choice import choose_runtime
from poetry_lambda_plugin.selection.runtime_choice import local_python
from poetry_lambda_plugin.sources.building import missing_for_build
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import read_beside_build
from poetry_lambda_plugin.sources.project import read_project


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.configuration.values import Include
    from poetry_lambda_plugin.layout.layer import Layer
    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.poetry_api.lock import Lock
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.choice import BuildJudge
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.graph import DependencyGraph
    from poetry_lambda_plugin.selection.runtime_choice import ChosenBy


ON_RUNTIME = "on the runtime"
"""Why packages are left out that every runtime has."""


class EmptyBundleError(LambdaBundleError):
    """Nothing to bundle."""


class OutputCollisionError(LambdaBundleError):
    """Two bundles with one output."""


class StrictError(LambdaBundleError):
    """A warning where the user asked for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleJob:
    """One bundle to be made."""

    config: BundleConfig
    target: Target
    runtime_chosen_by: ChosenBy
    name: str
    version: str
    root: Path
    """Folder of pyproject.toml."""
    output: Path
    project: ProjectSource | None
    """None for the dependencies alone."""
    build: Choice | None
    """The project where it has to be built; `project` then holds only what the user includes."""
    choices: tuple[Choice, ...]
    left_out: tuple[LeftOutPackage, ...]
    layers: tuple[Layer, ...]
    """Those that the function will have."""
    graph: Callable[[], DependencyGraph]
    """Who needs whom among all packages selected, those left out included; worked out when called."""
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def parts(self) -> tuple[Choice, ...]:
        """All that has to be made ready."""
        return self.choices if self.build is None else (*self.choices, self.build)


@dataclass(frozen=True, slots=True)
class PackageSelection:
    """The packages that stay, and what became of the others."""

    packages: tuple[LockedPackage, ...]
    left_out: tuple[LeftOutPackage, ...]
    graph: Callable[[], DependencyGraph]
    warnings: tuple[str, ...]


ProjectReader: TypeAlias = "Callable[[tuple[Include, ...], Wishes], ProjectSource]"
Selector: TypeAlias = "Callable[[BundleConfig, Target], PackageSelection]"


def prepare(
    project: OpenProject, configs: Sequence[BundleConfig], family: Sequence[BundleConfig], today: date
) -> list[BundleJob]:
    """Decide all that needs no network, for each bundle and architecture; raises LambdaBundleError.

    `family` are all bundles of the project, those that are not to be made included.
    """
    read = cache(partial(read_project, project.facts))
    select = cache(partial(_selection, project.lock))
    return [
        _prepared(project, config, architecture, runtime, today, read, select)
        for config in configs
        for runtime in [_runtime(project, config, family, select)]
        for architecture in config.architectures
    ]


def _prepared(
    opened: OpenProject,
    config: BundleConfig,
    architecture: Architecture,
    runtime: RuntimeChoice,
    today: date,
    read: ProjectReader,
    select: Selector,
) -> BundleJob:
    facts = opened.facts
    target, warnings = _target(facts, config, runtime.runtime, architecture, today)
    warnings = (*misnamed_tables(facts.document), *warnings)
    output = _output(facts, config, target)
    layers = tuple(read_layer(path, target.runtime) for path in config.exclude_layers)
    selection = _without_layers(select(config, target), layers, target)
    choices = choose(
        selection.packages,
        target,
        opened.settings.binary_policy,
        missing_for_build,
        suits=lambda other: facts.allows(other.runtime.python_full_version),
    )
    project, build = _project(opened, config, target, output, read)
    if not choices and build is None and (project is None or not project.files):
        raise EmptyBundleError(
            "There is nothing to bundle: no dependency is selected, and "
            f"{facts.root} has no module, package or included file. "
            "Add a dependency, a module beside pyproject.toml, or files with --include."
        )
    warnings += (*selection.warnings, *_own_code_warnings(facts.root, project, build))
    if build is None:
        warnings += import_warnings(config, _modules(project))
    enforce(config, warnings)
    return BundleJob(
        config=config,
        target=target,
        runtime_chosen_by=runtime.chosen_by,
        name=facts.name,
        version=facts.version,
        root=facts.root,
        output=output,
        project=project,
        build=build,
        choices=choices,
        left_out=selection.left_out,
        layers=layers,
        graph=selection.graph,
        warnings=warnings,
        notes=(*filter(None, [runtime.note]), *(project.notes if project else ())),
    )


def check_outputs(jobs: Sequence[BundleJob]) -> None:
    """Refuse two bundles with one output, and one that leaves out what another's last output holds."""
    seen: dict[Path, BundleJob] = {}
    for job in jobs:
        other = seen.setdefault(job.output, job)
        if other is not job:
            raise OutputCollisionError(
                f"Two bundles would be written to {job.output}: {_described(other)} and {_described(job)}. "
                f"Tell them apart in --output with {_difference(other, job)}."
            )
    for job in jobs:
        for layer in job.layers:
            if layer.path in seen:
                raise OutputCollisionError(
                    f"exclude-layers: {layer.path} would be written by this very run. "
                    "Make the layer in a run of its own, before the function."
                )


def _described(job: BundleJob) -> str:
    return f"{job.config.bundle or job.name} for {job.target}"


def _difference(one: BundleJob, other: BundleJob) -> str:
    """Return the placeholder that two bundles have different values for."""
    return "{architecture}" if one.config.bundle == other.config.bundle else "{bundle}"


def enforce(config: BundleConfig, warnings: Sequence[str]) -> None:
    """Turn warnings into an error where the user asked for that."""
    if config.strict and warnings:
        raise StrictError(f"{' '.join(warnings)} (--strict makes this an error.)")


def needs_own_sdk(job: BundleJob) -> bool:
    """Tell whether the bundle holds a package that may not work with the runtime's SDK."""
    graph, named = job.graph(), dict.fromkeys(RUNTIME_PACKAGES, ON_RUNTIME)
    kept, left_out = exclude_packages([choice.package for choice in job.choices], graph, named)
    return any(_sdk_warnings(kept, left_out, graph, job.target, job.layers))


def import_warnings(config: BundleConfig, modules: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
    """Return a warning for each package excluded by name that the project's modules import."""
    if not config.exclude_packages:
        return ()
    return tuple(imported_anyway(config.exclude_packages, imported_modules(modules)))


def _runtime(
    project: OpenProject, config: BundleConfig, family: Sequence[BundleConfig], select: Selector
) -> RuntimeChoice:
    """Return a bundle's runtime: the one that was asked for, else one for it and its layers together."""
    if config.runtime is not None:
        return RuntimeChoice(config.runtime, "configuration")
    facts = project.facts
    together = _with_its_layers(facts, config, family)
    named = {other.runtime: other for other in together if other.runtime is not None}
    if len(named) > 1:
        told = " and ".join(f"{other.bundle} has {runtime.name}" for runtime, other in named.items())
        raise UnsuitableRuntimeError(
            f"{config.bundle} shares a layer with bundles of different runtimes: {told}. "
            f"Set runtime in [{config.table}], and make a layer for each runtime."
        )
    if named:
        ((runtime, other),) = named.items()
        note = f"{runtime.name} is the runtime of {other.bundle}, with which it shares a layer."
        return RuntimeChoice(runtime, "layers", note)
    architectures = {architecture for other in together for architecture in other.architectures}
    candidates = allowed_runtimes(facts.allows, facts.python_versions, architectures)
    python = local_python(facts.root)
    local = next((runtime for runtime in RUNTIMES if runtime.python == python), None)
    policy = project.settings.binary_policy
    bundles = [(other, a) for other in together for a in other.architectures]

    def missing(runtime: Runtime, judge: BuildJudge = lambda *_: "not asked yet") -> tuple[str, ...] | None:
        targets = [(_with_dependencies(other), Target(runtime, a)) for other, a in bundles]
        try:
            lacking = [p for c, t in targets for p in unserved(select(c, t).packages, t, policy, judge)]
        except LockError:
            # whether it can be used at all, the bundle itself will say
            return None
        return tuple(dict.fromkeys(f"{package.name} {package.version}" for package in lacking))

    return choose_runtime(candidates, local, missing, lambda r: not missing(r, missing_for_build))


def _with_its_layers(
    facts: ProjectFacts, config: BundleConfig, family: Sequence[BundleConfig]
) -> Sequence[BundleConfig]:
    """Return a bundle and all others that are its layers or have it as one, directly or not."""
    together = [config]
    if not any(other.exclude_layers for other in family):
        return together
    outputs = {other: _possible_outputs(facts, other) for other in family}
    outputs.setdefault(config, _possible_outputs(facts, config))
    for one in together:
        for other in family:
            linked = outputs[other] & {*one.exclude_layers} or outputs[one] & {*other.exclude_layers}
            if linked and other not in together:
                together.append(other)
    return together


def _possible_outputs(facts: ProjectFacts, config: BundleConfig) -> frozenset[Path]:
    targets = (Target(runtime, a) for runtime in RUNTIMES for a in config.architectures)
    return frozenset(_output_path(facts, config, target) for target in targets)


def _with_dependencies(config: BundleConfig) -> BundleConfig:
    """Look at a bundle of the project alone as what it will run with: the dependencies in a layer."""
    return replace(config, only_root=False) if config.only_root else config


def _target(
    facts: ProjectFacts, config: BundleConfig, runtime: Runtime, architecture: Architecture, today: date
) -> tuple[Target, tuple[str, ...]]:
    target = target_for(runtime, architecture, facts.allows, facts.python_versions, config.runtime_set_by)
    return target, tuple(runtime_warnings(runtime, facts.allows, facts.python_versions, today))


def _output(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path:
    output = _output_path(facts, config, target)
    check_writable(output)
    return output


def _output_path(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path:
    placeholders = {
        "name": facts.name,
        "version": facts.version,
        "runtime": target.runtime.name,
        "architecture": target.architecture,
        "bundle": config.bundle or facts.name,
    }
    return output_path(config, facts.root / "dist", placeholders)


def _selection(lock: Lock, config: BundleConfig, target: Target) -> PackageSelection:
    """Select from the lock, then leave out what the user or the runtime makes unnecessary."""
    packages = () if config.only_root else lock.packages(target, config.selection)
    graph = cache(lambda: lock.graph(target, config.selection, packages))
    named = _named_exclusions(lock, config)
    if not named or not packages:
        return PackageSelection(packages, (), graph, ())
    kept, left_out = exclude_packages(packages, graph(), named)
    return PackageSelection(kept, left_out, graph, ())


def _without_layers(selection: PackageSelection, layers: Sequence[Layer], target: Target) -> PackageSelection:
    """Leave out what layers hold."""
    packages, left_out = selection.packages, selection.left_out
    sdk = _sdk_warnings(packages, left_out, selection.graph(), target, layers) if left_out else ()
    kept, in_layers, warnings = exclude_layers(packages, layers)
    return replace(
        selection,
        packages=kept,
        left_out=left_out + in_layers,
        warnings=(*selection.warnings, *sdk, *warnings),
    )


def _sdk_warnings(
    kept: Sequence[LockedPackage],
    left_out: Sequence[LeftOutPackage],
    graph: DependencyGraph,
    target: Target,
    layers: Sequence[Layer],
) -> Iterator[str]:
    yield from sdk_clashes(kept, left_out, graph, target.runtime)
    on_runtime = [package for package in left_out if package.reason == ON_RUNTIME]
    yield from sdk_pins(kept, on_runtime, graph, layers)


def _named_exclusions(lock: Lock, config: BundleConfig) -> dict[str, str]:
    """Return the reason by name for every package to leave out."""
    named = dict.fromkeys(RUNTIME_PACKAGES, ON_RUNTIME) if config.exclude_runtime_packages else {}
    if config.only_root or not config.exclude_packages:
        return named
    locked = lock.names
    for name in config.exclude_packages:
        if name not in locked:
            raise UnknownPackageError(name, locked)
        named[name] = "excluded"
    return named


def _modules(project: ProjectSource | None) -> Iterator[tuple[str, bytes]]:
    for path, file in project.files if project else ():
        if path.endswith(".py"):
            yield path, file.read_bytes()


def _project(
    opened: OpenProject, config: BundleConfig, target: Target, output: Path, read: ProjectReader
) -> tuple[ProjectSource | None, Choice | None]:
    """Return the project's files, or what has to be built of it."""
    facts = opened.facts
    if config.no_root:
        return None, None
    wishes = Wishes(config.handler, config.modules, opened.lock.readable_names)
    if not facts.needs_build:
        return _without(output, read(config.include, wishes)), None
    root = LockedPackage(
        name=facts.name,
        version=facts.version,
        files=(),
        source_type="directory",
        source_reference=None,
        source_url=str(facts.root),
    )
    build = WheelBuild(root, target, None)
    return _without(output, read_beside_build(facts, config.include, wishes)), build


def _without(output: Path, project: ProjectSource) -> ProjectSource:
    """Keep the last bundle out of the next one, should an included folder hold it."""
    return replace(project, files=tuple(file for file in project.files if file.file != output))


def _own_code_warnings(root: Path, project: ProjectSource | None, build: Choice | None) -> Iterator[str]:
    """Warn of a project whose own code was not found where it should be, which is seldom meant."""
    if project is None or build is not None:
        return
    if not project.files:
        yield (
            f"The project itself adds no file to the bundle: {root} has no package of its "
            "name and no modules beside pyproject.toml. Name its folders in `packages`, or say --no-root."
        )
    elif project.missing_packages:
        names = ", ".join(map(repr, project.missing_packages))
        yield (
            f"packages in pyproject.toml names {names}, which is not there: the modules that are there are "
            "bundled instead. Correct `packages`, or remove it."
        )
