"""What the audit says of real stacks, held against really importing them with the runtime's Python."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import zipfile

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from tests.end_to_end.test_real_projects import PROJECTS
from tests.end_to_end.test_real_projects import target_python
from tests.support.runner import bundle
from tests.support.runner import run


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.projects import Project


pytestmark = pytest.mark.network

STACKS = {
    "fastapi mangum httpx": "fastapi, fastapi.testclient, mangum",
    "aws-lambda-powertools[parser,tracer] boto3": "aws_lambda_powertools.utilities.parser",
    "django djangorestframework": "django.core.handlers.wsgi, django.db.models",
    "sqlalchemy[asyncio] psycopg[binary] asyncpg pymysql alembic": "sqlalchemy.ext.asyncio, alembic.command",
    "pandas pyarrow openpyxl": "pandas, pyarrow.dataset, openpyxl",
    "opentelemetry-sdk opentelemetry-exporter-otlp": "opentelemetry.sdk.trace",
    "aioboto3 aws-xray-sdk pynamodb": "aioboto3, aws_xray_sdk.core, pynamodb.models",
    "langchain langchain-openai": "langchain.agents, langchain_openai",
    "s3fs zarr": "s3fs, fsspec.implementations.http",
    "lxml beautifulsoup4 html5lib cssselect": "lxml.html, bs4, html5lib, lxml.cssselect",
    "requests-html": "requests_html",
    "pillow imageio qrcode": "PIL.Image, imageio.v3, qrcode",
    "pyjwt[crypto] python-jose[cryptography] paramiko": "jwt, jose.jwt, paramiko",
    "aiohttp uvloop httpx[http2] websockets": "aiohttp.web, uvloop, h2.connection, websockets",
    "grpcio google-cloud-storage google-cloud-pubsub": "google.cloud.storage, google.cloud.pubsub_v1",
    "sentry-sdk structlog": "sentry_sdk.integrations.aws_lambda, structlog",
    "jinja2 pyyaml mako pygments": "jinja2, yaml, mako.template, pygments.lexers",
    "celery[redis]": "celery.backends.redis",
    "pydantic-settings sqlmodel": "pydantic_settings, sqlmodel, pydantic.v1",
    "requests requests-oauthlib tenacity": "requests.packages.urllib3, requests_oauthlib, tenacity",
    "numpy scipy scikit-learn": "scipy.stats, sklearn.ensemble",
    "polars duckdb": "polars, duckdb",
    "openai anthropic tiktoken": "openai, anthropic, tiktoken",
    "redis pymongo kafka-python": "redis.asyncio, pymongo, kafka",
    "flask flask-sqlalchemy marshmallow": "flask_sqlalchemy, marshmallow",
}
"""Requirements, and what a handler imports of them."""

ON_RUNTIME = frozenset({*RUNTIME_PACKAGES, "jmespath", "python-dateutil", "six", "urllib3"})
"""What a function may do without, and this machine's Python lacks."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "eu-west-1"}


def is_importable(folder: Path, module: str) -> bool:
    """Really import a module, in an empty environment, from a folder alone."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}"
    command = [target_python(), "-I", "-S", "-B", "-c", code]
    return (
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize(("requirements", "modules"), STACKS.items(), ids=list(STACKS))
def test_says_of_a_stack_what_importing_it_says(requirements: str, modules: str, project: Project) -> None:
    """A bundle is refused where its handler can't be imported, and nowhere else."""
    config = 'runtime = "python3.12"\nmax-size = "none"\nhandler = "app.handler"'
    project.pyproject(
        python=">=3.12,<3.13", dependencies=requirements.split(), tool="[tool.poetry]\npackage-mode = false",
        config=config,
    )  # fmt: skip
    project.write({"app.py": f"import {modules}\n\ndef handler(event, context): ...\n"})
    if run("lock").exit_code:
        pytest.skip("the index can't be locked from")

    audited, plain = bundle(), bundle("--no-audit")
    assert plain.exit_code == 0, plain.error
    with zipfile.ZipFile("dist/my-fn.zip") as archive:
        archive.extractall("task")

    assert (audited.exit_code == 0) == is_importable(Path("task").absolute(), "app"), audited.error


@pytest.mark.parametrize("name", ["small", "medium"])
def test_misses_what_is_removed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of packages left out one at a time, nine in ten that break the import are told, and no other."""
    shutil.copytree(PROJECTS / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    module = f"{name}_fn" if Path(f"{name}_fn/__init__.py").read_text() else f"{name}_fn.app"
    file = Path("pyproject.toml")
    table = f'\n[tool.poetry-lambda-plugin]\nruntime = "python3.12"\nhandler = "{module}.handler"\n'
    file.write_text(file.read_text(encoding="utf-8") + table, encoding="utf-8")
    bundled = [p["name"] for p in bundle("--format", "json", "-o", "full.zip").report["packages"][:-1]]
    packages = [name for name in bundled if name not in ON_RUNTIME]
    with zipfile.ZipFile("full.zip") as archive:
        archive.extractall("task")

    verdicts = {}
    for package in packages:
        report = bundle("--exclude-package", package, "--dry-run", "--format", "json").report
        with without(
            Path("task").absolute(), {left["name"] for left in report["left_out_packages"]}
        ) as folder:
            verdicts[package] = (report["status"] == "failed", not is_importable(folder, module))

    broken = [said for said, is_broken in verdicts.values() if is_broken]
    assert not [package for package, (said, is_broken) in verdicts.items() if said and not is_broken]
    assert broken.count(True) >= 0.9 * len(broken), verdicts


@contextmanager
def without(task: Path, distributions: set[str]) -> Iterator[Path]:
    """Take the files of some distributions out of an unpacked bundle for a while."""
    hidden = task.with_name("hidden")
    for record in sorted(task.glob("*.dist-info/RECORD")):
        if (
            canonicalize_name(record.parent.name.removesuffix(".dist-info").rpartition("-")[0])
            in distributions
        ):
            paths = [
                task / row[0] for row in csv.reader(record.read_text(encoding="utf-8").splitlines()) if row
            ]
            for path in filter(Path.exists, paths):
                place = hidden / path.relative_to(task)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, place)  # noqa: PTH105
    # an empty folder could be imported, and no ZIP has any
    for folder in sorted((path for path in task.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    yield task
    shutil.copytree(hidden, task, dirs_exist_ok=True)
    shutil.rmtree(hidden)
