"""Where Python on Lambda finds a module: in the bundle, its layers, the runtime or its own library."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple

from poetry_lambda_plugin.archive.content import all_folders
from poetry_lambda_plugin.runtime.standard_library import LOADED_FIRST
from poetry_lambda_plugin.runtime.standard_library import runtime_modules
from poetry_lambda_plugin.runtime.standard_library import standard_modules


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry


Kind = Literal["source", "opaque", "namespace", "outside"]


class Found(NamedTuple):
    """What Python finds for a module's name."""

    kind: Kind
    """`source` can be read; `opaque` is compiled; `outside` is in a layer, the runtime or Python itself."""
    path: str = ""
    """The file in the bundle, without the layer's folder; empty for none."""
    folders: tuple[str, ...] = ()
    """Where the submodules of a package are searched."""
    has_extensions: bool = False
    """Whether compiled modules lie beside those of a package."""


class ModuleFinder:
    """Finds modules as Python does on Lambda (AWS page "Search path for Python runtimes")."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        layers: Collection[str],
        python: tuple[int, int],
        roots: Iterable[str],
    ) -> None:
        """Take the bundle's files by path, the layers' files, and more folders that are on the path."""
        self._files = entries
        self._folders = all_folders(entries)
        self._compiled = _compiled_modules(entries)
        self._layers = _Layer(layers)
        self._standard = standard_modules(python)
        self._runtime = runtime_modules(python)
        self._roots = ("", *roots)
        if "setuptools" in self._folders:
            self._roots = (*self._roots, "setuptools/_vendor")
            self._runtime |= {"distutils"}

    def find(self, name: str, folders: tuple[str, ...] | None = None) -> Found | None:
        """Return what a module's name means; `folders` are those of its package, None at the top level."""
        if folders is not None:
            return self._find_in(name.rpartition(".")[2], folders)
        if name in LOADED_FIRST:
            return Found("outside")
        found = self._find_in(name, self._roots)
        if found is not None and found.kind != "namespace":
            return found
        if self._layers.has(name) or name in self._runtime or name in self._standard:
            return Found("outside")
        return found

    def is_anywhere(self, name: str) -> bool:
        """Tell whether some folder of the bundle, on the path or not, has a module."""
        ends = (f"/{name}.py", f"/{name}/__init__.py")
        return any(path.endswith(ends) for path in self._files)

    @staticmethod
    def is_standard(name: str, python: tuple[int, int]) -> bool:
        """Tell whether the standard library of a Python has a module."""
        return name.partition(".")[0] in standard_modules(python)

    def _find_in(self, name: str, folders: tuple[str, ...]) -> Found | None:
        portions = []
        for folder in folders:
            place = f"{folder}/{name}" if folder else name
            found = self._at(place)
            if found is not None:
                return found
            if place in self._folders:
                portions.append(place)
        if portions:
            has_extensions = any(portion in self._compiled.folders for portion in portions)
            return Found("namespace", folders=tuple(portions), has_extensions=has_extensions)
        return None

    def _at(self, place: str) -> Found | None:
        """Return the module at a place: a package before a compiled module, and that before a source."""
        if place in self._folders:
            inside = place in self._compiled.folders
            if f"{place}/__init__" in self._compiled.modules:
                return Found("opaque", f"{place}/__init__.so", (place,), has_extensions=True)
            if f"{place}/__init__.py" in self._files:
                return Found("source", f"{place}/__init__.py", (place,), inside)
            if f"{place}/__init__.pyc" in self._files:
                return Found("opaque", f"{place}/__init__.pyc", (place,), inside)
        if place in self._compiled.modules:
            return Found("opaque", self._compiled.modules[place])
        if f"{place}.py" in self._files:
            return Found("source", f"{place}.py")
        return Found("opaque", f"{place}.pyc") if f"{place}.pyc" in self._files else None


class _Compiled(NamedTuple):
    modules: Mapping[str, str]
    """Path by that without suffix."""
    folders: frozenset[str]


class _Layer:
    """The modules of the layers, by their first name."""

    def __init__(self, files: Collection[str]) -> None:
        self._names = {path.partition("/")[0].partition(".")[0] for path in files}

    def has(self, name: str) -> bool:
        """Tell whether a layer has a top-level module or a folder of its name."""
        return name in self._names


def _compiled_modules(paths: Iterable[str]) -> _Compiled:
    """Return the files that the dynamic loader makes modules of, whatever Python they are for."""
    modules = {}
    for path in paths:
        if path.endswith(".so"):
            folder, slash, name = path.rpartition("/")
            modules[f"{folder}{slash}{name.partition('.')[0]}"] = path
    return _Compiled(modules, frozenset(path.rpartition("/")[0] for path in modules))
