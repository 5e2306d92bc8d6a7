"""Every package made ready, in parallel: as a wheel on disk, or as the files of a project."""

from __future__ import annotations

import os
import shutil
import tempfile

from collections import defaultdict
from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from typing import TypeAlias
from typing import TypeVar

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.output import NoRoomError
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.poetry_api.building import quiet_reproducible_builds
from poetry_lambda_plugin.poetry_api.facts import is_built_by_poetry_core
from poetry_lambda_plugin.poetry_api.project import read_document
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.sources.building import UnfitWheel
from poetry_lambda_plugin.sources.building import UnfitWheelError
from poetry_lambda_plugin.sources.building import build
from poetry_lambda_plugin.sources.download_queue import DownloadQueue
from poetry_lambda_plugin.sources.fetching import Fetcher
from poetry_lambda_plugin.sources.fetching import StoppedError
from poetry_lambda_plugin.sources.git import Checkouts
from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.sources.known_files import source_key
from poetry_lambda_plugin.sources.locked_projects import existing_folder
from poetry_lambda_plugin.sources.locked_projects import read_checkout
from poetry_lambda_plugin.sources.locked_projects import read_locked_project
from poetry_lambda_plugin.strays import named_temporaries
from poetry_lambda_plugin.strays import own_prefix
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future

    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.choice import WheelBuild
    from poetry_lambda_plugin.sources.building import WheelJudge
    from poetry_lambda_plugin.sources.fetching import Progress


BUILT_WHEELS = "_built_"
"""Below the cache for what comes from no index."""

Artifact: TypeAlias = CheckedFile | ProjectSource
"""A wheel, one that was locked or built here, or the files of a project that needs no build."""

Part = TypeVar("Part")
Result = TypeVar("Result")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder for what one run alone needs, after removing those of killed runs; raises NoRoomError."""
    try:
        sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=own_prefix()))
    except OSError as error:
        raise NoRoomError(error) from error
    try:
        with named_temporaries():
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Supplier:
    """Makes packages ready; what can't be kept is put in a temporary folder."""

    def __init__(self, project: OpenProject, progress: Progress, temporary: Path, judge: WheelJudge) -> None:
        self._settings = project.settings
        self._temporary = temporary
        self._progress = progress
        self._workers = project.settings.workers
        self._fetcher = Fetcher(project.settings, project.indexes, progress)
        self._checkouts = Checkouts(project.settings, temporary)
        self._build = partial(build, project.builder, judge)
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
                    size = self._fetcher.size(choice.package, choice.file) if choice.file else 0
                    queue.looked_up(position, choice, size)
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
        if isinstance(artifact, CheckedFile) and not artifact.verified:
            self._remember(choice, replace(artifact, verified=True))
        return part

    def at_hand(self, choice: Choice) -> Artifact | None:
        """Return what needs neither network nor build; None for the rest."""
        package = choice.package
        if isinstance(choice, LockedWheel):
            cached = self._fetcher.cached(package, choice.file)
            return self._taken(cached) if cached else None
        if package.source_type == "directory":
            folder = existing_folder(package)
            return read_locked_project(package, folder) if _has_all_files(folder) else None
        if self._settings.disable_cache:
            return None
        if package.source_type == "git" and (checkout := self._checkouts.cached(package)):
            return read_checkout(package, checkout)
        known = self._fetcher.known_files(package).find(_key(choice))
        return self._taken(known) if known else None

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

    def _taken(self, file: CheckedFile) -> CheckedFile:
        self._stamps[file.path] = _stamp(file.path), file.hash
        return file

    def _remember(self, choice: Choice, file: CheckedFile) -> None:
        """Take note of a file where the next run can find it."""
        if file.hash and self._temporary not in file.path.parents:
            self._fetcher.known_files(choice.package).remember(_key(choice), file)

    def _make(self, choice: Choice) -> Artifact | UnfitWheel:
        package = choice.package
        if isinstance(choice, LockedWheel):
            return self._taken(self._fetcher.fetch(package, choice.file))
        if choice.file is not None:
            sdist = self._fetcher.fetch(package, choice.file)
            return self._built(choice, sdist.path, keep=bool(sdist.hash))
        if package.source_type == "git":
            return self._from_git(choice)
        return self._built(choice, existing_folder(package), keep=False)

    def _built(self, choice: WheelBuild, source: Path, *, keep: bool) -> Artifact | UnfitWheel:
        """Build a wheel, to be found again by the next run where the source can't change."""
        keep = keep and not self._settings.disable_cache
        roots = (self._settings.own_cache / BUILT_WHEELS, self._temporary) if keep else (self._temporary,)
        folders = [root / _key(choice) for root in roots]
        # backends build inside the source's own folder, so never two at once there
        with self._locks[source]:
            self._progress.building(choice.package)
            wheel = self._build(choice.package, source, choice.target, folders)
        if isinstance(wheel, UnfitWheel):
            return wheel
        built = self._taken(CheckedFile(wheel, digest(wheel, "sha256:"), verified=False))
        self._remember(choice, built)
        return built

    def _from_git(self, choice: WheelBuild) -> Artifact | UnfitWheel:
        package = choice.package
        self._progress.building(package)
        checkout = self._checkouts.make(package)
        folder = checkout / (package.source_subdirectory or "")
        if not _has_all_files(folder):
            return self._built(choice, folder, keep=True)
        self._checkouts.keep(checkout, package)
        return read_checkout(package, checkout)


def _has_all_files(folder: Path) -> bool:
    """Tell whether a folder's files are all there is to its project, since nothing but poetry-core builds it.

    Raises ProjectFileError for a pyproject.toml that can't be read.
    """
    return is_built_by_poetry_core(read_document(folder))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what the file system knows of a file, and what changes with its bytes; all zero without it."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _key(choice: Choice) -> str:
    """Return what a wheel is found by in later runs."""
    if isinstance(choice, LockedWheel):
        return choice.file.hash
    package, file = choice.package, choice.file
    source = file.hash if file else (package.source_url, package.revision, package.source_subdirectory)
    return source_key(str(source), choice.target.runtime.name, choice.target.architecture)
