"""Poetry's git, which knows the user's credentials, and the git command."""

from __future__ import annotations

import re

from pathlib import Path
from socket import gaierror
from typing import TYPE_CHECKING
from typing import Any

from poetry.core.vcs.git import executable
from poetry.utils.helpers import remove_directory
from poetry.vcs.git import Git


if TYPE_CHECKING:
    from dulwich.repo import Repo


SUBMODULE_ERROR = re.compile(r"clone of '([^']+)' into submodule path")
"""How the git command names the submodule that it can't clone."""


class CloneError(Exception):
    """Says which repository can't be cloned, the one asked for or a submodule, and why."""

    def __init__(self, url: str, error: Exception) -> None:
        submodule = SUBMODULE_ERROR.search(getattr(error.__context__, "stderr", None) or "")
        self.url = submodule[1] if submodule else url
        self.reason = type(error).__name__
        self.is_unreachable = _is_unreachable(error)
        super().__init__(self.url)


class NamingGit(Git):
    """Poetry's git, which clones submodules by the same method (2.1.4, 2.2.1 and 2.5.1)."""

    @classmethod
    def clone(cls, url: str, *args: Any, **kwargs: Any) -> Repo:
        """Clone a repository with its submodules; raises CloneError for the one that fails."""
        try:
            return super().clone(url, *args, **kwargs)
        except CloneError:
            raise
        except Exception as error:
            # transports fail in more ways than can be listed
            raise CloneError(url, error) from error


def clone(url: str, revision: str, folder: Path) -> Path:
    """Clone a git repository with its submodules below `folder`; raises CloneError."""
    repository = NamingGit.clone(url, source_root=folder, revision=revision)
    return Path(repository.path)


def _is_unreachable(error: BaseException | None) -> bool:
    """Tell whether a host was not found or did not answer; of ssh's own words the first tells that."""
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError | gaierror) or str(error).startswith("ssh: "):
            return True
        error = error.__cause__ or error.__context__
    return False


def remove_folder(folder: Path) -> None:
    """Remove a folder with read-only files in it, as git has; on Windows they need that."""
    if folder.is_dir():
        remove_directory(folder, force=True)


def git_executable() -> str:
    """Return git's full path: by its bare name Windows would find one in the current folder first.

    Raises RuntimeError where there is none.
    """
    return executable()
