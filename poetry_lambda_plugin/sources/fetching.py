"""Files of the lock brought to Poetry's artifact cache and held against their hash."""

from __future__ import annotations

import threading

from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol
from urllib.parse import urlsplit

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.facts import NO_INDEX
from poetry_lambda_plugin.poetry_api.index import NotOfferedError
from poetry_lambda_plugin.poetry_api.index import RequestError
from poetry_lambda_plugin.poetry_api.index import UnknownIndexError
from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.known_files import cached_artifacts
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.poetry_api.facts import PoetrySettings
    from poetry_lambda_plugin.poetry_api.index import Index
    from poetry_lambda_plugin.poetry_api.index import Indexes
    from poetry_lambda_plugin.poetry_api.index import OfferedFile
    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.selection.locked import LockedPackage


INDEX_SOURCES = frozenset({"", "legacy"})


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


class StoppedError(Exception):
    """Ends a download that nobody waits for any more."""


class Fetcher:
    """Brings files through Poetry's own session and caches; safe to call from several threads."""

    def __init__(self, settings: PoetrySettings, indexes: Indexes, progress: Progress) -> None:
        self._settings = settings
        self._indexes = indexes
        self._progress = progress
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._offers: dict[tuple[LockedPackage, LockedFile], OfferedFile] = {}

    def stop(self) -> None:
        """End the downloads under way, as on an interrupt."""
        self._stopped.set()

    def check_not_stopped(self) -> None:
        """Raise StoppedError where nothing more is to begin."""
        if self._stopped.is_set():
            raise StoppedError

    def known_files(self, package: LockedPackage) -> KnownFiles:
        """Return the notes that lie among the caches of a package's index."""
        name = self._index(package).name if package.source_type in INDEX_SOURCES else NO_INDEX
        return KnownFiles(self._settings.repositories / name, self._settings.artifacts)

    def cached(self, package: LockedPackage, file: LockedFile) -> CheckedFile | None:
        """Return a file that is at hand with the right bytes, without network."""
        if package.source_type == "file":
            return self._path_file(package, file)
        if self._settings.disable_cache or not file.hash:
            return None
        known = self.known_files(package).find(file.hash)
        if known is not None and (known.hash, known.path.name) == (file.hash, file.name):
            return known
        with self._lock:
            candidates = self._artifacts.get(file.name, ())
        path = next((path for path in candidates if has_hash(path, file.hash)), None)
        return CheckedFile(path, file.hash, verified=False) if path else None

    @cached_property
    def _artifacts(self) -> Mapping[str, Sequence[Path]]:
        """What Poetry had cached before this run, looked for when a file is not known by a note."""
        return cached_artifacts(self._settings.artifacts)

    def size(self, package: LockedPackage, file: LockedFile) -> int:
        """Look a file up in its index and return its bytes, 0 where the index does not say them."""
        if package.source_type not in INDEX_SOURCES:
            return 0
        with self._failures_told(package):
            offer = self._offers[package, file] = self._offered(package, file)
        return offer.size

    def fetch(self, package: LockedPackage, file: LockedFile) -> CheckedFile:
        """Return a file, downloaded where need be.

        Raises HashMismatchError, UnavailableFileError and IndexUnreachableError.
        """
        cached = self.cached(package, file)
        if cached is not None:
            return cached
        with self._failures_told(package):
            offer = self._offers.get((package, file)) or self._offered(package, file)
            path, found = self._brought(offer, package, file)
            if found != file.hash:
                # a file that was in the cache before may have been damaged there: once more, afresh
                path.unlink(missing_ok=True)
                path, found = self._brought(offer, package, file)
        if found != file.hash:
            path.unlink(missing_ok=True)
            raise HashMismatchError(package, file.name, file.hash, found)
        fetched = CheckedFile(path, file.hash, verified=False)
        if file.hash:
            self.known_files(package).remember(file.hash, fetched)
        return fetched

    def _path_file(self, package: LockedPackage, file: LockedFile) -> CheckedFile:
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
        return CheckedFile(path, file.hash, known is not None and known.verified)

    def _index(self, package: LockedPackage) -> Index:
        try:
            return self._indexes.index(package.source_reference)
        except UnknownIndexError:
            raise UnavailableFileError(
                f"{package} is locked from the source {package.source_reference!r}, which pyproject.toml "
                "does not define. Add it under [[tool.poetry.source]], or run `poetry lock`."
            ) from None

    def _offered(self, package: LockedPackage, file: LockedFile) -> OfferedFile:
        """Find a locked file among those that its index offers, by its name."""
        if package.source_type == "url":
            return self._indexes.file_at(str(package.source_url))
        index = self._index(package)
        try:
            offer = index.find(package.name, package.version, file.name)
        except NotOfferedError as error:
            offers = ", ".join(error.offered) or "no file of that version"
            raise UnavailableFileError(
                f"{file.name} of {package} is locked, but the index {index.name!r} does not offer it "
                f"any more; it offers {offers}. Run `poetry lock` to lock what is there."
            ) from None
        algorithm, _, expected = file.hash.partition(":")
        offered = offer.hashes.get(algorithm, expected)
        if offered != expected:
            raise HashMismatchError(package, file.name, file.hash, f"{algorithm}:{offered}")
        return offer

    def _brought(self, offer: OfferedFile, package: LockedPackage, file: LockedFile) -> tuple[Path, str]:
        """Return where a file is, and the hash that it has; none where none is locked."""

        def tell(fetched: int, total: int) -> None:
            self.check_not_stopped()
            self._progress.advance(package, fetched, total)

        path = self._indexes.bring(offer, tell)
        return path, digest(path, file.hash) if file.hash else ""

    @contextmanager
    def _failures_told(self, package: LockedPackage) -> Iterator[None]:
        """Describe a failed request, or a cache that can't be written."""
        try:
            yield
        except RequestError as error:
            raise self._unreachable(package, error) from None
        except (OSError, ValueError) as error:
            raise UnavailableFileError(f"The file of {package} can't be had: {error}.") from None

    def _unreachable(self, package: LockedPackage, error: RequestError) -> IndexUnreachableError:
        """Name no more of the address than the host, for the rest may hold credentials."""
        if package.source_type == "url":
            where = str(urlsplit(str(package.source_url)).hostname)
        else:
            index = self._index(package)
            where = f"the index {index.name!r} ({index.host})"
        reason = f"it answered with status {error.status}" if error.status else "it does not answer"
        hint = "Check your connection and the source's URL, then run the command again."
        if error.is_denied:
            hint = (
                "It wants credentials: see `poetry config http-basic`, or set the variables "
                "POETRY_HTTP_BASIC_<SOURCE>_USERNAME and _PASSWORD."
            )
        return IndexUnreachableError(f"The file of {package} can't be fetched from {where}: {reason}. {hint}")
