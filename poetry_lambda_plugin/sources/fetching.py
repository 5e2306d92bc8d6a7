"""Files of the lock brought to Poetry's artifact cache and held against their hash."""

from __future__ import annotations

import secrets
import shutil
import threading

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.package import Package
from poetry.core.packages.utils.link import Link
from poetry.repositories.exceptions import RepositoryError
from requests.exceptions import RequestException

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.sources import poetry_api
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.known_files import cached_artifacts
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository
    from poetry.utils.authenticator import Authenticator

    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.selection.locked import LockedPackage


INDEX_SOURCES = frozenset({"", "legacy"})
NO_INDEX = "lambda-bundle"
"""Name of the cache for what comes from no index; `poetry cache clear lambda-bundle --all` clears it."""

DENIED = (401, 403)

REQUEST_ERRORS = (PoetryRuntimeError, RequestException, RepositoryError, OSError, ValueError)
"""What Poetry's sessions and caches raise; the first two changed places between releases."""

CHUNK = 1 << 16
"""Bytes of a download between two looks at its progress."""


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


class Progress(Protocol):
    """Is told how far the files are; called from several threads."""

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Take the bytes fetched so far; `total` is 0 where the server did not say."""

    def building(self, package: LockedPackage) -> None:
        """Take note that a repository is being cloned or a wheel built; of one package both may be told."""

    def finish(self, package: LockedPackage) -> None:
        """Take note that the package is ready."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file on disk whose bytes are those that were locked."""

    path: Path
    verified: bool
    """Whether its members are known to be what they say."""


class StoppedError(Exception):
    """Ends a download that nobody waits for any more."""


class Fetcher:
    """Brings files through Poetry's own session and caches; safe to call from several threads."""

    def __init__(self, poetry: Poetry, progress: Progress, workers: int) -> None:
        self._poetry = poetry
        self._progress = progress
        self._workers = workers
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._links: dict[Choice, Link] = {}
        self._made_session: Authenticator | None = None
        self._found_artifacts: Mapping[str, Sequence[Path]] | None = None

    @property
    def _session(self) -> Authenticator:
        """Made when something is downloaded: a warm run spares itself the search for credentials."""
        with self._lock:
            if self._made_session is None:
                self._made_session = poetry_api.authenticator(self._poetry, self._workers)
            return self._made_session

    def stop(self) -> None:
        """End the downloads under way, as on an interrupt."""
        self._stopped.set()

    def check_not_stopped(self) -> None:
        """Raise StoppedError where nothing more is to begin."""
        if self._stopped.is_set():
            raise StoppedError

    def known_files(self, package: LockedPackage) -> KnownFiles:
        """Return the notes that lie among the caches of a package's index."""
        config = self._poetry.config
        name = self._repository(package).name if package.source_type in INDEX_SOURCES else NO_INDEX
        return KnownFiles(config.repository_cache_directory / name, config.artifacts_cache_directory)

    def cached(self, choice: Choice) -> FetchedFile | None:
        """Return a file that is at hand with the right bytes, without network."""
        package, file = choice.package, choice.file
        if file is None or (self._poetry.disable_cache and package.source_type != "file"):
            return None
        if package.source_type == "file":
            return self._path_file(package, file)
        if not file.hash:
            return None
        known = self.known_files(package).find(file.hash)
        if known is not None and (known.hash, known.path.name) == (file.hash, file.name):
            return FetchedFile(known.path, known.verified)
        candidates = self._artifacts.get(file.name, ())
        path = next((path for path in candidates if has_hash(path, file.hash)), None)
        return FetchedFile(path, verified=False) if path else None

    @property
    def _artifacts(self) -> Mapping[str, Sequence[Path]]:
        """What Poetry had cached before this run, looked for when a file is not known by a note."""
        with self._lock:
            if self._found_artifacts is None:
                self._found_artifacts = cached_artifacts(self._poetry.config.artifacts_cache_directory)
            return self._found_artifacts

    def size(self, choice: Choice) -> int:
        """Look a file up in its index and return its bytes, 0 where the index does not say them."""
        if choice.file is None or choice.package.source_type not in INDEX_SOURCES:
            return 0
        try:
            self._links[choice] = self._link(choice.package, choice.file)
        except REQUEST_ERRORS as error:
            raise self._failure(choice.package, error) from None
        return getattr(self._links[choice], "size", None) or 0

    def fetch(self, choice: Choice) -> FetchedFile:
        """Return a file, downloaded where need be.

        Raises HashMismatchError, UnavailableFileError and IndexUnreachableError.
        """
        package, file = choice.package, choice.file
        if file is None:
            raise TypeError(f"{package} has no file")
        cached = self.cached(choice)
        if cached is not None:
            return cached
        try:
            link = self._links.get(choice) or self._link(package, file)
            path = self._artifact(link, package)
            found = digest(path, file.hash) if file.hash else ""
            if found != file.hash:
                # a file that was in the cache before may have been damaged there: once more, afresh
                path.unlink(missing_ok=True)
                path = self._artifact(link, package)
                found = digest(path, file.hash)
        except REQUEST_ERRORS as error:
            raise self._failure(package, error) from None
        if found != file.hash:
            path.unlink(missing_ok=True)
            raise HashMismatchError(package, file.name, file.hash, found)
        if file.hash:
            self.known_files(package).remember(file.hash, path, file.hash, verified=False)
        return FetchedFile(path, verified=False)

    def _path_file(self, package: LockedPackage, file: LockedFile) -> FetchedFile:
        path = Path(str(package.source_url))
        try:
            found = digest(path, file.hash or "sha256:")
        except (OSError, ValueError) as error:
            raise UnavailableFileError(
                f"{path} of {package} can't be read: {error}. Restore it, or run `poetry lock`."
            ) from error
        if file.hash and found != file.hash:
            raise HashMismatchError(package, str(path), file.hash, found)
        known = self.known_files(package).find(file.hash) if file.hash else None
        return FetchedFile(path, known is not None and known.verified)

    def _repository(self, package: LockedPackage) -> Repository:
        try:
            return poetry_api.repository_of(self._poetry, package.source_reference)
        except IndexError:
            raise UnavailableFileError(
                f"{package} is locked from the source {package.source_reference!r}, which pyproject.toml "
                "does not define. Add it under [[tool.poetry.source]], or run `poetry lock`."
            ) from None

    def _link(self, package: LockedPackage, file: LockedFile) -> Link:
        """Find a locked file among those that its index offers, by its name."""
        if package.source_type == "url":
            return Link(str(package.source_url))
        repository = self._repository(package)
        links = repository.find_links_for_package(Package(package.name, package.version))
        for link in links:
            if link.filename == file.name:
                algorithm, _, expected = file.hash.partition(":")
                offered = link.hashes.get(algorithm, expected)
                if offered != expected:
                    raise HashMismatchError(package, file.name, file.hash, f"{algorithm}:{offered}")
                return link
        status = None if links else poetry_api.status_of_page(repository, package.name)
        if status in DENIED:
            raise self._unreachable(package, status)
        offers = ", ".join(sorted(link.filename for link in links)) or "no file of that version"
        raise UnavailableFileError(
            f"{file.name} of {package} is locked, but the index {repository.name!r} does not offer it "
            f"any more; it offers {offers}. Run `poetry lock` to lock what is there."
        )

    def _artifact(self, link: Link, package: LockedPackage) -> Path:
        return self._poetry.pool.artifact_cache.get_cached_archive_for_link(
            link, strict=True, download_func=lambda url, path: self._download(url, path, package)
        )

    def _download(self, url: str, path: Path, package: LockedPackage) -> None:
        if url.startswith("file:"):
            self._copy(Path(url2pathname(urlsplit(url).path)), path, package)
            return
        downloader = poetry_api.downloader(url, path, self._session, self._poetry)
        self._progress.advance(package, 0, downloader.total_size)
        for fetched in downloader.download_with_progress(CHUNK):
            self.check_not_stopped()
            self._progress.advance(package, fetched, downloader.total_size)

    def _copy(self, source: Path, path: Path, package: LockedPackage) -> None:
        """Copy a file of an index that is a folder, so that it is in the cache like all others."""
        if package.source_type in INDEX_SOURCES and not poetry_api.is_folder(self._repository(package)):
            raise ValueError("its index names a file of this machine")
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            shutil.copyfile(source, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _failure(self, package: LockedPackage, error: Exception) -> LambdaBundleError:
        """Describe a failed request or a cache that can't be written."""
        if isinstance(error, OSError | ValueError) and not isinstance(error, RequestException):
            return UnavailableFileError(f"The file of {package} can't be had: {error}.")
        return self._unreachable(package, _status(error))

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


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a failed request, which Poetry wraps in errors of its own."""
    for candidate in (error, error.__cause__, *error.args):
        status = getattr(getattr(candidate, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None
