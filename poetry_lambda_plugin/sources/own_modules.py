"""The project's own modules, wherever they lie, for one that has not said yet which of them Lambda calls."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.layout.python_source import imports_in_text
from poetry_lambda_plugin.sources.code_folders import TESTS
from poetry_lambda_plugin.sources.code_folders import TOOLS
from poetry_lambda_plugin.sources.code_folders import Folder
from poetry_lambda_plugin.sources.code_folders import has_module
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.files import read_source
from poetry_lambda_plugin.sources.own_code import INFRASTRUCTURE
from poetry_lambda_plugin.sources.own_code import SOURCES
from poetry_lambda_plugin.sources.own_code import STANDARD
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import read_beside_build
from poetry_lambda_plugin.sources.project import read_project


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts


class OwnModule(NamedTuple):
    """A module of the project that Lambda may call."""

    path: str
    """In the bundle."""
    source: bytes
    include: str | None = None
    """What `include` has to name for the module, or what it imports, to be at its place."""


def own_modules(facts: ProjectFacts, locked: frozenset[str]) -> Iterator[OwnModule]:
    """Yield the modules that are bundled unasked, then those that a handler in them would bring along.

    `locked` are the normalised names of all packages in the lock. Raises ProjectError.
    """
    excluded = ExcludedPaths.of(facts.root, facts.exclude)
    bundled = list(_bundled(facts, excluded, locked))
    files = frozenset(file.file for file in bundled)
    tops = frozenset(file.path.partition("/")[0].removesuffix(".py") for file in bundled)
    others = (file for file in _elsewhere(facts.root, excluded) if file.file not in files)
    for file in (*bundled, *others):
        if not file.path.endswith(".py") or _is_no_function(file.path):
            continue
        source = read_source(file.file)
        imported = frozenset(name for level, name in imports_in_text(source) if not level)
        if INFRASTRUCTURE.isdisjoint(imported):
            beside = _imports_beside(file, imported - tops - STANDARD, locked)
            is_left = facts.needs_build and file.file not in files
            yield _at_its_place(file, source, facts.root, beside=beside, is_left=is_left)


def _at_its_place(file: ProjectFile, source: bytes, root: Path, *, beside: bool, is_left: bool) -> OwnModule:
    """Return a module where it can be imported: its folder is the root of what it imports beside itself."""
    if beside and root in file.file.parents:
        folder = file.file.parent.relative_to(root).as_posix()
        return OwnModule(file.path.rpartition("/")[2], source, f"{folder}:.")
    return OwnModule(file.path, source, file.path.partition("/")[0] if is_left else None)


def _bundled(facts: ProjectFacts, excluded: ExcludedPaths, locked: frozenset[str]) -> Iterator[ProjectFile]:
    """Yield the files that a bundle has unasked; what a build will take is a guess by its layout."""
    wishes = Wishes(locked=locked)
    if not facts.needs_build:
        yield from read_project(facts, (), wishes).files
        return
    sources, here = Folder(facts.root / SOURCES, excluded), Folder(facts.root, excluded)
    if sources.default:
        yield from sources.files(sources.default)
    else:
        yield from here.files(e for e in here.default if e.is_package and e.is_code_folder)
    yield from read_beside_build(facts, (), wishes).files


def _elsewhere(root: Path, excluded: ExcludedPaths) -> Iterator[ProjectFile]:
    """Yield the files of all that may be a function's beside pyproject.toml."""
    folder = Folder(root, excluded)
    elements = (e for e in folder.elements.values() if e.is_default or e.is_code_folder)
    yield from folder.files(e for e in elements if e.name != SOURCES and folder.has_code(e))


def _is_no_function(path: str) -> bool:
    """Tell whether a module is there for tests or tools."""
    parts = path.split("/")
    return parts[-1] in TOOLS or any(fnmatchcase(part, pattern) for part in parts for pattern in TESTS)


def _imports_beside(file: ProjectFile, names: Iterable[str], locked: Collection[str]) -> bool:
    """Tell whether a module takes its own folder for the root that Lambda sees.

    `names` are those that it imports from no place known.
    """
    if "/" not in file.path:
        return False
    own = (name for name in names if name and canonicalize_name(name) not in locked)
    return any(has_module(file.file.parent, name) for name in own)
