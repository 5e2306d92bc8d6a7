"""Who verifies what over the connections that share their certificate authorities."""

from __future__ import annotations

import sys

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from typing import Any

import pytest
import requests

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from poetry_lambda_plugin.poetry_api.connections import BoundedAdapter


if TYPE_CHECKING:
    from pathlib import Path


needs_pool_keys = pytest.mark.skipif(
    not hasattr(HTTPAdapter, "build_connection_pool_key_attributes"),
    reason="this requests has no keys of pools",
)
REQUEST = requests.Request("GET", "https://127.0.0.1:1/").prepare()


def pool(adapter: BoundedAdapter, verify: Any, cert: Any = None) -> Any:
    made = adapter.get_connection_with_tls_context(REQUEST, verify, cert=cert)
    adapter.cert_verify(made, str(REQUEST.url), verify, cert)
    return made


@needs_pool_keys
def test_pools_share_a_context() -> None:
    """Authorities are read once, and every pool that trusts them has the same context."""
    authorities = DEFAULT_CA_BUNDLE_PATH

    one, other = (pool(BoundedAdapter(), authorities) for _ in range(2))

    assert one.conn_kw["ssl_context"] is other.conn_kw["ssl_context"]
    assert (one.ca_certs, one.cert_reqs) == (None, "CERT_REQUIRED")


@needs_pool_keys
def test_unverified_and_client_certificates_go_their_own_way(tmp_path: Path) -> None:
    """Who verifies nothing gets no authorities, and who shows a certificate gets a context for it."""
    certificate = tmp_path / "client.pem"
    certificate.write_text("")

    assert "ssl_context" not in pool(BoundedAdapter(), False).conn_kw
    assert "ssl_context" not in pool(BoundedAdapter(), DEFAULT_CA_BUNDLE_PATH, str(certificate)).conn_kw


@needs_pool_keys
def test_context_of_requests_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of requests that bring a context for the default authorities keep it."""
    theirs = object()

    def with_context(*_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"scheme": "https"}, {"ssl_context": theirs}

    monkeypatch.setattr(HTTPAdapter, "build_connection_pool_key_attributes", with_context)

    assert BoundedAdapter().build_connection_pool_key_attributes(REQUEST, True)[1] == {"ssl_context": theirs}


@needs_pool_keys
def test_no_pool_is_ever_without_authorities() -> None:
    """However threads come, each finds a context or a file of authorities."""
    adapter, authorities = BoundedAdapter(), DEFAULT_CA_BUNDLE_PATH
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as executor:
            pools = list(executor.map(lambda _: pool(adapter, authorities), range(400)))
            trusting = [found.ca_certs or found.conn_kw.get("ssl_context") for found in pools]
    finally:
        sys.setswitchinterval(interval)

    assert all(trusting)
