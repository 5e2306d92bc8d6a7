"""Every package made ready, in parallel: as a wheel on disk, or as the files of a project."""

from __future__ import annotations

import os
import shutil
import tempfile

from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from typing import TypeAlias
from typing import TypeVar

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.output import NoRoomError
from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.poetry_api.building import quiet_reproducible_builds
from poetry_lambda_plugin.poetry_api.facts import is_built_by_poetry_core
from poetry_lambda_plugin.poetry_api.project import read_document
from poetry_lambda_plugin.poetry_api.repositories import StoppedError
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.sources.building import UnfitWheel
from poetry_lambda_plugin.sources.building import UnfitWheelError
from poetry_lambda_plugin.sources.building import build
from poetry_lambda_plugin.sources.download_queue import DownloadQueue
from poetry_lambda_plugin.sources.fetching import Fetcher
from poetry_lambda_plugin.sources.folder_state import folder_state
from poetry_lambda_plugin.sources.git import Checkouts
from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import checked
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash
from poetry_lambda_plugin.sources.known_files import source_key
from poetry_lambda_plugin.sources.locked_projects import existing_folder
from poetry_lambda_plugin.sources.locked_projects import project_folder
from poetry_lambda_plugin.sources.locked_projects import read_checkout
from poetry_lambda_plugin.sources.locked_projects import read_locked_project
from poetry_lambda_plugin.strays import named_temporaries
from poetry_lambda_plugin.strays import own_prefix
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future
    from concurrent.futures._base import DoneAndNotDoneFutures

    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.choice import WheelBuild
    from poetry_lambda_plugin.sources.building import WheelJudge
    from poetry_lambda_plugin.sources.fetching import Progress
    from poetry_lambda_plugin.sources.folder_state import Stamp


BRIEFLY = 0.2
"""Seconds between two looks whether the user wants to stop."""

BUILT_WHEELS = "_built_"
"""Below the cache for what comes from no index."""

Artifact: TypeAlias = CheckedFile | ProjectSource
"""A wheel, one that was locked or built here, or the files of a project that needs no build."""

Part = TypeVar("Part")
Result = TypeVar("Result")


class Remembered(NamedTuple):
    """A wheel that an earlier run of this process has read."""

    file: CheckedFile
    part: Any
    folder: Mapping[str, Stamp] | None
    """The files of the folder that it was built from; None where it comes from none."""


@dataclass(slots=True)
class KeptWheels:
    """The wheels that runs of this process have read."""

    builds: Path | None = None
    """A folder for those that were built from folders; without one they are built in each run."""
    read: dict[Choice, Remembered] = field(default_factory=dict)

    def find(self, choice: Choice) -> Remembered | None:
        """Return a wheel that is what it was, as is all that it was built from."""
        known = self.read.get(choice)
        if known is None or not known.file.looks_unchanged:
            return None
        if known.folder is not None and folder_state(_folder(choice)) != known.folder:
            return None
        return known

    def forget_others(self, choices: Collection[Choice]) -> None:
        """Keep some wheels, and no other."""
        self.read = {choice: known for choice, known in self.read.items() if choice in choices}


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder for what one run alone needs, after removing those of killed runs; raises NoRoomError."""
    try:
        sweep(Path(tempfile.gettempdir()))
        # removes also what is read-only, as git's files on Windows and folders of some sdists are
        folder = tempfile.TemporaryDirectory(prefix=own_prefix(), ignore_cleanup_errors=True)
    except OSError as error:
        raise NoRoomError(error) from error
    with folder, named_temporaries():
        yield Path(folder.name)


class Supplier:
    """Makes packages ready; what can't be kept is put in a temporary folder."""

    def __init__(
        self,
        project: OpenProject,
        progress: Progress,
        temporary: Path,
        judge: WheelJudge,
        memory: KeptWheels | None = None,
    ) -> None:
        """Take what is asked once, and the wheels that earlier runs have read, to be added to."""
        self._settings = project.settings
        self._temporary = temporary
        self._progress = progress
        self._workers = project.settings.workers
        self._fetcher = Fetcher(project.settings, project.indexes, progress, temporary)
        self._checkouts = Checkouts(project.settings, temporary)
        self._build = partial(build, project.builder, judge)
        self._taken: dict[Path, CheckedFile] = {}
        self._memory = memory or KeptWheels()
        self._states: dict[Choice, Mapping[str, Stamp]] = {}
        """What the folders looked like that wheels were built from."""
        self._kept: dict[Path, Path] = {}
        """Where the next run finds what was built in the temporary folder."""
        self._locks: dict[str, Lock] = {}
        self.lost: frozenset[Choice] = frozenset()
        """What the last error of `supply` was about."""

    def supply(
        self, choices: Sequence[Choice], read: Callable[[Choice, Artifact], Part]
    ) -> Mapping[Choice, Part]:
        """Make all packages ready, the largest downloads first, and read each as soon as it is here.

        Raises the first error in the order of the choices, and UnfitWheelError for all that can't be built;
        `lost` then says which choices failed, and the others may be asked for again.
        """
        if self.lost:
            self._fetcher.resume()
            self.lost = frozenset()
        # hashing keeps processors busy, and more threads than those would wait for Python's lock
        with ThreadPoolExecutor(min(self._workers, os.cpu_count() or 1)) as pool, self._ending(pool):
            at_hand = [pool.submit(self._read_at_hand, choice, read) for choice in choices]
            found = self._results(pool, choices, at_hand)
        parts = {choice: part for choice, part in zip(choices, found, strict=True) if part is not None}
        missing = [choice for choice in choices if choice not in parts]
        return parts | self._supply_missing(missing, read) if missing else parts

    def _supply_missing(
        self, missing: Sequence[Choice], read: Callable[[Choice, Artifact], Part]
    ) -> dict[Choice, Part]:
        queue: DownloadQueue[Part | UnfitWheel] = DownloadQueue(missing, self._workers)
        with quiet_reproducible_builds(), ThreadPoolExecutor(self._workers) as pool, self._ending(pool):
            for _ in missing:
                pool.submit(self._make_next, queue, read)
            made = self._results(pool, missing, tuple(queue.results.values()))
        unfit = {c: result for c, result in zip(missing, made, strict=True) if isinstance(result, UnfitWheel)}
        if unfit:
            self.lost = frozenset(unfit)
            raise UnfitWheelError(list(unfit.values()))
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

    @contextmanager
    def _ending(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """On an error or an interrupt, at whatever moment, let nobody wait for what is under way."""
        try:
            yield
        except BaseException:
            self._end(pool)
            raise

    def _end(self, pool: ThreadPoolExecutor) -> None:
        """Let no further download begin, and end those under way."""
        self._fetcher.stop()
        pool.shutdown(cancel_futures=True)

    def _results(
        self, pool: ThreadPoolExecutor, choices: Sequence[Choice], futures: Sequence[Future[Result]]
    ) -> list[Result]:
        """Wait for all results, or for the first error; of several the first one in order is raised."""
        # on Windows nothing wakes who waits without an end, and a signal may come just before anyone waits
        while not _are_settled(wait(futures, BRIEFLY, return_when=FIRST_EXCEPTION)):
            pass
        if not all(future.done() and not future.exception() for future in futures):
            self._end(pool)
        for choice, future in zip(choices, futures, strict=True):
            error = future.exception() if future.done() and not future.cancelled() else None
            if error and not isinstance(error, StoppedError):
                self.lost = frozenset({choice})
                raise error
        return [future.result() for future in futures]

    def _read_at_hand(self, choice: Choice, read: Callable[[Choice, Artifact], Part]) -> Part | None:
        known = self._memory.find(choice)
        if known is not None:
            self._take(known.file)
            part: Part = known.part
            return part
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
        if isinstance(artifact, CheckedFile) and self._is_lasting(choice, artifact.path):
            self._memory.read[choice] = Remembered(artifact, part, self._states.get(choice))
        return part

    def _is_lasting(self, choice: Choice, path: Path) -> bool:
        """Tell whether what was read of a file stands for the choice as long as the file does not change."""
        if choice.package.source_type == "directory":
            return choice in self._states
        return not self._settings.disable_cache and self._temporary not in path.parents

    def at_hand(self, choice: Choice) -> Artifact | None:
        """Return what needs neither network nor build; None for the rest."""
        package = choice.package
        if isinstance(choice, LockedWheel):
            cached = self._fetcher.cached(package, choice.file)
            return self._take(cached) if cached else None
        if package.source_type == "directory":
            folder = existing_folder(package)
            return read_locked_project(package, folder) if _has_all_files(folder) else None
        if self._settings.disable_cache or (package.source_type == "git" and not package.is_fixed):
            return None
        if package.source_type == "git" and (checkout := self._checkouts.cached(package)):
            return read_checkout(package, checkout)
        known = self._fetcher.known_files(package).find(_key(choice))
        return self._take(known) if known else None

    def check_unchanged(self) -> None:
        """Raise ChangedFileError where a wheel is not the file that was held against its hash."""
        for file in self._taken.values():
            if not file.is_unchanged:
                raise _changed(file.path)

    def wheel_hash(self, path: Path) -> str:
        """Return a digest of a wheel's bytes, for those from an index the one that they were held against."""
        taken = self._taken.get(path)
        return (taken and taken.hash) or digest(path, "sha256:")

    def _take(self, file: CheckedFile) -> CheckedFile:
        self._taken[file.path] = file
        return file

    def _remember(self, choice: Choice, file: CheckedFile) -> None:
        """Take note of a file where the next run can find it."""
        path = self._kept.get(file.path, file.path)
        if file.hash and self._temporary not in path.parents:
            self._fetcher.known_files(choice.package).remember(_key(choice), replace(file, path=path))

    def _make(self, choice: Choice) -> Artifact | UnfitWheel:
        package = choice.package
        if isinstance(choice, LockedWheel):
            return self._take(self._fetcher.fetch(package, choice.file))
        if choice.file is not None:
            sdist = self._fetcher.fetch(package, choice.file)
            return self._built(choice, self._own_copy(sdist), keep=bool(sdist.hash))
        if package.source_type == "git":
            return self._from_git(choice)
        return self._from_folder(choice)

    def _from_folder(self, choice: WheelBuild) -> Artifact | UnfitWheel:
        """Build a folder's project; its wheel is kept for later runs of this process where they want it."""
        folder = existing_folder(choice.package)
        if self._memory.builds is None:
            return self._built(choice, folder, keep=False)
        before = folder_state(folder)
        built = self._built(choice, folder, keep=False)
        if not isinstance(built, CheckedFile):
            return built
        # what the build itself has left there is none of its sources, what changed meanwhile is
        self._states[choice] = {**folder_state(folder), **before}
        place = self._memory.builds / _key(choice) / built.path.name
        with replacing(place) as copy, built.path.open("rb") as wheel:
            shutil.copyfileobj(wheel, copy)
        return self._take(checked(place, "sha256:"))

    def _built(self, choice: WheelBuild, source: Path, *, keep: bool) -> Artifact | UnfitWheel:
        """Build a wheel, to be found again by the next run where the source can't change.

        This run reads what it has built itself: another one may put its own in the same place meanwhile.
        """
        # backends build inside the source's own folder, so never two at once there
        with self._locks.setdefault(str(source), Lock()):
            self._progress.building(choice.package)
            wheel = self._build(choice.package, source, choice.target, self._temporary / _key(choice))
        if isinstance(wheel, UnfitWheel):
            return wheel
        built = self._take(checked(wheel, "sha256:"))
        if keep and self._settings.keeps:
            self._keep(choice, wheel)
        self._remember(choice, built)
        return built

    def _keep(self, choice: WheelBuild, wheel: Path) -> None:
        """Copy a wheel to the cache; one that is full or can't be written to costs time, nothing else."""
        place = self._settings.own_cache / BUILT_WHEELS / _key(choice) / wheel.name
        with suppress(OSError), wheel.open("rb") as source:
            with replacing(place) as copy:
                shutil.copyfileobj(source, copy)
            self._kept[wheel] = place

    def _own_copy(self, sdist: CheckedFile) -> Path:
        """Copy an sdist, so that what is built is what was held against its hash; raises ChangedFileError."""
        path = Path(tempfile.mkdtemp(dir=self._temporary)) / sdist.path.name
        try:
            with open_regular(sdist.path) as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        except OSError as error:
            raise NoRoomError(error) from error
        if sdist.hash and not has_hash(path, sdist.hash):
            raise _changed(sdist.path)
        return path

    def _from_git(self, choice: WheelBuild) -> Artifact | UnfitWheel:
        package = choice.package
        self._progress.building(package)
        checkout = self._checkouts.make(package)
        folder = project_folder(package, checkout)
        if not _has_all_files(folder):
            return self._built(choice, folder, keep=package.is_fixed)
        self._checkouts.keep(checkout, package)
        return read_checkout(package, checkout)


def _folder(choice: Choice) -> Path:
    """Return where the project of a path dependency lies."""
    return Path(str(choice.package.source_url)) / (choice.package.source_subdirectory or "")


def _are_settled(futures: DoneAndNotDoneFutures[Result]) -> bool:
    """Tell whether there is nothing more to wait for: all are done, or one of them has failed."""
    return not futures.not_done or any(done.cancelled() or done.exception() for done in futures.done)


def _has_all_files(folder: Path) -> bool:
    """Tell whether a folder's files are all there is to its project, since nothing but poetry-core builds it.

    Raises ProjectFileError for a pyproject.toml that can't be read.
    """
    return is_built_by_poetry_core(read_document(folder))


def _changed(path: Path) -> ChangedFileError:
    return ChangedFileError(f"{path} changed while it was bundled. Run the command again.")


def _key(choice: Choice) -> str:
    """Return what a wheel is found by in later runs."""
    if isinstance(choice, LockedWheel):
        return choice.file.hash
    package, file = choice.package, choice.file
    source = file.hash if file else (package.source_url, package.revision, package.source_subdirectory)
    return source_key(str(source), choice.target.runtime.name, choice.target.architecture)
