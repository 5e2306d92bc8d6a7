"""Revisions of git repositories, checked out with Poetry's own git and kept among its caches."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from poetry_lambda_plugin.poetry_api.git import CloneError
from poetry_lambda_plugin.poetry_api.git import clone
from poetry_lambda_plugin.poetry_api.git import remove_repositories
from poetry_lambda_plugin.poetry_api.index import UnavailableFileError
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import source_key
from poetry_lambda_plugin.strays import own_prefix
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.poetry_api.facts import PoetrySettings
    from poetry_lambda_plugin.selection.locked import LockedPackage


DIGEST = "tree.sha256"
"""Beside a kept revision, its digest."""

TREE = "tree"

GIT_TREES = "_git_"
"""Below the cache for what comes from no index: checked-out revisions, which never change.

Each is a folder of the tree and its digest, which appears whole.
"""

OUTSIDE = "outside-the-repository"
"""Where links lead that led out of their repository."""


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
        kept = self._kept(package)
        try:
            expected = (kept / DIGEST).read_text(encoding="ascii")
            return kept / TREE if _tree_digest(kept / TREE) == expected else None
        except (OSError, ValueError):
            return None

    def make(self, package: LockedPackage) -> Path:
        """Clone a repository and check the revision out; raises UnavailableRepositoryError."""
        folder = Path(tempfile.mkdtemp(dir=self._temporary))
        try:
            return clone(str(package.source_url), package.revision, folder)
        except CloneError as error:
            raise UnavailableRepositoryError(package, error) from None

    def keep(self, checkout: Path, package: LockedPackage) -> None:
        """Make a checked-out revision harmless, and copy it to the cache, where that can be.

        What git itself has is dropped at any depth, for addresses in it may hold tokens, and links out of the
        repository are cut.
        """
        remove_repositories(checkout)
        _cut_links(checkout)
        if not self._settings.keeps or not package.is_fixed:
            return
        kept = self._kept(package)
        sweep(kept.parent)
        if self.cached(package) is not None:
            return
        with suppress(OSError):
            for folder in (self._settings.own_cache, kept.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=own_prefix(), dir=kept.parent))
            try:
                shutil.copytree(checkout, unfinished / TREE, symlinks=True)
                _make_private(unfinished / TREE)
                (unfinished / DIGEST).write_text(_tree_digest(unfinished / TREE), encoding="ascii")
                (unfinished / DIGEST).chmod(0o600)
                _remove(kept)
                # another process may have been first, which is as good
                unfinished.rename(kept)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def _kept(self, package: LockedPackage) -> Path:
        return self._settings.own_cache / GIT_TREES / source_key(package.source_url, package.revision)


def _cut_links(tree: Path) -> None:
    """Let all links that lead out of a tree lead nowhere, so that nothing in it is a way to this host."""
    root = tree.resolve()
    links = [path for path in _below(tree) if path.is_symlink()]
    outward = [link for link in links if root not in (real := Path(os.path.realpath(link)), *real.parents)]
    for link in outward:
        link.unlink()
        link.symlink_to(OUTSIDE)


def _make_private(tree: Path) -> None:
    """Let nobody but the user read a tree, which may come from a private repository."""
    for path in (tree, *_below(tree)):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
    for path in sorted(_below(tree)):
        name = os.fsencode(path.relative_to(tree).as_posix())
        if path.is_symlink():
            state.update(b"%s\0link\0%s\0" % (name, os.fsencode(path.readlink())))
        elif path.is_file():
            state.update(b"%s\0%s\0" % (name, digest(path, "sha256:").encode()))
    return state.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    """Yield all that is below a folder; links are not followed."""
    for inner, folders, files in os.walk(folder):
        yield from (Path(inner, name) for name in (*folders, *files))
