"""Which of the project's own code goes into the bundle, for the layouts that projects really have.

`poetry build` knows one package; a Lambda often has none, or a handler beside it. What is found here is what
Python would import from the folder that Lambda sees as its root. Sources are looked at as text, so that what
is found does not depend on the Python that looks.
"""

from __future__ import annotations

import os
import re
import sys

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.layout.modules import UnknownModuleError
from poetry_lambda_plugin.layout.modules import chosen_paths
from poetry_lambda_plugin.layout.modules import handler_module
from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.modules import raise_first
from poetry_lambda_plugin.layout.modules import unknown_modules
from poetry_lambda_plugin.layout.python_source import imports_in_text
from poetry_lambda_plugin.sources.code_folders import TOOLS
from poetry_lambda_plugin.sources.code_folders import Folder
from poetry_lambda_plugin.sources.files import is_file
from poetry_lambda_plugin.sources.files import is_folder
from poetry_lambda_plugin.sources.files import read_source
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Sequence

    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.sources.code_folders import Element
    from poetry_lambda_plugin.sources.files import ExcludedPaths


HANDLER_MODULES = ("lambda_function.py", "handler.py", "app.py", "main.py")
"""What AWS's own templates call the module that Lambda calls."""

HANDLER = re.compile(
    rb"^(?:(?:async[ \t]+)?def[ \t]+(?:lambda_handler|handler)\b"
    rb"|(?:lambda_handler|handler)[ \t]*(?::[^=\n]+)?=(?!=)(?![^\n]*(?:logging\.|Handler\())"
    rb"|from[ \t]+\S+[ \t]+import\b[^\n]*\b(?:lambda_handler|handler)\b)",
    re.MULTILINE,
)
"""A top-level name that Lambda is told to call; what handles log records is none."""

INFRASTRUCTURE = frozenset({"aws_cdk", "constructs", "pulumi", "troposphere"})
"""What modules import that deploy functions instead of being one."""

SOURCES = "src"

COPIED_TO_ROOT = (
    r"(?im)^\s*(?:COPY|ADD)\s+(?:--\S+\s+)*(?P<sources>\S.*?)\s+"
    r"(?:\$\{?LAMBDA_TASK_ROOT\}?/?|\./?|/var/task/?)\s*$"
)
"""A line of a Dockerfile that copies to the place of functions."""

COMMAND = r"""(?im)^\s*(?:CMD|ENTRYPOINT)\s*\[\s*["'](?P<handler>[\w./-]+\.[a-z_]\w*)["']\s*\]\s*$"""
"""A line of a Dockerfile that names the handler."""

NOT_EVERYWHERE = frozenset(
    {"_bootlocale", "aifc", "annotationlib", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb"}
    | {
        "chunk",
        "compression",
        "crypt",
        "distutils",
        "dummy_threading",
        "formatter",
        "imghdr",
        "imp",
        "lib2to3",
    }
    | {"macpath", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "parser", "pipes", "smtpd", "sndhdr"}
    | {"spwd", "sunau", "symbol", "telnetlib", "tomllib", "uu", "xdrlib", "graphlib", "zoneinfo"}
)
"""Standard modules that some Python from 3.8 on lacks; they say nothing of what an import means."""

STANDARD = frozenset(sys.stdlib_module_names) - NOT_EVERYWHERE
"""Those that every Python has, whichever is running."""


class Wishes(NamedTuple):
    """What the user said of the project's own code."""

    handler: str | None = None
    modules: tuple[str, ...] | None = None
    """Modules, packages or patterns; None for all."""
    locked: frozenset[str] = frozenset()
    """Normalised names of all packages in the lock."""
    beside: bool = True
    """Whether handlers beside a package count; not for dependencies, which Lambda does not call."""
    are_all_here: bool = True
    """Whether what `modules` names is the project's; path dependencies may have it too."""


class Package(NamedTuple):
    """What one entry of `packages` names."""

    base: Path | None
    """The folder that its paths are relative to; None where they were given others with `to`."""
    files: tuple[ProjectFile, ...]


@dataclass(frozen=True, slots=True)
class OwnCode:
    """What was found."""

    files: tuple[ProjectFile, ...]
    loose: tuple[str, ...] = ()
    """Names at the bundle's root that were taken although no package has them."""
    notes: tuple[str, ...] = ()
    unknown: tuple[UnknownModuleError, ...] = ()
    """For each module that is named and must be a path dependency's."""


def own_code(
    root: Path, packages: Sequence[Package] | None, excluded: ExcludedPaths, wishes: Wishes
) -> OwnCode:
    """Find a project's own code; `packages` is None where it has none.

    Raises UnknownModuleError where the user names a module that is not there.
    """
    here = Folder(root, excluded)
    if wishes.beside and wishes.handler is None:
        wishes = wishes._replace(handler=handler_of_dockerfile(root))
    if packages is None:
        folder, found = _without_package(here, excluded, wishes)
        folders = [folder, here]
    else:
        folders = [Folder(base, excluded) for base in _bases(root, packages)]
        packaged = tuple(file for package in packages for file in package.files)
        found = _beside_packages(folders, packaged, wishes) if wishes.beside else OwnCode(packaged)
    if wishes.modules is None:
        return found
    chosen = _chosen(found.files, [*folders, Folder(root / SOURCES, excluded)], wishes.modules)
    if wishes.are_all_here:
        raise_first(chosen.unknown)
    return chosen


def beside_build(root: Path, excluded: ExcludedPaths, wishes: Wishes) -> OwnCode:
    """Find the handler beside a project that is built, and the modules that it imports.

    What is in folders is for the build to take.
    """
    here = Folder(root, excluded)
    modules = [element for element in here.elements.values() if element.is_module]
    own = [element for element in modules if _is_handler(element)]
    called = _element_of_handler(here, wishes.handler, "")
    own += [called] if called in modules and called not in own else []
    own += _imported(here, [element for element in modules if element not in own], own, [], wishes)
    return OwnCode(tuple(here.files(own)), notes=_beside_note("what is built", own, []))


def _without_package(here: Folder, excluded: ExcludedPaths, wishes: Wishes) -> tuple[Folder, OwnCode]:
    """Take what lies loose in the folder that Lambda sees as its root, and what that imports."""
    folder, below = _root_seen_by_lambda(here, excluded, wishes) if wishes.beside else (here, "")
    taken = [element for element in folder.default if not (wishes.beside and _deploys(element))]
    called = _element_of_handler(folder, wishes.handler, below)
    taken += [called] if called is not None and called not in taken else []
    free = [element for element in folder.elements.values() if element not in taken]
    taken += _imported(folder, free, taken, [], wishes)
    if not taken and wishes.beside:
        folders = (e for e in folder.elements.values() if e.is_code_folder and not _deploys(e))
        taken = [element for element in folders if folder.has_code(element)]
    taken += folder.data(taken) if below else ()
    above = [element for element in here.elements.values() if folder.path not in (here.path, element.path)]
    modules = [file.file for file in folder.files(taken)] if above else []
    also = _imported(here, above, [], modules, wishes)
    files = (*folder.files(taken, below), *here.files(also))
    loose = tuple(sorted({file.path.partition("/")[0] for file in files}))
    if not wishes.beside:
        return folder, OwnCode(files, loose)
    left = _left_behind(folder, taken)
    if folder is not here:
        left += [element for element in _left_behind(here, also) if element.path != folder.path]
    if not loose:
        return folder, OwnCode(files, notes=_beside_note("pyproject.toml", [], left))
    names = loose if not below else [element.name for element in taken]
    return folder, OwnCode(files, loose, _loose_note(here, folder, below, names, left))


def _root_seen_by_lambda(here: Folder, excluded: ExcludedPaths, wishes: Wishes) -> tuple[Folder, str]:
    """Return the folder whose content goes to the bundle's root, or below a package of the name returned."""
    sources = Folder(here.path / SOURCES, excluded)
    copied = [Folder(here.path / name, excluded) for name in _copied_by_dockerfile(here.path)]
    if wishes.handler is not None:
        module = handler_module(wishes.handler)
        for folder in (here, sources, *copied):
            if folder.has_module(module):
                return folder, ""
        package, _, rest = module.partition("/")
        is_inside = is_file(here.path / "__init__.py") or here.path.resolve().name == package
        if is_inside and rest and here.has_module(rest):
            return here, package
    for folder in copied:
        if folder.default:
            return folder, ""
    if sources.default and _is_root(sources, here):
        return sources, ""
    return here, here.path.resolve().name if _is_inside_package(here, wishes) else ""


def _is_root(sources: Folder, here: Folder) -> bool:
    """Tell whether Lambda calls what is in `src`, or its modules import each other as if it were the root."""
    beside = [element for element in here.default if element.name != SOURCES]
    if not beside and not here.default:
        return True
    if beside and not any(map(_is_handler, beside)) and any(map(_is_handler, sources.default)):
        return True
    if [element.name for element in here.default] != [SOURCES]:
        return False
    imported = _imports(file.file for file in sources.files(sources.default))
    return SOURCES not in imported and not imported.isdisjoint({e.top for e in sources.default})


def _is_inside_package(here: Folder, wishes: Wishes) -> bool:
    """Tell whether pyproject.toml lies inside a package: its modules import each other as one."""
    name = here.path.resolve().name
    if not is_file(here.path / "__init__.py") or here.named(name) is not None:
        return False
    modules = [element.path for element in here.default if element.is_module]
    if canonicalize_name(name) not in wishes.locked and name in _imports(modules):
        return True
    return any(level for path in modules for level, _ in imports_in_text(read_source(path)))


def handler_of_dockerfile(root: Path) -> str | None:
    """Return the last handler that the project's Dockerfile has the runtime call."""
    found = re.findall(COMMAND, _dockerfile(root))
    return found[-1] if found else None


def _copied_by_dockerfile(root: Path) -> tuple[str, ...]:
    """Return the folders whose content the project's Dockerfile copies to the place of functions.

    None where it copies modules of the root there, or all of it: then the root is what Lambda sees.
    """
    lines = [match["sources"].split() for match in re.finditer(COPIED_TO_ROOT, _dockerfile(root))]
    names = [os.path.normpath(source.removesuffix("*")) for line in lines for source in line]
    if any(name == "." or name.endswith(".py") for name in names):
        return ()
    return tuple(name for name in dict.fromkeys(names) if is_folder(root / name) and ".." not in name)


def _dockerfile(root: Path) -> str:
    """Return the project's Dockerfile if it is about Lambda."""
    text = read_source(root / "Dockerfile").decode("utf-8", "replace")
    return text if "lambda" in text.lower() else ""


def _beside_packages(bases: Sequence[Folder], packaged: Sequence[ProjectFile], wishes: Wishes) -> OwnCode:
    """Take what Lambda calls beside the packages, and what they import from there."""
    packaged_files = [Path(os.path.normpath(file.file)) for file in packaged]
    held = {path for file in packaged_files for path in (file, *file.parents)}
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
        missed = (e for e in free if e not in own and _may_be_missed(e, wishes))
        left += [element for element in missed if base.has_code(element, counts_others=False)]
    names = listed(sorted({file.path.partition("/")[0] for file in packaged})) or "the package"
    return OwnCode(tuple(files), notes=_beside_note(names, taken, left))


def _may_be_missed(element: Element, wishes: Wishes) -> bool:
    """Tell whether an element beside a package may well be part of the function."""
    is_code = element.is_default or (element.is_code_folder and element.name != SOURCES)
    return is_code and _is_own(element, wishes)


def _bases(root: Path, packages: Sequence[Package]) -> tuple[Path, ...]:
    """Return the project's root and the folders inside it that packages were found in."""
    named = (Path(os.path.normpath(package.base)) for package in packages if package.base is not None)
    return tuple(dict.fromkeys((root, *(base for base in named if root in base.parents))))


def _has(files: Iterable[ProjectFile], handler: str | None) -> bool:
    module = handler_module(handler or "")
    return any(file.path in (f"{module}.py", f"{module}/__init__.py") for file in files)


def _is_handler(element: Element) -> bool:
    """Tell whether a module looks like one that Lambda calls, and not like what deploys one."""
    if not element.is_module or not element.is_default:
        return False
    if _deploys(element):
        return False
    return element.name in HANDLER_MODULES or HANDLER.search(read_source(element.path)) is not None


def _deploys(element: Element) -> bool:
    """Tell whether a module, or one at the top of a package without handlers, defines the infrastructure."""
    modules = [element.path] if element.is_module else sorted(element.path.glob("*.py"))
    if INFRASTRUCTURE.isdisjoint(_imports(modules)):
        return False
    return element.is_module or not any(
        HANDLER.search(read_source(path)) for path in element.path.rglob("*.py")
    )


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
    own = (e for e in free if folder.named(e.top) == e and not e.is_test and _is_own(e, wishes))
    candidates = {element.top: element for element in own if folder.has_code(element)}
    found: list[Element] = []
    new = [*sources, *(file.file for file in folder.files(taken))] if candidates else []
    while candidates and new:
        names = _imports(path for path in new if path.suffix == ".py")
        added = [candidates.pop(name) for name in sorted(names & candidates.keys())]
        new = [file.file for file in folder.files(added)]
        found += added
    return found


def _is_own(element: Element, wishes: Wishes) -> bool:
    """Tell whether an import means the project's own: not where a folder bears a dependency's name."""
    if element.top in STANDARD:
        return False
    return element.is_module or element.is_package or canonicalize_name(element.top) not in wishes.locked


def _imports(paths: Iterable[Path]) -> frozenset[str]:
    """Return the top-level modules that sources import absolutely."""
    return frozenset(
        name for path in paths for level, name in imports_in_text(read_source(path)) if not level
    )


def _left_behind(folder: Folder, taken: Collection[Element]) -> list[Element]:
    """Return what might have been meant: code that is neither taken nor for tests and tools."""
    free = (e for e in folder.elements.values() if e not in taken)
    meant = (e for e in free if not e.is_test and e.name not in TOOLS)
    # a path dependency, or a neighbour in the repository, is no part of this project
    return [element for element in meant if folder.has_code(element, counts_others=False)]


def _chosen(files: Sequence[ProjectFile], folders: Sequence[Folder], patterns: Sequence[str]) -> OwnCode:
    """Keep what the user names, and find it where it would not be taken unasked."""
    found = {file.path: file for file in reversed(files)}
    for pattern in patterns:
        if not any(matches(pattern, path) for path in found):
            found.update((file.path, file) for file in _found_elsewhere(pattern, folders))
    unknown = tuple(unknown_modules(patterns, found))
    kept = chosen_paths(found.keys(), patterns)
    return OwnCode(tuple(sorted(file for path, file in found.items() if path in kept)), unknown=unknown)


def _found_elsewhere(pattern: str, folders: Sequence[Folder]) -> tuple[ProjectFile, ...]:
    """Return the files of what has a module of that name, from the first folder where it is."""
    top = re.split(r"[./]", pattern.removeprefix("./"), maxsplit=1)[0]
    for folder in folders:
        for element in folder.elements.values():
            files = tuple(folder.files([element])) if fnmatchcase(element.top, top) else ()
            if any(matches(pattern, file.path) for file in files):
                return files
    return ()


def _loose_note(
    here: Folder, folder: Folder, below: str, names: Sequence[str], left: Sequence[Element]
) -> tuple[str, ...]:
    taken = listed(names)
    if below:
        what = f"pyproject.toml lies inside the package {below}, so this is bundled as {below}/: {taken}"
    elif folder is not here:
        what = f"The project has no package to build, so what is in {folder.path.name}/ is bundled: {taken}"
    else:
        what = f"The project has no package to build, so what is beside pyproject.toml is bundled: {taken}"
    return (f"{what}.{_left_text(left)} `modules` chooses, `include` adds.",)


def _beside_note(packages: str, taken: Sequence[Element], left: Sequence[Element]) -> tuple[str, ...]:
    if taken:
        names = listed([element.name for element in taken])
        what = f"Beside {packages}, also bundled since Lambda may call it or the code imports it: {names}."
        return (f"{what}{_left_text(left)} `modules` chooses, `include` adds.",)
    if left:
        names = listed([element.name for element in left])
        return (f"Left behind beside {packages}: {names}. `include` adds what is needed.",)
    return ()


def _left_text(left: Sequence[Element]) -> str:
    return f" Left behind: {listed([element.name for element in left])}." if left else ""
