"""Poetry's indexes and sessions, which here ask less and find more."""

from __future__ import annotations

import time

from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
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
from poetry.utils.constants import RETRY_AFTER_HEADER
from requests.exceptions import HTTPError

from poetry_lambda_plugin.poetry_api.connections import BoundedAdapter
from poetry_lambda_plugin.poetry_api.connections import CachingAdapter
from poetry_lambda_plugin.poetry_api.connections import CarefreeController
from poetry_lambda_plugin.poetry_api.connections import Connections


if TYPE_CHECKING:
    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.package import Package
    from poetry.core.packages.utils.link import Link
    from poetry.repositories.link_sources.base import LinkSource
    from requests import Response
    from requests import Session


LONGEST_WAIT = 20
"""Seconds that a server may want between two of at most six attempts."""

WAIT_AT_ONCE = 0.5
"""Seconds between two looks whether anyone still waits."""


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


class StoppedError(Exception):
    """Ends what nobody waits for any more."""


class QuickAuthenticator(Authenticator):
    """Poetry's session, which makes one pool for each host, does not wait for ever, and can be stopped.

    Tried against Authenticator's use of its methods in 2.1.4, 2.2.1 and 2.5.1.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._making = Lock()
        self._stopped = Event()
        self._connections = Connections()

    def stop(self) -> None:
        """Let no request begin any more, and break off those under way."""
        self._stopped.set()
        self._connections.break_off()

    def resume(self) -> None:
        """Let requests begin again."""
        self._stopped.clear()
        self._connections.resume()

    def request(self, *arguments: Any, **options: Any) -> Response:
        """Send a request, again after failures; raises StoppedError."""
        self._check_not_stopped()
        return super().request(*arguments, **options)

    def get_session(self, url: str | None = None) -> Session:
        """Return a host's session; threads that come first together would each make one."""
        with self._making:
            return super().get_session(url)

    def create_session(self) -> Session:
        """Make a session."""
        session = super().create_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter())
        return session

    def _adapter(self) -> BoundedAdapter:
        if self._cache_control is None:
            return BoundedAdapter(self._connections, pool_maxsize=self._pool_size)
        return CachingAdapter(
            self._connections,
            cache=self._cache_control,
            controller_class=CarefreeController,
            pool_maxsize=self._pool_size,
        )

    def _get_backoff(self, response: Response | None, attempt: int) -> float:
        """Wait before the next attempt as long as the server wants, and return 0 for what is left to wait.

        Raises StoppedError, and HTTPError where the server wants more patience than anyone has.
        """
        wanted = wanted_wait(response.headers.get(RETRY_AFTER_HEADER, "")) if response is not None else None
        if wanted is not None and wanted > LONGEST_WAIT:
            raise HTTPError(response=response)
        left = 0.5 * attempt if wanted is None else wanted
        while left > 0:
            self._check_not_stopped()
            time.sleep(min(left, WAIT_AT_ONCE))
            left -= WAIT_AT_ONCE
        self._check_not_stopped()
        return 0

    def _check_not_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError


def wanted_wait(retry_after: str) -> float | None:
    """Return the seconds that a Retry-After header wants (RFC 9110, 10.2.3); None for one without sense."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if seconds >= 0 else None
