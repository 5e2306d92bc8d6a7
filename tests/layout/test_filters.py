"""`exclude` patterns are those of gitignore."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.filters import PatternError


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        pytest.param((), "a.py", False, id="no-patterns"),
        pytest.param(("*.md",), "README.md", True, id="glob-at-root"),
        pytest.param(("*.md",), "a/b/README.md", True, id="glob-below"),
        pytest.param(("/*.md",), "a/README.md", False, id="anchored-glob"),
        pytest.param(("tests",), "a/tests/x.py", True, id="name-of-a-folder"),
        pytest.param(("tests",), "a/tests.py", False, id="whole-names-only"),
        pytest.param(("tests/",), "a/tests/x.py", True, id="folder"),
        pytest.param(("tests/",), "a/tests", False, id="folder-is-no-file"),
        pytest.param(("a/tests",), "a/tests/x.py", True, id="path-is-anchored"),
        pytest.param(("a/tests",), "b/a/tests/x.py", False, id="path-is-anchored-at-the-root"),
        pytest.param(("**/data/*.json",), "a/b/data/x.json", True, id="two-stars"),
        pytest.param(("a/**/x.py",), "a/x.py", True, id="two-stars-match-nothing"),
        pytest.param(("a/*.py",), "a/b/x.py", False, id="star-stays-in-its-folder"),
        pytest.param(("x?.py",), "x1.py", True, id="question-mark"),
        pytest.param(("x[0-3].py",), "x4.py", False, id="range"),
        pytest.param(("*.json", "!keep.json"), "a/keep.json", False, id="negated"),
        pytest.param(("!keep.json", "*.json"), "a/keep.json", True, id="last-match-decides"),
        pytest.param(("data/", "!data/keep.json"), "data/keep.json", False, id="folder-negated-in-part"),
        pytest.param(("data/*", "!data/keep.json"), "data/keep.json", False, id="folders-content-negated"),
        pytest.param(("# *.py",), "a.py", False, id="comment"),
        pytest.param(("",), "a.py", False, id="empty"),
        pytest.param((r"\!x",), "!x", True, id="escaped"),
        pytest.param(("*.PY",), "a.py", False, id="case-matters"),
        pytest.param(("größe.*",), "a/größe.py", True, id="non-ascii"),
    ],
)
def test_excludes(patterns: tuple[str, ...], path: str, excluded: bool) -> None:
    """Each rule of gitignore holds for paths in the bundle."""
    assert PathFilter(patterns).excludes(path) is excluded


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_refuses_pattern(pattern: str) -> None:
    """A pattern without meaning is named."""
    with pytest.raises(PatternError) as caught:
        PathFilter((pattern,)).excludes("a.py")

    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        pytest.param("@tests", "thing/test/x.py", True, id="test"),
        pytest.param("@tests", "thing/tests/x.py", True, id="tests"),
        pytest.param("@tests", "thing/conftest.py", True, id="conftest"),
        pytest.param("@tests", "thing/testing.py", False, id="module-for-the-tests-of-others"),
        pytest.param("@tests", "django/test/client.py", False, id="djangos-public-module"),
        pytest.param("@tests", "django/contrib/tests/x.py", True, id="djangos-own-tests"),
        pytest.param("@tests", "thing-1.0.dist-info/tests/x.py", False, id="metadata"),
        pytest.param("@type-stubs", "thing/stub.pyi", True, id="stub"),
        pytest.param("@type-stubs", "thing/py.typed", False, id="marker-of-types"),
        pytest.param("@headers-and-sources", "thing/fast.c", True, id="source"),
        pytest.param("@headers-and-sources", "thing/include/fast.h", True, id="header"),
        pytest.param("@docs", "docs/index.html", True, id="docs"),
        pytest.param("@docs", "README.md", True, id="readme"),
        pytest.param("@docs", "thing/docs/__init__.py", False, id="module-called-docs"),
        pytest.param("@docs", "thing-1.0.dist-info/README.md", False, id="readme-of-the-metadata"),
        pytest.param("*.md", "thing-1.0.dist-info/README.md", True, id="pattern-hits-metadata"),
    ],
)
def test_sets(pattern: str, path: str, excluded: bool) -> None:
    """A set is its patterns, but never touches dist-info."""
    assert PathFilter((pattern,)).excludes(path) is excluded


def test_negation_keeps_something_of_a_set() -> None:
    """As of any pattern before it."""
    kept = PathFilter(("@tests", "!thing/tests/keep/"))

    assert kept.excludes("thing/tests/x.py")
    assert not kept.excludes("thing/tests/keep/x.py")
