"""Which packages of a bundle nothing else in it names, and which of them call AWS."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.modules import folders_of
from poetry_lambda_plugin.layout.modules import handler_module
from poetry_lambda_plugin.layout.modules import module_path
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.selection.graph import DependencyGraph


SDK = frozenset({"boto3", "botocore", "s3transfer"})
"""Packages that import the SDK because they are it."""

SDK_IMPORT = re.compile(
    rb"(?:^|[:;])[ \t]*(?:from[ \t]+|import[ \t]+(?:[\w., \t]*,[ \t]*)?)"
    rb"(?:boto3|aiobotocore|botocore(?!\.exceptions\b))\b",
    re.MULTILINE,
)
"""Who imports nothing but botocore's exceptions, as some readers of files do, makes no client."""

TESTS = PathFilter(("@tests",))
"""Modules that import what no function needs."""

LOADED = rb"(?:\b(?:import|from)[ \t]+|[\"',][ \t]*)"
"""What stands before a package's name where a module imports it, or hands its name to a loader."""

IMPORTABLE = (".py", ".so", ".pyd")
SCRIPT_GROUPS = frozenset({"console_scripts", "gui_scripts"})
"""Entry points for people; those of any other group are there for other packages to load."""

WORD = re.compile(rb"\w+")

MAX_OWN_SIZE = 8 << 20
"""Bytes of a file of the project that is searched for names; a larger one holds data."""


def aws_callers(plan: BundlePlan, project: str) -> frozenset[str]:
    """Return the packages, the project and the SDK itself aside, whose modules import the SDK."""
    callers: set[str] = set()
    for entry in _modules(plan):
        if entry.owner in callers or entry.owner in SDK or entry.owner == project:
            continue
        text = entry.read()
        if b"boto" in text and SDK_IMPORT.search(text):
            callers.add(entry.owner)
    return frozenset(callers)


def service_notes(bundled: Collection[str], graph: DependencyGraph) -> Iterator[str]:
    """Say which packages need the SDK too, where its services are those that the project's modules name."""
    sdk = {*SDK, "aiobotocore"}
    names = [name for name in sorted(bundled) if name not in SDK and sdk & graph.needs.get(name, frozenset())]
    if names and "botocore" in bundled:
        yield (
            f"botocore-services = 'auto' does not look into dependencies, and {' and '.join(names)} may call "
            "AWS too. List the services instead, should one be missing."
        )


def unimported(
    plan: BundlePlan, graph: DependencyGraph, project: str, handler: str | None
) -> tuple[str, ...]:
    """Return the direct dependencies that no other package needs, and that nothing reaches.

    What is reached begins with the project's modules, those alone that the handler leads to where one is set,
    and goes on with the packages that they name and what those need. A dependency's modules name one by
    importing it, also in functions, or as the first word of a string, as loaders do; those of what only it
    needs don't count. In a file of the `project` any mention does. A name that is computed is not seen.
    Where the project is not in the bundle, nothing is known.
    """
    own = [entry for entry in plan.entries if entry.owner == project and ".dist-info/" not in entry.path]
    names = _import_names(plan, _undemanded(plan, graph, project)) if own else {}
    mentions = (entry.read() for entry in _led_to(own, handler) if entry.content.size <= MAX_OWN_SIZE)
    for text in ((handler or "").encode(), *mentions):
        names = {name: words for name, words in names.items() if not _says(text, words, rb"\b")}
    unreached = set(names)
    namers = _namers(plan, names, graph) if names else {}
    while reached := {
        name for name in unreached if namers[name] & _needed_by(graph, graph.direct - unreached)
    }:
        unreached -= reached
    return tuple(sorted(unreached))


def _namers(
    plan: BundlePlan, names: Mapping[str, frozenset[bytes]], graph: DependencyGraph
) -> Mapping[str, set[str]]:
    """Return the packages whose modules name each of some others, what only those need aside."""
    independent = {name: graph.reachable({name}) for name in names}
    namers: dict[str, set[str]] = {name: set() for name in names}
    for entry in _modules(plan):
        text = entry.read()
        for name, words in names.items():
            asked = entry.owner in independent[name] and entry.owner not in namers[name]
            if asked and _says(text, words, LOADED):
                namers[name].add(entry.owner)
    return namers


def _needed_by(graph: DependencyGraph, packages: Collection[str]) -> frozenset[str]:
    """Return some packages and all that they need, directly or not."""
    found: set[str] = set()
    queue = list(packages)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += graph.needs.get(name, ())
    return frozenset(found)


def _led_to(own: Sequence[Entry], handler: str | None) -> Sequence[Entry]:
    """Return the project's files without the modules that nothing leads to from the handler.

    A module leads to each whose name it has anywhere in its text. Files that are no modules stay.
    """
    modules = {module_path(entry.path): entry for entry in own if entry.path.endswith(".py")}
    start = handler_module(handler) if handler else ""
    if start not in modules:
        return own
    found, queue = set(), [start]
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found |= {path}
        queue += [folder for folder in folders_of(path) if folder in modules]
        words = set(WORD.findall(modules[path].read()))
        queue += [other for other in modules if other.rpartition("/")[2].encode() in words]
    return [entry for entry in own if not entry.path.endswith(".py") or module_path(entry.path) in found]


def _says(text: bytes, words: Collection[bytes], before: bytes) -> bool:
    """Tell whether one of `words` stands in a text by itself, after what matches `before`."""
    return any(word in text and re.search(before + re.escape(word) + rb"\b", text) for word in words)


def _undemanded(plan: BundlePlan, graph: DependencyGraph, project: str) -> frozenset[str]:
    """Return the direct dependencies that neither a package nor the start of Python asks for."""
    owners = {distribution.name for distribution in plan.distributions} - {project}
    needed = {name for needs in graph.needs.values() for name in needs}
    loaded = {entry.owner for entry in plan.entries if entry.path.endswith(".pth") or _is_plugin(entry)}
    return (graph.direct & owners) - needed - loaded


def _is_plugin(entry: Entry) -> bool:
    if not entry.path.endswith(".dist-info/entry_points.txt") or entry.content.size > MAX_SOURCE:
        return False
    groups = re.findall(r"^\s*\[\s*(.+?)\s*\]", entry.read().decode("utf-8", "replace"), re.MULTILINE)
    return not SCRIPT_GROUPS.issuperset(groups)


def _import_names(plan: BundlePlan, packages: Collection[str]) -> dict[str, frozenset[bytes]]:
    """Return the top-level modules of those packages that have any."""
    names: dict[str, set[bytes]] = {}
    for path, entry in _files(plan):
        name = path.partition("/")[0].partition(".")[0]
        if entry.owner in packages and path.endswith(IMPORTABLE) and name.isidentifier():
            names.setdefault(entry.owner, set()).add(name.encode())
    return {name: frozenset(words) for name, words in names.items()}


def _modules(plan: BundlePlan) -> Iterator[Entry]:
    modules = (entry for path, entry in _files(plan) if path.endswith(".py"))
    return (entry for entry in modules if entry.content.size <= MAX_SOURCE)


def _files(plan: BundlePlan) -> Iterator[tuple[str, Entry]]:
    """Yield all files but tests, each with its path below the layer's folder."""
    start = len(plan.prefix)
    for entry in plan.entries:
        path = entry.path[start:]
        if not TESTS.excludes(path):
            yield path, entry
