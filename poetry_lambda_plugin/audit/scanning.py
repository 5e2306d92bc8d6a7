"""The ELF files of a bundle, or of a wheel, found and read; of a locked wheel only once for all runs."""

from __future__ import annotations

import io
import posixpath
import re
import tempfile

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.audit.elf import elf_from_json


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO
    from typing import TypeAlias

    from poetry_lambda_plugin.audit.elf import ElfFile

    Answer: TypeAlias = Callable[[str, Path, Callable[[], Any]], Any]
    """Returns what is known of a wheel, found out where it is not."""


QUESTION = "binaries 1"
"""Names the form of what is kept of a wheel: another form needs another name."""

ELF_MAGIC = b"\x7fELF"

OTHER_SYSTEMS = {b"\xcf\xfa\xed\xfe": "macOS", b"\xca\xfe\xba\xbe": "macOS", b"MZ": "Windows"}
"""Whose libraries begin so (Mach-O of 64 bits, of several architectures; PE)."""

SMALLEST = 52
"""Bytes of the header of an ELF file (ELFCLASS32)."""

IN_MEMORY = 64 << 20
"""Bytes up to which a file is held in memory."""

LIBRARY_NAME = re.compile(r"\.so(?:\.\d+)*$")

NEVER_LOADED = (
    *(".py", ".pyi", ".pyc", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".h", ".hpp", ".rs", ".f90", ".js", ".ts"),
    *(".json", ".txt", ".md", ".rst", ".html", ".css", ".xml", ".toml", ".yaml", ".yml", ".csv", ".ini"),
    *(".gz", ".zip", ".png", ".svg", ".jpg", ".gif", ".ttf", ".woff", ".woff2", ".mo", ".po", ".pem", ".pth"),
    *(".npy", ".npz", ".parquet", ".pkl", ".typed", ".map", ".proto", ".cfg", ".sql", ".tmpl", ".jinja2"),
)
"""Endings of files that nobody loads or executes as machine code."""


class Scanned(NamedTuple):
    """What some files are, by path."""

    elf: dict[str, ElfFile]
    foreign: dict[str, str]
    """Libraries by name that are for another system, or damaged: which, and how."""


def scan(entries: Iterable[Entry], answer: Answer) -> Scanned:
    """Read the ELF files among the files of a bundle; `answer` keeps what is found out of wheels."""
    scanned = Scanned({}, {})
    in_wheels: dict[Path, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not _may_be_binary(entry.path, entry.content.size):
            continue
        if isinstance(entry.content, WheelContent):
            in_wheels[entry.content.source].append(entry)
        else:
            look = _look_at(entry)
            _add(scanned, entry.path, None if look is None else _from_json(look))
    for wheel, candidates in in_wheels.items():
        known = _known(wheel, answer)
        for entry in candidates:
            _add(scanned, entry.path, known.get(entry.content.member_name))
    return scanned


def _known(wheel: Path, answer: Answer) -> Mapping[str, ElfFile | str]:
    """Return what a wheel's binaries are, by member; a note that is damaged only costs the time to look."""
    looks = answer(QUESTION, wheel, partial(scan_wheel, wheel))
    try:
        return {path: _from_json(look) for path, look in looks.items()}
    except (AttributeError, TypeError, ValueError):
        return {path: _from_json(look) for path, look in scan_wheel(wheel).items()}


def scan_wheel(wheel: Path) -> dict[str, Any]:
    """Return what a wheel's binaries are, by member: an ElfFile's fields, or what is wrong in words."""
    entries = (Entry(member.name, WheelContent(wheel, member)) for member in read_members(wheel))
    candidates = (entry for entry in entries if _may_be_binary(entry.path, entry.content.size))
    looks = ((entry.path, _look_at(entry)) for entry in candidates)
    return {path: look for path, look in looks if look is not None}


def _may_be_binary(path: str, size: int) -> bool:
    return size >= SMALLEST and not path.endswith(NEVER_LOADED) and ".dist-info/" not in path


def _add(scanned: Scanned, path: str, look: ElfFile | str | None) -> None:
    if isinstance(look, str):
        scanned.foreign[path] = look
    elif look is not None:
        scanned.elf[path] = look


def _from_json(look: Any) -> ElfFile | str:
    return look if isinstance(look, str) else elf_from_json(look)


def _look_at(entry: Entry) -> list[Any] | str | None:
    """Return an ElfFile's fields, what a file is instead of one, or None for what is no binary."""
    head = _head(entry)
    if head.startswith(ELF_MAGIC):
        return _read(entry)
    if LIBRARY_NAME.search(posixpath.basename(entry.path)):
        return next((system for magic, system in OTHER_SYSTEMS.items() if head.startswith(magic)), None)
    return None


def _head(entry: Entry) -> bytes:
    """Return how a file begins."""
    if not isinstance(entry.content, FileContent):
        return next(entry.content.chunks(), b"")
    try:
        with entry.content.source.open("rb") as file:
            return file.read(len(ELF_MAGIC))
    except OSError:
        # whoever bundles it will say so
        return b""


def _read(entry: Entry) -> list[Any] | str | None:
    # a large library, which few bundles have
    from poetry_lambda_plugin.audit.elf_reader import DamagedFileError
    from poetry_lambda_plugin.audit.elf_reader import read_elf

    with io.BytesIO() if entry.content.size <= IN_MEMORY else tempfile.TemporaryFile() as file:
        stream: BinaryIO = file
        stream.writelines(entry.content.chunks())
        try:
            elf = read_elf(stream)
        except DamagedFileError as error:
            return f"damaged ({error})"
    return None if elf is None else list(elf)
