"""Which targets a lock can't tell apart: it selects the same packages for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from poetry.core.constraints.version import Version
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker


if TYPE_CHECKING:
    from collections.abc import Hashable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry.core.constraints.version import VersionConstraint
    from poetry.core.version.markers import BaseMarker
    from poetry.poetry import Poetry

    from poetry_lambda_plugin.runtime.platform import Target


class Likeness:
    """All that the lock and the project ask of a target, asked at once instead of package by package."""

    def __init__(self, poetry: Poetry) -> None:
        packages = poetry.locker.lock_data["package"]
        written = {words for package in packages for words in _markers(package)}
        roots = [dependency.marker for dependency in poetry.package.all_requires]
        leaves = (leaf for marker in (*map(parse_marker, written), *roots) for leaf in _leaves(marker))
        self._atoms = tuple({str(leaf): leaf for leaf in leaves}.values())
        pythons = {words for package in packages for words in _pythons(package)}
        self._constraints: tuple[VersionConstraint, ...] = tuple(map(parse_constraint, sorted(pythons)))

    def of(self, target: Target) -> Hashable:
        """Return what is equal for targets that the lock can't tell apart."""
        environment: dict[str, Any] = dict(target.marker_environment)
        version = Version.parse(target.runtime.python_full_version)
        return (
            tuple(atom.validate(environment) for atom in self._atoms),
            tuple(constraint.allows(version) for constraint in self._constraints),
        )


def _markers(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield the markers of a package in a lock, and those of what it depends on."""
    own = package.get("markers", {})
    yield from own.values() if isinstance(own, dict) else [own]
    for dependency in _dependencies(package):
        if "markers" in dependency:
            yield dependency["markers"]


def _pythons(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield the Python constraints of a package in a lock, and those under which it depends on others."""
    yield package["python-versions"]
    for dependency in _dependencies(package):
        if "python" in dependency:
            yield dependency["python"]


def _dependencies(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for constraints in package.get("dependencies", {}).values():
        for constraint in constraints if isinstance(constraints, list) else [constraints]:
            if isinstance(constraint, dict):
                yield constraint


def _leaves(marker: BaseMarker) -> Iterator[BaseMarker]:
    """Yield the comparisons that a marker is made of, but for those with extras, which no target has."""
    parts = getattr(marker, "markers", None)
    if parts is None:
        if getattr(marker, "name", None) != "extra":
            yield marker
        return
    for part in parts:
        yield from _leaves(part)
