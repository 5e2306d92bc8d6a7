"""Poetry's git, which knows the user's credentials, and the git command."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from pathlib import Path
from socket import gaierror
from typing import TYPE_CHECKING
from typing import Any

from poetry.core.vcs.git import executable
from poetry.utils.helpers import remove_directory
from poetry.vcs.git import Git


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from dulwich.ignore import IgnoreFilterManager
    from dulwich.repo import Repo


GIT = ".git"
"""A folder in a repository, a file in a submodule: never bundled, for its URLs may hold credentials."""

HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "safe.bareRepository": "explicit",
}
"""What keeps git from running what a repository's configuration names, and from the user's own excludes."""

SECONDS = 120
"""How long git may take to list what it ignores; where its configuration is a pipe, it takes for ever."""

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


def remove_repositories(tree: Path) -> None:
    """Remove all that git has for itself in a tree and its submodules, however it is written."""
    for inner, folders, files in os.walk(tree):
        for name in [name for name in (*folders, *files) if name.lower() == GIT]:
            path = Path(inner, name)
            if name in folders and not path.is_symlink():
                # its files are read-only, which counts on Windows
                remove_directory(path, force=True)
            else:
                path.unlink()
        folders[:] = [name for name in folders if name.lower() != GIT]


def environment_of_builds() -> dict[str, str]:
    """Return the environment for what may ask git about sources of others.

    Unpacked in the folder for temporary files, they are in no repository of the user's.
    """
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    pairs = [
        (f"GIT_CONFIG_{part}_{number}", text)
        for number, setting in enumerate(HARMLESS.items(), first)
        for part, text in zip(("KEY", "VALUE"), setting, strict=True)
    ]
    ceilings = filter(None, (os.environ.get("GIT_CEILING_DIRECTORIES"), tempfile.gettempdir()))
    return {
        **dict(pairs),
        "GIT_CONFIG_COUNT": str(first + len(HARMLESS)),
        "GIT_CEILING_DIRECTORIES": os.pathsep.join(ceilings),
    }


class GitError(Exception):
    """Says why git can't tell what it ignores."""


def ignored_below(top: Path, folder: Path) -> Iterable[str]:
    """Return what `.gitignore` files ignore below a folder of a repository, relative to it; raises GitError.

    It is "." where the folder itself is ignored. What is tracked is not ignored, and `.git/info/exclude` does
    not count. Nothing of the repository's configuration is run.
    """
    listing = ["ls-files", "--others", "--ignored", "--exclude-per-directory=.gitignore", "--directory", "-z"]
    try:
        listed = _git(top, folder, *listing)
        # below an ignored folder that command does not do
        if listed.returncode and not _git(top, folder, "check-ignore", "-q", ".").returncode:
            return ["."]
    except FileNotFoundError:
        return _ignored_without_git(top, folder)
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git did not answer within {SECONDS} seconds") from error
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise GitError(" ".join(str(error).split())) from error
    if listed.returncode:
        raise GitError(" ".join(os.fsdecode(listed.stderr).split()) or f"exit code {listed.returncode}")
    return [os.fsdecode(path) for path in listed.stdout.split(b"\0") if path]


def _git(top: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # GIT_DIR and its kind would show another repository, as in a hook
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    settings = [part for name, value in HARMLESS.items() for part in ("-c", f"{name}={value}")]
    # a repository that is named is not looked for, and may belong to another user, as in containers
    place = [f"--git-dir={top / GIT}", f"--work-tree={top}"]
    return subprocess.run(
        [executable(), *place, *settings, *arguments],
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )


def _ignored_without_git(top: Path, folder: Path) -> Iterable[str]:
    """Ask dulwich, which Poetry brings along: what is bundled must not depend on git being installed."""
    from dulwich.ignore import IgnoreFilterManager
    from dulwich.repo import Repo

    try:
        with Repo(os.fspath(top)) as repository:
            # dulwich takes a missing one for an empty one
            os.listdir(repository.controldir())  # noqa: PTH208
            tracked = {os.fsdecode(path) for path in repository.open_index()}
        manager = IgnoreFilterManager(os.fspath(top), [], False)
        below = folder.relative_to(top).as_posix()
        if below == ".":
            return list(_untracked(top, "", tracked, manager))
        parts = below.split("/")
        above = ("/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1))
        if any(map(manager.is_ignored, above)) and not _any_below(f"{below}/", tracked):
            return ["."]
        return [path[len(below) + 1 :] for path in _untracked(top, f"{below}/", tracked, manager)]
    except Exception as error:
        # a repository may be damaged in more ways than can be listed
        raise GitError(f"{type(error).__name__} {error}") from error


def _untracked(top: Path, below: str, tracked: set[str], manager: IgnoreFilterManager) -> Iterator[str]:
    """Yield what is ignored below a folder, whose path ends in a slash, and not tracked."""
    with os.scandir(top / below) as entries:
        inside = [entry for entry in entries if entry.name != GIT]
    for entry in inside:
        path = f"{below}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            if path not in tracked and manager.is_ignored(path):
                yield path
        elif not manager.is_ignored(f"{path}/") or _any_below(f"{path}/", tracked):
            yield from _untracked(top, f"{path}/", tracked, manager)
        else:
            yield path


def _any_below(folder: str, tracked: set[str]) -> bool:
    return any(path.startswith(folder) for path in tracked)
