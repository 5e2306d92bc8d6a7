"""ELF files, read as the loader reads them: by the dynamic segment, since section headers may be gone."""

from __future__ import annotations

import re

from itertools import islice
from typing import TYPE_CHECKING
from typing import Any

from elftools.common.utils import struct_parse
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from poetry_lambda_plugin.audit.elf import ElfFile
from poetry_lambda_plugin.audit.elf import version_kind
from poetry_lambda_plugin.audit.elf import version_number


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from typing import BinaryIO


INIT = re.compile(rb"(?<=\0)Py(?:Init|ModExport)_(\w+)(?=\0)", re.ASCII)
"""The function that makes an extension module, by its name (PEP 489, PEP 793)."""

WEAK = 2
"""Marks a version that the loader does without (VER_FLG_WEAK)."""

MAX_STRINGS = 64 << 20
"""Bytes of a string table that are read."""

MAX_RECORDS = 10_000
"""Entries of a table that are followed: a chain may be a ring."""

MAX_HEADERS = 1_000
"""Headers of segments or of sections; a shared library has some dozens."""

LOADABLE = ("ET_EXEC", "ET_DYN")
"""Types of files that a loader takes, unlike those of a compiler."""

PROCESSORS = frozenset(
    {
        *("EM_X86_64", "EM_AARCH64", "EM_386", "EM_ARM", "EM_PPC", "EM_PPC64", "EM_S390", "EM_RISCV"),
        *("EM_MIPS", "EM_LOONGARCH", "EM_IA_64", "EM_SPARC", "EM_SPARCV9", "EM_ALPHA"),
    }
)
"""Machines that run a system; code for graphics processors is data to it."""


class DamagedFileError(Exception):
    """An ELF file that the loader could not read either."""


def read_elf(stream: BinaryIO) -> ElfFile | None:
    """Read a file that begins as ELF files do; None for one that nobody loads. Raises DamagedFileError."""
    try:
        return _read(ELFFile(stream))
    except Exception as error:
        raise DamagedFileError(" ".join(str(error).split()) or type(error).__name__) from None


def _read(elf: ELFFile) -> ElfFile | None:
    if elf.header.e_type not in LOADABLE or elf.header.e_machine not in PROCESSORS:
        return None
    if max(elf.num_segments(), elf.num_sections()) > MAX_HEADERS:
        raise ValueError("it has more headers than any library")
    facts = ElfFile(elf.get_machine_arch(), elf.elfclass, bool(elf.little_endian))
    for segment in elf.iter_segments():
        if segment.header.p_type == "PT_INTERP":
            name = _at(elf, segment.header.p_offset, segment.header.p_filesz).partition(b"\0")[0]
            facts = facts._replace(interpreter=_decoded(name))
        elif isinstance(segment, DynamicSegment):
            facts = facts._replace(**_dynamic(elf, segment))
    return facts


def _dynamic(elf: ELFFile, segment: DynamicSegment) -> dict[str, Any]:
    """Return what the dynamic segment says, by field."""
    tags: dict[str, list[int]] = {}
    for tag in islice(segment.iter_tags(), MAX_RECORDS):
        tags.setdefault(tag.entry.d_tag, []).append(tag.entry.d_val)
    _, place = segment.get_table_offset("DT_STRTAB")
    strings = b"" if place is None else _at(elf, place, tags.get("DT_STRSZ", [0])[0])
    _, need = segment.get_table_offset("DT_VERNEED")
    count = 0 if need is None else tags.get("DT_VERNEEDNUM", [0])[0]

    def texts(tag: str) -> Iterator[str]:
        return (_text(strings, offset) for offset in tags.get(tag, ()))

    return {
        "soname": next(texts("DT_SONAME"), ""),
        "rpath": next(texts("DT_RPATH"), ""),
        "runpath": next(texts("DT_RUNPATH"), ""),
        "needed": tuple(texts("DT_NEEDED")),
        "versions": tuple(_newest(_versions(elf, need or 0, min(count, MAX_RECORDS), strings))),
        "modules": tuple(sorted({name.decode() for name in INIT.findall(strings)})),
    }


def _at(elf: ELFFile, place: int, size: int) -> bytes:
    elf.stream.seek(place)
    data: bytes = elf.stream.read(min(size, MAX_STRINGS))
    return data


def _text(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if not 0 <= offset <= end:
        raise ValueError("a name lies outside its string table")
    return _decoded(strings[offset:end])


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _versions(elf: ELFFile, need: int, count: int, strings: bytes) -> Iterator[tuple[str, str]]:
    """Yield each library with each version that is needed of it."""
    for _ in range(count):
        file = struct_parse(elf.structs.Elf_Verneed, elf.stream, need)
        place = need + file.vn_aux
        for _ in range(min(file.vn_cnt, MAX_RECORDS)):
            version = struct_parse(elf.structs.Elf_Vernaux, elf.stream, place)
            if not version.vna_flags & WEAK:
                yield _text(strings, file.vn_file), _text(strings, version.vna_name)
            if not version.vna_next:
                break
            place += version.vna_next
        if not file.vn_next:
            break
        need += file.vn_next


def _newest(versions: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Keep the newest of what differs in its number alone."""
    found: dict[tuple[str, str], str] = {}
    for library, name in versions:
        key = (library, version_kind(name))
        if key not in found or version_number(found[key]) < version_number(name):
            found[key] = name
    yield from ((library, name) for (library, _), name in sorted(found.items()))
