"""TLS connections that have the certificate authorities in common.

urllib3 reads them anew for each connection, which takes a processor 25 ms: a third of a second for the dozen
connections of a first run.
"""

from __future__ import annotations

import os

from threading import Lock
from typing import TYPE_CHECKING
from typing import Any

from cachecontrol import CacheControlAdapter
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context


if TYPE_CHECKING:
    from ssl import SSLContext


_contexts: dict[str, SSLContext] = {}
"""By the file of authorities that each trusts; the same ones for all pools of this process."""

_reading = Lock()


class SharedAuthorities(HTTPAdapter):
    """Verifies as ever; what has a client certificate, or a context already, keeps its own.

    requests asks for the attributes of a pool since 2.32.2; of older ones each connection reads for itself.
    """

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


class CachingAdapter(SharedAuthorities, CacheControlAdapter):
    """Keeps pages as their headers allow."""


def _context(authorities: str) -> SSLContext:
    """Return what trusts a file of authorities; raises OSError where it is none."""
    # threads that come first together would each read it
    with _reading:
        if authorities not in _contexts:
            context = create_urllib3_context()
            context.load_verify_locations(authorities)
            _contexts[authorities] = context
        return _contexts[authorities]
