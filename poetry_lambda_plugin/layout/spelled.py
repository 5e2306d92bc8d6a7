"""What an expression of text may come to, as far as the module that it stands in spells it out.

A value is a text in which single characters stand for what is not spelled out: UNKNOWN for anything, LISTED
for what a package's folder holds, and NAME and PACKAGE for the module's own `__name__` and `__package__`.
Between two ELSEWHERE stands the dotted name of something in another module: it, or what it holds, is meant.
"""

from __future__ import annotations

import ast
import re

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from poetry_lambda_plugin.layout.python_source import dotted_name
from poetry_lambda_plugin.layout.python_source import parsed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from typing import TypeAlias

    Values: TypeAlias = frozenset[str]
    _Scope: TypeAlias = tuple[int, ...]
    """The functions that something is in, by their nodes."""
    _Place: TypeAlias = tuple[_Scope, str]
    """A name, and where it is bound."""


UNKNOWN, LISTED, NAME, PACKAGE, ELSEWHERE = "\0", "\1", "\2", "\3", "\4"

OWN_NAMES = {"__name__": NAME, "__package__": PACKAGE, "__spec__.name": NAME, "__spec__.parent": PACKAGE}

ANYTHING = frozenset({UNKNOWN})

MAX_VALUES = 500
"""Values of an expression that are told apart."""

MAX_DEPTH = 12
"""Expressions in each other that are followed."""

MAX_STEPS = 20_000
"""Expressions of one module that are followed."""

SPLITTERS = ("split", "rsplit", "partition", "rpartition", "strip", "removeprefix", "removesuffix")
"""Methods of texts that leave a part of them, which is taken for the whole."""

FIELD = re.compile(r"\{[^{}]*\}|%(?:\(\w+\))?[-#0-9. +]*[a-zA-Z]")
"""What `str.format` or `%` fills in."""

IMPORT_MODULE = frozenset({"importlib.import_module", "import_module"})

LISTERS = ("iter_modules", "walk_packages")
"""Functions of `pkgutil` that say what a package's folder holds."""


class Spelled:
    """Knows what the names of one module are bound to, wherever in it that is."""

    def __init__(self, module: ast.Module) -> None:
        self._bound: dict[_Place, list[Iterable[ast.expr]]] = {}
        self._listed: dict[_Place, ast.Call] = {}
        self._classes: set[str] = set()
        self._attributes: dict[str, list[ast.expr]] = {}
        self._knows_folder = False
        self._steps_left = MAX_STEPS
        self._modules: dict[str, str] = {}
        self._scopes: dict[int, _Scope] = {}
        counted: dict[_Place, int] = {}
        for node, scope in _with_scopes(module):
            if isinstance(node, ast.Name):
                self._scopes[id(node)] = scope
                self._knows_folder |= node.id == "__file__"
                if not isinstance(node.ctx, ast.Load):
                    counted[scope, node.id] = counted.get((scope, node.id), 0) + 1
            elif isinstance(node, ast.arg):
                counted[scope, node.arg] = counted.get((scope, node.arg), 0) + 1
            self._note(node, scope)
        # bound in a way that is not followed, such as by a parameter
        self._unclear = {place for place, count in counted.items() if count > len(self._bound.get(place, ()))}
        self._known = counted.keys() | self._bound.keys()

    def name(self, node: ast.expr) -> str:
        """Return the dotted name that is called, with what it was imported as undone; empty for no name."""
        first, dot, rest = dotted_name(node).partition(".")
        return f"{self._modules.get(first, first)}{dot}{rest}"

    def values(self, node: ast.expr | None, depth: int = MAX_DEPTH) -> Values:
        """Return all values that an expression may have."""
        reader = _READERS.get(type(node))
        self._steps_left -= 1
        if reader is None or not depth or self._steps_left < 0:
            return ANYTHING
        values = frozenset(reader(self, node, depth - 1))
        return values if 0 < len(values) <= MAX_VALUES else ANYTHING

    def modules(self, node: ast.expr, depth: int = MAX_DEPTH) -> Values:
        """Return the names of all modules that an expression may be."""
        if isinstance(node, ast.Call) and self.name(node.func) in IMPORT_MODULE and node.args:
            return self.values(node.args[0], depth)
        if isinstance(node, ast.Subscript) and self.name(node.value) == "sys.modules":
            return self.values(node.slice, depth)
        if dotted_name(node).partition(".")[0] in self._modules:
            return frozenset({self.name(node)})
        if not isinstance(node, ast.Name) or not depth or self._place(node) in self._unclear:
            return ANYTHING
        found = [self.modules(expression, depth - 1) for expression in self.expressions(node)]
        return frozenset().union(*found) or ANYTHING

    def folders(self, call: ast.Call) -> Values:
        """Return the packages whose folders a function of LISTERS is called for."""
        parts = [part for argument in call.args for part in ast.walk(argument)]
        names = [part for part in parts if isinstance(part, ast.Name)]
        parts += (part for name in names for bound in self.expressions(name) for part in ast.walk(bound))
        paths = [p for p in parts if isinstance(p, ast.Attribute) and p.attr == "__path__"]
        found: set[str] = set()
        for path in paths:
            found |= self.modules(path.value)
        if any(isinstance(part, ast.Name) and part.id == "__path__" for part in parts):
            found.add(NAME)
        if found:
            return frozenset(found)
        return frozenset({NAME}) if self._knows_folder else ANYTHING

    def expressions(self, node: ast.Name) -> Iterator[ast.expr]:
        """Yield all that a name is bound to, as far as it is followed."""
        for expressions in self._bound.get(self._place(node), ()):
            yield from expressions

    def _constant(self, node: ast.Constant, _: int) -> Iterator[str]:
        yield node.value if isinstance(node.value, str) else UNKNOWN

    def _name(self, node: ast.Name, depth: int) -> Iterator[str]:
        if node.id in OWN_NAMES:
            yield OWN_NAMES[node.id]
            return
        place = self._place(node)
        if place in self._listed:
            yield UNKNOWN if UNKNOWN in self.folders(self._listed[place]) else LISTED
        if place not in self._known:
            yield self._elsewhere(node)
        elif place in self._unclear:
            yield UNKNOWN
        elif node.id in self._modules:
            yield self._elsewhere(node)
        for expressions in self._bound.get(place, ()):
            for expression in expressions:
                yield from self.values(expression, depth)

    def _elsewhere(self, node: ast.expr) -> str:
        """Return what stands for something that is imported."""
        written = dotted_name(node)
        is_imported = written.partition(".")[0] in self._modules
        return f"{ELSEWHERE}{self.name(node)}{ELSEWHERE}" if is_imported else UNKNOWN

    def _place(self, node: ast.Name) -> _Place:
        """Return where a name is bound that an expression uses: in the nearest function that binds it."""
        scope = self._scopes.get(id(node), ())
        while scope and (scope, node.id) not in self._known:
            scope = scope[:-1]
        return scope, node.id

    def _attribute(self, node: ast.Attribute, depth: int) -> Iterator[str]:
        written = dotted_name(node)
        if written in OWN_NAMES:
            yield OWN_NAMES[written]
        elif node.attr == "name" and LISTED in self.values(node.value, depth):
            yield LISTED
        elif node.attr == "__name__":
            yield from self.modules(node.value, depth)
        elif self._attributes_of(node):
            for expression in self._attributes_of(node):
                yield from self.values(expression, depth)
        else:
            yield self._elsewhere(node)

    def _joined(self, node: ast.JoinedStr, depth: int) -> Iterator[str]:
        return self._product(
            [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values], depth
        )

    def _binary(self, node: ast.BinOp, depth: int) -> Iterator[str]:
        if isinstance(node.op, ast.Add):
            yield from self._product([node.left, node.right], depth)
        elif isinstance(node.op, ast.Mod):
            yield from (FIELD.sub(UNKNOWN, text) for text in self.values(node.left, depth))
        else:
            yield UNKNOWN

    def _call(self, node: ast.Call, depth: int) -> Iterator[str]:
        if not isinstance(node.func, ast.Attribute):
            yield UNKNOWN
        elif node.func.attr == "format":
            yield from (FIELD.sub(UNKNOWN, text) for text in self.values(node.func.value, depth))
        elif node.func.attr in SPLITTERS:
            yield from self.values(node.func.value, depth)
        elif node.func.attr in ("get", "pop", "setdefault"):
            yield from self._held(node.func.value, depth)
            for default in node.args[1:]:
                yield from self.values(default, depth)
        else:
            yield UNKNOWN

    def _subscript(self, node: ast.Subscript, depth: int) -> Iterator[str]:
        if isinstance(node.value, ast.Call) and getattr(node.value.func, "attr", "") in SPLITTERS:
            yield from self.values(node.value, depth)
            return
        yield from self._held(node.value, depth)

    def _conditional(self, node: ast.IfExp, depth: int) -> Iterator[str]:
        yield from self.values(node.body, depth)
        yield from self.values(node.orelse, depth)

    def _alternative(self, node: ast.BoolOp, depth: int) -> Iterator[str]:
        for value in node.values:
            yield from self.values(value, depth)

    def _bound_there(self, node: ast.NamedExpr, depth: int) -> Iterator[str]:
        yield from self.values(node.value, depth)

    def _product(self, parts: list[ast.expr], depth: int) -> Iterator[str]:
        values = [self.values(part, depth) for part in parts]
        count = 1
        for one in values:
            count *= len(one)
        yield from ("".join(texts) for texts in product(*values)) if count <= MAX_VALUES else ANYTHING

    def _held(self, node: ast.expr, depth: int) -> Iterator[str]:
        """Yield the values that a dictionary or list holds."""
        held = self.elements(node, depth, of_values=True)
        if held is None:
            yield self._elsewhere(node)
        for element in held or ():
            yield from self.values(element, depth)

    def elements(
        self, node: ast.expr, depth: int = MAX_DEPTH, *, of_values: bool = False
    ) -> list[ast.expr] | None:
        """Return what a container that is written out has; None for another one."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return list(node.elts)
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if key is not None]
            return list(node.values) if of_values else keys if len(keys) == len(node.keys) else None
        bound = self._bound_to(node) if depth else []
        inner = [self.elements(expression, depth - 1, of_values=of_values) for expression in bound]
        found = [elements for elements in inner if elements is not None]
        return [one for elements in found for one in elements] if bound and len(found) == len(inner) else None

    def _bound_to(self, node: ast.expr) -> list[ast.expr]:
        """Return all that a name or an attribute stands for; nothing where that is not all spelled out."""
        if isinstance(node, ast.Attribute):
            return self._attributes_of(node)
        if not isinstance(node, ast.Name) or self._place(node) in self._unclear or node.id in self._modules:
            return []
        return list(self.expressions(node))

    def _attributes_of(self, node: ast.Attribute) -> list[ast.expr]:
        """Return what is assigned to an attribute of this module's own classes and their objects."""
        owner = dotted_name(node.value)
        return (
            self._attributes.get(node.attr, []) if owner in ("self", "cls") or owner in self._classes else []
        )

    def _note(self, node: ast.AST, scope: _Scope) -> None:
        """Take note of what is bound."""
        if isinstance(node, ast.Import):
            tops = ((a.name.partition(".")[0], a) for a in node.names)
            self._modules.update((a.asname, a.name) if a.asname else (top, top) for top, a in tops)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (f"{node.module}." if node.module else "")
            self._modules.update((a.asname or a.name, f"{base}{a.name}") for a in node.names)
        elif isinstance(node, ast.ClassDef):
            self._classes.add(node.name)
            for statement in node.body:
                self._note_attribute(statement)
        elif isinstance(node, ast.Assign):
            self._note_attribute(node, "self")
            for target in node.targets:
                self._bind(target, scope, [node.value])
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._bind(node.target, scope, [node.value])
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._bind_in_turn(node.target, scope, node.iter)

    def _note_attribute(self, statement: ast.stmt, owner: str = "") -> None:
        """Note what a class's body, or one of its methods, assigns to an attribute."""
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            return
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and dotted_name(target.value) == owner:
                self._attributes.setdefault(target.attr, []).append(statement.value)
            elif isinstance(target, ast.Name) and not owner:
                self._attributes.setdefault(target.id, []).append(statement.value)

    def _bind(self, target: ast.expr, scope: _Scope, values: Iterable[ast.expr]) -> None:
        if isinstance(target, ast.Name):
            self._bound.setdefault((scope, target.id), []).append(values)
        elif isinstance(target, ast.Tuple | ast.List):
            for place, element in enumerate(target.elts):
                self._bind(element, scope, _Part(values, place))

    def _bind_in_turn(self, target: ast.expr, scope: _Scope, source: ast.expr) -> None:
        """Note what a loop binds to the elements of what it goes through."""
        method = dotted_name(source.func).rpartition(".")[2] if isinstance(source, ast.Call) else ""
        whole = getattr(getattr(source, "func", None), "value", source)
        if method in LISTERS and isinstance(source, ast.Call):
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    self._listed[scope, name.id] = source
                    self._bind(name, scope, ())
        elif method == "sorted" and isinstance(source, ast.Call) and source.args:
            self._bind_in_turn(target, scope, source.args[0])
        elif method == "values":
            self._bind(target, scope, [_any_of(whole)])
        elif method == "items" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            self._bind(target.elts[0], scope, _Keys(self, whole))
            self._bind(target.elts[1], scope, [_any_of(whole)])
        else:
            self._bind(target, scope, _Keys(self, source))


def _with_scopes(module: ast.Module) -> Iterator[tuple[ast.AST, _Scope]]:
    """Yield all nodes, each with the functions that it is in."""
    left: list[tuple[ast.AST, _Scope]] = [(module, ())]
    while left:
        node, scope = left.pop()
        yield node, scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            scope = (*scope, id(node))
        left += ((child, scope) for child in ast.iter_child_nodes(node))


def _any_of(container: ast.expr) -> ast.expr:
    return ast.Subscript(container, ast.Constant(0), ast.Load())


@lru_cache(maxsize=256)
def constant(source: bytes, name: str) -> Values:
    """Return the texts that a name at the top of a source is bound to, or that what it is bound to holds."""
    tree = parsed(source)
    if tree is None:
        return ANYTHING
    spelled, node = Spelled(tree), ast.Name(name, ast.Load())
    elements = spelled.elements(node) or []
    found = (spelled.values(node), spelled.values(_any_of(node)), *map(spelled.values, elements))
    return frozenset().union(*(values for values in found if UNKNOWN not in values)) or ANYTHING


class _Part:
    """What one name of several is bound to, looked up when all that the module binds is known."""

    def __init__(self, wholes: Iterable[ast.expr], place: int) -> None:
        self._wholes = wholes
        self._place = place

    def __iter__(self) -> Iterator[ast.expr]:
        for whole in self._wholes:
            if isinstance(whole, ast.Tuple | ast.List):
                yield whole.elts[self._place] if self._place < len(whole.elts) else ast.Constant(None)
            elif isinstance(whole, ast.Call) and getattr(whole.func, "attr", "") in SPLITTERS:
                yield whole
            else:
                yield ast.Constant(None)


class _Keys:
    """What a loop over a container meets, looked up when all that the module binds is known."""

    def __init__(self, spelled: Spelled, container: ast.expr) -> None:
        self._spelled = spelled
        self._container = container
        self._is_asked = False

    def __iter__(self) -> Iterator[ast.expr]:
        # what goes through itself has no end
        elements = None
        if not self._is_asked:
            self._is_asked = True
            elements = self._spelled.elements(self._container)
            self._is_asked = False
        return iter([_any_of(self._container)] if elements is None else elements)


_READERS: dict[type[ast.expr | None], Callable[..., Iterable[str]]] = {
    ast.Constant: Spelled._constant,
    ast.Name: Spelled._name,
    ast.Attribute: Spelled._attribute,
    ast.JoinedStr: Spelled._joined,
    ast.BinOp: Spelled._binary,
    ast.Call: Spelled._call,
    ast.Subscript: Spelled._subscript,
    ast.IfExp: Spelled._conditional,
    ast.BoolOp: Spelled._alternative,
    ast.NamedExpr: Spelled._bound_there,
}
