"""Whether Lambda will find the handler that the user names: its module, and the function in it."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.bindings import module_bindings
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.modules import EXTENSION_MODULE
from poetry_lambda_plugin.layout.modules import handler_module
from poetry_lambda_plugin.layout.python_source import has_syntax_error
from poetry_lambda_plugin.runtime.standard_library import CLIENT
from poetry_lambda_plugin.runtime.standard_library import LOADED_FIRST
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.audit.bindings import StarImport


MAX_NAMED = 3
"""Places that a message names."""

MAX_DEPTH = 8
"""Star imports that are followed one after the other."""


class HandlerError(LambdaBundleError):
    """A handler that Lambda would not find."""


def check_handler(
    handler: str,
    bundled: Mapping[str, Entry],
    layers: Collection[str],
    python: tuple[int, int],
    missing: Callable[[str], str],
) -> Iterator[Finding]:
    """Yield a warning where it can't be known whether the function is there.

    `bundled` are the files of the bundle by path, `layers` are the files of its layers where Python
    would see them. `missing` says where else a module, a path without suffix, is. Raises HandlerError.
    """
    module, function = handler_module(handler), handler.rpartition(".")[2]
    path = _found(module, bundled.keys())
    if path is None:
        if _found(module, layers) is None:
            raise HandlerError(
                f"The handler {handler!r} needs the module {module.replace('/', '.')}, which is not in the "
                f"bundle{' or its layers' if layers else ''}. {missing(module)}"
            )
        return
    _check_taken(handler, module, path)
    _check_parents(handler, module, bundled.keys())
    if path.endswith(".py"):
        yield from _function_warnings(handler, path, function, bundled, python)


def has_module(handler: str, paths: Collection[str]) -> bool:
    """Tell whether the module of a handler is among some files."""
    return _found(handler_module(handler), paths) is not None


def _found(module: str, paths: Collection[str]) -> str | None:
    """Return the file that Python would import as a module: a package before a module, as in its finders."""
    for path in (f"{module}/__init__.py", f"{module}.py", f"{module}.pyc", f"{module}/__init__.pyc"):
        if path in paths:
            return path
    compiled = (path for path in paths if path.startswith(f"{module}.") and EXTENSION_MODULE.search(path))
    return min(compiled, default=None)


def _check_taken(handler: str, module: str, path: str) -> None:
    """Refuse a module with the name of one that is loaded before Lambda looks into the bundle."""
    top = module.partition("/")[0]
    if top in LOADED_FIRST or top in CLIENT:
        raise HandlerError(
            f"The handler {handler!r} can't be imported: Lambda's Python has loaded its own {top} before it "
            f"looks into the bundle. Rename {path if '/' not in path else top + '/'}."
        )


def _check_parents(handler: str, module: str, paths: Collection[str]) -> None:
    """Refuse a module in a folder that a module of the same name hides, since it is no package."""
    parts = module.split("/")
    for count in range(1, len(parts)):
        parent = "/".join(parts[:count])
        if f"{parent}.py" in paths and f"{parent}/__init__.py" not in paths:
            raise HandlerError(
                f"The handler {handler!r} can't be imported: Python takes {parent}.py before the folder "
                f"{parent}/, which has no __init__.py. Add one, or rename one of the two."
            )


def _function_warnings(
    handler: str,
    path: str,
    function: str,
    bundled: Mapping[str, Entry],
    python: tuple[int, int],
) -> Iterator[Finding]:
    bindings = module_bindings(bundled[path].read())
    if bindings is None and has_syntax_error(bundled[path].read()):
        if sys.version_info[:2] >= python:
            raise HandlerError(f"The handler {handler!r} can't be imported: {path} has a syntax error.")
        # it may use what only the runtime's newer Python understands
        return
    if bindings is not None and bindings.binds(function):
        return
    known = [_exports(star, path, bundled, frozenset()) for star in bindings.stars] if bindings else []
    if any(function in names for names in known if names is not None):
        return
    if bindings is None or bindings.may_bind(function) or None in known:
        words = f"Whether {path} binds {function!r}, which the handler {handler!r} names, can't be told."
        yield Finding("handler-unclear", words, path)
        return
    raise HandlerError(
        f"The handler {handler!r} names {function!r}, but {path} binds no such name at its top level."
        f"{_hint(function, path, bindings.names, bundled.keys())}"
    )


def _hint(function: str, path: str, names: Collection[str], paths: Collection[str]) -> str:
    """Name the nearest function, or say that what was named is itself a module."""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if _found(f"{module.replace('.', '/')}/{function}", paths) is not None:
        return f" {function!r} is a module: name the function in it, as in '{module}.{function}.handler'."
    public = sorted(name for name in names if not name.startswith("__"))
    usual = (name for name in ("lambda_handler", "handler", "main") if name in public)
    nearest = similar(function, public) or next(usual, None)
    return f" Did you mean '{module}.{nearest}'?" if nearest else ""


def _exports(
    star: StarImport, path: str, bundled: Mapping[str, Entry], above: frozenset[str]
) -> frozenset[str] | None:
    """Return what `from module import *` binds; None where that can't be known.

    `above` are the files whose star imports led here: they add nothing to their own.
    """
    module = star.module.replace(".", "/")
    if star.level:
        package = path.split("/")[: -star.level]
        module = "/".join(filter(None, (*package, module)))
    source = _found(module, bundled.keys())
    if source in above:
        return frozenset()
    bindings = module_bindings(bundled[source].read()) if source and source.endswith(".py") else None
    if bindings is None or bindings.dynamic or len(above) == MAX_DEPTH:
        return None
    if bindings.exported is not None:
        return bindings.exported
    inner = [_exports(s, str(source), bundled, above | {str(source)}) for s in bindings.stars]
    if any(names is None for names in inner):
        return None
    public = frozenset(name for name in bindings.names if not name.startswith("_"))
    return public.union(*filter(None, inner))
