"""Connections that can be broken off, answers that end, and TLS with its certificate authorities in common.

urllib3 reads the authorities anew for each connection, which takes a processor 25 ms: a third of a second for
the dozen connections of a first run.
"""

from __future__ import annotations

import os
import socket
import time

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING
from typing import Any
from weakref import WeakSet

from cachecontrol import CacheControlAdapter
from cachecontrol.controller import CacheController
from poetry.utils.constants import REQUESTS_TIMEOUT
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ContentDecodingError
from requests.exceptions import ReadTimeout
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import DecodeError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ProtocolError
from urllib3.util.ssl_ import create_urllib3_context


if TYPE_CHECKING:
    from collections.abc import Iterator
    from ssl import SSLContext

    from requests import Response


LEAST_READ = 1 << 4
MOST_READ = 1 << 16
"""Bytes that are read at once: few where they come slowly, so that it is noticed."""

QUICKLY = 0.1
"""Seconds within which a read is no slow one."""

SLOWEST = 100
PATIENCE = 4 * REQUESTS_TIMEOUT
"""Bytes a second, and the seconds after which who sends fewer is as good as silent.

A proxy that looks at a file first lets it trickle meanwhile.
"""

MOST_OF_PAGE = 64 << 20
"""Bytes of an index's page; that of a project with thousands of releases has a few million."""


class TooMuchError(Exception):
    """An answer with more bytes than it may have; no OSError, lest Poetry should ask again."""


class SlowAnswerError(ReadTimeout):
    """An answer that trickles."""


def pieces(response: Response, most: int) -> Iterator[bytes]:
    """Yield a body, unpacked, a few bytes at a time where it is slow.

    Raises TooMuchError, and RequestException for one that breaks off, trickles or can't be unpacked.
    """
    begun, received, amount = time.monotonic(), 0, LEAST_READ
    while piece := _read(response, amount):
        most -= len(piece)
        if most < 0:
            raise TooMuchError
        yield piece
        received += len(piece)
        amount = min(2 * amount, MOST_READ)
        took = time.monotonic() - begun
        if took > QUICKLY:
            amount = max(LEAST_READ, min(amount, int(received / took)))
        if took > PATIENCE:
            if received < SLOWEST * took:
                raise SlowAnswerError
            begun, received = time.monotonic(), 0


def _read(response: Response, amount: int) -> bytes:
    """Read a piece; what can go wrong has the same names as in `Response.iter_content`."""
    try:
        return bytes(response.raw.read(amount, decode_content=True))
    except ProtocolError as error:
        raise ChunkedEncodingError(error) from error
    except DecodeError as error:
        raise ContentDecodingError(error) from error
    except HTTPError as error:
        raise RequestsConnectionError(error) from error


_sockets: WeakSet[socket.socket] = WeakSet()
"""Those of all connections of this process."""

_connecting = Lock()


def break_connections() -> None:
    """Let everyone who waits for an answer have none."""
    with _connecting:
        connected = tuple(_sockets)
    for one in connected:
        with suppress(OSError):
            # that of an SSLSocket would change it under its reader
            socket.socket.shutdown(one, socket.SHUT_RDWR)


def _take_note(connection: HTTPConnection) -> None:
    with _connecting:
        _sockets.add(connection.sock)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _take_note(self)


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _take_note(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_contexts: dict[str, SSLContext] = {}
"""By the file of authorities that each trusts; the same ones for all pools of this process."""

_reading = Lock()


class BoundedAdapter(HTTPAdapter):
    """Ends what would not end; verifies as ever, but reads certificate authorities once.

    What has a client certificate, or a context already, keeps its own. requests asks for the attributes of a
    pool since 2.32.2; of older ones each connection reads for itself.
    """

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make pools whose connections are known."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, request: Any, stream: bool = False, *arguments: Any, **options: Any) -> Response:
        """Send a request; raises TooMuchError for a page without end.

        Of redirects requests would read the whole body even if asked for a stream.
        """
        response: Response = super().send(request, stream, *arguments, **options)
        if not stream or response.is_redirect:
            try:
                response._content = b"".join(pieces(response, MOST_OF_PAGE))
            except BaseException:
                response.close()
                raise
            response._content_consumed = True
        return response

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Let a pool be made with the context of the authorities that it is to trust."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        authorities = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
        is_shared = host.get("scheme") == "https" and authorities and not cert and "ssl_context" not in pool
        if is_shared and not os.path.isdir(authorities):  # noqa: PTH112 - it may be a string
            pool["ssl_context"] = _context(str(authorities))
            pool.pop("ca_certs", None)
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Keep a pool with a context of ours from reading the authorities once more."""
        super().cert_verify(conn, url, verify, cert)
        if conn.conn_kw.get("ssl_context") in _contexts.values():
            conn.ca_certs = None


class CachingAdapter(BoundedAdapter, CacheControlAdapter):
    """Keeps pages as their headers allow."""


class CarefreeController(CacheController):
    """Takes a cache that is full or can't be written to for one that keeps nothing."""

    def cache_response(self, *arguments: Any, **options: Any) -> None:
        """Keep a page where that can be."""
        with suppress(OSError):
            super().cache_response(*arguments, **options)

    def _load_from_cache(self, request: Any) -> Any:
        try:
            return super()._load_from_cache(request)
        except OSError:
            return None


def _context(authorities: str) -> SSLContext:
    """Return what trusts a file of authorities; raises OSError where it is none."""
    # threads that come first together would each read it
    with _reading:
        if authorities not in _contexts:
            context = create_urllib3_context()
            context.load_verify_locations(authorities)
            _contexts[authorities] = context
        return _contexts[authorities]
