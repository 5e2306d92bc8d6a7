"""Runs that may hang, eat memory or fill a disk: each in a process of its own, with limits.

The processes are forked from one that has imported Poetry already, so that a run costs a tenth of a start.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

PRELOADED = [
    "tests.hostile.support_runs",
    "tests.hostile.support_preload",
]
"""Modules that the server of processes imports."""

SECONDS = 20.0
"""How long a run may take by the clock; most take a tenth of a second."""

HANGING = 2.0
"""How long a run is waited for of which it is known that it hangs."""

WAITED = 120.0
"""Seconds that a run may sleep between attempts, in all."""

MEMORY = 128 << 20
"""Bytes that a run may allocate beyond what Poetry itself has."""

THREADS = 16
"""More than a run starts."""

FILE = 8 << 20
"""Bytes of the largest file that a run may write."""

TIMED_OUT = -9
"""Exit code of a run that had to be killed."""

RAW_WORDS = re.compile(
    r"Traceback|'\w+' object|object has no attribute|indices must be|not subscriptable|not iterable"
    r"|unhashable|unexpected keyword|positional argument|NoneType|(?<!\()\b[A-Z]\w+Error\b|Expecting value"
    r"|recursion depth|codec can't|argument of type|expected string or bytes|expected str, bytes"
    r"|invalid literal for|not supported between|unpack|bad operand|could not convert|sleep length"
    r"|sys\.\w+|Exceeds the limit|IPv6"
)
"""Words of Python's own that say nothing to a user."""

STYLE = re.compile(r"\x1b\[[0-9;]*[mK]")
"""What colours a terminal, or ends a line of it."""

ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but tab and new line, which a terminal would obey."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may take, and what is watched."""

    seconds: float = SECONDS
    memory: int = MEMORY
    file: int = FILE
    open_files: int = 512
    watched: Path | None = None
    """A folder of the host of which no file may be opened and no folder listed."""
    encoding: str = "utf-8"
    """What standard output and error can take."""
    before: Callable[[], None] | None = None
    """Is called in the new process, before the command."""


@dataclass(frozen=True)
class Run:
    """What a run left behind."""

    exit_code: int
    output: str
    error: str
    waited: float = 0.0
    """Seconds that it wanted to sleep."""
    touched: tuple[str, ...] = field(default=())
    """What it opened or listed of the watched folder."""

    @property
    def message(self) -> str:
        """The error as one line."""
        return " ".join(self.error.split())

    @property
    def shown(self) -> str:
        """All that a person or a log sees."""
        return self.output + self.error


def faults(
    outcome: Run,
    words: Iterable[str] = (),
    unseen: Iterable[str] = (),
    exit_code: int = 1,
    *,
    is_debug: bool = False,
    decorated: bool = False,
) -> list[str]:
    """Return what is wrong with the way in which a run ended."""
    shown = STYLE.sub("", outcome.shown) if decorated else outcome.shown
    found = [f"says {word!r}" for word in unseen if word in shown]
    found += [f"shows {match[0]!r}" for match in ESCAPE.finditer(shown)]
    if outcome.exit_code != exit_code:
        found.append(f"ends with {outcome.exit_code}")
    if outcome.waited > WAITED:
        found.append(f"waits {outcome.waited} s")
    found += [f"does not say {word!r}" for word in words if word not in outcome.message]
    if exit_code == 0 or is_debug:
        return found
    if not outcome.error.strip():
        found.append("says nothing")
    found += [f"says {match[0]!r}" for match in RAW_WORDS.finditer(outcome.error)]
    return [*found, "more than one paragraph"] if "\n\n" in outcome.error.strip() else found


def bundle(*arguments: str, limits: Limits | None = None) -> Run:
    """Run `poetry lambda-bundle ARGUMENTS` in the current folder."""
    return run("lambda-bundle", *arguments, limits=limits)


def run(*arguments: str, limits: Limits | None = None) -> Run:
    """Run `poetry ARGUMENTS` in the current folder, within limits."""
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="hostile-run-") as folder:
        notes = Path(folder)
        process = _context().Process(
            target=_work, args=(arguments, dict(os.environ), Path.cwd(), notes, limits), daemon=True
        )
        process.start()
        process.join(limits.seconds)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            code = TIMED_OUT
        process.close()
        return Run(
            code,
            _text(notes / "output"),
            _text(notes / "error"),
            sum(map(float, _text(notes / "waited").split())),
            tuple(_text(notes / "touched").splitlines()),
        )


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _work(
    arguments: Iterable[str], environment: Mapping[str, str], folder: Path, notes: Path, limits: Limits
) -> None:
    """Be the new process."""
    from poetry.console.application import Application

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.stdout = _redirected(1, notes / "output", limits.encoding)
    sys.stderr = _redirected(2, notes / "error", limits.encoding)
    _note_sleep(notes / "waited")
    if limits.watched is not None:
        _note_touches(limits.watched, notes / "touched")
    if limits.before is not None:
        limits.before()
    _limit(limits)
    sys.argv = ["poetry", *arguments]
    sys.exit(Application().run())


def _redirected(descriptor: int, path: Path, encoding: str) -> io.TextIOWrapper:
    with path.open("wb") as file:
        os.dup2(file.fileno(), descriptor)
    return io.TextIOWrapper(
        os.fdopen(descriptor, "wb", closefd=False), encoding, "strict", "\n", line_buffering=True
    )


def _limit(limits: Limits) -> None:
    """Let the system refuse what is too much, as far as it can."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        used = int(pages.read_text().split()[5]) * resource.getpagesize()
        # a thread's stack counts before it is used
        most = used + THREADS * (8 << 20) + limits.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))


def _note_sleep(path: Path) -> None:
    """Take down how long a run would sleep between attempts, and sleep no second of it."""

    def sleep(seconds: Any) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with path.open("a") as file:
            file.write(f"{seconds}\n")

    time.sleep = sleep


def _note_touches(folder: Path, path: Path) -> None:
    """Take down every file opened and every folder listed below a folder, also by a way through a link."""
    real = os.path.realpath(folder)
    notes = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.scandir", "os.listdir") and isinstance(
            arguments[0], str | bytes | os.PathLike
        ):
            found = os.path.realpath(os.fsdecode(arguments[0]))
            if found == real or found.startswith(f"{real}{os.sep}"):
                os.write(notes, f"{event} {found}\n".encode())

    sys.addaudithook(note)


def tree(folder: Path) -> dict[str, str]:
    """Return everything below a folder: what kind it is and, of files, what is in them."""
    return dict(_described(folder, Path()))


def _described(folder: Path, below: Path) -> Iterator[tuple[str, str]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = below / entry.name
        if entry.is_symlink():
            yield path.as_posix(), f"link to {os.readlink(entry.path)}"  # noqa: PTH115 - text is enough
        elif entry.is_dir():
            yield path.as_posix(), "folder"
            yield from _described(Path(entry.path), path)
        elif entry.is_file():
            yield path.as_posix(), Path(entry.path).read_bytes().decode("latin-1")
        else:
            yield path.as_posix(), "device"
