"""What poetry.lock selects for a target."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.selection.graph import DependencyGraph
from poetry_lambda_plugin.selection.locked import LockedFile
from poetry_lambda_plugin.selection.locked import LockedPackage
from poetry_lambda_plugin.sources import poetry_api
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.poetry import Poetry

    from poetry_lambda_plugin.configuration.values import Selection
    from poetry_lambda_plugin.runtime.platform import Target


MAIN_GROUP = "main"

STALE = "pyproject.toml changed significantly since poetry.lock was last generated."
"""How Poetry's own words begin where the lock is older than pyproject.toml."""

PATH_ERROR = re.compile(
    r"(?:Path |Directory )?(?P<path>.+) for (?P<name>\S+) "
    r"(?P<problem>does not exist|does not seem to be a Python package|is a file|is a directory)\b.*",
    re.DOTALL,
)
"""Poetry's own words for a path dependency that can't be used."""

PATH_PROBLEMS = {
    "does not exist": "does not exist",
    "does not seem to be a Python package": "has no pyproject.toml or setup.py",
    "is a file": "is a file where a folder is locked",
    "is a directory": "is a folder where a file is locked",
}


class LockError(LambdaBundleError):
    """A lock file that is missing, unreadable or older than pyproject.toml."""


class PathDependencyError(LockError):
    """A path dependency that is not what was locked."""

    def __init__(self, words: re.Match[str]) -> None:
        self.name, self.path = words["name"], words["path"]
        super().__init__(
            f"{self.name} is locked from {self.path}, which {PATH_PROBLEMS[words['problem']]}. "
            "Restore it, or correct its path in pyproject.toml and run `poetry lock`."
        )


class UnknownNameError(LambdaBundleError):
    """A group or an extra that the project does not have."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        names = frozenset(known)
        meant = canonicalize_name(name)
        super().__init__(
            f"The project has no {kind} {name!r}.{hint(meant, names)} {listing(meant, names, 'It')}"
        )


def locked_packages(poetry: Poetry, target: Target, selection: Selection) -> tuple[LockedPackage, ...]:
    """Return the packages to bundle, sorted by name.

    Raises LockError and UnknownNameError.
    """
    groups = _groups(poetry, selection)
    extras = _extras(poetry, selection)
    _check_lock(poetry)
    try:
        packages = poetry_api.packages_to_install(poetry, target, groups, extras)
        locked = [_locked_package(package) for package in packages]
    except Exception as error:
        # a damaged lock fails in as many ways as Poetry has parsers
        words = str(error)
        if words.startswith(STALE):
            raise LockError(words) from error
        if path_error := PATH_ERROR.fullmatch(words):
            raise PathDependencyError(path_error) from error
        raise LockError(_unreadable(poetry, words or repr(error))) from error
    return tuple(sorted(locked, key=lambda package: (package.name, package.version)))


def _groups(poetry: Poetry, selection: Selection) -> set[NormalizedName]:
    known: set[str] = {MAIN_GROUP, *poetry_api.dependency_groups(poetry)}
    for name in (*selection.with_, *selection.without, *selection.only):
        if canonicalize_name(name) not in known:
            raise UnknownNameError("dependency group", name, known)
    chosen = {canonicalize_name(name) for name in selection.only}
    if not chosen:
        chosen = {canonicalize_name(name) for name in (MAIN_GROUP, *selection.with_)}
        chosen -= {canonicalize_name(name) for name in selection.without}
    # a project without any dependency has no main group
    return chosen & poetry_api.dependency_groups(poetry).keys()


def _extras(poetry: Poetry, selection: Selection) -> list[str]:
    known = poetry.package.extras
    if selection.all_extras:
        return sorted(known)
    for name in selection.extras:
        if canonicalize_name(name) not in known:
            raise UnknownNameError("extra", name, known)
    return sorted(canonicalize_name(name) for name in selection.extras)


def _check_lock(poetry: Poetry) -> None:
    """Refuse a lock that Poetry can't read, before anything is asked of it."""
    locker = poetry.locker
    if not locker.is_locked():
        raise LockError(
            f"There is no poetry.lock in {locker.lock.parent}. Run `poetry lock` to make one, and commit it."
        )
    try:
        locker.lock_data  # noqa: B018
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise LockError(_unreadable(poetry, str(error))) from error


def _unreadable(poetry: Poetry, detail: str) -> str:
    reason = " ".join(detail.split()).rstrip(".")
    return (
        f"{poetry.locker.lock} can't be read: {reason}. "
        "Restore it from version control, or run `poetry lock` to make it anew."
    )


def _locked_package(package: Package) -> LockedPackage:
    return LockedPackage(
        name=package.name,
        version=package.version.text,
        files=tuple(LockedFile(file["file"], file["hash"]) for file in package.files),
        source_type=package.source_type or "",
        source_reference=package.source_reference,
        source_url=package.source_url,
        source_revision=package.source_resolved_reference,
        source_subdirectory=package.source_subdirectory,
    )


def locked_names(poetry: Poetry) -> frozenset[str]:
    """Return the names of all packages in the lock, selected or not."""
    return frozenset(
        package.name for package in poetry_api.shared_locker(poetry).locked_repository().packages
    )


def names_in_lock(poetry: Poetry) -> frozenset[str]:
    """Return the names of all packages in the lock as far as it can be read; it need not be there."""
    try:
        return frozenset(canonicalize_name(package["name"]) for package in poetry.locker.lock_data["package"])
    except (RuntimeError, ValueError, KeyError, TypeError, OSError):
        return frozenset()


def dependency_graph(
    poetry: Poetry, target: Target, selection: Selection, packages: Sequence[LockedPackage]
) -> DependencyGraph:
    """Return who needs whom among the selected packages.

    Markers are judged for the target; an optional dependency counts where its extra is asked for.
    """
    selected = {(package.name, package.version) for package in packages}
    locked: dict[str, Package] = {
        package.name: package
        for package in poetry_api.shared_locker(poetry).locked_repository().packages
        if (package.name, package.version.text) in selected
    }
    environment = dict(target.marker_environment)
    groups = _groups(poetry, selection)
    root = poetry.package.with_dependency_groups(list(groups), only=True)
    direct = _needed(root, frozenset(_extras(poetry, selection)), environment)
    extras: dict[str, set[str]] = {}
    needs: dict[str, set[str]] = {name: set() for name in locked}
    queue = [(name, wanted) for name, wanted in direct.items() if name in locked]
    while queue:
        name, wanted = queue.pop()
        known = extras.get(name)
        if known is not None and wanted <= known:
            continue
        extras[name] = (known or set()) | wanted
        for needed, asked in _needed(locked[name], frozenset(extras[name]), environment).items():
            if needed in locked:
                needs[name].add(needed)
                queue.append((needed, asked))
    return DependencyGraph(
        # what is selected for a reason that is not understood is taken for a direct dependency
        direct=frozenset(direct.keys() & locked.keys()) | (locked.keys() - extras.keys()),
        needs={name: frozenset(names) for name, names in needs.items()},
        pins={
            name: _pins(locked[name], frozenset(asked), environment, locked) for name, asked in extras.items()
        },
    )


def _needed(
    package: Package, extras: frozenset[str], environment: dict[str, str]
) -> dict[str, frozenset[str]]:
    """Return what a package needs with some of its extras, and the extras asked of each."""
    needed: dict[str, frozenset[str]] = {}
    for dependency in _dependencies(package, extras, environment):
        asked = needed.get(dependency.name, frozenset())
        needed[dependency.name] = asked | frozenset(dependency.extras)
    return needed


def _pins(
    package: Package, extras: frozenset[str], environment: dict[str, str], locked: Mapping[str, Package]
) -> dict[str, str]:
    """Return what a package allows of those locked packages whose later minor versions it refuses."""
    return {
        dependency.name: str(dependency.constraint)
        for dependency in _dependencies(package, extras, environment)
        if dependency.name in locked and not dependency.constraint.allows(_last_of(locked[dependency.name]))
    }


def _last_of(package: Package) -> Version:
    """Return a version that no release of the same major version comes after."""
    from poetry.core.constraints.version import Version

    return Version.from_parts(package.version.major, 1_000_000)


def _dependencies(
    package: Package, extras: frozenset[str], environment: dict[str, str]
) -> Iterator[Dependency]:
    """Yield the dependencies of a package that count with some of its extras."""
    optional = {d.name for name in extras for d in package.extras.get(canonicalize_name(name), ())}
    for dependency in package.all_requires:
        if dependency.is_optional() and dependency.name not in optional:
            continue
        if dependency.marker.without_extras().validate(environment):
            yield dependency
