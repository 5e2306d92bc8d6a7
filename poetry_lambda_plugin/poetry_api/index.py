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
from poetry_lambda_plugin.poetry_api.repositories import FolderRepository
from poetry_lambda_plugin.poetry_api.repositories import QuickAuthenticator


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository
    from poetry.utils.authenticator import Authenticator
    from poetry.utils.download import Downloader


DENIED = (401, 403)

CHUNK = 1 << 16
"""Bytes of a download between two looks at its progress."""

Listener: TypeAlias = "Callable[[int, int], None]"
"""Is told the bytes fetched so far and those expected, 0 where the server did not say; may end it all."""


class UnknownIndexError(Exception):
    """An index that pyproject.toml does not name any more."""


class RequestError(Exception):
    """A request that failed."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        """What the server answered; None where it did not."""
        super().__init__(status)

    @property
    def is_denied(self) -> bool:
        """Tell whether it wants credentials, or other ones."""
        return self.status in DENIED


class NotOfferedError(Exception):
    """A file that an index does not offer."""

    def __init__(self, offered: tuple[str, ...]) -> None:
        self.offered = offered
        """The other files of that version, sorted."""
        super().__init__(offered)


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file that can be fetched."""

    hashes: Mapping[str, str]
    """Hexadecimal digests by algorithm."""
    size: int
    """Bytes; 0 where the index does not say them."""
    may_be_local: bool
    """Whether its address may be that of a file of this machine."""
    link: Link
    """For Poetry alone."""


class Index:
    """One of the project's indexes."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.name = repository.name

    @property
    def host(self) -> str | None:
        """Where it is; the rest of its address may hold credentials."""
        return urlsplit(getattr(self._repository, "url", "")).hostname

    def find(self, name: str, version: str, filename: str) -> OfferedFile:
        """Look up a file of a release.

        Raises NotOfferedError, RequestError, and OSError and ValueError of Poetry's cache.
        """
        with _failures_told():
            links = self._repository.find_links_for_package(Package(name, version))
            for link in links:
                if link.filename == filename:
                    return self._offered(link)
            status = None if links else self._status_of_page(name)
        if status in DENIED:
            raise RequestError(status)
        raise NotOfferedError(tuple(sorted(link.filename for link in links)))

    def _offered(self, link: Link) -> OfferedFile:
        # not all releases have it
        size = getattr(link, "size", None) or 0
        return OfferedFile(link.hashes, size, isinstance(self._repository, FolderRepository), link)

    def _status_of_page(self, name: str) -> int | None:
        """Return the HTTP status of a project's page; Poetry itself takes "denied" for "not there"."""
        repository = self._repository
        if not isinstance(repository, HTTPRepository) or isinstance(repository, FolderRepository):
            return None
        url = f"{repository.url.rstrip('/')}/{name}/"
        return repository.session.get(url, raise_for_status=False).status_code


class Indexes:
    """All indexes of the project, with Poetry's own session and artifact cache; for several threads."""

    def __init__(self, poetry: Poetry, workers: int) -> None:
        self._poetry = poetry
        self._workers = workers
        self._making = threading.Lock()

    def index(self, reference: str | None) -> Index:
        """Return the index that a locked package came from, as Poetry's Chooser picks it.

        Raises UnknownIndexError.
        """
        pool = self._poetry.pool
        try:
            if reference or pool.has_repository("pypi"):
                return Index(pool.repository(reference or "pypi"))
            return Index(pool.repositories[0])
        except IndexError:
            raise UnknownIndexError(reference) from None

    def file_at(self, url: str) -> OfferedFile:
        """Return the file that a URL dependency names."""
        return OfferedFile({}, 0, may_be_local=True, link=Link(url))

    def bring(self, file: OfferedFile, tell: Listener) -> Path:
        """Bring a file to the artifact cache, where it is not there already.

        Raises RequestError, and OSError and ValueError of Poetry's cache.
        """

        def download(url: str, path: Path) -> None:
            if not url.startswith("file:"):
                self._download(url, path, tell)
            elif file.may_be_local:
                # so that it is in the cache like all others
                with replacing(path) as temporary:
                    shutil.copyfile(url2pathname(urlsplit(url).path), temporary)
            else:
                raise ValueError("its index names a file of this machine")

        with _failures_told():
            return self._poetry.pool.artifact_cache.get_cached_archive_for_link(
                file.link, strict=True, download_func=download
            )

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


@contextmanager
def _failures_told() -> Iterator[None]:
    """Turn what Poetry's sessions raise into a RequestError."""
    try:
        yield
    except (PoetryRuntimeError, RequestException, RepositoryError) as error:
        raise RequestError(_status(error)) from error


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a failed request, which Poetry wraps in errors of its own."""
    for candidate in (error, error.__cause__, *error.args):
        status = getattr(getattr(candidate, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None
