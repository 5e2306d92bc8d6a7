"""What importing a module does, as far as imports go: a small tree of its statements that JSON can hold.

A tree is a list `[statements, names, flags, modules]`. A statement is a list that begins with its kind:

- `["import", line, module, name]`: `import a.b as name`; no name where nothing is bound
- `["from", line, level, module, [[name, as], …]]`
- `["bind", name, …]`; `*name` stands for one of `__all__`, `.name` for an attribute of something
- `["try", body, [[caught, body], …], orelse, finalbody]`, where caught is made of the letters of CAUGHT
- `["suppress", caught, body]`: `with contextlib.suppress(…)`
- `["maybe", body, …]`: bodies of which nobody knows whether they run
- `["raise", line, kind, class]`, kind being `name` for an ImportError, `missing` for a ModuleNotFoundError,
  `raised` for another class, `unsure` for any, or `again` for what was caught
- `["lazy", [[name, module], …]]`: what a module's `__getattr__` likely does, by a table
- `["path", scope]`: `sys.path` changes, by folders `inside` the bundle or by `any`

Names are those that functions bind with `global`. Flags are `names` where any name may be bound, `modules`
where any submodule may be found. Modules are those that the source puts into `sys.modules` by their names.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import warnings

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.audit.function_bodies import without_function_bodies
from poetry_lambda_plugin.layout.python_source import dotted_name


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.audit.conditions import Conditions


Tree = list[Any]

ALL, IMPORT, MODULE, SYNTAX, OTHER, UNKNOWN = CAUGHT = "aimso?"
"""What is caught: all, any ImportError, ModuleNotFoundError, SyntaxError, another one, or nobody knows."""

IMPORTERS = ("importlib.import_module", "import_module", "__import__")

RAISED = {IMPORT: "name", MODULE: "missing", UNKNOWN: "unsure"}
"""What raising a class is, by what catching it would catch."""

MAX_SOURCE = 4 << 20
"""Bytes of a module that is looked into; what is larger is data or made by a program."""

MAX_DEPTH = 60
"""Blocks in each other that are looked into."""

FINDERS = (b"sys.modules", b"__path__", b"meta_path", b"path_hooks", b"extend_path")
"""What a source has that changes what imports find, so that all names and submodules are believed."""

NAMESPACES = re.compile(
    rb"^def __getattr__|__class__[ \t]*=(?!=)|__dict__\b|inject|globals\(|vars\(|locals\(|exec\(|eval\("
    rb"|setattr\((?!self\b|cls\b)",
    re.MULTILINE,
)
"""What makes names that no statement binds."""

GLOBAL = re.compile(rb"^[ \t]+global[ \t]+([\w, \t]+)", re.MULTILINE)
REGISTERED = re.compile(rb"""\bmodules(?:\.setdefault\(|\[)[ \t]*["']([\w.]+)["']""")
"""A module that is put into `sys.modules` by its name."""

TRANSPARENT = re.compile(r"(?:\w+\.)*(?:catch_warnings|open|suppress_warnings|\w*[lL]ock\w*)(?:\(.*\))?$")
"""Context managers that swallow no exception."""

OUTSIDE_NAMES = re.compile(r"\b(?:environ|getenv|tempfile|mkdtemp|home|gettempdir)\b")
OUTSIDE = re.compile(r"(?!/var/task(?:/|$))[/~]")
TASK_ROOT = re.compile(r"(?:os\.)?(?:environ\[|environ\.get\(|getenv\()'LAMBDA_TASK_ROOT'[\])]")
STRING = re.compile(r"'([^']*)'")


class UnreadableError(Exception):
    """A source that can't be judged, though some Python may run it."""


def tree_of(source: bytes, conditions: Conditions, *, whole: bool) -> Tree:
    """Read what importing a module does; `whole` looks for syntax errors in functions too.

    Raises SyntaxError for what the running Python refuses, and UnreadableError for what can't be judged.
    """
    if len(source) > MAX_SOURCE:
        raise UnreadableError
    try:
        module = _parsed(source, conditions.python) if whole else _parsed_quickly(source)
        statements = _Reader(conditions, b":=" in source, b"__getattr__" in source).block(module.body)
    except (RecursionError, MemoryError, UnicodeError):
        raise UnreadableError from None
    names, registered = set(), set()
    if b"global" in source:
        names = {name.strip().decode() for names in GLOBAL.findall(source) for name in names.split(b",")}
    if b"modules" in source:
        registered = {name.decode() for name in REGISTERED.findall(source)}
    return [statements, sorted(names), _flags(source), sorted(registered)]


def _flags(source: bytes) -> list[str]:
    if any(word in source for word in FINDERS):
        return ["names", "modules"]
    return ["names"] if NAMESPACES.search(source) else []


def _parsed_quickly(source: bytes) -> ast.Module:
    """Parse a module without its functions' bodies; all of it where that goes wrong."""
    if source.isascii() or b"coding" not in source[:200]:
        try:
            text = source.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
            return _parsed(without_function_bodies(text))
        except (SyntaxError, ValueError):
            pass
    return _parsed(source)


def _parsed(source: str | bytes, python: tuple[int, int] | None = None) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(source, feature_version=python)
            if python is not None:
                # a `return` outside of functions, for one, is left to the compiler
                compile(module, "<source>", "exec", dont_inherit=True)
            return module
    except ValueError as error:
        # NUL bytes are a SyntaxError since 3.12
        raise SyntaxError(str(error)) from None


class _Reader:
    """Turns statements into a tree."""

    def __init__(self, conditions: Conditions, walrus: bool, lazy: bool) -> None:
        self._conditions = conditions
        self._walrus = walrus
        self._lazy = lazy
        self._values: dict[str, ast.expr] = {}
        self._depth = 0
        self._in_class = 0

    def block(self, body: Iterable[ast.stmt]) -> Tree:
        """Return the tree of some statements; names bound one after the other are one statement."""
        if self._depth > MAX_DEPTH:
            raise UnreadableError
        self._depth += 1
        statements: Tree = []
        for statement in body:
            for made in self._statement(statement):
                if self._in_class and made[0] == "bind":
                    continue
                if made[0] == "bind" and statements and statements[-1][0] == "bind":
                    statements[-1] += made[1:]
                else:
                    statements.append(made)
        self._depth -= 1
        return statements

    def _statement(self, node: ast.stmt) -> Iterator[Tree]:
        reader = _READERS.get(type(node))
        if reader is not None:
            yield from reader(self, node)
        elif self._walrus:
            yield from _bound(n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr))

    def import_(self, node: ast.Import) -> Iterator[Tree]:
        for alias in node.names:
            name = "" if self._in_class else alias.asname or alias.name.partition(".")[0]
            yield ["import", node.lineno, alias.name, name]

    def from_(self, node: ast.ImportFrom) -> Iterator[Tree]:
        names = [[a.name, "" if self._in_class else a.asname or a.name] for a in node.names]
        if node.module != "__future__":
            yield ["from", node.lineno, node.level, node.module or "", names]

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Tree]:
        self._conditions.assign(node.name, None)
        yield ["bind", node.name]

    def class_(self, node: ast.ClassDef) -> Iterator[Tree]:
        self._in_class += 1
        inner = self.block(node.body)
        self._in_class -= 1
        yield from inner
        yield ["bind", node.name]

    def assign(self, node: ast.Assign) -> Iterator[Tree]:
        yield from self._call(node.value)
        yield from self._lazy_names(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._values[target.id] = node.value
                self._conditions.assign(target.id, node.value)
                if target.id == "__all__":
                    yield ["bind", *_strings(node.value)] if _strings(node.value) else ["bind"]
            if _is_path(target):
                yield ["path", self._scope(node.value)]
        yield from _bound(node.targets)
        if self._walrus:
            yield from _bound(n.target for n in ast.walk(node.value) if isinstance(n, ast.NamedExpr))

    def annotated(self, node: ast.AnnAssign) -> Iterator[Tree]:
        if node.value is not None:
            yield from self._lazy_names(node.value)
            yield from _bound([node.target])
            if isinstance(node.target, ast.Name):
                self._conditions.assign(node.target.id, node.value)

    def type_alias(self, node: Any) -> Iterator[Tree]:
        yield ["bind", node.name.id]

    def augmented(self, node: ast.AugAssign) -> Iterator[Tree]:
        if _is_path(node.target):
            yield ["path", self._scope(node.value)]

    def expression(self, node: ast.Expr) -> Iterator[Tree]:
        yield from self._call(node.value)
        if self._walrus:
            yield from _bound(n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr))

    def if_(self, node: ast.If) -> Iterator[Tree]:
        holds = self._conditions.holds(node.test)
        if self._walrus:
            yield from _bound(n.target for n in ast.walk(node.test) if isinstance(n, ast.NamedExpr))
        if holds is not None:
            yield from self.block(node.body if holds else node.orelse)
        else:
            yield from self._maybe(node.body, node.orelse)

    def loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Iterator[Tree]:
        if isinstance(node, ast.For):
            yield from self._imported_in_turn(node)
        targets = [] if isinstance(node, ast.While) else [node.target]
        maybe = ["maybe", [*_bound(targets), *self.block(node.body)], self.block(node.orelse)]
        yield maybe

    def _imported_in_turn(self, node: ast.For) -> Iterator[Tree]:
        """Yield the imports of a loop over written-out names that begins with importing each."""
        call = getattr(node.body[0], "value", None)
        names = _strings(node.iter)
        if not names or not isinstance(call, ast.Call) or dotted_name(call.func) not in IMPORTERS:
            return
        if len(call.args) == 1 and ast.dump(call.args[0]) == ast.dump(
            ast.Name(dotted_name(node.target), ast.Load())
        ):
            yield from (["import", call.lineno, name[1:], ""] for name in names if name[1:2] != ".")

    def match(self, node: ast.Match) -> Iterator[Tree]:
        yield from self._maybe(*(case.body for case in node.cases))
        yield ["bind", *(n.name for n in ast.walk(node) if isinstance(n, ast.MatchAs) and n.name)]

    def try_(self, node: ast.Try) -> Iterator[Tree]:
        handlers = []
        body = self.block(node.body)
        for handler in node.handlers:
            self._conditions.assign(handler.name or "", None)
            inner = self.block(handler.body)
            handlers.append([_caught(handler.type), [*_bound_name(handler.name), *inner]])
        orelse, final = self.block(node.orelse), self.block(node.finalbody)
        yield ["try", body, handlers, orelse, final]
        self._forget((node.body, *(h.body for h in node.handlers)))

    def with_(self, node: ast.With | ast.AsyncWith) -> Iterator[Tree]:
        yield from _bound(i.optional_vars for i in node.items if i.optional_vars is not None)
        body = self.block(node.body)
        for item in node.items:
            call = item.context_expr
            words = ast.unparse(call.func) if isinstance(call, ast.Call) else ast.unparse(call)
            if words in ("suppress", "contextlib.suppress") and isinstance(call, ast.Call):
                body = [["suppress", _caught(ast.Tuple(list(call.args), ast.Load())), body]]
            elif not TRANSPARENT.fullmatch(words):
                body = [["maybe", body]]
        yield from body

    def raise_(self, node: ast.Raise) -> Iterator[Tree]:
        exception = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if exception is None or (
            not isinstance(node.exc, ast.Call) and isinstance(exception, ast.Name) and exception.id.islower()
        ):
            yield ["raise", node.lineno, "again", ""]
            return
        name = ast.unparse(exception)
        yield ["raise", node.lineno, RAISED.get(_catches(name), "raised"), name]

    def _maybe(self, *bodies: list[ast.stmt]) -> Iterator[Tree]:
        inner = [self.block(body) for body in bodies]
        self._forget(bodies)
        if any(inner):
            yield ["maybe", *filter(None, inner)]

    def _forget(self, bodies: Iterable[list[ast.stmt]]) -> None:
        """Know nothing of what is assigned in bodies of which nobody knows whether they run."""
        for body in bodies:
            for statement in body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        self._conditions.assign(node.id, None)
                        self._values.pop(node.id, None)

    def _call(self, node: ast.expr) -> Iterator[Tree]:
        """Yield an import, or a change of `sys.path`, that a call makes."""
        if not isinstance(node, ast.Call):
            return
        function = dotted_name(node.func)
        first = node.args[0] if node.args else None
        if function in IMPORTERS:
            name = first.value if isinstance(first, ast.Constant) else None
            if isinstance(name, str) and len(node.args) == 1 and not name.startswith("."):
                yield ["import", node.lineno, name, ""]
        elif function in ("sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"):
            yield ["path", self._scope(node.args[-1]) if node.args else "any"]

    def _lazy_names(self, node: ast.expr) -> Iterator[Tree]:
        """Yield what a table says of the submodules that a module's `__getattr__` takes names from."""
        if self._lazy and isinstance(node, ast.Dict):
            pairs = [
                pair for key, value in zip(node.keys, node.values, strict=True) for pair in _pairs(key, value)
            ]
            if pairs:
                yield ["lazy", pairs]

    def _scope(self, node: ast.expr, depth: int = 4) -> str:
        """Tell whether folders that join `sys.path` lie inside the bundle, going by how they are written."""
        text = TASK_ROOT.sub("root", ast.unparse(node))
        strings = STRING.findall(text)
        if OUTSIDE_NAMES.search(text) or any(OUTSIDE.match(string) for string in strings):
            return "any"
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        for name in names - KNOWN_NAMES:
            value = self._values.get(name)
            if value is None or not depth or self._scope(value, depth - 1) == "any":
                return "any"
        return "inside"


KNOWN_NAMES = frozenset(
    {"os", "sys", "path", "pathlib", "Path", "PurePath", "__file__", "str", "dirname", "abspath", "join"}
    | {"realpath", "osp", "op", "inspect", "normpath", "getcwd", "root", "__name__"}
)
"""What the way to a folder beside a module is written with."""


def _is_path(node: ast.expr) -> bool:
    """Tell `sys.path` and a slice of it."""
    return dotted_name(node.value if isinstance(node, ast.Subscript) else node) == "sys.path"


def _bound(targets: Iterable[ast.expr]) -> Iterator[Tree]:
    """Yield what assigning to targets binds."""
    names: list[str] = []
    for target in targets:
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
            inner = ast.walk(target)
            names += [n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        elif isinstance(target, ast.Attribute):
            # it may be of a module
            names.append(f".{target.attr}")
    if names:
        yield ["bind", *names]


def _pairs(key: ast.expr | None, value: ast.expr) -> Iterator[list[str]]:
    """Yield names with their modules of `"name": "module"` or `"name": (…, "module")`."""
    last = value.elts[-1] if isinstance(value, ast.Tuple | ast.List) and value.elts else value
    if isinstance(key, ast.Constant) and isinstance(last, ast.Constant):
        name, module = key.value, last.value
        if isinstance(name, str) and isinstance(module, str) and module.strip("."):
            yield [name, module]


def _bound_name(name: str | None) -> Tree:
    return [["bind", name]] if name else []


def _strings(node: ast.expr) -> list[str]:
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return [f"*{e.value}" for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]


def _caught(node: ast.expr | None) -> str:
    """Return the letters of what a handler's expression catches."""
    if node is None:
        return ALL
    if isinstance(node, ast.Tuple):
        return "".join(sorted({_caught(element) for element in node.elts}))
    return _catches(ast.unparse(node))


def _catches(name: str) -> str:
    known = getattr(builtins, name, None)
    if not isinstance(known, type) or not issubclass(known, BaseException):
        return UNKNOWN
    if issubclass(Exception, known):
        return ALL
    if issubclass(ModuleNotFoundError, known):
        return IMPORT if issubclass(ImportError, known) else MODULE
    return SYNTAX if known is SyntaxError else OTHER


_READERS: Mapping[type[ast.stmt], Any] = {
    ast.Import: _Reader.import_,
    ast.ImportFrom: _Reader.from_,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.ClassDef: _Reader.class_,
    ast.Assign: _Reader.assign,
    ast.AnnAssign: _Reader.annotated,
    ast.AugAssign: _Reader.augmented,
    ast.Expr: _Reader.expression,
    ast.If: _Reader.if_,
    ast.For: _Reader.loop,
    ast.AsyncFor: _Reader.loop,
    ast.While: _Reader.loop,
    ast.Match: _Reader.match,
    ast.Try: _Reader.try_,
    ast.With: _Reader.with_,
    ast.AsyncWith: _Reader.with_,
    ast.Raise: _Reader.raise_,
}
if sys.version_info >= (3, 11):
    _READERS = {**_READERS, ast.TryStar: _Reader.try_}
if sys.version_info >= (3, 12):
    _READERS = {**_READERS, ast.TypeAlias: _Reader.type_alias}
