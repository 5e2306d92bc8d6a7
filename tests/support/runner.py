"""`poetry lambda-bundle` in this process, as Poetry itself would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from cleo.io.inputs.argv_input import ArgvInput
from cleo.io.outputs.buffered_output import BufferedOutput
from poetry.config import config
from poetry.console.application import Application


if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    exit_code: int
    output: str
    error: str

    @property
    def message(self) -> str:
        """The error as one line, so that a test can compare words without caring for the wrapping."""
        return " ".join(self.error.split())

    @property
    def report(self) -> dict[str, Any]:
        """The only bundle of a JSON report."""
        (bundle,) = json.loads(self.output)["bundles"]
        assert isinstance(bundle, dict)
        return bundle


def run(*arguments: str, decorated: bool = False) -> Outcome:
    """Run `poetry ARGUMENTS` in the current folder with a fresh application."""
    # Poetry keeps its configuration for the life of the process
    config._default_config = None
    application = Application()
    application.auto_exits(False)
    output, error = BufferedOutput(decorated=decorated), BufferedOutput(decorated=decorated)
    code = application.run(ArgvInput(["poetry", *arguments]), output, error)
    return Outcome(code, output.fetch(), error.fetch())


def bundle(*arguments: str) -> Outcome:
    """Run `poetry lambda-bundle ARGUMENTS`."""
    return run("lambda-bundle", *arguments)


def start_apart(folder: Path, *arguments: str, hook: str = "", **environment: str) -> subprocess.Popen[str]:
    """Start `poetry ARGUMENTS` in a process of its own; `hook` is Python that it runs before anything else.

    The hook is written to a folder that there may be already.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(hook, encoding="utf-8")
    path = os.pathsep.join([str(folder), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "poetry", *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_apart(folder: Path, *arguments: str, hook: str = "", **environment: str) -> Outcome:
    """Run `poetry ARGUMENTS` in a process of its own, as `start_apart` starts it."""
    process = start_apart(folder, *arguments, hook=hook, **environment)
    output, error = process.communicate(timeout=60)
    return Outcome(process.returncode, output, error)


def contents(path: Path) -> dict[str, bytes]:
    """Return a ZIP's files, each checked by Python's own reader."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {member.filename: archive.read(member) for member in archive.infolist()}
