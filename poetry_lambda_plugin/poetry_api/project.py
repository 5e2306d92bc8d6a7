"""A project opened: what it says, and the ways to its lock, its indexes and its builds."""

from __future__ import annotations

import logging

from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import Any

from cleo.io.null_io import NullIO
from packaging.utils import canonicalize_name
from poetry.config.config import PackageFilterPolicy
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import Version
from poetry.core.exceptions import PoetryCoreError
from poetry.core.factory import Factory as BaseFactory
from poetry.core.pyproject.toml import PyProjectTOML
from poetry.exceptions import PoetryError
from poetry.factory import Factory

from poetry_lambda_plugin.configuration.misnamed import hint_below_poetry
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.building import Builder
from poetry_lambda_plugin.poetry_api.facts import PackagesItem
from poetry_lambda_plugin.poetry_api.facts import PoetrySettings
from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
from poetry_lambda_plugin.poetry_api.index import Indexes
from poetry_lambda_plugin.poetry_api.interpreters import environment_interpreters
from poetry_lambda_plugin.poetry_api.lock import Lock
from poetry_lambda_plugin.poetry_api.metadata import core_metadata
from poetry_lambda_plugin.poetry_api.repositories import FallbackPyPiRepository
from poetry_lambda_plugin.poetry_api.repositories import FolderRepository
from poetry_lambda_plugin.poetry_api.repositories import QuickAuthenticator
from poetry_lambda_plugin.selection.choice import BinaryPolicy


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry.config.config import Config
    from poetry.console.application import Application
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.poetry import Poetry as CorePoetry
    from poetry.poetry import Poetry
    from poetry.repositories.http_repository import HTTPRepository


NAMELESS = "non-package-mode"
"""What poetry-core calls a project without a name."""

LICENCE_PATTERNS = ("COPYING*", "LICEN[SC]E*", "AUTHORS*", "NOTICE*", "LICENSES/**/*")
"""Files that poetry-core takes for licences where the project names none (PEP 639)."""


MAX_DOCUMENT = 16 << 20
"""Bytes of a pyproject.toml, which is read whole."""


class ProjectFileError(LambdaBundleError):
    """A pyproject.toml that is missing or that Poetry refuses."""


@dataclass(frozen=True, slots=True)
class OpenProject:
    """The user's project."""

    facts: ProjectFacts
    settings: PoetrySettings
    lock: Lock
    indexes: Indexes
    builder: Builder
    environments: Callable[[], Iterator[Path]]
    """Yields the interpreters of its environments; looked for when called."""


class LenientMetadata:
    """Reads a project without its licence file, which may be gone, or anything that the host has."""

    @classmethod
    def _configure_package_metadata(
        cls, package: ProjectPackage, project: dict[str, Any], tool_poetry: dict[str, Any], root: Path
    ) -> None:
        # same signature in 2.1.4, 2.2.1 and 2.5.1; reads all of `license = {file = …}`, and fails without it
        licence = project.get("license")
        if isinstance(licence, dict) and "file" in licence and "license-files" not in project:
            project = {key: value for key, value in project.items() if key != "license"}
        super()._configure_package_metadata(package, project, tool_poetry, root)  # type: ignore[misc]


class LenientFactory(LenientMetadata, Factory):
    """Reads a project leniently, and asks the default index by the Simple API where need be."""

    @classmethod
    def create_package_source(
        cls, source: dict[str, str], config: Config, disable_cache: bool = False
    ) -> HTTPRepository:
        """Return the index that a source names."""
        if source.get("name", "").lower() == "pypi" and "url" not in source:
            repository: HTTPRepository = FallbackPyPiRepository(
                config=config, disable_cache=disable_cache, pool_size=config.installer_max_workers
            )
        elif source.get("url", "").startswith("file:"):
            return FolderRepository(source["name"], source["url"], config=config, disable_cache=disable_cache)
        else:
            repository = super().create_package_source(source, config, disable_cache=disable_cache)
        # HTTPRepository makes its own in 2.1 … 2.5, and asks nothing before
        repository._authenticator = QuickAuthenticator(
            config=config,
            cache_id=repository.name,
            disable_cache=disable_cache,
            pool_size=config.installer_max_workers,
        )
        repository._authenticator.add_repository(repository.name, repository.url)
        return repository


class CoreFactory(LenientMetadata, BaseFactory):
    """poetry-core's factory without Poetry's locker, configuration and indexes."""


def open_project(application: Application, opened: Poetry | None = None) -> OpenProject:
    """Read the user's project, or take the one that another plugin has `opened`; raises ProjectFileError."""
    try:
        poetry = opened or _created(application)
        settings = _settings(poetry)
        return OpenProject(
            facts=_facts(poetry, read_document(poetry.pyproject_path.parent)),
            settings=settings,
            lock=Lock(poetry),
            indexes=Indexes(poetry, settings.workers),
            builder=Builder(poetry),
            environments=partial(environment_interpreters, poetry),
        )
    except (PoetryError, PoetryRuntimeError, RuntimeError, ValueError, OSError, KeyError) as error:
        lines = [line for line in (*str(error).splitlines(), hint_below_poetry(str(error))) if line.strip()]
        raise ProjectFileError(*lines) from error


def _created(application: Application) -> Poetry:
    """Read a project as `application.poetry` does, but leniently."""
    # Private, but as old as the options --no-plugins and --no-cache. At -vvv Poetry would print the
    # addresses of sources, credentials included.
    return LenientFactory().create_poetry(
        cwd=application.project_directory,
        io=NullIO(),
        disable_plugins=application._disable_plugins,
        disable_cache=application._disable_cache,
    )


def read_facts(folder: Path) -> ProjectFacts:
    """Read the project of a path or git dependency; raises RuntimeError and others where there is none."""
    poetry = CoreFactory().create_poetry(folder, with_groups=False)
    return _facts(poetry, poetry.pyproject.data)


def read_document(folder: Path) -> Mapping[str, Any]:
    """Read a folder's pyproject.toml, which may be missing; raises ProjectFileError."""
    pyproject = PyProjectTOML(folder / "pyproject.toml")
    try:
        return _readable(pyproject).data
    except (PoetryCoreError, OSError) as error:
        # poetry-core's own words name the file once more
        reason = " ".join(str(error.__cause__ or error).split())
        raise ProjectFileError(f"{pyproject.path} can't be read: {reason}. Correct the file.") from error


def _readable(pyproject: PyProjectTOML) -> PyProjectTOML:
    """Return what neither never ends nor fills the memory; raises OSError."""
    path = pyproject.path
    if path.exists() and not path.is_file():
        raise OSError("it is no regular file")
    if path.exists() and path.stat().st_size > MAX_DOCUMENT:
        raise OSError(f"it has more than {MAX_DOCUMENT >> 20} MB")
    return pyproject


def silence_path_warnings() -> None:
    """Keep Poetry from telling, twice, of each path dependency that is missing.

    One that is to be bundled ends in an error, and no other matters. Same logger in 2.1.4, 2.2.1 and 2.5.1.
    """
    logging.getLogger("poetry.core.packages.path_dependency").setLevel(logging.ERROR)


def _facts(poetry: CorePoetry, document: Mapping[str, Any]) -> ProjectFacts:
    package, root = poetry.package, poetry.pyproject_path.absolute().parent
    constraint = package.python_constraint
    return ProjectFacts(
        root=root,
        name=package.name if package.name != NAMELESS else canonicalize_name(root.resolve().name),
        pretty_name=package.pretty_name,
        version=package.version.to_string(),
        summary=" ".join((package.description or "").split()),
        python_versions=package.python_versions,
        allows=lambda version: constraint.allows(Version.parse(version)),
        packages=_packages(package),
        include=tuple(item["path"] for item in package.include if "wheel" in item["format"]),
        exclude=tuple(map(str, package.exclude)),
        entry_points={name: dict(group) for name, group in package.entry_points.items()},
        licence_patterns=_licence_patterns(document),
        is_package_mode=poetry.is_package_mode,
        document=document,
        core_metadata=tuple(core_metadata(package, document)),
    )


def _packages(package: ProjectPackage) -> tuple[PackagesItem, ...] | None:
    if not package.packages:
        return None
    return tuple(
        PackagesItem(item["include"], item.get("from", "."), item.get("to", ""))
        for item in package.packages
        if "wheel" in item["format"]
    )


def _licence_patterns(document: Mapping[str, Any]) -> tuple[str, ...]:
    # Poetry reads `license-files` in all releases, but heeds them since 2.2 only
    project = document.get("project", {})
    named, licence = project.get("license-files"), project.get("license")
    if isinstance(named, list):
        return tuple(map(str, named))
    file = PurePosixPath(licence["file"]) if isinstance(licence, dict) and "file" in licence else None
    is_within = file is not None and not file.is_absolute() and ".." not in file.parts
    return (*LICENCE_PATTERNS, str(file)) if is_within else LICENCE_PATTERNS


def _settings(poetry: Poetry) -> PoetrySettings:
    config = poetry.config
    return PoetrySettings(
        binary_policy=BinaryPolicy(
            _names(PackageFilterPolicy(config.get("installer.no-binary", []))),
            _names(PackageFilterPolicy(config.get("installer.only-binary", []))),
        ),
        workers=config.installer_max_workers if config.get("installer.parallel", True) else 1,
        artifacts=config.artifacts_cache_directory,
        repositories=config.repository_cache_directory,
        disable_cache=poetry.disable_cache,
    )


def _names(policy: PackageFilterPolicy) -> frozenset[str]:
    return frozenset(name if name.startswith(":") else canonicalize_name(name) for name in policy.packages)
