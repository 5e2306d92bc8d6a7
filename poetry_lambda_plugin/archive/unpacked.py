"""What a folder holds, held against a bundle: files as they should be, old ones of ours, other people's."""

from __future__ import annotations

import json
import os
import re
import stat

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeAlias

import deflate

from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import CHUNK
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.strays import is_ours
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.archive.content import Content
    from poetry_lambda_plugin.archive.content import Entry


FILE_MODE, EXECUTABLE_MODE, FOLDER_MODE = 0o644, 0o755, 0o755

BYTECODE = re.compile(r"(?P<folder>(?:.*/)?)__pycache__/(?P<module>[^/.]+)\.[^/]+\.pyc")
"""What Python leaves beside a module that it has imported (PEP 3147)."""

HAS_MODES = hasattr(os, "getuid")
"""Windows knows neither users by number nor the modes of files."""


class Held(NamedTuple):
    """What tells one file's bytes from another's."""

    size: int
    checksum: int
    """CRC-32."""


Record: TypeAlias = "Mapping[str, Held]"
"""Files that were written, by path below their folder."""


class ForeignFilesError(LambdaBundleError):
    """Files in a folder that nobody here has written."""

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self.folder, self.paths = folder, paths
        is_one = len(paths) == 1
        super().__init__(
            f"The bundle can't be unpacked to {folder}: {listed(paths)} {'is' if is_one else 'are'} there, "
            f"which no run has written, and would be lost. Move {'it' if is_one else 'them'}, remove the "
            "folder if it is an old bundle, or choose another --unpacked."
        )


class SourceFolderError(LambdaBundleError):
    """A folder that files are bundled from."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.source = folder, source
        super().__init__(
            f"The bundle can't be unpacked to {folder}: {source} is bundled from there. "
            "Choose another --unpacked, or remove the folder if it is an old bundle."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A folder held against what it is to hold; paths are relative, with forward slashes."""

    changed: tuple[Entry, ...]
    """What it lacks, or has with other bytes, another mode or another time."""
    unchanged: tuple[Entry, ...]
    obsolete: tuple[str, ...]
    """What earlier runs have written there, and Python beside it."""
    stamps: Mapping[str, tuple[int, ...]]
    """What changes when a file is written to, by path: of all that are there."""

    @property
    def differs(self) -> bool:
        """Tell whether anything is to be done."""
        return bool(self.changed or self.obsolete)


def compared(folder: Path, entries: Sequence[Entry], modified: int, record: Record) -> Comparison:
    """Hold a folder, which need not be there, against a bundle whose files have a time in seconds.

    No link is followed. Raises ForeignFilesError and SourceFolderError.
    """
    _check_sources(folder, entries)
    there = dict(_files(folder))
    planned = {entry.path: entry for entry in entries}
    same = {path for path, status in there.items() if _is_same(folder, planned.get(path), status, modified)}
    others = [path for path in there if path not in same]
    known = planned.keys() | record.keys()
    foreign = [path for path in others if not _is_ours(folder, path, there[path], planned, record, known)]
    if foreign:
        raise ForeignFilesError(folder, sorted(foreign))
    return Comparison(
        changed=tuple(entry for entry in entries if entry.path not in same),
        unchanged=tuple(entry for entry in entries if entry.path in same),
        obsolete=tuple(sorted(path for path in others if path not in planned)),
        stamps={path: stamp(status) for path, status in there.items()},
    )


def stamps_of(folder: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the stamps of all files that are there now."""
    return {path: stamp(status) for path, status in _files(folder)}


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written to, or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode


def read_record(note: Path) -> Record:
    """Return what earlier runs have written to a folder, as far as it is known."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        _, text = note.read_text("ascii").split("\n", 1)
        files = json.loads(text)
        return {str(path): Held(int(size), int(checksum)) for path, (size, checksum) in files.items()}
    return {}


def write_record(note: Path, folder: Path, record: Record) -> None:
    """Take note of what is written to a folder; one that can't be kept costs a question, nothing else.

    Its first line is the folder; notes of folders that are gone, as temporary ones are, go too.
    """
    with suppress(OSError):
        with replacing(note) as file:
            file.write(f"{json.dumps(str(folder))}\n{json.dumps(record)}\n".encode("ascii"))
        for other in note.parent.iterdir():
            _forget_if_gone(other)


def _forget_if_gone(note: Path) -> None:
    with suppress(OSError, ValueError, TypeError):
        with note.open(encoding="ascii") as file:
            folder = json.loads(file.readline())
        if not os.path.isdir(folder):  # noqa: PTH112 - a Path would be made of whatever is written there
            note.unlink()


def record_of(entries: Sequence[Entry]) -> Record:
    """Return the record of a bundle."""
    return {entry.path: Held(entry.content.size, _checksum(entry.content)) for entry in entries}


def held(path: Path | str) -> Held:
    """Return the size of a file and its bytes' CRC-32."""
    size = checksum = 0
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - there may be tens of thousands
        while chunk := file.read(CHUNK):
            size += len(chunk)
            checksum = deflate.crc32(chunk, checksum)
    return Held(size, checksum)


def mode_of(entry: Entry) -> int:
    """Return the mode of a file, as its ZIP would have it."""
    return EXECUTABLE_MODE if entry.executable else FILE_MODE


def _checksum(content: Content) -> int:
    if isinstance(content, WheelContent):
        return content.member.crc
    checksum = 0
    for chunk in content.chunks():
        checksum = deflate.crc32(chunk, checksum)
    return checksum


def _check_sources(folder: Path, entries: Sequence[Entry]) -> None:
    """Refuse a folder that the project's own files, or a path dependency's, lie in."""
    start = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 - asked for each file
    for entry in entries:
        content = entry.content
        if isinstance(content, FileContent) and os.path.realpath(content.source).startswith(start):
            raise SourceFolderError(folder, content.source)


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all that is no folder below a folder, links as what they are."""
    waiting = [("", str(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            found = list(os.scandir(path))
        except FileNotFoundError:
            continue
        for item in found:
            if is_ours(item.name):
                # some run is about to remove it
                continue
            if item.is_dir(follow_symlinks=False):
                waiting.append((f"{prefix}{item.name}/", item.path))
            else:
                # that of the item itself has no inode on Windows
                yield f"{prefix}{item.name}", os.lstat(item.path)


def _is_same(folder: Path, entry: Entry | None, status: os.stat_result, modified: int) -> bool:
    """Tell whether a file is just what it is to be."""
    return (
        entry is not None
        and stat.S_ISREG(status.st_mode)
        and status.st_size == entry.content.size
        and status.st_mtime_ns == modified * 1_000_000_000
        and (not HAS_MODES or stat.S_IMODE(status.st_mode) == mode_of(entry))
        and held(f"{folder}/{entry.path}").checksum == _checksum(entry.content)
    )


def _is_ours(
    folder: Path,
    path: str,
    status: os.stat_result,
    planned: Mapping[str, Entry],
    record: Record,
    known: Collection[str],
) -> bool:
    """Tell whether a file may go: one that was written here, or one of the same bytes, or Python's."""
    if not stat.S_ISREG(status.st_mode):
        return False
    entry = planned.get(path)
    if entry is not None:
        # what a person has changed since in a bundle is a bundle's file all the same
        return path in record or held(folder / path) == (entry.content.size, _checksum(entry.content))
    if path in record:
        return held(folder / path) == record[path]
    bytecode = BYTECODE.fullmatch(path)
    return bytecode is not None and f"{bytecode['folder']}{bytecode['module']}.py" in known
