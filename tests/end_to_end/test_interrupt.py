"""Ctrl-C and SIGTERM at any moment: the old file stays, and nothing else does."""

from __future__ import annotations

import signal
import socket
import sys
import time

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import start_apart
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    import subprocess

    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")

SIGNALS = [
    pytest.param(signal.SIGINT, id="SIGINT"),
    pytest.param(signal.SIGTERM, id="SIGTERM"),
]

WHEEL = "greeting-1.0-py3-none-any.whl"

STOP_AT_EVENT = """
import os
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)
number, moment, suffix = os.environ.get("STOP_AT", "0::").split(":")
seen = []


def stop(event, arguments):
    path = str(arguments[0]) if event in ("open", "os.rename") else ""
    # files of the cache are replaced in the same way
    if path.endswith(".tmp") and not path.startswith(os.getcwd()):
        return
    if event == "open" and path.endswith(".tmp"):
        seen.append(path)
    if not int(number) or not seen or event != moment or not path.endswith(suffix):
        return
    if "done" not in seen:
        seen.append("done")
        os.kill(os.getpid(), int(number))


sys.addaudithook(stop)
"""
"""Python's own account of what it does (PEP 578) tells when a signal is due, once it writes."""


def start(tmp_path: Path, stop_at: str = "0::") -> subprocess.Popen[str]:
    """Start `poetry lambda-bundle` in the current folder; `stop_at` is `SIGNAL:EVENT:SUFFIX`."""
    arguments = ("lambda-bundle", "-o", "dist/my-fn.zip")
    return start_apart(tmp_path / "hook", *arguments, hook=STOP_AT_EVENT, STOP_AT=stop_at)


def wait_for(happened: object, path: str, process: subprocess.Popen[str]) -> None:
    """Wait until the index has been asked for a path."""
    assert isinstance(happened, list)
    for _ in range(3000):
        if path in happened:
            return
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.01)
    raise AssertionError(f"{path} was never asked for")


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def bundled_before(locked_project: Project) -> Project:
    """A project with a bundle, changed since, so that the next one differs."""
    assert bundle("-o", "dist/my-fn.zip").exit_code == 0
    locked_project.write({"my_fn.py": "def handler(event, context):\n    return 'changed'\n"})
    return locked_project


@pytest.mark.parametrize("number", SIGNALS)
def test_during_a_download(
    bundled_before: Project,
    index: Index,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    """A run stopped while it downloads ends with 130, and leaves old output and cache sound."""
    monkeypatch.setenv("POETRY_REQUESTS_TIMEOUT", "3")
    (cached,) = (tmp_path / "cache/artifacts").rglob(WHEEL)
    cached.unlink()
    index.requests.clear()
    index.stalled.add(WHEEL)
    before = tree(bundled_before.folder)

    process = start(tmp_path)
    wait_for(index.requests, f"/files/{WHEEL}", process)
    time.sleep(0.1)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)

    assert (process.returncode, error.strip()) == (130, "Interrupted: no bundle was left half-written.")
    assert "Traceback" not in output
    assert tree(bundled_before.folder) == before
    assert [path.name for path in (tmp_path / "cache/artifacts").rglob("*") if path.is_file()] == []
    index.stalled.clear()
    assert bundle("-o", "dist/my-fn.zip").exit_code == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_while_an_index_does_not_answer(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A run stopped while an index lets it wait ends at once, not when its patience does."""
    # so much more than a busy machine needs to end a process that nobody can take the one for the other
    monkeypatch.setenv("POETRY_REQUESTS_TIMEOUT", "600")
    wheel = make_wheel("greeting")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        project.pyproject(dependencies=["greeting"], source=url)
        project.write({"my_fn.py": ""})
        project.lock([Locked.of(wheel)], source=url)

        process = start(tmp_path)
        with silent.accept()[0] as asked:
            asked.recv(1)
            process.send_signal(number)
            _, error = process.communicate(timeout=60)

    assert (process.returncode, error.strip()) == (130, "Interrupted: no bundle was left half-written.")


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("open:.tmp", id="file-opened"),
        pytest.param("open:my-fn.zip", id="old-file-opened"),
        pytest.param("open:my_fn.py", id="project-file-read"),
        pytest.param("open:.whl", id="wheel-copied"),
        pytest.param("os.rename:.tmp", id="about-to-replace"),
    ],
)
def test_during_writing(bundled_before: Project, tmp_path: Path, moment: str) -> None:
    """A run stopped while it writes leaves the old bundle as it was, and no litter beside it."""
    before = tree(bundled_before.folder)

    process = start(tmp_path, f"{signal.SIGINT.value}:{moment}")
    _, error = process.communicate(timeout=60)

    assert (process.returncode, error.strip()) == (130, "Interrupted: no bundle was left half-written.")
    assert tree(bundled_before.folder) == before


@pytest.mark.parametrize("moment", ["open:.tmp", "open:my_fn.py", "os.rename:.tmp"])
def test_first_bundle_leaves_nothing(locked_project: Project, tmp_path: Path, moment: str) -> None:
    """Stopped before there is an old bundle, a run leaves no file and no folder."""
    before = sorted(path.name for path in locked_project.folder.iterdir())

    process = start(tmp_path, f"{signal.SIGINT.value}:{moment}")
    process.communicate(timeout=60)

    assert process.returncode == 130
    assert sorted(path.name for path in locked_project.folder.iterdir()) == before


def test_next_run_succeeds(bundled_before: Project, tmp_path: Path) -> None:
    """The run after an interrupted one is like any other."""
    process = start(tmp_path, f"{signal.SIGTERM.value}:os.rename:.tmp")
    process.communicate(timeout=60)
    assert process.returncode == 130

    process = start(tmp_path)
    _, error = process.communicate(timeout=60)

    assert (process.returncode, error) == (0, "")
    assert b"changed" in contents(bundled_before.folder / "dist/my-fn.zip")["my_fn.py"]
