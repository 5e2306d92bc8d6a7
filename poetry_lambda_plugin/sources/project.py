"""The project's own files: what `poetry build` would put in a wheel, and what the user adds.

Much that stops a build matters to no Lambda, so nothing here needs a README, a licence file or even a
package: loose modules beside pyproject.toml are taken as they are.
"""

from __future__ import annotations

import os

from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.values import seen_from
from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.poetry_api.facts import PackagesItem
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.files import files_below
from poetry_lambda_plugin.sources.files import is_dangling
from poetry_lambda_plugin.sources.files import matching
from poetry_lambda_plugin.sources.files import project_file
from poetry_lambda_plugin.sources.named_data import data_note
from poetry_lambda_plugin.sources.named_data import named_data
from poetry_lambda_plugin.sources.own_code import Package
from poetry_lambda_plugin.sources.own_code import beside_build
from poetry_lambda_plugin.sources.own_code import own_code


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.configuration.values import Include
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.sources.own_code import Wishes


class MissingPackageError(ProjectError):
    """A package that pyproject.toml names and the project lacks."""

    def __init__(self, pattern: str, base: Path) -> None:
        super().__init__(
            f"packages in pyproject.toml names {pattern!r}, but {base.resolve()} has no such file or folder."
        )


def read_beside_build(facts: ProjectFacts, include: Sequence[Include], wishes: Wishes) -> ProjectSource:
    """Find what the user wants beside a project whose own files come from its build."""
    own = beside_build(facts.root, ExcludedPaths.of(facts.root, facts.exclude), wishes)
    patterns = wishes.modules or ("*",)
    added = tuple(_included_files(include, facts.root))
    beside = [file for file in own.files if any(matches(pattern, file.path) for pattern in patterns)]
    return ProjectSource(
        name=facts.name,
        pretty_name=facts.name,
        version=facts.version,
        summary="",
        files=(*sorted(added), *sorted(beside)),
        included=frozenset(file.path for file in added),
        licences=(),
        entry_points={},
        is_distribution=False,
        notes=own.notes,
    )


def read_project(
    facts: ProjectFacts, include: Sequence[Include], wishes: Wishes, *, asks_git: bool = True
) -> ProjectSource:
    """Find a project's files and what else the user wants included; raises ProjectError.

    Git is asked what it ignores in the user's own folders, never in what others wrote.
    """
    root, package_mode = facts.root, facts.is_package_mode
    excluded = ExcludedPaths.of(root, facts.exclude, asks_git=asks_git)
    packages = _packages(facts)
    packaged = None if packages is None else _packaged(packages, root, excluded)
    own = own_code(root, packaged, excluded, wishes)
    if packages and packaged is None and not own.files:
        raise MissingPackageError(packages[0].include, root / packages[0].base)
    files = (*own.files, *_explicitly_included_files(facts.include, root))
    added = tuple(_included_files(include, root))
    missed = named_data(root, (*files, *added), excluded) if wishes.beside else ()
    entry_points = {name.replace("-", "_"): group for name, group in facts.entry_points.items()}
    return ProjectSource(
        name=facts.name,
        pretty_name=facts.pretty_name,
        version=facts.version,
        summary=facts.summary,
        files=(*sorted(added), *sorted(files)),
        licences=tuple(_licences(facts.licence_patterns, root)) if package_mode else (),
        entry_points=entry_points if package_mode else {},
        is_distribution=package_mode,
        included=frozenset(file.path for file in added),
        unknown=own.unknown,
        loose=own.loose,
        missing_packages=tuple(item.include for item in packages or ()) if packaged is None else (),
        notes=(*own.notes, *data_note(missed)),
        core_metadata=facts.core_metadata,
    )


def _packaged(packages: Sequence[PackagesItem], root: Path, excluded: ExcludedPaths) -> list[Package] | None:
    """Return the files of all packages; None where not one of them is there, as after `poetry init`."""
    if packages and not any(_elements_of(item, root) for item in packages):
        return None
    return [
        Package(None if item.to else root / item.base, tuple(_package_files(item, root, excluded)))
        for item in packages
    ]


def _elements_of(item: PackagesItem, root: Path) -> Sequence[Path]:
    """Return the files and folders that an entry of `packages` names."""
    return matching(root / item.base, item.include)


def _packages(facts: ProjectFacts) -> Sequence[PackagesItem] | None:
    """Return the `packages` of pyproject.toml, else the one with the project's name; None without any."""
    if facts.packages is not None or not facts.is_package_mode:
        return facts.packages
    module = facts.name.replace("-", "_").replace(".", "_")
    for source in (".", "src"):
        if (facts.root / source / module).is_dir():
            return [PackagesItem(module, source)]
        if (facts.root / source / f"{module}.py").is_file():
            return [PackagesItem(f"{module}.py", source)]
    return None


def _package_files(item: PackagesItem, root: Path, excluded: ExcludedPaths) -> Iterator[ProjectFile]:
    """Yield the files of one entry of `packages`, which may reach outside the project."""
    base = root / item.base
    elements = _elements_of(item, root)
    for element in elements:
        for file in excluded.files_below(element):
            path = Path(item.to, os.path.relpath(file, base)).as_posix()
            if path.startswith("../"):
                raise ProjectError(
                    f"packages: {item.include!r} leaves {base}, so it has no place in the bundle. "
                    "Name the folder above it with `from`."
                )
            yield project_file(path, file)
    if not any(True for element in elements for _ in files_below(element)):
        raise MissingPackageError(item.include, base)


def _explicitly_included_files(patterns: Iterable[str], root: Path) -> Iterator[ProjectFile]:
    """Yield what `include` of [tool.poetry] adds to a wheel, whatever git ignores."""
    for pattern in patterns:
        for element in matching(root, pattern):
            for file in files_below(element):
                path = seen_from(root, file).as_posix()
                if _is_outside(path):
                    raise ProjectError(
                        f"include in [tool.poetry] names {pattern!r}, which leaves {root}, so it has no "
                        "place in the bundle. Give it one with --include PATH:TO."
                    )
                yield project_file(path, file)


def _included_files(include: Iterable[Include], root: Path) -> Iterator[ProjectFile]:
    """Yield what the user adds, at the path asked for."""
    for item in include:
        path = root / item.path
        is_one = path.exists() or is_dangling(path)
        elements = [path] if is_one else _outermost(matching(root, item.path))
        if not elements:
            raise ProjectError(f"include names {item.path!r}, but {root} has no such file or folder.")
        for element in elements:
            target = _included_path(item, element, root, single=is_one)
            for file in files_below(element):
                yield project_file(Path(target, os.path.relpath(file, element)).as_posix(), file)


def _outermost(elements: Iterable[Path]) -> list[Path]:
    """Return elements without those that come with a folder which is one itself."""
    found = frozenset(elements)
    return sorted(path for path in found if found.isdisjoint(path.parents))


def _included_path(item: Include, element: Path, root: Path, *, single: bool) -> str:
    """Return where one element of an include goes: a file's own path, or that of a folder."""
    if item.to is not None:
        if single and (element.is_dir() or (not item.to.endswith("/") and item.to != ".")):
            return item.to
        return Path(item.to, element.name).as_posix()
    relative = seen_from(root, element).as_posix()
    return element.resolve().name if _is_outside(relative) else relative


def _is_outside(path: str) -> bool:
    """Tell whether a path, as seen from a folder, leads out of it, if only to another drive."""
    return path.startswith("../") or Path(path).is_absolute()


def _licences(patterns: Iterable[str], root: Path) -> Iterator[ProjectFile]:
    """Yield licence files; a pattern that matches none is of no concern here."""
    for file in sorted({file for pattern in patterns for file in matching(root, pattern) if file.is_file()}):
        yield project_file(file.relative_to(root).as_posix(), file)
