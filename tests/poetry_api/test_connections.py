"""Connections that end, and who verifies what over those that share their certificate authorities."""

from __future__ import annotations

import socket
import sys
import threading
import time

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from typing import Any

import pytest
import requests

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from poetry_lambda_plugin.poetry_api import connections
from poetry_lambda_plugin.poetry_api.connections import BoundedAdapter
from poetry_lambda_plugin.poetry_api.connections import Connections
from poetry_lambda_plugin.poetry_api.connections import LateAnswerError


if TYPE_CHECKING:
    from collections.abc import Iterator
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

    one, other = (pool(BoundedAdapter(Connections()), authorities) for _ in range(2))

    assert one.conn_kw["ssl_context"] is other.conn_kw["ssl_context"]
    assert (one.ca_certs, one.cert_reqs) == (None, "CERT_REQUIRED")


@needs_pool_keys
def test_unverified_and_client_certificates_go_their_own_way(tmp_path: Path) -> None:
    """Who verifies nothing gets no authorities, and who shows a certificate gets a context for it."""
    certificate = tmp_path / "client.pem"
    certificate.write_text("")

    assert "ssl_context" not in pool(BoundedAdapter(Connections()), False).conn_kw
    assert (
        "ssl_context"
        not in pool(BoundedAdapter(Connections()), DEFAULT_CA_BUNDLE_PATH, str(certificate)).conn_kw
    )


@needs_pool_keys
def test_context_of_requests_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of requests that bring a context for the default authorities keep it."""
    theirs = object()

    def with_context(*_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"scheme": "https"}, {"ssl_context": theirs}

    monkeypatch.setattr(HTTPAdapter, "build_connection_pool_key_attributes", with_context)

    assert BoundedAdapter(Connections()).build_connection_pool_key_attributes(REQUEST, True)[1] == {
        "ssl_context": theirs
    }


@needs_pool_keys
def test_no_pool_is_ever_without_authorities() -> None:
    """However threads come, each finds a context or a file of authorities."""
    adapter, authorities = BoundedAdapter(Connections()), DEFAULT_CA_BUNDLE_PATH
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as executor:
            pools = list(executor.map(lambda _: pool(adapter, authorities), range(400)))
            trusting = [found.ca_certs or found.conn_kw.get("ssl_context") for found in pools]
    finally:
        sys.setswitchinterval(interval)

    assert all(trusting)


@pytest.fixture
def busy_host(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that keeps everyone busy with a byte now and then, after those that the test wants."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_keep_busy, args=(server, request.param), daemon=True).start()
        yield int(server.getsockname()[1])


def _keep_busy(server: socket.socket, first: bytes) -> None:
    asked, _ = server.accept()
    with asked:
        try:
            asked.sendall(first)
            for _ in range(200):
                asked.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            return


HANDSHAKE = b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03"
"""How a TLS server's answer of 16 kB begins (RFC 8446, 5.1 and 4.1.3)."""

WAITS = pytest.mark.parametrize(
    ("busy_host", "url", "proxies"),
    [
        pytest.param(HANDSHAKE, "https://127.0.0.1:{}/", {}, id="handshake"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", "http://127.0.0.1:{}/", {}, id="head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", "http://h/", {"http": "http://127.0.0.1:{}"}, id="proxy"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", "https://h/", {"https": "http://127.0.0.1:{}"}, id="tunnel"),
    ],
    indirect=["busy_host"],
)


def _ask(known: Connections, url: str, proxies: dict[str, str], port: int) -> None:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(known))
    with session:
        session.trust_env = False
        session.get(url.format(port), proxies={k: v.format(port) for k, v in proxies.items()}, timeout=5)


@WAITS
def test_an_answer_begins_in_time(
    busy_host: int, url: str, proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who agrees on nothing and answers nothing is given up, however busy it looks."""
    monkeypatch.setattr(connections, "PATIENCE", 0.5)

    with pytest.raises(LateAnswerError):
        _ask(Connections(), url, proxies, busy_host)


@WAITS
@pytest.mark.parametrize("seconds", [0, 0.5])
def test_waiting_can_be_broken_off(busy_host: int, url: str, proxies: dict[str, str], seconds: float) -> None:
    """Whatever is waited for, it ends when all is broken off, also if that was before it was connected."""
    known = Connections()
    begun = time.monotonic()
    timer = threading.Timer(seconds, known.break_off)
    timer.start()
    if not seconds:
        timer.join()

    with pytest.raises((requests.exceptions.ConnectionError, OSError)):
        _ask(known, url, proxies, busy_host)

    assert time.monotonic() - begun < 4
