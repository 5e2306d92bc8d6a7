"""Whether a function's modules can be imported on Lambda, from the handler on or all of the project's own."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.audit.import_run import ImportRun
from poetry_lambda_plugin.audit.module_finder import ModuleFinder
from poetry_lambda_plugin.audit.trees import Trees
from poetry_lambda_plugin.layout.modules import handler_module
from poetry_lambda_plugin.layout.modules import module_path
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE
from poetry_lambda_plugin.sources.code_folders import NOT_CODE
from poetry_lambda_plugin.sources.code_folders import TESTS
from poetry_lambda_plugin.sources.code_folders import TOOLS
from poetry_lambda_plugin.sources.own_code import INFRASTRUCTURE


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.audit.import_run import ImportFailure
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes


MOST_FAILURES = 20
"""Imports that fail one after the other and are told at once."""

TEMPLATE_MARKS = (b"{{", b"{%", b"<%", b"$" + b"{")
"""What a source holds that something else has yet to fill in."""

NOT_ROOTS = frozenset({"__main__.py", "manage.py", "conftest.py", *TOOLS})
"""Modules that are started by a person or a tool, never imported by a function."""


class Failure(NamedTuple):
    """An import that fails on Lambda, and who would make it."""

    failure: ImportFailure
    is_certain: bool
    """Whether the function can't start for it, since its handler needs it."""


@dataclass(frozen=True, kw_only=True)
class ImportAudit:
    """One function's imports."""

    plan: BundlePlan
    project: str
    """Normalised name."""
    target: Target
    handler: str | None
    """None for any of the project's own modules."""
    layers: Collection[str]
    """Files of the function's layers."""
    notes: WheelNotes
    is_whole: bool = True
    """Whether all that it imports should be in the bundle, its layers or the runtime."""
    extra: Collection[str] = field(default=())
    """More top-level modules that are believed to be there."""

    def failures(self) -> Iterator[Failure]:
        """Yield the imports that fail, each once."""
        if self.handler is not None:
            module = handler_module(self.handler).replace("/", ".")
            yield from (Failure(failure, True) for failure in self._failures_from(module))
        else:
            yield from (Failure(failure, False) for failure in self._failures_of_own())
        self.notes.keep()

    def needed(self, files: Collection[str]) -> frozenset[str]:
        """Return which compiled modules among some files the handler's import fails without."""
        needed: set[str] = set()
        believed: set[str] = set()
        while self.handler is not None and len(believed) < MOST_FAILURES:
            run = self._run(believed, frozenset(files) - needed)
            failure = run.failure_of(handler_module(self.handler).replace("/", "."))
            if failure is None or failure.about in believed or failure.problem in ("raised", "relative"):
                break
            if failure.problem == "unloadable":
                needed.add(failure.detail)
            else:
                believed.add(failure.about)
        return frozenset(needed)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """The bundle's files by path, without a layer's folder."""
        start = len(self.plan.prefix)
        return {entry.path[start:]: entry for entry in self.plan.entries}

    @cached_property
    def finder(self) -> ModuleFinder:
        """What finds modules in this bundle."""
        return ModuleFinder(self.entries, self.layers, self.target.runtime.python, self._path_folders())

    @cached_property
    def trees(self) -> Trees:
        """What reads its modules."""
        return Trees(self.entries, self.is_own, self.target, self.notes)

    def importers(self) -> Mapping[str, set[str]]:
        """Return the distributions that import each top-level module, as far as they were followed."""
        found: dict[str, set[str]] = {}
        for path in self.reached:
            for name in self._first_names(path) if path.endswith(".py") else ():
                found.setdefault(name, set()).add(self.entries[path].owner)
        return found

    def is_own(self, path: str) -> bool:
        """Tell the project's own files."""
        entry = self.entries.get(path)
        return entry is not None and entry.owner == self.project

    def hider(self, failure: ImportFailure) -> str | None:
        """Return the file that others than its owner meet with when they import a module of Python's own."""
        top = failure.about.partition(".")[0]
        if not self.finder.is_standard(top, self.target.runtime.python):
            return None
        path = next((p for p in (f"{top}/__init__.py", f"{top}.py") if p in self.entries), None)
        importer = self.entries.get(failure.place.path)
        is_meant = path is None or (importer is not None and importer.owner == self.entries[path].owner)
        return None if is_meant else path

    def _believed_with(self, failure: ImportFailure) -> Iterator[str]:
        """Yield the file of which all names are missing for one reason."""
        hider = self.hider(failure)
        if hider is not None:
            yield hider

    def _run(self, believed: Collection[str] = (), unloadable: frozenset[str] = frozenset()) -> ImportRun:
        return ImportRun(
            self.finder,
            self.trees,
            self.is_own,
            {*believed, *self.extra},
            unloadable,
            is_whole=self.is_whole,
        )

    def _failures_from(self, module: str) -> Iterator[ImportFailure]:
        """Yield what fails one after the other, each time as if what failed before were there."""
        believed: set[str] = set()
        while len(believed) < MOST_FAILURES:
            run = self._run(believed)
            failure = run.failure_of(module)
            self.reached.update(run.loaded)
            if failure is None:
                return
            yield failure
            if failure.about in believed or failure.problem in ("raised", "relative"):
                return
            believed.add(failure.about)
            believed.update(self._believed_with(failure))

    @cached_property
    def reached(self) -> set[str]:
        """The files that the function's start imports, as far as it has been followed."""
        return set()

    def _failures_of_own(self) -> Iterator[ImportFailure]:
        """Yield what fails of the project's own modules, each as the first to be imported."""
        told: set[tuple[str, str]] = set()
        for module in self._roots():
            for failure in self._failures_from_shared(module):
                key = (failure.problem, failure.about)
                if key not in told:
                    told.add(key)
                    yield failure

    def _failures_from_shared(self, module: str) -> Iterator[ImportFailure]:
        run = self._shared
        for _ in range(MOST_FAILURES):
            failure = run.failure_of(module)
            self.reached.update(run.loaded)
            if failure is None or failure.problem in ("raised", "relative"):
                return
            if self._is_told(failure):
                yield failure
            if failure.about in run.believed:
                return
            for about in (failure.about, *self._believed_with(failure)):
                run.believe(about)

    @cached_property
    def _shared(self) -> ImportRun:
        return self._run()

    def _is_told(self, failure: ImportFailure) -> bool:
        """Tell whether a failure means something although nobody knows what is imported first, or ever."""
        if failure.problem == "circular":
            return self._fails_everywhere(failure)
        path = failure.place.path
        if failure.problem == "syntax" and self.is_own(path):
            return not looks_like_template(self.entries[path].read())
        return True

    def _fails_everywhere(self, failure: ImportFailure) -> bool:
        """Tell whether a circle fails whichever of its modules is imported first."""
        starts = {failure.about.rpartition(".")[0], *(_dotted(place.path) for place in failure.chain)}
        return all(self._run().failure_of(start) is not None for start in starts if start)

    def _roots(self) -> Iterator[str]:
        for path, entry in self.entries.items():
            is_root = entry.owner == self.project and is_importable(path) and not is_aside(path)
            if is_root and INFRASTRUCTURE.isdisjoint(self._first_names(path)):
                yield _dotted(path)

    def _first_names(self, path: str) -> Iterator[str]:
        """Yield the top-level modules that a module imports in its first level."""
        try:
            tree = self.trees.tree(path)
        except SyntaxError:
            return
        for statement in tree[0] if tree is not None else ():
            if statement[0] == "import":
                yield statement[2].partition(".")[0]
            elif statement[0] == "from":
                yield statement[3].partition(".")[0]

    def _path_folders(self) -> Iterator[str]:
        """Yield the bundle's folders that its `.pth` files add to the path (AWS's bootstrap reads them)."""
        for path, entry in self.entries.items():
            if "/" not in path and path.endswith(".pth") and entry.content.size <= MAX_SOURCE:
                for line in entry.read().decode("utf-8", "replace").splitlines():
                    if line.strip() and not line.startswith(("#", "import ", "import\t", "/")):
                        yield line.strip().removeprefix("./").rstrip("/")


def is_importable(path: str) -> bool:
    """Tell whether a file is a module that a statement could name."""
    return (
        path != "__init__.py"
        and path.endswith(".py")
        and all(part.isidentifier() for part in path.removesuffix(".py").split("/"))
    )


def is_aside(path: str) -> bool:
    """Tell modules that no function imports: of tests, tools, documentation, and templates of modules."""
    *folders, name = path.split("/")
    if name in NOT_ROOTS or any(fnmatchcase(part, test) for part in (*folders, name) for test in TESTS):
        return True
    return any(folder in NOT_CODE or folder.startswith("template") for folder in folders)


def looks_like_template(source: bytes) -> bool:
    """Tell whether a source that can't be parsed may be meant for something else to fill in."""
    return any(mark in source for mark in TEMPLATE_MARKS)


def _dotted(path: str) -> str:
    return module_path(path).replace("/", ".") if path != "__init__.py" else ""
