"""Which of the project's own code goes into the bundle, for the layouts that projects really have.

`poetry build` knows one package; a Lambda often has none, or a handler beside it. What is found here is what
Python would import from the folder that Lambda sees as its root.
"""

from __future__ import annotations

import os
import re
import sys

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.audit.bindings import module_bindings
from poetry_lambda_plugin.audit.sources import imports_of
from poetry_lambda_plugin.layout.modules import UnknownModuleError
from poetry_lambda_plugin.layout.modules import chosen_paths
from poetry_lambda_plugin.layout.modules import is_module
from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.modules import module_names
from poetry_lambda_plugin.sources.files import files_below
from poetry_lambda_plugin.sources.files import project_file


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.sources.files import ExcludedPaths
    from poetry_lambda_plugin.sources.files import ProjectFile


TESTS = ("tests", "test", "test_*.py", "*_test.py", "conftest.py")
"""Names at the root that are not bundled by default."""

TOOLS = frozenset(
    f"{name}.py"
    for name in (
        *("setup", "ez_setup", "versioneer", "hatch_build", "build", "noxfile", "toxfile", "dodo"),
        *("tasks", "fabfile", "pavement", "duties", "locustfile"),
    )
)
"""Modules at the root that tools run on a developer's machine; bundled only where imported."""

ARTIFACTS = frozenset({"node_modules", "dist", "build", "cdk.out", "site-packages", "__pycache__"})
"""Folders of what is installed or made, whatever they hold."""

NOT_CODE = frozenset(
    {
        "doc",
        "docs",
        "example",
        "examples",
        "script",
        "scripts",
        "tool",
        "tools",
        "bin",
        "notebooks",
        "benchmarks",
    }
    | {"infra", "infrastructure", "terraform", "cdk", "deploy", "deployment", "ci", "migrations", "alembic"}
)
"""Folders that are seldom part of a function; taken only where they are packages or are imported."""

HANDLER_MODULES = ("lambda_function.py", "handler.py", "app.py", "main.py")
"""What AWS's own templates call the module that Lambda calls."""

HANDLER_NAMES = ("lambda_handler", "handler")

INFRASTRUCTURE = frozenset({"aws_cdk", "constructs", "pulumi", "troposphere"})
"""What modules import that deploy functions instead of being one."""

SOURCES = "src"

COPIED_TO_ROOT = (
    r"(?im)^\s*(?:COPY|ADD)\s+(?:--\S+\s+)*(?:\./)?(?P<folder>[\w.-]+)(?:/|/\.|/\*)?\s+"
    r"(?:\$\{?LAMBDA_TASK_ROOT\}?/?|\./?|/var/task/?)\s*$"
)
"""A line of a Dockerfile that copies what is in a folder to the place of functions."""

MAX_DEPTH = 4
"""Folders below each other that are searched for a module."""

MAX_NAMED = 5
"""Names in a note before it says how many more there are."""


class Wishes(NamedTuple):
    """What the user said of the project's own code."""

    handler: str | None = None
    modules: tuple[str, ...] | None = None
    """Modules, packages or patterns; None for all."""
    locked: frozenset[str] = frozenset()
    """Normalised names of all packages in the lock."""
    beside: bool = True
    """Whether handlers beside a package count; not for dependencies, which Lambda does not call."""


@dataclass(frozen=True, slots=True)
class OwnCode:
    """What was found."""

    files: tuple[ProjectFile, ...]
    loose: tuple[str, ...] = ()
    """Names at the bundle's root that were taken although no package has them."""
    notes: tuple[str, ...] = ()


class Element(NamedTuple):
    """A module, or a folder, that lies where Python would look for it."""

    name: str
    path: Path

    @property
    def top(self) -> str:
        """The name that it is imported by."""
        return self.name.removesuffix(".py")

    @property
    def is_module(self) -> bool:
        """Tell a module from a folder."""
        return self.name.endswith(".py") and self.path.is_file()

    @property
    def is_package(self) -> bool:
        """Tell a package from a folder that may be a namespace."""
        return (self.path / "__init__.py").is_file()

    @property
    def is_default(self) -> bool:
        """Tell whether it is taken unasked."""
        if any(fnmatchcase(self.name, pattern) for pattern in TESTS) or self.name in TOOLS:
            return False
        return self.is_module or self.is_package


class Folder:
    """A folder that Lambda may see as its root."""

    def __init__(self, path: Path, excluded: ExcludedPaths) -> None:
        self.path = path
        self._excluded = excluded

    @cached_property
    def elements(self) -> Mapping[str, Element]:
        """Everything in it that may be imported, by name."""
        if not self.path.is_dir():
            return {}
        found = (Element(path.name, path) for path in sorted(self.path.iterdir()))
        return {element.name: element for element in found if self._may_be_imported(element)}

    @property
    def default(self) -> tuple[Element, ...]:
        """Modules and packages that are taken unasked."""
        return tuple(element for element in self.elements.values() if element.is_default)

    def named(self, top: str) -> Element | None:
        """Return what Python would import by a name: a package before a module before a namespace."""
        folder, module = self.elements.get(top), self.elements.get(f"{top}.py")
        if folder is not None and (folder.is_package or module is None):
            return folder
        return module

    def has_module(self, module: str) -> bool:
        """Tell whether a module, as a path without suffix, is in it."""
        return _has_module(self.path, module)

    def files(self, elements: Iterable[Element], below: str = "") -> Iterator[ProjectFile]:
        """Yield the files of some elements at their places, without hidden and excluded ones."""
        for element in elements:
            for file in files_below(element.path):
                relative = file.relative_to(self.path)
                hidden = any(part.startswith(".") for part in relative.parts)
                if not hidden and not self._excluded.has(file):
                    yield project_file((below / relative if below else relative).as_posix(), file)

    def has_code(self, element: Element) -> bool:
        """Tell whether anything in an element could be imported, what is hidden or excluded aside."""
        if element.is_module:
            return True
        for folder, folders, files in os.walk(element.path):
            if any(map(is_module, files)):
                return True
            kept = (name for name in folders if not name.startswith(".") and name not in ARTIFACTS)
            folders[:] = [name for name in kept if not self._excluded.has(Path(folder, name))]
        return False

    def _may_be_imported(self, element: Element) -> bool:
        if element.name.startswith(".") or self._excluded.has(element.path):
            return False
        if element.path.is_file():
            return element.name.endswith(".py")
        is_environment = (element.path / "pyvenv.cfg").exists()
        return not is_environment and (element.name not in ARTIFACTS or element.is_package)


def own_code(
    root: Path, packaged: Sequence[ProjectFile] | None, excluded: ExcludedPaths, wishes: Wishes
) -> OwnCode:
    """Find a project's own code; `packaged` are the files of its packages, None where it has none.

    Raises UnknownModuleError where the user names a module that is not there.
    """
    here = Folder(root, excluded)
    if packaged is None:
        folder, found = _without_package(here, excluded, wishes)
        folders = [folder, here]
    else:
        bases = [Folder(base, excluded) for base in _bases(root, packaged)]
        found = _beside_packages(bases, packaged, wishes) if wishes.beside else OwnCode(tuple(packaged))
        folders = bases
    if wishes.modules is None:
        return found
    return _chosen(found.files, [*folders, Folder(root / SOURCES, excluded)], wishes.modules)


def handler_module(handler: str) -> str:
    """Return the module of a handler as a path without suffix, as Lambda resolves it.

    Folders may be apart by dots or slashes (AWS page "Define Lambda function handler in Python").
    """
    return handler.rpartition(".")[0].replace(".", "/")


def places_to_include(root: Path, module: str) -> tuple[str, ...]:
    """Return values of `include` that would each put a module, a path without suffix, where it is wanted."""
    top = module.partition("/")[0]
    name = top if "/" in module or (root / module).is_dir() else f"{module}.py"
    if _has_module(root, module):
        return (name,)
    below = [f"{folder.relative_to(root).as_posix()}:." for folder in _folders_with(module, root, MAX_DEPTH)]
    if below:
        return tuple(below)
    above = next((folder for folder in root.parents[:MAX_DEPTH] if _has_module(folder, module)), None)
    beside = [f"../{folder.name}:." for folder in _folders_with(module, root.parent, 1) if folder != root]
    return (*([_from_above(root, above, module, name)] if above else []), *beside)


def _from_above(root: Path, above: Path, module: str, name: str) -> str:
    """Return how to include a module that a folder above the project has, maybe in the project itself."""
    project = root.relative_to(above).as_posix()
    if module.startswith(f"{project}/"):
        inside = module.removeprefix(f"{project}/").partition("/")[0]
        inside += "" if (root / inside).is_dir() else ".py"
        return f"{inside}:{project}/{inside}"
    return f"{os.path.relpath(above / name, root)}:{name}"


def _has_module(folder: Path, module: str) -> bool:
    return any((folder / f"{module}{end}").is_file() for end in (".py", "/__init__.py"))


def _without_package(here: Folder, excluded: ExcludedPaths, wishes: Wishes) -> tuple[Folder, OwnCode]:
    """Take what lies loose in the folder that Lambda sees as its root, and what that imports."""
    folder, below = _root_seen_by_lambda(here, excluded, wishes)
    taken = list(folder.default)
    called = _element_of_handler(folder, wishes.handler, below)
    if called is not None and called not in taken:
        taken.append(called)
    free = [element for element in folder.elements.values() if element not in taken]
    taken += _imported(folder, free, taken, [], wishes)
    if not taken and wishes.beside:
        taken = [e for e in folder.elements.values() if _is_code_folder(e) and folder.has_code(e)]
    files = tuple(folder.files(taken, below))
    loose = tuple(sorted({file.path.partition("/")[0] for file in files}))
    if not wishes.beside or not loose:
        return folder, OwnCode(files, loose)
    left = _left_behind(folder, taken)
    if folder is not here:
        left += [element for element in _left_behind(here, ()) if element.path != folder.path]
    names = loose if not below else [element.name for element in taken]
    return folder, OwnCode(files, loose, _loose_note(here, folder, below, names, left))


def _root_seen_by_lambda(here: Folder, excluded: ExcludedPaths, wishes: Wishes) -> tuple[Folder, str]:
    """Return the folder whose content goes to the bundle's root, or below a package of the name returned."""
    sources = Folder(here.path / SOURCES, excluded)
    if not wishes.beside:
        return here, ""
    copied = [Folder(here.path / name, excluded) for name in _copied_by_dockerfile(here.path)]
    if wishes.handler is not None:
        module = handler_module(wishes.handler)
        for folder in (here, sources, *copied):
            if folder.has_module(module):
                return folder, ""
        package, _, rest = module.partition("/")
        is_inside = (here.path / "__init__.py").is_file() or here.path.resolve().name == package
        if is_inside and rest and here.has_module(rest):
            return here, package
    for folder in copied:
        if folder.default:
            return folder, ""
    if sources.default and _is_root(sources, here):
        return sources, ""
    return here, here.path.resolve().name if _is_inside_package(here) else ""


def _is_root(sources: Folder, here: Folder) -> bool:
    """Tell whether modules in `src` import each other as if it were the root."""
    if not here.default:
        return True
    if [element.name for element in here.default] != [SOURCES]:
        return False
    imported = _imports(file.file.read_bytes() for file in sources.files(sources.default))
    return SOURCES not in imported and not imported.isdisjoint({e.top for e in sources.default})


def _is_inside_package(here: Folder) -> bool:
    """Tell whether pyproject.toml lies inside a package: its modules import each other by its name."""
    if not (here.path / "__init__.py").is_file():
        return False
    modules = [element.path.read_bytes() for element in here.default if element.is_module]
    return here.path.resolve().name in _imports(modules) or any(
        level for source in modules for level, _ in imports_of(source)
    )


def _copied_by_dockerfile(root: Path) -> tuple[str, ...]:
    """Return the folders whose content the project's Dockerfile copies to the place of functions."""
    try:
        text = (root / "Dockerfile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    if "lambda" not in text.lower():
        return ()
    names = dict.fromkeys(match["folder"] for match in re.finditer(COPIED_TO_ROOT, text))
    return tuple(name for name in names if name.strip(".") and (root / name).is_dir())


def _beside_packages(bases: Sequence[Folder], packaged: Sequence[ProjectFile], wishes: Wishes) -> OwnCode:
    """Take what Lambda calls beside the packages, and what they import from there."""
    held = {folder for file in packaged for folder in (file.file, *file.file.parents)}
    files, taken, left = list(packaged), [], []
    for base in bases:
        free = [element for element in base.elements.values() if element.path not in held]
        own = [element for element in free if _is_handler(element)]
        called = _element_of_handler(base, wishes.handler, "")
        if called in free and called not in own and not _has(packaged, wishes.handler):
            own.append(called)
        sources = [file.file for file in packaged if file.path.endswith(".py")]
        own += _imported(base, [e for e in free if e not in own], own, sources, wishes)
        files += base.files(own)
        taken += own
        left += [e for e in free if e.is_module and e.is_default and e not in own]
    return OwnCode(tuple(files), notes=_beside_note(packaged, taken, left))


def _bases(root: Path, packaged: Sequence[ProjectFile]) -> tuple[Path, ...]:
    """Return the project's root and the folders inside it that packages were found in."""
    bases = {root: None}
    for path, file in packaged:
        base = file.parents[path.count("/")]
        if root in base.parents and base / path == file:
            bases[base] = None
    return tuple(bases)


def _has(files: Iterable[ProjectFile], handler: str | None) -> bool:
    module = handler_module(handler or "")
    return any(file.path in (f"{module}.py", f"{module}/__init__.py") for file in files)


def _is_handler(element: Element) -> bool:
    """Tell whether a module looks like one that Lambda calls, and not like what deploys one."""
    if not element.is_module or not element.is_default:
        return False
    source = element.path.read_bytes()
    if not INFRASTRUCTURE.isdisjoint(_imports([source])):
        return False
    if element.name in HANDLER_MODULES:
        return True
    bindings = module_bindings(source) if b"handler" in source else None
    return bindings is not None and any(map(bindings.binds, HANDLER_NAMES))


def _element_of_handler(folder: Folder, handler: str | None, below: str) -> Element | None:
    """Return what has the handler's module, if it is in a folder."""
    module = handler_module(handler or "")
    module = module.removeprefix(f"{below}/") if below else module
    return folder.named(module.partition("/")[0]) if module and folder.has_module(module) else None


def _imported(
    folder: Folder,
    free: Iterable[Element],
    taken: Iterable[Element],
    sources: Iterable[Path],
    wishes: Wishes,
) -> list[Element]:
    """Return which free elements of a folder what is taken imports, sources and elements, and they again."""
    candidates = {e.top: e for e in free if not _is_test(e) and _is_own(e, wishes)}
    found: list[Element] = []
    new = [*sources, *(file.file for file in folder.files(taken))]
    while candidates and new:
        names = _imports((p.read_bytes() for p in new if p.suffix == ".py"), candidates.keys())
        added = [candidates.pop(name) for name in sorted(names & candidates.keys())]
        added = [element for element in added if folder.has_code(element)]
        new = [file.file for file in folder.files(added)]
        found += added
    return found


def _is_own(element: Element, wishes: Wishes) -> bool:
    """Tell whether an import means the project's own: not where a folder bears a dependency's name."""
    if element.top in sys.stdlib_module_names:
        return False
    return element.is_module or element.is_package or canonicalize_name(element.top) not in wishes.locked


def _is_test(element: Element) -> bool:
    return any(fnmatchcase(element.name, pattern) for pattern in TESTS)


def _is_code_folder(element: Element) -> bool:
    return not _is_test(element) and not element.is_module and element.name not in NOT_CODE


def _imports(sources: Iterable[bytes], wanted: Collection[str] | None = None) -> frozenset[str]:
    """Return the top-level modules that sources import; of those wanted alone, it is quick."""
    if wanted is not None:
        word = re.compile(rb"\b(?:" + b"|".join(re.escape(name.encode()) for name in wanted) + rb")\b")
        sources = (source for source in sources if word.search(source))
    return frozenset(name for source in sources for level, name in imports_of(source) if not level)


def _left_behind(folder: Folder, taken: Collection[Element]) -> list[Element]:
    """Return what might have been meant: code that is neither taken nor for tests and tools."""
    return [
        element
        for element in folder.elements.values()
        if element not in taken
        and not _is_test(element)
        and element.name not in TOOLS
        and folder.has_code(element)
    ]


def _folders_with(module: str, root: Path, depth: int) -> list[Path]:
    """Return the folders below a root that have a module, the nearest first."""
    found: list[Path] = []
    level = [root]
    for _ in range(depth):
        level = [child for folder in level for child in _visible_folders(folder)]
        found += [
            c for c in level if any((c / f"{module}{end}").is_file() for end in (".py", "/__init__.py"))
        ]
    return found


def _visible_folders(folder: Path) -> list[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        child
        for child in children
        if child.is_dir()
        and not child.name.startswith(".")
        and child.name not in ARTIFACTS
        and not (child / "pyvenv.cfg").exists()
    ]


def _chosen(files: Sequence[ProjectFile], folders: Sequence[Folder], patterns: Sequence[str]) -> OwnCode:
    """Keep what the user names, and find it where it would not be taken unasked."""
    found = {file.path: file for file in reversed(files)}
    for pattern in patterns:
        if not any(matches(pattern, path) for path in found):
            found.update((file.path, file) for file in _found_elsewhere(pattern, folders))
    known = module_names(found)
    for pattern in patterns:
        if not any(matches(pattern, path) for path in found):
            raise UnknownModuleError(pattern, known)
    kept = chosen_paths(found.keys(), patterns)
    return OwnCode(tuple(sorted(file for path, file in found.items() if path in kept)))


def _found_elsewhere(pattern: str, folders: Sequence[Folder]) -> tuple[ProjectFile, ...]:
    """Return the files of what has a module of that name, from the first folder where it is."""
    for folder in folders:
        for element in folder.elements.values():
            files = tuple(folder.files([element]))
            if any(matches(pattern, file.path) for file in files):
                return files
    return ()


def _loose_note(
    here: Folder, folder: Folder, below: str, names: Sequence[str], left: Sequence[Element]
) -> tuple[str, ...]:
    taken = _listing(names)
    if below:
        what = f"pyproject.toml lies inside the package {below}, so this is bundled as {below}/: {taken}"
    elif folder is not here:
        what = f"The project has no package to build, so what is in {folder.path.name}/ is bundled: {taken}"
    else:
        what = f"The project has no package to build, so what is beside pyproject.toml is bundled: {taken}"
    return (f"{what}.{_left_text(left)} `modules` chooses, `include` adds.",)


def _beside_note(
    packaged: Sequence[ProjectFile], taken: Sequence[Element], left: Sequence[Element]
) -> tuple[str, ...]:
    packages = _listing(sorted({file.path.partition("/")[0] for file in packaged})) or "the package"
    if taken:
        names = _listing([element.name for element in taken])
        what = f"Beside {packages}, also bundled since Lambda may call it or the code imports it: {names}."
        return (f"{what}{_left_text(left)} `modules` chooses, `include` adds.",)
    if left:
        names = _listing([element.name for element in left])
        return (f"Left behind beside {packages}: {names}. `include` adds what is needed.",)
    return ()


def _left_text(left: Sequence[Element]) -> str:
    return f" Left behind: {_listing([element.name for element in left])}." if left else ""


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"
