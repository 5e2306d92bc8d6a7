"""What git ignores, asked of the repositories that a project's files lie in."""

from __future__ import annotations

import os

from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.git import GIT
from poetry_lambda_plugin.poetry_api.git import GitError
from poetry_lambda_plugin.poetry_api.git import ignored_below


if TYPE_CHECKING:
    from collections.abc import Iterator


MAX_POINTER = 1 << 14
"""Bytes of a file `.git`, which holds one path."""


class BrokenRepositoryError(LambdaBundleError):
    """A repository of which git can't tell what it ignores."""

    def __init__(self, top: Path, error: GitError) -> None:
        super().__init__(
            f"Git can't tell what it ignores in {top}, so files that are meant for nobody might be bundled: "
            f"{error}. Mend the repository (`git -C {top} status` shows whether it is sound), or remove "
            f"{top / GIT} if it is none."
        )


class Place(NamedTuple):
    """Where a walk came to."""

    path: Path
    """Real, so that a link to an ignored file is ignored too."""
    start: Path
    """The real folder that the walk began in, or that it came to by a link out of there."""


class IgnoredByGit:
    """Answers for one project; git is run at most once for each folder that a walk begins in."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._tops: dict[Path, Path | None] = {}
        self._ignored: dict[Path, frozenset[Path]] = {}

    def has(self, place: Place) -> bool:
        """Tell whether git ignores a file or folder.

        Nothing is ignored in the repository that ignores the project itself, as poetry-core has it. Raises
        BrokenRepositoryError.
        """
        top = self._top(place.path.parent)
        if top is None or self._is_ignored_project(top):
            return False
        start = self._root if self._root in (place.path, *place.path.parents) else place.start
        base = top if start in top.parents else start
        ignored = self._below(top, base)
        return bool(ignored) and any(folder in ignored for folder in _up_to(place.path, base))

    def _is_ignored_project(self, top: Path) -> bool:
        return top == self._top(self._root) and self._root in self._below(top, self._root)

    def _below(self, top: Path, base: Path) -> frozenset[Path]:
        if base not in self._ignored:
            try:
                self._ignored[base] = frozenset(base / path for path in ignored_below(top, base))
            except GitError as error:
                raise BrokenRepositoryError(top, error) from error
        return self._ignored[base]

    def _top(self, folder: Path) -> Path | None:
        """Return the nearest folder above, or this one, that has a repository."""
        if folder not in self._tops:
            outer = self._top(folder.parent) if folder.parent != folder else None
            is_above = folder in (self._root, *self._root.parents)
            self._tops[folder] = folder if _is_repository(folder / GIT, is_above) else outer
        return self._tops[folder]


def _is_repository(git: Path, is_above: bool) -> bool:
    """Tell a repository from an empty folder, which git passes over.

    A file points to one; that of a submodule may have been copied without it, into an image for example.
    """
    if not git.is_file():
        return os.path.lexists(git / "HEAD")
    return is_above or (git.parent / _pointed_to(git)).is_dir()


def _pointed_to(git: Path) -> str:
    with git.open("rb") as file:
        return os.fsdecode(file.read(MAX_POINTER).partition(b"gitdir:")[2].strip())


def _up_to(path: Path, base: Path) -> Iterator[Path]:
    """Yield a path and the folders above it, the base included."""
    yield path
    while path != base and path.parent != path:
        path = path.parent
        yield path
