"""Which of the project's own files a user chooses by naming modules, packages or patterns of them."""

from __future__ import annotations

import re

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.wording import listed
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.layout.distribution import Distribution


EXTENSION_MODULE = re.compile(r"\.(?:so|pyd)$")
"""Compiled modules, whose names go on after the first dot with what they were compiled for."""


class UnknownModuleError(LambdaBundleError):
    """A module that the project does not have."""

    def __init__(self, pattern: str, modules: Collection[str]) -> None:
        self.pattern = pattern
        known = sorted(modules)
        nearest = similar(pattern, known)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        super().__init__(
            f"modules: the project has no module or package {pattern!r}.{hint} "
            f"It has {listed(known) or 'none'}."
        )


def matches(pattern: str, path: str) -> bool:
    """Tell whether a file is a module that a pattern names, or lies in a package that it names.

    A pattern is dotted or a path; `*` stands for any part of one name.
    """
    places = (module_path(path), *folders_of(path))
    return any(_pattern(pattern).fullmatch(place) for place in places)


def chosen_paths(paths: Collection[str], patterns: Sequence[str]) -> frozenset[str]:
    """Return the files that patterns choose.

    With a module come the `__init__.py` of the packages that it is in and their data files. Files that lie
    in no folder of modules are nobody's, and stay.
    """
    return with_packages(paths, {path for path in paths if any(matches(p, path) for p in patterns)})


def with_packages(paths: Collection[str], chosen: Iterable[str]) -> frozenset[str]:
    """Add to chosen files the `__init__.py` of the packages that they are in, and those packages' data."""
    chosen = set(chosen)
    reached = {folder for path in chosen if is_module(path) for folder in folders_of(path)}
    chosen |= {f"{folder}/__init__.py" for folder in reached} & set(paths)
    with_modules = {folder for path in paths if is_module(path) for folder in folders_of(path)}
    for path in paths:
        if not is_module(path):
            owner = next((folder for folder in folders_of(path) if folder in with_modules), None)
            if owner is None or owner in reached:
                chosen.add(path)
    return frozenset(chosen)


def only_chosen(distribution: Distribution, patterns: Sequence[str], others: Collection[str]) -> Distribution:
    """Leave out of a built project what patterns do not choose; `others` are the project's files beside it.

    Raises UnknownModuleError.
    """
    paths = {entry.path for entry in distribution.entries if ".dist-info/" not in entry.path}
    raise_first(unknown_modules(patterns, (*paths, *others), module_names(paths)))
    return without(distribution, paths - chosen_paths(paths, patterns), "not in modules")


def only_named(distribution: Distribution, patterns: Sequence[str]) -> Distribution:
    """Leave out of a path dependency what patterns do not choose, if they name any of its modules."""
    paths = {entry.path for entry in distribution.entries if ".dist-info/" not in entry.path}
    named = [pattern for pattern in patterns if any(matches(pattern, path) for path in paths)]
    gone = paths - chosen_paths(paths, named) if named else ()
    return without(distribution, gone, "not in modules")


def unknown_modules(
    patterns: Sequence[str], paths: Collection[str], known: Collection[str] | None = None
) -> Iterator[UnknownModuleError]:
    """Yield an error for each pattern that no path matches; it names the nearest of what is known."""
    for pattern in patterns:
        if not any(matches(pattern, path) for path in paths):
            yield UnknownModuleError(pattern, module_names(paths) if known is None else known)


def raise_first(errors: Iterable[LambdaBundleError]) -> None:
    """Raise the first of some errors, if there is one."""
    for error in errors:
        raise error


def without(distribution: Distribution, gone: Collection[str], reason: str) -> Distribution:
    """Leave files out of a distribution."""
    if not gone:
        return distribution
    return replace(
        distribution,
        entries=tuple(entry for entry in distribution.entries if entry.path not in gone),
        left_out=(*distribution.left_out, *(LeftOut(path, reason) for path in sorted(gone))),
        changed=True,
    )


def handler_module(handler: str) -> str:
    """Return the module of a handler as a path without suffix, as Lambda resolves it.

    Folders may be apart by dots or slashes (AWS page "Define Lambda function handler in Python").
    """
    return handler.rpartition(".")[0].replace(".", "/")


def is_module(path: str) -> bool:
    """Tell whether a file is Python's to import."""
    return path.endswith(".py") or EXTENSION_MODULE.search(path) is not None


def module_path(path: str) -> str:
    """Return a file's path as a module has it: without suffix, and that of its folder for a package."""
    if path.endswith("/__init__.py"):
        return path.removesuffix("/__init__.py")
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}" if is_module(path) else path


def folders_of(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def module_names(paths: Iterable[str]) -> frozenset[str]:
    """Return the dotted names of all modules among files."""
    return frozenset(module_path(path).replace("/", ".") for path in paths if is_module(path))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    is_path = "/" in pattern or pattern.endswith(".py")
    path = pattern.removeprefix("./").strip("/") if is_path else pattern.replace(".", "/")
    path = path.removesuffix(".py").removesuffix("/__init__")
    return re.compile("".join({"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign)) for sign in path))
