"""Shared libraries that a function finds on a managed runtime, and how new they are.

AWS documents no list. An image of a runtime holds more than the execution environment does, libexpat for one,
so what is counted on is little: glibc, GCC's runtime, zlib and the runtime's own Python.
"""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping

    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime


GLIBC = re.compile(
    r"(?:libc\.so\.6|lib(?:m|mvec)\.so\.[16]|lib(?:dl|resolv)\.so\.2|libpthread\.so\.0"
    r"|lib(?:rt|util|anl|BrokenLocale|thread_db)\.so\.1|libnss_\w+\.so\.2|ld-linux-[\w-]+\.so\.[12])"
)
"""Libraries that glibc's package itself installs; libcrypt and libnsl come in packages of their own."""

GCC = re.compile(r"libstdc\+\+\.so\.6|libgcc_s\.so\.1")
ZLIB = "libz.so.1"

LOADERS: Mapping[Architecture, str] = {"x86_64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}

TRIPLETS: Mapping[Architecture, str] = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""What CPython calls its platform in names of extension modules (PEP 3149)."""

PYTHONS_OWN = re.compile(
    r"lib(?:ssl|crypto|ffi|sqlite3|bz2|lzma|uuid|readline|ncursesw?|tinfo|panelw?|gdbm)\.so(?:\.\w+)*"
)
"""Libraries that modules of CPython link: some version of each is likely there, unless it is linked in."""


class GccRuntime(NamedTuple):
    """The newest symbol versions of a GCC's libraries (libstdc++ manual, "ABI Policy and Guidelines")."""

    GLIBCXX: tuple[int, ...]
    CXXABI: tuple[int, ...]
    GCC: tuple[int, ...]


GCC_7 = GccRuntime((3, 4, 24), (1, 3, 11), (7, 0, 0))
"""Amazon Linux 2 (GCC 7.3)."""

GCC_11 = GccRuntime((3, 4, 29), (1, 3, 13), (11, 99))
"""Amazon Linux 2023 (GCC 11)."""

GLIBC_OF_GCC_11 = (2, 34)
GLIBC_OF_GCC_7 = (2, 26)


def newest_version(runtime: Runtime, kind: str) -> tuple[int, ...] | None:
    """Return the newest version of a kind, as of CXXABI, that the runtime has; None if it isn't known."""
    if kind == "GLIBC":
        return runtime.glibc
    gcc = {GLIBC_OF_GCC_11: GCC_11, GLIBC_OF_GCC_7: GCC_7}.get(runtime.glibc)
    return getattr(gcc, kind, None)


def has_library(target: Target, name: str) -> bool:
    """Tell whether a library is surely there, by the name that the loader looks for."""
    if name == ZLIB or GCC.fullmatch(name):
        return True
    if name.startswith("ld-linux"):
        return name == LOADERS[target.architecture]
    if name.startswith("libnsl."):
        # a part of glibc until Amazon Linux 2
        return name == "libnsl.so.1" and target.runtime.glibc <= GLIBC_OF_GCC_7
    if name.startswith("libpython"):
        return name in ("libpython3.so", f"libpython{target.runtime.python_version}.so.1.0")
    return GLIBC.fullmatch(name) is not None


def may_have_library(name: str) -> bool:
    """Tell whether a library may be there, since the runtime's Python likely uses some version of it."""
    return PYTHONS_OWN.fullmatch(name) is not None


def extension_suffixes(target: Target) -> tuple[str, ...]:
    """Return the endings of extension modules that the runtime imports (importlib.machinery)."""
    major, minor = target.runtime.python
    flags = "m" if (major, minor) < (3, 8) else ""
    own = f".cpython-{major}{minor}{flags}-{TRIPLETS[target.architecture]}.so"
    # PEP 803: extensions for both builds of CPython
    both = (".abi3t.so",) if (major, minor) >= (3, 15) else ()
    return (own, ".abi3.so", *both, ".so")
