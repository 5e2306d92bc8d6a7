"""What Lambda's loader would find, held against this host's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit.loading import Loader
from poetry_lambda_plugin.audit.loading import Trouble
from poetry_lambda_plugin.audit.scanning import scan
from tests.support.elf import AARCH64
from tests.support.elf import make_elf
from tests.support.values import plan
from tests.support.values import target


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


ROOT = "pkg/_x.so"

LAYOUTS: Mapping[str, tuple[Mapping[str, bytes], list[str]]] = {
    "nothing needed": ({ROOT: make_elf()}, []),
    "of glibc": (
        {ROOT: make_elf(needed=("libm.so.6", "libpthread.so.0", "libutil.so.1", "libgcc_s.so.1"))},
        [],
    ),
    "nowhere": ({ROOT: make_elf(needed=("libnone.so.1",))}, ["libnone.so.1"]),
    "RPATH": (
        {ROOT: make_elf(needed=("liba.so",), rpath="/none:$ORIGIN/../l.libs"), "l.libs/liba.so": make_elf()},
        [],
    ),
    "RUNPATH in braces": (
        {ROOT: make_elf(needed=("liba.so",), runpath="${ORIGIN}"), "pkg/liba.so": make_elf()},
        [],
    ),
    "another folder": (
        {ROOT: make_elf(needed=("liba.so",), runpath="$ORIGIN/x"), "y/liba.so": make_elf()},
        ["liba.so"],
    ),
    "beside it": ({ROOT: make_elf(needed=("liba.so",)), "pkg/liba.so": make_elf()}, ["liba.so"]),
    "in the root": ({ROOT: make_elf(needed=("liba.so",)), "liba.so": make_elf()}, []),
    "in lib": ({ROOT: make_elf(needed=("liba.so",)), "lib/liba.so": make_elf()}, []),
    "in lib64": ({ROOT: make_elf(needed=("liba.so",)), "lib64/liba.so": make_elf()}, ["liba.so"]),
    "RPATH is inherited": (
        {
            ROOT: make_elf(needed=("liba.so",), rpath="$ORIGIN/l"),
            "pkg/l/liba.so": make_elf(needed=("libb.so",)),
            "pkg/l/libb.so": make_elf(needed=("libnone.so",)),
        },
        ["libnone.so"],
    ),
    "RUNPATH is not": (
        {
            ROOT: make_elf(needed=("liba.so",), runpath="$ORIGIN/l"),
            "pkg/l/liba.so": make_elf(needed=("libb.so",)),
            "pkg/l/libb.so": make_elf(),
        },
        ["libb.so"],
    ),
    "RUNPATH hides RPATH": (
        {
            ROOT: make_elf(needed=("liba.so",), rpath="$ORIGIN", runpath="$ORIGIN/l"),
            "pkg/liba.so": make_elf(),
        },
        ["liba.so"],
    ),
    "another machine's is passed over": (
        {
            ROOT: make_elf(needed=("liba.so",), rpath="$ORIGIN/a:$ORIGIN/b"),
            "pkg/a/liba.so": make_elf(machine=AARCH64),
            "pkg/b/liba.so": make_elf(),
        },
        [],
    ),
    "two that need each other": (
        {
            ROOT: make_elf(needed=("liba.so",), rpath="$ORIGIN"),
            "pkg/liba.so": make_elf(needed=("_x.so",), rpath="$ORIGIN"),
        },
        [],
    ),
    "too new": (
        {ROOT: make_elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.99",)})},
        ["GLIBC_2.99"],
    ),
    "too new, and done without": (
        {
            ROOT: make_elf(
                needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.99",)}, weak=("GLIBC_2.99",)
            )
        },
        [],
    ),
    "for musl": ({ROOT: make_elf(needed=("libc.musl-x86_64.so.1",))}, ["libc.musl-x86_64.so.1"]),
}


def troubles(files: Mapping[str, bytes], runtime: str = "python3.13") -> list[Trouble]:
    """Load the root of some files where nothing else has been loaded."""
    scanned = scan(plan({"lib": files}).entries, lambda *_: {})
    owners = dict.fromkeys(scanned.elf, "lib")
    loader = Loader(scanned.elf, owners, target(runtime), ("", "lib"), is_strange=lambda _: True)
    return list(loader.troubles(ROOT))


@pytest.mark.parametrize("name", LAYOUTS)
def test_finds_what_the_loader_finds(name: str, tmp_path: Path) -> None:
    """The loader of this host, where it is the same one, says so too."""
    files, missing = LAYOUTS[name]

    assert [trouble.what for trouble in troubles(files)] == missing

    if sys.platform == "linux" and platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc":
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        process = subprocess.run(
            [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(tmp_path / ROOT)!r})"],
            env={**os.environ, "LD_LIBRARY_PATH": f"{tmp_path}:{tmp_path / 'lib'}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (process.returncode != 0) == bool(missing), process.stderr
        assert all(what in process.stderr for what in missing[:1])


@pytest.mark.parametrize(
    ("runtime", "needs", "expected"),
    [
        (
            "python3.13",
            {"libc.so.6": ("GLIBC_2.34",), "libstdc++.so.6": ("GLIBCXX_3.4.29", "CXXABI_1.3.13")},
            [],
        ),
        (
            "python3.13",
            {"libstdc++.so.6": ("GLIBCXX_3.4.30", "CXXABI_1.3.14")},
            ["CXXABI_1.3.14", "GLIBCXX_3.4.30"],
        ),
        ("python3.13", {"libgcc_s.so.1": ("GCC_12.0.0",)}, ["GCC_12.0.0"]),
        ("python3.13", {"libc.so.6": ("GLIBC_ABI_DT_RELR",)}, ["GLIBC_ABI_DT_RELR"]),
        ("python3.13", {"libc.so.6": ("GLIBC_PRIVATE",)}, ["GLIBC_PRIVATE"]),
        ("python3.13", {"libm.so.6": ("GLIBC_2.35",)}, ["GLIBC_2.35"]),
        ("python3.11", {"libc.so.6": ("GLIBC_2.26",), "libstdc++.so.6": ("GLIBCXX_3.4.24",)}, []),
        (
            "python3.11",
            {"libc.so.6": ("GLIBC_2.28",), "libstdc++.so.6": ("GLIBCXX_3.4.25",)},
            ["GLIBC_2.28", "GLIBCXX_3.4.25"],
        ),
        ("python3.13", {"libcrypto-1a2b.so.3": ("OPENSSL_3.9.0",), "libz.so.1": ("ZLIB_1.2.9",)}, []),
        ("python3.13", {"libfoo.so.1": ("GLIBCXX_9.9",)}, []),
    ],
)
def test_holds_versions_against_the_runtime(
    runtime: str, needs: Mapping[str, tuple[str, ...]], expected: list[str]
) -> None:
    assert [t.what for t in troubles({ROOT: make_elf(versions=needs)}, runtime)] == expected


def test_takes_the_systems_libraries_before_those_of_runpath() -> None:
    """A newer libstdc++ that comes along helps with RPATH alone: LD_LIBRARY_PATH is asked before RUNPATH."""
    needs = {"needed": ("libstdc++.so.6",), "versions": {"libstdc++.so.6": ("GLIBCXX_3.4.33",)}}
    own = {"pkg/libstdc++.so.6": make_elf()}

    assert troubles({ROOT: make_elf(**needs, rpath="$ORIGIN"), **own}) == []  # type: ignore[arg-type]
    assert troubles({ROOT: make_elf(**needs, runpath="$ORIGIN"), **own}) == [  # type: ignore[arg-type]
        Trouble("binary-version", ROOT, "GLIBCXX_3.4.33")
    ]
