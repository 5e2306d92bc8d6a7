"""A bundle with everything decided that the lock, the options and the project's files decide.

Nothing here needs the network, and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from functools import partial
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.configuration.misnamed import misnamed_tables
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.findings import judged
from poetry_lambda_plugin.layout.layer import Layer
from poetry_lambda_plugin.layout.layer import read_layer
from poetry_lambda_plugin.layout.python_source import imported_modules
from poetry_lambda_plugin.runtime.platform import runtime_warnings
from poetry_lambda_plugin.runtime.platform import target_for
from poetry_lambda_plugin.runtime.standard_library import standard_modules
from poetry_lambda_plugin.selection.choice import Choice
from poetry_lambda_plugin.selection.choice import WheelBuild
from poetry_lambda_plugin.selection.choice import choose
from poetry_lambda_plugin.selection.choice import hash_findings
from poetry_lambda_plugin.selection.exclusion import imported_anyway
from poetry_lambda_plugin.selection.locked import LockedPackage
from poetry_lambda_plugin.sources.building import missing_for_build
from poetry_lambda_plugin.sources.files import read_source
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import read_beside_build
from poetry_lambda_plugin.sources.project import read_project
from poetry_lambda_plugin.stages.failures import Unit
from poetry_lambda_plugin.stages.fitting import check_fits
from poetry_lambda_plugin.stages.fitting import held_by_files
from poetry_lambda_plugin.stages.layers import layers_of
from poetry_lambda_plugin.stages.outputs import check_folder
from poetry_lambda_plugin.stages.outputs import check_output
from poetry_lambda_plugin.stages.outputs import check_sbom
from poetry_lambda_plugin.stages.outputs import output_of
from poetry_lambda_plugin.stages.outputs import sbom_of
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.packages import NothingSharedError
from poetry_lambda_plugin.stages.packages import selector
from poetry_lambda_plugin.stages.packages import without_layers
from poetry_lambda_plugin.stages.runtime import runtime_of
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.configuration.layering import Wanted
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.configuration.values import Include
    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
    from poetry_lambda_plugin.selection.graph import DependencyGraph
    from poetry_lambda_plugin.selection.outline import PackageOutline
    from poetry_lambda_plugin.selection.runtime_choice import ChosenBy
    from poetry_lambda_plugin.selection.runtime_choice import RuntimeChoice
    from poetry_lambda_plugin.stages.failures import Failures
    from poetry_lambda_plugin.stages.layers import LayerBundle
    from poetry_lambda_plugin.stages.layers import LayerReader
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.packages import Selector

    ProjectReader: TypeAlias = Callable[[tuple[Include, ...], Wishes], ProjectSource]


class EmptyBundleError(LambdaBundleError):
    """Nothing to bundle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """One bundle to be made."""

    config: BundleConfig
    target: Target
    runtime_chosen_by: ChosenBy
    name: str
    """Normalised name of the project."""
    version: str
    root: Path
    """Folder of pyproject.toml."""
    output: Path
    sbom: Path | None
    """None where none is wanted."""
    project: ProjectSource | None
    """None for the dependencies alone."""
    build: Choice | None
    """The project where it has to be built; `project` then holds only what the user includes."""
    choices: tuple[Choice, ...]
    left_out: tuple[LeftOutPackage, ...]
    layers: tuple[Layer | LayerBundle, ...]
    """Those that the function will have."""
    held: tuple[Choice, ...]
    """What the lock has of that which layers on disk hold, to be held against them."""
    graph: Callable[[], DependencyGraph]
    """Who needs whom among all packages selected, those left out included; worked out when called."""
    outlines: Callable[[], Mapping[str, PackageOutline]]
    """What the lock says of every package, selected or not; read when called."""
    findings: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    """Those that `ignore` names."""
    notes: tuple[str, ...]

    @property
    def own_files(self) -> tuple[ProjectFile, ...]:
        """The project's own files, or what it adds to its build."""
        return self.project.files if self.project else ()

    @property
    def parts(self) -> tuple[Choice, ...]:
        """All that has to be made ready."""
        return self.choices if self.build is None else (*self.choices, self.build)

    @property
    def unit(self) -> Unit:
        """What it is in its run."""
        return Unit(self.config.bundle, self.target.architecture)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Selecting:
    """What the bundles of a run are selected with, each thing asked for once."""

    project: OpenProject
    configs: Mapping[str, Wanted]
    """All that the run has to make, by name."""
    made: dict[Unit, Selected]
    """What has been selected by now: the layers of all that follow are there."""
    today: date
    outputs: Collection[FileId]
    """What earlier runs have written."""
    runtime: Callable[[BundleConfig], RuntimeChoice]
    read: ProjectReader
    select: Selector
    read_layer: LayerReader


def select_bundles(
    project: OpenProject,
    order: Order,
    today: date,
    outputs: Collection[FileId],
    failures: Failures,
    select: Selector | None = None,
) -> list[Selected]:
    """Decide all that needs no network, for each bundle and architecture, layers first as they are wanted.

    `outputs` is what earlier runs have written; `select` may remember what they have selected. Raises
    LambdaBundleError for what is wrong with all of them.
    """
    policy = project.settings.binary_policy
    select = select or selector(project.lock, order.plain)
    selecting = _Selecting(
        project=project,
        configs={str(one.config.bundle): one for one in order.wanted},
        made={},
        today=today,
        outputs=outputs,
        runtime=cache(lambda config: runtime_of(project.facts, config, order.family, policy, select)),
        read=cache(partial(read_project, project.facts)),
        select=select,
        read_layer=cache(read_layer),
    )
    for one in order.wanted:
        for architecture in one.architectures:
            with failures.kept(one.config, architecture):
                selected = _selected(selecting, one, architecture)
                selecting.made[selected.unit] = selected
    return list(selecting.made.values())


def _selected(selecting: _Selecting, wanted: Wanted, architecture: Architecture) -> Selected:
    project, config, facts = selecting.project, wanted.config, selecting.project.facts
    runtime = selecting.runtime(config)
    target = _target(facts, config, runtime.runtime, architecture)
    output, sbom = output_of(facts, config, target), sbom_of(facts, config, target)
    layers = tuple(layers_of(config, target, selecting.made, selecting.configs, selecting.read_layer))
    needed = selecting.select(config, target)
    if config.shared_by and not needed.packages:
        raise NothingSharedError(config, target)
    for layer in layers:
        if isinstance(layer, Layer):
            check_fits(layer, needed.packages, target)
    selection = without_layers(needed, layers, target)
    choices = choose(
        selection.packages,
        target,
        project.settings.binary_policy,
        missing_for_build,
        suits=lambda other: facts.allows(other.runtime.python_full_version),
    )
    has_folders = not config.layer and any(is_folder(choice) for choice in choices)
    own = None if config.no_root else _own_files(project, config, selecting.read, has_folders=has_folders)
    if config.unpacked is not None:
        check_folder(output, facts.root)
    else:
        check_output(output, own.files if own else ())
    if sbom is not None:
        check_sbom(sbom, own.files if own else ())
    own = own and without_outputs(own, selecting.outputs)
    build = WheelBuild(_root_package(facts), target, None) if own is not None and facts.needs_build else None
    if not choices and build is None and (own is None or not own.files):
        is_left_out = config.no_root and bool(selection.left_out)
        raise EmptyBundleError(_nothing(facts.root, is_left_out=is_left_out))
    findings = [
        *misnamed_tables(facts.document),
        *runtime_warnings(target.runtime, facts.allows, facts.python_versions, selecting.today),
        *selection.findings,
        *hash_findings(choices),
    ]
    if own is not None and build is None:
        findings += _own_code_findings(facts.root, own)
        if not config.begins_at_handler:
            findings += import_findings(config, target.runtime, _modules(own))
    told, silenced = judged(findings, config.ignore, strict=config.strict)
    return Selected(
        config=config,
        target=target,
        runtime_chosen_by=runtime.chosen_by,
        name=facts.name,
        version=facts.version,
        root=facts.root,
        output=output,
        sbom=sbom,
        project=own,
        build=build,
        choices=choices,
        left_out=selection.left_out,
        layers=layers,
        held=tuple(held_by_files(needed.packages, layers, target, project.settings.binary_policy)),
        graph=selection.graph,
        outlines=project.lock.outlines,
        findings=told,
        silenced=silenced,
        notes=(*_needed_notes(wanted), *filter(None, [runtime.note]), *(own.notes if own else ())),
    )


def _nothing(root: Path, *, is_left_out: bool) -> str:
    """Say what a bundle lacks, and what would fill it."""
    if is_left_out:
        return (
            "There is nothing to bundle: every dependency is left out, by an exclusion or a layer, and "
            "no-root leaves out the project. Drop one of them."
        )
    return (
        f"There is nothing to bundle: no dependency is selected, and {root} has no module, package or "
        "included file. Add a dependency, a module beside pyproject.toml, or files with --include."
    )


def _needed_notes(wanted: Wanted) -> Iterator[str]:
    if wanted.needed_by:
        verb = "needs" if len(wanted.needed_by) == 1 else "need"
        yield f"{wanted.config.bundle} is made too, since {joined(wanted.needed_by)} {verb} it as a layer."


def import_findings(
    config: BundleConfig, runtime: Runtime, modules: Iterable[tuple[str, bytes]]
) -> tuple[Finding, ...]:
    """Return a warning for each package excluded by name that the project's modules import.

    A module that Python itself has is none of a package's.
    """
    if not config.exclude_packages or not config.audit:
        return ()
    imported = imported_modules(modules) - standard_modules(runtime.python)
    return tuple(imported_anyway(config.exclude_packages, imported))


def _target(
    facts: ProjectFacts, config: BundleConfig, runtime: Runtime, architecture: Architecture
) -> Target:
    return target_for(runtime, architecture, facts.allows, facts.python_versions, config.runtime_set_by)


def is_folder(choice: Choice) -> bool:
    """Tell whether a package is a local folder, which is the project's own code to a monorepo."""
    return choice.package.source_type == "directory"


def _own_files(
    project: OpenProject, config: BundleConfig, read: ProjectReader, *, has_folders: bool
) -> ProjectSource:
    """Find the project's files, or what it adds to its build."""
    # what is reached is known when all of the project's code is
    modules = None if config.begins_at_handler else config.modules
    wishes = Wishes(
        config.handler, modules, project.lock.readable_names, are_all_here=modules is None or not has_folders
    )
    if project.facts.needs_build:
        return read_beside_build(project.facts, config.include, wishes)
    return read(config.include, wishes)


def _root_package(facts: ProjectFacts) -> LockedPackage:
    """Look at a project that has to be built as at a path dependency."""
    return LockedPackage(
        name=facts.name,
        version=facts.version,
        files=(),
        source_type="directory",
        source_reference=None,
        source_url=str(facts.root),
    )


def _modules(project: ProjectSource) -> Iterator[tuple[str, bytes]]:
    for path, file in project.files:
        if path.endswith(".py"):
            yield path, read_source(file)


def _own_code_findings(root: Path, project: ProjectSource) -> Iterator[Finding]:
    """Warn of a project whose own code was not found where it should be, which is seldom meant."""
    if not project.files:
        yield Finding(
            "project-empty",
            f"The project itself adds no file to the bundle: {root} has no package of its "
            "name and no modules beside pyproject.toml. Name its folders in `packages`, or say --no-root.",
        )
    elif project.missing_packages:
        names = ", ".join(map(repr, project.missing_packages))
        yield Finding(
            "packages-missing",
            f"packages in pyproject.toml names {names}, which is not there: the modules that are there are "
            "bundled instead. Correct `packages`, or remove it.",
        )
