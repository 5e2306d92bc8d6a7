"""An index that answers as it is told, byte for byte: what no sound server would send."""

from __future__ import annotations

import itertools
import json
import re
import socket
import socketserver
import threading
import time

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from tests.support.wheels import MadeFile


WHEEL = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'hello'\n"})
"""The file that is locked."""

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"

PAGE = "/simple/greeting/"

BLOCK = 1 << 16
"""Bytes that a body without end consists of."""


@dataclass(frozen=True)
class Reply:
    """An answer; `ROOT` and `ELSEWHERE` in headers and body are the site's address by both of its names."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """What Content-Length says; the body's own where None, nothing where it is negative."""
    endless: bool = False
    """Send the body again and again."""
    pause: float = 0.0
    """Seconds between two bytes."""
    raw: bytes | None = None
    """Sent in the place of all else."""

    def pieces(self, names: Mapping[bytes, bytes]) -> Iterator[bytes]:
        """Yield what goes to the client, head first."""
        if self.raw is not None:
            yield from _trickling(self.raw, self.pause) if self.pause else (self.raw,)
            return
        body = _named(self.body, names)
        length = len(body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} so be it", f"Content-Type: {self.kind}", "Connection: close"]
        lines += [f"Content-Length: {length}"] if length >= 0 else []
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        yield _named("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n", names)
        if self.endless:
            yield from itertools.repeat(body * (BLOCK // len(body) + 1))
        elif self.pause:
            yield from _trickling(body, self.pause)
        else:
            yield body


def _trickling(body: bytes, pause: float) -> Iterator[bytes]:
    for byte in body:
        time.sleep(pause)
        yield bytes([byte])


def _named(text: bytes, names: Mapping[bytes, bytes]) -> bytes:
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def page(*files: Any, **fields: Any) -> Reply:
    """Answer a page of PEP 691 with these files."""
    document = {"meta": {"api-version": "1.0"}, "name": "greeting", "files": list(files), **fields}
    return Reply(json.dumps(document).encode(), kind=JSON)


def listed(**fields: Any) -> dict[str, Any]:
    """Return the wheel as a page lists it, but for some fields."""
    sound = {
        "filename": WHEEL.filename,
        "url": f"ROOT/files/{WHEEL.filename}",
        "hashes": {"sha256": WHEEL.sha256},
        "size": len(WHEEL.data),
    }
    return {**sound, **fields}


class Site:
    """What one test serves, below an address of its own."""

    def __init__(self, number: int, port: int) -> None:
        self.prefix = f"/{number}"
        self.root = f"http://127.0.0.1:{port}{self.prefix}"
        self.elsewhere = f"http://localhost:{port}{self.prefix}"
        """The same server, which to a client is another host."""
        self.replies: dict[str, list[Reply]] = {
            f"/files/{WHEEL.filename}": [Reply(WHEEL.data)],
        }
        """By path; of several the last one is repeated."""
        self.requests: list[tuple[str, str]] = []
        """Path and head of each."""
        self.sent = 0
        """Bytes that the client was sent."""
        self.offer("greeting", WHEEL)
        self._sound = dict(self.replies)

    @property
    def url(self) -> str:
        """Address of the Simple API."""
        return f"{self.root}/simple"

    def offer(self, project: str, *files: MadeFile) -> None:
        """Offer the files of a project, on a page of PEP 503."""
        links = "".join(
            f'<a href="ROOT/files/{f.filename}#sha256={f.sha256}">{f.filename}</a>' for f in files
        )
        body = f"<!DOCTYPE html><html><body>{links}</body></html>"
        self.replies[f"/simple/{project}/"] = [Reply(body.encode(), kind=HTML)]
        self.replies.update({f"/files/{file.filename}": [Reply(file.data)] for file in files})

    def asked(self, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(requested == path for requested, _ in self.requests)

    def answer(self, path: str, head: str) -> Iterator[bytes]:
        """Yield what goes to the client."""
        self.requests.append((path, head))
        reply = self._sound_page(path, head) or self._reply(path)
        return reply.pieces({b"ROOT": self.root.encode(), b"ELSEWHERE": self.elsewhere.encode()})

    def _sound_page(self, path: str, head: str) -> Reply | None:
        """Return a page in JSON where the client wants one and nothing else is to be answered."""
        is_sound = self.replies.get(path) is self._sound.get(path)
        return page(listed()) if is_sound and path == PAGE and JSON in head else None

    def _reply(self, path: str) -> Reply:
        replies = self.replies.get(path.partition("?")[0], [Reply(b"not here", 404, "text/plain")])
        return replies[min(self.asked(path), len(replies)) - 1]


class HostileServer(socketserver.ThreadingTCPServer):
    """Serves all sites of a session."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    # a run that is killed takes its connections with it
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.sites: dict[str, Site] = {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def site(self) -> Site:
        """Return a new site."""
        site = Site(len(self.sites), int(self.server_address[1]))
        self.sites[site.prefix] = site
        return site


class _Connection(socketserver.BaseRequestHandler):
    server: HostileServer

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = self.request.recv(BLOCK)
            if not received:
                return
            head += received
        match = re.match(r"GET (/\d+)(\S*)", head.decode("latin-1"))
        site = self.server.sites[match[1]] if match else None
        if site is None or match is None:
            return
        try:
            for piece in site.answer(match[2], head.decode("latin-1")):
                self.request.sendall(piece)
                site.sent += len(piece)
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            # the client has had enough
            return
