"""Whether a compiled file lacks nothing but what it does not need to run: symbols and debugging."""

from __future__ import annotations

import io

from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from poetry_lambda_plugin.audit.binaries import ELF_MAGIC


if TYPE_CHECKING:
    from collections.abc import Iterator


SECTION_FIELDS = {64: (slice(40, 48), slice(58, 64)), 32: (slice(32, 36), slice(46, 52))}
"""Bytes of the ELF header that tell where sections lie and how many they are, by the class of the file."""


def is_stripped(found: bytes, whole: bytes) -> bool:
    """Tell whether what is loaded of two ELF files is the same, and the first one is smaller."""
    if not (found.startswith(ELF_MAGIC) and whole.startswith(ELF_MAGIC) and len(found) < len(whole)):
        return False
    try:
        return list(_loaded(found)) == list(_loaded(whole))
    except (ELFError, ValueError, KeyError, OverflowError):
        return False


def _loaded(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield address, size in memory, rights and bytes of what the loader takes."""
    elf = ELFFile(io.BytesIO(data))
    masked = bytearray(data)
    for place in SECTION_FIELDS[elf.elfclass]:
        masked[place] = bytes(place.stop - place.start)
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD":
            start = segment["p_offset"]
            loaded = bytes(masked[start : start + segment["p_filesz"]])
            yield segment["p_vaddr"], segment["p_memsz"], segment["p_flags"], loaded
