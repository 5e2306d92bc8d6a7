"""TLS connections that have the certificate authorities in common.

urllib3 reads them anew for each connection, which takes a processor 25 ms: a third of a second for the dozen
connections of a first run.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING
from typing import Any

from cachecontrol import CacheControlAdapter
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context


if TYPE_CHECKING:
    from ssl import SSLContext


READING = Lock()


class SharedAuthorities(HTTPAdapter):
    """Verifies as ever; what has a client certificate keeps a context of its own."""

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Give a pool of connections the context of the authorities that it is to trust."""
        super().cert_verify(conn, url, verify, cert)
        conn.conn_kw.pop("ssl_context", None)
        authorities = getattr(conn, "ca_certs", None)
        if authorities and not cert:
            # threads that come first together would each read them
            with READING:
                conn.conn_kw["ssl_context"] = _context(authorities)
            conn.ca_certs = None


class CachingAdapter(SharedAuthorities, CacheControlAdapter):
    """Keeps pages as their headers allow."""


@cache
def _context(authorities: str) -> SSLContext:
    """Return what trusts a file of authorities; raises OSError where it is none."""
    context = create_urllib3_context()
    context.load_verify_locations(authorities)
    return context
