"""Bundles uploaded with boto3 to a server that answers as AWS does."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.runner import bundle


if TYPE_CHECKING:
    from tests.support.projects import Project


def test_code_sha256_is_that_of_lambda(locked_project: Project, client: Any, role: str) -> None:
    """The `CodeSha256` that we report is the one that Lambda reports after the upload."""
    report = bundle("--format", "json", "-o", "function.zip").report
    data = (locked_project.folder / "function.zip").read_bytes()

    created = client.create_function(
        FunctionName="created",
        Runtime=report["runtime"],
        Architectures=[report["architecture"]],
        Role=role,
        Handler="my_fn.handler",
        Code={"ZipFile": data},
    )

    assert created["CodeSha256"] == report["code_sha256"]
    assert created["CodeSize"] == report["zipped_bytes"]


def test_update_with_same_project_changes_nothing(locked_project: Project, client: Any, role: str) -> None:
    """A bundle made anew has the `CodeSha256` of the deployed one, so nothing needs to be deployed."""
    first = bundle("--format", "json", "-o", "first.zip").report
    client.create_function(
        FunctionName="updated",
        Runtime=first["runtime"],
        Role=role,
        Handler="my_fn.handler",
        Code={"ZipFile": (locked_project.folder / "first.zip").read_bytes()},
    )
    bundle("-o", "second.zip")

    updated = client.update_function_code(
        FunctionName="updated", ZipFile=(locked_project.folder / "second.zip").read_bytes()
    )

    assert updated["CodeSha256"] == first["code_sha256"]


def test_code_sha256_is_base64_of_the_digest(locked_project: Project) -> None:
    """`code_sha256` and `sha256` are one digest of the file on disk, in the two forms tools ask for."""
    report = bundle("--format", "json", "-o", "function.zip").report

    digest = hashlib.sha256((locked_project.folder / "function.zip").read_bytes())
    assert report["code_sha256"] == base64.b64encode(digest.digest()).decode()
    assert report["sha256"] == digest.hexdigest()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_code_sha256_is_that_of_openssl(locked_project: Project) -> None:
    """`openssl dgst -sha256 -binary | openssl base64`, as AWS's documentation has it, agrees."""
    report = bundle("--format", "json", "-o", "function.zip").report

    command = "openssl dgst -sha256 -binary function.zip | openssl base64"
    printed = subprocess.run(command, shell=True, cwd=locked_project.folder, capture_output=True, text=True)
    assert printed.stdout.strip() == report["code_sha256"]
