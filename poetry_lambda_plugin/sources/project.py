"""The project's own files: what `poetry build` would put in a wheel, and what the user adds.

Much that stops a build matters to no Lambda, so nothing here needs a README, a licence file or even a
package: loose modules beside pyproject.toml are taken as they are.
"""

from __future__ import annotations

import os

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.exceptions import PoetryCoreError
from poetry.core.pyproject.toml import PyProjectTOML

from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.files import files_below
from poetry_lambda_plugin.sources.files import matching
from poetry_lambda_plugin.sources.files import project_file
from poetry_lambda_plugin.sources.own_code import Package
from poetry_lambda_plugin.sources.own_code import beside_build
from poetry_lambda_plugin.sources.own_code import own_code


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.poetry import Poetry as CorePoetry
    from poetry.poetry import Poetry

    from poetry_lambda_plugin.configuration.values import Include
    from poetry_lambda_plugin.sources.own_code import Wishes


POETRY_BACKENDS = ("poetry.core.masonry.api", "poetry.masonry.api")

NAMELESS = "non-package-mode"
"""What poetry-core calls a project without a name."""

LICENCE_PATTERNS = ("COPYING*", "LICEN[SC]E*", "AUTHORS*", "NOTICE*", "LICENSES/**/*")
"""Files that poetry-core takes for licences where the project names none (PEP 639)."""


class MissingPackageError(ProjectError):
    """A package that pyproject.toml names and the project lacks."""

    def __init__(self, pattern: str, base: Path) -> None:
        super().__init__(
            f"packages in pyproject.toml names {pattern!r}, but {base.resolve()} has no such file or folder."
        )


def project_root(poetry: CorePoetry) -> Path:
    """Return the folder of pyproject.toml, absolute."""
    return poetry.pyproject_path.absolute().parent


def project_identity(poetry: CorePoetry) -> tuple[str, str]:
    """Return the project's normalised name and version; the folder's name where it has none."""
    if poetry.package.name != NAMELESS:
        return poetry.package.name, poetry.package.version.to_string()
    return canonicalize_name(project_root(poetry).resolve().name), poetry.package.version.to_string()


def python_constraint(poetry: Poetry) -> tuple[Callable[[str], bool], str]:
    """Return a judge of full Python versions by the project's constraint, and the constraint as text."""
    constraint = poetry.package.python_constraint
    return lambda version: constraint.allows(PoetryVersion.parse(version)), poetry.package.python_versions


def is_built_by_poetry_core(folder: Path) -> bool:
    """Tell whether poetry-core builds a project without a script, so that its files are all there is.

    Raises ProjectError for a pyproject.toml that can't be read.
    """
    pyproject = PyProjectTOML(folder / "pyproject.toml")
    try:
        data = pyproject.data
    except (PoetryCoreError, OSError) as error:
        # poetry-core's own words name the file once more
        reason = " ".join(str(error.__cause__ or error).split())
        raise ProjectError(f"{pyproject.path} can't be read: {reason}. Correct the file.") from error
    table = data.get("tool", {}).get("poetry", {})
    if table.get("package-mode") is False:
        return True
    # PEP 518 means setuptools where nothing is named, `poetry build` means poetry-core
    default = POETRY_BACKENDS[0] if table else None
    backend = data.get("build-system", {}).get("build-backend", default)
    return backend in POETRY_BACKENDS and not _build_script(table)


def _build_script(table: Mapping[str, Any]) -> object:
    """Return the script that `build` of [tool.poetry] names; what else a table says builds nothing."""
    build = table.get("build")
    return build.get("script") if isinstance(build, dict) else build


def needs_build(poetry: Poetry) -> bool:
    """Tell whether the project itself has to be built: another backend than poetry-core, or a script."""
    has_build_system = "build-system" in poetry.pyproject.data
    return has_build_system and not is_built_by_poetry_core(project_root(poetry))


def read_beside_build(poetry: Poetry, include: Sequence[Include], wishes: Wishes) -> ProjectSource:
    """Find what the user wants beside a project whose own files come from its build."""
    name, version = project_identity(poetry)
    root = project_root(poetry)
    excluded = ExcludedPaths.of(root, [str(pattern) for pattern in poetry.package.exclude])
    own = beside_build(root, excluded, wishes)
    patterns = wishes.modules or ("*",)
    beside = [file for file in own.files if any(matches(pattern, file.path) for pattern in patterns)]
    files = (*sorted(_included_files(include, root)), *sorted(beside))
    return ProjectSource(
        name=name,
        pretty_name=name,
        version=version,
        summary="",
        files=files,
        licences=(),
        entry_points={},
        is_distribution=False,
        notes=own.notes,
    )


def read_project(poetry: CorePoetry, include: Sequence[Include], wishes: Wishes) -> ProjectSource:
    """Find a project's files and what else the user wants included; raises ProjectError."""
    package, root, package_mode = poetry.package, project_root(poetry), poetry.is_package_mode
    name, version = project_identity(poetry)
    excluded = ExcludedPaths.of(root, [str(pattern) for pattern in package.exclude])
    packages = _packages(package, root, package_mode=package_mode)
    packaged = None if packages is None else _packaged(packages, root, excluded)
    own = own_code(root, packaged, excluded, wishes)
    if packages and packaged is None and not own.files:
        raise MissingPackageError(packages[0]["include"], root / packages[0].get("from", "."))
    files = (*own.files, *_explicitly_included_files(package, root))
    return ProjectSource(
        name=name,
        pretty_name=package.pretty_name,
        version=version,
        summary=" ".join((package.description or "").split()),
        files=(*sorted(_included_files(include, root)), *sorted(files)),
        licences=tuple(_licences(package, root)) if package_mode else (),
        entry_points={name.replace("-", "_"): dict(group) for name, group in package.entry_points.items()}
        if package_mode
        else {},
        is_distribution=package_mode,
        loose=own.loose,
        missing_packages=tuple(i["include"] for i in packages or ()) if packaged is None else (),
        notes=own.notes,
    )


def _packaged(
    packages: Sequence[Mapping[str, Any]], root: Path, excluded: ExcludedPaths
) -> list[Package] | None:
    """Return the files of all packages; None where not one of them is there, as after `poetry init`."""
    if packages and not any(_elements_of(item, root) for item in packages):
        return None
    return [
        Package(
            None if item.get("to") else root / item.get("from", "."),
            tuple(_package_files(item, root, excluded)),
        )
        for item in packages
    ]


def _elements_of(item: Mapping[str, Any], root: Path) -> Sequence[Path]:
    """Return the files and folders that an entry of `packages` names."""
    return matching(root / item.get("from", "."), item["include"])


def _packages(
    package: ProjectPackage, root: Path, *, package_mode: bool
) -> Sequence[Mapping[str, Any]] | None:
    """Return the `packages` of pyproject.toml, else the one with the project's name; None without any."""
    if package.packages:
        return [item for item in package.packages if "wheel" in item["format"]]
    if not package_mode:
        return None
    module = package.name.replace("-", "_").replace(".", "_")
    for source in (".", "src"):
        if (root / source / module).is_dir():
            return [{"include": module, "from": source}]
        if (root / source / f"{module}.py").is_file():
            return [{"include": f"{module}.py", "from": source}]
    return None


def _package_files(item: Mapping[str, Any], root: Path, excluded: ExcludedPaths) -> Iterator[ProjectFile]:
    """Yield the files of one entry of `packages`, which may reach outside the project."""
    base = root / item.get("from", ".")
    pattern, to = item["include"], item.get("to", "")
    found = False
    for element in _elements_of(item, root):
        for file in files_below(element):
            found = True
            if excluded.has(file):
                continue
            path = Path(to, os.path.relpath(file, base)).as_posix()
            if path.startswith("../"):
                raise ProjectError(
                    f"packages: {pattern!r} leaves {base}, so it has no place in the bundle. "
                    "Name the folder above it with `from`."
                )
            yield project_file(path, file)
    if not found:
        raise MissingPackageError(pattern, base)


def _explicitly_included_files(package: ProjectPackage, root: Path) -> Iterator[ProjectFile]:
    """Yield what `include` of [tool.poetry] adds to a wheel, whatever git ignores."""
    for item in package.include:
        if "wheel" not in item["format"]:
            continue
        for element in matching(root, item["path"]):
            for file in files_below(element):
                path = Path(os.path.relpath(file, root)).as_posix()
                if path.startswith("../"):
                    raise ProjectError(
                        f"include in [tool.poetry] names {item['path']!r}, which leaves {root}, so it has no "
                        "place in the bundle. Give it one with --include PATH:TO."
                    )
                yield project_file(path, file)


def _included_files(include: Iterable[Include], root: Path) -> Iterator[ProjectFile]:
    """Yield what the user adds, at the path asked for."""
    for item in include:
        path = root / item.path
        elements = [path] if path.exists() else matching(root, item.path)
        if not elements:
            raise ProjectError(f"include names {item.path!r}, but {root} has no such file or folder.")
        for element in elements:
            target = _included_path(item, element, root, single=path.exists())
            for file in files_below(element):
                yield project_file(Path(target, os.path.relpath(file, element)).as_posix(), file)


def _included_path(item: Include, element: Path, root: Path, *, single: bool) -> str:
    """Return where one element of an include goes: a file's own path, or that of a folder."""
    if item.to is not None:
        if single and (element.is_dir() or (not item.to.endswith("/") and item.to != ".")):
            return item.to
        return Path(item.to, element.name).as_posix()
    relative = Path(os.path.relpath(element, root)).as_posix()
    return element.resolve().name if relative.startswith("../") else relative


def _licences(package: ProjectPackage, root: Path) -> Iterator[ProjectFile]:
    """Yield licence files; a pattern that matches none is of no concern here."""
    # license_files is a tuple of globs, a path or None; Poetry has it since 2.2
    named = getattr(package, "license_files", None)
    patterns = named if isinstance(named, tuple) else LICENCE_PATTERNS
    for file in sorted({file for pattern in patterns for file in matching(root, pattern) if file.is_file()}):
        yield project_file(file.relative_to(root).as_posix(), file)
