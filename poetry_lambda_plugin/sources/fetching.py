"""Files of the lock brought to Poetry's artifact cache and held against their hash."""

from __future__ import annotations

import tempfile
import threading

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol

from poetry_lambda_plugin.archive.replacing import make_room
from poetry_lambda_plugin.poetry_api.index import HashMismatchError
from poetry_lambda_plugin.poetry_api.index import UnavailableFileError
from poetry_lambda_plugin.poetry_api.repositories import StoppedError
from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.known_files import cached_artifacts
from poetry_lambda_plugin.sources.known_files import checked
from poetry_lambda_plugin.sources.known_files import held_against


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.poetry_api.facts import PoetrySettings
    from poetry_lambda_plugin.poetry_api.index import Indexes
    from poetry_lambda_plugin.poetry_api.index import OfferedFile
    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.selection.locked import LockedPackage


class Progress(Protocol):
    """Is told how far the files are; called from several threads."""

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Take the bytes fetched so far; `total` is 0 where the server did not say."""

    def building(self, package: LockedPackage) -> None:
        """Take note that a repository is being cloned or a wheel built; of one package both may be told."""

    def finish(self, package: LockedPackage) -> None:
        """Take note that the package is ready."""


class Fetcher:
    """Brings files through Poetry's own session and caches; safe to call from several threads."""

    def __init__(
        self, settings: PoetrySettings, indexes: Indexes, progress: Progress, temporary: Path
    ) -> None:
        self._settings = settings
        self._indexes = indexes
        self._progress = progress
        self._temporary = temporary
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._offers: dict[tuple[LockedPackage, LockedFile], OfferedFile] = {}

    def stop(self) -> None:
        """End the downloads under way, as on an interrupt."""
        self._stopped.set()
        self._indexes.stop()

    def resume(self) -> None:
        """Let downloads begin again, when all that were under way have ended."""
        self._stopped.clear()
        self._indexes.resume()

    def check_not_stopped(self) -> None:
        """Raise StoppedError where nothing more is to begin."""
        if self._stopped.is_set():
            raise StoppedError

    def known_files(self, package: LockedPackage) -> KnownFiles:
        """Return the notes that lie among the caches of a package's index."""
        folder = self._settings.repositories / self._indexes.cache_name(package)
        return KnownFiles(folder, self._settings.artifacts, self._settings.keeps)

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
        found = (held_against(path, file.hash) for path in candidates)
        return next(filter(None, found), None)

    @cached_property
    def _artifacts(self) -> Mapping[str, Sequence[Path]]:
        """What Poetry had cached before this run, looked for when a file is not known by a note."""
        return cached_artifacts(self._settings.artifacts)

    def size(self, package: LockedPackage, file: LockedFile) -> int:
        """Look a file up in its index and return its bytes, 0 where the index does not say them."""
        offer = self._offers[package, file] = self._indexes.find(package, file)
        return offer.size

    def fetch(self, package: LockedPackage, file: LockedFile) -> CheckedFile:
        """Return a file, downloaded where need be.

        Raises HashMismatchError, UnavailableFileError, OversizedFileError and IndexUnreachableError.
        """
        cached = self.cached(package, file)
        if cached is not None:
            return cached
        offer = self._offers.get((package, file)) or self._indexes.find(package, file)
        fetched = self._kept(offer, file) or self._brought(offer, package, file)
        if fetched.hash != file.hash:
            fetched.path.unlink(missing_ok=True)
            raise HashMismatchError(package, file.name, file.hash, fetched.hash)
        if file.hash and self._temporary not in fetched.path.parents:
            self.known_files(package).remember(file.hash, fetched)
        return fetched

    def _path_file(self, package: LockedPackage, file: LockedFile) -> CheckedFile:
        path = Path(str(package.source_url))
        try:
            found = _checked(path, file)
        except OSError as error:
            raise UnavailableFileError(
                f"{path} of {package} can't be read: {error.strerror}. Restore it, or run `poetry lock`."
            ) from error
        if found.hash != file.hash:
            raise HashMismatchError(package, str(path), file.hash, found.hash)
        known = self.known_files(package).find(file.hash) if file.hash else None
        return replace(found, verified=known is not None and known.verified)

    def _kept(self, offer: OfferedFile, file: LockedFile) -> CheckedFile | None:
        """Return what the cache has, where it is the file; what else lies in its place is removed.

        Raises UnavailableFileError.
        """
        path = self._indexes.cached(offer)
        if path is None:
            return None
        with suppress(OSError):
            found = _checked(path, file)
            if found.hash == file.hash:
                return found
        try:
            make_room(path)
        except OSError as error:
            raise UnavailableFileError(
                f"{path} in Poetry's cache is not the file that was locked, and can't be removed: "
                f"{error.strerror}. Remove it, or run `poetry cache clear`."
            ) from error
        return None

    def _brought(self, offer: OfferedFile, package: LockedPackage, file: LockedFile) -> CheckedFile:
        def tell(fetched: int, total: int) -> None:
            self.check_not_stopped()
            self._progress.advance(package, fetched, total)

        path = self._indexes.bring(package, offer, Path(tempfile.mkdtemp(dir=self._temporary)), tell)
        try:
            return _checked(path, file)
        except OSError as error:
            raise UnavailableFileError(
                f"{path} of {package} can't be read again: {error.strerror}. Run `poetry cache clear`."
            ) from error


def _checked(path: Path, file: LockedFile) -> CheckedFile:
    """Return a file with its hash, none where none is locked; raises OSError."""
    found = checked(path, file.hash or "sha256:")
    return found if file.hash else replace(found, hash="")
