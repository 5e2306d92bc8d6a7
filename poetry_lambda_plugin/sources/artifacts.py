"""Every package made ready, in parallel: as a wheel on disk, or as the files of a project."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile

from collections import defaultdict
from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from typing import TypeAlias
from typing import TypeVar
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.output import NoRoomError
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.sources import poetry_api
from poetry_lambda_plugin.sources.building import UnfitWheel
from poetry_lambda_plugin.sources.building import UnfitWheelError
from poetry_lambda_plugin.sources.building import build
from poetry_lambda_plugin.sources.building import quiet_reproducible_builds
from poetry_lambda_plugin.sources.building import source_key
from poetry_lambda_plugin.sources.download_queue import DownloadQueue
from poetry_lambda_plugin.sources.fetching import NO_INDEX
from poetry_lambda_plugin.sources.fetching import Fetcher
from poetry_lambda_plugin.sources.fetching import StoppedError
from poetry_lambda_plugin.sources.fetching import UnavailableFileError
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import is_built_by_poetry_core
from poetry_lambda_plugin.sources.project import read_project


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future

    from poetry.poetry import Poetry

    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.locked import LockedPackage
    from poetry_lambda_plugin.sources.fetching import Progress


BUILT_WHEELS = "_built_"
DIGEST_SUFFIX = ".sha256"
GIT_TREES = "_git_"
"""Below the cache for what comes from no index: checked-out revisions, which never change."""


@dataclass(frozen=True, slots=True)
class WheelArtifact:
    """A wheel on disk whose bytes are those that were locked, or that were built here."""

    choice: Choice
    path: Path
    verified: bool
    """Whether its members are known to be what they say."""


Artifact: TypeAlias = WheelArtifact | ProjectSource

Part = TypeVar("Part")
Result = TypeVar("Result")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder for what one run alone needs; raises NoRoomError."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="lambda-bundle-"))
    except OSError as error:
        raise NoRoomError(error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class UnavailableRepositoryError(UnavailableFileError):
    """A git repository, or a submodule of it, that can't be cloned."""

    def __init__(self, package: LockedPackage, error: poetry_api.CloneError) -> None:
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
            f"Revision {_revision(package)} of {package}{submodule} can't be had from "
            f"{_address(error.url)}{reason}. {remedy}"
        )


class Supplier:
    """Makes packages ready; what can't be kept is put in a temporary folder."""

    def __init__(self, poetry: Poetry, progress: Progress, temporary: Path) -> None:
        self._poetry = poetry
        self._temporary = temporary
        self._progress = progress
        self._workers = poetry_api.max_workers(poetry)
        self._fetcher = Fetcher(poetry, progress, self._workers)
        self._stamps: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._locks: dict[Path, Lock] = defaultdict(Lock)

    def supply(
        self, choices: Sequence[Choice], read: Callable[[Choice, Artifact], Part]
    ) -> Mapping[Choice, Part]:
        """Make all packages ready, the largest downloads first, and read each as soon as it is here.

        Raises the first error in the order of the choices, and UnfitWheelError for all that can't be built.
        """
        # hashing keeps processors busy, and more threads than those would wait for Python's lock
        with ThreadPoolExecutor(min(self._workers, os.cpu_count() or 1)) as pool:
            found = self._in_parallel(pool, partial(self._read_at_hand, read=read), choices)
        parts = {choice: part for choice, part in zip(choices, found, strict=True) if part is not None}
        missing = [choice for choice in choices if choice not in parts]
        return parts | self._supply_missing(missing, read) if missing else parts

    def _supply_missing(
        self, missing: Sequence[Choice], read: Callable[[Choice, Artifact], Part]
    ) -> dict[Choice, Part]:
        queue: DownloadQueue[Part | UnfitWheel] = DownloadQueue(missing, self._workers)
        with quiet_reproducible_builds(), ThreadPoolExecutor(self._workers) as pool:
            for _ in missing:
                pool.submit(self._make_next, queue, read)
            made = self._results(pool, tuple(queue.results.values()))
        unfit = [result for result in made if isinstance(result, UnfitWheel)]
        if unfit:
            raise UnfitWheelError(unfit)
        return {c: r for c, r in zip(missing, made, strict=True) if not isinstance(r, UnfitWheel)}

    def _make_next(
        self, queue: DownloadQueue[Part | UnfitWheel], read: Callable[[Choice, Artifact], Part]
    ) -> None:
        """Look up files until there is one to be made ready, and make it ready."""
        is_known = False
        while not is_known:
            position, choice, is_known = queue.take()
            try:
                self._fetcher.check_not_stopped()
                if is_known:
                    queue.results[choice].set_result(self._read_made(choice, read))
                else:
                    queue.looked_up(position, choice, self._fetcher.size(choice))
            except BaseException as error:
                # as executors do: whoever waits for the result is told
                queue.results[choice].set_exception(error)
                return

    def _in_parallel(
        self, pool: ThreadPoolExecutor, work: Callable[[Choice], Result], choices: Sequence[Choice]
    ) -> list[Result]:
        return self._results(pool, [pool.submit(work, choice) for choice in choices])

    def _results(self, pool: ThreadPoolExecutor, futures: Sequence[Future[Result]]) -> list[Result]:
        """Wait for all results, or for the first error; of several the first one in order is raised."""
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # on an error or an interrupt no further download begins, and those under way end
            if not all(future.done() and not future.exception() for future in futures):
                self._fetcher.stop()
                pool.shutdown(cancel_futures=True)
        for future in futures:
            error = future.exception() if future.done() and not future.cancelled() else None
            if error and not isinstance(error, StoppedError):
                raise error
        return [future.result() for future in futures]

    def _read_at_hand(self, choice: Choice, read: Callable[[Choice, Artifact], Part]) -> Part | None:
        artifact = self.at_hand(choice)
        return self._read(choice, artifact, read) if artifact is not None else None

    def _read_made(self, choice: Choice, read: Callable[[Choice, Artifact], Part]) -> Part | UnfitWheel:
        artifact = self._make(choice)
        self._progress.finish(choice.package)
        return artifact if isinstance(artifact, UnfitWheel) else self._read(choice, artifact, read)

    def _read(self, choice: Choice, artifact: Artifact, read: Callable[[Choice, Artifact], Part]) -> Part:
        """Read, and take note that what is read has been checked, so that later runs need not."""
        part = read(choice, artifact)
        if isinstance(artifact, WheelArtifact) and not artifact.verified:
            self._remember_verified(artifact)
        return part

    def at_hand(self, choice: Choice) -> Artifact | None:
        """Return what needs neither network nor build; None for the rest."""
        package, file, target = choice.package, choice.file, choice.target
        if file is not None and target is None:
            fetched = self._fetcher.cached(choice)
            return self._wheel(choice, fetched.path, fetched.verified) if fetched else None
        if package.source_type == "directory":
            folder = _existing_folder(package)
            return _project(folder, package) if is_built_by_poetry_core(folder) else None
        if target is None or self._poetry.disable_cache:
            return None
        if package.source_type == "git" and (tree := self._cached_tree(package)):
            return _project(tree / (package.source_subdirectory or ""), package, within=tree)
        known = self._fetcher.known_files(package).find(_built_key(choice, target))
        return self._wheel(choice, known.path, known.verified) if known else None

    def check_unchanged(self) -> None:
        """Raise ChangedFileError where a wheel is not the file that was held against its hash.

        Another process may have put the same bytes there again, as each does that downloads them.
        """
        for path, (stamp, file_hash) in self._stamps.items():
            if _stamp(path) != stamp and not has_hash(path, file_hash):
                raise ChangedFileError(f"{path} changed while it was bundled. Run the command again.")

    def wheel_hash(self, path: Path) -> str:
        """Return a digest of a wheel's bytes, for those from an index the one that they were held against."""
        _, file_hash = self._stamps.get(path, ((), ""))
        return file_hash or digest(path, "sha256:")

    def _remember_verified(self, artifact: WheelArtifact) -> None:
        choice = artifact.choice
        if choice.target is not None:
            self._remember_built(choice, choice.target, artifact.path, verified=True)
        elif choice.file is not None and choice.file.hash:
            known = self._fetcher.known_files(choice.package)
            known.remember(choice.file.hash, artifact.path, choice.file.hash, verified=True)

    def _wheel(self, choice: Choice, path: Path, verified: bool) -> WheelArtifact:
        file_hash = choice.file.hash if choice.file and choice.target is None else ""
        self._stamps[path] = _stamp(path), file_hash
        return WheelArtifact(choice, path, verified)

    def _make(self, choice: Choice) -> Artifact | UnfitWheel:
        package, file, target = choice.package, choice.file, choice.target
        if file is not None:
            fetched = self._fetcher.fetch(choice)
            if target is None:
                return self._wheel(choice, fetched.path, fetched.verified)
            return self._built(choice, fetched.path, target, keep=bool(file.hash))
        if target is None:
            raise TypeError(f"{package} has no file and no target to be built for")
        if package.source_type == "git":
            return self._from_git(choice, package, target)
        return self._built(choice, _existing_folder(package), target, keep=False)

    def _built(self, choice: Choice, source: Path, target: Target, *, keep: bool) -> Artifact | UnfitWheel:
        """Build a wheel, to be found again by the next run where the source can't change."""
        keep = keep and not self._poetry.disable_cache
        roots = (self._cache / BUILT_WHEELS, self._temporary) if keep else (self._temporary,)
        folders = [root / _built_key(choice, target) for root in roots]
        # backends build inside the source's own folder, so never two at once there
        with self._locks[source]:
            self._progress.building(choice.package)
            wheel = build(self._poetry, choice.package, source, target, folders)
        if isinstance(wheel, UnfitWheel):
            return wheel
        if keep:
            self._remember_built(choice, target, wheel, verified=False)
        return self._wheel(choice, wheel, verified=False)

    def _remember_built(self, choice: Choice, target: Target, wheel: Path, *, verified: bool) -> None:
        if self._temporary in wheel.parents:
            return
        known = self._fetcher.known_files(choice.package)
        known.remember(_built_key(choice, target), wheel, digest(wheel, "sha256:"), verified=verified)

    def _from_git(self, choice: Choice, package: LockedPackage, target: Target) -> Artifact | UnfitWheel:
        clones = Path(tempfile.mkdtemp(dir=self._temporary))
        self._progress.building(package)
        try:
            clone = poetry_api.clone(str(package.source_url), _revision(package), clones)
        except poetry_api.CloneError as error:
            raise UnavailableRepositoryError(package, error) from None
        folder = clone / (package.source_subdirectory or "")
        if not is_built_by_poetry_core(folder):
            return self._built(choice, folder, target, keep=True)
        poetry_api.remove_folder(clone / ".git")
        root = self._kept_tree(clone, package)
        return _project(root / (package.source_subdirectory or ""), package, within=root)

    def _kept_tree(self, clone: Path, package: LockedPackage) -> Path:
        """Move a checked-out revision to the cache; where that fails, it serves from where it is."""
        tree = self._tree(package)
        if self._poetry.disable_cache or tree.exists():
            return clone
        with suppress(OSError):
            tree.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=tree.parent))
            shutil.copytree(clone, unfinished / "tree", symlinks=True)
            (unfinished / tree.name).write_text(_tree_digest(unfinished / "tree"), encoding="ascii")
            # another process may have been first, which is as good
            with suppress(OSError):
                (unfinished / "tree").rename(tree)
                (unfinished / tree.name).replace(tree.with_suffix(DIGEST_SUFFIX))
            shutil.rmtree(unfinished, ignore_errors=True)
        return clone

    def _cached_tree(self, package: LockedPackage) -> Path | None:
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

    def _tree(self, package: LockedPackage) -> Path:
        return self._cache / GIT_TREES / source_key(package.source_url, _revision(package))

    @property
    def _cache(self) -> Path:
        """The folder for what comes from no index, among Poetry's caches, to be cleared with them."""
        return self._poetry.config.repository_cache_directory / NO_INDEX


def _project(folder: Path, package: LockedPackage, within: Path | None = None) -> ProjectSource:
    """Read a project that poetry-core would build; that takes milliseconds and nothing but its files.

    What comes from others, as by git, must not reach for files of this host: all lie `within` a folder.
    """
    try:
        project = read_project(poetry_api.read_dependency(folder), (), Wishes(beside=False))
    except (RuntimeError, ValueError, OSError, KeyError, TypeError) as error:
        raise ProjectError(f"{package} in {folder} can't be bundled: {error}") from error
    if canonicalize_name(project.name) != package.name:
        raise ProjectError(
            f"{folder} holds {project.name} where {package} is locked. "
            "Correct the path, or run `poetry lock`."
        )
    if within is not None:
        _check_boundary(project, package, within.resolve())
    return project


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what the file system knows of a file, and what changes with its bytes; all zero without it."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _check_boundary(project: ProjectSource, package: LockedPackage, root: Path) -> None:
    address = _address(str(package.source_url))
    for path, file in (*project.files, *project.licences):
        if root not in file.resolve().parents:
            raise ProjectError(
                f"{package} from {address} would bundle a file from outside its repository as "
                f"{path}. It can't be trusted: lock another revision."
            )


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


def _existing_folder(package: LockedPackage) -> Path:
    folder = Path(str(package.source_url)) / (package.source_subdirectory or "")
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise ProjectError(
            f"{package} is locked from {folder}, which has no pyproject.toml or setup.py. "
            "Restore the folder, or correct its path in pyproject.toml and run `poetry lock`."
        )
    return folder


def _built_key(choice: Choice, target: Target) -> str:
    package, file = choice.package, choice.file
    source = file.hash if file else (package.source_url, _revision(package), package.source_subdirectory)
    return source_key(str(source), target.runtime.name, target.architecture)


def _revision(package: LockedPackage) -> str:
    return package.source_revision or package.source_reference or "HEAD"


def _address(url: str) -> str:
    """Return a repository's address without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}{parts.path}" if parts.hostname else url


def _host(url: str) -> str:
    """Return the host of an address, and its port; empty where it has none, as in `git@host:path`."""
    return urlsplit(url).netloc.rpartition("@")[2]
