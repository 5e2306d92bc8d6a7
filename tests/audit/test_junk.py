"""Which of a user's files nobody means to deploy, and which only look like it."""

from __future__ import annotations

import io
import zipfile

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.audit.junk import junk
from poetry_lambda_plugin.layout.plan import BundlePlan
from tests.support.values import PROJECT
from tests.support.values import plan


if TYPE_CHECKING:
    from pathlib import Path


def told(*paths: str, included: tuple[str, ...] = (), owner: str = PROJECT) -> list[tuple[str, str | None]]:
    files = {owner: dict.fromkeys(paths, "x")}
    return [(finding.severity, finding.where) for finding in junk(plan(files), PROJECT, included)]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "my_fn/node_modules/a/index.js",
            ".mypy_cache/a.json",
            ".tox/a",
            ".terraform/a",
            "cdk.out/a",
            ".idea/a",
        ),
        *("my_fn/.DS_Store", "Thumbs.db", "._handler.py", ".handler.py.swp", "handler.py~", "#a.py#"),
        *("infra/terraform.tfstate", "terraform.tfstate.backup", ".coverage", ".coverage.host.1"),
    ],
)
def test_is_told(path: str) -> None:
    ((severity, where),) = told(path)

    assert severity == "warning"
    assert where is not None
    assert path.startswith(where)


@pytest.mark.parametrize("path", ["my_fn/tests/test_a.py", "analysis.ipynb"])
def test_is_a_remark_where_it_may_be_meant(path: str) -> None:
    assert [severity for severity, _ in told(path)] == ["remark"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "my_fn/tests.py",
            "node_modules.py",
            "data.zip",
            "my_fn/coverage",
            "idea/a",
            ".well-known/a",
            "_x.py",
        ),
        *("my_fn/testing/a.py", "cdk/out", "main.tf", "swap.swp.txt", "._", "store/DS_Store"),
    ],
)
def test_is_fine(path: str) -> None:
    assert told(path) == []


def test_what_is_named_is_meant() -> None:
    """Neither a name nor a pattern in `include` comes by accident, unlike what lies in a folder included."""
    paths = ("web/node_modules/a.js", "a.ipynb", "web/.DS_Store")

    assert told(*paths, included=("web/node_modules", "*.ipynb")) == [("warning", "web/.DS_Store")]
    assert told(*paths, included=("web", "**")) == [
        ("remark", "a.ipynb"),
        ("warning", "web/.DS_Store"),
        ("warning", "web/node_modules/"),
    ]


def test_dependencies_are_passed_over() -> None:
    assert told("dep/node_modules/a.js", "dep/.DS_Store", owner="dep") == []


def test_knows_a_former_bundle(tmp_path: Path) -> None:
    """A ZIP that holds the project itself is one; another project's, and what is no ZIP, are data."""
    entries = []
    for name, info in (("old", "my_fn-0.1.0"), ("layer", "other-1.0"), ("text", "")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(f"python/{info}.dist-info/METADATA", "")
        path = tmp_path / f"{name}.zip"
        path.write_bytes(buffer.getvalue() if info else b"text")
        entries.append(Entry(path.name, FileContent(path, path.stat().st_size), owner=PROJECT))
    bundle = BundlePlan(entries=tuple(entries), distributions=(), findings=())

    assert [finding.where for finding in junk(bundle, PROJECT, ())] == ["old.zip"]


def test_says_what_to_do() -> None:
    """What lies in one folder, or is of one kind, is told once."""
    files = {
        PROJECT: {
            "node_modules/a.js": "x" * 1024,
            "node_modules/b/c.js": "",
            "a/.DS_Store": "",
            ".DS_Store": "",
        }
    }

    assert [finding.message for finding in junk(plan(files), PROJECT, ())] == [
        (
            "'.DS_Store' and 1 more file are what a file manager left (0.0 KB), and no function needs "
            "that, by all appearances. Leave it out with exclude = ['/.DS_Store'], or, where it is meant "
            "to be there, write ignore = ['junk:.DS_Store']."
        ),
        (
            "'node_modules/' is packages of Node.js (2 files, 1.0 KB), and no function needs that, by all "
            "appearances. Leave it out with exclude = ['/node_modules/'], or, where it is meant to be "
            "there, write ignore = ['junk:node_modules/']."
        ),
    ]
