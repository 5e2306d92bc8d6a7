"""What a project's own METADATA says, whichever Poetry reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.poetry_api.project import LICENCE_PATTERNS
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
        ("Requires-Python", "<4,>=3.10"),
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


@pytest.mark.parametrize(
    ("licence", "field"),
    [
        ('"MIT"', ("License-Expression", "MIT")),
        (
            '"MIT OR (Apache-2.0 WITH LLVM-exception)"',
            ("License-Expression", "MIT OR (Apache-2.0 WITH LLVM-exception)"),
        ),
        ('"All rights reserved"', ("License", "All rights reserved")),
        ('{text = "MIT"}', ("License", "MIT")),
    ],
)
def test_licence_is_an_expression_or_words(tmp_path: Path, licence: str, field: tuple[str, str]) -> None:
    """What can't be an SPDX expression is told as it is written, whatever names Poetry knows."""
    assert fields(tmp_path, f'[project]\nname = "a"\nversion = "1"\nlicense = {licence}\n') == [field]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (">=3.9,!=3.10.*,<4", "!=3.10.*,<4,>=3.9"),
        ("~=3.9", "~=3.9"),
        ("3.11", ">=3.11,<3.12"),
        ("3.11.*", "==3.11.*"),
        ("^3.9", ">=3.9,<4.0"),
        ("~3.9 || ~3.12", ">=3.9,<3.13,!=3.10.*,!=3.11.*"),
        ("^2.7 || ^3.2", ">=2.7,<4.0,!=3.0.*,!=3.1.*"),
        ("<3.12 || >=3.13", "!=3.12.*"),
    ],
)
def test_python_constraint_is_as_the_standard_has_it(tmp_path: Path, written: str, expected: str) -> None:
    """Releases of Poetry write what the standard can't say in ways of their own; here there is one."""
    pyproject = (
        f'[tool.poetry]\nname = "a"\nversion = "1"\n[tool.poetry.dependencies]\npython = "{written}"\n'
    )

    assert fields(tmp_path, pyproject) == [("Requires-Python", expected)]


def test_requirement_on_two_ranges(tmp_path: Path) -> None:
    """The standard has no "or" for versions: the range that holds both is required."""
    dependencies = """
a = {version = "^1 || ^3", python = ">=3.10"}
b = "<1 || >=3"
c = "==1.2.* || ==1.4.*"
d = ">=1.0.post1,<2.0.dev0"
"""
    pyproject = f'[tool.poetry]\nname = "a"\nversion = "1"\n[tool.poetry.dependencies]\n{dependencies}'

    assert [value for _, value in fields(tmp_path, pyproject)] == [
        'a<4,>=1; python_version >= "3.10"',
        "b",
        "c<1.5,>=1.2",
        "d<2.0,>=1.0.post1",
    ]


@pytest.mark.parametrize(
    ("project", "patterns"),
    [
        ('license-files = ["LICENCES/*"]', ("LICENCES/*",)),
        ("license-files = []", ()),
        ('license = {file = "COPYRIGHT"}', (*LICENCE_PATTERNS, "COPYRIGHT")),
        ('license = {file = "/etc/hostname"}', LICENCE_PATTERNS),
        ('license = {file = "../COPYRIGHT"}', LICENCE_PATTERNS),
    ],
)
def test_licence_files(tmp_path: Path, project: str, patterns: tuple[str, ...]) -> None:
    """They are those that are named, on each Poetry, and none of the host's."""
    pyproject = f'[project]\nname = "a"\nversion = "1"\n{project}\n'

    assert read_facts(write_tree(tmp_path, {"pyproject.toml": pyproject})).licence_patterns == patterns
