"""Which names a module binds at its top level, as far as its source tells."""

from __future__ import annotations

import ast

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.layout.python_source import parsed


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence


NAMESPACES = frozenset({"exec", "eval", "globals", "vars", "locals", "setattr"})
"""Functions through which names come to be that no statement binds."""


class StarImport(NamedTuple):
    """`from module import *` at the top level."""

    level: int
    """Leading dots."""
    module: str


@dataclass(frozen=True, slots=True)
class Bindings:
    """What importing a module binds."""

    names: frozenset[str]
    exported: frozenset[str] | None
    """`__all__`, where it is one literal."""
    stars: tuple[StarImport, ...]
    dynamic: bool
    """Whether names may come to be in ways that no statement shows."""
    assigned_by_functions: frozenset[str]
    """Declared `global` in functions."""

    def binds(self, name: str) -> bool:
        """Tell whether a statement binds a name."""
        return name in self.names

    def may_bind(self, name: str) -> bool:
        """Tell whether a name may be bound in a way that can't be known."""
        return self.dynamic or name in self.assigned_by_functions


def module_bindings(source: bytes) -> Bindings | None:
    """Read a module's top level, branches included; None for what the running Python can't make out."""
    tree = parsed(source)
    try:
        return _bindings(tree) if tree is not None else None
    except RecursionError:
        return None


def _bindings(tree: ast.Module) -> Bindings:
    statements = list(_executed(tree.body))
    nodes = [node for statement in statements for node in _expressions(statement)]
    return Bindings(
        names=frozenset(name for node in (*statements, *nodes) for name in _bound(node)),
        exported=_exported(statements),
        stars=tuple(
            StarImport(s.level, s.module or "")
            for s in statements
            if isinstance(s, ast.ImportFrom) and s.names[0].name == "*"
        ),
        dynamic=any(_is_dynamic(node) for node in (*statements, *nodes)),
        assigned_by_functions=frozenset(
            name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names
        ),
    )


def _executed(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that an import may run: not those of functions, classes and type checkers."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        skipped = "body" if isinstance(statement, ast.If) and _is_never_true(statement.test) else ""
        for field in ("body", "orelse", "finalbody"):
            if field != skipped:
                yield from _executed(getattr(statement, field, ()))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _executed(part.body)


def _is_never_true(test: ast.expr) -> bool:
    """Tell whether a condition is false in a function on Lambda."""
    text = ast.unparse(test)
    return text in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'", "False", "0")


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield what a statement itself evaluates, without the statements inside it."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        # an annotation alone binds nothing
        return
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from ast.walk(child)
        elif isinstance(child, ast.match_case):
            yield from ast.walk(child.pattern)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name == "__getattr__"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in NAMESPACES
    # sys.modules[__name__] = something else
    if not isinstance(node, ast.Attribute) or node.attr != "modules":
        return False
    return isinstance(node.value, ast.Name) and node.value.id == "sys"


def _exported(statements: Sequence[ast.stmt]) -> frozenset[str] | None:
    for statement in statements:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            try:
                return frozenset(ast.literal_eval(statement.value))
            except (ValueError, TypeError):
                return None
    return None
