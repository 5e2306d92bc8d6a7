"""Revisions of git repositories, checked out with Poetry's own git and kept among its caches."""

from __future__ import annotations

import hashlib
import shutil
import tempfile

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from poetry_lambda_plugin.poetry_api.git import CloneError
from poetry_lambda_plugin.poetry_api.git import clone
from poetry_lambda_plugin.poetry_api.git import remove_folder
from poetry_lambda_plugin.poetry_api.index import UnavailableFileError
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import source_key
from poetry_lambda_plugin.strays import own_prefix
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from poetry_lambda_plugin.poetry_api.facts import PoetrySettings
    from poetry_lambda_plugin.selection.locked import LockedPackage


DIGEST_SUFFIX = ".sha256"
GIT_TREES = "_git_"
"""Below the cache for what comes from no index: checked-out revisions, which never change."""


class UnavailableRepositoryError(UnavailableFileError):
    """A git repository, or a submodule of it, that can't be cloned."""

    def __init__(self, package: LockedPackage, error: CloneError) -> None:
        self.package = package
        self.url = error.url
        # the transport's own words may hold credentials
        reason = f" ({error.reason})"
        remedy = (
            "Check that it is still there and that you may read it, or run "
            f"`poetry update {package.name}` to lock another one."
        )
        if error.is_unreachable:
            reason = f": {_host(error.url) or 'its host'} can't be reached"
            remedy = "Check your connection and the address, then run the command again."
        submodule = "" if error.url == package.source_url else " has a submodule that"
        super().__init__(
            f"Revision {package.revision} of {package}{submodule} can't be had from "
            f"{address(error.url)}{reason}. {remedy}"
        )


class Checkouts:
    """Checks out what packages are locked to; new ones go to a temporary folder."""

    def __init__(self, settings: PoetrySettings, temporary: Path) -> None:
        self._settings = settings
        self._temporary = temporary

    def cached(self, package: LockedPackage) -> Path | None:
        """Return a checked-out revision that still has the files it had."""
        tree = self._tree(package)
        try:
            expected = tree.with_suffix(DIGEST_SUFFIX).read_text(encoding="ascii")
            if _tree_digest(tree) == expected:
                return tree
        except OSError:
            return None
        shutil.rmtree(tree, ignore_errors=True)
        return None

    def make(self, package: LockedPackage) -> Path:
        """Clone a repository and check the revision out; raises UnavailableRepositoryError."""
        folder = Path(tempfile.mkdtemp(dir=self._temporary))
        try:
            return clone(str(package.source_url), package.revision, folder)
        except CloneError as error:
            raise UnavailableRepositoryError(package, error) from None

    def keep(self, checkout: Path, package: LockedPackage) -> None:
        """Copy a checked-out revision to the cache, where that can be; what git itself has is dropped."""
        remove_folder(checkout / ".git")
        tree = self._tree(package)
        sweep(tree.parent)
        if self._settings.disable_cache or tree.exists():
            return
        with suppress(OSError):
            tree.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=own_prefix(), dir=tree.parent))
            shutil.copytree(checkout, unfinished / "tree", symlinks=True)
            (unfinished / tree.name).write_text(_tree_digest(unfinished / "tree"), encoding="ascii")
            # another process may have been first, which is as good
            with suppress(OSError):
                (unfinished / "tree").rename(tree)
                (unfinished / tree.name).replace(tree.with_suffix(DIGEST_SUFFIX))
            shutil.rmtree(unfinished, ignore_errors=True)

    def _tree(self, package: LockedPackage) -> Path:
        return self._settings.own_cache / GIT_TREES / source_key(package.source_url, package.revision)


def address(url: str) -> str:
    """Return a repository's address without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}{parts.path}" if parts.hostname else url


def _host(url: str) -> str:
    """Return the host of an address, and its port; empty where it has none, as in `git@host:path`."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _tree_digest(tree: Path) -> str:
    """Return one digest of all names, links and bytes below a folder; raises OSError."""
    state = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            state.update(f"{name}\0link\0{path.readlink()}\0".encode())
        elif path.is_file():
            state.update(f"{name}\0{digest(path, 'sha256:')}\0".encode())
    return state.hexdigest()
