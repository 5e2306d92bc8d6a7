"""Connections that can be broken off, answers that end, and TLS with its certificate authorities in common.

urllib3 reads the authorities anew for each connection, which takes a processor 25 ms: a third of a second for
the dozen connections of a first run.
"""

from __future__ import annotations

import os
import socket
import time

from contextlib import ExitStack
from contextlib import contextmanager
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from threading import Event
from threading import Lock
from threading import Timer
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


class SlowAnswerError(Exception):
    """An answer that trickles; no OSError either."""


class LateAnswerError(Exception):
    """An answer whose head is not complete, or a handshake without end; no OSError either."""


def pieces(response: Response, most: int) -> Iterator[bytes]:
    """Yield a body, unpacked, a few bytes at a time where it is slow.

    Raises TooMuchError, SlowAnswerError, and RequestException for one that breaks off or can't be unpacked.
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


class Connections:
    """Those of one session, so that they can be broken off; for several threads."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = Lock()
        self._is_broken = False

    def break_off(self) -> None:
        """Let everyone who waits for an answer have none, and whoever connects from now on."""
        with self._lock:
            self._is_broken = True
            connected = tuple(self._sockets)
        for one in connected:
            _break(one)

    def resume(self) -> None:
        """Let others connect again."""
        with self._lock:
            self._is_broken = False

    def take(self, one: socket.socket) -> None:
        """Take note of a connection; raises ConnectionAbortedError where there is to be none any more."""
        with self._lock:
            self._sockets.add(one)
        self._check_not_broken()

    @contextmanager
    def limited(self, one: socket.socket) -> Iterator[None]:
        """Break a connection off whose other end keeps it busy with too little.

        A socket's own timeout begins anew with every byte. Raises LateAnswerError, and ConnectionAbortedError
        where all has been broken off.
        """
        self.take(one)
        is_over = Event()

        def end() -> None:
            is_over.set()
            _break(one)

        timer = Timer(PATIENCE, end)
        timer.daemon = True
        timer.start()
        try:
            yield
            # a head that breaks off looks like one that ends
            self._check_not_broken()
        except (HTTPException, HTTPError, OSError):
            if not is_over.is_set():
                raise
        finally:
            timer.cancel()
        if is_over.is_set():
            raise LateAnswerError

    def _check_not_broken(self) -> None:
        if self._is_broken:
            raise ConnectionAbortedError


def _break(one: socket.socket) -> None:
    with suppress(OSError):
        # that of an SSLSocket would change it under its reader
        socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Noted(HTTPConnection):
    """A connection that can be broken off from the moment that the other end has taken it."""

    connections: Connections

    def connect(self) -> None:
        """Connect, and agree on TLS where that is wanted."""
        with ExitStack() as self._connecting:
            super().connect()
        self.connections.take(_plain(self.sock))

    def _new_conn(self) -> socket.socket:
        # named so by urllib3 1.26 to 2.8
        made = super()._new_conn()
        with ExitStack() as unless_broken:
            unless_broken.callback(made.close)
            # a handshake takes the socket over, and gives none before its end
            handle = self._connecting.enter_context(made.dup())
            self._connecting.enter_context(self.connections.limited(handle))
            unless_broken.pop_all()
        return made

    def getresponse(self) -> Any:
        """Return an answer whose head has come."""
        with self.connections.limited(_plain(self.sock)):
            return super().getresponse()


class _NotedTls(_Noted, HTTPSConnection):
    """One that is encrypted."""


def _plain(one: Any) -> socket.socket:
    """Return the socket below TLS in TLS, as through a proxy that is encrypted itself."""
    return one if isinstance(one, socket.socket) else _plain(one.socket)


class _NotedPool(HTTPConnectionPool):
    """Connections to one host."""

    ConnectionCls = _Noted

    def __init__(self, connections: Connections, *arguments: Any, **options: Any) -> None:
        self._connections = connections
        super().__init__(*arguments, **options)

    def _new_conn(self) -> Any:
        # named so by urllib3 1.26 to 2.8
        made: Any = super()._new_conn()
        made.connections = self._connections
        return made


class _NotedTlsPool(_NotedPool, HTTPSConnectionPool):
    ConnectionCls = _NotedTls


_contexts: dict[str, SSLContext] = {}
"""By the file of authorities that each trusts; the same ones for all pools of this process."""

_reading = Lock()


class BoundedAdapter(HTTPAdapter):
    """Ends what would not end; verifies as ever, but reads certificate authorities once.

    What has a client certificate, or a context already, keeps its own. requests asks for the attributes of a
    pool since 2.32.2; of older ones each connection reads for itself.
    """

    def __init__(self, connections: Connections, **options: Any) -> None:
        self._pools: dict[str, Any] = {
            "http": partial(_NotedPool, connections),
            "https": partial(_NotedTlsPool, connections),
        }
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make pools whose connections are known."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make pools behind a proxy whose connections are known; those through SOCKS are of another kind."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: Any, stream: bool = False, *arguments: Any, **options: Any) -> Response:
        """Send a request; raises TooMuchError for a page without end, SlowAnswerError and LateAnswerError.

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
