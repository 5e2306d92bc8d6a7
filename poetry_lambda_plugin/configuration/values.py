"""What a user wants of one bundle, as frozen values."""

from __future__ import annotations

import os

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal
from typing import TypeVar
from typing import get_args

from poetry_lambda_plugin.runtime.runtimes import DEFAULT_ARCHITECTURE


if TYPE_CHECKING:
    from pathlib import Path
    from pathlib import PurePath

    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime


BytecodeMode = Literal["checked-hash", "unchecked-hash"]
MODES: tuple[BytecodeMode, ...] = get_args(BytecodeMode)

OPTIMIZATIONS = (0, 1, 2)
"""Levels of PYTHONOPTIMIZE, each with files of its own (PEP 488)."""

LAYER_PATHS = ("python", "version-specific")

ALL = "all"
"""Stands for all of the project's own modules, or for all functions."""

REACHABLE = "reachable"
"""Stands for those of the project's own modules that the handler leads to."""

AUTO = "auto"
"""Stands for the services that the project's sources ask clients for."""

NONE = "none"
NO_LIMIT = 1 << 63
"""What NONE stands for as a size: more bytes than any file has."""

TABLE = "tool.poetry-lambda-plugin"
BUNDLES = "bundles"

AnyPath = TypeVar("AnyPath", bound="PurePath")


def seen_from(folder: PurePath, path: AnyPath) -> AnyPath:
    """Return a path relative to a folder, upwards too; as it is where it lies on another drive of Windows."""
    try:
        # os.path, since pathlib has no relative path upwards before Python 3.12
        return type(path)(os.path.relpath(path, folder))
    except ValueError:
        return path


@dataclass(frozen=True, slots=True)
class Include:
    """Files that a user wants in the bundle."""

    path: str
    """A file, a folder or a glob, relative to the project's root."""
    to: str | None = None
    """Where it goes in the bundle; None for its own relative path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which of the locked packages are wanted, in the words of `poetry install`."""

    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    all_extras: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleConfig:
    """All that a user said about one bundle."""

    bundle: str | None = None
    """Name of its table below `bundles`; None without one."""
    runtime: Runtime | None = None
    """None for the newest that the project allows."""
    runtime_set_by: str | None = None
    """The option or the dotted key that names the runtime."""
    architectures: tuple[Architecture, ...] = (DEFAULT_ARCHITECTURE,)
    output: Path | None = None
    """Absolute, with placeholders; None for the default."""
    unpacked: Path | None = None
    """Absolute, with placeholders: a folder instead of the ZIP; None for the ZIP."""
    sbom: Path | None = None
    """Absolute, with placeholders; None for no SBOM."""
    selection: Selection = Selection()
    no_root: bool = False
    only_root: bool = False
    include: tuple[Include, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_packages: tuple[str, ...] = ()
    """Normalised names; what only they need goes too."""
    exclude_runtime_packages: bool = False
    exclude_layers: tuple[Path | str, ...] = ()
    """Layers whose distributions the function does without: paths of ZIPs, and names of bundles."""
    shared_by: tuple[str, ...] = ()
    """Names of the functions that a layer is for: it holds what all of them need."""
    botocore_services: tuple[str, ...] | None = None
    """Services whose models are kept, or AUTO alone; None for all."""
    layer: bool = False
    layer_path: str = "python"
    max_size: int | None = None
    """Unzipped bytes that the bundle and its layers may have; None for less than Lambda's own limit."""
    bytecode: BytecodeMode | None = None
    bytecode_exclude: tuple[str, ...] = ()
    """Patterns of sources that are not compiled."""
    optimize: int = 0
    """As PYTHONOPTIMIZE will be set."""
    handler: str | None = None
    modules: tuple[str, ...] | None = None
    """The project's own modules, packages or patterns of them; None for all. REACHABLE may be among them."""
    scripts: bool = False
    audit: bool = True
    """Whether the bundle is looked into before it is written."""
    ignore: tuple[str, ...] = ()
    """Findings that the user knows of: `CODE` or `CODE:WHERE`."""
    ignore_is_shared: bool = False
    """Whether bundles that this run does not make have it from the same table."""
    strict: bool = False

    @property
    def begins_at_handler(self) -> bool:
        """Whether only those of the project's own modules are taken that the handler leads to."""
        return REACHABLE in (self.modules or ())

    @property
    def table(self) -> str:
        """Name of the table in pyproject.toml that is this bundle's own."""
        return f"{TABLE}.{BUNDLES}.{self.bundle}" if self.bundle else TABLE

    @property
    def layer_files(self) -> tuple[Path, ...]:
        """Those of its layers that are ZIPs on disk."""
        return tuple(layer for layer in self.exclude_layers if not isinstance(layer, str))

    @property
    def layer_bundles(self) -> tuple[str, ...]:
        """Those of its layers that are bundles of the same project."""
        return tuple(layer for layer in self.exclude_layers if isinstance(layer, str))
