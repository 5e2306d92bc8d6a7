"""Which of the project's own modules a handler may load, directly or through others of them.

A module too many makes a function's digest change once more than it must; one too few is a function that
fails. So all branches and function bodies count, and all that is imported by a name that is spelled out.
"""

from __future__ import annotations

import re

from collections import defaultdict
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.layout.mentions import Mentions
from poetry_lambda_plugin.layout.mentions import mentions_of
from poetry_lambda_plugin.layout.mentions import words_of
from poetry_lambda_plugin.layout.modules import folders_of
from poetry_lambda_plugin.layout.modules import is_module
from poetry_lambda_plugin.layout.modules import module_path
from poetry_lambda_plugin.layout.modules import with_packages
from poetry_lambda_plugin.layout.spelled import ELSEWHERE
from poetry_lambda_plugin.layout.spelled import LISTED
from poetry_lambda_plugin.layout.spelled import NAME
from poetry_lambda_plugin.layout.spelled import PACKAGE
from poetry_lambda_plugin.layout.spelled import UNKNOWN
from poetry_lambda_plugin.layout.spelled import constant


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Mapping

    from poetry_lambda_plugin.layout.mentions import Import
    from poetry_lambda_plugin.layout.mentions import Loaded
    from poetry_lambda_plugin.layout.mentions import Text


NAMING_DATA = (".cfg", ".conf", ".env", ".ini", ".json", ".toml", ".yaml", ".yml")
"""Suffixes of data that may name modules, as the configuration of logging does."""

MAX_DATA = 1 << 20
"""Bytes of data that are looked into."""

MAX_DEPTH = 6
"""Modules that have a text of each other which are followed."""

IN_MODULE = 2
"""Names below a module's that an object in it may have, as in `module.Class.method`."""


class Unclear(NamedTuple):
    """An import that may mean modules of the project which nobody can name before it runs."""

    path: str
    line: int
    candidates: tuple[str, ...]
    """All that it may be, which are taken; none where it may be anything."""


class Reached(NamedTuple):
    """What a function needs of the project's own files."""

    paths: frozenset[str]
    unclear: tuple[Unclear, ...]


def reach(
    files: Mapping[str, Callable[[], bytes]], starts: Iterable[str], kept: Collection[str] = ()
) -> Reached:
    """Follow imports through files, each given with what reads it.

    They begin at `starts`, dotted names of modules, and at those among `kept`, which stay whatever happens.
    """
    walk = _Walk(files)
    for name in starts:
        walk.take(name)
    for path in kept:
        if is_module(path) and path in files:
            walk.take(walk.names[path])
    paths = walk.run()
    return Reached(paths | frozenset(kept), tuple(sorted(walk.unclear)))


class _Walk:
    """Goes from module to module."""

    def __init__(self, files: Mapping[str, Callable[[], bytes]]) -> None:
        self._files = files
        self.names = {path: module_path(path).replace("/", ".") for path in files if is_module(path)}
        self._places: dict[str, list[str]] = defaultdict(list)
        for path, name in self.names.items():
            self._places[name].append(path)
        self._packages = {folder.replace("/", ".") for path in self.names for folder in folders_of(path)}
        self._reached: dict[str, None] = {}
        self._left: list[str] = []
        self._ends: dict[str, list[str]] = defaultdict(list)
        for name in self._places:
            self._ends[name.rpartition(".")[2]].append(name)
        self._absolute_names: dict[str, bool] = {}
        self._roots: dict[str, None] = {}
        self.unclear: list[Unclear] = []

    def run(self) -> frozenset[str]:
        """Follow all that has been taken to its end, and return it with its data."""
        looked: set[str] = set()
        while True:
            while self._left:
                self._follow(self._left.pop())
            paths = with_packages(self._files, self._reached)
            new = [path for path in paths - looked if path.endswith(NAMING_DATA)]
            looked |= paths
            for path in new:
                self._read_data(path)
            if not self._left:
                return paths

    def take(self, name: str) -> bool:
        """Take a module with the packages that it is in; tell whether there is one."""
        if name not in self._places and name not in self._packages:
            return False
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            for path in self._places.get(".".join(parts[:count]), ()):
                if path not in self._reached:
                    self._reached[path] = None
                    self._left.append(path)
        return True

    def _take_all(self, package: str) -> None:
        """Take all modules of a package."""
        for name in [name for name in self._places if f"{name}.".startswith(f"{package}.")]:
            self.take(name)

    def _take_nearest(self, name: str, beyond: int = IN_MODULE) -> bool:
        """Take the module that a dotted name begins with, where few names follow."""
        for _ in range(beyond + 1):
            if self.take(name):
                return True
            name, dot, _ = name.rpartition(".")
            if not dot:
                return False
        return False

    def _follow(self, path: str) -> None:
        """Take what a module loads."""
        source = self._files[path]()
        mentions = mentions_of(source) if path.endswith(".py") else Mentions(words=words_of(source))
        package = _package_of(path)
        if mentions.words is not None:
            self._take_words(mentions.words)
        for one in mentions.imports:
            self._import(one, package)
        is_clear = all(self._load(path, loaded, package) for loaded in mentions.loaded)
        for text in mentions.texts:
            self._take_text(text, path, package)
            if mentions.is_lazy or not is_clear:
                self.take(f"{package}.{text.text.lstrip('.')}" if package else text.text)
        for listed in mentions.listed:
            self._take_all(package if listed == NAME else self._absolute(listed, package))
        self.unclear += (Unclear(path, line, ()) for line in mentions.unclear_files)
        if mentions.moves_path:
            self._move_path(mentions, package)

    def _absolute(self, name: str, package: str) -> str:
        """Undo leading dots; a name of nothing where they lead too far."""
        rest = name.lstrip(".")
        level = len(name) - len(rest)
        if not level:
            return name
        parts = package.split(".") if package else []
        if level - 1 > len(parts):
            return ""
        return ".".join(filter(None, (*parts[: len(parts) - level + 1], rest)))

    def _import(self, one: Import, package: str) -> None:
        """Take what an import statement names."""
        module = self._absolute(one.module, package)
        is_own = self._take_nearest(module, module.count("."))
        is_absolute = bool(module) and not one.module.startswith(".")
        if is_absolute:
            self._note_absolute(module, is_own)
        for name in one.names:
            inner = f"{module}.{name}" if module else name
            if name == "*":
                self._take_exported(module)
            elif self.take(inner):
                is_own = True
            if is_absolute:
                self._note_absolute(inner, is_own)

    def _note_absolute(self, name: str, is_own: bool) -> None:
        """Note a name that means another module where a folder of the project has joined `sys.path`."""
        if name not in self._absolute_names:
            self._absolute_names[name] = is_own
            if self._roots:
                self._take_from_roots(name, is_own, self._roots)

    def _move_path(self, mentions: Mentions, package: str) -> None:
        """Note the folders that a module may add to `sys.path`: those around it, and those that it names."""
        named = {part for text, _ in mentions.texts for part in (text, f"{package}/{text}")}
        folders = {name.strip("./").replace("/", ".") for name in named} & self._packages
        roots = {package, package.rpartition(".")[0], *folders} - self._roots.keys()
        self._roots.update(dict.fromkeys(sorted(roots)))
        for name, is_own in list(self._absolute_names.items()):
            self._take_from_roots(name, is_own, roots)

    def _take_from_roots(self, name: str, is_own: bool, roots: Iterable[str]) -> None:
        """Take what a name means from some folders, and from any where nothing else is known of it."""
        found = [self.take(f"{root}.{name}") for root in roots if root]
        if not is_own and not any(found):
            for other in self._ends.get(name.rpartition(".")[2], ()):
                if other.endswith(f".{name}"):
                    self.take(other)

    def _take_exported(self, module: str) -> None:
        """Take the submodules that `from module import *` imports."""
        for path in self._places.get(module, ()):
            if not path.endswith("/__init__.py"):
                continue
            exported = mentions_of(self._files[path]()).exported
            if exported is None:
                self._take_all(module)
            for name in exported or ():
                self.take(f"{module}.{name}")

    def _load(self, path: str, loaded: Loaded, package: str) -> bool:
        """Take what a call may import; note where that can't be known, and tell whether it can."""
        names = set()
        for written in self._followed(loaded.names, path):
            is_relative = written.startswith(".") or (written[:1] == UNKNOWN and loaded.packages)
            bases = self._followed(loaded.packages, path, is_base=True) if is_relative else ()
            for base in bases or (package,):
                dots = "" if written.startswith(".") or not bases else "."
                names.add(self._absolute(dots + written, base))
        unknown: list[str] = []
        is_unclear = False
        for name in names:
            if not {UNKNOWN, LISTED} & {*name}:
                self._take_nearest(name.replace(":", "."))
                continue
            if not re.search(r"\w", name):
                is_unclear |= UNKNOWN in name
                continue
            matching = self._matching(name)
            for other in matching:
                self.take(other)
            if UNKNOWN in name:
                unknown += matching
        if is_unclear or unknown:
            self.unclear.append(Unclear(path, loaded.line, () if is_unclear else tuple(sorted({*unknown}))))
        return not is_unclear

    def _followed(
        self, texts: Iterable[str], path: str, depth: int = MAX_DEPTH, *, is_base: bool = False
    ) -> set[str]:
        """Fill in what a module calls itself, and what it has from other modules."""
        found: set[str] = set()
        for text in texts:
            own = _filled(text, path, is_base=is_base)
            before, mark, rest = own.partition(ELSEWHERE)
            name, _, after = rest.partition(ELSEWHERE)
            if not mark:
                found.add(own)
                continue
            values = self._constant(name, path, depth - 1) if depth else {UNKNOWN}
            found |= self._followed({f"{before}{value}{after}" for value in values}, path, depth - 1)
        return found

    def _constant(self, name: str, path: str, depth: int) -> set[str]:
        """Return the texts that a dotted name of another module stands for."""
        module, _, last = self._absolute(name, _package_of(path)).rpartition(".")
        sources = [source for source in self._places.get(module, ()) if source.endswith(".py")]
        found: set[str] = set()
        for source in sources:
            found |= self._followed(constant(self._files[source](), last), source, depth)
        return found or {UNKNOWN}

    def _matching(self, name: str) -> list[str]:
        """Return the modules that a text may be of which not all is known."""
        pattern = re.sub(f"[{UNKNOWN}{LISTED}]+", "\0", name)
        text = re.compile(".+".join(map(re.escape, pattern.split("\0"))))
        return [other for other in self._places if text.fullmatch(other)]

    def _take_text(self, text: Text, path: str, package: str) -> None:
        """Take what a text names in so many words."""
        written, asked = text
        if written.endswith(".py"):
            self._take_file(written, path)
        if "/" in written:
            return
        name = written.partition(":")[0]
        is_sure = asked or ":" in written
        if not is_sure and ("." not in name or name.startswith(".")):
            return
        name = self._absolute(name, package)
        if ":" in written and not self.take(name):
            return
        self._take_object(name, asked)

    def _take_object(self, name: str, asked: str) -> None:
        """Take the module that a text names, or that has the object which it names."""
        for beyond in range(IN_MODULE + 1):
            if self.take(name):
                if asked == "whole" and name in self._packages:
                    self._take_all(name)
                elif asked == "whole" and beyond <= 1 and name.endswith(".apps"):
                    self._take_all(name.removesuffix(".apps"))
                return
            name, dot, _ = name.rpartition(".")
            if not dot:
                return

    def _take_file(self, written: str, path: str) -> None:
        """Take a source that is named as a file, beside the module that names it or from the root."""
        place = written.removeprefix("./").removeprefix("/var/task/")
        for base in (path.rpartition("/")[0], ""):
            found = f"{base}/{place}" if base else place
            if found in self.names:
                self.take(self.names[found])

    def _read_data(self, path: str) -> None:
        """Take the modules that data names, as the configuration of logging does."""
        data = self._files[path]()
        if len(data) <= MAX_DATA:
            for word in words_of(data):
                if "." in word:
                    self._take_object(word, "")

    def _take_words(self, words: Collection[str]) -> None:
        """Take all modules that bear one of some names: no more can be told of what can't be parsed."""
        parts = {part for word in words for part in word.split(".")}
        for name in [name for name in self._places if name.rpartition(".")[2] in parts]:
            self.take(name)


def _package_of(path: str) -> str:
    return path.rpartition("/")[0].replace("/", ".")


def _filled(text: str, path: str, *, is_base: bool) -> str:
    """Fill in what a module calls itself; what names are relative to is the package that it is in."""
    own, package = module_path(path).replace("/", "."), _package_of(path)
    return text.replace(NAME, package if is_base else own).replace(PACKAGE, package)
