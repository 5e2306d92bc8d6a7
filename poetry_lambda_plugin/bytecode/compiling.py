"""Bytecode made by a Python of the target's version, and kept in Poetry's cache for the next run."""

from __future__ import annotations

import hashlib
import os
import time

from collections import defaultdict
from concurrent.futures import as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol

import deflate

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.output import keep_archive
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.bytecode.interpreters import Interpreters
from poetry_lambda_plugin.bytecode.workers import Workers
from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.known_files import source_key


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from concurrent.futures import Future

    from poetry_lambda_plugin.bytecode.interpreters import Interpreter
    from poetry_lambda_plugin.bytecode.placing import Compilation
    from poetry_lambda_plugin.poetry_api.project import OpenProject


FORMAT = "2"
"""Changes with anything here that changes bytecode, so that what an older release cached is not used."""

SOURCE_AT_ONCE = 1 << 21
"""Bytes of source that a process compiles; a process takes hundredths of a second to start."""

STALE = 30 * 24 * 3600
"""Seconds after which an archive of a project's own bytecode that nobody used is deleted."""

ARCHIVES = "_bytecode_"
"""Below the cache for what comes from no index."""


class CompilationObserver(Protocol):
    """Is told what happens."""

    def compiling(self, files: int, version: str) -> None:
        """Take note that files are being compiled, which can take a while."""

    def compiled(self) -> None:
        """Take note that they are."""


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The bytecode of one bundle."""

    members: Mapping[str, WheelContent]
    """By path; those of sources that can't be compiled are missing."""
    skipped: int
    version: str
    """Of the interpreter that compiled it."""


class SourceGroup(NamedTuple):
    """Sources that are compiled and cached together: those of one wheel, or of one project."""

    sources: Mapping[str, Entry]
    """By the path of their bytecode, sorted."""
    origin: str
    """A digest of what they are taken from."""
    is_wheel: bool


class Compiler:
    """Compiles; what can't be kept is put in a temporary folder."""

    def __init__(
        self,
        project: OpenProject,
        observer: CompilationObserver,
        temporary: Path,
        wheel_hash: Callable[[Path], str],
    ) -> None:
        self._root = project.facts.root
        self._disable_cache = project.settings.disable_cache
        self._observer = observer
        self._wheel_hash = wheel_hash
        self._temporary = temporary
        self._archives = project.settings.own_cache / ARCHIVES
        settings = project.settings
        self._known = KnownFiles(settings.own_cache, settings.artifacts, settings.keeps)
        self._made: dict[str, Path] = {}
        self._interpreters = Interpreters(project)

    def interpreter(self, python: tuple[int, int]) -> Interpreter:
        """Return what would compile; raises NoInterpreterError and NoHashBasedBytecodeError."""
        return self._interpreters.find(python)

    def workers(self, python: tuple[int, int]) -> Workers:
        """Return processes of what would compile; raises NoInterpreterError and NoHashBasedBytecodeError."""
        return Workers(self._interpreters.answering(python).path, self._temporary)

    def at_hand(self, compilation: Compilation) -> Bytecode | None:
        """Return bytecode that has been compiled before; None where some has not. Nothing is compiled."""
        archives = self._wanted(compilation, self.interpreter(compilation.python))
        return None if any(map(self._is_missing, archives)) else self._bytecode(compilation, archives)

    def compiled(self, compilation: Compilation) -> Bytecode:
        """Return bytecode, compiled where need be; raises NoInterpreterError and CrashError."""
        interpreter = self.interpreter(compilation.python)
        archives = self._wanted(compilation, interpreter)
        missing = {key: group for key, group in archives.items() if self._is_missing(key)}
        if missing and self._interpreters.answering(compilation.python) != interpreter:
            # replaced by another one that looks the same from outside
            return self.compiled(compilation)
        if missing:
            count = sum(len(group.sources) for group in missing.values())
            self._observer.compiling(count, interpreter.version)
            self._compile(missing, interpreter, compilation)
            self._observer.compiled()
        return self._bytecode(compilation, archives)

    def _wanted(self, compilation: Compilation, interpreter: Interpreter) -> Mapping[str, SourceGroup]:
        """Return the archives that a bundle's bytecode is in, by key."""
        groups = self._groups(compilation.sources)
        return {_key(group, interpreter, compilation): group for group in groups}

    def _bytecode(self, compilation: Compilation, archives: Iterable[str]) -> Bytecode:
        made = [self._made[key] for key in archives]
        members = {m.name: WheelContent(path, m) for path in made for m in read_members(path)}
        found = {path: members[path] for path in compilation.sources if path in members}
        version = self.interpreter(compilation.python).version
        return Bytecode(found, len(compilation.sources) - len(found), version)

    def _groups(self, sources: Mapping[str, Entry]) -> tuple[SourceGroup, ...]:
        """Sort sources by what they are taken from."""
        groups: dict[Path | str, dict[str, Entry]] = defaultdict(dict)
        for path, entry in sources.items():
            wheel = entry.content.member_name and entry.content.source
            groups[wheel or entry.owner][path] = entry
        return tuple(
            SourceGroup(group, self._wheel_hash(key), is_wheel=True)
            if isinstance(key, Path)
            else SourceGroup(group, _sources_hash(group.values()), is_wheel=False)
            for key, group in groups.items()
        )

    def _is_missing(self, key: str) -> bool:
        """Tell whether there is no sound archive with a group's bytecode."""
        if key not in self._made and not self._disable_cache:
            known = self._known.find(key)
            if known is not None and known.path.stem == key:
                self._made[key] = known.path
                if self._known.takes_new:
                    # younger than what is swept away as unused
                    with suppress(OSError):
                        os.utime(known.path)
        return key not in self._made

    def _compile(
        self, groups: Mapping[str, SourceGroup], interpreter: Interpreter, compilation: Compilation
    ) -> None:
        """Compile groups, the largest pieces first, and write the archive of each when it is complete."""
        pieces = [(key, piece) for key, group in groups.items() for piece in _pieces(group.sources)]
        pieces.sort(key=lambda keyed: -sum(entry.content.size for entry in keyed[1].values()))
        waited_for: dict[str, int] = defaultdict(int)
        bytecode: dict[str, dict[str, bytes]] = defaultdict(dict)
        with Workers(interpreter.path, self._temporary) as workers:
            futures: dict[Future[Mapping[str, bytes]], str] = {}
            for key, piece in pieces:
                futures[workers.submit(piece, compilation.settings, compilation.root)] = key
                waited_for[key] += 1
            for future in as_completed(futures):
                key = futures[future]
                bytecode[key].update(future.result())
                waited_for[key] -= 1
                if not waited_for[key]:
                    self._keep(key, groups[key], bytecode.pop(key))

    def _keep(self, key: str, group: SourceGroup, bytecode: Mapping[str, bytes]) -> None:
        entries = [Entry(path, BytesContent(bytecode[path])) for path in sorted(bytecode)]
        name = f"{key}.zip"
        fallback = self._temporary / name
        kept = fallback if self._disable_cache else self._folder(group, name) / name
        self._made[key], file_hash = keep_archive(entries, kept, fallback)
        if self._made[key] != fallback:
            self._known.remember(key, CheckedFile(kept, file_hash, verified=True))

    def _folder(self, group: SourceGroup, name: str) -> Path:
        """Return where an archive is kept; of a project, older ones are deleted there."""
        if group.is_wheel:
            return self._archives / name[:2]
        owner = next(iter(group.sources.values())).owner
        folder = self._archives / source_key(str(self._root), owner)
        for old in folder.glob("*.zip"):
            with suppress(OSError):
                if old.stat().st_mtime < time.time() - STALE:
                    old.unlink()
        return folder


def _sources_hash(sources: Iterable[Entry]) -> str:
    state = hashlib.sha256()
    for entry in sources:
        for chunk in entry.content.chunks():
            state.update(hashlib.sha256(chunk).digest())
    return state.hexdigest()


def _key(group: SourceGroup, interpreter: Interpreter, compilation: Compilation) -> str:
    """Return a key that changes with all that a group's archive depends on."""
    settings, root = compilation.settings, compilation.root
    names = [(entry.content.member_name, entry.path) for entry in group.sources.values()]
    kind = (FORMAT, deflate.__version__, interpreter.build, settings.mode, str(settings.optimize), root)
    return source_key("bytecode", *kind, group.origin, repr(names))


def _pieces(sources: Mapping[str, Entry]) -> Iterator[Mapping[str, Entry]]:
    """Split sources into what one process compiles, always in the same way."""
    piece: dict[str, Entry] = {}
    size = 0
    for path, entry in sources.items():
        if piece and size + entry.content.size > SOURCE_AT_ONCE:
            yield piece
            piece, size = {}, 0
        piece[path] = entry
        size += entry.content.size
    yield piece
