"""What the documents say to write into the files of other tools, read as those tools read it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess

from pathlib import Path
from textwrap import indent
from typing import Any
from typing import NamedTuple

import pytest


yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
"""


class Snippet(NamedTuple):
    """A block of code, and where it stands."""

    name: str
    language: str
    text: str


def snippets(*languages: str) -> list[Snippet]:
    """Return the blocks of some languages in all documents."""
    return [
        Snippet(f"{path.name}-{text.count(chr(10), 0, match.start()) + 1}", match[1], match[2])
        for path in DOCUMENTS
        for text in [path.read_text(encoding="utf-8")]
        for match in BLOCK.finditer(text)
        if match[1] in languages
    ]


def by_name(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("snippet", snippets(*languages), ids=lambda snippet: snippet.name)


def test_languages_are_those_that_are_read_here() -> None:
    """No block escapes for the name of its language; TOML is held against the schema elsewhere."""
    languages = {match[1] for path in DOCUMENTS for match in BLOCK.finditer(path.read_text(encoding="utf-8"))}

    assert languages <= {
        "console",
        "dockerfile",
        "hcl",
        "json",
        "make",
        "python",
        "sh",
        "text",
        "toml",
        "yaml",
    }


@by_name("yaml")
def test_yaml(snippet: Snippet) -> None:
    """It is a mapping, whatever tags of CloudFormation it has, and no key is there twice."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined, unused-ignore]
        """Takes `!Ref` and its kind for what they are applied to."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, object]:
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys))
            return dict(super().construct_mapping(node, deep))

    Loader.add_multi_constructor("!", lambda *arguments: arguments[-1].value)

    assert isinstance(yaml.load(snippet.text, Loader), dict)


@pytest.mark.parametrize(
    "snippet",
    [snippet for snippet in snippets("yaml") if "AWS::Serverless::" in snippet.text],
    ids=lambda snippet: snippet.name,
)
def test_sam(snippet: Snippet) -> None:
    """AWS's own linter takes the resource in a template of SAM."""
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    is_whole = bool(re.search(r"^Resources:", snippet.text, re.MULTILINE))
    resources = snippet.text if is_whole else "Resources:\n" + indent(snippet.text, "  ")

    assert api.lint(TEMPLATE + resources, config=api.ManualArgs(regions=["eu-west-1"])) == []


@by_name("hcl")
def test_hcl(snippet: Snippet) -> None:
    """Terraform's language has a reader in Python."""
    hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 is not installed")

    assert {"resource", "data", "module"} & hcl2.loads(snippet.text).keys()


@by_name("python")
def test_python(snippet: Snippet) -> None:
    """It is Python, a part of a larger call included."""
    ast.parse(snippet.text)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@by_name("sh")
def test_sh(snippet: Snippet) -> None:
    """A shell understands it."""
    done = subprocess.run(["bash", "-n", "-c", snippet.text], capture_output=True, text=True)

    assert (done.stderr, done.returncode) == ("", 0)
