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
from poetry_lambda_plugin.layout.layer import read_layer
from poetry_lambda_plugin.layout.python_source import imported_modules
from poetry_lambda_plugin.runtime.platform import runtime_warnings
from poetry_lambda_plugin.runtime.platform import target_for
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
from poetry_lambda_plugin.stages.outputs import check_output
from poetry_lambda_plugin.stages.outputs import output_of
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.packages import selected_packages
from poetry_lambda_plugin.stages.packages import without_layers
from poetry_lambda_plugin.stages.runtime import runtime_of


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
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
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
    from poetry_lambda_plugin.selection.graph import DependencyGraph
    from poetry_lambda_plugin.selection.runtime_choice import ChosenBy
    from poetry_lambda_plugin.selection.runtime_choice import RuntimeChoice
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.runtime import Selector

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
    findings: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    """Those that `ignore` names."""
    notes: tuple[str, ...]

    @property
    def parts(self) -> tuple[Choice, ...]:
        """All that has to be made ready."""
        return self.choices if self.build is None else (*self.choices, self.build)

    @property
    def layers_size(self) -> int:
        """Unzipped bytes of its layers."""
        return sum(layer.unzipped for layer in self.layers)


def select_bundles(
    project: OpenProject,
    configs: Sequence[BundleConfig],
    family: Sequence[BundleConfig],
    today: date,
    outputs: Collection[FileId],
) -> list[Selected]:
    """Decide all that needs no network, for each bundle and architecture.

    `family` are all bundles of the project, those that are not to be made included; `outputs` is what earlier
    runs have written. Raises LambdaBundleError.
    """
    select = selector(project, family, today, outputs)
    return [select(config, architecture) for config in configs for architecture in config.architectures]


def selector(
    project: OpenProject, family: Sequence[BundleConfig], today: date, outputs: Collection[FileId]
) -> Callable[[BundleConfig, Architecture], Selected]:
    """Return what decides for one bundle and one architecture; what several have in common is found once."""
    policy = project.settings.binary_policy
    read = cache(partial(read_project, project.facts))
    select = cache(partial(selected_packages, project.lock))
    runtime = cache(lambda config: runtime_of(project.facts, config, family, policy, select))

    def selected(config: BundleConfig, architecture: Architecture) -> Selected:
        return _selected(project, config, architecture, runtime(config), today, read, select, outputs)

    return selected


def _selected(
    project: OpenProject,
    config: BundleConfig,
    architecture: Architecture,
    runtime: RuntimeChoice,
    today: date,
    read: ProjectReader,
    select: Selector,
    outputs: Collection[FileId],
) -> Selected:
    facts = project.facts
    target = _target(facts, config, runtime.runtime, architecture)
    output = output_of(facts, config, target)
    layers = tuple(read_layer(path, target.runtime) for path in config.exclude_layers)
    selection = without_layers(select(config, target), layers, target)
    choices = choose(
        selection.packages,
        target,
        project.settings.binary_policy,
        missing_for_build,
        suits=lambda other: facts.allows(other.runtime.python_full_version),
    )
    own = None if config.no_root else _own_files(project, config, read)
    check_output(output, own.files if own else ())
    own = own and without_outputs(own, outputs)
    build = WheelBuild(_root_package(facts), target, None) if own is not None and facts.needs_build else None
    if not choices and build is None and (own is None or not own.files):
        raise EmptyBundleError(
            "There is nothing to bundle: no dependency is selected, and "
            f"{facts.root} has no module, package or included file. "
            "Add a dependency, a module beside pyproject.toml, or files with --include."
        )
    findings = [
        *misnamed_tables(facts.document),
        *runtime_warnings(target.runtime, facts.allows, facts.python_versions, today),
        *selection.findings,
        *hash_findings(choices),
    ]
    if own is not None and build is None:
        findings += [*_own_code_findings(facts.root, own), *import_findings(config, _modules(own))]
    told, silenced = judged(findings, config.ignore, strict=config.strict)
    return Selected(
        config=config,
        target=target,
        runtime_chosen_by=runtime.chosen_by,
        name=facts.name,
        version=facts.version,
        root=facts.root,
        output=output,
        project=own,
        build=build,
        choices=choices,
        left_out=selection.left_out,
        layers=layers,
        graph=selection.graph,
        findings=told,
        silenced=silenced,
        notes=(*filter(None, [runtime.note]), *(own.notes if own else ())),
    )


def import_findings(config: BundleConfig, modules: Iterable[tuple[str, bytes]]) -> tuple[Finding, ...]:
    """Return a warning for each package excluded by name that the project's modules import."""
    if not config.exclude_packages:
        return ()
    return tuple(imported_anyway(config.exclude_packages, imported_modules(modules)))


def _target(
    facts: ProjectFacts, config: BundleConfig, runtime: Runtime, architecture: Architecture
) -> Target:
    return target_for(runtime, architecture, facts.allows, facts.python_versions, config.runtime_set_by)


def _own_files(project: OpenProject, config: BundleConfig, read: ProjectReader) -> ProjectSource:
    """Find the project's files, or what it adds to its build."""
    wishes = Wishes(config.handler, config.modules, project.lock.readable_names)
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
