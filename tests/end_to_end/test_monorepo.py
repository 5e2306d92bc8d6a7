"""The example of three functions with a shared layer and a path dependency, each called as Lambda would."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runtime_api import Reply
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index


EXAMPLE = Path(__file__).parents[1] / "projects/monorepo"
HOST = f"python{sys.version_info[0]}.{sys.version_info[1]}"
ORDER = {"customer": "Ada", "items": [{"name": "Tea", "cents": 350}, {"name": "Milk", "cents": 105}]}

TEMPLATE = (
    "class Template:\n"
    "    def __init__(self, text):\n        self.text = text\n"
    "    def render(self, **values):\n"
    "        text = self.text\n"
    "        for name, value in values.items():\n"
    "            text = text.replace('{{ ' + name + ' }}', str(value))\n"
    "        return text\n"
)
TABULATE = "def tabulate(rows, headers):\n    return '\\n'.join(' '.join(row) for row in [headers, *rows])\n"


@pytest.fixture
def shop(project: Project, index: Index, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The example, locked with wheels of the same names that are made here."""
    folder = project.folder / "shop"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("dist", "__pycache__"))
    monkeypatch.chdir(folder)
    wheels = [
        make_wheel("jinja2", "3.1.6", {"jinja2/__init__.py": TEMPLATE}),
        make_wheel("tabulate", "0.10.0", {"tabulate.py": TABULATE}),
    ]
    index.add(*wheels)
    example = Project(folder)
    text = (folder / "pyproject.toml").read_text().replace("python3.13", HOST)
    example.write(
        {"pyproject.toml": f'{text}\n[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\n'}
    )
    source = {"type": "directory", "url": "libraries/money"}
    jinja2, tabulate = wheels
    example.lock(
        [
            Locked.of(jinja2),
            Locked("money", "1.0", source=source, develop=True),
            Locked.of(tabulate, groups=["reports"]),
        ],
        source=index.url,
    )
    return example


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


@pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="needs awslambdaric")
def test_each_handler_answers(shop: Project, tmp_path: Path) -> None:
    """With the layer where Lambda mounts it, and not without."""
    outcome = bundle()
    assert (outcome.exit_code, outcome.error) == (0, "")
    dist = shop.folder / "dist"
    opt = unpacked(dist / "shared.zip", tmp_path / "opt")
    tasks = {name: unpacked(dist / f"{name}.zip", tmp_path / name) for name in ("api", "mailer", "report")}

    def reply(name: str, event: object) -> Reply:
        return invoke(tasks[name], f"shop.{name}.handler", event, opt)

    assert reply("api", ORDER).body == {"statusCode": 200, "body": "4.55 EUR"}
    assert reply("mailer", ORDER).body == "Dear Ada, your order costs 4.55 EUR."
    assert reply("report", {"orders": [ORDER]}).body == "Customer Total\nAda 4.55 EUR"
    assert invoke(tasks["api"], "shop.api.handler", ORDER).kind == "init/error"
    in_layer = {path.split("/")[1] for path in contents(dist / "shared.zip")}
    assert in_layer == {"jinja2", "jinja2-3.1.6.dist-info", "money", "money-1.0.dist-info"}


def test_change_of_the_library_changes_the_layer_alone(shop: Project) -> None:
    """The functions' digests stay, so that they need not be deployed again."""
    bundle()
    source = (shop.folder / "libraries/money/money/__init__.py").read_text()
    shop.write({"libraries/money/money/__init__.py": source.replace("EUR", "USD")})

    made = json.loads(bundle("--format", "json").output)["bundles"]

    assert {report["bundle"]: report["status"] for report in made} == {
        "shared": "written",
        "api": "unchanged",
        "mailer": "unchanged",
        "report": "unchanged",
    }


def test_document_has_the_examples_tables() -> None:
    """What the document walks through is what is tried here."""
    text = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    tables = text[text.index("[tool.poetry-lambda-plugin]") : text.index("[build-system]")].strip()

    assert f"```toml\n{tables}\n```" in (EXAMPLE.parents[2] / ".github/DEPLOYING.md").read_text(
        encoding="utf-8"
    )
