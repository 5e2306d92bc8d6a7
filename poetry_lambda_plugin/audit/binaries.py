"""Whether the compiled code of a bundle can be loaded on Lambda."""

from __future__ import annotations

import posixpath
import re

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.audit.elf import elf_from_json
from poetry_lambda_plugin.audit.elf import version_kind
from poetry_lambda_plugin.audit.elf import version_number
from poetry_lambda_plugin.audit.loading import MUSL
from poetry_lambda_plugin.audit.loading import PRIVATE
from poetry_lambda_plugin.audit.loading import Loader
from poetry_lambda_plugin.audit.loading import Trouble
from poetry_lambda_plugin.audit.scanning import LIBRARY_NAME
from poetry_lambda_plugin.audit.scanning import scan
from poetry_lambda_plugin.audit.scanning import scan_wheel
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.runtime.build_image import build_command
from poetry_lambda_plugin.runtime.libraries import GLIBC_OF_GCC_7
from poetry_lambda_plugin.runtime.libraries import extension_suffixes
from poetry_lambda_plugin.runtime.libraries import has_library
from poetry_lambda_plugin.runtime.libraries import newest_version
from poetry_lambda_plugin.wording import joined
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeAlias

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.audit.scanning import Answer
    from poetry_lambda_plugin.audit.scanning import Scanned
    from poetry_lambda_plugin.findings import Code
    from poetry_lambda_plugin.findings import Severity
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.runtime.platform import Target

    Needed: TypeAlias = Callable[[Collection[str]], Collection[str]]
    """Returns which modules of some, by their paths, the handler's import can't do without."""


LIBRARY_FOLDERS = ("", "lib")
"""Those of a function's bundle in LD_LIBRARY_PATH (`/var/task`, `/var/task/lib`)."""

LAYER_LIBRARY_FOLDERS = ("lib",)
"""Those of a layer (`/opt/lib`)."""

FOR_ONE_PYTHON = re.compile(r"\.(?:cpython-\d|cp\d|pypy\d|graalpy\d)[\w-]*\.(?:so|pyd)$")
"""Endings of extension modules that only one interpreter imports (PEP 3149)."""

TESTS = frozenset({"test", "tests"})

OTHER_PACKAGES = {
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless",
    "psycopg2": "psycopg2-binary",
    "psycopg-c": "psycopg-binary",
}
"""Packages that have the same modules, and bring their libraries or need none."""

LOADS_LIBRARIES = re.compile(rb"\b(?:ctypes|cffi|dlopen|RTLD_GLOBAL)\b")
"""What a source has that loads libraries by their paths."""

MAX_NAMED = 3
"""Files and libraries that a message names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Where a bundle will be unpacked."""

    target: Target
    project: str
    """Normalised name of the project."""
    is_layer: bool = False
    layer_libraries: frozenset[str] = frozenset()
    """Names of the libraries in the layers beside it."""


@dataclass(frozen=True)
class _Bundled:
    """A bundle with its binaries looked at."""

    plan: BundlePlan
    where: Surroundings
    scanned: Scanned
    needed: Needed | None

    def needed_among(self, paths: Collection[str]) -> list[str]:
        """Return the modules among some that the function can't start without, as far as that is known."""
        found = self.needed(paths) if self.needed is not None and paths else ()
        return [path for path in paths if path in found]

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        return {entry.path: entry for entry in self.plan.entries}

    @cached_property
    def loader(self) -> Loader:
        return Loader(
            self.scanned.elf,
            {path: self.entries[path].owner for path in self.scanned.elf},
            self.where.target,
            folders=LAYER_LIBRARY_FOLDERS if self.where.is_layer else LIBRARY_FOLDERS,
            layers=self.where.layer_libraries,
            is_strange=lambda path: self.is_own(path) and not self.loads_libraries,
        )

    @cached_property
    def loads_libraries(self) -> bool:
        """Whether some source of the user's own may load libraries before others ask for them."""
        own = (e for e in self.plan.entries if e.path.endswith(".py") and self.is_own(e.path))
        return any(LOADS_LIBRARIES.search(entry.read()) for entry in own)

    def is_to_be_loaded(self, path: str) -> bool:
        """Tell whether a file is a library or a program by its name or mode."""
        folder, _, name = path.rpartition("/")
        is_program = self.entries[path].executable or "bin" in folder.split("/")
        return is_program or LIBRARY_NAME.search(name) is not None

    def is_own(self, path: str) -> bool:
        """Tell whether a file is the user's, rather than of a wheel from elsewhere."""
        entry = self.entries[path]
        return entry.owner == self.where.project or isinstance(entry.content, FileContent)


def binary_findings(
    plan: BundlePlan, where: Surroundings, answer: Answer, needed: Needed | None = None
) -> Iterator[Finding]:
    """Yield what compiled code of a bundle can't be loaded or imported on the target.

    `answer` keeps what is found out of wheels; `needed` is None where that is not known.
    """
    bundled = _Bundled(plan, where, scan(plan.entries, answer), needed)
    files: dict[str, list[str]] = defaultdict(list)
    for path in (*bundled.scanned.elf, *bundled.scanned.foreign):
        files[bundled.entries[path].owner].append(path)
    for owner in sorted(files):
        yield from _owner_findings(bundled, owner, sorted(files[owner]))
    yield from _modules_for_others(bundled)


def _owner_findings(bundled: _Bundled, owner: str, files: Sequence[str]) -> Iterator[Finding]:
    """Yield what a distribution's binaries lack, each kind of trouble once."""
    roots = _roots(bundled, files)
    failing = {path: troubles for path in roots if (troubles := _troubles(bundled, path))}
    severity: Severity = "warning"
    if needed := bundled.needed_among(failing):
        severity, failing = "error", {path: failing[path] for path in needed}
    elif 2 * len(failing) < len(roots) and not any(map(bundled.is_own, failing)):
        # what is left works without: a plugin, or a module for one use of many
        severity = "remark"
    for code in dict.fromkeys(trouble.code for troubles in failing.values() for trouble in troubles):
        found = {path: [t for t in troubles if t.code == code] for path, troubles in failing.items()}
        message = _message(bundled, owner, code, {path: which for path, which in found.items() if which})
        is_sure = any(trouble.what != PRIVATE for which in found.values() for trouble in which)
        yield Finding(code, message, owner, severity if is_sure or severity == "remark" else "warning")


def _roots(bundled: _Bundled, files: Sequence[str]) -> list[str]:
    """Return what Python or a program would load by itself: of a wheel with modules, these alone."""
    elf = bundled.scanned.elf
    fitting = any(path in elf and bundled.loader.fits(path) for path in files)
    modules = [path for path in files if path in elf and _stem(path) in elf[path].modules]
    if modules and not any(map(bundled.is_own, files)):
        suffixes = extension_suffixes(bundled.where.target)
        importable = [path for path in modules if _suffix(path) in suffixes]
        return [path for path in importable if TESTS.isdisjoint(path.split("/"))]
    # of what is there for several systems, the right one is taken; other files are data, such as samples
    loaded = [path for path in files if bundled.is_to_be_loaded(path)]
    return [path for path in loaded if not fitting or (path in elf and bundled.loader.fits(path))]


def _troubles(bundled: _Bundled, path: str) -> list[Trouble]:
    what = bundled.scanned.foreign.get(path)
    if what is None:
        return list(dict.fromkeys(bundled.loader.troubles(path)))
    return [Trouble("binary-damaged" if what.startswith("damaged") else "binary-architecture", path, what)]


def _message(bundled: _Bundled, owner: str, code: Code, found: Mapping[str, Sequence[Trouble]]) -> str:
    """Say which files of a distribution can't be loaded, why, and what to do."""
    troubles = list(dict.fromkeys(trouble for troubles in found.values() for trouble in troubles))
    asking = list(dict.fromkeys(trouble.file for trouble in troubles))
    whose = "" if owner == bundled.where.project else f" of {owner}"
    loaded = f"the libraries that {'it loads' if len(found) == 1 else 'they load'}"
    they = "they" if set(asking) <= found.keys() else loaded
    one = "it" if asking == [*found] else asking[0]
    who, plural = (one, False) if len(asking) == 1 else (they, True)
    cause, remedy = SAYS[code]
    certainly = "may not load" if _causes(troubles) == [PRIVATE] else "can't be loaded"
    return (
        f"{listed([*found], MAX_NAMED)}{whose} {certainly} on {bundled.where.target}: "
        f"{who} {cause(bundled, troubles, plural)}. {remedy(bundled, owner, troubles)}"
    )


def _wrong_architecture(_: _Bundled, troubles: Sequence[Trouble], plural: bool) -> str:
    return f"{'are' if plural else 'is'} compiled for {joined(_causes(troubles))}"


def _damaged(_: _Bundled, troubles: Sequence[Trouble], plural: bool) -> str:
    return f"{'are' if plural else 'is'} {troubles[0].what}"


def _too_new(bundled: _Bundled, troubles: Sequence[Trouble], plural: bool) -> str:
    runtime, causes = bundled.where.target.runtime, _causes(troubles)
    has = f"the runtime has glibc {runtime.glibc_version}"
    gcc = newest_version(runtime, "GLIBCXX")
    if gcc is not None and not any(cause.startswith("GLIBC_") for cause in causes):
        has = f"the runtime's libstdc++ has GLIBCXX_{'.'.join(map(str, gcc))}"
    if causes == [PRIVATE]:
        return f"use{'' if plural else 's'} what glibc keeps for itself, and may change ({PRIVATE})"
    newest = {version_kind(cause): cause for cause in sorted(causes, key=version_number)}
    return f"need{'' if plural else 's'} {joined([*newest.values()])}, and {has}"


def _lacks(_: _Bundled, troubles: Sequence[Trouble], plural: bool) -> str:
    names, need = _causes(troubles), "need" if plural else "needs"
    for trouble in troubles:
        if trouble.lies_at:
            return f"{need} {trouble.what}, which is not where the loader looks, but at {trouble.lies_at}"
    verb = "is" if len(names) == 1 else "are"
    return f"{need} {listed(names, MAX_NAMED)}, which {verb} neither in the bundle nor on the runtime"


def _causes(troubles: Iterable[Trouble]) -> list[str]:
    return list(dict.fromkeys(trouble.what for trouble in troubles))


def _build_anew(bundled: _Bundled, owner: str, troubles: Sequence[Trouble]) -> str:
    """Say how to have it compiled for the target."""
    target = bundled.where.target
    if any(map(bundled.is_own, (trouble.file for trouble in troubles))):
        return f"Compile it on {_system(target)} for {target.architecture}, or leave it out with exclude."
    command = build_command(target)
    elf = bundled.scanned.elf
    if command is None or not any(elf[path].modules for path in elf if bundled.entries[path].owner == owner):
        return f"Lock another version of {owner}."
    return (
        f"Lock another version of {owner}, or let Poetry compile it, with `poetry config --local "
        f"installer.no-binary {owner}`, on AWS's own image: {command}"
    )


def _leave_out(bundled: _Bundled, owner: str, troubles: Sequence[Trouble]) -> str:
    if any(map(bundled.is_own, (trouble.file for trouble in troubles))):
        return "Put a sound copy in its place, or leave it out with exclude."
    return f"Lock another version of {owner}."


def _provide(bundled: _Bundled, owner: str, troubles: Sequence[Trouble]) -> str:
    """Say where libraries may come from."""
    libraries = _causes(troubles)
    them, copies = ("it", "a copy") if len(libraries) == 1 else ("them", "copies")
    if libraries[0].startswith(MUSL):
        return "That is the C library of Alpine Linux: take a build for glibc (manylinux) instead."
    if owner in OTHER_PACKAGES:
        return f"Take {OTHER_PACKAGES[owner]} instead: it has the same modules without that need."
    if bundled.where.is_layer:
        return f"The function, or another of its layers, has to have {them} in lib/."
    if any(trouble.lies_at for trouble in troubles):
        return 'Put it in lib/, as include = ["PATH:lib/"] does.'
    include = f': include = ["{libraries[0]}:lib/"]' if len(libraries) == 1 else ""
    return (
        f"Name a layer that has {them} in lib/ in exclude-layers, or put {copies} made for "
        f"{_system(bundled.where.target)} in lib/{include}."
    )


SAYS = {
    "binary-architecture": (_wrong_architecture, _build_anew),
    "binary-damaged": (_damaged, _leave_out),
    "binary-library": (_lacks, _provide),
    "binary-version": (_too_new, _build_anew),
}
"""What there is to say of each kind of trouble: what it is, and what to do about it."""


def _system(target: Target) -> str:
    return "Amazon Linux 2023" if target.runtime.glibc > GLIBC_OF_GCC_7 else "Amazon Linux 2"


def _modules_for_others(bundled: _Bundled) -> Iterator[Finding]:
    """Yield the distributions whose modules are all compiled for another Python or system."""
    target = bundled.where.target
    suffixes = extension_suffixes(target)
    named: dict[str, list[str]] = defaultdict(list)
    importable: set[str] = set()
    for entry in bundled.plan.entries:
        if FOR_ONE_PYTHON.search(entry.path):
            if _suffix(entry.path) in suffixes:
                importable.add(entry.owner)
            else:
                named[entry.owner].append(entry.path)
        elif entry.path in bundled.scanned.elf and bundled.scanned.elf[entry.path].modules:
            importable.add(entry.owner)
    for owner, paths in named.items():
        lacking = [path for path in paths if not _has_other(bundled, path)]
        if not lacking or owner in importable:
            continue
        # a wheel for any Python has such modules for speed, and does without
        is_meant = any(map(bundled.is_own, lacking)) or not _is_for_any_python(bundled.entries[lacking[0]])
        severity: Severity = "warning" if is_meant else "remark"
        if bundled.needed_among(lacking):
            severity = "error"
        yield Finding("binary-python", _other_python(bundled, owner, lacking), owner, severity)


def _other_python(bundled: _Bundled, owner: str, paths: Sequence[str]) -> str:
    whose = "" if owner == bundled.where.project else f" of {owner}"
    suffix = extension_suffixes(bundled.where.target)[0]
    remedy = _build_anew(bundled, owner, [Trouble("binary-architecture", paths[0], "")])
    return (
        f"{listed(paths, MAX_NAMED)}{whose} can't be imported on {bundled.where.target}, which looks for "
        f"names that end with {suffix}. {remedy}"
    )


def _has_other(bundled: _Bundled, path: str) -> bool:
    """Tell whether Python finds a module of the same name, compiled or not."""
    stem = path.removesuffix(_suffix(path))
    endings = (*extension_suffixes(bundled.where.target), ".py", ".pyc", "/__init__.py", "/__init__.pyc")
    return any(f"{stem}{ending}" in bundled.entries for ending in endings)


def _is_for_any_python(entry: Entry) -> bool:
    content = entry.content
    return isinstance(content, WheelContent) and "-none-" in content.source.name


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


def _suffix(path: str) -> str:
    """Return what follows the name of an extension module."""
    _, dot, rest = posixpath.basename(path).partition(".")
    return f"{dot}{rest}"


def wheel_problems(wheel: Path, target: Target) -> Iterator[str]:
    """Yield why the compiled code in a wheel that was built here can't be loaded on the target."""
    looks = scan_wheel(wheel)
    yield from (f"{path} is {_in_words(look)}" for path, look in looks.items() if isinstance(look, str))
    files = {path: elf_from_json(look) for path, look in looks.items() if not isinstance(look, str)}
    loader = Loader(files, dict.fromkeys(files, wheel.name), target)
    names = frozenset(map(posixpath.basename, files))
    for path, elf in files.items():
        if not loader.fits(path):
            yield f"{path} is compiled for {loader.compiled_for(path)}"
            continue
        for trouble in loader.version_troubles(path, ()):
            yield f"{path} needs {trouble.what}, and Lambda has glibc {target.runtime.glibc_version}"
        for library in sorted(elf.needed):
            if library not in names and not has_library(target, library):
                yield f"{path} links {library}, which Lambda lacks"


def _in_words(look: str) -> str:
    return look if look.startswith("damaged") else f"compiled for {look}"
