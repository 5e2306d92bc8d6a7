"""The processes that import a handler, and what they leave: a verdict, a report, their last words."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time

from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import IO
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from typing import cast

from poetry_lambda_plugin.bytecode.workers import NEEDED_TO_START
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.trial.outcome import ModuleTime


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.trial.folders import Folders
    from poetry_lambda_plugin.trial.outcome import Isolation


ISOLATIONS: tuple[Isolation, ...] = ("namespaces", "landlock", "audit-hook")
"""The strongest first; those of Linux come before the one that every host has."""

GRACE = 10.0
"""Seconds above the time limit in which the processes have to have ended."""

PAUSE = 0.2
"""Seconds after which it is seen that the process has ended before those that it started."""

KEPT_OUTPUT = 1 << 14
"""Bytes of the output that are kept: the last ones."""

STACK_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in ')
"""How faulthandler writes a step, the last one first."""


class Ran(NamedTuple):
    """What is left of a process."""

    isolation: Isolation | None
    refused: tuple[tuple[str, str], ...]
    status: int | None
    """Its exit code, less than 0 for a signal; None where it could not be started."""
    timed_out: bool
    told: Mapping[str, Any]
    """Its report, as `importing.py` makes it."""
    stack: tuple[tuple[str, int], ...]
    """File and line of each step at the moment when it crashed or was late, the first one first."""
    output: tuple[str, ...]

    @property
    def modules(self) -> tuple[ModuleTime, ...]:
        """Those that were imported."""
        return tuple(ModuleTime(*values) for values in self.told.get("modules", ()))


def run(
    interpreter: Path,
    folders: Folders,
    handler: str,
    layer_paths: Sequence[str],
    environment: Mapping[str, str],
    limit: float,
    without: Sequence[str] = (),
) -> Ran:
    """Import a handler, at most for `limit` seconds; whatever happens, no process is left behind.

    `without` are paths of this machine's libraries that are kept from it, where there are namespaces.
    """
    place = Path(mkdtemp(dir=folders.top))
    job = {
        "isolations": ISOLATIONS if sys.platform == "linux" else ISOLATIONS[-1:],
        "program": _program("importing.py"),
        "handler": handler,
        "layer_paths": layer_paths,
        "environment": environment,
        "limit": limit,
        "without": without,
        "libraries": _system_libraries(),
        "writable": _writable(),
        **{name: str(getattr(folders, name)) for name in ("task", "runtime", "layers", "root", "passwd")},
        **{name: str(place / f"{name}.txt") for name in ("report", "stacks", "verdict")},
    }
    process = _started(interpreter, folders.root)
    output = _Tail(cast("IO[bytes]", process.stdout))
    try:
        stdin = cast("IO[bytes]", process.stdin)
        with suppress(OSError):
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
        output.wait(process, len(ISOLATIONS) * (limit + GRACE))
    finally:
        _end(process)
    return _left(place, output.lines())


def _started(interpreter: Path, folder: Path) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in NEEDED_TO_START if name in os.environ}
    return subprocess.Popen(
        [str(interpreter), "-I", "-S", "-B", "-c", _program("isolating.py")],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C is for Poetry alone, which lets go of the lifeline
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the lifeline, and kill what does not end by that."""
    with suppress(OSError):
        cast("IO[bytes]", process.stdin).close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _left(place: Path, output: tuple[str, ...]) -> Ran:
    told: dict[str, Any] = {}
    for line in _read(place / "report.txt").splitlines():
        with suppress(ValueError):
            told |= json.loads(line)
    try:
        verdict = json.loads(_read(place / "verdict.txt"))
    except ValueError:
        verdict = {"isolation": None, "refused": [], "status": None, "timed_out": False}
    return Ran(
        isolation=verdict["isolation"],
        refused=tuple((name, reason) for name, reason in verdict["refused"]),
        status=verdict["status"],
        timed_out=verdict["timed_out"],
        told=told,
        stack=_stack(_read(place / "stacks.txt")),
        output=output,
    )


def _stack(text: str) -> tuple[tuple[str, int], ...]:
    """Return the steps of the thread that crashed, else those of the first one, which is told last."""
    threads = re.split(r"^(?=Thread |Current thread )", text, flags=re.MULTILINE)
    current = next((t for t in threads if t.startswith("Current thread")), threads[-1])
    found = STACK_FRAME.finditer(current)
    return tuple((match["file"], int(match["line"])) for match in reversed([*found]))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


class _Tail:
    """Reads what a process writes, and keeps the end of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError), self._file:
            while chunk := os.read(self._file.fileno(), 1 << 16):
                self._kept = (self._kept + chunk)[-KEPT_OUTPUT:]

    def wait(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait for the last process that could write, or for this one, where others are left."""
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and process.poll() is None and time.monotonic() < deadline:
            self._thread.join(PAUSE)

    def lines(self) -> tuple[str, ...]:
        """Return the last lines."""
        self._thread.join(1)
        return tuple(self._kept.decode("utf-8", "replace").splitlines())


def _system_libraries() -> list[str]:
    """Return the folders of the system's own libraries, which come before a bundle's as they do on Lambda."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in WHEEL_ARCHITECTURES.values():
        return []
    return ["/lib64", "/usr/lib64", f"/lib/{machine}-linux-gnu", f"/usr/lib/{machine}-linux-gnu"]


def _writable() -> list[str]:
    """Return the folders that a handler may write to where it sees the host's."""
    return [os.environ.get("TEMP", "C:\\Windows\\Temp")] if sys.platform == "win32" else ["/tmp"]


@cache
def _program(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
