"""Which Python compiles for a target: a CPython of its minor version, found the way Poetry finds them."""

from __future__ import annotations

import io
import marshal
import os
import subprocess
import sys
import tempfile

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.bytecode.placing import OLDEST_PYTHON
from poetry_lambda_plugin.bytecode.workers import frames
from poetry_lambda_plugin.bytecode.workers import started
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.interpreters import PATIENCE
from poetry_lambda_plugin.poetry_api.interpreters import find_interpreters
from poetry_lambda_plugin.poetry_api.interpreters import is_script
from poetry_lambda_plugin.poetry_api.interpreters import named_interpreters
from poetry_lambda_plugin.sources.known_files import FOLDER
from poetry_lambda_plugin.sources.known_files import read_note
from poetry_lambda_plugin.sources.known_files import source_key
from poetry_lambda_plugin.sources.known_files import write_note
from poetry_lambda_plugin.strays import own_prefix


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.poetry_api.project import OpenProject


class NoInterpreterError(LambdaBundleError):
    """No Python that could compile for the target."""

    def __init__(self, python: tuple[int, int], refused: Mapping[Path, str]) -> None:
        self.python = python
        self.refused = dict(refused)
        version = f"{python[0]}.{python[1]}"
        super().__init__(
            *nowhere_found(f"Only CPython {version} can compile bytecode for Python {version}", self),
            f"Get one with `poetry python install {version}` or `pyenv install {version}`, "
            "or bundle without bytecode.",
        )


def nowhere_found(need: str, error: NoInterpreterError) -> Iterator[str]:
    """Yield lines that say what is needed, and where it was looked for."""
    name = f"python{error.python[0]}.{error.python[1]}"
    yield (
        f"{need}, and none is found: not as {name} on PATH, nor by Poetry or pyenv, nor in the project's "
        "environment."
    )
    for path, reason in error.refused.items():
        yield f"  - {path} {reason}"


class NoHashBasedBytecodeError(LambdaBundleError):
    """A Python that is too old."""


class UnfitInterpreterError(Exception):
    """Says what is wrong with an interpreter."""


class Interpreter(NamedTuple):
    """A CPython that answered."""

    path: Path
    build: str
    """All that it tells about itself, and that its bytecode may depend on."""

    @property
    def version(self) -> str:
        """Its version, as in `3.12.1`."""
        return self.build.split()[1].partition("final")[0]


class Interpreters:
    """Interpreters by minor version, remembered from run to run."""

    def __init__(self, project: OpenProject) -> None:
        self._project = project
        self._notes = project.settings.own_cache / FOLDER / "interpreters"
        self._known: dict[tuple[int, int], Interpreter] = {}
        self._answered: set[Interpreter] = set()

    def find(self, python: tuple[int, int]) -> Interpreter:
        """Return a CPython of a minor version, without a start where the last run's has not changed.

        Raises NoInterpreterError and NoHashBasedBytecodeError.
        """
        if python < OLDEST_PYTHON:
            raise NoHashBasedBytecodeError(
                f"Python {python[0]}.{python[1]} has no hash-based bytecode (PEP 552), and no other would be "
                "valid in a ZIP. Bundle without bytecode, or choose a newer runtime."
            )
        if python not in self._known:
            remembered = None if self._project.settings.disable_cache else self._remembered(python)
            self._known[python] = remembered or self._found(python)
        return self._known[python]

    def answering(self, python: tuple[int, int]) -> Interpreter:
        """Return a CPython that has answered in this run, which may be another than the last run's.

        Raises NoInterpreterError.
        """
        interpreter = self.find(python)
        if interpreter not in self._answered:
            with suppress(UnfitInterpreterError):
                self._answered.add(_probe(interpreter.path, python))
        if interpreter not in self._answered:
            self._known[python] = self._found(python)
        return self._known[python]

    def _found(self, python: tuple[int, int]) -> Interpreter:
        refused: dict[Path, str] = {}
        for path in _candidates(self._project.environments, python):
            if path in refused:
                continue
            try:
                found = _probe(path, python)
            except UnfitInterpreterError as error:
                refused[path] = str(error)
                continue
            self._answered.add(found)
            self._remember(python, found)
            return found
        raise NoInterpreterError(python, refused)

    def _remembered(self, python: tuple[int, int]) -> Interpreter | None:
        """Return the last run's interpreter, which need not be started where nothing is to be compiled."""
        try:
            note = read_note(self._note(python))
            found = Interpreter(Path(note["path"]), str(note["build"]))
            return found if note["looks"] == _looks(found.path) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _remember(self, python: tuple[int, int], found: Interpreter) -> None:
        if not self._project.settings.keeps:
            return
        with suppress(OSError):
            content = {"path": str(found.path), "build": found.build, "looks": _looks(found.path)}
            write_note(self._note(python), content)

    def _note(self, python: tuple[int, int]) -> Path:
        # another PATH or another Poetry may have another interpreter to find
        key = source_key(f"{python}", sys.executable, os.environ.get("PATH"))
        return self._notes / key


def _candidates(environments: Callable[[], Iterator[Path]], python: tuple[int, int]) -> Iterator[Path]:
    """Yield interpreters that may be of a minor version, those that are found at once first."""
    if sys.version_info[:2] == python:
        yield Path(sys.executable)
    named = [(path, is_script(path)) for path in named_interpreters(python)]
    yield from (path for path, is_shim in named if not is_shim)
    yield from (_behind_shim(path) for path, is_shim in named if is_shim)
    yield from find_interpreters(python)
    yield from environments()


def _behind_shim(path: Path) -> Path:
    """Return the interpreter that a command starts: pyenv's are scripts that need the user's environment."""
    command = [str(path), "-I", "-S", "-c", "import sys; print(sys.executable)"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return path
    told = Path(os.fsdecode(done.stdout.strip()))
    return told if told.is_absolute() and told.is_file() else path


def _probe(path: Path, python: tuple[int, int]) -> Interpreter:
    """Ask an interpreter what it is; raises UnfitInterpreterError for any but a CPython of that version."""
    version = f"{python[0]}.{python[1]}"
    with tempfile.TemporaryDirectory(prefix=own_prefix()) as folder:
        try:
            with started(path, Path(folder), subprocess.PIPE) as process:
                try:
                    output, errors = process.communicate(marshal.dumps((0, 0, []), 2), PATIENCE)
                finally:
                    process.kill()
        except subprocess.TimeoutExpired:
            raise UnfitInterpreterError("does not answer") from None
        except OSError as error:
            raise UnfitInterpreterError(f"can't be started: {error.strerror}") from None
    build = next(frames(io.BytesIO(output)), b"").decode("ascii", "replace")
    if process.returncode or not build:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
        raise UnfitInterpreterError(f"is broken (exit code {process.returncode}){reason}")
    name, found, *_ = (*build.split(), "", "")
    if name != "cpython" or not found.startswith(f"{version}."):
        raise UnfitInterpreterError(f"is {name} {found.partition('final')[0]}")
    return Interpreter(path, build)


def _looks(path: Path) -> list[int]:
    """Return what changes with an interpreter's file: its size and modification time."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
