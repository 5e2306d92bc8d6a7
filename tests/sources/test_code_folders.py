"""A folder as Python's import system would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.sources.code_folders import Folder
from poetry_lambda_plugin.sources.code_folders import is_open
from poetry_lambda_plugin.sources.files import ExcludedPaths
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


def folder(root: Path, *paths: str, excluded: str = "") -> Folder:
    write_tree(root, dict.fromkeys(paths, ""))
    return Folder(root, ExcludedPaths(root, frozenset(excluded.split())))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("app.py", "app.py", id="module"),
        pytest.param("lib/__init__.py", "lib", id="package"),
        pytest.param("lib/data.txt", "lib", id="namespace"),
        pytest.param("build/__init__.py", "build", id="package-with-the-name-of-what-is-made"),
        pytest.param("build/app.py", None, id="what-is-made"),
        pytest.param(".hidden/__init__.py", None, id="hidden"),
        pytest.param("notes.txt", None, id="no-module"),
        pytest.param("venv/pyvenv.cfg", None, id="environment"),
    ],
)
def test_elements_are_what_may_be_imported(tmp_path: Path, path: str, name: str | None) -> None:
    """Modules and folders, but nothing hidden, installed or made."""
    assert list(folder(tmp_path, path).elements) == ([name] if name else [])


def test_excluded_elements_are_not_there(tmp_path: Path) -> None:
    """What git ignores can't be imported from a clone."""
    assert list(folder(tmp_path, "a.py", "b.py", excluded="a.py").elements) == ["b.py"]


@pytest.mark.parametrize(
    ("path", "is_default"),
    [
        pytest.param("app.py", True, id="module"),
        pytest.param("lib/__init__.py", True, id="package"),
        pytest.param("lib/x.py", False, id="namespace"),
        pytest.param("setup.py", False, id="tool"),
        pytest.param("test_app.py", False, id="test-module"),
        pytest.param("app_test.py", False, id="test-module-by-its-end"),
        pytest.param("tests/__init__.py", False, id="test-package"),
    ],
)
def test_modules_and_packages_are_taken_unasked(tmp_path: Path, path: str, is_default: bool) -> None:
    """But for those of tests and tools."""
    assert bool(folder(tmp_path, path).default) is is_default


@pytest.mark.parametrize(
    ("paths", "meant"),
    [
        pytest.param(("a.py", "a/__init__.py"), "a", id="package-before-module"),
        pytest.param(("a.py", "a/x.py"), "a.py", id="module-before-namespace"),
        pytest.param(("a/x.py",), "a", id="namespace"),
        pytest.param(("b.py",), None, id="none"),
    ],
)
def test_name_means_what_python_would_import(
    tmp_path: Path, paths: tuple[str, ...], meant: str | None
) -> None:
    """A package before a module before a namespace."""
    element = folder(tmp_path, *paths).named("a")

    assert (element.name if element else None) == meant


def test_files_lie_below_a_package_where_that_is_asked_for(tmp_path: Path) -> None:
    """Where pyproject.toml lies inside a package, the bundle has the package's folder."""
    code = folder(tmp_path, "api.py", "db/x.py")

    assert [file.path for file in code.files(code.elements.values())] == ["api.py", "db/x.py"]
    assert [file.path for file in code.files(code.elements.values(), "orders")] == [
        "orders/api.py",
        "orders/db/x.py",
    ]


@pytest.mark.parametrize(
    "path",
    ["lib/.secret", "lib/build/x.py", "lib/lib.egg-info/PKG-INFO", "lib/__pycache__/x.pyc", "lib/x.pyc"],
)
def test_what_is_hidden_or_made_is_no_file_of_an_element(tmp_path: Path, path: str) -> None:
    """However deep it lies."""
    code = folder(tmp_path, "lib/__init__.py", path)

    assert [file.path for file in code.files(code.default)] == ["lib/__init__.py"]


@pytest.mark.parametrize(
    ("path", "has_code"),
    [
        pytest.param("lib/deep/er/x.py", True, id="deep"),
        pytest.param("lib/fast.so", True, id="compiled"),
        pytest.param("lib/data.json", False, id="data"),
        pytest.param("lib/.hidden/x.py", False, id="hidden"),
        pytest.param("lib/excluded/x.py", False, id="excluded"),
    ],
)
def test_folder_has_code_where_anything_in_it_could_be_imported(
    tmp_path: Path, path: str, has_code: bool
) -> None:
    """What is hidden or excluded aside."""
    code = folder(tmp_path, path, excluded="lib/excluded")

    assert code.has_code(code.elements["lib"]) is has_code


@pytest.mark.parametrize(
    ("path", "is_data"),
    [
        pytest.param("schema.json", True, id="file"),
        pytest.param("templates/a.html", True, id="folder"),
        pytest.param("README.md", False, id="readme"),
        pytest.param("pyproject.toml", False, id="pyproject"),
        pytest.param("docs/a.html", False, id="docs"),
        pytest.param("tests/a.json", False, id="tests"),
        pytest.param("other.py", False, id="module"),
    ],
)
def test_data_of_a_package_is_no_file_of_the_project(tmp_path: Path, path: str, is_data: bool) -> None:
    """What lies beside the modules for them to read, where pyproject.toml lies there too."""
    code = folder(tmp_path, path)

    assert [element.name for element in code.data(())] == ([path.partition("/")[0]] if is_data else [])


@pytest.mark.parametrize(
    ("name", "expected"), [("lib", True), (".venv", False), ("node_modules", False), ("dist", False)]
)
def test_open_folders_may_hold_code(tmp_path: Path, name: str, expected: bool) -> None:
    """Not what is hidden, installed or made."""
    assert is_open(tmp_path / name) is expected
