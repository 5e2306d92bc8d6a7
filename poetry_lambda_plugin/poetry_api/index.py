"""The project's indexes: which of a lock's files they offer, brought to Poetry's artifact cache."""

from __future__ import annotations

import shutil
import threading

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import TypeAlias
from typing import cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cleo.io.null_io import NullIO
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.package import Package
from poetry.core.packages.utils.link import Link
from poetry.repositories.exceptions import RepositoryError
from poetry.repositories.http_repository import HTTPRepository
from requests.exceptions import RequestException

from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.facts import NO_INDEX
from poetry_lambda_plugin.poetry_api.repositories import FolderRepository
from poetry_lambda_plugin.poetry_api.repositories import QuickAuthenticator
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository
    from poetry.utils.authenticator import Authenticator
    from poetry.utils.download import Downloader

    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.selection.locked import LockedPackage


INDEX_SOURCES = frozenset({"", "legacy"})

DENIED = (401, 403)

CHUNK = 1 << 16
"""Bytes of a download between two looks at its progress."""

Listener: TypeAlias = "Callable[[int, int], None]"
"""Is told the bytes fetched so far and those expected, 0 where the server did not say; may end it all."""


class HashMismatchError(LambdaBundleError):
    """A file whose bytes are not those that were locked."""

    def __init__(self, package: LockedPackage, file: str, expected: str, found: str) -> None:
        self.file = file
        self.expected = expected
        self.found = found
        super().__init__(
            f"{file} of {package} is not the file that was locked: expected {expected}, found {found}. "
            "It was not kept. If the source is right, run `poetry lock`; if not, the file has been changed."
        )


class UnavailableFileError(LambdaBundleError):
    """A locked file that can't be had."""


class IndexUnreachableError(LambdaBundleError):
    """An index that does not answer, or not without credentials."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file that can be fetched."""

    size: int
    """Bytes; 0 where nobody says them."""
    may_be_local: bool
    """Whether its address may be that of a file of this machine."""
    link: Link
    """For Poetry alone."""


class Indexes:
    """All indexes of the project, with Poetry's own session and artifact cache; for several threads."""

    def __init__(self, poetry: Poetry, workers: int) -> None:
        self._poetry = poetry
        self._workers = workers
        self._making = threading.Lock()

    def cache_name(self, package: LockedPackage) -> str:
        """Return the name of the repository cache that a package belongs to; raises UnavailableFileError."""
        return self._repository(package).name if package.source_type in INDEX_SOURCES else NO_INDEX

    def find(self, package: LockedPackage, file: LockedFile) -> OfferedFile:
        """Find a locked file among those that its index offers, by its name.

        Raises HashMismatchError, UnavailableFileError and what `failures_told` is for.
        """
        if package.source_type not in INDEX_SOURCES:
            return OfferedFile(0, may_be_local=True, link=Link(str(package.source_url)))
        repository = self._repository(package)
        links = repository.find_links_for_package(Package(package.name, package.version))
        for link in links:
            if link.filename == file.name:
                algorithm, _, expected = file.hash.partition(":")
                offered = link.hashes.get(algorithm, expected)
                if offered != expected:
                    raise HashMismatchError(package, file.name, file.hash, f"{algorithm}:{offered}")
                # not all releases of Poetry know sizes
                size = getattr(link, "size", None) or 0
                return OfferedFile(size, isinstance(repository, FolderRepository), link)
        status = None if links else _status_of_page(repository, package.name)
        if status in DENIED:
            raise self._unreachable(package, status)
        offers = ", ".join(sorted(link.filename for link in links)) or "no file of that version"
        raise UnavailableFileError(
            f"{file.name} of {package} is locked, but the index {repository.name!r} does not offer it "
            f"any more; it offers {offers}. Run `poetry lock` to lock what is there."
        )

    def bring(self, file: OfferedFile, tell: Listener) -> Path:
        """Bring a file to the artifact cache, where it is not there already.

        Raises what `failures_told` is for.
        """

        def download(url: str, path: Path) -> None:
            sweep(path.parent)
            if not url.startswith("file:"):
                self._download(url, path, tell)
            elif file.may_be_local:
                # so that it is in the cache like all others
                with replacing(path) as temporary:
                    shutil.copyfile(url2pathname(urlsplit(url).path), temporary)
            else:
                raise ValueError("its index names a file of this machine")

        return self._poetry.pool.artifact_cache.get_cached_archive_for_link(
            file.link, strict=True, download_func=download
        )

    @contextmanager
    def failures_told(self, package: LockedPackage) -> Iterator[None]:
        """Describe failed requests, and caches that can't be read or written.

        Raises UnavailableFileError and IndexUnreachableError.
        """
        try:
            yield
        except (PoetryRuntimeError, RequestException, RepositoryError) as error:
            raise self._unreachable(package, _status(error)) from None
        except (OSError, ValueError) as error:
            raise UnavailableFileError(f"The file of {package} can't be had: {error}.") from None

    def _repository(self, package: LockedPackage) -> Repository:
        """Return the index that a locked package came from, as Poetry's Chooser picks it."""
        pool, reference = self._poetry.pool, package.source_reference
        try:
            if reference or pool.has_repository("pypi"):
                return pool.repository(reference or "pypi")
            return pool.repositories[0]
        except IndexError:
            raise UnavailableFileError(
                f"{package} is locked from the source {reference!r}, which pyproject.toml "
                "does not define. Add it under [[tool.poetry.source]], or run `poetry lock`."
            ) from None

    def _unreachable(self, package: LockedPackage, status: int | None) -> IndexUnreachableError:
        """Name no more of the address than the host, for the rest may hold credentials."""
        if package.source_type == "url":
            where = str(urlsplit(str(package.source_url)).hostname)
        else:
            repository = self._repository(package)
            host = urlsplit(getattr(repository, "url", "")).hostname
            where = f"the index {repository.name!r} ({host})"
        reason = f"it answered with status {status}" if status else "it does not answer"
        hint = "Check your connection and the source's URL, then run the command again."
        if status in DENIED:
            hint = (
                "It wants credentials: see `poetry config http-basic`, or set the variables "
                "POETRY_HTTP_BASIC_<SOURCE>_USERNAME and _PASSWORD."
            )
        return IndexUnreachableError(f"The file of {package} can't be fetched from {where}: {reason}. {hint}")

    def _download(self, url: str, path: Path, tell: Listener) -> None:
        retries = self._poetry.config.get("requests.max-retries", 0)
        with self._making:
            session = self._session
        downloader = _downloader_class()(url, path, session, max_retries=retries)
        tell(0, downloader.total_size)
        for fetched in downloader.download_with_progress(CHUNK):
            tell(fetched, downloader.total_size)

    @cached_property
    def _session(self) -> Authenticator:
        """A session with the user's credentials and certificates, as Executor makes it.

        It keeps no copies, which Executor's does: what it fetches goes to the artifact cache. Made when
        something is downloaded: a warm run spares itself the search for credentials.
        """
        return QuickAuthenticator(self._poetry.config, NullIO(), disable_cache=True, pool_size=self._workers)


def _downloader_class() -> type[Downloader]:
    try:
        # 2.4 and newer
        from poetry.utils.download import Downloader
    except ImportError:
        # 2.1 … 2.3
        from poetry.utils import helpers

        return cast("type[Downloader]", helpers.Downloader)
    return Downloader


def _status_of_page(repository: Repository, name: str) -> int | None:
    """Return the HTTP status of a project's page; Poetry itself takes "denied" for "not there"."""
    if not isinstance(repository, HTTPRepository) or isinstance(repository, FolderRepository):
        return None
    url = f"{repository.url.rstrip('/')}/{name}/"
    return repository.session.get(url, raise_for_status=False).status_code


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a failed request, which Poetry wraps in errors of its own."""
    for candidate in (error, error.__cause__, *error.args):
        status = getattr(getattr(candidate, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None
