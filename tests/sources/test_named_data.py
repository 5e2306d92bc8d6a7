"""Data that modules name and nobody bundles, beside names that only look like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.named_data import data_note
from poetry_lambda_plugin.sources.named_data import named_data
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


DATA = (
    "templates/a.html",
    "data/in.csv",
    "config.json",
    "tests/in.json",
    ".env",
    "dist/x.json",
    "settings.toml",
    "pyproject.toml",
    "ignored.csv",
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("open('config.json')", ["config.json"], id="file"),
        pytest.param("NAME = r'./config.json'", ["config.json"], id="name of a file"),
        pytest.param("NAME = '/var/task/data/in.csv'", ["data/in.csv"], id="on Lambda"),
        pytest.param("Environment(loader=FileSystemLoader('templates'))", ["templates"], id="loader"),
        pytest.param('Jinja2Templates(directory="templates")', ["templates"], id="keyword"),
        pytest.param("HERE / 'data'", ["data"], id="operator"),
        pytest.param("os.path.join(os.path.dirname(__file__), 'data')", ["data"], id="call in a call"),
        pytest.param("os.path.join(HERE, 'data', 'x')", ["data"], id="joined"),
        pytest.param("HERE / f'data/{name}.csv'", ["data"], id="beginning of a path"),
        pytest.param("event['data']", [], id="key"),
        pytest.param("STATIC_URL = 'templates/'", [], id="address"),
        pytest.param("key = f'data/{name}'", [], id="key of a bucket"),
        pytest.param("open('other.json')", [], id="not there"),
        pytest.param("tomllib.load(open('settings.toml', 'rb'))", ["settings.toml"], id="settings"),
        pytest.param("open('pyproject.toml')", [], id="of tools"),
        pytest.param(
            "open('tests/in.json'), open('.env'), open('dist/x.json')", [], id="no part of a function"
        ),
        pytest.param("open('no.csv')", [], id="excluded"),
        pytest.param("', '.join([name, 'data'])", [], id="text that is joined"),
        pytest.param("# open('config.json')", [], id="comment"),
        pytest.param("'''Reads 'config.json'.'''", [], id="docstring"),
        pytest.param("if __name__ == '__main__':\n    open('config.json')", [], id="run by hand"),
    ],
)
def test_named_by_a_module(tmp_path: Path, line: str, expected: list[str]) -> None:
    """What a module opens is told, and no word that only has the name of a folder."""
    write_tree(tmp_path, {"app.py": f"import x\n{line}\n", **dict.fromkeys(DATA, "")})
    files = [ProjectFile("app.py", tmp_path / "app.py")]

    assert named_data(tmp_path, files, ExcludedPaths(tmp_path, frozenset({"no.csv"}))) == tuple(expected)


def test_what_is_bundled_is_not_missed(tmp_path: Path) -> None:
    """A folder of which anything is bundled was seen by the user; the one beside the module comes first."""
    tree = {"shop/app.py": "open('a.json'); open('b.json'); HERE / 'c'\n", "a.json": "", "shop/b.json": ""}
    write_tree(tmp_path, {**tree, "shop/a.json": "", "c/d.txt": ""})
    names = ("shop/app.py", "shop/a.json", "c/d.txt")
    files = [ProjectFile(name, tmp_path / name) for name in names]

    assert named_data(tmp_path, files, ExcludedPaths(tmp_path, frozenset())) == ("shop/b.json",)


def test_beside_a_module_of_another_root(tmp_path: Path) -> None:
    """What lies beside the modules of `src/` goes where they do."""
    write_tree(tmp_path, {"src/app.py": "open('a.json'); open('b.json')\n", "src/a.json": "", "b.json": ""})
    files = [ProjectFile("app.py", tmp_path / "src/app.py")]

    found = named_data(tmp_path, files, ExcludedPaths(tmp_path, frozenset()))

    assert found == ("b.json", "src/a.json:a.json")
    assert data_note(found) == (
        (
            "Not bundled, though the code names it: b.json, src/a.json. "
            '`include = ["b.json", "src/a.json:a.json"]` adds what is needed.'
        ),
    )
    assert data_note(()) == ()
