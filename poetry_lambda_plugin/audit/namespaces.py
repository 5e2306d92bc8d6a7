"""Packages whose parts lie in a function and its layers, where Python would see one alone (PEP 420)."""

from __future__ import annotations

import re

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Literal

from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.audit.layers import LayerFiles
    from poetry_lambda_plugin.layout.plan import BundlePlan


Kind = Literal["open", "closed", "shared", "declared"]
"""A folder may be a namespace, a package, one that others take part in, or what a `.pth` file makes."""

SHARES = re.compile(rb"\b(?:extend_path|declare_namespace|__path__)\b")
"""What an `__init__.py` has that lets other folders take part in its package (pkgutil, pkg_resources)."""

NSPKG = re.compile(r"[^/]+-nspkg\.pth$")
DECLARED = re.compile(r"setdefault\('([\w.]+)'")
"""The package that a line of such a file makes, as setuptools writes it."""

ONLY_FUNCTIONS: frozenset[tuple[Kind, Kind]] = frozenset(
    {
        *(("closed", "open"), ("closed", "closed"), ("closed", "shared")),
        *(("declared", "open"), ("declared", "closed"), ("declared", "shared")),
    }
)
ONLY_LAYERS: frozenset[tuple[Kind, Kind]] = frozenset(
    {("open", "closed"), ("open", "declared"), ("closed", "declared"), ("shared", "declared")}
)
"""Which part is seen where a function's package is of one kind and a layer's of another, as tests tried."""

MODULE = re.compile(r"\.(?:py|pyc|so)$")

MAX_NAMED = 3
"""Modules that a message names."""


@dataclass(frozen=True)
class _Part:
    """What a function or a layer adds to Python's path."""

    name: str
    files: Mapping[str, Callable[[], bytes]]
    """What reads each file, by its path."""

    def modules(self, package: str) -> frozenset[str]:
        """Return the modules below a package's folder, without its own `__init__.py`."""
        inside = (path for path in self.files if path.startswith(f"{package}/") and MODULE.search(path))
        return frozenset(path for path in inside if path != f"{package}/__init__.py")

    def kind(self, package: str) -> Kind:
        """Return what Python makes of a package's folder."""
        if package.replace("/", ".") in self.declared:
            return "declared"
        init = self.files.get(f"{package}/__init__.py")
        if init is None:
            return "open"
        return "shared" if SHARES.search(init()) else "closed"

    @cached_property
    def declared(self) -> frozenset[str]:
        """Packages that a `.pth` makes where they have no `__init__.py`."""
        readers = [read for path, read in self.files.items() if NSPKG.match(path)]
        names = [name for read in readers for name in DECLARED.findall(read().decode("utf-8", "replace"))]
        return frozenset(n for n in names if f"{n.replace('.', '/')}/__init__.py" not in self.files)


def cut_packages(plan: BundlePlan, layers: Sequence[LayerFiles]) -> Iterator[Finding]:
    """Yield the packages of which a function and one of its layers have parts that exclude each other."""
    function = _Part("the function", {entry.path: entry.read for entry in plan.entries})
    folders = _folders(function.files)
    for layer in layers:
        # what is in both as a whole hides nothing but itself
        both = _folders(entry.path for entry in plan.entries if entry.owner in layer.owners)
        if common := (folders & _folders(layer.files)) - both:
            yield from _cut(function, _Part(f"the layer {layer.name}", layer.files), sorted(common))


def _folders(files: Iterable[str]) -> frozenset[str]:
    """Return the folders at the top that may be packages."""
    return frozenset(path.partition("/")[0] for path in files if "/" in path and MODULE.search(path))


def _cut(function: _Part, layer: _Part, packages: Iterable[str]) -> Iterator[Finding]:
    for package in packages:
        kinds = function.kind(package), layer.kind(package)
        seen, hidden = (function, layer) if kinds in ONLY_FUNCTIONS else (layer, function)
        if kinds in ONLY_FUNCTIONS or kinds in ONLY_LAYERS:
            if lost := sorted(hidden.modules(package) - seen.modules(package)):
                yield _finding(package, seen, hidden, lost)
            continue
        inner = (_packages_in(package, part) for part in (function, layer))
        yield from _cut(function, layer, sorted(frozenset.intersection(*inner)))


def _packages_in(package: str, part: _Part) -> frozenset[str]:
    """Return the folders right below a package's that may be packages."""
    depth = package.count("/") + 2
    paths = (path.split("/") for path in part.modules(package))
    return frozenset("/".join(names[:depth]) for names in paths if len(names) > depth)


def _finding(package: str, seen: _Part, hidden: _Part, lost: Sequence[str]) -> Finding:
    name = package.replace("/", ".")
    words = (
        f"The package {name} is in {seen.name} and in {hidden.name}, and Python sees the first alone: of "
        f"{hidden.name}, {listed(lost, MAX_NAMED)} can't be imported. Put both parts in one of the two, or "
        f"make {name} a namespace package in both, without an __init__.py."
    )
    return Finding("namespace-cut", words, f"{package}/")
