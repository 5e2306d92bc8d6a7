"""What a project and Poetry's configuration say, read once and passed on instead of Poetry's own objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.selection.choice import BinaryPolicy


POETRY_BACKENDS = ("poetry.core.masonry.api", "poetry.masonry.api")

NO_INDEX = "lambda-bundle"
"""Name of the cache for what comes from no index; `poetry cache clear lambda-bundle --all` clears it."""


@dataclass(frozen=True, slots=True)
class PackagesItem:
    """An entry of `packages` in pyproject.toml that is meant for wheels."""

    include: str
    """A module, a package or a glob."""
    base: str = "."
    """Its folder (`from`), relative to the project's root."""
    to: str = ""
    """Where in the bundle it goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectFacts:
    """What pyproject.toml says of a project: the user's own, or a path or git dependency."""

    root: Path
    """Folder of pyproject.toml, absolute."""
    name: str
    """Normalised; the folder's name where the project has none."""
    pretty_name: str
    """As the project writes it."""
    version: str
    summary: str
    python_versions: str
    """The constraint on Python, as written."""
    allows: Callable[[str], bool]
    """Judges full Python versions by that constraint."""
    packages: tuple[PackagesItem, ...] | None
    """None where pyproject.toml names none."""
    include: tuple[str, ...]
    """Globs of what is added to a wheel."""
    exclude: tuple[str, ...]
    """Globs of what is left out."""
    entry_points: Mapping[str, Mapping[str, str]]
    """Object references by group and name."""
    licence_patterns: tuple[str, ...]
    """Globs of licence files."""
    is_package_mode: bool
    document: Mapping[str, Any]
    """All of pyproject.toml."""
    core_metadata: tuple[tuple[str, str], ...] = ()
    """Fields of core metadata besides name, version and summary."""

    @property
    def needs_build(self) -> bool:
        """Tell whether the project itself has to be built: another backend than poetry-core, or a script."""
        return "build-system" in self.document and not is_built_by_poetry_core(self.document)


@dataclass(frozen=True, kw_only=True, slots=True)
class PoetrySettings:
    """What Poetry's configuration and command line say."""

    binary_policy: BinaryPolicy
    workers: int
    """Downloads at once."""
    artifacts: Path
    """Folder of the artifact cache."""
    repositories: Path
    """Folder of the repository cache, which has one for each index."""
    disable_cache: bool
    dry_run: bool = False

    @property
    def keeps(self) -> bool:
        """Tell whether anything may be kept for later runs."""
        return not (self.disable_cache or self.dry_run)

    @property
    def own_cache(self) -> Path:
        """The folder for what comes from no index, among Poetry's caches, to be cleared with them."""
        return self.repositories / NO_INDEX


def is_built_by_poetry_core(document: Mapping[str, Any]) -> bool:
    """Tell whether poetry-core builds a project without a script, so that its files are all there is."""
    table = document.get("tool", {}).get("poetry", {})
    if table.get("package-mode") is False:
        return True
    # PEP 518 means setuptools where nothing is named, `poetry build` means poetry-core
    default = POETRY_BACKENDS[0] if table else None
    backend = document.get("build-system", {}).get("build-backend", default)
    return backend in POETRY_BACKENDS and not _build_script(table)


def is_built_by_setuptools(document: Mapping[str, Any]) -> bool:
    """Tell whether setuptools itself builds a project, which PEP 517 means where nothing is named."""
    backend = document.get("build-system", {}).get("build-backend", "setuptools.build_meta")
    return str(backend).startswith("setuptools.")


def _build_script(table: Mapping[str, Any]) -> object:
    """Return the script that `build` of [tool.poetry] names; what else a table says builds nothing."""
    build = table.get("build")
    return build.get("script") if isinstance(build, dict) else build
