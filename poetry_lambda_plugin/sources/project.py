"""The project's own files: what `poetry build` would put in a wheel, and what the user adds.

Much that stops a build matters to no Lambda, so nothing here needs a README, a licence file or even a
package: loose modules beside pyproject.toml are taken as they are.
"""

from __future__ import annotations

import os
import subprocess

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.exceptions import PoetryCoreError
from poetry.core.pyproject.toml import PyProjectTOML

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.sources import poetry_api


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.poetry import Poetry as CorePoetry
    from poetry.poetry import Poetry

    from poetry_lambda_plugin.config import Include


POETRY_BACKENDS = ("poetry.core.masonry.api", "poetry.masonry.api")

NAMELESS = "non-package-mode"
"""What poetry-core calls a project without a name."""

LICENCE_PATTERNS = ("COPYING*", "LICEN[SC]E*", "AUTHORS*", "NOTICE*", "LICENSES/**/*")
"""Files that poetry-core takes for licences where the project names none (PEP 639)."""

GIT = ".git"
"""A folder in a repository, a file in a submodule: never bundled, for its URLs may hold credentials."""

TEST_PATTERNS = ("tests", "test", "test_*.py", "*_test.py", "conftest.py")
"""Names at the project's root that are not bundled by default."""


class ProjectError(LambdaBundleError):
    """A project whose own files can't be told or found."""


class ProjectFile(NamedTuple):
    """A file of the project and its place in the bundle."""

    path: str
    """With forward slashes, relative to the bundle's root."""
    file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectSource:
    """A project as it will be bundled."""

    name: str
    """Normalised name."""
    pretty_name: str
    """Name as the project writes it."""
    version: str
    summary: str
    files: tuple[ProjectFile, ...]
    """Sorted; where a path comes twice, the first file is meant."""
    licences: tuple[ProjectFile, ...]
    """With paths relative to the project's root."""
    entry_points: Mapping[str, Mapping[str, str]]
    """Object references by group and name."""
    is_distribution: bool
    """False where it has no metadata: `package-mode = false`."""
    loose: tuple[str, ...] = ()
    """What was taken from the project's root because it has no package."""
    replaced: tuple[str, ...] = ()
    """What would have been taken from there, had the user not named what to include."""


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
        raise ProjectError(f"{pyproject.path} can't be read: {' '.join(str(error).split())}") from error
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


def read_includes(poetry: Poetry, include: Sequence[Include]) -> ProjectSource:
    """Find only what the user wants included, for a project whose own files come from its build."""
    name, version = project_identity(poetry)
    files = tuple(sorted(_included_files(include, project_root(poetry))))
    return ProjectSource(
        name=name,
        pretty_name=name,
        version=version,
        summary="",
        files=files,
        licences=(),
        entry_points={},
        is_distribution=False,
    )


def read_project(poetry: CorePoetry, include: Sequence[Include]) -> ProjectSource:
    """Find a project's files and what else the user wants included; raises ProjectError."""
    package, root, package_mode = poetry.package, project_root(poetry), poetry.is_package_mode
    name, version = project_identity(poetry)
    excluded = _excluded_paths(package, root)
    included = list(_included_files(include, root))
    packages = _packages(package, root, package_mode=package_mode)
    loose: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    if packages is not None:
        files = [file for item in packages for file in _package_files(item, root, excluded)]
    else:
        files = list(_loose_files(root, excluded))
        loose = tuple(sorted({file.path.partition("/")[0] for file in files}))
    if loose and include:
        wanted = {file.path.partition("/")[0] for file in included}
        replaced = tuple(name for name in loose if name not in wanted)
        files, loose = [], ()
    files += _explicitly_included_files(package, root)
    return ProjectSource(
        name=name,
        pretty_name=package.pretty_name,
        version=version,
        summary=" ".join((package.description or "").split()),
        files=(*sorted(included), *sorted(files)),
        licences=tuple(_licences(package, root)) if package_mode else (),
        entry_points={name.replace("-", "_"): dict(group) for name, group in package.entry_points.items()}
        if package_mode
        else {},
        is_distribution=package_mode,
        loose=loose,
        replaced=replaced,
    )


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


def _package_files(item: Mapping[str, Any], root: Path, excluded: frozenset[str]) -> Iterator[ProjectFile]:
    """Yield the files of one entry of `packages`, which may reach outside the project."""
    base = root / item.get("from", ".")
    pattern, to = item["include"], item.get("to", "")
    found = False
    for element in _glob(base, pattern):
        for file in _files_below(element):
            found = True
            if _is_excluded(file, root, excluded):
                continue
            path = Path(to, os.path.relpath(file, base)).as_posix()
            if path.startswith("../"):
                raise ProjectError(
                    f"packages: {pattern!r} leaves {base}, so it has no place in the bundle. "
                    "Name the folder above it with `from`."
                )
            yield _project_file(path, file)
    if not found:
        raise ProjectError(
            f"packages in pyproject.toml names {pattern!r}, but {base.resolve()} has no such file or folder."
        )


def _explicitly_included_files(package: ProjectPackage, root: Path) -> Iterator[ProjectFile]:
    """Yield what `include` of [tool.poetry] adds to a wheel, whatever git ignores."""
    for item in package.include:
        if "wheel" not in item["format"]:
            continue
        for element in _glob(root, item["path"]):
            for file in _files_below(element):
                path = Path(os.path.relpath(file, root)).as_posix()
                if path.startswith("../"):
                    raise ProjectError(
                        f"include in [tool.poetry] names {item['path']!r}, which leaves {root}, so it has no "
                        "place in the bundle. Give it one with --include PATH:TO."
                    )
                yield _project_file(path, file)


def _loose_files(root: Path, excluded: frozenset[str]) -> Iterator[ProjectFile]:
    """Yield modules and packages at the root, without tests, virtual environments and hidden files."""
    for element in sorted(root.iterdir()):
        name = element.name
        is_module = element.suffix == ".py" and element.is_file()
        is_package = (element / "__init__.py").is_file() and not (element / "pyvenv.cfg").exists()
        if not (is_module or is_package) or name.startswith("."):
            continue
        if any(fnmatchcase(name, pattern) for pattern in TEST_PATTERNS):
            continue
        for file in _files_below(element):
            relative = file.relative_to(root)
            hidden = any(part.startswith(".") for part in relative.parts)
            if not hidden and not _is_excluded(file, root, excluded):
                yield _project_file(relative.as_posix(), file)


def _included_files(include: Iterable[Include], root: Path) -> Iterator[ProjectFile]:
    """Yield what the user adds, at the path asked for."""
    for item in include:
        path = root / item.path
        elements = [path] if path.exists() else _glob(root, item.path)
        if not elements:
            raise ProjectError(f"include names {item.path!r}, but {root} has no such file or folder.")
        for element in elements:
            target = _included_path(item, element, root, single=path.exists())
            for file in _files_below(element):
                yield _project_file(Path(target, os.path.relpath(file, element)).as_posix(), file)


def _included_path(item: Include, element: Path, root: Path, *, single: bool) -> str:
    """Return where one element of an include goes: a file's own path, or that of a folder."""
    if item.to is not None:
        if single and (element.is_dir() or (not item.to.endswith("/") and item.to != ".")):
            return item.to
        return Path(item.to, element.name).as_posix()
    relative = Path(os.path.relpath(element, root)).as_posix()
    return element.resolve().name if relative.startswith("../") else relative


def _glob(root: Path, pattern: str) -> Sequence[Path]:
    """Return what matches, sorted; nothing for a pattern that pathlib refuses."""
    path = Path(pattern)
    try:
        return sorted((root / path.anchor).glob(os.fspath(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError, OSError):
        return ()


def _files_below(element: Path) -> Iterator[Path]:
    """Yield a file, or all files of a folder; links are followed, each folder once on its path."""
    if element.is_file():
        if element.suffix != ".pyc":
            yield element
        return
    yield from _walk(element, frozenset())


def _walk(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if folder.name in ("__pycache__", GIT) or real in above:
        return
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise ProjectError(f"{folder} can't be read: {error.strerror}.") from error
    for child in children:
        if child.is_dir():
            yield from _walk(child, above | {real})
        elif child.is_file() and child.suffix != ".pyc" and child.name != GIT:
            yield child


def _project_file(path: str, file: Path) -> ProjectFile:
    """Give a file its name in the bundle, which is UTF-8 whatever the locale of this host."""
    try:
        return ProjectFile(os.fsencode(path).decode("utf-8"), file)
    except UnicodeDecodeError:
        raise ProjectError(f"The name of {os.fsencode(path)!r} is not UTF-8. Rename the file.") from None


def _excluded_paths(package: ProjectPackage, root: Path) -> frozenset[str]:
    """Return files and folders which `exclude` of [tool.poetry] or git leaves out, relative to `root`."""
    paths = {
        Path(os.path.relpath(path, root)).as_posix()
        for pattern in package.exclude
        for path in _glob(root, str(pattern))
    }
    return frozenset(paths | _ignored_by_git(root))


def _is_excluded(file: Path, root: Path, excluded: frozenset[str]) -> bool:
    if not excluded or root not in file.parents:
        return False
    relative = file.relative_to(root)
    return any(path.as_posix() in excluded for path in (relative, *relative.parents))


def _ignored_by_git(root: Path) -> set[str]:
    """Return what git ignores below `root`; nothing where git ignores `root` itself, as poetry-core does."""
    try:
        if _git(root, "check-ignore", "-q", ".").returncode == 0:
            return set()
        listed = _git(root, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    except (OSError, RuntimeError, subprocess.CalledProcessError):
        return set()
    if listed.returncode:
        return set()
    return {os.fsdecode(path).rstrip("/") for path in listed.stdout.split(b"\0") if path}


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # GIT_DIR and its kind would show another repository, as in a hook
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    # the user's own excludes, in contrast to the project's .gitignore, must not change a bundle
    command = [poetry_api.git_executable(), "-C", os.fspath(root), "-c", f"core.excludesFile={os.devnull}"]
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, check=False)


def _licences(package: ProjectPackage, root: Path) -> Iterator[ProjectFile]:
    """Yield licence files; a pattern that matches none is of no concern here."""
    # license_files is a tuple of globs, a path or None; Poetry has it since 2.2
    named = getattr(package, "license_files", None)
    patterns = named if isinstance(named, tuple) else LICENCE_PATTERNS
    for file in sorted({file for pattern in patterns for file in _glob(root, pattern) if file.is_file()}):
        yield _project_file(file.relative_to(root).as_posix(), file)
