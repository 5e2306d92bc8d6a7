"""What makes the plugin fast, as far as it can be told without a clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import run
from tests.support.runner import run_apart
from tests.support.wheels import make_wheel
from tests.support.zips import Raw
from tests.support.zips import raw_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


OPENED = """
import atexit
import json
import os
import sys

events = []


def note(event, arguments):
    if event in ("open", "subprocess.Popen", "socket.connect"):
        events.append([event, str(arguments[1] if event == "socket.connect" else arguments[0])])


def write():
    taken = list(events)
    with open(os.environ["EVENTS"], "w", encoding="utf-8") as file:
        json.dump(taken, file)


sys.addaudithook(note)
atexit.register(write)
"""
"""Writes down what Python opens, starts and connects to (PEP 578)."""


def python(code: str) -> Any:
    """Run code in a fresh interpreter, and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def warm_events(locked_project: Project, tmp_path: Path) -> list[list[str]]:
    """What a process opens, starts and connects to in a warm run."""
    assert bundle("-o", "first.zip").exit_code == 0
    written = tmp_path / "events.json"
    warm = run_apart(tmp_path / "hook", "lambda-bundle", "-o", "second.zip", hook=OPENED, EVENTS=str(written))
    assert warm.exit_code == 0, warm.error
    events = json.loads(written.read_text())
    assert isinstance(events, list)
    return events


def test_plugin_imports_nothing_heavy() -> None:
    """Every `poetry` command imports the plugin, so it loads nothing but itself."""
    loaded = python(
        "import json, sys\n"
        "import poetry.plugins.application_plugin\n"
        "before = set(sys.modules)\n"
        "import poetry_lambda_plugin.plugin\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )

    assert loaded == ["poetry_lambda_plugin", "poetry_lambda_plugin.plugin"]


def test_other_commands_load_nothing_of_ours() -> None:
    """`poetry --version` runs without our command, our rooms or our libraries."""
    loaded = python(
        "import contextlib, io, json, sys\n"
        "from cleo.io.inputs.argv_input import ArgvInput\n"
        "from poetry.console.application import Application\n"
        "application = Application()\n"
        "application.auto_exits(False)\n"
        "with contextlib.redirect_stdout(io.StringIO()) as output:\n"
        "    application.run(ArgvInput(['poetry', '--version']))\n"
        "assert 'Poetry' in output.getvalue()\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )

    ours = [name for name in loaded if name.startswith("poetry_lambda_plugin")]
    assert ours == ["poetry_lambda_plugin", "poetry_lambda_plugin.plugin"]
    assert {"deflate", "pathspec"}.isdisjoint(loaded)


def test_plugin_registers_the_command() -> None:
    """Lazy as it is, the command is there."""
    outcome = run("list")

    assert "Write AWS Lambda deployment ZIPs from the locked dependencies." in outcome.output


def test_own_files_are_read_thrice_at_most(warm_events: list[list[str]], locked_project: Project) -> None:
    """A file of the project is read for its hash in RECORD, for what it imports, and to be written."""
    module = os.fspath(locked_project.folder / "my_fn.py")

    assert 1 <= [path for event, path in warm_events if event == "open"].count(module) <= 3


def test_warm_run_stays_at_home(warm_events: list[list[str]], index: Index) -> None:
    """A warm run connects to nothing and starts no process but git."""
    assert [path for event, path in warm_events if event == "socket.connect"] == []
    started = {os.path.basename(path) for event, path in warm_events if event == "subprocess.Popen"}  # noqa: PTH119
    # older releases of Poetry's findpython ask `file` while they are imported
    assert started <= {"git", "file"}


def test_warm_run_makes_no_environment(warm_events: list[list[str]], tmp_path: Path) -> None:
    """Neither a virtual environment nor a build is made for a project of poetry-core."""
    assert not (tmp_path / "cache/virtualenvs").exists()


def test_members_are_checked_once(project: Project, index: Index, tmp_path: Path) -> None:
    """A run notes that all members of a wheel were decompressed, and a second run believes the note.

    That it does not look again shows in a wheel with a false checksum, for which the note is forged.
    """
    sound, lying = make_wheel("sound"), raw_wheel("lying", [Raw("lying.py", b"1", stated={"crc": 7})])
    index.add(sound, lying)
    project.pyproject(dependencies=["sound", "lying"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sound), Locked.of(lying)], source=index.url)

    assert bundle("--exclude-package", "lying").exit_code == 0
    assert "its checksum (CRC-32) is wrong" in bundle().message
    (honest,), (forged,) = ((tmp_path / "cache").rglob(f"sha256-{file.sha256}") for file in (sound, lying))
    notes = [json.loads(note.read_text()) for note in (honest, forged)]
    forged.write_text(json.dumps({**notes[1], "verified": True}))

    assert [note["verified"] for note in notes] == [True, False]
    assert bundle().exit_code == 0


def test_unchanged_output_is_not_touched(locked_project: Project) -> None:
    """A bundle with the same bytes keeps its file, to the inode and the time."""
    bundle("-o", "function.zip")
    output = locked_project.folder / "function.zip"
    os.utime(output, (1, 1))
    before = output.stat()

    report = bundle("-o", "function.zip", "--format", "json").report

    assert report["status"] == "unchanged"
    after = output.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
