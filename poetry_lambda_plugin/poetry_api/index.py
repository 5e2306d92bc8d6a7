"""The project's indexes: which of a lock's files they offer, brought to Poetry's artifact cache."""

from __future__ import annotations

import errno
import re
import shutil
import threading

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cleo.io.null_io import NullIO
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.package import Package
from poetry.core.packages.utils.link import Link
from poetry.repositories.exceptions import RepositoryError
from poetry.repositories.http_repository import HTTPRepository
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ContentDecodingError
from requests.exceptions import InvalidJSONError
from requests.exceptions import RequestException
from requests.exceptions import SSLError
from requests.exceptions import TooManyRedirects
from urllib3.exceptions import DecodeError
from urllib3.exceptions import ProtocolError

from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.connections import MOST_OF_PAGE
from poetry_lambda_plugin.poetry_api.connections import PATIENCE
from poetry_lambda_plugin.poetry_api.connections import SLOWEST
from poetry_lambda_plugin.poetry_api.connections import LateAnswerError
from poetry_lambda_plugin.poetry_api.connections import SlowAnswerError
from poetry_lambda_plugin.poetry_api.connections import TooMuchError
from poetry_lambda_plugin.poetry_api.connections import pieces
from poetry_lambda_plugin.poetry_api.facts import NO_INDEX
from poetry_lambda_plugin.poetry_api.repositories import FolderRepository
from poetry_lambda_plugin.poetry_api.repositories import QuickAuthenticator
from poetry_lambda_plugin.poetry_api.repositories import StoppedError
from poetry_lambda_plugin.strays import sweep


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import BinaryIO

    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository
    from poetry.utils.authenticator import Authenticator
    from requests import Response

    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.selection.locked import LockedPackage


class MalformedPageError(ValueError):
    """A page that is not of the form that the standards want."""


DENIED = (401, 403)

PARTIAL = 206

MOST_OF_FILE = 10 << 30
"""Bytes; Lambda takes no more of a whole function, and those as a container image."""

REASONS: dict[type[Exception] | tuple[type[Exception], ...], str] = {
    MalformedPageError: "its page can't be understood",
    TooMuchError: f"its page has more than {MOST_OF_PAGE:,} bytes",
    SlowAnswerError: f"it sends less than {SLOWEST} bytes a second",
    LateAnswerError: f"after {PATIENCE} seconds its answer has not begun",
    TooManyRedirects: "it redirects without end",
    SSLError: "its certificate is not trusted here, or it has none",
    (ContentDecodingError, DecodeError): "what it sends can't be decompressed",
    (ChunkedEncodingError, ProtocolError): "the connection breaks off, or what it sends is no HTTP",
    ValueError: "it names an address that nothing can be fetched from",
}
"""What to say of an error, the first that fits."""

ENDLESS = (TooMuchError, SlowAnswerError, LateAnswerError)
"""Answers that were given up."""

LOCAL_ERRORS = frozenset({errno.EFBIG, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EACCES})
"""What no server is to blame for."""

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


class OversizedFileError(LambdaBundleError):
    """A file with more bytes than it may have."""

    def __init__(self, package: LockedPackage, file: OfferedFile, where: str) -> None:
        self.file = file.link.filename
        self.most = file.most
        stated = "are stated there" if file.size else "any Lambda function could hold"
        super().__init__(
            f"{self.file} of {package} is not the file that was locked: {where} sends more than the "
            f"{file.most:,} bytes that {stated}. It was not kept. If the source is right, run `poetry lock`; "
            "if not, the file has been changed."
        )


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file that can be fetched."""

    size: int
    """Bytes; 0 where nobody says them."""
    may_be_local: bool
    """Whether its address may be that of a file of this machine."""
    link: Link
    """For Poetry alone."""

    @property
    def most(self) -> int:
        """Bytes that it may have."""
        return self.size or MOST_OF_FILE


class Indexes:
    """All indexes of the project, with Poetry's own session and artifact cache; for several threads."""

    def __init__(self, poetry: Poetry, workers: int) -> None:
        self._poetry = poetry
        self._workers = workers
        self._making = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let nobody wait for an answer any more."""
        self._stopped.set()
        for session in self._sessions():
            session.stop()

    def resume(self) -> None:
        """Let others ask again, after nobody waits any more."""
        self._stopped.clear()
        for session in self._sessions():
            session.resume()

    def _sessions(self) -> Iterator[QuickAuthenticator]:
        sessions = [getattr(repository, "session", None) for repository in self._poetry.pool.repositories]
        for session in (*sessions, self.__dict__.get("_session")):
            if isinstance(session, QuickAuthenticator):
                yield session

    def cache_name(self, package: LockedPackage) -> str:
        """Return the name of the repository cache that a package belongs to; raises UnavailableFileError."""
        return self._repository(package).name if package.is_from_index else NO_INDEX

    def find(self, package: LockedPackage, file: LockedFile) -> OfferedFile:
        """Find a locked file among those that its index offers, by its name.

        Raises HashMismatchError, UnavailableFileError and IndexUnreachableError.
        """
        if not package.is_from_index:
            return OfferedFile(0, may_be_local=True, link=Link(str(package.source_url)))
        repository = self._repository(package)
        with self._failures_told(package):
            links = _links(repository, package)
            status = None if links else _status_of_page(repository, package.name)
            offer = links.get(file.name)
            size = _size(offer)
        if offer is not None:
            algorithm, _, expected = file.hash.partition(":")
            offered = offer.hashes.get(algorithm, expected)
            if offered != expected:
                raise HashMismatchError(package, file.name, file.hash, f"{algorithm}:{offered}")
            return OfferedFile(size, isinstance(repository, FolderRepository), offer)
        if status in DENIED:
            raise self._unreachable(package, f"it answered with status {status}", is_denied=True)
        offers = ", ".join(sorted(links)) or "no file of that version"
        raise UnavailableFileError(
            f"{file.name} of {package} is locked, but the index {repository.name!r} does not offer it "
            f"any more; it offers {offers}. Run `poetry lock` to lock what is there."
        )

    def cached(self, file: OfferedFile) -> Path | None:
        """Return where the artifact cache has a file, whatever lies there; None where it has none."""
        found: Path | None = self._poetry.pool.artifact_cache.get_cached_archive_for_link(
            file.link, strict=True
        )
        return found

    def bring(self, package: LockedPackage, file: OfferedFile, fallback: Path, tell: Listener) -> Path:
        """Bring a file to the artifact cache, where it is not there already.

        A cache that is full or can't be written to costs time, nothing else: then it goes to a folder.
        Raises UnavailableFileError, OversizedFileError and IndexUnreachableError.
        """

        def download(url: str, path: Path) -> None:
            sweep(path.parent)
            if not url.startswith("file:"):
                self._download(url, path, file, tell)
            elif file.may_be_local:
                _copy_local(package, Path(url2pathname(urlsplit(url).path)), path)
            else:
                raise UnavailableFileError(
                    f"The file of {package} can't be had: its index names a file of this machine."
                )

        with self._failures_told(package):
            try:
                return self._poetry.pool.artifact_cache.get_cached_archive_for_link(
                    file.link, strict=True, download_func=download
                )
            except RequestException:
                raise
            except OSError:
                download(file.link.url, fallback / file.link.filename)
                return fallback / file.link.filename
            except TooMuchError:
                raise OversizedFileError(package, file, self._where(package)) from None

    @contextmanager
    def _failures_told(self, package: LockedPackage) -> Iterator[None]:
        """Describe failed requests, and a cache that can't be written to.

        Raises UnavailableFileError and IndexUnreachableError.
        """
        try:
            yield
        except (PoetryRuntimeError, RequestException, RepositoryError, ValueError, *ENDLESS) as error:
            if self._stopped.is_set():
                raise StoppedError from None
            chain = tuple(_chain(error))
            status = next(filter(None, map(_status, chain)), None)
            reason = f"it answered with status {status}" if status else _reason(chain)
            raise self._unreachable(package, reason, is_denied=status in DENIED) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise UnavailableFileError(
                f"The file of {package} can be kept neither in Poetry's cache nor here: "
                f"{where}{error.strerror or error}. Make room, for example with `poetry cache clear`, or "
                "choose other places with `poetry config cache-dir` and TMPDIR."
            ) from None

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

    def _where(self, package: LockedPackage) -> str:
        """Name no more of the address than the host, for the rest may hold credentials."""
        if package.source_type == "url":
            return str(urlsplit(str(package.source_url)).hostname)
        repository = self._repository(package)
        host = urlsplit(getattr(repository, "url", "")).hostname
        return f"the index {repository.name!r} ({host})"

    def _unreachable(
        self, package: LockedPackage, reason: str, *, is_denied: bool = False
    ) -> IndexUnreachableError:
        hint = "Check your connection and the source's URL, then run the command again."
        if is_denied:
            hint = f"It wants credentials: {self._way_to_give_credentials(package)}."
        return IndexUnreachableError(
            f"The file of {package} can't be fetched from {self._where(package)}: {reason}. {hint}"
        )

    def _way_to_give_credentials(self, package: LockedPackage) -> str:
        if not package.is_from_index:
            return "see `poetry config http-basic`"
        source = self._repository(package).name
        variable = f"POETRY_HTTP_BASIC_{re.sub('[.-]', '_', source).upper()}"
        way = f"`poetry config http-basic.{source} USER PASSWORD`"
        return f"{way}, or the variables {variable}_USERNAME and {variable}_PASSWORD"

    def _download(self, url: str, path: Path, offer: OfferedFile, tell: Listener) -> None:
        """Download a file, again where the connection breaks off, as often as `requests.max-retries` says."""
        with self._making:
            session = self._session
        with replacing(path) as file:
            accepts_ranges = False
            for left in range(self._poetry.config.get("requests.max-retries", 0), -1, -1):
                start = file.tell() if accepts_ranges else 0
                headers = {"Accept-Encoding": "Identity", **({"Range": f"bytes={start}-"} if start else {})}
                try:
                    with session.get(url, stream=True, headers=headers) as response:
                        accepts_ranges = response.headers.get("Accept-Ranges") == "bytes"
                        file.seek(start if response.status_code == PARTIAL else 0)
                        file.truncate()
                        _receive(response, file, offer.most, tell)
                        return
                except (ChunkedEncodingError, RequestsConnectionError):
                    if not left:
                        raise

    @cached_property
    def _session(self) -> Authenticator:
        """A session with the user's credentials and certificates, as Executor makes it.

        It keeps no copies, which Executor's does: what it fetches goes to the artifact cache. Made when
        something is downloaded: a warm run spares itself the search for credentials.
        """
        return QuickAuthenticator(self._poetry.config, NullIO(), disable_cache=True, pool_size=self._workers)


def _receive(response: Response, file: BinaryIO, most: int, tell: Listener) -> None:
    """Write a body behind what is there; raises TooMuchError, and RequestException where it breaks off."""
    start, length = file.tell(), _length(response)
    if start + length > most:
        raise TooMuchError
    tell(start, start + length)
    for piece in pieces(response, most - start):
        file.write(piece)
        tell(file.tell(), start + length)
    # one that was broken off, and whose length nobody knows, looks whole
    tell(file.tell(), start + length)
    # urllib3 minds that since 2.0
    if length and file.tell() != start + length:
        raise ChunkedEncodingError


def _length(response: Response) -> int:
    """Return the bytes that a server is about to send, 0 where it does not say."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and "Content-Encoding" not in response.headers else 0


def _copy_local(package: LockedPackage, source: Path, path: Path) -> None:
    """Copy a file of this machine, so that it is in the cache like all others."""
    try:
        file = open_regular(source)
    except OSError as error:
        raise UnavailableFileError(
            f"{source} of {package} can't be read: {error.strerror}. Restore it, or run `poetry lock`."
        ) from error
    with file, replacing(path) as copy:
        shutil.copyfileobj(file, copy)


def _links(repository: Repository, package: LockedPackage) -> Mapping[str, Link]:
    """Return what an index offers of a release, by name; raises MalformedPageError, and what requests do."""
    try:
        found = repository.find_links_for_package(Package(package.name, package.version))
        links = {name: link for link in reversed(found) if (name := _filename(link))}
    except InvalidJSONError as error:
        raise MalformedPageError from error
    except (PoetryRuntimeError, RepositoryError, OSError, StoppedError, *ENDLESS):
        raise
    except Exception as error:
        # Poetry looks at no page's form, and trips over it in as many ways as Python has
        raise MalformedPageError from error
    if all(isinstance(link.hashes, dict) for link in links.values()):
        return links
    raise MalformedPageError


def _filename(link: Link) -> str:
    """Return a file's name; empty where Poetry refuses it, which keeps nobody from the other files."""
    try:
        return link.filename
    except ValueError:
        return ""


def _size(link: Link | None) -> int:
    """Return the bytes that a page states, 0 where it does not; not all releases of Poetry know them."""
    size = getattr(link, "size", None) or 0
    if not isinstance(size, int):
        raise MalformedPageError
    return max(size, 0)


def _status_of_page(repository: Repository, name: str) -> int | None:
    """Return the HTTP status of a project's page; Poetry itself takes "denied" for "not there"."""
    if not isinstance(repository, HTTPRepository) or isinstance(repository, FolderRepository):
        return None
    url = f"{repository.url.rstrip('/')}/{name}/"
    return repository.session.get(url, raise_for_status=False).status_code


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those that it was made of: Poetry, requests and urllib3 wrap each other's."""
    yield error
    inner = [arg for arg in error.args if isinstance(arg, BaseException)]
    for cause in (*inner, error.__cause__ or error.__context__):
        if cause is not None:
            yield from _chain(cause)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a failed request."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _reason(chain: Sequence[BaseException]) -> str:
    """Say why there is no answer, or none of use."""
    for error in chain:
        if isinstance(error, OSError) and (error.filename or error.errno in LOCAL_ERRORS):
            where = f"{error.filename}: " if error.filename else ""
            return f"this machine refuses to keep or read what it needs ({where}{error.strerror})"
    for error in chain:
        for kind, words in REASONS.items():
            if isinstance(error, kind):
                return words
    return "it does not answer"
