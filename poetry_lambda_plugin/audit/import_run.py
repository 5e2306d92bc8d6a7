"""Imports as Python would make them, from one module on, over trees of what each module does.

Nothing is executed. What can't be known is believed: an import fails here only where it would on Lambda.
"""

from __future__ import annotations

import contextlib

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import NamedTuple

from poetry_lambda_plugin.audit.import_tree import ALL
from poetry_lambda_plugin.audit.import_tree import IMPORT
from poetry_lambda_plugin.audit.import_tree import MODULE
from poetry_lambda_plugin.audit.import_tree import OTHER
from poetry_lambda_plugin.audit.import_tree import SYNTAX
from poetry_lambda_plugin.audit.import_tree import UNKNOWN


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Generator
    from collections.abc import Iterator

    from poetry_lambda_plugin.audit.import_tree import Tree
    from poetry_lambda_plugin.audit.module_finder import Found
    from poetry_lambda_plugin.audit.module_finder import ModuleFinder
    from poetry_lambda_plugin.audit.trees import Trees

    Step = Generator[Any, Any, Any]
    """Yields other steps to be made first, and is sent what they return."""


Problem = Literal["missing", "name", "circular", "relative", "syntax", "raised", "unloadable"]
Kind = Literal[Problem, "unsure"]
"""What handlers see; `unsure` is the raising of what may be an ImportError."""

CATCHES = {
    "missing": (ALL + IMPORT + MODULE, UNKNOWN),
    "name": (ALL + IMPORT, UNKNOWN),
    "circular": (ALL + IMPORT, UNKNOWN),
    "relative": (ALL + IMPORT, UNKNOWN),
    "unloadable": (ALL + IMPORT, UNKNOWN),
    "syntax": (ALL + SYNTAX, UNKNOWN),
    "raised": (ALL, UNKNOWN + OTHER),
    "unsure": (ALL, UNKNOWN + OTHER + IMPORT + MODULE),
}
"""The handlers that catch a problem for certain, and those that may."""

MOST_ATTEMPTS = 2
"""Times that a module is tried which fails in a circle; then it is believed."""

MOST_STEPS = 3_000_000
"""Statements that are looked at; no function imports so much."""


class Place(NamedTuple):
    """A line of a module."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class ImportFailure(Exception):  # noqa: N818 - Python's own word for what it stands for is ImportError
    """An import that would fail on Lambda."""

    def __init__(
        self, problem: Problem, about: str, place: Place, chain: tuple[Place, ...], detail: str = ""
    ) -> None:
        super().__init__(problem, about)
        self.problem: Problem = problem
        self.about = about
        """The missing module, `module.name` of a missing name, a file, or a class."""
        self.place = place
        """Where the import stands that can't be made, or the syntax error."""
        self.chain = chain
        """The imports that led there, the first one first; the last is that at the place."""
        self.detail = detail
        """What Python says of a syntax error, or the file that can't be loaded."""
        self.kind: Kind = problem
        """Another one than the problem where something was raised for it."""


@dataclass(eq=False)
class _Module:
    name: str
    found: Found
    names: set[str] = field(default_factory=set)
    exported: set[str] = field(default_factory=set)
    """What it says in `__all__`."""
    is_loading: bool = True
    is_believed: bool = False
    """Whether any name may be in it."""
    believes_submodules: bool = False
    lazy: dict[str, str] = field(default_factory=dict)
    """The modules that its `__getattr__` takes names from."""
    failure: ImportFailure | None = None
    attempts: int = 0


class ImportRun:
    """A Python that imports modules of a bundle; what it has loaded stays, as in `sys.modules`."""

    def __init__(
        self,
        finder: ModuleFinder,
        trees: Trees,
        is_own: Callable[[str], bool],
        believed: Collection[str] = (),
        unloadable: Collection[str] = (),
        *,
        is_whole: bool = True,
    ) -> None:
        """Take what finds modules, what reads their trees, and what tells the project's own files.

        `believed` are modules, names in
        them and files that may be taken for good; all other modules of their kind are, where the bundle is
        not the whole function. Of what is there, the compiled files in
        `unloadable` can't be loaded.
        """
        self._finder = finder
        self._trees = trees
        self._is_own = is_own
        self.believed = set(believed)
        self._unloadable = unloadable
        self._is_whole = is_whole
        self._modules: dict[str, _Module] = {}
        self._failed: dict[str, _Module] = {}
        self._chain: list[Place] = []
        self._registered: set[str] = set()
        self._attributes: set[str] = set()
        self._believes_path: str | None = None
        self._steps = 0

    def failure_of(self, module: str) -> ImportFailure | None:
        """Import a module by its dotted name; return why that fails, None where nothing is known to fail."""
        try:
            self._drive(self._import(module, Place("", 0)))
        except ImportFailure as failure:
            return failure
        return None

    def believe(self, about: str) -> None:
        """Take for good, from now on, what a failure was about."""
        self.believed.add(about)
        self._failed.clear()

    @property
    def loaded(self) -> frozenset[str]:
        """The files of the bundle that have been imported."""
        return frozenset(module.found.path for module in self._modules.values() if module.found.path)

    def _drive(self, step: Step) -> Any:
        """Make steps one inside the other without going deeper here than one."""
        stack, value = [step], None
        failure: ImportFailure | None = None
        while stack:
            try:
                request = stack[-1].send(value) if failure is None else stack[-1].throw(failure)
                stack.append(request)
                value, failure = None, None
            except StopIteration as stop:  # noqa: PERF203 - which is how a step ends
                stack.pop()
                value, failure = stop.value, None
            except ImportFailure as raised:
                stack.pop()
                value, failure = None, raised.with_traceback(None)
        if failure is not None:
            raise failure
        return value

    def _import(self, name: str, place: Place) -> Step:
        """Import a module and the packages above it; return it, or None where it is outside or believed."""
        parent: _Module | None = None
        full = ""
        for part in name.split("."):
            full = f"{full}.{part}" if full else part
            module = self._modules.get(full)
            if module is None:
                module = yield self._load(full, parent, place)
            if module is None or module.found.kind == "outside":
                return None
            parent = module
        return parent

    def _load(self, name: str, parent: _Module | None, place: Place) -> Step:
        if parent is None:
            found = self._finder.find(name)
        else:
            found = self._finder.find(name, parent.found.folders) if parent.found.folders else None
        if found is None:
            if self._is_believed(name, parent):
                return None
            raise self._failure("missing", name, place)
        if found.path in self._unloadable:
            raise self._failure("unloadable", name, place, found.path)
        module = self._failed.get(name) or _Module(name, found)
        if module.failure is not None:
            raise module.failure
        self._modules[name] = module
        if found.kind == "source":
            self._chain.append(place)
            try:
                yield self._execute(module)
            finally:
                self._chain.pop()
        module.is_loading = False
        if parent is not None:
            parent.names.add(name.rpartition(".")[2])
        return module

    def _execute(self, module: _Module) -> Step:
        try:
            yield self._run_module(module)
        except ImportFailure as failure:
            del self._modules[module.name]
            module.names.clear()
            module.attempts += 1
            self._failed[module.name] = module
            # what fails in a circle may not fail another time
            if failure.problem != "circular":
                module.failure = failure
            raise

    def _run_module(self, module: _Module) -> Step:
        path = module.found.path
        try:
            tree = None if path in self.believed else self._trees.tree(path)
        except SyntaxError as error:
            raise self._failure("syntax", path, Place(path, error.lineno or 0), error.msg) from None
        if tree is None or module.attempts > MOST_ATTEMPTS:
            module.is_believed = module.believes_submodules = True
            return
        statements, names, flags, registered = tree
        module.names.update(names)
        module.is_believed = "names" in flags or module.found.has_extensions
        module.believes_submodules = "modules" in flags or module.found.has_extensions
        self._registered.update(registered)
        yield self._block(statements, module)

    def _block(self, statements: Tree, module: _Module, caught: ImportFailure | None = None) -> Step:
        """Run statements; `caught` is what the handler that they are in has caught."""
        for statement in statements:
            self._steps += 1
            if self._steps > MOST_STEPS:
                return
            kind = statement[0]
            if kind == "bind":
                self._bind(statement[1:], module)
            elif kind == "raise":
                raise self._raised(statement, module, caught)
            elif kind == "lazy":
                module.lazy.update(statement[1])
            elif kind == "path":
                self._change_path(statement[1], module)
            else:
                yield getattr(self, _STEPS[kind])(statement, module, caught)

    def _import_statement(self, statement: Tree, module: _Module, _: ImportFailure | None) -> Step:
        _, line, name, bound = statement
        yield self._import(name, Place(module.found.path, line))
        if bound:
            self._bound(bound, module)

    def _from_statement(self, statement: Tree, module: _Module, _: ImportFailure | None) -> Step:
        _, line, level, name, names = statement
        place = Place(module.found.path, line)
        name = self._absolute(name, level, module, place)
        source = yield self._import(name, place)
        for wanted, bound in names:
            if wanted == "*":
                self._bind_all(source, module)
            else:
                is_given = wanted[:2] == wanted[-2:] == "__"
                if source is not None and wanted not in source.names and not is_given:
                    yield self._missing_name(source, wanted, module, place)
                if bound:
                    self._bound(bound, module)

    def _absolute(self, name: str, level: int, module: _Module, place: Place) -> str:
        """Return the full name of what is imported with leading dots."""
        if not level:
            return name
        package = module.name.split(".")
        package = package[: len(package) - level + (1 if module.found.folders else 0)]
        if not package:
            raise self._failure("relative", "." * level + name, place)
        return ".".join([*package, *([name] if name else [])])

    def _missing_name(self, source: _Module, wanted: str, module: _Module, place: Place) -> Step:
        """Look for a name that no statement has bound among the submodules; else it is missing."""
        full = f"{source.name}.{wanted}"
        if full in self._modules or full in self._registered or full in self.believed:
            return
        if source.found.folders:
            if self._finder.find(full, source.found.folders) is not None:
                yield self._load(full, source, place)
                return
            if source.found.kind == "namespace" and not source.found.has_extensions:
                raise self._failure("missing", full, place)
        if "__getattr__" in source.names and wanted in source.lazy:
            yield self._lazily(source, source.lazy[wanted], place)
        if source.is_believed or source.believes_submodules or source.found.kind != "source":
            return
        if wanted in self._attributes or "__getattr__" in source.names:
            return
        if source.is_loading:
            # among dependencies this is seldom the whole truth, for they have been tried
            if self._is_own(module.found.path) and self._is_own(source.found.path):
                raise self._failure("circular" if self._binds(source, wanted) else "name", full, place)
            return
        # a dependency has been tried: it may bind in a way that is not seen here
        if self._is_own(source.found.path) or not self._trees.mentions(source.found.path, wanted):
            raise self._failure("name", full, place)

    def _lazily(self, source: _Module, name: str, place: Place) -> Step:
        """Import the module that a package's `__getattr__` would; it is believed where it can't be found."""
        inner = f"{source.name}.{name.lstrip('.')}"
        module = inner if name[0] == "." or name.partition(".")[0] != source.name.partition(".")[0] else name
        try:
            yield self._import(module, place)
        except ImportFailure as failure:
            if f"{module}.".startswith(f"{failure.about}."):
                return
            raise

    def _binds(self, source: _Module, wanted: str) -> bool:
        """Tell whether a module that is being imported will bind a name later."""
        tree = self._trees.tree(source.found.path)
        return tree is not None and wanted in set(_names(tree[0]))

    def _try_statement(self, statement: Tree, module: _Module, caught: ImportFailure | None) -> Step:
        _, body, handlers, orelse, final = statement
        try:
            yield self._block(body, module, caught)
        except ImportFailure as failure:
            handled = False
            for letters, inner in handlers:
                sure, perhaps = CATCHES[failure.kind]
                if set(letters) & set(sure):
                    handled = True
                    yield self._finally(self._block(inner, module, failure), final, module)
                    break
                if set(letters) & set(perhaps):
                    handled = True
                    yield self._maybe_statement(["maybe", inner], module, failure)
                    break
            if not handled:
                yield self._block(final, module)
                raise
        else:
            self._bind([name for _, inner in handlers for name in _names(inner)], module)
            yield self._finally(self._block(orelse, module, caught), final, module)
            return
        self._bind(list(_names(body)), module)
        yield self._block(final, module)

    def _finally(self, step: Step, final: Tree, module: _Module) -> Step:
        try:
            yield step
        except ImportFailure:
            yield self._block(final, module)
            raise

    def _suppress_statement(self, statement: Tree, module: _Module, caught: ImportFailure | None) -> Step:
        _, letters, body = statement
        try:
            yield self._block(body, module, caught)
        except ImportFailure as failure:
            sure, perhaps = CATCHES[failure.kind]
            if not set(letters) & set(sure + perhaps):
                raise
            self._bind(list(_names(body)), module)

    def _maybe_statement(self, statement: Tree, module: _Module, caught: ImportFailure | None) -> Step:
        """Run bodies that may not run: what fails in them is never told, what they bind may be there."""
        for body in statement[1:]:
            self._bind(list(_names(body)), module)
            with contextlib.suppress(ImportFailure):
                yield self._block(body, module, caught)

    def _raised(self, statement: Tree, module: _Module, caught: ImportFailure | None) -> ImportFailure:
        _, line, kind, name = statement
        if kind == "again" and caught is not None:
            return caught
        place = Place(module.found.path, line)
        if caught is None:
            failure = self._failure("raised", name, place)
        else:
            failure = ImportFailure(caught.problem, caught.about, caught.place, caught.chain, caught.detail)
        failure.kind = kind
        return failure

    def _failure(self, problem: Problem, about: str, place: Place, detail: str = "") -> ImportFailure:
        chain = [step for step in (*self._chain, place) if step.path]
        return ImportFailure(problem, about, place, tuple(dict.fromkeys(chain)), detail)

    def _bind(self, names: list[str], module: _Module) -> None:
        for name in names:
            self._bound(name, module)

    def _bound(self, name: str, module: _Module) -> None:
        if name[0] == ".":
            self._attributes.add(name[1:])
        elif name[0] == "*":
            module.exported.add(name[1:])
        else:
            module.names.add(name)

    def _bind_all(self, source: _Module | None, module: _Module) -> None:
        if source is None or source.is_believed or source.found.kind != "source":
            module.is_believed = True
        else:
            module.names |= (source.names | source.exported) - {"__getattr__"}
            module.is_believed |= "__getattr__" in source.names

    def _change_path(self, scope: str, module: _Module) -> None:
        if not self._is_own(module.found.path):
            # a dependency's folders are for what it brings itself
            scope = "inside"
        if self._believes_path != "any":
            self._believes_path = scope

    def _is_believed(self, name: str, parent: _Module | None) -> bool:
        """Tell whether a module may be there all the same, though no finder sees it."""
        if (
            name in self._registered
            or name in self.believed
            or (parent is not None and parent.believes_submodules)
        ):
            return True
        if parent is not None:
            return parent.found.kind == "opaque"
        if self._believes_path == "inside" and self._finder.is_anywhere(name):
            return True
        return self._believes_path == "any" or not self._is_whole


_STEPS = {
    "import": "_import_statement",
    "from": "_from_statement",
    "try": "_try_statement",
    "suppress": "_suppress_statement",
    "maybe": "_maybe_statement",
}


def _names(statements: Tree) -> Iterator[str]:
    """Yield every name that statements may bind."""
    for statement in statements:
        kind = statement[0]
        if kind == "bind":
            yield from statement[1:]
        elif kind == "import" and statement[3]:
            yield statement[3]
        elif kind == "from":
            yield from (bound for _, bound in statement[4] if bound and bound != "*")
        elif kind in ("try", "suppress", "maybe"):
            for inner in _bodies(statement):
                yield from _names(inner)


def _bodies(statement: Tree) -> Iterator[Tree]:
    """Yield the bodies of a compound statement."""
    if statement[0] == "try":
        _, body, handlers, orelse, final = statement
        yield from (body, *(inner for _, inner in handlers), orelse, final)
    elif statement[0] == "suppress":
        yield statement[2]
    else:
        yield from statement[1:]
