"""`poetry lambda-bundle` in processes of its own, which are killed or short of something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import Outcome
from tests.support.runner import bundle
from tests.support.sources import commit_all
from tests.support.sources import poetry_project
from tests.support.sources import write_tree
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from tests.support.index import Index


RUNTIME = f"python3.{sys.version_info[1]}"

COUNTER = """
import atexit
import os
import re
import signal
import sys

under = os.environ.pop("COUNT_UNDER", "")
at = os.environ.pop("KILL_AT", "")
report = os.environ.pop("COUNT_INTO", "")
moments = ("open", "os.", "shutil.")
seen = 0


def count(event, arguments):
    global seen
    if not event.startswith(moments) or not arguments:
        return
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else ""
    if not path.startswith(under):
        return
    seen += 1
    if at == str(seen) or (":" in at and re.fullmatch(at, event + ":" + path)):
        os.kill(os.getpid(), signal.SIGKILL)


def tell():
    with open(report, "w", encoding="ascii") as file:
        file.write(str(seen))


if under:
    sys.addaudithook(count)
if report:
    atexit.register(tell)
"""
"""Counts what Python tells of files below a folder (PEP 578), and ends at one of these moments.

Its variables are taken out of the environment, so that workers and git are spared.
"""


@dataclass(frozen=True)
class Scene:
    """A project, its cache and its temporary folder below one folder, which can be had again as it was."""

    root: Path
    index: Index
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def project(self) -> Project:
        return Project(self.root / "now/project")

    def keep(self) -> None:
        """Take the present state for the one to begin with."""
        shutil.rmtree(self.root / "kept", ignore_errors=True)
        shutil.copytree(self.root / "now", self.root / "kept", symlinks=True)

    def reset(self) -> None:
        shutil.rmtree(self.root / "now")
        shutil.copytree(self.root / "kept", self.root / "now", symlinks=True)

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the scene's folders those of this process and its children."""
        for folder in ("project", "cache", "tmp", "home"):
            (self.root / "now" / folder).mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("POETRY_CACHE_DIR", str(self.root / "now/cache"))
        monkeypatch.setenv("HOME", str(self.root / "now/home"))
        monkeypatch.setenv("TMPDIR", str(self.root / "now/tmp"))
        monkeypatch.setattr(tempfile, "tempdir", str(self.root / "now/tmp"))
        monkeypatch.chdir(self.project.folder)

    def made(self) -> dict[str, bytes | None]:
        """Return the outputs, None for those that aren't there."""
        paths = {name: self.project.folder / name for name in self.outputs}
        return {name: _bytes(path) for name, path in paths.items()}

    def files(self) -> set[str]:
        """Return every path but those of Poetry's own that change from run to run."""
        now = self.root / "now"
        return {path.relative_to(now).as_posix() for path in now.rglob("*") if not path.is_dir()}

    def run(self) -> Outcome:
        """Run to the end, in this process."""
        return bundle(*self.arguments)

    def start(
        self, variables: Mapping[str, str] | None = None, prepare: Callable[[], None] | None = None
    ) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        hook = self.root / "hook"
        hook.mkdir(exist_ok=True)
        (hook / "sitecustomize.py").write_text(COUNTER)
        return subprocess.Popen(
            [sys.executable, "-m", "poetry", "lambda-bundle", *self.arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(hook), *sys.path]), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,  # noqa: PLW1509  # it makes one system call
        )

    def moments(self) -> int:
        """Run to the end, and count the moments of files opened, made, moved and removed."""
        report = self.root / "count"
        process = self.start({"COUNT_UNDER": str(self.root / "now"), "COUNT_INTO": str(report)})
        output, error = process.communicate(timeout=120)
        assert process.returncode == 0, output + error
        return int(report.read_text())

    def kill(self, moment: int | str) -> int:
        """Start the command, which is killed at a moment; return what it ended with.

        A moment is a number from 1, or a pattern of `EVENT:PATH`, whose first one counts.
        """
        process = self.start({"COUNT_UNDER": str(self.root / "now"), "KILL_AT": str(moment)})
        process.communicate(timeout=120)
        return process.returncode


def _bytes(path: Path) -> bytes | None:
    """Return what an output is: of a folder all that it holds; None where there is nothing."""
    if not path.is_dir():
        return path.read_bytes() if path.exists() else None
    found = (file for file in path.rglob("*") if not file.is_dir())
    return repr(sorted((file.relative_to(path).as_posix(), file.read_bytes()) for file in found)).encode()


WHEELS = tuple(
    make_wheel(
        name, files={f"{name}/__init__.py": f"NAME = '{name}'\n", f"{name}/data.bin": os.urandom(size)}
    )
    for name, size in (("alpha", 10), ("beta", 1 << 20), ("gamma", 3 << 20))
)


def project_with_wheels(root: Path, index: Index, config: str = "", outputs: Sequence[str] = ()) -> Scene:
    """Write a project with three wheels from an index."""
    scene = Scene(root, index, (), tuple(outputs) or ("dist/my-fn.zip",))
    scene.project.folder.mkdir(parents=True)
    index.add(*WHEELS)
    names = [wheel.filename.partition("-")[0] for wheel in WHEELS]
    scene.project.pyproject(dependencies=names, source=index.url, config=config)
    scene.project.write({"my_fn.py": "def handler(event, context):\n    return 'old'\n"})
    scene.project.lock([Locked.of(wheel) for wheel in WHEELS], source=index.url)
    return scene


def project_with_git(root: Path, index: Index) -> Scene:
    """Write a project with a wheel, a folder and a git repository."""
    scene = Scene(root, index, (), ("dist/my-fn.zip",))
    scene.project.folder.mkdir(parents=True)
    index.add(WHEELS[1])
    write_tree(root / "now/a-folder", poetry_project("a-folder"))
    repository = write_tree(root / "repository", poetry_project("from-git"))
    revision = commit_all(repository)
    url = repository.as_uri()
    tool = (
        "[tool.poetry.dependencies]\n"
        f'from-git = {{git = "{url}", branch = "main"}}\na-folder = {{path = "../a-folder"}}\n'
    )
    scene.project.pyproject(dependencies=["beta", "from-git", "a-folder"], tool=tool, source=index.url)
    scene.project.write({"my_fn.py": "def handler(event, context):\n    return 'old'\n"})
    origin = {"type": "git", "url": url, "reference": "main", "resolved_reference": revision}
    wheel = Locked.of(WHEELS[1], source={"type": "legacy", "url": index.url, "reference": "tests"})
    folder = Locked("a-folder", source={"type": "directory", "url": "../a-folder"}, develop=True)
    scene.project.lock([wheel, Locked("from-git", source=origin, develop=False), folder])
    return scene


def change(scene: Scene) -> None:
    """Edit the project, so that the next bundle differs."""
    scene.project.write({"my_fn.py": "def handler(event, context):\n    return 'changed'\n"})
