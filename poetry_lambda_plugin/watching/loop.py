"""The loop that follows the keyboard: make what changed, tell of it, wait."""

from __future__ import annotations

import gc
import os
import time

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.bundling import make_bundles
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.sources.artifacts import KeptWheels
from poetry_lambda_plugin.sources.artifacts import temporary_folder
from poetry_lambda_plugin.sources.folder_state import stamps
from poetry_lambda_plugin.stages.memory import Memory
from poetry_lambda_plugin.watching.changes import Changes
from poetry_lambda_plugin.watching.folders import watched_folders
from poetry_lambda_plugin.watching.stopping import noted_signals


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.bundling import Circumstances
    from poetry_lambda_plugin.bundling import Observer
    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.sources.folder_state import Stamp


PROJECT_FILES = ("pyproject.toml", "poetry.lock", "poetry.toml")
"""What a project is read from as a whole."""

SETTLING = 0.2
"""Seconds without a change before a failure is told: what is half-written is mostly whole by then."""


AT_MOST = 5.0
"""Seconds after which it is told though there is always another change."""


class DisturbedError(LambdaBundleError):
    """A file that has gone meanwhile, or another failure of this machine."""

    def __init__(self, error: OSError) -> None:
        where = f"{error.filename}: " if error.filename else ""
        super().__init__(f"{where}{error.strerror or error}. No bundle was changed.")


class Teller(Protocol):
    """Tells a person or a program what became of each change."""

    def first(self, reports: Iterator[BundleReport]) -> None:
        """Tell of the bundles as a run without the loop does."""

    def began(self) -> None:
        """Say that files are watched from now on."""

    def failed(self, error: LambdaBundleError) -> None:
        """Tell what keeps bundles from being made."""

    def remade(self, changed: Sequence[str], reports: Iterator[BundleReport], started: float) -> None:
        """Tell of the bundles that a change concerns; `started` is by `time.perf_counter`."""


@dataclass(slots=True)
class Loop:
    """Makes bundles again and again."""

    open: Callable[[], tuple[OpenProject, Order]]
    """Reads the project as it is now; raises LambdaBundleError."""
    circumstances: Callable[[], Circumstances]
    observers: Iterator[Observer]
    """Those that the runs are told to."""
    teller: Teller
    is_heard: Callable[[], bool]
    """Tells whether what is told still arrives."""

    def run(self) -> None:
        """Go on until KeyboardInterrupt, or until nobody listens.

        Raises LambdaBundleError where there is no project to begin with, or too much to be watched.
        """
        project, order = self.open()
        with temporary_folder() as builds, noted_signals() as stopped, Changes(stopped) as changes:
            _Watch(self, project, order, changes, Memory(KeptWheels(builds))).follow()


class _Watch:
    """The loop under way."""

    def __init__(
        self, loop: Loop, project: OpenProject, order: Order, changes: Changes, memory: Memory
    ) -> None:
        self._loop = loop
        self._project = project
        self._order = order
        self._root = project.facts.root
        self._changes = changes
        self._memory = memory
        self._outputs: frozenset[str] = frozenset()
        self._state = self._project_state()
        self._failure: str | None = None
        """What was told last of why bundles can't be made."""

    def follow(self) -> None:
        self._look_around()
        failure = self._attempt(lambda: self._loop.teller.first(self._reports()))
        if failure is not None:
            self._loop.teller.failed(failure)
            self._failure = str(failure)
        self._loop.teller.began()
        _collect(freeze=True)
        while self._loop.is_heard():
            # what changed in folders that were not watched yet is not told of
            changed = [] if self._look_around() else self._changes.wait(self._outputs)
            self._remake(changed)
            _collect()

    def _remake(self, changed: list[str]) -> None:
        """Make what a change concerns; what fails is tried again as long as files change."""
        end = time.monotonic() + AT_MOST
        while True:
            started = time.perf_counter()
            names = self._names(changed)
            failure = self._attempt(lambda: self._loop.teller.remade(names, self._reports(), started))  # noqa: B023
            if failure is None:
                self._failure = None
                return
            more = self._changes.wait(self._outputs, SETTLING)
            is_moving = more or isinstance(failure, ChangedFileError)
            if not is_moving or time.monotonic() > end:
                break
            changed = [*dict.fromkeys((*changed, *more))]
        if str(failure) != self._failure:
            self._loop.teller.failed(failure)
            self._failure = str(failure)

    def _attempt(self, act: Callable[[], None]) -> LambdaBundleError | None:
        try:
            if self._reopened():
                self._look_around()
            act()
        except LambdaBundleError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise
            return error
        except OSError as error:
            return DisturbedError(error)
        return None

    def _reopened(self) -> bool:
        """Read the project again if any of its files is another one; raises LambdaBundleError."""
        state = self._project_state()
        if state == self._state:
            return False
        self._project, self._order = self._loop.open()
        self._state = state
        # those of wheels that are locked no more would stay
        self._memory.notes.clear()
        return True

    def _project_state(self) -> tuple[Stamp, ...]:
        return stamps(self._root / name for name in PROJECT_FILES)

    def _reports(self) -> Iterator[BundleReport]:
        observer = next(self._loop.observers)
        circumstances = self._loop.circumstances()
        try:
            return make_bundles(self._project, self._order, circumstances, observer, self._memory)
        finally:
            self._outputs |= self._memory.outputs

    def _look_around(self) -> bool:
        """Watch all folders that matter now; tell whether they are others. Raises WatchLimitError.

        One that appears while they are looked for is found by a second look.
        """
        are_others = False
        while self._changes.watch(
            watched_folders(self._project, self._order, self._memory.own_files, self._outputs)
        ):
            are_others = True
        return are_others

    def _names(self, changed: Sequence[str]) -> list[str]:
        """Return changed files as a person knows them, those that are there first."""
        there = sorted(changed, key=lambda path: (not os.path.exists(path), path))  # noqa: PTH110
        return [_relative(path, os.fspath(self._root)) for path in there]


def _relative(path: str, root: str) -> str:
    try:
        return os.path.relpath(path, root)
    except ValueError:
        # on another drive of Windows
        return path


def _collect(*, freeze: bool = False) -> None:
    """Free what a run left in circles, while nobody waits; the command has turned the collector off."""
    gc.collect()
    if freeze:
        gc.freeze()
