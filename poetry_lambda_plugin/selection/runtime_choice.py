"""The runtime of a bundle that names none: what the project and its lock can run on."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

from poetry_lambda_plugin.wording import joined
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.runtime.runtimes import Runtime


ChosenBy = Literal["configuration", "layers", "python-version", "newest", "lock", "build"]
"""What decided: the user, a bundle with a layer in common, .python-version, the constraint, the lock."""

VERSION_FILE = ".python-version"
MAX_VERSION_FILE = 4096
"""Bytes that are read of it."""

CPYTHON = re.compile(r"(?:cpython-|cpython@|python-?)?3\.(?P<minor>\d{1,2})(?:[.t+-].*)?")
"""A version as pyenv and uv write it; not another implementation's, nor an environment's name."""

MAX_NAMED = 3
"""Packages that a note names for each runtime."""


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A runtime and how it came to be the one."""

    runtime: Runtime
    chosen_by: ChosenBy
    note: str | None = None


def choose_runtime(
    candidates: Sequence[Runtime],
    local: Runtime | None,
    missing: Callable[[Runtime], Sequence[str] | None],
    can_build: Callable[[Runtime], bool],
) -> RuntimeChoice:
    """Choose among the runtimes that the project allows, the newest first.

    `local` is what the project is developed with. `missing` names the packages that have no file for a
    runtime, None where the lock can't be used for it; `can_build` tells whether they can be built here. Both
    are asked as seldom as possible. Where nothing will do, the newest is returned, for the error to be its.
    """
    refused: dict[Runtime, Sequence[str] | None] = {}
    if local is not None and local in candidates and not _refuses(local, missing, refused):
        return RuntimeChoice(local, "python-version", _note(local, f"is what {VERSION_FILE} names"))
    for runtime in candidates:
        if runtime in refused or _refuses(runtime, missing, refused):
            continue
        if not refused:
            words = "is the newest runtime that the project's Python constraint allows"
            return RuntimeChoice(runtime, "newest", _note(runtime, words))
        words = f"is chosen since the lock {_listing(refused)}"
        return RuntimeChoice(runtime, "lock", _note(runtime, words))
    for runtime in candidates:
        packages = refused[runtime]
        if packages and can_build(runtime):
            words = f"is the newest runtime for which {_names(packages)} can be built here"
            return RuntimeChoice(runtime, "build", _note(runtime, words))
    return RuntimeChoice(candidates[0], "newest")


def local_python(root: Path) -> tuple[int, int] | None:
    """Return what the nearest .python-version names: beside pyproject.toml or above it in the repository."""
    folders = [root, *root.parents]
    repository = next((n for n, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    for folder in folders[: repository + 1]:
        try:
            if not (folder / VERSION_FILE).is_file():
                continue
            with (folder / VERSION_FILE).open("rb") as file:
                text = file.read(MAX_VERSION_FILE).decode("utf-8-sig", "replace")
        except OSError:
            continue
        return _first_version(text)
    return None


def _first_version(text: str) -> tuple[int, int] | None:
    """Return the first version of a file, which is the one that `python` starts."""
    words = (word for line in text.splitlines() for word in line.partition("#")[0].split())
    match = CPYTHON.fullmatch(next(words, ""))
    return (3, int(match["minor"])) if match else None


def _refuses(
    runtime: Runtime,
    missing: Callable[[Runtime], Sequence[str] | None],
    refused: dict[Runtime, Sequence[str] | None],
) -> bool:
    packages = missing(runtime)
    if packages is None or packages:
        refused[runtime] = packages
    return runtime in refused


def _note(runtime: Runtime, words: str) -> str:
    return f'{runtime.name} {words}; `runtime = "{runtime.name}"` in [tool.poetry-lambda-plugin] pins it.'


def _listing(refused: Mapping[Runtime, Sequence[str] | None]) -> str:
    """Say what the lock lacks for which runtimes, those that lack the same together."""
    runtimes: dict[Sequence[str], list[str]] = {}
    for runtime, packages in refused.items():
        runtimes.setdefault(tuple(packages or ()), []).append(runtime.name)
    ruled_out = [f"rules out {joined(runtimes.pop(()))}"] if () in runtimes else []
    wheels = ", nor ".join(f"of {_names(names)} for {joined(of)}" for names, of in runtimes.items())
    return " and ".join([*([f"has no wheel {wheels}"] if wheels else []), *ruled_out])


def _names(packages: Sequence[str]) -> str:
    return listed(packages, MAX_NAMED) if len(packages) > MAX_NAMED else joined(packages)
