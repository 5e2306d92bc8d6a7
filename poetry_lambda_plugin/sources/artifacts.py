"""The files of the selected packages: chosen from the lock, fetched, and held against their hash."""

from __future__ import annotations

import hashlib
import threading

from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol
from urllib.parse import urlsplit

from packaging.utils import InvalidSdistFilename
from packaging.utils import InvalidWheelFilename
from packaging.utils import parse_sdist_filename
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion
from packaging.version import Version
from poetry.config.config import PackageFilterPolicy
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.package import Package
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.exceptions import RepositoryError
from requests.exceptions import RequestException

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.sources import poetry_api
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.target.platform import Target
from poetry_lambda_plugin.target.runtimes import RUNTIMES


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from poetry.core.packages.utils.link import Link
    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository

    from poetry_lambda_plugin.sources.lockfile import LockedFile
    from poetry_lambda_plugin.sources.lockfile import LockedPackage


INDEX_SOURCES = frozenset({"", "legacy"})
CHUNK = 1 << 16
"""Bytes of a download between two looks at its progress."""


class NoUsableFileError(LambdaBundleError):
    """Packages that the lock has no wheel of for the target."""

    def __init__(self, target: Target, packages: Sequence[LockedPackage], remedy: str) -> None:
        self.target = target
        self.packages = tuple(packages)
        count = "1 package has" if len(packages) == 1 else f"{len(packages)} packages have"
        lines = "\n".join(f"  - {package}: the lock has {_listing(package)}" for package in packages)
        super().__init__(f"{count} no wheel for {target}:\n{lines}\n{remedy}")


class HashMismatchError(LambdaBundleError):
    """A file whose bytes are not those that were locked."""

    def __init__(self, package: LockedPackage, file: str, expected: str, found: str) -> None:
        self.file = file
        self.expected = expected
        self.found = found
        super().__init__(
            f"{file} of {package} is not the file that was locked: expected {expected}, found {found}. "
            "It was not kept. If the index is right, run `poetry lock`; if not, someone has changed the file."
        )


class UnavailableFileError(LambdaBundleError):
    """A locked file that the index does not hand out."""


class IndexUnreachableError(LambdaBundleError):
    """An index that does not answer."""


class Progress(Protocol):
    """Is told how far the files are; called from several threads."""

    def advance(self, package: LockedPackage, fetched: int, total: int) -> None:
        """Take the bytes fetched so far; `total` is 0 where the server did not say."""

    def finish(self, package: LockedPackage) -> None:
        """Take note that the file is here and is the right one."""


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """The file that will be bundled for a package."""

    package: LockedPackage
    file: LockedFile


@dataclass(frozen=True, slots=True)
class WheelArtifact:
    """A wheel on disk whose bytes are those that were locked."""

    chosen: ChosenFile
    path: Path
    verified: bool
    """Whether its members are known to be what they say."""


def choose_files(packages: Sequence[LockedPackage], target: Target, poetry: Poetry) -> tuple[ChosenFile, ...]:
    """Choose the best wheel of each package from the lock alone.

    Poetry's `installer.no-binary` and `installer.only-binary` are honoured. Raises NoUsableFileError
    for all packages at once.
    """
    refused = _packages_without_binaries(packages, poetry)
    chosen = {p: None if p in refused else best_wheel(p, target) for p in packages}
    missing = [package for package, file in chosen.items() if file is None]
    if missing:
        raise NoUsableFileError(target, missing, _remedy(missing, target, refused))
    return tuple(ChosenFile(package, file) for package, file in chosen.items() if file)


def best_wheel(package: LockedPackage, target: Target) -> LockedFile | None:
    """Return the locked wheel that fits a target best: the most specific tag first."""
    ranked = [
        (rank, file)
        for file in package.files
        if (rank := target.wheel_rank(file.name)) is not None and _is_of_version(file.name, package.version)
    ]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


class Fetcher:
    """Brings chosen files to Poetry's artifact cache, through Poetry's own session."""

    def __init__(self, poetry: Poetry, progress: Progress) -> None:
        self._poetry = poetry
        self._progress = progress
        self._workers = poetry_api.max_workers(poetry)
        self._stopped = threading.Event()
        self._session = poetry_api.authenticator(poetry, self._workers)

    def cached(self, chosen: ChosenFile) -> WheelArtifact | None:
        """Return a file that the cache is known to hold with the right bytes, without network."""
        if self._poetry.disable_cache:
            return None
        file_hash = chosen.file.hash
        known = self._known_files(chosen.package).find(file_hash)
        if (
            known is None
            or known.path.name != chosen.file.name
            or _digest(known.path, file_hash) != file_hash
        ):
            return None
        return WheelArtifact(chosen, known.path, known.verified)

    def fetch_all(self, chosen: Sequence[ChosenFile]) -> tuple[WheelArtifact, ...]:
        """Return all files, in their order; raises the first error in that order."""
        with ThreadPoolExecutor(self._workers) as pool:
            futures = [pool.submit(self._fetch, file) for file in chosen]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # also on an interrupt: no further download begins, and those under way end
                self._stopped.set()
                for future in futures:
                    future.cancel()
        for future in futures:
            if (
                not future.cancelled()
                and (error := future.exception())
                and not isinstance(error, _StoppedError)
            ):
                raise error
        return tuple(future.result() for future in futures)

    def remember_verified(self, artifact: WheelArtifact) -> None:
        """Take note that a wheel's members have been checked, so that later runs need not."""
        known = self._known_files(artifact.chosen.package)
        known.remember(artifact.chosen.file.hash, artifact.path, verified=True)

    def _fetch(self, chosen: ChosenFile) -> WheelArtifact:
        artifact = self.cached(chosen) or self._downloaded(chosen)
        self._progress.finish(chosen.package)
        return artifact

    def _downloaded(self, chosen: ChosenFile) -> WheelArtifact:
        package, file = chosen.package, chosen.file
        repository = self._repository(package)
        try:
            link = self._link(chosen, repository)
            path = self._artifact(link, package)
            found = _digest(path, file.hash)
            if found != file.hash:
                # a file that was in the cache before may have been damaged there: once more, afresh
                path.unlink(missing_ok=True)
                path = self._artifact(link, package)
                found = _digest(path, file.hash)
        except (PoetryRuntimeError, RequestException, RepositoryError, OSError) as error:
            raise _unreachable(repository, package, error) from None
        if found != file.hash:
            path.unlink(missing_ok=True)
            raise HashMismatchError(package, file.name, file.hash, found)
        self._known_files(package).remember(file.hash, path, verified=False)
        return WheelArtifact(chosen, path, verified=False)

    def _repository(self, package: LockedPackage) -> Repository:
        try:
            return poetry_api.repository_of(self._poetry, package.source_reference)
        except IndexError:
            raise UnavailableFileError(
                f"{package} is locked from the source {package.source_reference!r}, which pyproject.toml "
                "does not define. Add it under [[tool.poetry.source]], or run `poetry lock`."
            ) from None

    def _link(self, chosen: ChosenFile, repository: Repository) -> Link:
        """Find a locked file among those that the index offers, by its name."""
        package, file = chosen.package, chosen.file
        try:
            links = poetry_api.links_of_release(repository, Package(package.name, package.version))
        except PackageNotFoundError:
            links = []
        for link in links:
            if link.filename == file.name:
                algorithm, _, digest = file.hash.partition(":")
                offered = link.hashes.get(algorithm, digest)
                if offered != digest:
                    raise HashMismatchError(package, file.name, file.hash, f"{algorithm}:{offered}")
                return link
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
        downloader = poetry_api.downloader(url, path, self._session, self._poetry)
        for fetched in downloader.download_with_progress(CHUNK):
            if self._stopped.is_set():
                raise _StoppedError
            self._progress.advance(package, fetched, downloader.total_size)

    def _known_files(self, package: LockedPackage) -> KnownFiles:
        config = self._poetry.config
        repository = self._repository(package).name
        return KnownFiles(config.repository_cache_directory / repository, config.artifacts_cache_directory)


class _StoppedError(Exception):
    """Ends a download that nobody waits for any more."""


def _digest(path: Path, like: str) -> str:
    """Return a file's digest in the algorithm of another one, both as `algorithm:hex`."""
    algorithm = like.partition(":")[0]
    digest = hashlib.new(algorithm)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return f"{algorithm}:{digest.hexdigest()}"


def _is_of_version(filename: str, version: str) -> bool:
    """Tell whether a file is of a version; locks before 2.0 list the files of all versions together."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1] == Version(version)
        return parse_sdist_filename(filename)[1] == Version(version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return True


def _packages_without_binaries(packages: Sequence[LockedPackage], poetry: Poetry) -> frozenset[LockedPackage]:
    """Return the packages of which the user's configuration wants no wheel, as Poetry's Chooser reads it."""
    no_binary = PackageFilterPolicy(poetry.config.get("installer.no-binary", []))
    only_binary = PackageFilterPolicy(poetry.config.get("installer.only-binary", []))
    return frozenset(
        package
        for package in packages
        if no_binary.has_exact_package(package.name)
        or (not no_binary.allows(package.name) and not only_binary.has_exact_package(package.name))
    )


def _remedy(missing: Sequence[LockedPackage], target: Target, refused: frozenset[LockedPackage]) -> str:
    """Say what would work: the nearest target that all missing packages have wheels for."""
    if refused.issuperset(missing):
        return "Your Poetry configuration refuses wheels of them: see `poetry config installer.no-binary`."
    for other in _nearest_targets(target):
        if all(best_wheel(package, other) for package in missing):
            return (
                f"For {other} the lock has wheels of them. "
                "Choose that, or lock versions that have wheels for this target."
            )
    return "No Lambda runtime has wheels of them: lock versions that have."


def _nearest_targets(target: Target) -> Iterator[Target]:
    """Yield all other targets: the same architecture first, then the nearest Python."""
    targets = [Target(runtime, a) for runtime in RUNTIMES for a in runtime.architectures]

    def distance(other: Target) -> tuple[bool, int, int]:
        minor = other.runtime.python[1]
        return (
            other.architecture != target.architecture,
            abs(minor - target.runtime.python[1]),
            -minor,
        )

    return iter(sorted((t for t in targets if t != target), key=distance))


def _listing(package: LockedPackage) -> str:
    """Name a package's files, the first ones where there are many."""
    names = sorted(file.name for file in package.files if _is_of_version(file.name, package.version))
    if not names:
        return "no files"
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _unreachable(repository: Repository, package: LockedPackage, error: Exception) -> LambdaBundleError:
    """Describe a failed request without anything of the address but its host, which may hold credentials."""
    host = urlsplit(getattr(repository, "url", "")).hostname or repository.name
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    reason = f"it answered with status {status}" if status else "it does not answer"
    if isinstance(error, OSError) and not isinstance(error, RequestException):
        return UnavailableFileError(f"The file of {package} can't be kept in Poetry's cache: {error}.")
    return IndexUnreachableError(
        f"The file of {package} can't be fetched from the index {repository.name!r} ({host}): {reason}. "
        "Check your connection, the source's URL and its credentials, then run the command again."
    )
