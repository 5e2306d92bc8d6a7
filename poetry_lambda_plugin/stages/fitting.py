"""Whether a layer on disk fits: what can't run is an error, what is only old a warning."""

from __future__ import annotations

import re

from functools import cache
from typing import TYPE_CHECKING

import deflate

from packaging.utils import canonicalize_version

from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.layer import SHARED_OBJECT
from poetry_lambda_plugin.layout.layer import Layer
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.runtime.platform import parse_wheel_tags
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.selection.choice import WheelBuild
from poetry_lambda_plugin.selection.choice import best_wheel
from poetry_lambda_plugin.stages.layers import UnfitLayerError
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from packaging.tags import Tag

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.layer import HeldDistribution
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.choice import BinaryPolicy
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.exclusion import LayerContents
    from poetry_lambda_plugin.selection.locked import LockedPackage


EXTENSION_MODULE = re.compile(r"\.cpython-3(?P<minor>\d+)[a-z]*-(?P<machine>\w+?)-linux-\w+\.so$")
"""End of the name of a module that is compiled for one Python alone (PEP 3149)."""

NOT_OF_ITS_WHEEL = re.compile(r"[^/]+\.dist-info/|bin/|.*\.pyc$")
"""Paths of what installers write anew, each in its own way."""

MAY_BE_TRIMMED = tuple(f"@{name}" for name in SETS)
"""What a layer may well lack: most functions can do without."""


def check_fits(layer: Layer, packages: Iterable[LockedPackage], target: Target) -> None:
    """Raise UnfitLayerError where a function can't run with what a layer holds of its packages.

    What belongs to no distribution counts too; what belongs to others may be for whomever it likes.
    """
    for package in packages:
        held = layer.distributions.get(package.name)
        if held is not None and (problem := _problem(layer, held, target)):
            raise _unfit(layer, f"{problem} (of {package.name} {held.version})", target)
    owned = frozenset[str]().union(*(held.files for held in layer.distributions.values()))
    if problem := _objects_problem({p: m for p, m in layer.machines.items() if p not in owned}, target):
        raise _unfit(layer, problem, target)


def _unfit(layer: Layer, problem: str, target: Target) -> UnfitLayerError:
    return UnfitLayerError(
        f"exclude-layers: {layer.path} can't run on {target}: {problem}. Make the layer for {target}, or "
        "name another one."
    )


def _problem(layer: Layer, held: HeldDistribution, target: Target) -> str | None:
    """Return what keeps a distribution from running on a target."""
    if held.tags and not any(_suits(tag, target) for tag in held.tags):
        return f"it holds a wheel for {min(map(str, held.tags))}"
    objects = {path: layer.machines[path] for path in sorted(held.files & layer.machines.keys())}
    # what is for any platform may bring along objects for many
    if any(tag.platform == "any" for tag in held.tags):
        return None
    return _objects_problem(objects, target)


def _objects_problem(objects: Mapping[str, str], target: Target) -> str | None:
    """Return what is wrong with shared objects of which none is for the target's architecture or Python."""
    if objects and target.architecture not in objects.values():
        path, machine = next(iter(objects.items()))
        return f"{path} is compiled for {machine}"
    minors = {path: int(found["minor"]) for path in objects if (found := EXTENSION_MODULE.search(path))}
    if minors and target.runtime.python[1] not in minors.values():
        path, minor = next(iter(minors.items()))
        return f"{path} is compiled for Python 3.{minor}"
    return None


@cache
def _suits(tag: Tag, target: Target) -> bool:
    """Tell whether a wheel of a tag runs on a target, whatever C library it was made with."""
    linux = ("linux_", "manylinux")
    machine = f"_{WHEEL_ARCHITECTURES[target.architecture]}"
    runs = tag.platform == "any" or (tag.platform.startswith(linux) and tag.platform.endswith(machine))
    return runs and any((tag.interpreter, tag.abi) == (t.interpreter, t.abi) for t in target.supported_tags)


def held_by_files(
    packages: Iterable[LockedPackage],
    layers: Sequence[LayerContents],
    target: Target,
    policy: BinaryPolicy,
) -> Iterator[Choice]:
    """Yield what the lock has of the packages whose locked version a layer on disk holds.

    What would have to be built of an sdist is held against nothing.
    """
    for package in packages:
        layer = holder(package.name, layers)
        if layer is None or not is_of_version(layer.versions[package.name], package.version):
            continue
        if package.source_type in ("directory", "git"):
            yield WheelBuild(package, target, None)
        elif policy.allows_wheel(package.name) and (wheel := best_wheel(package, target)):
            yield LockedWheel(package, wheel)


def holder(name: str, layers: Sequence[LayerContents]) -> Layer | None:
    """Return the layer on disk from which a function would have a package; None for a bundle, or none."""
    found = next((layer for layer in reversed(layers) if name in layer.versions), None)
    return found if isinstance(found, Layer) else None


def stale_finding(
    layer: Layer, choice: Choice, distribution: Distribution, trimmed: Sequence[str]
) -> Finding | None:
    """Warn of a layer that holds other files of a distribution than the lock and its folder give now.

    A layer may lack files, as long as they are no modules that are new in a package of a folder's; `trimmed`
    are patterns by which it may lack those too.
    """
    name, held = distribution.name, layer.distributions[distribution.name]
    is_locked = isinstance(choice, LockedWheel)
    if is_locked and held.tags and held.tags != parse_wheel_tags(_tags_of(choice.source)):
        # another wheel of the release, whose files may well differ
        return None
    differing = [
        path for path in _differing(layer, distribution.entries) if not _is_others(layer, name, path)
    ]
    if not is_locked:
        may_lack = PathFilter((*MAY_BE_TRIMMED, *trimmed))
        differing += (p for p in _missing(layer, distribution.entries) if not may_lack.excludes(p))
    if not differing:
        return None
    now = f"its locked wheel {choice.source}" if is_locked else f"{choice.package.source_url} now"
    return Finding(
        "layer-stale",
        f"The layer {layer.name} holds {name} {held.version} with other files than {now}: "
        f"{listed(sorted(differing))}. Make the layer again.",
        name,
    )


def _tags_of(wheel: str) -> str:
    return "-".join(wheel.removesuffix(".whl").split("-")[-3:])


def _differing(layer: Layer, entries: Iterable[Entry]) -> Iterator[str]:
    """Yield paths of files whose bytes are others; those of shared objects may have been stripped."""
    for entry in entries:
        member = layer.files.get(entry.path)
        if member is None or NOT_OF_ITS_WHEEL.match(entry.path) or SHARED_OBJECT.search(entry.path):
            continue
        if member.size != entry.content.size or member.crc != _checksum(entry):
            yield entry.path


def _is_others(layer: Layer, name: str, path: str) -> bool:
    """Tell whether a file is that of another distribution which has the same path."""
    return any(path in held.files for other, held in layer.distributions.items() if other != name)


def _missing(layer: Layer, entries: Iterable[Entry]) -> Iterator[str]:
    """Yield modules that a layer lacks in folders of which it has others."""
    folders = {path.rpartition("/")[0] for path in layer.files if path.endswith(".py")}
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        if name.endswith(".py") and entry.path not in layer.files and folder in folders:
            yield entry.path


def _checksum(entry: Entry) -> int:
    """Return the CRC-32 of a file, which an archive knows of its own."""
    if isinstance(entry.content, WheelContent):
        return entry.content.member.crc
    checksum = 0
    for chunk in entry.content.chunks():
        checksum = deflate.crc32(chunk, checksum)
    return checksum


def is_of_version(held: str, locked: str) -> bool:
    """Tell whether two versions are one."""
    return canonicalize_version(held) == canonicalize_version(locked)
