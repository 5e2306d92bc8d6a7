"""Files that the project's own modules name in so many words, and that nobody would bundle.

A template folder beside a handler is no code, so it stays behind, and the function fails when it is called.
"""

from __future__ import annotations

import re

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.sources.code_folders import TESTS
from poetry_lambda_plugin.sources.code_folders import is_open
from poetry_lambda_plugin.sources.files import children
from poetry_lambda_plugin.sources.files import is_file
from poetry_lambda_plugin.sources.files import is_folder
from poetry_lambda_plugin.sources.files import read_source
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.sources.files import ExcludedPaths


LITERAL = re.compile(
    r"""(?P<quote>["'])(?:\./|/var/task/)?(?P<path>[\w@-][\w./@ -]{0,200}?)(?:/?(?P=quote)|/\{)"""
)
"""A text that could be a path, or the beginning of one."""

AS_PATH = re.compile(
    r"(?:/|\b(?:Path|PurePath|open|joinpath|FileSystemLoader|exists|isfile|isdir|listdir|scandir)\("
    r"|\bjoin\([^\[\n]*,|\b(?:directory|searchpath|templates?_folder|static_folder|templates?_dir)\s*=)"
    r"\s*[rfRF]*$"
)
"""What makes a path of a text that could be any word, such as a key."""

OF_TOOLS = (
    *("pyproject.toml", "poetry.lock", "poetry.toml", "requirements*.txt", "setup.cfg", "tox.ini", "*.zip"),
    *("README*", "CHANGELOG*", "LICEN[CS]E*", "Makefile", "Dockerfile*", "docker-compose*"),
    *("template.y*ml", "serverless.y*ml", "samconfig.*", "cdk.json", "package*.json"),
)
"""What lies beside code for tools and people."""

BEFORE = 80
"""Characters in front of a text that are looked at."""

NOT_RUN = re.compile(
    r"^if[ \t]+__name__[ \t]*==.*|^[ \t]*#[^\n]*|" + '""".*?"""' + r"|'{3}.*?'{3}", re.MULTILINE | re.DOTALL
)
"""What is said of the code, and what Lambda leaves to those who run it by hand."""


def named_data(root: Path, files: Iterable[ProjectFile], excluded: ExcludedPaths) -> tuple[str, ...]:
    """Return values of `include` for what the modules among a bundle's files name and it lacks.

    A path is looked for beside its module, then beside pyproject.toml.
    """
    tops_of = cache(_tops)
    bundled = {path for file in files for path in (file.file, *file.file.parents)}
    found: dict[str, None] = {}
    for module in files:
        if module.path.endswith(".py"):
            place = Path(module.path).parent
            bases = [module.file.parent, root]
            for path in _named_paths(module.file, bases, tops_of(bases[0]) | tops_of(root)):
                base = module.file.parent if module.file.parent in path.parents else root
                if path in bundled or excluded.has(path) or root not in path.parents:
                    continue
                to = (place if base != root else Path()) / path.relative_to(base)
                found[_include(path.relative_to(root), to)] = None
    return tuple(sorted(found))


def _include(path: Path, to: Path) -> str:
    return path.as_posix() if path == to else f"{path.as_posix()}:{to.as_posix()}"


def _tops(base: Path) -> frozenset[str]:
    """Return the names in a folder that may be data."""
    return frozenset(path.name for path in children(base) if _may_be_data(path))


def _named_paths(module: Path, bases: Sequence[Path], tops: Collection[str]) -> Iterator[Path]:
    """Yield what is there of all that a module names, by names in `tops`; of several places the first."""
    # mostly there are none, and no module need be read
    text = NOT_RUN.sub("", read_source(module).decode("utf-8", "replace")) if tops else ""
    for match in LITERAL.finditer(text):
        name = match["path"]
        if name.partition("/")[0] in tops and ".." not in name:
            before = text[max(0, match.start() - BEFORE) : match.start()]
            yield from _there(name, bases, is_path=AS_PATH.search(before) is not None)


def _there(name: str, bases: Sequence[Path], *, is_path: bool) -> Iterator[Path]:
    for base in bases:
        path = base / name
        if is_file(path) or (is_folder(path) and (is_path or "/" in name)):
            yield path
            return


def _may_be_data(path: Path) -> bool:
    if (
        path.suffix == ".py"
        or not is_open(path)
        or any(fnmatchcase(path.name, pattern) for pattern in (*TESTS, *OF_TOOLS))
    ):
        return False
    return not is_file(path / "__init__.py")


def data_note(values: Sequence[str]) -> tuple[str, ...]:
    """Say what to write for data that is left behind; nothing where there is none."""
    if not values:
        return ()
    written = ", ".join(f'"{value}"' for value in values)
    names = listed([value.partition(":")[0] for value in values])
    return (f"Not bundled, though the code names it: {names}. `include = [{written}]` adds what is needed.",)
