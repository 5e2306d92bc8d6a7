"""A headless Chromium, spoken to over two pipes in its DevTools protocol: no other library is needed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EXECUTABLE = next((path for name in NAMES if (path := shutil.which(name))), None)
if sys.platform == "win32":
    # no pipe can be handed over there
    EXECUTABLE = None

PATIENCE = 30
"""Seconds that a busy machine may take to start a browser, or to answer."""

KEYS = {
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "Tab": 9,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


class Browser:
    """One page of a browser."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        import fcntl

        self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = (
            f"exec {EXECUTABLE} --headless=new --no-sandbox --disable-gpu --no-first-run "
            "--disable-dev-shm-usage --disable-background-networking --remote-debugging-pipe "
            f"--user-data-dir={self._profile.name} --window-size={width},{height} about:blank "
        )
        # the protocol wants commands at 3 and answers at 4, whatever numbers the pipes have here
        away = [fcntl.fcntl(pipe, fcntl.F_DUPFD, 10) for pipe in (to_read, to_write)]
        self._process = subprocess.Popen(
            ["bash", "-c", f"{command} 3<&{away[0]} 4>&{away[1]}"],
            pass_fds=away,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for pipe in (to_read, to_write, *away):
            os.close(pipe)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        """What the page reported by itself: requests, errors and words of the console."""

    def __enter__(self) -> Self:
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._read)
        os.close(self._write)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has gone"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer = json.loads(message)
        assert isinstance(answer, dict)
        return answer

    def open(self, path: Path) -> None:
        """Open a file, and wait for it to be loaded."""
        self.call("Page.navigate", url=path.as_uri())
        self.wait(lambda: self("document.readyState") == "complete")

    def __call__(self, expression: str) -> Any:
        """Return what an expression of JavaScript has as its value."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait until something is true."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.01)

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse would."""
        element = f"document.querySelector({json.dumps(selector)})"
        self(f"{element}.scrollIntoView({{block: 'center'}})")
        left, top, width, height = self(
            f"(({{x, y, width, height}}) => [x, y, width, height])({element}.getBoundingClientRect())"
        )
        self.click_at(left + width / 2, top + height / 2)

    def click_at(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def press(self, *keys: str) -> None:
        """Press keys by name, or type characters."""
        for key in keys:
            code = KEYS.get(key)
            text = {} if code else {"text": key}
            common = {"key": key, "windowsVirtualKeyCode": code or ord(key[0].upper())}
            if key == "Enter":
                text = {"text": "\r"}
            self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def prefer(self, scheme: str, media: str = "") -> None:
        """Let the user prefer `dark` or `light`, or look at paper, which is the medium `print`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save a picture of what is seen, or of the whole page."""
        result = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(result["data"]))

    def failures(self) -> list[str]:
        """Return errors, warnings and requests of the page so far, its own file aside."""
        found = []
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"]))
            elif method == "Log.entryAdded":
                found.append(parameters["entry"]["text"])
            elif method == "Runtime.consoleAPICalled":
                found.append(json.dumps(parameters["args"]))
            elif method == "Network.requestWillBeSent" and parameters.get("type") != "Document":
                found.append(parameters["request"]["url"])
        return found
