"""Processes of the target's Python, and how they are spoken to: what `compile_worker.py` is to the rest."""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import tempfile

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING
from typing import cast

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType
    from typing import IO

    from typing_extensions import Self

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.bytecode.placing import BytecodeSettings
    from poetry_lambda_plugin.configuration.values import BytecodeMode


FLAGS: Mapping[BytecodeMode, int] = {"checked-hash": 0b11, "unchecked-hash": 0b01}
"""Second word of a `.pyc` file (PEP 552)."""

ARGUMENTS = ("-s", "-S", "-B", "-W", "ignore", "-c")
"""With an environment and a working folder that are empty, this is `-I -S -B`.

`-I` itself would take no notice of PYTHONHASHSEED, which the order of sets in bytecode depends on until 3.10.
"""

NEEDED_TO_START = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables without which some interpreters don't find their own libraries."""

CAN_FORK = hasattr(os, "fork")
"""A fork takes a third of the time in which a process is started."""


class CrashError(LambdaBundleError):
    """A source that ends the interpreter which should compile it."""


class Workers:
    """Processes of one interpreter, as many at once as processors; none outlives the `with` block."""

    def __init__(self, interpreter: Path, folder: Path) -> None:
        count = os.cpu_count() or 1
        self._workers = [Worker(interpreter, Path(tempfile.mkdtemp(dir=folder))) for _ in range(count)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exception is not None:
            for worker in self._workers:
                worker.kill()
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def submit(
        self, sources: Mapping[str, Entry], settings: BytecodeSettings, root: str
    ) -> Future[Mapping[str, bytes]]:
        """Have sources compiled; the result lacks those that can't be, and may be a CrashError."""
        return self._pool.submit(self._compiled, sources, settings, root)

    def compare(self, pairs: Sequence[tuple[bytes, bytes]]) -> Future[Sequence[bool]]:
        """Have `.pyc` files made here held against others; what can't be read is not the same."""
        return self._pool.submit(self._compared, pairs)

    def _compared(self, pairs: Sequence[tuple[bytes, bytes]]) -> Sequence[bool]:
        worker = self._idle.get()
        answers: list[bytes] = []
        try:
            while len(answers) < len(pairs) and not worker.killed:
                left = list(pairs[len(answers) :])
                answers += worker.answers(marshal.dumps((left,), 2), len(left))
                if len(answers) < len(pairs):
                    # the next one has ended the process
                    answers.append(b"other")
                    worker.end()
        finally:
            self._idle.put(worker)
        return [answer == b"same" for answer in answers]

    def _compiled(
        self, sources: Mapping[str, Entry], settings: BytecodeSettings, root: str
    ) -> Mapping[str, bytes]:
        texts = [(root + entry.path, entry.read()) for entry in sources.values()]
        job = marshal.dumps((FLAGS[settings.mode], settings.optimize, texts), 2)
        worker = self._idle.get()
        try:
            answers = worker.answers(job, len(sources))
            if len(answers) < len(sources) and not worker.killed:
                victim = tuple(sources.values())[len(answers)]
                raise CrashError(
                    f"{worker.interpreter} {worker.end()} while it compiled {victim.path} of {victim.owner}. "
                    "Name the file in `bytecode-exclude`, or use another release of that Python."
                )
        finally:
            self._idle.put(worker)
        return {path: answer for path, answer in zip(sources, answers, strict=False) if answer}


class Worker:
    """A process that starts when there is work for it."""

    def __init__(self, interpreter: Path, folder: Path) -> None:
        self.interpreter = interpreter
        self.killed = False
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # in the folder where it runs, but nothing that can be imported
        self._errors = folder / "errors.txt"
        self._answers: Iterator[bytes] = iter(())

    def answers(self, job: bytes, count: int) -> list[bytes]:
        """Return the answers to a job, fewer than `count` if the process ends before the last."""
        process = self._process or self._start()
        # one that has ended says so by its answers
        with suppress(OSError):
            stdin = cast("IO[bytes]", process.stdin)
            stdin.write(job)
            stdin.flush()
        answers = list(islice(self._answers, count))
        if not CAN_FORK and len(answers) == count:
            self.end()
        return answers

    def kill(self) -> None:
        """End the process and its child at once, from another thread."""
        self.killed = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        if CAN_FORK:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()

    def end(self) -> str:
        """Let the process end, which has nothing more to do; return how it did."""
        process, self._process = self._process, None
        if process is None:
            return ""
        with suppress(OSError), process:
            # leaving it closes the pipes and waits
            pass
        lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f" ({lines[-1]})" if lines else ""
        return f"ended with exit code {process.returncode}{last}"

    def _start(self) -> subprocess.Popen[bytes]:
        with self._errors.open("wb") as errors:
            self._process = started(self.interpreter, self._folder, errors)
        if self.killed:
            self.kill()
        self._answers = frames(cast("IO[bytes]", self._process.stdout))
        # its introduction
        next(self._answers, b"")
        return self._process


def started(interpreter: Path, folder: Path, errors: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start an interpreter that introduces itself in its first frame; raises OSError if it can't be."""
    environment = {name: os.environ[name] for name in NEEDED_TO_START if name in os.environ}
    return subprocess.Popen(
        [str(interpreter), *ARGUMENTS, _program(), "fork" if CAN_FORK else "once"],
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        # Ctrl-C is for Poetry alone, which ends its workers and their children
        start_new_session=True,
    )


def frames(output: IO[bytes]) -> Iterator[bytes]:
    """Yield the complete answers of a process until it ends."""
    while len(head := output.read(4)) == 4:
        size = int.from_bytes(head, "little")
        answer = output.read(size)
        if len(answer) == size:
            yield answer


@cache
def _program() -> str:
    return Path(__file__).with_name("compile_worker.py").read_text(encoding="utf-8")
