"""Bytecode of unknown origin, held against what a Python of its version makes of the source anew.

A `.pyc` can run instead of its source, so what it says of itself counts for nothing.
"""

from __future__ import annotations

import re

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.bytecode.compiling import SOURCE_AT_ONCE
from poetry_lambda_plugin.bytecode.interpreters import NoHashBasedBytecodeError
from poetry_lambda_plugin.bytecode.interpreters import NoInterpreterError
from poetry_lambda_plugin.bytecode.placing import BytecodeSettings
from poetry_lambda_plugin.bytecode.placing import bytecode_path
from poetry_lambda_plugin.bytecode.placing import compilation
from poetry_lambda_plugin.bytecode.workers import CrashError
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.bytecode.compiling import Compiler
    from poetry_lambda_plugin.configuration.values import BytecodeMode
    from poetry_lambda_plugin.layout.plan import BundlePlan


CACHED = re.compile(
    r"(?P<folder>(?:.*/)?)__pycache__/(?P<stem>[^/]+)\.cpython-3(?P<minor>\d{1,2})(?:\.opt-(?P<level>[12]))?\.pyc"
)
"""Where CPython looks for a module's bytecode (PEP 3147, PEP 488)."""

MOST = 4 * MAX_SOURCE
"""Bytes of bytecode that is looked at; what is compiled of the largest source has fewer."""

STABLE_SETS = (3, 11)
"""The first Python that writes the same bytecode for all sources in each run."""


class Compiled(NamedTuple):
    """Whose bytecode a file would be by its path."""

    source: str
    python: tuple[int, int]
    optimize: int


class Judgement(NamedTuple):
    """What became of one `.pyc`."""

    verified: bool | None
    """None where that can't be told."""
    reason: str = ""
    """Why it is not verified."""


def compiled_of(path: str, python: tuple[int, int]) -> Compiled | None:
    """Return which source a `.pyc` would be of; None where no Python could take it for one's.

    `python` is the one that a file outside of `__pycache__` is for, which tells none.
    """
    match = CACHED.fullmatch(path)
    if match:
        level = int(match["level"] or 0)
        return Compiled(f"{match['folder']}{match['stem']}.py", (3, int(match["minor"])), level)
    if path.endswith(".pyc") and "__pycache__" not in path.split("/"):
        return Compiled(f"{path[:-1]}", python, 0)
    return None


class Holder:
    """Holds bytecode against sources of a plan; each version's Python compiles and compares."""

    def __init__(self, compiler: Compiler, plan: BundlePlan, mode: BytecodeMode) -> None:
        self._compiler = compiler
        self._plan = plan
        self._mode = mode

    def judge(
        self, found: Mapping[str, Compiled], read: Callable[[str, int], bytes | None]
    ) -> Mapping[str, Judgement]:
        """Judge files by path, whose sources are all in the plan; `read` reads one, if it is no larger."""
        groups: dict[tuple[tuple[int, int], int], dict[str, Compiled]] = defaultdict(dict)
        for path, compiled in found.items():
            groups[compiled.python, compiled.optimize][path] = compiled
        judged: dict[str, Judgement] = {}
        for (python, optimize), group in groups.items():
            judged.update(self._judged_of_one_python(python, optimize, group, read))
        return judged

    def _judged_of_one_python(
        self,
        python: tuple[int, int],
        optimize: int,
        found: Mapping[str, Compiled],
        read: Callable[[str, int], bytes | None],
    ) -> Mapping[str, Judgement]:
        try:
            return dict(self._judged(python, optimize, found, read))
        except (NoInterpreterError, NoHashBasedBytecodeError, CrashError) as error:
            return dict.fromkeys(found, Judgement(None, _reason(error, python)))

    def _judged(
        self,
        python: tuple[int, int],
        optimize: int,
        found: Mapping[str, Compiled],
        read: Callable[[str, int], bytes | None],
    ) -> Iterator[tuple[str, Judgement]]:
        settings = BytecodeSettings(mode=self._mode, exclude=PathFilter(()), optimize=optimize)
        wanted = compilation(self._plan, settings, python)
        sources = _of_same_origins(wanted.sources, {c.source for c in found.values()})
        made = self._compiler.compiled(replace(wanted, sources=sources))
        places = {path: bytecode_path(c.source, python, optimize) for path, c in found.items()}
        version = f"CPython {made.version}"
        pairs: dict[str, tuple[bytes, bytes]] = {}
        for path, place in places.items():
            data = read(path, MOST)
            if place in made.members and data is not None:
                pairs[path] = b"".join(made.members[place].chunks()), data
            elif place in sources and python >= STABLE_SETS:
                yield path, Judgement(False, f"{version} makes none of its source")
            else:
                yield path, Judgement(None, f"{version} can't make it anew")
        for path, is_same in self._compared(python, pairs):
            yield path, Judgement(is_same, "" if is_same else f"{version} makes another of its source")

    def _compared(
        self, python: tuple[int, int], pairs: Mapping[str, tuple[bytes, bytes]]
    ) -> Iterator[tuple[str, bool]]:
        if not pairs:
            return
        with self._compiler.workers(python) as workers:
            jobs = [(piece, workers.compare([pairs[path] for path in piece])) for piece in _pieces(pairs)]
            for piece, future in jobs:
                yield from zip(piece, future.result(), strict=True)


def _of_same_origins(sources: Mapping[str, Entry], wanted: Iterable[str]) -> Mapping[str, Entry]:
    """Return the sources that some of those wanted are compiled and cached together with."""
    wanted = frozenset(wanted)
    origins = {_origin(entry) for entry in sources.values() if entry.path in wanted}
    return {path: entry for path, entry in sources.items() if _origin(entry) in origins}


def _origin(entry: Entry) -> Path | str:
    content = entry.content
    return content.source if content.member_name and content.source else entry.owner


def _reason(error: Exception, python: tuple[int, int]) -> str:
    version = f"{python[0]}.{python[1]}"
    if isinstance(error, NoInterpreterError):
        return f"no CPython {version} is found here; `poetry python install {version}` gets one"
    return str(error)


def _pieces(pairs: Mapping[str, tuple[bytes, bytes]]) -> Iterator[Sequence[str]]:
    """Split what is compared into what one process is asked at once."""
    piece: list[str] = []
    size = 0
    for path, (made, found) in pairs.items():
        if piece and size > SOURCE_AT_ONCE:
            yield piece
            piece, size = [], 0
        piece.append(path)
        size += len(made) + len(found)
    if piece:
        yield piece
