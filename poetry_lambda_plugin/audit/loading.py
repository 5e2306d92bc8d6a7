"""What the loader of Lambda would find, and what it would miss, among the ELF files of a bundle."""

from __future__ import annotations

import posixpath

from collections import defaultdict
from collections import deque
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.audit.elf import version_kind
from poetry_lambda_plugin.audit.elf import version_number
from poetry_lambda_plugin.runtime.libraries import GCC
from poetry_lambda_plugin.runtime.libraries import GLIBC
from poetry_lambda_plugin.runtime.libraries import has_library
from poetry_lambda_plugin.runtime.libraries import may_have_library
from poetry_lambda_plugin.runtime.libraries import newest_version


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import Literal

    from poetry_lambda_plugin.audit.elf import ElfFile
    from poetry_lambda_plugin.runtime.platform import Target

    TroubleCode = Literal["binary-architecture", "binary-damaged", "binary-library", "binary-version"]


MACHINES = {"x86_64": "x64", "arm64": "AArch64"}
"""What pyelftools calls the architectures."""

MUSL = "libc.musl-"
"""How the C library of Alpine Linux is called there."""

PRIVATE = "GLIBC_PRIVATE"
"""Symbols that glibc keeps for itself, and that may be others in its next release."""

ABI_MARKS = "GLIBC_ABI_"
GLIBC_WITH_ABI_MARKS = (2, 36)
"""The glibc that first had versions which stand for an ability of the loader (glibc 2.36 release notes)."""


class Trouble(NamedTuple):
    """Why one file can't be loaded."""

    code: TroubleCode
    file: str
    """The one that asks for what is not there: it may be a library that another needs."""
    what: str
    """A library, a version of symbols, or what the file is compiled for."""
    lies_at: str = ""
    """Where a library is in the bundle that the loader would not find."""


class Loader:
    """Loads files of one bundle, by their paths, in thought (ld.so(8))."""

    def __init__(
        self,
        files: Mapping[str, ElfFile],
        owners: Mapping[str, str],
        target: Target,
        folders: Sequence[str] = (),
        layers: frozenset[str] = frozenset(),
        is_strange: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Take what the loader may meet.

        `owners` are the distributions by path, `folders` those of the bundle in LD_LIBRARY_PATH, `layers` the
        names of libraries in layers. `is_strange` tells of a path whether nothing will have loaded it before.
        """
        self._files = files
        self._owners = owners
        self._target = target
        self._folders = folders
        self._layers = layers
        self._is_strange = is_strange
        self._named: dict[str, list[str]] = defaultdict(list)
        for path, elf in files.items():
            for name in {posixpath.basename(path), elf.soname} - {""}:
                self._named[name].append(path)

    def fits(self, path: str) -> bool:
        """Tell whether a file is compiled for the architecture."""
        elf = self._files[path]
        machine = MACHINES[self._target.architecture]
        return (elf.machine, elf.bits, elf.little_endian) == (machine, 64, True)

    def troubles(self, root: str) -> Iterator[Trouble]:
        """Yield why a file, or one of the libraries that it needs, can't be loaded."""
        waiting: deque[tuple[str, tuple[str, ...]]] = deque([(root, ())])
        seen = {root}
        while waiting:
            path, inherited = waiting.popleft()
            if not self.fits(path):
                yield Trouble("binary-architecture", path, self.compiled_for(path))
                continue
            elf = self._files[path]
            folders = inherited if elf.runpath else (*_folders(path, elf.rpath), *inherited)
            yield from self.version_troubles(path, folders)
            for name in elf.needed:
                found = self._find(path, elf, name, folders)
                if isinstance(found, Trouble):
                    yield found
                elif found not in seen and found:
                    seen.add(found)
                    waiting.append((found, folders))

    def compiled_for(self, path: str) -> str:
        """Return what a file is compiled for, in AWS's words where it has some."""
        elf = self._files[path]
        for architecture, machine in MACHINES.items():
            if elf.machine == machine and elf.bits == 64:
                return architecture
        return f"{elf.machine} ({elf.bits} bits)"

    def version_troubles(self, path: str, folders: Sequence[str]) -> Iterator[Trouble]:
        """Yield what the runtime's libraries are too old for; `folders` are those of RPATH."""
        elf, runtime = self._files[path], self._target.runtime
        for library, version in elf.versions:
            kind = version_kind(version)
            newest = newest_version(runtime, kind)
            is_glibc = GLIBC.fullmatch(library) is not None
            # the loader takes the system's before those of RUNPATH, but after those of RPATH
            is_systems = is_glibc or (
                GCC.fullmatch(library) is not None
                and (bool(elf.runpath) or self._in_folders(library, folders) is None)
            )
            too_new = newest is not None and version_number(version) > newest
            marked = version.startswith(ABI_MARKS) and runtime.glibc < GLIBC_WITH_ABI_MARKS
            if (is_systems and too_new) or (is_glibc and (version == PRIVATE or marked)):
                yield Trouble("binary-version", path, version)

    def _find(self, path: str, elf: ElfFile, name: str, folders: Sequence[str]) -> str | Trouble:
        """Return where a library is in the bundle, nothing where it is elsewhere."""
        if "/" in name:
            place = posixpath.normpath(name.removeprefix("/var/task/"))
            return place if place in self._files else Trouble("binary-library", path, name)
        if not elf.runpath and (found := self._in_folders(name, folders)):
            return found
        if has_library(self._target, name):
            return ""
        if found := self._in_folders(name, (*self._folders, *_folders(path, elf.runpath))):
            return found
        return self._loaded_before(path, name)

    def _loaded_before(self, path: str, name: str) -> str | Trouble:
        """Return a library that the loader would not look for, since its package has likely loaded it."""
        places = [place for place in self._named.get(name, ()) if self.fits(place)]
        own = [place for place in places if self._owners[place] == self._owners[path]]
        strange = [place for place in own or places if self._is_strange(place)]
        if places and not strange:
            return (own or [""])[0]
        if name in self._layers or (may_have_library(name) and not name.startswith(MUSL)):
            return ""
        return Trouble("binary-library", path, name, strange[0] if strange else "")

    def _in_folders(self, name: str, folders: Sequence[str]) -> str | None:
        for folder in folders:
            place = posixpath.join(folder, name)
            if place in self._files and self.fits(place):
                return place
        return None


def _folders(path: str, search_path: str) -> Iterator[str]:
    """Yield the folders of the bundle that an RPATH or a RUNPATH of a file names."""
    if not search_path:
        return
    origin = posixpath.dirname(path)
    for item in search_path.split(":"):
        for variable in ("$ORIGIN", "${ORIGIN}"):
            if item == variable or item.startswith(f"{variable}/"):
                yield _inside(posixpath.join(origin, item[len(variable) + 1 :]))
                break
        else:
            if not item.startswith("/") and "$" not in item:
                yield _inside(item)
            elif f"{item}/".startswith("/var/task/"):
                yield _inside(item[len("/var/task/") :])


def _inside(folder: str) -> str:
    """Return a folder's path without detours, empty for the root."""
    normal = posixpath.normpath(folder)
    return "" if normal == "." else normal
