"""What poetry.lock selects for a target."""

from __future__ import annotations

import re

from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.installing import SharedLocker
from poetry_lambda_plugin.poetry_api.installing import packages_to_install
from poetry_lambda_plugin.poetry_api.likeness import Likeness
from poetry_lambda_plugin.selection.graph import DependencyGraph
from poetry_lambda_plugin.selection.locked import LockedFile
from poetry_lambda_plugin.selection.locked import LockedPackage
from poetry_lambda_plugin.selection.outline import PackageOutline
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing


if TYPE_CHECKING:
    from collections.abc import Hashable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.packages.locker import Locker
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


TRIPPED = (AttributeError, LookupError, RecursionError, TypeError)
"""What Poetry stumbles with over values of other kinds than it writes."""


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


class Lock:
    """The lock of a project, which Poetry reads once for all bundles of a run."""

    def __init__(self, poetry: Poetry) -> None:
        self._poetry = poetry

    @cached_property
    def _locker(self) -> Locker:
        return cast("Locker", SharedLocker(self._poetry.locker))

    def packages(self, target: Target, selection: Selection) -> tuple[LockedPackage, ...]:
        """Return the packages to bundle, sorted by name.

        Raises LockError and UnknownNameError.
        """
        groups = self._groups(selection)
        extras = self._extras(selection)
        self._check()
        try:
            packages = packages_to_install(self._poetry, self._locker, target, groups, extras)
        except Exception as error:
            # a damaged lock fails in as many ways as Poetry has parsers
            words = str(error)
            if words.startswith(STALE):
                raise LockError(words) from error
            if path_error := PATH_ERROR.fullmatch(words):
                raise PathDependencyError(path_error) from error
            raise self._unreadable(error) from error
        locked = map(self._locked_package, packages)
        return tuple(sorted(locked, key=lambda package: (package.name, package.version)))

    def likeness(self, target: Target) -> Hashable:
        """Return what is equal for targets that get the same packages, whatever is selected.

        Raises LockError.
        """
        self._check()
        try:
            return self._likeness.of(target)
        except Exception as error:
            # as in `packages`
            raise self._unreadable(error) from error

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness(self._poetry)

    @property
    def names(self) -> frozenset[str]:
        """The names of all packages in the lock, selected or not."""
        return frozenset(package.name for package in self._locker.locked_repository().packages)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups that the project has, the main one excepted."""
        names = self._poetry.package.dependency_group_names(include_optional=True)
        return tuple(sorted(name for name in names if name != MAIN_GROUP))

    @property
    def readable_names(self) -> frozenset[str]:
        """The names of all packages in the lock as far as it can be read; it need not be there."""
        try:
            packages = self._poetry.locker.lock_data["package"]
            return frozenset(canonicalize_name(package["name"]) for package in packages)
        except (RuntimeError, ValueError, KeyError, TypeError, OSError):
            return frozenset()

    def outlines(self) -> Mapping[str, PackageOutline]:
        """Return what the lock says of each package, by normalised name, as far as it can be read."""
        outlines: dict[str, PackageOutline] = {}
        try:
            data = self._poetry.locker.lock_data
            project_extras = data.get("extras", {})
            for package in data["package"]:
                name = canonicalize_name(package["name"])
                named_by = tuple(extra for extra, names in project_extras.items() if name in _names(names))
                groups = (*package.get("groups", ()), *(outlines[name].groups if name in outlines else ()))
                extras = {extra: _names(names) for extra, names in package.get("extras", {}).items()}
                optional = bool(package.get("optional"))
                outlines[name] = PackageOutline(tuple(dict.fromkeys(groups)), optional, extras, named_by)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OSError):
            return {}
        return outlines

    def graph(
        self, target: Target, selection: Selection, packages: Sequence[LockedPackage]
    ) -> DependencyGraph:
        """Return who needs whom among the selected packages.

        Markers are judged for the target; an optional dependency counts where its extra is asked for.
        """
        selected = {(package.name, package.version) for package in packages}
        locked: dict[str, Package] = {
            package.name: package
            for package in self._locker.locked_repository().packages
            if (package.name, package.version.text) in selected
        }
        root = self._poetry.package.with_dependency_groups(list(self._groups(selection)), only=True)
        return _graph(root, self._extras(selection), locked, dict(target.marker_environment))

    def _groups(self, selection: Selection) -> set[str]:
        """Return the chosen groups as this Poetry holds them: normalised since 2.2, as written before."""
        names: Iterable[str] = self._poetry.package.dependency_group_names(include_optional=True)
        written = {canonicalize_name(name): name for name in names}
        known: set[str] = {MAIN_GROUP, *written}
        for name in (*selection.with_, *selection.without, *selection.only):
            if canonicalize_name(name) not in known:
                raise UnknownNameError("dependency group", name, known)
        chosen = {canonicalize_name(name) for name in selection.only}
        if not chosen:
            chosen = {canonicalize_name(name) for name in (MAIN_GROUP, *selection.with_)}
            chosen -= {canonicalize_name(name) for name in selection.without}
        # a project without any dependency has no main group
        return {written[name] for name in chosen & written.keys()}

    def _extras(self, selection: Selection) -> list[str]:
        known = self._poetry.package.extras
        if selection.all_extras:
            return sorted(known)
        for name in selection.extras:
            if canonicalize_name(name) not in known:
                raise UnknownNameError("extra", name, known)
        return sorted(canonicalize_name(name) for name in selection.extras)

    def _check(self) -> None:
        """Refuse a lock that Poetry can't read, before anything is asked of it."""
        locker = self._poetry.locker
        if not locker.is_locked():
            raise LockError(
                f"There is no poetry.lock in {locker.lock.parent}. "
                "Run `poetry lock` to make one, and commit it."
            )
        try:
            locker.lock_data  # noqa: B018
        except Exception as error:
            raise self._unreadable(error) from error

    def _locked_package(self, package: Package) -> LockedPackage:
        """Take what is needed of a package; raises LockError for files that Poetry would not look at."""
        try:
            pairs: list[tuple[Any, Any]] = [(file["file"], file["hash"]) for file in package.files]
        except TRIPPED as error:
            raise self._unreadable(error) from error
        if not all(isinstance(name, str) and isinstance(file_hash, str) for name, file_hash in pairs):
            raise self._unreadable(ValueError(f"a file of {package.name} has a name or hash that is no text"))
        files = tuple(LockedFile(*pair) for pair in pairs)
        return LockedPackage(
            name=package.name,
            version=package.version.text,
            files=files,
            source_type=package.source_type or "",
            source_reference=package.source_reference,
            source_url=package.source_url,
            source_revision=package.source_resolved_reference,
            source_subdirectory=package.source_subdirectory,
        )

    def _unreadable(self, error: Exception) -> LockError:
        """Say what Poetry says of a lock, but no words of Python's own."""
        detail = "it is not of the form that Poetry writes" if isinstance(error, TRIPPED) else str(error)
        reason = " ".join((detail or repr(error)).split()).rstrip(".")
        return LockError(
            f"{self._poetry.locker.lock} can't be read: {reason}. "
            "Restore it from version control, or run `poetry lock` to make it anew."
        )


def _names(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the normalised names that requirements begin with."""
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return tuple(canonicalize_name(match[0]) for match in found if match)


def _graph(
    root: Package, root_extras: Iterable[str], locked: Mapping[str, Package], environment: dict[str, str]
) -> DependencyGraph:
    direct = _needed(root, frozenset(root_extras), environment)
    extras: dict[str, frozenset[str]] = {}
    needs: dict[str, set[str]] = {name: set() for name in locked}
    queue = [(name, wanted) for name, wanted in direct.items() if name in locked]
    while queue:
        name, wanted = queue.pop()
        if name in extras and wanted <= extras[name]:
            continue
        extras[name] = extras.get(name, frozenset()) | wanted
        for needed, asked in _needed(locked[name], extras[name], environment).items():
            if needed in locked:
                needs[name].add(needed)
                queue.append((needed, asked))
    return DependencyGraph(
        # what is selected for a reason that is not understood is taken for a direct dependency
        direct=frozenset(direct.keys() & locked.keys()) | (locked.keys() - extras.keys()),
        needs={name: frozenset(names) for name, names in needs.items()},
        pins={name: _pins(locked[name], asked, environment, locked) for name, asked in extras.items()},
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
