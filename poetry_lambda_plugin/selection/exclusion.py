"""Packages that are selected by the lock, and that the user wants left out with all that only they need."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.utils import canonicalize_version

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.layer import Layer
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.graph import DependencyGraph
    from poetry_lambda_plugin.selection.locked import LockedPackage


class UnknownPackageError(LambdaBundleError):
    """A package to exclude that the lock does not have."""

    def __init__(self, name: str, locked: Collection[str]) -> None:
        self.name = name
        super().__init__(
            f"exclude-packages: poetry.lock has no package {name!r}.{hint(name, locked)} "
            f"{listing(name, locked, 'It')}"
        )


class LayerContents(Protocol):
    """A layer as far as packages are left out for it."""

    @property
    def name(self) -> str:
        """What it is called: its file's name, or its bundle's."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Version by normalised name of each distribution."""


class LeftOutPackage(NamedTuple):
    """A package that the lock selects and the bundle lacks."""

    name: str
    version: str
    reason: str


def exclude_packages(
    packages: Sequence[LockedPackage], graph: DependencyGraph, named: Mapping[str, str]
) -> tuple[tuple[LockedPackage, ...], tuple[LeftOutPackage, ...]]:
    """Leave out packages, each with its reason, and what nothing else needs; what others share stays."""
    reachable = graph.reachable(named)
    kept, left_out = [], []
    for package in packages:
        if package.name in reachable:
            kept.append(package)
        else:
            reason = named.get(package.name, "needed by excluded packages only")
            left_out.append(LeftOutPackage(package.name, package.version, reason))
    return tuple(kept), tuple(left_out)


def exclude_layers(
    packages: Sequence[LockedPackage], layers: Sequence[LayerContents]
) -> tuple[tuple[LockedPackage, ...], tuple[LeftOutPackage, ...], tuple[Finding, ...]]:
    """Leave out what layers hold, and warn where theirs is another version, or where one is of no use."""
    kept, left_out = [], []
    findings = [
        Finding(
            "layer-empty",
            f"The layer {layer.name} holds no distribution where the runtime looks for one.",
            layer.name,
        )
        for layer in layers
        # one that is made here may be meant for other files
        if not layer.versions and isinstance(layer, Layer) and not layer.libraries
    ]
    for package in packages:
        # Lambda unpacks layers over each other in their order
        layer = next((layer for layer in reversed(layers) if package.name in layer.versions), None)
        if layer is None:
            kept.append(package)
            continue
        left_out.append(LeftOutPackage(package.name, package.version, f"in the layer {layer.name}"))
        held = layer.versions[package.name]
        if canonicalize_version(held) != canonicalize_version(package.version):
            words = (
                f"The layer {layer.name} holds {package.name} {held}, but {package.version} is locked: "
                "make the layer again."
            )
            findings.append(Finding("layer-stale", words, package.name))
    return tuple(kept), tuple(left_out), tuple(findings)


def sdk_clashes(
    kept: Sequence[LockedPackage],
    left_out: Sequence[LeftOutPackage],
    graph: DependencyGraph,
    runtime: Runtime,
) -> Iterator[Finding]:
    """Warn of packages in the bundle that the runtime's own SDK will import, and does not allow."""
    on_runtime = [package.name for package in left_out if package.name in RUNTIME_PACKAGES]
    needed = {needed for name in on_runtime for needed in graph.needs.get(name, ())}
    for package in kept:
        constraint = runtime.sdk_constraints.get(package.name)
        if package.name not in needed or constraint is None:
            continue
        if not SpecifierSet(constraint).contains(package.version, prereleases=True):
            needed_by = _needed_by(package.name, graph, left_out)
            yield Finding(
                "sdk-version",
                f"{package} stays in the bundle, since {needed_by} needs it; but the runtime's botocore will "
                f"import it too, and allows {package.name}{constraint} only. "
                "Bundle boto3 as well, or lock a version that both allow.",
                package.name,
            )


def sdk_pins(
    kept: Sequence[LockedPackage],
    on_runtime: Sequence[LeftOutPackage],
    graph: DependencyGraph,
    layers: Sequence[LayerContents],
) -> Iterator[Finding]:
    """Warn of packages in the bundle that allow a few versions of what is left to the runtime."""
    missing = {package.name for package in on_runtime} - {name for layer in layers for name in layer.versions}
    for package in kept:
        pins = {name: pin for name, pin in graph.pins.get(package.name, {}).items() if name in missing}
        if pins:
            named = " and ".join(f"{name} {pin}" for name, pin in sorted(pins.items()))
            yield Finding(
                "sdk-pinned",
                f"{package} allows {named} only, while the runtime has the version that AWS chose. "
                "Do without exclude-runtime-packages.",
                package.name,
            )


def _needed_by(name: str, graph: DependencyGraph, left_out: Sequence[LeftOutPackage]) -> str:
    gone = {package.name for package in left_out}
    others = sorted(n for n, needs in graph.needs.items() if name in needs and n not in gone)
    return others[0] if others else "the project"


def imported_anyway(excluded: Collection[str], modules: Collection[str]) -> Iterator[Finding]:
    """Warn of excluded packages that the project's sources import, going by their names."""
    imported = {canonicalize_name(module) for module in modules}
    for name in sorted(excluded):
        if {name, name.removeprefix("python-"), name.removesuffix("-python")} & imported:
            yield Finding(
                "excluded-imported",
                f"{name} is excluded, but the project imports it. "
                "That works only where a layer or the runtime has it.",
                name,
            )
