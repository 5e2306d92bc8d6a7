"""Bytecode made by a Python of the target's version, and kept in Poetry's cache for the next run."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import secrets
import subprocess
import sys
import tempfile
import time

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import Protocol

import deflate

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.bytecode import OLDEST_PYTHON
from poetry_lambda_plugin.layout.distribution import chunks
from poetry_lambda_plugin.sources import poetry_api
from poetry_lambda_plugin.sources.building import source_key
from poetry_lambda_plugin.sources.fetching import NO_INDEX
from poetry_lambda_plugin.sources.known_files import FOLDER
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.project import project_root


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from poetry.poetry import Poetry
    from typing_extensions import Self

    from poetry_lambda_plugin.layout.bytecode import BytecodeMode
    from poetry_lambda_plugin.layout.bytecode import BytecodeSettings


FORMAT = "1"
"""Changes with anything here that changes bytecode, so that what an older release cached is not used."""

FLAGS: Mapping[BytecodeMode, int] = {"checked-hash": 0b11, "unchecked-hash": 0b01}
"""Second word of a `.pyc` file (PEP 552)."""

ARGUMENTS = ("-s", "-S", "-B", "-W", "ignore", "-c")
"""With an environment and a working folder that are empty, this is `-I -S -B`.

`-I` itself would take no notice of PYTHONHASHSEED, which the order of sets in bytecode depends on until 3.10.
"""

NEEDED_TO_START = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables without which some interpreters don't find their own libraries."""

SOURCE_AT_ONCE = 1 << 21
"""Bytes of source that a process compiles; a process takes hundredths of a second to start."""

PATIENCE = 30
"""Seconds for an interpreter to say its version."""

STALE = 30 * 24 * 3600
"""Seconds after which an archive of a project's own bytecode that nobody used is deleted."""

ARCHIVES = "_bytecode_"
"""Below the cache for what comes from no index."""


class NoInterpreterError(LambdaBundleError):
    """No Python that could compile for the target."""

    def __init__(self, python: tuple[int, int], refused: Mapping[Path, str]) -> None:
        self.python = python
        self.refused = dict(refused)
        version = f"{python[0]}.{python[1]}"
        reasons = "".join(f"\n  - {path} {reason}" for path, reason in refused.items())
        super().__init__(
            f"Only CPython {version} can compile bytecode for Python {version}, and none is found: not as "
            f"python{version} on PATH, nor by Poetry or pyenv, nor in the project's environment.{reasons}\n"
            f"Get one with `poetry python install {version}` or `pyenv install {version}`, "
            "or bundle without bytecode."
        )


class NoHashBasedBytecodeError(LambdaBundleError):
    """A Python that is too old."""


class CrashError(LambdaBundleError):
    """A source that ends the interpreter which should compile it."""


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


class CompilationObserver(Protocol):
    """Is told what happens."""

    def compiling(self, files: int, version: str) -> None:
        """Take note that files are being compiled, which can take a while."""


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
        poetry: Poetry,
        observer: CompilationObserver,
        temporary: Path,
        wheel_hash: Callable[[Path], str],
    ) -> None:
        self._poetry = poetry
        self._observer = observer
        self._wheel_hash = wheel_hash
        self._temporary = temporary
        config = poetry.config
        notes = config.repository_cache_directory / NO_INDEX
        self._archives = notes / ARCHIVES
        self._known = KnownFiles(notes, config.artifacts_cache_directory)
        self._made: dict[str, Path] = {}
        self._interpreters: dict[tuple[int, int], Interpreter] = {}
        self._answered: set[Interpreter] = set()

    def interpreter(self, python: tuple[int, int]) -> Interpreter:
        """Return a CPython of a minor version, from the notes where it has not changed.

        Raises NoInterpreterError and NoHashBasedBytecodeError.
        """
        if python < OLDEST_PYTHON:
            raise NoHashBasedBytecodeError(
                f"Python {python[0]}.{python[1]} has no hash-based bytecode (PEP 552), and no other would be "
                "valid in a ZIP. Bundle without bytecode, or choose a newer runtime."
            )
        if python not in self._interpreters:
            found = None if self._poetry.disable_cache else self._remembered(python)
            self._interpreters[python] = found or self._found(python)
        return self._interpreters[python]

    def compiled(
        self,
        sources: Mapping[str, Entry],
        settings: BytecodeSettings,
        python: tuple[int, int],
        root: str,
        *,
        only_at_hand: bool = False,
    ) -> Bytecode | None:
        """Return the bytecode of sources, which are mapped by its path.

        `root` is the folder that the bundle is unpacked to. With `only_at_hand` nothing is compiled, and
        the result is None where that would be needed. Raises NoInterpreterError and CrashError.
        """
        interpreter = self.interpreter(python)
        groups = self._groups(sources)
        keys = [_key(group, interpreter, settings, root) for group in groups]
        missing = {k: g for k, g in zip(keys, groups, strict=True) if self._archive(k) is None}
        if missing and only_at_hand:
            return None
        if missing:
            if interpreter not in self._answered and not self._still_is(interpreter, python):
                # replaced by another one that looks the same from outside
                self._interpreters[python] = self._found(python)
                return self.compiled(sources, settings, python, root)
            count = sum(len(group.sources) for group in missing.values())
            self._observer.compiling(count, interpreter.version)
            self._compile(missing, interpreter, settings, root)
        members = {
            member.name: WheelContent(self._made[key], member)
            for key in keys
            for member in read_members(self._made[key])
        }
        found = {path: members[path] for path in sources if path in members}
        return Bytecode(found, len(sources) - len(found), interpreter.version)

    def _groups(self, sources: Mapping[str, Entry]) -> tuple[SourceGroup, ...]:
        """Sort sources by what they are taken from."""
        groups: dict[Path | str, dict[str, Entry]] = defaultdict(dict)
        for path, entry in sources.items():
            content = entry.content
            groups[content.wheel if isinstance(content, WheelContent) else entry.owner][path] = entry
        return tuple(
            SourceGroup(group, self._wheel_hash(key), is_wheel=True)
            if isinstance(key, Path)
            else SourceGroup(group, _sources_hash(group.values()), is_wheel=False)
            for key, group in groups.items()
        )

    def _archive(self, key: str) -> Path | None:
        """Return the archive with a group's bytecode, if there is a sound one."""
        if key not in self._made and not self._poetry.disable_cache:
            known = self._known.find(key)
            if known is not None and known.path.stem == key:
                self._made[key] = known.path
                # younger than what is swept away as unused
                with suppress(OSError):
                    os.utime(known.path)
        return self._made.get(key)

    def _compile(
        self,
        groups: Mapping[str, SourceGroup],
        interpreter: Interpreter,
        settings: BytecodeSettings,
        root: str,
    ) -> None:
        """Compile groups, the largest pieces first, and write the archive of each when it is complete."""
        pieces = [(key, piece) for key, group in groups.items() for piece in _pieces(group.sources)]
        pieces.sort(key=lambda keyed: -sum(_size(entry) for entry in keyed[1].values()))
        waited_for: dict[str, int] = defaultdict(int)
        bytecode: dict[str, dict[str, bytes]] = defaultdict(dict)
        with Workers(interpreter, self._temporary) as workers:
            futures: dict[Future[Mapping[str, bytes]], str] = {}
            for key, piece in pieces:
                futures[workers.submit(piece, settings, root)] = key
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
        if not self._poetry.disable_cache:
            # a cache that can't be written to costs time, nothing else
            with suppress(UnwritableOutputError):
                path = self._folder(group, name) / name
                file_hash = _written(entries, path)
                self._made[key] = path
                self._known.remember(key, path, file_hash, verified=True)
                return
        self._made[key] = self._temporary / name
        _written(entries, self._made[key])

    def _folder(self, group: SourceGroup, name: str) -> Path:
        """Return where an archive is kept; of a project, older ones are deleted there."""
        if group.is_wheel:
            return self._archives / name[:2]
        owner = next(iter(group.sources.values())).owner
        folder = self._archives / source_key(str(project_root(self._poetry)), owner)
        for old in folder.glob("*.zip"):
            with suppress(OSError):
                if old.stat().st_mtime < time.time() - STALE:
                    old.unlink()
        return folder

    def _found(self, python: tuple[int, int]) -> Interpreter:
        refused: dict[Path, str] = {}
        for path in _candidates(self._poetry, python):
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

    def _still_is(self, remembered: Interpreter, python: tuple[int, int]) -> bool:
        with suppress(UnfitInterpreterError):
            if _probe(remembered.path, python) == remembered:
                self._answered.add(remembered)
                return True
        return False

    def _remembered(self, python: tuple[int, int]) -> Interpreter | None:
        """Return the last run's interpreter, which need not be started where nothing is to be compiled."""
        try:
            note = json.loads(self._interpreter_note(python).read_bytes())
            found = Interpreter(Path(note["path"]), str(note["build"]))
            return found if note["looks"] == _looks(found.path) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _remember(self, python: tuple[int, int], found: Interpreter) -> None:
        note = self._interpreter_note(python)
        with suppress(OSError):
            content = {"path": str(found.path), "build": found.build, "looks": _looks(found.path)}
            note.parent.mkdir(parents=True, exist_ok=True)
            temporary = note.with_name(f"{note.name}.{secrets.token_hex(4)}")
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(note)

    def _interpreter_note(self, python: tuple[int, int]) -> Path:
        # another PATH or another Poetry may have another interpreter to find
        key = source_key(f"{python}", sys.executable, os.environ.get("PATH"))
        return self._known.folder / FOLDER / "interpreters" / key


class Workers:
    """Processes of one interpreter, as many at once as processors; none outlives the `with` block."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self._interpreter = interpreter
        # nothing in it can be imported
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exception is not None:
            self._stopped = True
            for process in tuple(self._running):
                process.kill()
        self._pool.shutdown(cancel_futures=True)

    def submit(
        self, sources: Mapping[str, Entry], settings: BytecodeSettings, root: str
    ) -> Future[Mapping[str, bytes]]:
        """Have sources compiled by a fresh process, for what it compiled before can show in bytecode."""
        return self._pool.submit(self._compiled, sources, settings, root)

    def _compiled(
        self, sources: Mapping[str, Entry], settings: BytecodeSettings, root: str
    ) -> Mapping[str, bytes]:
        texts = [(root + entry.path, b"".join(chunks(entry.content))) for entry in sources.values()]
        job = marshal.dumps((FLAGS[settings.mode], settings.optimize, texts), 2)
        output, errors, code = self._run(job)
        _, *answers = list(_frames(output)) or [b""]
        if (code or len(answers) != len(sources)) and not self._stopped:
            victim = (*sources.values(), None)[min(len(answers), len(sources))]
            where = f"{victim.path} of {victim.owner}" if victim else "the sources"
            last = f" ({errors.strip().splitlines()[-1]})" if errors.strip() else ""
            raise CrashError(
                f"{self._interpreter.path} ended with exit code {code} while it compiled {where}{last}. "
                "Name the file in `bytecode-exclude`, or use another release of that Python."
            )
        return {path: answer for path, answer in zip(sources, answers, strict=False) if answer}

    def _run(self, job: bytes) -> tuple[bytes, str, int]:
        with _started(self._interpreter.path, self._folder) as process:
            self._running.add(process)
            if self._stopped:
                process.kill()
            output, errors = process.communicate(job)
            self._running.discard(process)
        return output, errors.decode("utf-8", "replace"), process.returncode


def _sources_hash(sources: Iterable[Entry]) -> str:
    state = hashlib.sha256()
    for entry in sources:
        for chunk in chunks(entry.content):
            state.update(hashlib.sha256(chunk).digest())
    return state.hexdigest()


def _key(group: SourceGroup, interpreter: Interpreter, settings: BytecodeSettings, root: str) -> str:
    """Return a key that changes with all that a group's archive depends on."""
    names = [
        (e.content.member.name if isinstance(e.content, WheelContent) else "", e.path)
        for e in group.sources.values()
    ]
    kind = (FORMAT, deflate.__version__, interpreter.build, settings.mode, str(settings.optimize), root)
    return source_key("bytecode", *kind, group.origin, repr(names))


def _pieces(sources: Mapping[str, Entry]) -> Iterator[Mapping[str, Entry]]:
    """Split sources into what one process compiles, always in the same way."""
    piece: dict[str, Entry] = {}
    size = 0
    for path, entry in sources.items():
        if piece and size + _size(entry) > SOURCE_AT_ONCE:
            yield piece
            piece, size = {}, 0
        piece[path] = entry
        size += _size(entry)
    yield piece


def _size(entry: Entry) -> int:
    content = entry.content
    if isinstance(content, WheelContent):
        return content.member.size
    return content.size if isinstance(content, FileContent) else len(content.data)


def _written(entries: Sequence[Entry], path: Path) -> str:
    """Write an archive and return its digest, as `sha256:hex`."""
    with OutputFile(path) as output:
        written = write_archive(entries, output, Timestamp.from_epoch(EARLIEST))
        output.commit()
    return f"sha256:{written.sha256.hex()}"


def _candidates(poetry: Poetry, python: tuple[int, int]) -> Iterator[Path]:
    """Yield interpreters that may be of a minor version, those that are found at once first."""
    if sys.version_info[:2] == python:
        yield Path(sys.executable)
    named = [(path, _is_script(path)) for path in poetry_api.named_interpreters(python)]
    yield from (path for path, is_script in named if not is_script)
    yield from (_behind_shim(path) for path, is_script in named if is_script)
    yield from poetry_api.find_interpreters(python)
    yield from poetry_api.environment_interpreters(poetry)


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


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
    with tempfile.TemporaryDirectory(prefix="lambda-bundle-") as folder:
        try:
            with _started(path, Path(folder)) as process:
                try:
                    output, errors = process.communicate(marshal.dumps((0, 0, []), 2), PATIENCE)
                finally:
                    process.kill()
        except subprocess.TimeoutExpired:
            raise UnfitInterpreterError("does not answer") from None
        except OSError as error:
            raise UnfitInterpreterError(f"can't be started: {error.strerror}") from None
    build = next(_frames(output), b"").decode("ascii", "replace")
    if process.returncode or not build:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
        raise UnfitInterpreterError(f"is broken (exit code {process.returncode}){reason}")
    name, found, *_ = (*build.split(), "", "")
    if name != "cpython" or not found.startswith(f"{version}."):
        raise UnfitInterpreterError(f"is {name} {found.partition('final')[0]}")
    return Interpreter(path, build)


def _started(path: Path, folder: Path) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in NEEDED_TO_START if name in os.environ}
    return subprocess.Popen(
        [str(path), *ARGUMENTS, _program()],
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@cache
def _program() -> str:
    return Path(__file__).with_name("compile_worker.py").read_text(encoding="utf-8")


def _frames(output: bytes) -> Iterator[bytes]:
    """Yield the complete answers of a worker."""
    position = 0
    while position + 4 <= len(output):
        start = position + 4
        position = start + int.from_bytes(output[position:start], "little")
        if position > len(output):
            return
        yield output[start:position]


def _looks(path: Path) -> list[int]:
    """Return what changes with an interpreter's file: its size and modification time."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
