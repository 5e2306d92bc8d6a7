"""AWS's own images to build on, which have a runtime's operating system, Python and compilers.

Their names and tags are those of the AWS page "Image repositories" (AWS SAM developer guide), read in
November 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from poetry_lambda_plugin.runtime.platform import Target


DOCKER_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What Docker calls each architecture."""

OLDEST_PYTHON = (3, 10)
"""What this plugin needs of the image's Python."""


def build_command(target: Target) -> str | None:
    """Return what to type in the project's folder to bundle on the target's image; None where none will do.

    It stands in double quotes only, so that POSIX shells and PowerShell understand it alike.
    """
    runtime, architecture = target.runtime, target.architecture
    if runtime.preview or not runtime.known or runtime.python < OLDEST_PYTHON:
        return None
    bundle = f"poetry lambda-bundle --runtime {runtime.name} --architecture {architecture}"
    return (
        f'docker run --rm --platform {DOCKER_PLATFORMS[architecture]} -v "${{PWD}}:/work" -w /work '
        f"public.ecr.aws/sam/build-{runtime.name}:latest-{architecture} "
        f'sh -c "pip install -q poetry poetry-lambda-plugin && {bundle}"'
    )
