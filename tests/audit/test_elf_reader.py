"""What is read of ELF files, sound and damaged."""

from __future__ import annotations

import io
import random

from contextlib import suppress

import pytest

from poetry_lambda_plugin.audit.elf import ElfFile
from poetry_lambda_plugin.audit.elf_reader import DamagedFileError
from poetry_lambda_plugin.audit.elf_reader import read_elf
from tests.support.elf import AARCH64
from tests.support.elf import I386
from tests.support.elf import make_elf


LIBRARY = make_elf(
    soname="libx.so.1",
    runpath="$ORIGIN/../lib",
    needed=("libc.so.6", "liby.so"),
    versions={"libc.so.6": ("GLIBC_2.9", "GLIBC_2.34", "GLIBC_PRIVATE"), "liby.so": ("Y_1",)},
    module="_x",
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            LIBRARY,
            ElfFile(
                "x64",
                64,
                True,
                soname="libx.so.1",
                runpath="$ORIGIN/../lib",
                needed=("libc.so.6", "liby.so"),
                versions=(("libc.so.6", "GLIBC_2.34"), ("libc.so.6", "GLIBC_PRIVATE"), ("liby.so", "Y_1")),
                modules=("_x",),
            ),
            id="without section headers",
        ),
        pytest.param(
            make_elf(interpreter="/lib64/ld.so", rpath="/opt", machine=AARCH64),
            ElfFile("AArch64", 64, True, interpreter="/lib64/ld.so", rpath="/opt"),
            id="executable",
        ),
        pytest.param(
            make_elf(versions={"libc.so.6": ("GLIBC_2.3", "GLIBC_2.99")}, weak=("GLIBC_2.99",)),
            ElfFile("x64", 64, True, versions=(("libc.so.6", "GLIBC_2.3"),)),
            id="a version that it can do without",
        ),
        pytest.param(
            make_elf(machine=I386, bits=32, needed=("a",)),
            ElfFile("x86", 32, True, needed=("a",)),
            id="32 bits",
        ),
        pytest.param(
            make_elf(machine=8, bits=32, order=">", versions={"a": ("A_1.2",), "b": ("B_3",)}),
            ElfFile("MIPS", 32, False, versions=(("a", "A_1.2"), ("b", "B_3"))),
            id="the other byte order",
        ),
    ],
)
def test_reads_what_the_loader_reads(data: bytes, expected: ElfFile) -> None:
    assert read_elf(io.BytesIO(data)) == expected


@pytest.mark.parametrize("machine", [190, 224, 247], ids=["CUDA", "AMD GPU", "BPF"])
def test_passes_over_what_no_system_runs(machine: int) -> None:
    assert read_elf(io.BytesIO(make_elf(machine=machine))) is None


@pytest.mark.parametrize("length", [4, 20, 64, 100, 200])
def test_tells_files_that_are_cut_off(length: int) -> None:
    with pytest.raises(DamagedFileError):
        read_elf(io.BytesIO(LIBRARY[:length]))


def test_survives_any_damage() -> None:
    """Whatever a byte is replaced by, there is an answer, soon."""
    generator = random.Random(17)
    for _ in range(600):
        data = bytearray(LIBRARY)
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(4, len(data))] = generator.choice((0, 1, 127, 255))
        with suppress(DamagedFileError):
            read_elf(io.BytesIO(bytes(data)))
