"""A project's files, before they are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.layout.modules import UnknownModuleError


class ProjectFile(NamedTuple):
    """A file of the project and its place in the bundle."""

    path: str
    """With forward slashes, relative to the bundle's root."""
    file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectSource:
    """A project as it will be bundled."""

    name: str
    """Normalised name."""
    pretty_name: str
    """Name as the project writes it."""
    version: str
    summary: str
    files: tuple[ProjectFile, ...]
    """Sorted; where a path comes twice, the first file is meant."""
    licences: tuple[ProjectFile, ...]
    """With paths relative to the project's root."""
    entry_points: Mapping[str, Mapping[str, str]]
    """Object references by group and name."""
    is_distribution: bool
    """False where it has no metadata: `package-mode = false`."""
    unknown: tuple[UnknownModuleError, ...] = ()
    """For each module that `modules` names and that must be a path dependency's."""
    loose: tuple[str, ...] = ()
    """What was taken although no package has it."""
    missing_packages: tuple[str, ...] = ()
    """What `packages` names, and nobody has."""
    notes: tuple[str, ...] = ()
    included: frozenset[str] = frozenset()
    """Paths of the files that the user adds with the plugin's `include`."""
    core_metadata: tuple[tuple[str, str], ...] = ()
    """Fields besides name, version, summary and licence files."""
