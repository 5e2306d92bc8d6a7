"""Which files there are below a folder, and what leaves some of them out."""

from __future__ import annotations

import os

from pathlib import Path

import pytest

from poetry_lambda_plugin.layout.python_source import MAX_SOURCE
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.files import files_below
from poetry_lambda_plugin.sources.files import leaves
from poetry_lambda_plugin.sources.files import matching
from poetry_lambda_plugin.sources.files import project_file
from poetry_lambda_plugin.sources.files import read_source
from tests.support.sources import write_tree


def below(root: Path, *paths: str) -> list[str]:
    write_tree(root, dict.fromkeys(paths, ""))
    return [file.relative_to(root).as_posix() for file in files_below(root)]


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        pytest.param("a/b/c.txt", True, id="deep"),
        pytest.param(".hidden/a", True, id="hidden"),
        pytest.param("a/x.pyc", False, id="bytecode"),
        pytest.param("a/__pycache__/x.txt", False, id="bytecodes-folder"),
        pytest.param("a/.git/config", False, id="repository"),
        pytest.param("a/.git", False, id="link-to-a-repository"),
    ],
)
def test_files_below_a_folder(tmp_path: Path, path: str, is_there: bool) -> None:
    """All, but for what Python and git make for themselves."""
    assert below(tmp_path, path) == [path] * is_there


def test_files_are_sorted_folder_by_folder(tmp_path: Path) -> None:
    """The order on disk means nothing."""
    assert below(tmp_path, "b.txt", "a/z.txt", "a/b.txt", "c/a.txt") == [
        "a/b.txt",
        "a/z.txt",
        "b.txt",
        "c/a.txt",
    ]


def test_environment_inside_is_left_out_and_the_folder_itself_is_not(tmp_path: Path) -> None:
    """Who includes an environment by name gets it."""
    assert below(tmp_path, "a.txt", "venv/pyvenv.cfg") == ["a.txt"]
    assert [file.name for file in files_below(tmp_path / "venv")] == ["pyvenv.cfg"]


def test_file_is_its_own_only_file(tmp_path: Path) -> None:
    """Unless it is bytecode."""
    write_tree(tmp_path, {"a.txt": "", "a.pyc": ""})

    assert list(files_below(tmp_path / "a.txt")) == [tmp_path / "a.txt"]
    assert list(files_below(tmp_path / "a.pyc")) == []


def test_link_that_leads_back_ends(tmp_path: Path) -> None:
    """Links are followed, each folder once on its path."""
    write_tree(tmp_path, {"a/x.txt": ""})
    (tmp_path / "a/loop").symlink_to(tmp_path)

    assert [file.relative_to(tmp_path).as_posix() for file in files_below(tmp_path)] == ["a/x.txt"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        pytest.param("*.txt", ["a.txt", "b.txt"], id="star"),
        pytest.param("**/*.txt", ["a.txt", "b.txt", "c/d.txt"], id="stars"),
        pytest.param("c", ["c"], id="name"),
        pytest.param("x*", [], id="nothing"),
        pytest.param(".", [], id="the-folder-itself"),
        pytest.param("a**b", [], id="refused-by-pathlib"),
        pytest.param("**", ["a.txt", "b.txt", "c", "c/d.txt"], id="all-that-is-in-it"),
        pytest.param("c/**", ["c/d.txt"], id="all-that-is-in-a-folder"),
        pytest.param("**/d.*", ["c/d.txt"], id="deep"),
        pytest.param("?.txt", ["a.txt", "b.txt"], id="one-letter"),
        pytest.param("[!a].txt", ["b.txt"], id="letters"),
        pytest.param("*/d.txt", ["c/d.txt"], id="folder"),
        pytest.param("A.TXT", [], id="case"),
        pytest.param("a.txt/*", [], id="file-is-no-folder"),
        pytest.param("", [], id="empty"),
    ],
)
def test_matching_is_sorted_and_never_fails(tmp_path: Path, pattern: str, found: list[str]) -> None:
    """A pattern that means nothing finds nothing."""
    write_tree(tmp_path, dict.fromkeys(["b.txt", "a.txt", "c/d.txt"], ""))

    assert [path.relative_to(tmp_path).as_posix() for path in matching(tmp_path, pattern)] == found


def test_stars_follow_no_links(tmp_path: Path) -> None:
    """They would never end where one leads up; a name, or a star, is followed."""
    write_tree(tmp_path, {"a/b.txt": ""})
    (tmp_path / "l").symlink_to("a")

    assert [path.name for path in matching(tmp_path, "**")] == ["a", "b.txt", "l"]
    assert matching(tmp_path, "*/b.txt") == [tmp_path / "a/b.txt", tmp_path / "l/b.txt"]


@pytest.mark.parametrize(
    ("parts", "depth", "is_outside"),
    [
        pytest.param(("a/b",), 0, False, id="below"),
        pytest.param(("..", "a"), 0, True, id="up"),
        pytest.param(("..", "a"), 1, False, id="up-as-far-as-may-be"),
        pytest.param(("../..", "a"), 1, True, id="farther-up"),
        pytest.param(("a", "../b"), 1, True, id="down-and-up"),
        pytest.param(("/a",), 9, True, id="absolute"),
        pytest.param((".", "/a"), 9, True, id="absolute-part"),
        pytest.param((".", "./a"), 0, False, id="dots"),
    ],
)
def test_what_leaves_a_folder(parts: tuple[str, ...], depth: int, is_outside: bool) -> None:
    """A path that goes up is outside, or may be where there are links."""
    assert leaves(*parts, depth=depth) is is_outside


@pytest.mark.parametrize("kind", ["pipe", "large", "gone", "folder"])
def test_sources_are_read_within_bounds(tmp_path: Path, kind: str) -> None:
    """What would hang or fill the memory is no source."""
    path = tmp_path / "a.py"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(MAX_SOURCE + 1)
    elif kind == "folder":
        path.mkdir()

    assert read_source(path) == b""


def test_absolute_pattern_is_looked_for_where_it_says(tmp_path: Path) -> None:
    """Whatever the root is."""
    write_tree(tmp_path, {"a.txt": ""})

    assert list(matching(Path("/nowhere"), f"{tmp_path}/*.txt")) == [tmp_path / "a.txt"]


@pytest.mark.parametrize(
    ("file", "is_out"),
    [
        pytest.param("/p/a.txt", True, id="named"),
        pytest.param("/p/b/c/d.txt", True, id="in-a-folder-that-is-named"),
        pytest.param("/p/bc.txt", False, id="begins-alike"),
        pytest.param("/elsewhere/a.txt", False, id="outside-the-project"),
    ],
)
def test_excluded_is_what_is_named_and_what_is_in_it(file: str, is_out: bool) -> None:
    """Paths are relative to the project, and say nothing of files elsewhere."""
    assert ExcludedPaths(Path("/p"), frozenset({"a.txt", "b"})).has(Path(file)) is is_out


def test_excluded_by_patterns(tmp_path: Path) -> None:
    """`exclude` of [tool.poetry] has globs."""
    write_tree(tmp_path, {"a.txt": "", "b/c.txt": "", "d.py": ""})

    assert ExcludedPaths.of(tmp_path, ["**/*.txt"]).paths == {"a.txt", "b/c.txt"}


def test_name_that_is_no_utf_8_is_refused() -> None:
    """A ZIP's names are UTF-8, so none can be given."""
    with pytest.raises(ProjectError, match=r"The name of b'\\xff.txt' is not UTF-8. Rename the file."):
        project_file(os.fsdecode(b"\xff.txt"), Path("x"))
