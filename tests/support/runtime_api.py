"""AWS Lambda as far as a handler sees it: a Runtime API on loopback and AWS's own client in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from queue import Queue
from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from pathlib import Path


API = "/2018-06-01/runtime"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
SECONDS = 60
"""How long a handler may take; it takes half a second."""

BOOTSTRAP = """
import sys
sys.path = [path for path in sys.path if path]
import awslambdaric.__main__ as client
import os, site
root, opt = os.environ["LAMBDA_TASK_ROOT"], os.environ["OPT"]
python = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
layers = [f"{opt}/python/{python}", f"{opt}/python"] if opt else []
sys.path[:0] = [root, *layers]
for folder in [root, *layers]:
    site.addsitedir(folder)
client.main([root, os.environ["_HANDLER"]])
"""
"""What AWS's `bootstrap.py` does: the client first, then bundle and layers before all else, and `.pth`."""


@dataclass(frozen=True)
class Reply:
    """What the client posted."""

    kind: str
    """`response`, `error`, or `init/error` where the handler could not even be imported."""
    body: Any


class RuntimeApi:
    """Hands out one event, and keeps the client waiting for the next."""

    def __init__(self, event: Any) -> None:
        self.replies: Queue[Reply] = Queue()
        self._events = [event]
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if not api._events:
                    api._closed.wait()
                    self.close_connection = True
                    return
                self._send(200, api._events.pop())

            def do_POST(self) -> None:
                kind = self.path.removeprefix(f"{API}/").removeprefix(f"invocation/{REQUEST_ID}/")
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.replies.put(Reply(kind, body))
                self._send(202, {"status": "OK"})

            def _send(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST_ID)
                self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f"
                )
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Keep quiet."""

        return Handler


def invoke(folder: Path, handler: str, event: Any, opt: Path | None = None) -> Reply:
    """Send an event to the handler of an unpacked bundle, its layers in `opt`, and return what comes back.

    Raises AssertionError with the client's output where nothing does.
    """
    api = RuntimeApi(event)
    environment = {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "LAMBDA_TASK_ROOT": os.fspath(folder),
        "OPT": os.fspath(opt) if opt else "",
        "_HANDLER": handler,
    }
    client = subprocess.Popen(
        [sys.executable, "-c", BOOTSTRAP],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return _reply(api, client)
    finally:
        client.kill()
        client.communicate()
        api.close()


def _reply(api: RuntimeApi, client: subprocess.Popen[str]) -> Reply:
    deadline = time.monotonic() + SECONDS
    while api.replies.empty() and client.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if api.replies.empty():
        client.kill()
        raise AssertionError(f"no reply; the client wrote: {client.communicate()[0]}")
    return api.replies.get()
