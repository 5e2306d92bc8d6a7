"""The recipes for folders, taken from the document and tried as far as this machine has the tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.index import Index
    from tests.support.projects import Project


DOCUMENT = (Path(__file__).parents[2] / ".github/DEPLOYING.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## A folder instead of a ZIP\n(.*?)^## ", DOCUMENT, re.MULTILINE | re.DOTALL)

TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
"""


def snippet(language: str) -> str:
    """Return the section's one block of a language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture
def order_mail(project: Project, index: Index, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The function that the recipes are about, and `poetry` on the path."""
    wheel = make_wheel("greeting")
    index.add(wheel)
    project.pyproject("order-mail", dependencies=["greeting"], source=index.url)
    project.write({"order_mail/__init__.py": "", "order_mail/handler.py": "handler = print\n"})
    project.lock([Locked.of(wheel)], source=index.url)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    return project


def held(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.skipif(shutil.which("sam") is None, reason="needs the SAM CLI (pip install aws-sam-cli)")
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_sam_build(order_mail: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sam build` gives the bundle, twice too."""
    resource = "".join(f"  {line}\n" for line in snippet("yaml").splitlines())
    order_mail.write({"template.yaml": TEMPLATE + resource, "Makefile": snippet("make")})
    monkeypatch.setenv("SAM_CLI_TELEMETRY", "0")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    for _ in range(2):
        built = subprocess.run(["sam", "build"], capture_output=True, text=True, timeout=120)
        assert built.returncode == 0, built.stderr

    assert bundle("--runtime", "python3.13", "-o", "a.zip").exit_code == 0
    build = order_mail.folder / ".aws-sam/build"
    assert held(build / "OrderMail") == contents(order_mail.folder / "a.zip")
    assert sorted(path.name for path in build.iterdir()) == ["OrderMail", "template.yaml"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_makefile(order_mail: Project, tmp_path: Path) -> None:
    """What `sam build` does: it calls make with an empty folder."""
    order_mail.write({"Makefile": snippet("make")})
    (tmp_path / "build/OrderMail").mkdir(parents=True)

    environment = {**os.environ, "ARTIFACTS_DIR": str(tmp_path / "build/OrderMail")}
    subprocess.run(["make", "build-OrderMail"], check=True, env=environment, capture_output=True)

    assert {"greeting.py", "order_mail/handler.py"} <= held(tmp_path / "build/OrderMail").keys()
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["OrderMail"]


def test_local_bundling(order_mail: Project, tmp_path: Path) -> None:
    """What CDK does: it calls the class with an empty folder beside others, and renames that."""
    (tmp_path / "cdk.out/bundling-temp-1").mkdir(parents=True)
    source, _ = snippet("python").split("\n\n\n", 1)

    def implements(*interfaces: object) -> Callable[[Any], Any]:
        return lambda implementation: implementation

    names: dict[str, Any] = {
        "jsii": SimpleNamespace(implements=implements),
        "aws_cdk": SimpleNamespace(ILocalBundling=None),
        "subprocess": subprocess,
    }
    exec(source, names)
    done = names["LambdaBundle"](str(order_mail.folder)).try_bundle(
        str(tmp_path / "cdk.out/bundling-temp-1"), image=None
    )

    assert done is True
    assert {"greeting.py", "order_mail/handler.py"} <= held(tmp_path / "cdk.out/bundling-temp-1").keys()
    assert [path.name for path in (tmp_path / "cdk.out").iterdir()] == ["bundling-temp-1"]


def test_dockerfile(order_mail: Project) -> None:
    """The folder that the command writes is the one that is copied, and nothing foreign lies there."""
    (command,) = re.findall(r"after `poetry lambda-bundle (.*?)`:", SECTION)
    (copied,) = re.findall(r"^COPY (\S+)/ \$\{LAMBDA_TASK_ROOT\}/$", snippet("dockerfile"), re.MULTILINE)

    assert bundle(*command.split()).exit_code == 0
    assert {path.partition("/")[0] for path in held(order_mail.folder / copied)} == {
        *("greeting.py", "greeting-1.0.dist-info", "order_mail", "order_mail-0.1.0.dist-info")
    }
    assert [path.name for path in (order_mail.folder / "build").iterdir()] == ["order-mail"]
