"""All modules that a source may load, as it writes them: whoever knows which modules there are reads it."""

from __future__ import annotations

import ast
import re

from functools import cached_property
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple
from typing import TypeAlias

from poetry_lambda_plugin.layout.python_source import dotted_name
from poetry_lambda_plugin.layout.python_source import parsed
from poetry_lambda_plugin.layout.spelled import IMPORT_MODULE
from poetry_lambda_plugin.layout.spelled import LISTERS
from poetry_lambda_plugin.layout.spelled import NAME
from poetry_lambda_plugin.layout.spelled import UNKNOWN
from poetry_lambda_plugin.layout.spelled import Spelled


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator


Asked: TypeAlias = Literal["", "module", "whole"]
"""What the place of a text says of it: nothing, that it is a module's name, or a whole package's."""

BUILTIN_IMPORT = frozenset({"__import__", "builtins.__import__", "importlib.__import__"})

IMPORTERS = (
    IMPORT_MODULE
    | BUILTIN_IMPORT
    | {"runpy.run_module", "pkgutil.resolve_name", "pydoc.locate"}
    | {"django.utils.module_loading.import_string", "werkzeug.utils.import_string"}
)
"""Functions whose first argument is what is loaded."""

FILE_LOADERS = {
    "importlib.util.spec_from_file_location": 1,
    "importlib.machinery.SourceFileLoader": 1,
    "imp.load_source": 1,
    "runpy.run_path": 0,
}
"""Functions that run a file, and which argument names it."""

FOLDER_LISTERS = frozenset({*LISTERS, "glob", "rglob", "iterdir", "listdir", "scandir"})

LAZY_LOADERS = frozenset({"lazy_loader.attach", "lazy_loader.attach_stub"})
"""What loads a package's submodules when they are used."""

LOADING = re.compile(
    rb"import_module|__import__|run_module|resolve_name|locate|import_string|spec_from_file|SourceFileLoader"
    rb"|load_source|run_path|lazy_loader|iter_modules|walk_packages|glob|iterdir|listdir|scandir"
)
"""What a source has that calls any of these; most need no look at what their names are bound to."""

LAZY = re.compile(rb"^def __getattr__\b|\bsys\.modules\[__name__\][ \t]*=(?!=)", re.MULTILINE)
"""What makes a module's attributes when they are asked for (PEP 562)."""

WHOLE = re.compile(r"^INSTALLED_APPS$|discover|scan|packages|^apps$", re.IGNORECASE)
"""Names of functions, arguments and settings that take packages with all that they hold."""

MODULE = re.compile(
    r"modul|import|settings$|config_from|from_object|urlconf|^include|plugin|extension|[aw]sgi", re.IGNORECASE
)
"""Names of functions, arguments and settings that take a module by its name."""

NO_MODULES = frozenset({"getLogger", "get_logger", "getenv", "namedtuple"})
"""Functions whose texts name no module, though they look like it."""

REFERENCE = re.compile(
    r"\.{0,3}[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d][\w.]*)?|[\w./-]+\.py|[\w.-]*(?:/[\w.-]+)+/?"
)
"""A module, an object in it, or the path of a source or a folder."""

MAX_REFERENCE = 200

WORD = re.compile(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class Import(NamedTuple):
    """`import module`, or `from module import names`."""

    module: str
    """With leading dots where it is relative."""
    names: tuple[str, ...] = ()


class Loaded(NamedTuple):
    """What a call loads by a text; the texts are those of `spelled`."""

    line: int
    names: frozenset[str]
    packages: frozenset[str] = frozenset()
    """What names that begin with dots are relative to; none for the package of the module itself."""


class Text(NamedTuple):
    """A text that could be a reference to a module."""

    text: str
    asked: Asked


class Mentions(NamedTuple):
    """What one module says."""

    imports: tuple[Import, ...] = ()
    loaded: tuple[Loaded, ...] = ()
    unclear_files: tuple[int, ...] = ()
    """Lines that run a file which is not spelled out."""
    texts: tuple[Text, ...] = ()
    listed: frozenset[str] = frozenset()
    """Packages whose folders are looked through, as texts of `spelled`."""
    exported: tuple[str, ...] | None = ()
    """What `__all__` names; None where that is not spelled out."""
    is_lazy: bool = False
    """Whether it makes attributes when they are asked for, of which modules beside it may be some."""
    moves_path: bool = False
    """Whether it changes `sys.path`."""
    words: frozenset[str] | None = None
    """All that may be a name, and nothing else, of what can't be parsed; None for what can."""


@lru_cache(maxsize=4096)
def mentions_of(source: bytes) -> Mentions:
    """Read a source; what the running Python can't parse, or what is compiled, as a heap of words."""
    tree = parsed(source)
    if tree is not None:
        try:
            return _Reader(tree, source).mentions()
        except RecursionError:
            pass
    return Mentions(words=words_of(source))


def words_of(data: bytes) -> frozenset[str]:
    """Return all dotted names in any data."""
    return frozenset(word.decode() for word in WORD.findall(data))


class _Reader:
    """Goes through a module, all branches and functions of it but those for type checkers."""

    def __init__(self, tree: ast.Module, source: bytes) -> None:
        self._tree = tree
        self._source = source
        self._may_load = LOADING.search(source) is not None
        self._imports: list[Import] = []
        self._loaded: list[Loaded] = []
        self._unclear_files: list[int] = []
        self._texts: dict[Text, None] = {}
        self._listed: set[str] = set()
        self._exported: list[str] | None = []

    @cached_property
    def _spelled(self) -> Spelled:
        return Spelled(self._tree)

    def mentions(self) -> Mentions:
        self._visit(self._tree, "")
        return Mentions(
            imports=tuple(self._imports),
            loaded=tuple(self._loaded),
            unclear_files=tuple(self._unclear_files),
            texts=tuple(self._texts),
            listed=frozenset(self._listed),
            exported=None if self._exported is None else tuple(self._exported),
            is_lazy=LAZY.search(self._source) is not None,
            moves_path=b"sys.path" in self._source or b"addsitedir" in self._source,
        )

    def _visit(self, node: ast.AST, asked: Asked) -> None:
        reader = _READERS.get(type(node))
        if reader is not None:
            reader(self, node, asked)
        else:
            self._all(ast.iter_child_nodes(node), "")

    def _all(self, nodes: Iterable[ast.AST], asked: Asked) -> None:
        for node in nodes:
            self._visit(node, asked)

    def import_(self, node: ast.Import, _: Asked) -> None:
        self._imports += (Import(alias.name) for alias in node.names)

    def from_(self, node: ast.ImportFrom, _: Asked) -> None:
        names = tuple(alias.name for alias in node.names)
        self._imports.append(Import("." * node.level + (node.module or ""), names))

    def if_(self, node: ast.If, asked: Asked) -> None:
        when = _type_checking(node.test)
        self._visit(node.test, "")
        self._all([] if when is True else node.body, asked)
        self._all([] if when is False else node.orelse, asked)

    def statement(self, node: ast.Expr, asked: Asked) -> None:
        if not isinstance(node.value, ast.Constant):
            self._visit(node.value, asked)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, _: Asked) -> None:
        self._all([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)], "")
        self._all(node.body, "")

    def assign(self, node: ast.Assign, _: Asked) -> None:
        names = [name for target in node.targets for name in _names(target)]
        if "__all__" in names:
            self._export(node.value)
        else:
            self._all(node.targets, "")
            self._visit(node.value, _asked(names))

    def annotated(self, node: ast.AnnAssign, _: Asked) -> None:
        if node.value is not None:
            names = list(_names(node.target))
            if "__all__" in names:
                self._export(node.value)
            else:
                self._visit(node.value, _asked(names))

    def augmented(self, node: ast.AugAssign, _: Asked) -> None:
        names = list(_names(node.target))
        if "__all__" in names:
            self._export(node.value)
        else:
            self._visit(node.value, _asked(names))

    def compare(self, node: ast.Compare, _: Asked) -> None:
        compared = (node.left, *node.comparators)
        self._all((one for one in compared if not isinstance(one, ast.Constant)), "")

    def dictionary(self, node: ast.Dict, asked: Asked) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            named = _asked([key.value]) if isinstance(key, ast.Constant) else ""
            if key is not None:
                self._visit(key, "")
            self._visit(value, named or asked)

    def container(self, node: ast.List | ast.Tuple | ast.Set, asked: Asked) -> None:
        self._all(node.elts, asked)

    def inherits(self, node: ast.BinOp | ast.BoolOp | ast.IfExp | ast.Starred, asked: Asked) -> None:
        self._all(ast.iter_child_nodes(node), asked)

    def joined(self, node: ast.JoinedStr, _: Asked) -> None:
        self._all((part for part in node.values if not isinstance(part, ast.Constant)), "")

    def text(self, node: ast.Constant, asked: Asked) -> None:
        if isinstance(node.value, str) and len(node.value) <= MAX_REFERENCE:
            text = node.value.strip()
            if REFERENCE.fullmatch(text):
                self._texts[Text(text, asked)] = None

    def call(self, node: ast.Call, _: Asked) -> None:
        function = _last(node.func)
        self._visit(node.func, "")
        if self._may_load:
            self._load(node, self._spelled.name(node.func))
        if function in NO_MODULES:
            return
        first = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        asked = _asked([function, *(value for value in first[:1] if len(node.args) > 1)])
        self._all(node.args, asked)
        for keyword in node.keywords:
            self._visit(keyword.value, _asked([keyword.arg]) or asked)
        is_on_all = isinstance(node.func, ast.Attribute) and dotted_name(node.func.value) == "__all__"
        if is_on_all and node.args:
            self._export(node.args[0])

    def _load(self, node: ast.Call, function: str) -> None:
        """Take note of what a call loads."""
        if function in IMPORTERS:
            self._import_by_text(node, function)
        elif function in FILE_LOADERS:
            path = _argument(node, FILE_LOADERS[function], ("location", "path", "pathname", "path_name"))
            if path is not None and not self._names_source(path):
                self._unclear_files.append(node.lineno)
        elif function in LAZY_LOADERS:
            self._listed.add(NAME)
        elif function.rpartition(".")[2] in FOLDER_LISTERS:
            self._list(node)

    def _import_by_text(self, node: ast.Call, function: str) -> None:
        name = _argument(node, 0, ("name", "mod_name", "import_name", "dotted_path", "path"))
        if name is None:
            return
        names = self._spelled.values(name)
        if function in BUILTIN_IMPORT:
            names = self._with_names_from(node, names)
        package = _argument(node, 1, ("package",)) if function in IMPORT_MODULE else None
        packages = self._spelled.values(package) if package is not None else frozenset()
        self._loaded.append(Loaded(node.lineno, names, packages))

    def _with_names_from(self, node: ast.Call, names: frozenset[str]) -> frozenset[str]:
        """Add the dots of `__import__`'s `level`, and the submodules that its `fromlist` may name."""
        inner, level = _argument(node, 3, ("fromlist",)), _argument(node, 4, ("level",))
        dots = "." * level.value if isinstance(level, ast.Constant) and type(level.value) is int else ""
        names = frozenset(dots + name for name in names)
        parts = inner.elts if isinstance(inner, ast.List | ast.Tuple) else ()
        below = {text for part in parts for text in self._spelled.values(part)}
        return names | {f"{name}.{text}" for name in names for text in below if text.isidentifier()}

    def _list(self, node: ast.Call) -> None:
        """Take note of a package whose folder is looked through for modules."""
        if _last(node.func) in LISTERS:
            self._listed |= self._spelled.folders(node) - {UNKNOWN}
        elif b"__file__" in self._source and self._loads_sources():
            self._listed.add(NAME)

    def _loads_sources(self) -> bool:
        """Tell whether it may be modules that a folder is looked through for."""
        if re.search(rb"\.py['\"]", self._source):
            return True
        calls = (node for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        return any(self._spelled.name(call.func) in IMPORTERS for call in calls)

    def _names_source(self, path: ast.expr, depth: int = 3) -> bool:
        """Tell whether the path of a source is spelled out, at least from somewhere on."""
        for part in ast.walk(path):
            if isinstance(part, ast.Constant) and str(part.value).endswith(".py"):
                return True
            if isinstance(part, ast.Name) and depth:
                bound = self._spelled.expressions(part)
                if any(self._names_source(expression, depth - 1) for expression in bound):
                    return True
        return False

    def _export(self, node: ast.expr) -> None:
        """Take note of what joins `__all__`."""
        parts = list(_parts(node))
        names = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
        others = (part for part in parts if not isinstance(part, ast.Constant))
        names += (text for part in others for text in self._spelled.values(part))
        if self._exported is None or any(UNKNOWN in name for name in names) or not _is_written(node):
            self._exported = None
        else:
            self._exported += names


_READERS: dict[type[ast.AST], Callable[..., None]] = {
    ast.Import: _Reader.import_,
    ast.ImportFrom: _Reader.from_,
    ast.If: _Reader.if_,
    ast.Expr: _Reader.statement,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.Assign: _Reader.assign,
    ast.AnnAssign: _Reader.annotated,
    ast.AugAssign: _Reader.augmented,
    ast.Compare: _Reader.compare,
    ast.Dict: _Reader.dictionary,
    ast.List: _Reader.container,
    ast.Tuple: _Reader.container,
    ast.Set: _Reader.container,
    ast.BinOp: _Reader.inherits,
    ast.BoolOp: _Reader.inherits,
    ast.IfExp: _Reader.inherits,
    ast.Starred: _Reader.inherits,
    ast.Constant: _Reader.text,
    ast.JoinedStr: _Reader.joined,
    ast.Call: _Reader.call,
}


def _type_checking(test: ast.expr) -> bool | None:
    """Tell whether a branch is for type checkers; False where the other one is, None for neither."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _type_checking(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return True if any(_type_checking(value) is True for value in test.values) else None
    return True if _last(test) == "TYPE_CHECKING" else None


def _asked(names: Iterable[object]) -> Asked:
    """Return what names say of the texts that are given to them."""
    words = [name for name in names if isinstance(name, str)]
    if any(WHOLE.search(word) for word in words):
        return "whole"
    return "module" if any(MODULE.search(word) for word in words) else ""


def _names(target: ast.expr) -> Iterator[str]:
    """Yield what a target of an assignment is called, a key in a mapping too."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield target.attr
    elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        yield str(target.slice.value)


def _argument(node: ast.Call, place: int, names: tuple[str | None, ...]) -> ast.expr | None:
    if len(node.args) > place:
        return node.args[place]
    return next((keyword.value for keyword in node.keywords if keyword.arg in names), None)


def _last(node: ast.expr) -> str:
    return dotted_name(node).rpartition(".")[2]


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the elements of lists that are written out, added to each other too."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        yield from node.elts
    elif isinstance(node, ast.BinOp):
        yield from _parts(node.left)
        yield from _parts(node.right)


def _is_written(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_written(node.left) and _is_written(node.right)
    return isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Constant)
