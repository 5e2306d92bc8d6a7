"""What is read of a project, and whether it has to be built."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.poetry_api.facts import PackagesItem
from poetry_lambda_plugin.poetry_api.facts import is_built_by_poetry_core
from poetry_lambda_plugin.poetry_api.project import ProjectFileError
from poetry_lambda_plugin.poetry_api.project import read_document
from poetry_lambda_plugin.poetry_api.project import read_facts
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


POETRY = {"build-backend": "poetry.core.masonry.api"}
SETUPTOOLS = {"build-backend": "setuptools.build_meta"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"build-system": POETRY}, True, id="poetry-core"),
        pytest.param({"build-system": SETUPTOOLS}, False, id="another backend"),
        pytest.param({}, False, id="nothing said: setuptools"),
        pytest.param({"tool": {"poetry": {"name": "a"}}}, True, id="Poetry's table alone"),
        pytest.param(
            {"build-system": SETUPTOOLS, "tool": {"poetry": {"package-mode": False}}}, True, id="no package"
        ),
        pytest.param(
            {"build-system": POETRY, "tool": {"poetry": {"build": {"script": "build.py"}}}},
            False,
            id="script",
        ),
        pytest.param(
            {"build-system": POETRY, "tool": {"poetry": {"build": "build.py"}}}, False, id="script, short"
        ),
        pytest.param({"build-system": POETRY, "tool": {"poetry": {"build": {}}}}, True, id="empty table"),
    ],
)
def test_whose_files_are_all_there_is(document: dict[str, Any], expected: bool) -> None:
    """Only poetry-core, and only without a script, builds nothing but what lies in the folder."""
    assert is_built_by_poetry_core(document) is expected


def test_facts_of_a_project(tmp_path: Path) -> None:
    """All that the plugin asks of pyproject.toml comes out as plain values."""
    folder = write_tree(
        tmp_path,
        {
            "pyproject.toml": """
[project]
name = "My.Fn"
version = "1.0.0"
description = "Says   hello."
requires-python = ">=3.10,<3.14"
scripts = { hello = "my_fn:main" }
[tool.poetry]
packages = [
    { include = "my_fn", from = "src", to = "lib" },
    { include = "docs", format = "sdist" },
]
include = ["data.json", { path = "more.json", format = "wheel" }, { path = "notes", format = "sdist" }]
exclude = ["*.log"]
"""
        },
    )

    facts = read_facts(folder)

    assert (facts.root, facts.name, facts.pretty_name, facts.version) == (folder, "my-fn", "My.Fn", "1.0.0")
    assert facts.summary == "Says hello."
    assert (facts.allows("3.13.1"), facts.allows("3.14.0")) == (True, False)
    assert facts.python_versions == ">=3.10,<3.14"
    assert facts.packages == (PackagesItem("my_fn", "src", "lib"),)
    assert "more.json" in facts.include
    assert "notes" not in facts.include
    assert facts.exclude == ("*.log",)
    assert facts.entry_points == {"console-scripts": {"hello": "my_fn:main"}}
    assert facts.document["project"]["name"] == "My.Fn"
    assert not facts.needs_build


def test_nameless_project_has_its_folders_name(tmp_path: Path) -> None:
    """A project without a name is called as its folder is."""
    folder = write_tree(tmp_path / "My_Fn", {"pyproject.toml": "[tool.poetry]\npackage-mode = false\n"})

    facts = read_facts(folder)

    assert (facts.name, facts.is_package_mode, facts.packages) == ("my-fn", False, None)


def test_document_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the file once, and what is wrong with it."""
    write_tree(tmp_path, {"pyproject.toml": "[project\n"})

    with pytest.raises(
        ProjectFileError, match=r"pyproject\.toml can't be read: .* Correct the file\."
    ) as raised:
        read_document(tmp_path)
    assert str(raised.value).count("pyproject.toml") == 1


def test_missing_document_is_empty(tmp_path: Path) -> None:
    """A folder with nothing but setup.py says nothing."""
    assert read_document(tmp_path) == {}
