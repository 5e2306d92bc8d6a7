"""A package index on loopback: the Simple API, and the default index's JSON where a test wants it."""

from __future__ import annotations

import base64
import json
import threading
import time

from collections import defaultdict
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING
from typing import Any

from packaging.utils import canonicalize_name


if TYPE_CHECKING:
    from collections.abc import Iterable
    from ssl import SSLContext

    from tests.support.wheels import MadeFile


SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
"""Content type of PEP 691; Poetry asks for it in every index since 2.3, in its default one always."""


class Index:
    """Serves files; what it does can be changed at any time."""

    def __init__(self, tls: SSLContext | None = None) -> None:
        self.files: dict[str, MadeFile] = {}
        self.requests: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        """Addresses that the requests came from."""
        self.html = False
        """Answer PEP 503 pages instead of PEP 691 documents."""
        self.version_json = False
        """Answer `/pypi/NAME/VERSION/json`, which many mirrors lack."""
        self.page_hashes = True
        """Name hashes on the pages."""
        self.credentials: tuple[str, str] | None = None
        self.gone: set[str] = set()
        """Files listed but no longer there."""
        self.sent: dict[str, bytes] = {}
        """Other bytes that are sent for a file, whatever its page says."""
        self.stalled: set[str] = set()
        """Files of which the first half is sent, and then nothing until `close`."""
        self.held: dict[str, str] = {}
        """Paths that are answered only when another one has been asked for; not there if that takes long."""
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        """Status, content type and body for whole paths, before all else."""
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/"

    @property
    def url(self) -> str:
        """Address of the Simple API."""
        return f"{self.root}simple"

    def add(self, *files: MadeFile) -> None:
        self.files.update((file.filename, file) for file in files)

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index.requests.append(self.path)
                index.connections.add(self.client_address)
                wants_json = SIMPLE_JSON in self.headers.get("Accept", "")
                authorization = self.headers.get("Authorization")
                status, kind, body = index._answer(self.path, authorization, wants_json=wants_json)
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="tests"')
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.path.rpartition("/")[2] in index.stalled:
                    self.wfile.write(body[: len(body) // 2])
                    index._closing.wait()
                    self.close_connection = True
                    return
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Keep quiet."""

        return Handler

    def _is_due(self, path: str) -> bool:
        for _ in range(500):
            if self.held.get(path, path) in self.requests:
                return True
            time.sleep(0.01)
        return False

    def _answer(self, path: str, authorization: str | None, *, wants_json: bool) -> tuple[int, str, bytes]:
        if self.credentials is not None:
            token = base64.b64encode(":".join(self.credentials).encode()).decode()
            if authorization != f"Basic {token}":
                return 401, "text/plain", b"who are you?"
        if not self._is_due(path):
            return 404, "text/plain", b"too late"
        if path in self.answers:
            return self.answers[path]
        parts = path.strip("/").split("/")
        if parts[0] == "files" and parts[-1] in self.files and parts[-1] not in self.gone:
            data = self.sent.get(parts[-1], self.files[parts[-1]].data)
            return 200, "application/octet-stream", data
        if parts[0] == "simple" and len(parts) == 2:
            return self._page(parts[1], html=self.html or not wants_json)
        if parts[0] == "pypi" and self.version_json:
            return self._version_json(parts[1], parts[2])
        return 404, "text/plain", b"not here"

    def _page(self, name: str, *, html: bool) -> tuple[int, str, bytes]:
        files = [file for file in self.files.values() if _project(file) == name]
        if not files:
            return 404, "text/plain", b"not here"
        if html:
            links = "".join(
                f'<a href="../../files/{f.filename}{"#sha256=" + f.sha256 if self.page_hashes else ""}">'
                f"{f.filename}</a>\n"
                for f in files
            )
            return 200, "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        document = {
            "meta": {"api-version": "1.0"},
            "name": name,
            "files": [
                {
                    "filename": f.filename,
                    "url": f"{self.root}files/{f.filename}",
                    "hashes": {"sha256": f.sha256} if self.page_hashes else {},
                    "size": len(f.data),
                }
                for f in files
            ],
        }
        return 200, SIMPLE_JSON, json.dumps(document).encode()

    def _version_json(self, name: str, version: str) -> tuple[int, str, bytes]:
        by_version: dict[str, list[MadeFile]] = defaultdict(list)
        for file in self.files.values():
            if _project(file) == name:
                by_version[file.filename.split("-")[1].removesuffix(".tar.gz")].append(file)
        if version not in by_version:
            return 404, "text/plain", b"not here"
        urls = [
            {
                "packagetype": "bdist_wheel" if f.filename.endswith(".whl") else "sdist",
                "url": f"{self.root}files/{f.filename}",
                "filename": f.filename,
                "digests": {"sha256": f.sha256},
            }
            for f in by_version[version]
        ]
        return 200, "application/json", json.dumps({"info": {"name": name}, "urls": urls}).encode()


def _project(file: MadeFile) -> str:
    return canonicalize_name(file.filename.split("-")[0])


def downloads(requests: Iterable[str]) -> list[str]:
    """Return the files among the requests."""
    return [path.rpartition("/")[2] for path in requests if path.startswith("/files/")]
