"""Where bytecode goes and what is compiled: hash-based `.pyc` files (PEP 552) beside their sources."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.layout.layer import LAYER_ROOT
from poetry_lambda_plugin.layout.plan import has_long_name
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE


if TYPE_CHECKING:
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import WheelContent
    from poetry_lambda_plugin.configuration.values import BytecodeMode
    from poetry_lambda_plugin.layout.filters import PathFilter
    from poetry_lambda_plugin.layout.plan import BundlePlan


OLDEST_PYTHON = (3, 7)
"""The first one with hash-based bytecode."""

FUNCTION_ROOT = "/var/task/"
"""Where Lambda unpacks functions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BytecodeSettings:
    """What a user wants of the bytecode."""

    mode: BytecodeMode
    exclude: PathFilter
    """Sources that are not compiled."""
    optimize: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Compilation:
    """All that a bundle's bytecode is made of."""

    sources: Mapping[str, Entry]
    """What is compiled, by the path of its bytecode and sorted by it."""
    settings: BytecodeSettings
    python: tuple[int, int]
    root: str
    """The folder that Lambda unpacks the bundle to, which tracebacks show."""


def compilation(plan: BundlePlan, settings: BytecodeSettings, python: tuple[int, int]) -> Compilation:
    """Decide what of a bundle is compiled."""
    root = LAYER_ROOT if plan.prefix else FUNCTION_ROOT
    return Compilation(
        sources=sources_of(plan, settings, python), settings=settings, python=python, root=root
    )


def bytecode_path(source: str, python: tuple[int, int], optimize: int) -> str:
    """Return where CPython of a minor version looks for a source's bytecode (PEP 3147, PEP 488)."""
    folder, slash, name = source.rpartition("/")
    suffix = f".opt-{optimize}" if optimize else ""
    stem = name.rpartition(".")[0] or name.rpartition(".")[2]
    return f"{folder}{slash}__pycache__/{stem}.cpython-{python[0]}{python[1]}{suffix}.pyc"


def sources_of(plan: BundlePlan, settings: BytecodeSettings, python: tuple[int, int]) -> Mapping[str, Entry]:
    """Return what is to be compiled, by the path of its bytecode and sorted by it."""
    taken = {entry.path for entry in plan.entries}
    sources = {
        bytecode_path(entry.path, python, settings.optimize): entry
        for entry in plan.entries
        if _is_module(entry) and not settings.exclude.excludes(entry.path.removeprefix(plan.prefix))
    }
    # a file that is called __pycache__ leaves no room for the folder
    return {
        path: sources[path]
        for path in sorted(sources)
        if path not in taken and path.rpartition("/")[0] not in taken and not has_long_name(path)
    }


def with_bytecode(
    plan: BundlePlan, sources: Mapping[str, Entry], bytecode: Mapping[str, WheelContent]
) -> BundlePlan:
    """Add compiled files to a plan; each belongs to the distribution that its source belongs to.

    No RECORD changes: it need not list bytecode (packaging.python.org, "Recording installed projects").
    """
    added = [Entry(path, content, owner=sources[path].owner) for path, content in bytecode.items()]
    return replace(plan, entries=tuple(sorted((*plan.entries, *added), key=attrgetter("path"))))


def _is_module(entry: Entry) -> bool:
    """Tell sources of modules from scripts in `bin/`, which are written by us and never imported."""
    is_module = entry.path.endswith(".py") and entry.content.source is not None
    return is_module and entry.content.size <= MAX_SOURCE
