"""What a project's own METADATA says, whichever Poetry reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.poetry_api.project import read_facts
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


def fields(folder: Path, pyproject: str) -> list[tuple[str, str]]:
    return list(read_facts(write_tree(folder, {"pyproject.toml": pyproject})).core_metadata)


def test_metadata_of_a_standard_project(tmp_path: Path) -> None:
    """Requirements are sorted and in one spelling, those of extras with their marker."""
    assert fields(
        tmp_path,
        """
[project]
name = "my-fn"
version = "1"
license = "MIT"
requires-python = "<4,>=3.10"
dependencies = ["requests[socks] (>=2.31,<3)", "a; python_version < '3.12'"]

[project.optional-dependencies]
Fast_Json = ["orjson>=3"]
""",
    ) == [
        ("License-Expression", "MIT"),
        ("Requires-Dist", 'a; python_version < "3.12"'),
        ("Requires-Dist", 'orjson>=3; extra == "fast-json"'),
        ("Requires-Dist", "requests[socks]<3,>=2.31"),
        ("Requires-Python", ">=3.10,<4"),
        ("Provides-Extra", "fast-json"),
    ]


def test_metadata_of_poetrys_own_table(tmp_path: Path) -> None:
    """Carets are written out, and neither a path of this machine nor credentials are in it."""
    assert fields(
        tmp_path,
        """
[tool.poetry]
name = "my-fn"
version = "1"
description = ""
authors = []
license = "Proprietary"

[tool.poetry.dependencies]
python = "^3.10"
requests = "^2.31"
shared = {path = "../shared", develop = true}
secret = {git = "https://user:TOKEN@example.invalid/secret.git", rev = "abc"}
""",
    ) == [
        ("License", "Proprietary"),
        ("Requires-Dist", "requests<3.0,>=2.31"),
        ("Requires-Dist", "secret"),
        ("Requires-Dist", "shared"),
        ("Requires-Python", ">=3.10,<4.0"),
    ]


@pytest.mark.parametrize("licence", ['{file = "/etc/hostname"}', '{file = "gone"}'])
def test_licence_of_a_file_is_not_read(tmp_path: Path, licence: str) -> None:
    """It might be the host's."""
    assert fields(tmp_path, f'[project]\nname = "a"\nversion = "1"\nlicense = {licence}\n') == []


def test_licence_text_is_one_line(tmp_path: Path) -> None:
    """A line break would begin another field."""
    pyproject = '[project]\nname = "a"\nversion = "1"\nlicense = {text = "Mine\\nName: other"}\n'

    assert fields(tmp_path, pyproject) == [("License", "Mine Name: other")]
