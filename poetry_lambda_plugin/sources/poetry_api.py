"""Every use of Poetry's API that is private or has moved, each with the versions it was tried on.

Tried on Poetry 2.1.4, 2.2.1 and 2.5.1.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

from contextlib import suppress
from functools import cache
from pathlib import Path
from socket import gaierror
from threading import Lock
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any
from typing import cast
from urllib.parse import urlsplit
from urllib.request import url2pathname
from weakref import WeakKeyDictionary

from cleo.io.null_io import NullIO
from packaging.utils import canonicalize_name
from poetry.config.config import Config
from poetry.core.factory import Factory as BaseFactory
from poetry.core.vcs.git import executable
from poetry.factory import Factory
from poetry.installation.chef import Chef
from poetry.installation.executor import Executor
from poetry.installation.installer import Installer
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.http_repository import HTTPRepository
from poetry.repositories.installed_repository import InstalledRepository
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.html import HTMLPage
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.authenticator import Authenticator
from poetry.utils.env import NullEnv
from poetry.utils.helpers import remove_directory
from poetry.vcs.git import Git

from poetry_lambda_plugin.sources.connections import CachingAdapter
from poetry_lambda_plugin.sources.connections import SharedAuthorities


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from dulwich.repo import Repo
    from packaging.tags import Tag
    from packaging.utils import NormalizedName
    from poetry.console.application import Application
    from poetry.core.constraints.version import Version
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.packages.utils.link import Link
    from poetry.core.poetry import Poetry as CorePoetry
    from poetry.installation.operations.operation import Operation
    from poetry.packages.locker import Locker
    from poetry.poetry import Poetry
    from poetry.repositories.link_sources.base import LinkSource
    from poetry.repositories.repository import Repository
    from poetry.utils.download import Downloader
    from poetry.utils.env import Env
    from requests import Session

    from poetry_lambda_plugin.runtime.platform import Target


SUBMODULE_ERROR = re.compile(r"clone of '([^']+)' into submodule path")
"""How the git command names the submodule that it can't clone."""

UNVERSIONED = re.compile(r"python3?(?:\.exe)?")
"""Names of interpreters that don't tell the minor version."""

PATIENCE = 30
"""Seconds for an interpreter to say its version."""


class FallbackPyPiRepository(PyPiRepository):
    """The default index, asked by the Simple API where its own JSON is missing, as on many mirrors.

    Tried against Poetry's use of both methods in 2.1.4, 2.2.1 and 2.5.1; LegacyRepository's bodies use
    nothing but what every HTTPRepository has.
    """

    _lacks_json = False

    def find_links_for_package(self, package: Package) -> list[Link]:
        """Return a release's files; after the first miss the JSON is not asked for again."""
        links = [] if self._lacks_json else self._links_of_json(package)
        if not links:
            links = LegacyRepository.find_links_for_package(cast("LegacyRepository", self), package)
            self._lacks_json = bool(links)
        return links

    def _links_of_json(self, package: Package) -> list[Link]:
        try:
            return super().find_links_for_package(package)
        except (ValueError, KeyError):
            # something else than JSON at the JSON's address
            return []

    def _get_release_info(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        """Return what the resolver asks, as it does for the requirements of a build."""
        try:
            return super()._get_release_info(name, version)
        except (PackageNotFoundError, ValueError, KeyError):
            return LegacyRepository._get_release_info(cast("LegacyRepository", self), name, version)


class FolderRepository(LegacyRepository):
    """An index in a folder (`file:` URL): a page per project, as pip reads it."""

    def _get_page(self, name: NormalizedName) -> LinkSource:
        folder = Path(url2pathname(urlsplit(self.url).path)) / name
        try:
            page = (folder / "index.html").read_text(encoding="utf-8")
        except OSError:
            raise PackageNotFoundError(f"Package [{name}] not found.") from None
        return HTMLPage(f"{folder.as_uri()}/", page)


class QuickAuthenticator(Authenticator):
    """Poetry's session, which makes one pool for each host and reads certificate authorities once.

    Tried against Authenticator's use of both methods in 2.1.4, 2.2.1 and 2.5.1.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._making = Lock()

    def get_session(self, url: str | None = None) -> Session:
        """Return a host's session; threads that come first together would each make one."""
        with self._making:
            return super().get_session(url)

    def create_session(self) -> Session:
        """Make a session."""
        session = super().create_session()
        if self._cache_control is None:
            session.mount("https://", SharedAuthorities(pool_maxsize=self._pool_size))
        else:
            session.mount("https://", CachingAdapter(cache=self._cache_control, pool_maxsize=self._pool_size))
        return session


class LenientMetadata:
    """Reads a project whose licence file is gone: a Lambda needs none."""

    @classmethod
    def _configure_package_metadata(
        cls, package: ProjectPackage, project: dict[str, Any], tool_poetry: dict[str, Any], root: Path
    ) -> None:
        # same signature in 2.1.4, 2.2.1 and 2.5.1; reads `license = {file = …}` and fails without it
        licence = project.get("license")
        if isinstance(licence, dict) and "file" in licence and not (root / licence["file"]).is_file():
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


def create_poetry(application: Application) -> Poetry:
    """Read the project as `application.poetry` does, but leniently.

    Raises RuntimeError, PoetryError and others where there is no project, or a wrong one.
    """
    # Private, but as old as the options --no-plugins and --no-cache. At -vvv Poetry would print the
    # addresses of sources, credentials included.
    return LenientFactory().create_poetry(
        cwd=application.project_directory,
        io=NullIO(),
        disable_plugins=application._disable_plugins,
        disable_cache=application._disable_cache,
    )


def silence_path_warnings() -> None:
    """Keep Poetry from telling, twice, of each path dependency that is missing.

    One that is to be bundled ends in an error, and no other matters. Same logger in 2.1.4, 2.2.1 and 2.5.1.
    """
    logging.getLogger("poetry.core.packages.path_dependency").setLevel(logging.ERROR)


class TargetEnv(NullEnv):
    """The environment of a Lambda function; MockEnv would let the host's values through."""

    def __init__(self, target: Target) -> None:
        self._target = target
        super().__init__()

    def get_marker_env(self) -> Any:
        """Answer every marker for the target; also what Poetry adds to PEP 508."""
        runtime = self._target.runtime
        return {
            **self._target.marker_environment,
            "version_info": (*runtime.python, runtime.newest_micro, "final", 0),
            "interpreter_name": "cp",
            "interpreter_version": "".join(map(str, runtime.python)),
            "sysconfig_platform": f"linux-{self._target.marker_environment['platform_machine']}",
            "free_threading": False,
        }

    def get_supported_tags(self) -> list[Tag]:
        """Return the target's wheel tags."""
        return list(self._target.supported_tags)


class LockedConfig(Config):
    """The user's configuration, but a lock that says all by itself is not resolved again.

    Up to 2.2 Poetry does so by default; the variable POETRY_INSTALLER_RE_RESOLVE asks for it in all releases.
    """

    @classmethod
    def of(cls, config: Config) -> LockedConfig:
        """Look at a configuration without changing it."""
        view = cls.__new__(cls)
        view.__dict__.update(config.__dict__)
        return view

    def get(self, setting_name: Any, default: Any = None) -> Any:
        """Return a setting."""
        return False if setting_name == "installer.re-resolve" else super().get(setting_name, default)


class SharedLocker:
    """Poetry's locker, which makes its packages once for all bundles of a run.

    Poetry's resolver, which locks before 2.1 need, may change packages: those are made anew each time.
    """

    def __init__(self, locker: Locker) -> None:
        self._locker = locker
        self.is_fresh = cache(locker.is_fresh)
        if locker.is_locked_groups_and_markers():
            self.locked_repository = cache(locker.locked_repository)
            self.locked_packages = cache(locker.locked_packages)

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the locker."""
        return getattr(self._locker, name)


_shared_lockers: WeakKeyDictionary[Poetry, SharedLocker] = WeakKeyDictionary()


def shared_locker(poetry: Poetry) -> Locker:
    """Return the locker of a project, the same one for each call."""
    if poetry not in _shared_lockers:
        _shared_lockers[poetry] = SharedLocker(poetry.locker)
    return cast("Locker", _shared_lockers[poetry])


class RecordingExecutor(Executor):
    """Takes down what would be installed, and installs nothing."""

    def __init__(self) -> None:
        # Executor's own __init__ starts a session, a thread pool and an installer, none of them needed
        self._enabled = True
        self.operations: list[Operation] = []

    def execute(self, operations: list[Operation]) -> int:
        """Keep the operations."""
        self.operations = operations
        return 0


def packages_to_install(
    poetry: Poetry, target: Target, groups: Iterable[str], extras: Sequence[str]
) -> list[Package]:
    """Return what `poetry install` would install for a target into an empty environment.

    Offline: the lock alone is asked. Raises what Installer.run raises.
    """
    executor = RecordingExecutor()
    installer = Installer(
        NullIO(),
        TargetEnv(target),
        poetry.package,
        shared_locker(poetry),
        poetry.pool,
        LockedConfig.of(poetry.config),
        installed=InstalledRepository(),
        executor=executor,
    )
    installer.only_groups(_names_known_to_poetry(poetry, groups))
    installer.extras(list(extras))
    installer.run()
    return [op.package for op in executor.operations if op.job_type == "install" and not op.skipped]


def dependency_groups(poetry: Poetry) -> dict[NormalizedName, str]:
    """Return the project's groups, optional ones too, by normalised name."""
    names: Iterable[str] = poetry.package.dependency_group_names(include_optional=True)
    return {canonicalize_name(name): name for name in names}


def repository_of(poetry: Poetry, source_reference: str | None) -> Repository:
    """Return the index that a locked package came from, as Poetry's Chooser picks it.

    Raises IndexError where pyproject.toml does not name the source any more.
    """
    pool = poetry.pool
    if source_reference:
        return pool.repository(source_reference)
    if not pool.has_repository("pypi"):
        return pool.repositories[0]
    return pool.repository("pypi")


def is_folder(repository: Repository) -> bool:
    """Tell whether an index is a folder of this machine."""
    return isinstance(repository, FolderRepository)


def status_of_page(repository: Repository, name: str) -> int | None:
    """Return the HTTP status of a project's page; Poetry itself takes "denied" for "not there"."""
    if not isinstance(repository, HTTPRepository) or isinstance(repository, FolderRepository):
        return None
    url = f"{repository.url.rstrip('/')}/{name}/"
    return repository.session.get(url, raise_for_status=False).status_code


def authenticator(poetry: Poetry, workers: int) -> Authenticator:
    """Return a session with the user's credentials and certificates, as Executor makes it.

    It keeps no copies, which Executor's does: what it fetches goes to the artifact cache.
    """
    return QuickAuthenticator(poetry.config, NullIO(), disable_cache=True, pool_size=workers)


def downloader(url: str, path: Path, session: Authenticator, poetry: Poetry) -> Downloader:
    """Return Poetry's own downloader, with retries as configured."""
    retries = poetry.config.get("requests.max-retries", 0)
    return _downloader_class()(url, path, session, max_retries=retries)


def _downloader_class() -> type[Downloader]:
    try:
        # 2.4 and newer
        from poetry.utils.download import Downloader
    except ImportError:
        # 2.1 … 2.3
        from poetry.utils import helpers

        return cast("type[Downloader]", helpers.Downloader)
    return Downloader


def read_dependency(folder: Path) -> CorePoetry:
    """Read the project of a path or git dependency; raises RuntimeError and others where there is none."""
    return CoreFactory().create_poetry(folder, with_groups=False)


class CoreFactory(LenientMetadata, BaseFactory):
    """poetry-core's factory without Poetry's locker, configuration and indexes."""


def find_interpreter(python: tuple[int, int]) -> Path | None:
    """Find a CPython of a minor version where Poetry looks for them: its own, pyenv's, those on PATH."""
    return named_interpreter(python) or next(find_interpreters(python), None)


@cache
def named_interpreter(python: tuple[int, int]) -> Path | None:
    """Find a CPython under the name of its minor version; nothing with another name is started."""
    if sys.version_info[:2] == python and sys.implementation.name == "cpython":
        return Path(sys.executable)
    # pyenv's commands are scripts, slower to start than what they stand for
    paths = sorted(named_interpreters(python), key=is_script)
    return next(filter(None, (_answering_interpreter(path, python) for path in paths)), None)


def find_interpreters(python: tuple[int, int]) -> Iterator[Path]:
    """Yield CPythons of a minor version among those whose names tell none, as on Windows: it starts these."""
    for path in _python_files():
        # python3 is mostly a link to what has its version in its name
        if UNVERSIONED.fullmatch(path.name) and UNVERSIONED.fullmatch(path.resolve().name):
            answer = _answering_interpreter(path, python)
            if answer is not None:
                yield answer


def named_interpreters(python: tuple[int, int]) -> Iterator[Path]:
    """Yield files with the name of a minor version where Poetry looks for interpreters; none is started."""
    return (path for path in _python_files() if path.name == f"python{python[0]}.{python[1]}")


def is_script(path: Path) -> bool:
    """Tell whether a command is a script, as pyenv's are."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _python_files() -> Iterator[Path]:
    from findpython.providers import ALL_PROVIDERS  # type: ignore[import-untyped]
    from poetry.utils.env.python.providers import PoetryPythonPathProvider

    for provider_class in dict.fromkeys((*ALL_PROVIDERS.values(), PoetryPythonPathProvider)):
        provider = provider_class.create()
        for found in provider.find_pythons() if provider else ():
            yield Path(found.executable)


def _answering_interpreter(path: Path, python: tuple[int, int]) -> Path | None:
    """Start an interpreter and return where it really lies, None for any but a CPython of that version."""
    program = "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.executable, sep='\\n')"
    command = [str(path), "-I", "-S", "-c", program]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    *build, executable = os.fsdecode(done.stdout).splitlines() or [""]
    return Path(executable) if build == ["cpython", *map(str, python)] else None


def environment_interpreters(poetry: Poetry) -> Iterator[Path]:
    """Yield the interpreters of the project's environments; none is made or changed."""
    from poetry.utils.env import EnvError
    from poetry.utils.env import EnvManager

    with suppress(EnvError, OSError, ValueError):
        for environment in EnvManager(poetry).list():
            yield Path(environment.python)


def build_wheel(poetry: Poetry, source: Path, name: str, interpreter: Path, destination: Path) -> Path:
    """Build a wheel from a folder or an sdist in Poetry's isolated environment.

    The user's `installer.build-config-settings` and the project's build constraints are honoured.
    Raises IsolatedBuildBaseError, SolverProblemError and what the index raises.
    """
    arguments: dict[str, Any] = {"output_dir": destination}
    settings = poetry.config.get("installer.build-config-settings") or {}
    if name in settings:
        arguments["config_settings"] = settings[name]
    # since 2.3
    constraints = getattr(poetry, "build_constraints", {}).get(name)
    if constraints:
        arguments["build_constraints"] = constraints
    # of the environment, Chef asks for nothing but the interpreter
    environment = cast("Env", SimpleNamespace(python=interpreter))
    chef = Chef(poetry.pool.artifact_cache, environment, poetry.pool)
    return chef.prepare(source, **arguments)


class CloneError(Exception):
    """Says which repository can't be cloned, the one asked for or a submodule, and why."""

    def __init__(self, url: str, error: Exception) -> None:
        submodule = SUBMODULE_ERROR.search(getattr(error.__context__, "stderr", None) or "")
        self.url = submodule[1] if submodule else url
        self.reason = type(error).__name__
        self.is_unreachable = _is_unreachable(error)
        super().__init__(self.url)


class NamingGit(Git):
    """Poetry's git, which clones submodules by the same method (2.1.4, 2.2.1 and 2.5.1)."""

    @classmethod
    def clone(cls, url: str, *args: Any, **kwargs: Any) -> Repo:
        """Clone a repository with its submodules; raises CloneError for the one that fails."""
        try:
            return super().clone(url, *args, **kwargs)
        except CloneError:
            raise
        except Exception as error:
            # transports fail in more ways than can be listed
            raise CloneError(url, error) from error


def clone(url: str, revision: str, folder: Path) -> Path:
    """Clone a git repository with its submodules below `folder`; raises CloneError."""
    repository = NamingGit.clone(url, source_root=folder, revision=revision)
    return Path(repository.path)


def _is_unreachable(error: BaseException | None) -> bool:
    """Tell whether a host was not found or did not answer; of ssh's own words the first tells that."""
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError | gaierror) or str(error).startswith("ssh: "):
            return True
        error = error.__cause__ or error.__context__
    return False


def remove_folder(folder: Path) -> None:
    """Remove a folder with read-only files in it, as git has; on Windows they need that."""
    if folder.is_dir():
        remove_directory(folder, force=True)


def git_executable() -> str:
    """Return git's full path: by its bare name Windows would find one in the current folder first.

    Raises RuntimeError where there is none.
    """
    return executable()


def max_workers(poetry: Poetry) -> int:
    """Return how many downloads Poetry's configuration allows at once."""
    if not poetry.config.get("installer.parallel", True):
        return 1
    return poetry.config.installer_max_workers


def _names_known_to_poetry(poetry: Poetry, groups: Iterable[str]) -> Any:
    """Return group names as this Poetry holds them: normalised since 2.2, as written before."""
    known = dependency_groups(poetry)
    return {known[canonicalize_name(group)] for group in groups}
