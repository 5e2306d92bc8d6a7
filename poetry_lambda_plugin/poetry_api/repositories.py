"""Poetry's indexes and sessions, which here ask less and find more."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from typing import Any
from typing import cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.html import HTMLPage
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.authenticator import Authenticator

from poetry_lambda_plugin.poetry_api.connections import CachingAdapter
from poetry_lambda_plugin.poetry_api.connections import SharedAuthorities


if TYPE_CHECKING:
    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.package import Package
    from poetry.core.packages.utils.link import Link
    from poetry.repositories.link_sources.base import LinkSource
    from requests import Session


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
