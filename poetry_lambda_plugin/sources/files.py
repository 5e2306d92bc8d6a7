"""Files of a project: which there are below a folder, which are left out, and their names in a bundle."""

from __future__ import annotations

import os
import subprocess

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.poetry_api.git import git_executable


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence


GIT = ".git"
"""A folder in a repository, a file in a submodule: never bundled, for its URLs may hold credentials."""


class ProjectError(LambdaBundleError):
    """A project whose own files can't be told or found."""


@dataclass(frozen=True, slots=True)
class ExcludedPaths:
    """What `exclude` of [tool.poetry] or git leaves out of a project."""

    root: Path
    paths: frozenset[str]
    """Files and folders, relative to the root."""

    @classmethod
    def of(cls, root: Path, patterns: Iterable[str]) -> ExcludedPaths:
        """Find what patterns of [tool.poetry] name below a project's root, and what git ignores there."""
        paths = {
            Path(os.path.relpath(path, root)).as_posix()
            for pattern in patterns
            for path in matching(root, str(pattern))
        }
        return cls(root, frozenset(paths | _ignored_by_git(root)))

    def has(self, file: Path) -> bool:
        """Tell whether a file, or a folder above it, is left out."""
        if not self.paths or self.root not in file.parents:
            return False
        relative = file.relative_to(self.root)
        return any(path.as_posix() in self.paths for path in (relative, *relative.parents))


def matching(root: Path, pattern: str) -> Sequence[Path]:
    """Return what matches a glob, sorted; nothing for a pattern that pathlib refuses."""
    path = Path(pattern)
    try:
        return sorted((root / path.anchor).glob(os.fspath(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError, OSError, IndexError):  # the last for ".", until Python 3.12
        return ()


def files_below(element: Path) -> Iterator[Path]:
    """Yield a file, or all files of a folder but those of virtual environments in it.

    Links are followed, each folder once on its path.
    """
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
            if not is_environment(child):
                yield from _walk(child, above | {real})
        elif child.is_file() and child.suffix != ".pyc" and child.name != GIT:
            yield child


def is_environment(folder: Path) -> bool:
    """Tell whether a folder is a virtual environment (PEP 405)."""
    return os.path.isfile(folder / "pyvenv.cfg")  # noqa: PTH113 - Path's raises PermissionError


def project_file(path: str, file: Path) -> ProjectFile:
    """Give a file its name in the bundle, which is UTF-8 whatever the locale of this host."""
    try:
        return ProjectFile(os.fsencode(path).decode("utf-8"), file)
    except UnicodeDecodeError:
        raise ProjectError(f"The name of {os.fsencode(path)!r} is not UTF-8. Rename the file.") from None


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
    command = [git_executable(), "-C", os.fspath(root), "-c", f"core.excludesFile={os.devnull}"]
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, check=False)
