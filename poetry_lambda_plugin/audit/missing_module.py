"""Where the module of a handler is instead of in the bundle, and what to write for it to be there."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

from poetry_lambda_plugin.layout.modules import module_names
from poetry_lambda_plugin.sources.code_places import places_to_include
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.plan import BundlePlan


MAX_NAMED = 3
"""Places that a message names."""


def way_to_module(module: str, config: BundleConfig, root: Path, plan: BundlePlan, project: str) -> str:
    """Say where a module, a path without suffix, is instead, and what to write for it to be in the bundle."""
    paths = (f"{module}.py", f"{module}/__init__.py")
    words = _left_out(paths, plan) or _not_chosen(module, paths, config, root) or _hidden(module, root, plan)
    if words:
        return words
    own = [e.path for e in plan.entries if e.owner == project and ".dist-info/" not in e.path]
    hint = nearest_handler(str(config.handler), own)
    places = places_to_include(root, module)
    if places:
        present = [i.path if i.to is None else f"{i.path}:{i.to}" for i in config.include]
        lines = include_lines(places, present, config.table)
        return f"{hint} Or w{lines[1:]}" if hint else lines
    hint = f" {hint}" if hint else ""
    return f"No file of the project is it.{hint} If a layer has it, name the layer in exclude-layers."


def _left_out(paths: Sequence[str], plan: BundlePlan) -> str | None:
    left_out = {left.path: left.reason for d in plan.distributions for left in d.left_out}
    for path in paths:
        if left_out.get(path) == "excluded":
            return f"exclude leaves out {path}: change the pattern, or add '!{path}' after it."
    return None


def _not_chosen(module: str, paths: Sequence[str], config: BundleConfig, root: Path) -> str | None:
    if (
        config.modules is None
        or config.begins_at_handler
        or not any((root / path).is_file() for path in paths)
    ):
        return None
    return f"`modules` leaves it out: add {module.replace('/', '.')!r} to it in [{config.table}]."


def _hidden(module: str, root: Path, plan: BundlePlan) -> str | None:
    top = module.partition("/")[0]
    is_inside = "/" in module and (root / module).with_suffix(".py").is_file()
    if not is_inside or all(entry.path != f"{top}.py" for entry in plan.entries):
        return None
    taken = f"Python takes {top}.py before the folder {top}/, which has no __init__.py"
    return f"{taken}: rename one of the two."


def nearest_handler(handler: str, paths: Collection[str]) -> str:
    """Return a hint at a module of the bundle that a handler may mean; empty for none."""
    name, _, function = handler.replace("/", ".").rpartition(".")
    known = sorted(module_names(paths))
    last = name.rpartition(".")[2]
    same_end = (module for module in known if module.rpartition(".")[2] == last)
    nearest = next(same_end, None) or similar(name, known)
    return f"Did you mean '{nearest}.{function}'?" if nearest else ""


def include_lines(values: Sequence[str], present: Sequence[str], table: str) -> str:
    """Return what to write in pyproject.toml so that one of some values is added to what is included."""
    lines = [f"`include = {json.dumps([*present, value], ensure_ascii=False)}`" for value in values]
    return f"Write {' or '.join(lines[:MAX_NAMED])} in [{table}]."
