"""Whether a compiled file lacks nothing but what it does not need to run: symbols and debugging."""

from __future__ import annotations

import io

from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from poetry_lambda_plugin.audit.scanning import ELF_MAGIC


if TYPE_CHECKING:
    from collections.abc import Iterator


PLACES = {64: (slice(32, 48), slice(58, 64)), 32: (slice(28, 36), slice(46, 52))}
"""Bytes of the ELF header that tell where in the file things lie, by the class of the file."""


def is_stripped(found: bytes, whole: bytes) -> bool:
    """Tell whether what is loaded of two ELF files is the same, and the first one is smaller."""
    if not (found.startswith(ELF_MAGIC) and whole.startswith(ELF_MAGIC) and len(found) < len(whole)):
        return False
    try:
        return list(_loaded(found)) == list(_loaded(whole))
    except (ELFError, ValueError, KeyError, OverflowError):
        return False


def _loaded(data: bytes) -> Iterator[tuple[object, ...]]:
    """Yield kind, address, size in memory, rights and bytes of what the loader takes, wherever it lies."""
    elf = ELFFile(io.BytesIO(data))
    table = slice(elf["e_phoff"], elf["e_phoff"] + elf["e_phnum"] * elf["e_phentsize"])
    masked = bytearray(data)
    for place in (*PLACES[elf.elfclass], table):
        masked[place] = bytes(len(masked[place]))
    for segment in elf.iter_segments():
        start, size = segment["p_offset"], segment["p_filesz"]
        loaded = bytes(masked[start : start + size]) if segment["p_type"] == "PT_LOAD" else size
        yield segment["p_type"], segment["p_vaddr"], segment["p_memsz"], segment["p_flags"], loaded
