"""What became of one bundle, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.archive.writer import Sizes
    from poetry_lambda_plugin.layout.distribution import LeftOut
    from poetry_lambda_plugin.target.platform import Target


Status = Literal["written", "unchanged", "planned"]


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
class BundleReport:
    """One bundle."""

    project: str
    version: str
    bundle: str | None
    target: Target
    handler: str | None
    output: Path
    status: Status
    packages: tuple[PackageReport, ...]
    digest: ArchiveDigest | None
    """None in a dry run without all files at hand."""
    loose_files: tuple[str, ...]
    """What was taken from the project's root because it has no package."""
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
