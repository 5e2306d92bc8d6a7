"""Lines on a terminal that tell how far the downloads are."""

from __future__ import annotations

import threading

from typing import TYPE_CHECKING

from poetry_lambda_plugin.report.text import heading
from poetry_lambda_plugin.report.text import package_line


if TYPE_CHECKING:
    from cleo.io.io import IO
    from cleo.io.outputs.section_output import SectionOutput

    from poetry_lambda_plugin.job import BundleJob
    from poetry_lambda_plugin.sources.lockfile import LockedPackage


class ConsoleObserver:
    """Writes what happens in the look of Poetry's own commands; safe to call from several threads."""

    def __init__(self, io: IO) -> None:
        self._io = io
        self._lock = threading.Lock()
        self._sections: dict[LockedPackage, SectionOutput] = {}
        self._percents: dict[LockedPackage, int] = {}

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Rewrite a package's line when its percentage has changed; without a terminal, write it once."""
        percent = fetched * 100 // total if total else 0
        with self._lock:
            if self._percents.get(package) == percent:
                return
            first = package not in self._percents
            self._percents[package] = percent
            self._show(package, f"<info>{percent:3}%</info>" if total else "", first=first)

    def building(self, package: LockedPackage) -> None:
        """Say that a wheel is being built, which can take a while."""
        with self._lock:
            self._show(package, "<info>building</info>", first=package not in self._percents)
            self._percents.setdefault(package, 100)

    def finish(self, package: LockedPackage) -> None:
        """Let a package's line say that its file is here."""
        with self._lock:
            if package in self._sections:
                self._show(package, "<success>done</success>", first=False)

    def compiling(self, files: int, version: str) -> None:
        """Say that bytecode is being compiled, which can take a while."""
        self._io.write_line(
            f"  <fg=blue;options=bold>-</> Compiling <c1>{files:,}</c1> "
            f"{'file' if files == 1 else 'files'} with CPython <c2>{version}</c2>"
        )

    def begin(self, job: BundleJob) -> None:
        """Write the heading of a bundle."""
        self._io.write_line(heading(job.name, job.version, job.config.bundle, job.target))
        self._io.write_line("")

    def bundled(self, name: str, version: str) -> None:
        """Write the line of a distribution."""
        self._io.write_line(package_line(name, version))

    def _show(self, package: LockedPackage, state: str, *, first: bool) -> None:
        line = f"  <fg=blue;options=bold>-</> Preparing <c1>{package.name}</c1> (<c2>{package.version}</c2>)"
        if not self._io.output.is_decorated():
            if first:
                self._io.write_line(line)
            return
        if first:
            self._sections[package] = self._io.section()
        section = self._sections[package]
        section.clear()
        section.write(f"{line}: {state}" if state else line)


class SilentObserver:
    """Writes nothing: standard output belongs to the JSON document."""

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Pass over a download's progress."""

    def building(self, package: LockedPackage) -> None:
        """Pass over a build."""

    def finish(self, package: LockedPackage) -> None:
        """Pass over a download's end."""

    def compiling(self, files: int, version: str) -> None:
        """Pass over a compilation."""

    def begin(self, job: BundleJob) -> None:
        """Pass over a bundle's beginning."""

    def bundled(self, name: str, version: str) -> None:
        """Pass over a distribution."""
