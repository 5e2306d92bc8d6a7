"""Whether compiled code made here runs on the target: its C library and the libraries it links."""

from __future__ import annotations

import io
import os
import re

from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.archive.reader import read_members


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from poetry_lambda_plugin.runtime.platform import Target


MACHINES = {"x86_64": "x64", "arm64": "AArch64"}
"""What pyelftools calls the architectures."""

ELF_MAGIC = b"\x7fELF"

LAMBDA_LIBRARIES = re.compile(
    r"(?:libc|libm|libdl|librt|libpthread|libutil|libresolv|libnsl|libgcc_s|libstdc\+\+|libz"
    r"|ld-linux-x86-64|ld-linux-aarch64|libpython3\.\d+)\.so(?:\.\d+)*"
)
"""Libraries of glibc, GCC, zlib and CPython, which every runtime has; AWS documents no longer list."""


def wheel_problems(wheel: Path, target: Target) -> Iterator[str]:
    """Yield why the compiled code in a wheel can't be loaded on the target."""
    members = read_members(wheel)
    libraries = frozenset(os.path.basename(member.name) for member in members)  # noqa: PTH119
    with wheel.open("rb") as file:
        for member in members:
            if ".so" in member.name or member.executable:
                data = b"".join(read_data(file, member, wheel.name))
                yield from binary_problems(member.name, data, libraries, target)


def binary_problems(name: str, data: bytes, bundled: frozenset[str], target: Target) -> Iterator[str]:
    """Yield why a file can't be loaded on the target; nothing for what is no ELF file.

    `bundled` are the names of the shared libraries that come along in the same wheel.
    """
    if not data.startswith(ELF_MAGIC):
        return
    try:
        with io.BytesIO(data) as stream:
            elf = ELFFile(stream)
            if elf.get_machine_arch() != MACHINES[target.architecture]:
                yield f"{name} is compiled for {elf.get_machine_arch()}"
                return
            newest = max(_glibc_versions(elf), default=(0, 0))
            needed = sorted(_needed_libraries(elf))
    except (ELFError, ValueError, KeyError, UnicodeDecodeError) as error:
        yield f"{name} is a damaged ELF file ({error})"
        return
    if newest > target.runtime.glibc:
        major, minor = newest
        yield f"{name} needs glibc {major}.{minor}, and Lambda has {target.runtime.glibc_version}"
    for library in needed:
        if library not in bundled and not LAMBDA_LIBRARIES.fullmatch(library):
            yield f"{name} links {library}, which Lambda lacks"


def _glibc_versions(elf: ELFFile) -> Iterable[tuple[int, int]]:
    section = elf.get_section_by_name(".gnu.version_r")
    if not isinstance(section, GNUVerNeedSection):
        return
    for _, versions in section.iter_versions():
        for version in versions:
            match = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version.name)
            if match:
                yield int(match[1]), int(match[2])


def _needed_libraries(elf: ELFFile) -> Iterable[str]:
    dynamic = [segment for segment in elf.iter_segments() if isinstance(segment, DynamicSegment)]
    for tag in (tag for segment in dynamic for tag in segment.iter_tags()):
        if tag.entry.d_tag == "DT_NEEDED":
            yield str(getattr(tag, "needed"))  # noqa: B009 - set by pyelftools under the tag's own name
