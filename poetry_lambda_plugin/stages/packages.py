"""Which of the locked packages a bundle holds, and what is left to the runtime, to layers or to nobody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.lock import UnknownNameError
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
from poetry_lambda_plugin.selection.exclusion import UnknownPackageError
from poetry_lambda_plugin.selection.exclusion import exclude_layers
from poetry_lambda_plugin.selection.exclusion import exclude_packages
from poetry_lambda_plugin.selection.exclusion import sdk_clashes
from poetry_lambda_plugin.selection.exclusion import sdk_pins
from poetry_lambda_plugin.selection.graph import DependencyGraph
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Hashable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.poetry_api.lock import Lock
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.exclusion import LayerContents
    from poetry_lambda_plugin.selection.locked import LockedPackage

    Selector: TypeAlias = "Callable[[BundleConfig, Target], PackageSelection]"


ON_RUNTIME = "on the runtime"
"""Why packages are left out that every runtime has."""


@dataclass(frozen=True, slots=True)
class PackageSelection:
    """The packages that stay, and what became of the others."""

    packages: tuple[LockedPackage, ...]
    left_out: tuple[LeftOutPackage, ...]
    graph: Callable[[], DependencyGraph]
    """Who needs whom among all packages selected, those left out included; worked out when called."""
    findings: tuple[Finding, ...] = ()


class NothingSharedError(LambdaBundleError):
    """A shared layer whose functions have no distribution in common."""

    def __init__(self, config: BundleConfig, target: Target) -> None:
        names = joined(config.shared_by)
        super().__init__(
            f"{names} need no distribution in common on {target}, so their layer {config.bundle} would be "
            f"empty. Name other functions in shared-by of [{config.table}], or drop the layer."
        )


def selector(
    lock: Lock,
    family: Sequence[BundleConfig],
    alike: Callable[[Target], Hashable] = lambda target: target,
) -> Selector:
    """Select as `selected_packages` does, but once for all bundles that want the same.

    A shared layer gets what those of `family` need that it is for. `alike` returns what is equal for targets
    that get the same packages.
    """
    found: dict[Hashable, PackageSelection] = {}

    @cache
    def share(config: BundleConfig, target: Target) -> PackageSelection:
        functions = [other for other in family if other.bundle in config.shared_by]
        return _shared(lock, config, target, functions, select)

    def select(config: BundleConfig, target: Target) -> PackageSelection:
        if config.shared_by:
            return share(config, target)
        wanted = (
            config.selection,
            config.only_root,
            config.exclude_packages,
            config.exclude_runtime_packages,
        )
        key = (wanted, alike(target))
        if key not in found:
            found[key] = selected_packages(lock, config, target)
        return found[key]

    return select


def selected_packages(lock: Lock, config: BundleConfig, target: Target) -> PackageSelection:
    """Select from the lock, then leave out what the user or the runtime makes unnecessary."""
    packages = () if config.only_root else lock.packages(target, config.selection)
    graph = cache(lambda: lock.graph(target, config.selection, packages))
    named = _named_exclusions(lock, config)
    if not named or not packages:
        return PackageSelection(packages, (), graph)
    kept, left_out = exclude_packages(packages, graph(), named)
    return PackageSelection(kept, left_out, graph)


def without_layers(
    selection: PackageSelection, layers: Sequence[LayerContents], target: Target
) -> PackageSelection:
    """Leave out what layers hold, and warn of what then does not fit together."""
    packages, left_out, graph = selection.packages, selection.left_out, selection.graph
    sdk = _sdk_findings(packages, left_out, graph(), target, layers) if left_out else ()
    kept, in_layers, findings = exclude_layers(packages, layers)
    return PackageSelection(kept, left_out + in_layers, graph, (*sdk, *findings))


def runtime_packages(lock: Lock, target: Target) -> tuple[LockedPackage, ...]:
    """Return what a runtime brings along, in the versions that any group of the lock has; often nothing."""
    try:
        everything = Selection(with_=lock.groups, all_extras=True)
        packages = lock.packages(target, everything)
        graph = lock.graph(target, everything, packages)
    except LambdaBundleError:
        # groups that exclude each other
        return ()
    names = DependencyGraph(RUNTIME_PACKAGES, graph.needs).reachable()
    return tuple(package for package in packages if package.name in names)


def needs_own_sdk(
    choices: Sequence[Choice], graph: DependencyGraph, target: Target, layers: Sequence[LayerContents]
) -> bool:
    """Tell whether a bundle holds a package that may not work with the runtime's SDK."""
    named = dict.fromkeys(RUNTIME_PACKAGES, ON_RUNTIME)
    kept, left_out = exclude_packages([choice.package for choice in choices], graph, named)
    return any(_sdk_findings(kept, left_out, graph, target, layers))


def _sdk_findings(
    kept: Sequence[LockedPackage],
    left_out: Sequence[LeftOutPackage],
    graph: DependencyGraph,
    target: Target,
    layers: Sequence[LayerContents],
) -> Iterator[Finding]:
    yield from sdk_clashes(kept, left_out, graph, target.runtime)
    on_runtime = [package for package in left_out if package.reason == ON_RUNTIME]
    yield from sdk_pins(kept, on_runtime, graph, layers)


def _shared(
    lock: Lock, config: BundleConfig, target: Target, functions: Sequence[BundleConfig], select: Selector
) -> PackageSelection:
    """Return what all functions of a shared layer need, of those that run on its architecture.

    One that can't be selected for fails for itself, and does not count, unless it is the only one.
    """
    on_target = [f for f in functions if target.architecture in f.architectures] or functions
    sound = [s for f in on_target if (s := _sound(select, f, target))]
    first, *others = sound or [select(on_target[0], target)]
    common = frozenset(first.packages).intersection(*(other.packages for other in others))
    packages = tuple(package for package in first.packages if package in common)
    named = _named_exclusions(lock, config)
    kept, left_out = exclude_packages(packages, first.graph(), named) if named else (packages, ())
    return PackageSelection(kept, left_out, first.graph)


def _sound(select: Selector, config: BundleConfig, target: Target) -> PackageSelection | None:
    """Select for a bundle; None where it names what the project does not have."""
    try:
        return select(config, target)
    except (UnknownNameError, UnknownPackageError):
        return None


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
