"""ELF files by hand, as small as the loader takes them: one segment and its dynamic table, no sections."""

from __future__ import annotations

import struct

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence


X86_64, AARCH64, I386 = 62, 183, 3

WEAK = 2

_TAGS = {"needed": 1, "soname": 14, "rpath": 15, "runpath": 29}


def make_elf(
    *,
    machine: int = X86_64,
    bits: int = 64,
    order: str = "<",
    interpreter: str = "",
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    needed: Sequence[str] = (),
    versions: Mapping[str, Sequence[str]] | None = None,
    weak: Sequence[str] = (),
    module: str = "",
) -> bytes:
    """Make a shared library, or with `interpreter` an executable, that any loader of its machine reads.

    `versions` are the versions of symbols that it needs, by library; those in `weak` it can do without. With
    `module` it has the name of an extension module's function, though not the function.
    """
    strings = bytearray(b"\0")

    def place(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text.encode()) - 1

    names = [("needed", name) for name in needed]
    names += [
        (tag, value) for tag, value in (("soname", soname), ("rpath", rpath), ("runpath", runpath)) if value
    ]
    tags = [(_TAGS[tag], place(value)) for tag, value in names]
    if module:
        place(f"PyInit_{module}")
    need = _version_needs(versions or {}, weak, order, place)
    word, count = ("Q", 64) if bits == 64 else ("I", 52)
    header = struct.Struct(f"{order}16sHHI{word * 3}I6H")
    program = struct.Struct(f"{order}II{word * 6}" if bits == 64 else f"{order}8I")
    dynamic = struct.Struct(f"{order}{word * 2}")
    assert header.size == count
    segments = 3 if interpreter else 2
    at = header.size + segments * program.size
    data = interpreter.encode() + b"\0" if interpreter else b""
    interp_at, at = at, _aligned(at + len(data))
    dynamic_at = at
    dynamic_size = (len(tags) + 8) * dynamic.size
    need_at = dynamic_at + dynamic_size
    symbols_at = need_at + _aligned(len(need))
    strings_at = symbols_at + 24
    tags += [(5, strings_at), (10, len(strings)), (6, symbols_at), (11, 24 if bits == 64 else 16)]
    if versions:
        tags += [(0x6FFFFFFE, need_at), (0x6FFFFFFF, len(versions)), (0x6FFFFFF0, symbols_at)]
    table = b"".join(dynamic.pack(*tag) for tag in tags).ljust(dynamic_size, b"\0")
    end = strings_at + len(strings)
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    start = header.pack(
        ident, 3, machine, 1, 0, header.size, 0, 0, header.size, program.size, segments, 0, 0, 0
    )

    def segment(kind: int, offset: int, size: int, align: int) -> bytes:
        if bits == 64:
            return program.pack(kind, 6, offset, offset, offset, size, size, align)
        return program.pack(kind, offset, offset, offset, size, size, 6, align)

    programs = segment(3, interp_at, len(data), 1) if interpreter else b""
    programs += segment(1, 0, end, 0x1000) + segment(2, dynamic_at, dynamic_size, 8)
    body = (start + programs + data).ljust(dynamic_at, b"\0") + table + need.ljust(_aligned(len(need)), b"\0")
    return body + bytes(24) + bytes(strings)


def _version_needs(
    versions: Mapping[str, Sequence[str]], weak: Sequence[str], order: str, place: Callable[[str], int]
) -> bytes:
    """Return Verneed and Vernaux records (LSB, "Version Requirements")."""
    data = b""
    for number, (library, names) in enumerate(versions.items(), 1):
        size = 16 * (len(names) + 1)
        following = size if number < len(versions) else 0
        data += struct.pack(f"{order}2H3I", 1, len(names), place(library), 16, following)
        for index, name in enumerate(names, 1):
            flags = WEAK if name in weak else 0
            record = (_hash(name), flags, index + 1, place(name), 16 if index < len(names) else 0)
            data += struct.pack(f"{order}I2H2I", *record)
    return data


def _hash(name: str) -> int:
    """Return the hash that System V's ABI has for names."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value = (value ^ ((value & 0xF0000000) >> 24)) & 0x0FFFFFFF
    return value


def _aligned(size: int) -> int:
    return (size + 7) // 8 * 8
