"""The line that bundles on AWS's own image."""

from __future__ import annotations

import shlex

import pytest

from poetry_lambda_plugin.runtime.build_image import build_command
from tests.support.values import target


def test_line_is_whole() -> None:
    """It mounts the folder it is typed in, and asks for the very target."""
    command = build_command(target("python3.12", "arm64"))

    assert command is not None
    *docker, script = shlex.split(command)
    assert docker == [
        *("docker", "run", "--rm", "--platform", "linux/arm64", "-v", "${PWD}:/work", "-w", "/work"),
        *("public.ecr.aws/sam/build-python3.12:latest-arm64", "sh", "-c"),
    ]
    assert script == (
        "pip install -q poetry poetry-lambda-plugin && "
        "poetry lambda-bundle --runtime python3.12 --architecture arm64"
    )


def test_platform_is_docker_s_own_word() -> None:
    """Docker says amd64 where Lambda says x86_64."""
    assert "--platform linux/amd64 " in (build_command(target("python3.11")) or "")


@pytest.mark.parametrize(
    "runtime",
    [
        pytest.param("python3.9", id="its-python-is-too-old-for-the-plugin"),
        pytest.param("python3.15", id="a-preview"),
        pytest.param("python3.29", id="not-known"),
    ],
)
def test_no_line_where_no_image_will_do(runtime: str) -> None:
    """Rather none than one that fails."""
    assert build_command(target(runtime)) is None
