"""A folder as Python's import system would see it: its modules, packages and namespaces.

What can't be looked at is not there; only what is taken has to be readable.
"""

from __future__ import annotations

import os

from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.layout.modules import is_module
from poetry_lambda_plugin.sources.files import children
from poetry_lambda_plugin.sources.files import is_dangling
from poetry_lambda_plugin.sources.files import is_environment
from poetry_lambda_plugin.sources.files import is_file
from poetry_lambda_plugin.sources.files import is_folder
from poetry_lambda_plugin.sources.files import project_file


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.sources.files import ExcludedPaths


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
    {"doc", "docs", "example", "examples", "script", "scripts", "tool", "tools", "bin", "notebooks"}
    | {"benchmarks", "infra", "infrastructure", "terraform", "cdk", "deploy", "deployment", "ci"}
    | {"migrations", "alembic"}
)
"""Folders that are seldom part of a function; taken only where they are packages or are imported."""


PROJECT_FILES = (
    *("*.toml", "*.lock", "*.md", "*.rst", "*.cfg", "*.ini", "*.zip", "requirements*.txt", "README*"),
    *("LICEN[CS]E*", "Dockerfile*", "Makefile", "docker-compose*", "template.y*ml", "serverless.y*ml"),
    *("cdk.json", "package*.json"),
)
"""Files beside pyproject.toml that are about the project, where it lies inside a package."""


BUILDS = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
"""What a project of its own is known by."""


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
        """Tell a module, or a link that was one, from a folder."""
        return self.name.endswith(".py") and (is_file(self.path) or is_dangling(self.path))

    @property
    def is_package(self) -> bool:
        """Tell a package from a folder that may be a namespace."""
        return is_file(self.path / "__init__.py")

    @property
    def is_test(self) -> bool:
        """Tell whether it is there for tests."""
        return any(fnmatchcase(self.name, pattern) for pattern in TESTS)

    @property
    def is_default(self) -> bool:
        """Tell whether it is taken unasked."""
        return not self.is_test and self.name not in TOOLS and (self.is_module or self.is_package)

    @property
    def is_code_folder(self) -> bool:
        """Tell whether it is a folder that may well be part of a function, if it holds modules."""
        return not self.is_test and not self.is_module and self.name not in NOT_CODE


class Folder:
    """A folder that Lambda may see as its root."""

    def __init__(self, path: Path, excluded: ExcludedPaths) -> None:
        self.path = path
        self._excluded = excluded

    @cached_property
    def elements(self) -> Mapping[str, Element]:
        """Everything in it that may be imported, by name."""
        found = (Element(path.name, path) for path in children(self.path))
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
        return has_module(self.path, module)

    def files(self, elements: Iterable[Element], below: str = "") -> Iterator[ProjectFile]:
        """Yield the files of some elements at their places, without hidden and excluded ones."""
        for element in elements:
            for file in self._excluded.files_below(element.path):
                relative = file.relative_to(self.path)
                hidden = any(part.startswith(".") for part in relative.parts)
                made = any(map(self._is_artifact, relative.parents))
                if not hidden and not made:
                    yield project_file((below / relative if below else relative).as_posix(), file)

    def data(self, taken: Collection[Element]) -> tuple[Element, ...]:
        """Return what else lies in a package, for its modules to read: no project files and tests."""
        found = (Element(path.name, path) for path in children(self.path))
        return tuple(element for element in found if element not in taken and self._may_be_data(element))

    def _may_be_data(self, element: Element) -> bool:
        name = element.name
        if any(fnmatchcase(name, pattern) for pattern in (*TESTS, *PROJECT_FILES)) or name.endswith(".py"):
            return False
        return name not in NOT_CODE and is_open(element.path) and not self._excluded.has(element.path)

    def _is_artifact(self, folder: Path) -> bool:
        """Tell whether a folder, relative to this one, holds what was installed or made."""
        if folder.name.endswith(".egg-info"):
            return True
        return folder.name in ARTIFACTS and not is_file(self.path / folder / "__init__.py")

    def has_code(self, element: Element, *, counts_others: bool = True) -> bool:
        """Tell whether anything in an element could be imported, what is hidden or excluded aside.

        `counts_others` is whether that of projects counts which have a pyproject.toml of their own.
        """
        if element.is_module:
            return True
        for folder, folders, files in os.walk(element.path):
            if not counts_others and not BUILDS.isdisjoint(files):
                folders.clear()
                continue
            if any(map(is_module, files)):
                return True
            inner = (Path(folder, name) for name in folders)
            folders[:] = [path.name for path in inner if is_open(path) and not self._excluded.has(path)]
        return False

    def _may_be_imported(self, element: Element) -> bool:
        if element.name.startswith(".") or self._excluded.has(element.path):
            return False
        if element.is_module or not is_folder(element.path):
            return element.is_module
        return is_open(element.path) or (element.is_package and not is_environment(element.path))


def has_module(folder: Path, module: str) -> bool:
    """Tell whether a module, as a path without suffix, is in a folder."""
    return any(is_file(folder / f"{module}{end}") for end in (".py", "/__init__.py"))


def is_open(folder: Path) -> bool:
    """Tell whether a folder may hold code: not what is hidden, installed or made."""
    return not folder.name.startswith(".") and folder.name not in ARTIFACTS and not is_environment(folder)
