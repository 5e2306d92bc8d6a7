"""Projects that packages are locked from: folders, and checked-out revisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.poetry_api.project import read_facts
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.git import address
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import read_project


if TYPE_CHECKING:
    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.selection.locked import LockedPackage


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
    try:
        project = read_project(read_facts(folder), (), Wishes(beside=False))
    except (RuntimeError, ValueError, OSError, KeyError, TypeError) as error:
        raise ProjectError(f"{package} in {folder} can't be bundled: {error}") from error
    if canonicalize_name(project.name) != package.name:
        raise ProjectError(
            f"{folder} holds {project.name} where {package} is locked. "
            "Correct the path, or run `poetry lock`."
        )
    return project


def read_checkout(package: LockedPackage, checkout: Path) -> ProjectSource:
    """Read a project of a repository, which must not reach for files of this host.

    Raises ProjectError.
    """
    project = read_locked_project(package, checkout / (package.source_subdirectory or ""))
    root = checkout.resolve()
    for path, file in (*project.files, *project.licences):
        if root not in file.resolve().parents:
            raise ProjectError(
                f"{package} from {address(str(package.source_url))} would bundle a file from outside its "
                f"repository as {path}. It can't be trusted: lock another revision."
            )
    return project
