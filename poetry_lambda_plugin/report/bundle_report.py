"""What became of one bundle, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.archive.writer import Sizes
    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.configuration.values import BytecodeMode
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.layout.distribution import LeftOut
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
    from poetry_lambda_plugin.selection.runtime_choice import ChosenBy
    from poetry_lambda_plugin.trial.outcome import SmokeTest


Status = Literal["written", "unchanged", "planned", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageReport:
    """One distribution in the bundle."""

    name: str
    version: str
    file: str
    """Name of the wheel; `.` for the project itself."""
    sizes: Sizes | None
    """None in a dry run without the file at hand."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BytecodeReport:
    """What bytecode was added."""

    mode: BytecodeMode
    version: str | None
    """Of the CPython that compiled it."""
    sizes: Sizes | None
    """None in a dry run where something would have to be compiled, or files are missing."""
    skipped: int | None
    """Sources that this Python does not understand; None as for the sizes."""


class FileReport(NamedTuple):
    """One file in the bundle."""

    path: str
    zipped: int
    """Bytes, headers included."""
    unzipped: int
    """Bytes."""
    owner: str = ""
    """The package that brings it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why packages are there, what takes the room and what could be saved."""

    paths: Mapping[str, tuple[str, ...]]
    """The shortest way from a direct dependency to each package, both included."""
    savings: Savings
    largest_files: tuple[FileReport, ...]
    """The largest first."""
    unimported: tuple[str, ...]
    """Direct dependencies that nothing in the bundle seems to import."""
    files: tuple[FileReport, ...] = ()
    """All, by path, where a map of them is wanted."""
    old_files: tuple[FileReport, ...] | None = None
    """Those of the bundle that it is compared with, by path; None without one, or without a map."""


class LayerReport(NamedTuple):
    """A layer beside a function."""

    bundle: str | None
    """Name of the bundle that it is; None for a ZIP that is only named by its path."""
    path: Path
    unzipped: int | None
    """Bytes; None in a dry run that lacks files of it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one package; sizes are what it has gained, in bytes."""

    name: str
    old_version: str | None
    new_version: str | None
    zipped: int
    unzipped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleReport:
    """One bundle."""

    project: str
    version: str
    bundle: str | None
    target: Target
    runtime_chosen_by: ChosenBy
    handler: str | None
    output: Path
    is_folder: bool
    """Whether the output is a folder instead of a ZIP."""
    sbom: Path | None
    """None where none was asked for."""
    status: Status
    changed: bool | None
    """Whether the output has other bytes than before, in a dry run whether it would; None where unknown."""
    packages: tuple[PackageReport, ...]
    left_out: tuple[LeftOutPackage, ...]
    """Packages that are selected, but left to the runtime, to a layer or to nobody."""
    unzipped_limit: int | None
    """Bytes that it and its layers may not reach: Lambda's own or the user's; None for no limit."""
    layers: tuple[LayerReport, ...]
    """Those that the function will have beside it."""
    digest: ArchiveDigest | None
    """None in a dry run without all files at hand."""
    bytecode: BytecodeReport | None
    """None where none was asked for."""
    explanation: Explanation | None
    """None where none was asked for, or sizes are unknown."""
    differences: tuple[Difference, ...] | None
    """What changed since another bundle; None where none was named, or sizes are unknown."""
    loose_files: tuple[str, ...]
    """What was taken from the project's root because it has no package."""
    audit: bool
    """Whether the bundle was looked into."""
    findings: tuple[Finding, ...]
    """Warnings, and errors where it failed for them."""
    notes: tuple[str, ...]
    smoke_test: SmokeTest | None = None
    """What became of its handler; None where none was asked for."""
    error: str | None = None
    """What kept it from its place."""

    @property
    def layers_unzipped(self) -> int | None:
        """Bytes of its layers; None where one is not known."""
        sizes = [layer.unzipped for layer in self.layers]
        return None if None in sizes else sum(filter(None, sizes))


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedReport:
    """A bundle that could not be made."""

    project: str
    version: str
    bundle: str | None
    architecture: str | None
    """None where its table can't be read."""
    target: Target | None
    """None where no runtime was found for it."""
    handler: str | None
    output: Path | None
    error: str
    """In lines."""
