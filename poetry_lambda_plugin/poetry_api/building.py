"""Wheels built by their own backends, in Poetry's isolated environments."""

from __future__ import annotations

import os
import subprocess
import warnings

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

import build

from build import BuildBackendException
from poetry.installation.chef import Chef
from poetry.utils.isolated_build import IsolatedBuildBackendError

from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.poetry_api.git import environment_of_builds


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poetry.poetry import Poetry
    from poetry.utils.env import Env


class BuildError(Exception):
    """A build that failed."""

    def __init__(self, log: str) -> None:
        self.log = log
        super().__init__(log)


class Builder:
    """Builds wheels, whose requirements come from the project's indexes."""

    def __init__(self, poetry: Poetry) -> None:
        self._poetry = poetry

    def build(
        self, source: Path, name: str, interpreter: Path, destination: Path, build_base: Path | None = None
    ) -> Path:
        """Build a wheel from a folder or an sdist; raises BuildError.

        The user's `installer.build-config-settings` and the project's build constraints are honoured. With
        `build_base`, setuptools (64 and newer) takes no modules of an earlier build from the source's
        `build/lib`.
        """
        wishes = self._wishes(name)
        if build_base is not None:
            elsewhere = {"--build-option": ["build", f"--build-base={build_base}"]}
            wishes["config_settings"] = {**elsewhere, **wishes.get("config_settings", {})}
        # of the environment, Chef asks for nothing but the interpreter
        environment = cast("Env", SimpleNamespace(python=interpreter))
        chef = Chef(self._poetry.pool.artifact_cache, environment, self._poetry.pool)
        try:
            return chef.prepare(source, output_dir=destination, **wishes)
        except Exception as error:
            # build backends, their requirements and Poetry's resolver fail in more ways than can be listed
            raise BuildError(_log(error)) from error

    def _wishes(self, name: str) -> dict[str, Any]:
        """Return what the user says of a package's build."""
        settings = self._poetry.config.get("installer.build-config-settings") or {}
        wishes = {"config_settings": settings[name]} if name in settings else {}
        # since 2.3
        constraints = getattr(self._poetry, "build_constraints", {}).get(name)
        return {**wishes, "build_constraints": constraints} if constraints else wishes


@contextmanager
def quiet_reproducible_builds() -> Iterator[None]:
    """Let build backends take 1980 for "now", and keep their advice to packagers from the user.

    Where they ask git, as poetry-core does, it runs nothing that their sources bring along.

    It is the environment and the filters of this whole process that change, since backends inherit the one
    (reproducible-builds.org/specs) and `build` repeats their warnings in ours.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or str(EARLIEST)
    changed = {"SOURCE_DATE_EPOCH": epoch, **environment_of_builds()}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="build|setuptools")
            # of build 1.3 and newer
            category = getattr(build, "BuildBackendWarning", UserWarning)
            warnings.simplefilter("ignore", category)
            yield
    finally:
        for name in changed:
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _log(error: Exception) -> str:
    """Return what a build wrote before it failed."""
    if isinstance(error, IsolatedBuildBackendError):
        error = error.exception
    if isinstance(error, BuildBackendException) and isinstance(
        error.exception, subprocess.CalledProcessError
    ):
        output = error.exception.stdout or b""
        errors = error.exception.stderr or b""
        text = b"\n".join(part for part in (output, errors) if part).decode("utf-8", "replace")
        return text or str(error)
    return str(error) or repr(error)
