"""What an ELF file says of itself to the loader (ELF specification; LSB, "Symbol Versioning"; ld.so(8))."""

from __future__ import annotations

import re

from typing import Any
from typing import NamedTuple


NUMBERED = re.compile(r"([A-Z]+)_(\d+(?:\.\d+)*)")
"""Versions of symbols that have an order, such as GLIBC_2.34."""


class ElfFile(NamedTuple):
    """What the loader has to know of a file; JSON keeps it as a list."""

    machine: str
    """As pyelftools has it: `x64`, `AArch64`."""
    bits: int
    little_endian: bool
    interpreter: str = ""
    """The loader that an executable asks for."""
    soname: str = ""
    rpath: str = ""
    runpath: str = ""
    needed: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    """Library and version: of each kind, such as GLIBC, the newest alone."""
    modules: tuple[str, ...] = ()
    """Extension modules that it can be imported as."""


def elf_from_json(fields: list[Any]) -> ElfFile:
    """Return what JSON has kept."""
    *plain, needed, versions, modules = fields
    pairs = tuple((library, version) for library, version in versions)
    return ElfFile._make((*plain, tuple(needed), pairs, tuple(modules)))


def version_kind(name: str) -> str:
    """Return what a version's name has before its number, all of it where there is none."""
    numbered = NUMBERED.fullmatch(name)
    return numbered[1] if numbered else name


def version_number(name: str) -> tuple[int, ...]:
    """Return the number in a version's name: (2, 34) of `GLIBC_2.34`; nothing where it has none."""
    numbered = NUMBERED.fullmatch(name)
    return tuple(map(int, numbered[2].split("."))) if numbered else ()
