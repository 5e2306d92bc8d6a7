"""Modules of a bundle that hide some of Python's own, or are hidden by them, since they have their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.modules import is_module
from poetry_lambda_plugin.runtime.standard_library import CLIENT
from poetry_lambda_plugin.runtime.standard_library import COMMON
from poetry_lambda_plugin.runtime.standard_library import LOADED_FIRST
from poetry_lambda_plugin.runtime.standard_library import standard_modules


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry


RENAME = "Rename it."


def shadowing(
    entries: Mapping[str, Entry],
    project: str,
    python: tuple[int, int],
    imported: Mapping[str, Collection[str]],
) -> Iterator[Finding]:
    """Yield a warning for each top-level module that is taken for another, or never taken.

    `entries` are the bundle's files by path, `imported` the distributions whose modules import each top-level
    module, as far as they have been followed.
    """
    standard = standard_modules(python)
    for name, path in _top_modules(entries).items():
        owner = entries[path].owner
        if name in LOADED_FIRST or name in CLIENT:
            if owner == project:
                yield _never_taken(name, path)
        elif name in standard and not _is_package(path, name):
            if owner == project:
                yield _no_package(name, path)
        elif name in standard and (name in COMMON or {*imported.get(name, ())} - {owner}):
            yield _hides(name, path, owner, is_project=owner == project)


def _top_modules(entries: Mapping[str, Entry]) -> Mapping[str, str]:
    """Return a file of each top-level module or folder of modules: what makes it a package, if it is one."""
    found: dict[str, str] = {}
    for path in entries:
        top, slash, rest = path.partition("/")
        if not is_module(path) or (slash and "/" in rest):
            continue
        name = top if slash else top.partition(".")[0]
        if name not in found or rest == "__init__.py":
            found[name] = path
    return found


def _is_package(path: str, name: str) -> bool:
    return not path.startswith(f"{name}/") or path.startswith(f"{name}/__init__.")


def _never_taken(name: str, path: str) -> Finding:
    if name in CLIENT:
        whose = "Lambda's runtime client has imported its own"
        return Finding("shadows-client", f"{path} is never imported: {whose} {name} before. {RENAME}", path)
    words = f"{path} is never imported: `import {name}` gives Python's own, which is loaded before it."
    return Finding("shadows-stdlib", f"{words} {RENAME}", path)


def _no_package(name: str, path: str) -> Finding:
    words = f"{path} is never imported: {name}/ has no __init__.py, so that Python's own {name} comes first."
    return Finding("shadows-stdlib", f"{words} {RENAME}", path)


def _hides(name: str, path: str, owner: str, *, is_project: bool) -> Finding:
    words = (
        f"{path}{'' if is_project else f' of {owner}'} hides Python's own {name}, since Lambda looks in the "
        f"bundle first: whoever imports {name}, Python's other modules too, gets this one."
    )
    remedy = RENAME if is_project else f'Write `exclude-packages = ["{owner}"]` unless it is meant.'
    return Finding("shadows-stdlib", f"{words} {remedy}", path)
