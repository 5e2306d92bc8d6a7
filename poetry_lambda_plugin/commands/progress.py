"""The one list of packages that a person sees grow, and what is under way below it."""

from __future__ import annotations

import threading
import time

from collections import deque
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.commands.live_line import INTERVAL
from poetry_lambda_plugin.commands.live_line import LiveLine
from poetry_lambda_plugin.commands.live_line import Span
from poetry_lambda_plugin.commands.live_line import is_terminal
from poetry_lambda_plugin.report.text import DONE
from poetry_lambda_plugin.report.text import build_line
from poetry_lambda_plugin.report.text import compilation_line
from poetry_lambda_plugin.report.text import heading
from poetry_lambda_plugin.report.text import package_line
from poetry_lambda_plugin.report.text import phases_line
from poetry_lambda_plugin.report.text import trial_line
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import duration
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from cleo.io.io import IO

    from poetry_lambda_plugin.report.phases import Phase
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.locked import LockedPackage
    from poetry_lambda_plugin.stages.selected import Selected


TICK = 1.0
"""Seconds after which the time that a build has taken is told anew."""


class _Item(NamedTuple):
    """One line of the list."""

    choice: Choice | None
    """None for a project that needs no build."""
    name: str
    version: str


class ConsoleObserver:
    """Writes what happens in the look of Poetry's own commands; safe to call from several threads.

    A package's line is written once, as soon as it and all before it are ready. What is under way is told
    by a live line on a terminal; elsewhere only builds are told when they begin, for they may take long.
    """

    def __init__(self, io: IO) -> None:
        self._io = io
        self._live = LiveLine(io.output) if is_terminal(io.output) and not io.is_debug() else None
        self._lock = threading.Lock()
        self._late = threading.Event()
        """Set when something happened too soon after the last for the live line to tell it."""
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None
        self._has_begun = False
        self._list: deque[_Item] = deque()
        self._ready: dict[Choice, str] = {}
        self._downloads: dict[LockedPackage, dict[int, int]] = {}
        """Bytes fetched by bytes in all: two architectures have two files of one package."""
        self._builds: dict[LockedPackage, float] = {}
        self._compilation: tuple[int, str, float] | None = None
        """Files, version of the compiler, and when it began."""
        self._trial: tuple[str, str, float] | None = None
        """Handler, version of the importer, and when it began."""
        self._made: set[LockedPackage] = set()

    def turn_to(self, bundle: Selected) -> None:
        """Write the heading of a bundle, and as much of its list as is known."""
        with self._lock:
            above = [""] if self._has_begun else []
            self._has_begun = True
            line = heading(bundle.name, bundle.version, bundle.config.bundle, bundle.target)
            self._write([*above, line, ""])
            self._list = deque(_items(bundle))
            self._write_ready()

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Tell how far a download is."""
        with self._lock:
            self._made.add(package)
            self._downloads.setdefault(package, {})[total] = fetched
            self._show()

    def building(self, package: LockedPackage) -> None:
        """Say that a wheel is being built, which can take a while."""
        with self._lock:
            self._made.add(package)
            self._downloads.pop(package, None)
            if package not in self._builds:
                self._builds[package] = time.monotonic()
                if self._live is None:
                    self._write([build_line(package.name, package.version)])
            self._show()

    def finish(self, package: LockedPackage) -> None:
        """Take a package out of what is under way."""
        with self._lock:
            self._downloads.pop(package, None)
            self._builds.pop(package, None)
            self._show()

    def ready(self, choice: Choice, version: str) -> None:
        """Write the line of a package, unless one before it is not ready."""
        with self._lock:
            self._ready[choice] = version
            self._write_ready()
            self._show()

    def compiling(self, files: int, version: str) -> None:
        """Say that bytecode is being compiled, which can take a while."""
        with self._lock:
            self._compilation = files, version, time.monotonic()
            if self._live is None:
                self._write([compilation_line(files, version)])
            self._show()

    def compiled(self) -> None:
        """Let the line of a compilation say that it has ended."""
        with self._lock:
            if self._live is not None and self._compilation is not None:
                files, version, _ = self._compilation
                self._write([f"{compilation_line(files, version, DONE)}: <success>done</success>"])
            self._compilation = None

    def trying(self, handler: str, version: str) -> None:
        """Say that a handler is being imported, which can take a while."""
        with self._lock:
            self._trial = handler, version, time.monotonic()
            if self._live is None:
                self._write([trial_line(handler, version)])
            self._show()

    def tried(self) -> None:
        """Let the line of a trial say that it has ended."""
        with self._lock:
            if self._live is not None and self._trial is not None:
                handler, version, _ = self._trial
                self._write([trial_line(handler, version, DONE)])
            self._trial = None

    def complete(self) -> None:
        """Write what is left of the list: in a dry run, packages that are not at hand."""
        with self._lock:
            self._write([self._line(item) for item in self._list])
            self._list.clear()

    def took(self, phases: Sequence[Phase]) -> None:
        """Say where the time went, to those who want to know."""
        if self._io.is_verbose():
            with self._lock:
                self._write([phases_line(phases)])

    def close(self) -> None:
        """Erase the live line; whatever still runs is not told any more."""
        with self._lock:
            if self._live is not None:
                self._live.erase()
            self._ended.set()
            self._late.set()
        if self._ticker is not None:
            self._ticker.join()

    def _write_ready(self) -> None:
        lines = []
        while self._list and (self._list[0].choice is None or self._list[0].choice in self._ready):
            lines.append(self._line(self._list.popleft()))
        self._write(lines)

    def _write(self, lines: Sequence[str]) -> None:
        if lines and not self._ended.is_set():
            if self._live is not None:
                self._live.erase()
            self._io.write_line("\n".join(lines))

    def _line(self, item: _Item) -> str:
        if item.choice is None:
            return package_line(item.name, item.version)
        line = package_line(item.name, self._ready.get(item.choice, item.version))
        made = item.choice.package in self._made
        self._made.discard(item.choice.package)
        return f"{line}: <success>done</success>" if made and self._live is not None else line

    def _show(self) -> None:
        """Bring the live line up to date."""
        if self._live is None or self._ended.is_set():
            return
        work = [*self._under_way()]
        if not work:
            self._live.erase()
            return
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        if not self._live.show(*_forms(*work[0], others=len(work) - 1)):
            self._late.set()

    def _under_way(self) -> Iterator[tuple[str, list[Span], str]]:
        """Yield what runs: builds, the longest first, then downloads, the largest first."""
        now = time.monotonic()
        for package, started in self._builds.items():
            yield "Bundling", _spans(package), f"building, {duration(now - started)}"
        for package, files in sorted(self._downloads.items(), key=lambda item: -sum(item[1])):
            yield "Bundling", _spans(package), _progress(sum(files.values()), sum(files))
        if self._compilation is not None:
            count, _, started = self._compilation
            yield "Compiling", [Span(counted(count, "file"), "c1")], duration(now - started)
        if self._trial is not None:
            handler, _, started = self._trial
            yield "Trying", [Span(handler, "c1")], duration(now - started)

    def _tick(self) -> None:
        while not self._ended.is_set():
            if self._late.wait(TICK):
                self._late.clear()
                self._ended.wait(INTERVAL)
            with self._lock:
                self._show()


class SilentObserver:
    """Writes nothing: standard output belongs to the JSON document."""

    def turn_to(self, bundle: Selected) -> None:
        """Pass over a bundle."""

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Pass over a download's progress."""

    def building(self, package: LockedPackage) -> None:
        """Pass over a build."""

    def finish(self, package: LockedPackage) -> None:
        """Pass over a download's end."""

    def ready(self, choice: Choice, version: str) -> None:
        """Pass over a package."""

    def compiling(self, files: int, version: str) -> None:
        """Pass over a compilation."""

    def compiled(self) -> None:
        """Pass over a compilation's end."""

    def trying(self, handler: str, version: str) -> None:
        """Pass over a trial."""

    def tried(self) -> None:
        """Pass over a trial's end."""

    def complete(self) -> None:
        """Pass over the end of a list."""

    def took(self, phases: Sequence[Phase]) -> None:
        """Pass over where the time went."""

    def close(self) -> None:
        """Have nothing to erase."""


def _items(bundle: Selected) -> Iterator[_Item]:
    """Yield a bundle's packages by name and the project, which comes last."""
    for choice in sorted(bundle.choices, key=lambda choice: choice.package.name):
        yield _Item(choice, choice.package.name, choice.package.version)
    if bundle.build is not None or (bundle.project is not None and bundle.project.files):
        yield _Item(bundle.build, bundle.name, bundle.version)


def _forms(verb: str, what: list[Span], state: str, *, others: int) -> Iterator[list[Span]]:
    """Yield what the live line could be, the longest first."""
    start, end = [Span("  "), Span("-", "fg=blue;options=bold"), Span(" ")], Span(f": {state}")
    if others:
        yield [*start, Span(f"{verb} "), *what, end, Span(f", {others} more")]
    yield [*start, Span(f"{verb} "), *what, end]
    yield [*start, what[0], end]


def _spans(package: LockedPackage) -> list[Span]:
    return [Span(package.name, "c1"), Span(" ("), Span(package.version, "c2"), Span(")")]


def _progress(fetched: int, total: int) -> str:
    """Write a share, or the size alone where the server does not tell how much it will be."""
    return f"{fetched * 100 // total} %" if total else size(fetched)
