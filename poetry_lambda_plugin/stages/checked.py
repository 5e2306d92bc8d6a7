"""What the lock has for each bundle, for every runtime on every architecture; nothing else is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.layer import read_layer
from poetry_lambda_plugin.poetry_api.lock import LockError
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import UnsuitableRuntimeError
from poetry_lambda_plugin.runtime.platform import target_for
from poetry_lambda_plugin.runtime.runtimes import ARCHITECTURES
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.selection.choice import remedy
from poetry_lambda_plugin.selection.choice import unserved
from poetry_lambda_plugin.selection.coverage import cover
from poetry_lambda_plugin.selection.coverage import moves
from poetry_lambda_plugin.selection.exclusion import exclude_layers
from poetry_lambda_plugin.sources.building import missing_for_build
from poetry_lambda_plugin.stages.packages import selector
from poetry_lambda_plugin.stages.runtime import runtime_of
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.coverage import Move
    from poetry_lambda_plugin.selection.coverage import TargetCoverage
    from poetry_lambda_plugin.selection.locked import LockedPackage
    from poetry_lambda_plugin.stages.packages import Selector

    Selections: TypeAlias = Mapping[Target, Sequence[LockedPackage] | None]


class UnservedTargetError(LambdaBundleError):
    """Targets that bundles are wanted for, and that can't be bundled for here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowing:
    """What a check is confined to; empty for all that there is."""

    runtimes: tuple[Runtime, ...] = ()
    architectures: tuple[Architecture, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleCheck:
    """Where one bundle can run."""

    bundle: str | None
    """Name of its table; None without one."""
    project: str
    version: str
    python_versions: str
    """The project's Python constraint, as it is written."""
    asked: tuple[Target, ...]
    """What it is configured for, or what was typed instead."""
    targets: tuple[TargetCoverage, ...]
    moves: tuple[Move, ...]
    refusals: tuple[tuple[str, ...], ...]
    """Why, and what to do about it, in lines, for each target that is asked for and can't be had here."""


def check_bundles(
    project: OpenProject, configs: Sequence[BundleConfig], family: Sequence[BundleConfig], only: Narrowing
) -> tuple[BundleCheck, ...]:
    """Check every bundle; `family` are all bundles of the project. Raises LambdaBundleError."""
    select = selector(project.lock, family, project.lock.likeness)
    return tuple(_checked(project, config, family, only, select) for config in configs)


def enforce_asked(checks: Sequence[BundleCheck]) -> None:
    """Raise UnservedTargetError for all targets that can't be bundled for."""
    if refusals := dict.fromkeys(refusal for check in checks for refusal in check.refusals):
        raise UnservedTargetError(*(line for refusal in refusals for line in refusal))


def _checked(
    project: OpenProject,
    config: BundleConfig,
    family: Sequence[BundleConfig],
    only: Narrowing,
    select: Selector,
) -> BundleCheck:
    facts, policy = project.facts, project.settings.binary_policy
    runtimes = only.runtimes or (runtime_of(facts, config, family, policy, select).runtime,)
    asked = tuple(Target(runtime, a) for runtime in runtimes for a in config.architectures)
    selections = _selections(project, config, asked, only, select)
    return BundleCheck(
        bundle=config.bundle,
        project=facts.name,
        version=facts.version,
        python_versions=facts.python_versions,
        asked=asked,
        targets=tuple(cover(packages, target, policy) for target, packages in selections.items()),
        moves=tuple(moves(asked, selections, policy)),
        refusals=tuple(_refusals(project, config, asked, selections)),
    )


def _selections(
    project: OpenProject,
    config: BundleConfig,
    asked: Sequence[Target],
    only: Narrowing,
    select: Selector,
) -> Selections:
    """Return the packages for each target that is told of, in the order of AWS's table."""
    runtimes = only.runtimes or sorted({*RUNTIMES, *(t.runtime for t in asked)}, key=lambda r: r.python)
    architectures = only.architectures or ARCHITECTURES
    told = [Target(r, a) for r in runtimes for a in architectures if a in r.architectures]
    selections: dict[Target, Sequence[LockedPackage] | None] = {}
    # a lock that can't be used at all fails with what is wanted of it, before anything else is asked
    for target in (*asked, *told):
        if target not in selections:
            is_first = all(packages is None for packages in selections.values())
            selections[target] = _selection(project, config, target, select, is_first=is_first)
    return {target: selections[target] for target in dict.fromkeys((*told, *asked))}


def _selection(
    project: OpenProject, config: BundleConfig, target: Target, select: Selector, *, is_first: bool
) -> Sequence[LockedPackage] | None:
    """Return the packages of a bundle for a target, None where the project or the lock rules it out."""
    if _unsuitable(project, config, target) is not None:
        return None
    try:
        packages = select(config, target).packages
    except LockError:
        if is_first:
            raise
        return None
    layers = [read_layer(path, target.runtime) for path in config.layer_files if path.is_file()]
    return exclude_layers(packages, layers)[0] if layers else packages


def _refusals(
    project: OpenProject, config: BundleConfig, asked: Sequence[Target], selections: Selections
) -> Iterator[tuple[str, ...]]:
    """Say for each target that is asked for why `lambda-bundle` would refuse it."""
    policy, allows = project.settings.binary_policy, project.facts.allows
    for target in asked:
        packages = selections[target]
        if packages is None:
            yield (_unsuitable(project, config, target) or f"The lock can't be used for {target}.",)
        elif missing := unserved(packages, target, policy, missing_for_build):
            names = joined([f"{package.name} {package.version}" for package in missing])
            lines = remedy(missing, target, policy, lambda t: allows(t.runtime.python_full_version))
            yield (f"For {target} the lock has no wheel of {names}.", *lines)


def _unsuitable(project: OpenProject, config: BundleConfig, target: Target) -> str | None:
    """Say what rules a target out; None where nothing does."""
    facts = project.facts
    set_by = config.runtime_set_by if config.runtime == target.runtime else None
    try:
        target_for(target.runtime, target.architecture, facts.allows, facts.python_versions, set_by)
    except UnsuitableRuntimeError as error:
        return str(error)
    return None
