"""Where else the module of a handler is, and what to write for it to be in the bundle."""

from __future__ import annotations

import os

from typing import TYPE_CHECKING

from poetry_lambda_plugin.sources.code_folders import has_module
from poetry_lambda_plugin.sources.code_folders import is_open
from poetry_lambda_plugin.sources.files import children
from poetry_lambda_plugin.sources.files import is_folder


if TYPE_CHECKING:
    from pathlib import Path


MAX_DEPTH = 4
"""Folders below each other that are searched for a module, and above each other."""


def places_to_include(root: Path, module: str) -> tuple[str, ...]:
    """Return values of `include` that would each put a module, a path without suffix, where it is wanted."""
    top = module.partition("/")[0]
    name = top if "/" in module or is_folder(root / module) else f"{module}.py"
    if has_module(root, module):
        return (name,)
    below = [f"{folder.relative_to(root).as_posix()}:." for folder in _folders_with(module, root, MAX_DEPTH)]
    if below:
        return tuple(below)
    above = next((folder for folder in root.parents[:MAX_DEPTH] if has_module(folder, module)), None)
    beside = [f"../{folder.name}:." for folder in _folders_with(module, root.parent, 1) if folder != root]
    return (*([_from_above(root, above, module, name)] if above else []), *beside)


def _from_above(root: Path, above: Path, module: str, name: str) -> str:
    """Return how to include a module that a folder above the project has, maybe in the project itself."""
    project = root.relative_to(above).as_posix()
    if module.startswith(f"{project}/"):
        inside = module.removeprefix(f"{project}/").partition("/")[0]
        inside += "" if is_folder(root / inside) else ".py"
        return f"{inside}:{project}/{inside}"
    return f"{'../' * len(root.relative_to(above).parts)}{name}:{name}"


def _folders_with(module: str, root: Path, depth: int) -> list[Path]:
    """Return the folders below a root that have a module, the nearest first; links are not followed."""
    found: list[Path] = []
    level = [root]
    for _ in range(depth):
        level = [child for folder in level for child in children(folder) if _is_searched(child)]
        found += [folder for folder in level if has_module(folder, module)]
    return found


def _is_searched(folder: Path) -> bool:
    # a place with a colon could not be written as PATH:TO
    return is_folder(folder) and not os.path.islink(folder) and is_open(folder) and ":" not in folder.name  # noqa: PTH114
