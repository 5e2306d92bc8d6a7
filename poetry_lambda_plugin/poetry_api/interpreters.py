"""The interpreters that Poetry finds: its own, pyenv's, those on PATH and those of the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry.poetry import Poetry


UNVERSIONED = re.compile(r"python3?(?:\.exe)?")
"""Names of interpreters that don't tell the minor version."""

PATIENCE = 30
"""Seconds for an interpreter to say its version."""


@cache
def find_interpreter(python: tuple[int, int]) -> Path | None:
    """Find a CPython of a minor version where Poetry looks for them: its own, pyenv's, those on PATH."""
    return named_interpreter(python) or next(find_interpreters(python), None)


@cache
def named_interpreter(python: tuple[int, int]) -> Path | None:
    """Find a CPython under the name of its minor version; nothing with another name is started."""
    if sys.version_info[:2] == python and sys.implementation.name == "cpython":
        return Path(sys.executable)
    # pyenv's commands are scripts, slower to start than what they stand for
    paths = sorted(named_interpreters(python), key=is_script)
    return next(filter(None, (_answering_interpreter(path, python) for path in paths)), None)


def find_interpreters(python: tuple[int, int]) -> Iterator[Path]:
    """Yield CPythons of a minor version among those whose names tell none, as on Windows: it starts these."""
    for path in _python_files():
        # python3 is mostly a link to what has its version in its name
        if UNVERSIONED.fullmatch(path.name) and UNVERSIONED.fullmatch(path.resolve().name):
            answer = _answering_interpreter(path, python)
            if answer is not None:
                yield answer


def named_interpreters(python: tuple[int, int]) -> Iterator[Path]:
    """Yield files with the name of a minor version where Poetry looks for interpreters; none is started."""
    return (path for path in _python_files() if path.name == f"python{python[0]}.{python[1]}")


def is_script(path: Path) -> bool:
    """Tell whether a command is a script, as pyenv's are."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def environment_interpreters(poetry: Poetry) -> Iterator[Path]:
    """Yield the interpreters of the project's environments; none is made or changed."""
    from poetry.utils.env import EnvError
    from poetry.utils.env import EnvManager

    with suppress(EnvError, OSError, ValueError):
        for environment in EnvManager(poetry).list():
            yield Path(environment.python)


def _python_files() -> Iterator[Path]:
    from findpython.providers import ALL_PROVIDERS  # type: ignore[import-untyped]
    from poetry.utils.env.python.providers import PoetryPythonPathProvider

    for provider_class in dict.fromkeys((*ALL_PROVIDERS.values(), PoetryPythonPathProvider)):
        provider = provider_class.create()
        for found in provider.find_pythons() if provider else ():
            yield Path(found.executable)


def _answering_interpreter(path: Path, python: tuple[int, int]) -> Path | None:
    """Start an interpreter and return where it really lies, None for any but a CPython of that version."""
    program = "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.executable, sep='\\n')"
    command = [str(path), "-I", "-S", "-c", program]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    *build, executable = os.fsdecode(done.stdout).splitlines() or [""]
    return Path(executable) if build == ["cpython", *map(str, python)] else None
