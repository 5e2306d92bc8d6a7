"""The rooms of the code: which may know which, and where Poetry may be known at all."""

from __future__ import annotations

import ast

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import poetry_lambda_plugin


if TYPE_CHECKING:
    from collections.abc import Iterator


PACKAGE = poetry_lambda_plugin.__name__
ROOT = Path(poetry_lambda_plugin.__file__).parent

FLOORS = (
    "plugin",
    "commands",
    "watching",
    "verifying",
    "bundling",
    "report",
    "trial",
    "stages",
    "audit",
    "bytecode",
    "sources",
    "poetry_api",
    "selection",
    "configuration",
    "layout",
    "archive",
    "runtime",
    "extras",
    "strays",
    "findings",
    "wording",
    "exceptions",
)
"""From the top down: a room imports what stands below it, never what stands above."""

CONSOLE = ("poetry.console", "poetry.plugins", "poetry.exceptions")
"""What the plugin and its commands may use of Poetry."""

MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_rooms_know_none_above_them(module: Path) -> None:
    floor = FLOORS.index(_room(module)) if module.name != "__init__.py" or module.parent != ROOT else 0
    above = [name for name in _imported(module) if name.startswith(f"{PACKAGE}.") and _floor(name) < floor]
    assert not above


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_poetry_is_behind_one_door(module: Path) -> None:
    known = [name for name in _imported(module) if name.split(".")[0] == "poetry"]
    if _room(module) in ("plugin", "commands"):
        known = [name for name in known if not name.startswith(CONSOLE)]
    assert not known or _room(module) == "poetry_api"


def test_no_room_is_a_house_of_its_own() -> None:
    lines = dict.fromkeys(FLOORS, 0)
    for module in MODULES:
        if module.parent != ROOT or module.name != "__init__.py":
            lines[_room(module)] += len(module.read_text(encoding="utf-8").splitlines())
    assert max(lines.values()) <= 0.28 * sum(lines.values())


def test_functions_are_short() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 20


def test_floors_are_named_once() -> None:
    assert len(set(FLOORS)) == len(FLOORS)
    assert all((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file() for name in FLOORS)


def _room(module: Path) -> str:
    return module.relative_to(ROOT).parts[0].removesuffix(".py")


def _floor(name: str) -> int:
    return FLOORS.index(name.split(".")[1])


def _imported(module: Path) -> Iterator[str]:
    """Yield every import, those for type checkers and those inside functions too."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
