"""Projects that packages are locked from: folders, and checked-out revisions."""

from __future__ import annotations

import os

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.poetry_api.project import read_facts
from poetry_lambda_plugin.sources.files import DanglingLinkError
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.files import leaves
from poetry_lambda_plugin.sources.git import OUTSIDE
from poetry_lambda_plugin.sources.git import address
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import read_project


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.selection.locked import LockedPackage


class UntrustedRepositoryError(ProjectError):
    """A repository that reaches for files of this host."""

    def __init__(self, package: LockedPackage, what: str) -> None:
        super().__init__(
            f"{package} from {address(str(package.source_url))} would bundle {what}. "
            "It can't be trusted: lock another revision."
        )


def existing_folder(package: LockedPackage) -> Path:
    """Return the folder that a package is locked from; raises ProjectError where it has no project."""
    folder = Path(str(package.source_url)) / (package.source_subdirectory or "")
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise ProjectError(
            f"{package} is locked from {folder}, which has no pyproject.toml or setup.py. "
            "Restore the folder, or correct its path in pyproject.toml and run `poetry lock`."
        )
    return folder


def read_locked_project(package: LockedPackage, folder: Path) -> ProjectSource:
    """Read a project that poetry-core would build; that takes milliseconds and nothing but its files.

    Raises ProjectError.
    """
    with _failures_told(package, folder):
        project = read_project(read_facts(folder), (), Wishes(beside=False))
    return _as_locked(package, folder, project)


def project_folder(package: LockedPackage, checkout: Path) -> Path:
    """Return the folder of a repository's project, which has no file of this host for its pyproject.toml.

    Raises ProjectError.
    """
    folder = checkout / (package.source_subdirectory or "")
    root = checkout.resolve()
    if root not in Path(os.path.realpath(folder / "pyproject.toml")).parents:
        raise UntrustedRepositoryError(package, "a project from outside its repository")
    return Path(os.path.realpath(folder))


def read_checkout(package: LockedPackage, checkout: Path) -> ProjectSource:
    """Read a project of a repository whose links out of it have been cut.

    Nothing outside is looked at. What git ignores is not asked, for what is checked out is tracked. Raises
    ProjectError.
    """
    folder, root = project_folder(package, checkout), checkout.resolve()
    with _failures_told(package, folder):
        facts = read_facts(folder)
        depth = len(folder.relative_to(root).parts)
        for key, parts in _paths(facts):
            if leaves(*parts, depth=depth):
                raise UntrustedRepositoryError(package, f"files from outside its repository by `{key}`")
        try:
            project = read_project(facts, (), Wishes(beside=False), asks_git=False)
        except DanglingLinkError as error:
            if OUTSIDE not in error.target:
                raise
            what = f"a file from outside its repository as {error.path}"
            raise UntrustedRepositoryError(package, what) from None
    return _as_locked(package, folder, project)


def _paths(facts: ProjectFacts) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the paths in pyproject.toml that files are taken by, in parts, and their keys."""
    yield from (("packages", (item.base, item.include)) for item in facts.packages or ())
    yield from (("include", (pattern,)) for pattern in facts.include)
    yield from (("license-files", (pattern,)) for pattern in facts.licence_patterns)


@contextmanager
def _failures_told(package: LockedPackage, folder: Path) -> Iterator[None]:
    """Name the package in whatever keeps its project from being read; raises ProjectError."""
    try:
        yield
    except UntrustedRepositoryError:
        raise
    except (ProjectError, RuntimeError, ValueError, OSError, KeyError, TypeError) as error:
        raise ProjectError(f"{package} in {folder} can't be bundled: {error}") from error


def _as_locked(package: LockedPackage, folder: Path, project: ProjectSource) -> ProjectSource:
    """Return a project if it is the one that is locked; raises ProjectError."""
    if canonicalize_name(project.name) != package.name:
        raise ProjectError(
            f"{folder} holds {project.name} where {package} is locked. "
            "Correct the path, or run `poetry lock`."
        )
    return project
