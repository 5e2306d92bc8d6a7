"""The folders whose files could be in a bundle, or could change one."""

from __future__ import annotations

import os

from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.sources.folder_state import folders_below
from poetry_lambda_plugin.strays import is_ours


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator

    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.poetry_api.project import OpenProject


MAGIC = "*?["
"""What makes a pattern of a path."""


def watched_folders(
    project: OpenProject, order: Order, files: Iterable[Path], outputs: Collection[str]
) -> frozenset[str]:
    """Return the folders that are watched, each without those below it.

    They are those of the project and of its path dependencies, of all that its configuration names, and of
    `files`, which are bundled now. Environments, caches, what version control keeps and `outputs` are none.
    """
    folders: set[str] = set()
    for start in _starts(project, order):
        folders.update(folders_below(os.fspath(start), outputs) if start.is_dir() else [_nearest(start)])
    folders.update(os.fspath(file.parent) for file in files if file.parent.is_dir())
    return frozenset(folders)


def is_passed_over(path: str, outputs: Collection[str]) -> bool:
    """Tell whether a changed file is one that runs write themselves, or nobody bundles."""
    name = os.path.basename(path)  # noqa: PTH119 - asked for each file that changes
    return is_ours(name) or path in outputs or name.endswith((".pyc", ".swp", ".swx", "~"))


def _starts(project: OpenProject, order: Order) -> Iterator[Path]:
    """Yield what the project and its configuration name: folders, and files that may be missing."""
    facts = project.facts
    configs = [wanted.config for wanted in order.wanted]
    yield facts.root
    yield from project.lock.local_paths
    for item in facts.packages or ():
        yield facts.root / item.base / _fixed(item.include)
    for pattern in (*facts.include, *(one.path for config in configs for one in config.include)):
        yield facts.root / _fixed(pattern)
    for config in configs:
        yield from config.layer_files


def _fixed(pattern: str) -> str:
    """Return the folders that a pattern begins with."""
    parts = Path(pattern).parts
    magic = (number for number, part in enumerate(parts) if any(sign in part for sign in MAGIC))
    return os.path.join(*parts[: next(magic, len(parts))], "")  # noqa: PTH118 - it may have no parts


def _nearest(path: Path) -> str:
    """Return the folder in which a file is, or would appear."""
    return os.fspath(next(parent for parent in path.parents if parent.is_dir()))
