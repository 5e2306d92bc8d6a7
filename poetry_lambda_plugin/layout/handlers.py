"""What in a module looks like a function that Lambda may call, going by its text."""

from __future__ import annotations

import ast
import re

from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple

from poetry_lambda_plugin.layout.python_source import parsed


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping


Kind = Literal["function", "adapter", "named", "resolver", "imported"]
"""A function of event and context; an object that stands for a web application; anything that bears a
handler's name; an object that Powertools can call; and what another module defines. The surest first."""

NAMES = ("lambda_handler", "handler")
"""What Lambda's own templates call the function."""

ADAPTERS = frozenset(
    {"mangum.Mangum", "mangum.adapter.Mangum", "apig_wsgi.make_lambda_handler", "chalice.Chalice"}
    | {"flask_lambda.FlaskLambda"}
)
"""Callables whose result takes an event and a context."""

RESOLVER = re.compile(
    r"aws_lambda_powertools\.event_handler(?:\.\w+)*\."
    r"(?:A[Pp][Ii]Gateway(?:Rest|Http)?|ALB|AppSync(?:Events)?|BedrockAgent|LambdaFunctionUrl|VPCLattice(?:V2)?)"
    r"Resolver"
)
"""Classes of Powertools whose objects can be called with an event and a context; not all of them can."""

RELEVANT = re.compile(rb"event|handler|Mangum|Chalice|FlaskLambda|Resolver")
"""Without one of these words nothing in a module is found."""

WRITTEN = re.compile(rb"^def[ \t]+(lambda_handler|handler)[ \t]*\(", re.MULTILINE)
"""A handler in a module that the running Python does not understand."""


class Candidate(NamedTuple):
    """A name at the top level of a module."""

    name: str
    kind: Kind


def candidates(source: bytes) -> tuple[Candidate, ...]:
    """Return what Lambda may call in a module, in its order."""
    tree = parsed(source) if RELEVANT.search(source) else ast.Module([], [])
    if tree is None:
        return tuple(Candidate(match[1].decode(), "function") for match in WRITTEN.finditer(source))
    known = _imported_names(tree)
    found = [candidate for node in _statements(tree.body) for candidate in _candidates(node, known)]
    if any(candidate.kind in ("function", "adapter", "named") for candidate in found):
        # what these call is no handler by itself
        found = [candidate for candidate in found if candidate.kind != "resolver"]
    unique = {candidate.name: candidate for candidate in found}
    return tuple(unique.values())


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, those that are tried too."""
    for node in body:
        yield node
        if isinstance(node, ast.Try):
            yield from _statements([*node.body, *node.orelse, *node.finalbody])


def _candidates(node: ast.stmt, known: Mapping[str, str]) -> Iterator[Candidate]:
    if isinstance(node, ast.FunctionDef) and _takes_event(node):
        yield Candidate(node.name, "function")
    elif isinstance(node, ast.ImportFrom):
        names = (alias.asname or alias.name for alias in node.names)
        yield from (Candidate(name, "imported") for name in names if name in NAMES)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            kind = _kind(target.id, node.value, known) if isinstance(target, ast.Name) else None
            if kind is not None and isinstance(target, ast.Name):
                yield Candidate(target.id, kind)


def _takes_event(function: ast.FunctionDef) -> bool:
    """Tell whether a function can be called with an event and a context, and is meant to be."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    required = len(arguments) - len(function.args.defaults)
    keywords = [default for default in function.args.kw_defaults if default is None]
    if function.name.startswith("_") or not required <= 2 <= len(arguments) or keywords:
        return False
    event, context = arguments[:2]
    is_event = "event" in event.arg.lower() or event.arg == "evt"
    is_context = "context" in context.arg.lower() or context.arg == "ctx" or _is_lambda_context(context)
    if function.name in NAMES:
        return True
    is_named_so = function.name.endswith("_handler") and required == 2
    return (is_event and is_context) or (is_named_so and (is_event or is_context))


def _is_lambda_context(argument: ast.arg) -> bool:
    return argument.annotation is not None and "LambdaContext" in ast.unparse(argument.annotation)


def _kind(name: str, value: ast.expr, known: Mapping[str, str]) -> Kind | None:
    """Return what a value is that a name is bound to; None for what Lambda can't call, or should not."""
    called = [_full_name(node.func, known) for node in ast.walk(value) if isinstance(node, ast.Call)]
    if name.startswith("_"):
        return None
    if any(full in ADAPTERS for full in called):
        return "adapter"
    if any(RESOLVER.fullmatch(full) for full in called):
        return "resolver"
    if name not in NAMES or isinstance(value, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set):
        return None
    # what handles log records, or a framework's requests, is none
    handles_else = called and (called[0].startswith("logging.") or called[0].endswith("Handler"))
    return None if handles_else else "named"


def _full_name(node: ast.expr, known: Mapping[str, str]) -> str:
    """Return a dotted name with its module's own, empty for what has none."""
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, known)}.{node.attr}"
    return known.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _imported_names(tree: ast.Module) -> Mapping[str, str]:
    """Return the full names of what a module imports absolutely."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
    return known
