"""`--watch`: what is saved is bundled, and nothing else is."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import time

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin import extras
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.sources import poetry_project
from tests.support.sources import write_tree
from tests.support.watching import READY
from tests.support.watching import save
from tests.support.watching import watched


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from tests.support.projects import Project


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")

BUNDLES = """
[tool.poetry-lambda-plugin.bundles.api]
modules = ["api"]
handler = "api.handler"
[tool.poetry-lambda-plugin.bundles.worker]
modules = ["worker"]
handler = "worker.handler"
"""

NOWHERE = (
    "imports nowhere, which is not in the bundle. No locked package has it: `poetry add nowhere`, if that is "
    "its name."
)

HANDLER = "from shop import NAME\n\ndef handler(event, context):\n    return NAME, {number}\n"


@pytest.fixture
def shop(project: Project, tmp_path: Path) -> Project:
    """Two functions that have a path dependency outside of the project in common."""
    write_tree(tmp_path / "libs" / "shop", poetry_project("shop"))
    tool = '[tool.poetry.dependencies]\nshop = {path = "../libs/shop"}\n'
    project.pyproject(dependencies=["shop"], tool=tool + BUNDLES)
    project.write({f"{name}.py": HANDLER.format(number=0) for name in ("api", "worker")})
    project.lock([Locked("shop", source={"type": "directory", "url": "../libs/shop"}, develop=True)])
    return project


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_makes_what_a_saved_file_concerns(shop: Project, tmp_path: Path) -> None:
    """Each change makes just the bundles that have it; what is in none is passed over."""
    folder = shop.folder
    api, worker = folder / "dist/api.zip", folder / "dist/worker.zip"

    with watched(tmp_path / "hook") as run:
        run.until(READY)
        before = worker.stat()
        there = files(folder)

        save(folder / "api.py", HANDLER.format(number=1))
        assert run.line() == f"api.py -> {api} ({size_of(api)})"
        assert contents(api)["api.py"] == HANDLER.format(number=1).encode()
        assert (worker.stat().st_ino, worker.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

        save(tmp_path / "libs/shop/shop/__init__.py", "NAME = 'other'\n")
        told = {run.line(), run.line()}
        start = "../libs/shop/shop/__init__.py -> "
        assert told == {f"{start}{path} ({size_of(path)})" for path in (api, worker)}
        assert contents(worker)["shop/__init__.py"] == b"NAME = 'other'\n"

        write_tree(tmp_path / "libs/shop/shop/new/deep", {"mod.py": "X = 1\n"})
        {run.line(), run.line()}
        run.more()
        assert "shop/new/deep/mod.py" in contents(api)
        # a folder that was not there at the start is watched too
        save(tmp_path / "libs/shop/shop/new/deep/mod.py", "X = 2\n")
        assert run.line().startswith("../libs/shop/shop/new/deep/mod.py -> ")
        run.line()
        assert contents(api)["shop/new/deep/mod.py"] == b"X = 2\n"

        shutil.rmtree(tmp_path / "libs/shop/shop/new")
        run.more()
        assert "shop/new/deep/mod.py" not in contents(api)

        shop.write(
            {"tests/test_api.py": "", ".cache/x": "", "__pycache__/api.cpython-313.pyc": b"", "x~": ""}
        )
        os.utime(folder / "api.py")
        assert run.more() == []
        assert run.stop() == 130

    assert files(folder) == {
        *there,
        "tests/test_api.py",
        ".cache/x",
        "__pycache__/api.cpython-313.pyc",
        "x~",
    }
    assert bundle().exit_code == 0
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"lambda-bundle-*-{run.process.pid}-*"))


def size_of(path: Path) -> str:
    from poetry_lambda_plugin.wording import size

    return size(path.stat().st_size)


def test_waits_for_what_is_broken(shop: Project, tmp_path: Path) -> None:
    """What keeps a bundle from being made is told once, and the loop goes on when it is mended."""
    folder = shop.folder
    pyproject, lock = (folder / name for name in ("pyproject.toml", "poetry.lock"))
    whole, locked, api = pyproject.read_text(), lock.read_text(), folder / "dist/api.zip"

    with watched(tmp_path / "hook", "api") as run:
        run.until(READY)
        old = api.read_bytes()

        save(folder / "api.py", "import nowhere\n" + HANDLER.format(number=1))
        told = run.more()
        assert told == [f"api.py:1 {NOWHERE}"]
        save(folder / "other.py", "X = 1\n")
        assert run.more() == []
        assert api.read_bytes() == old
        save(folder / "api.py", HANDLER.format(number=2))
        assert run.line() == f"api.py -> {api} ({size_of(api)})"

        save(pyproject, whole[:50])
        assert len(run.more()) == 1
        save(pyproject, whole[:51])
        run.more()
        save(pyproject, whole)
        assert run.line() == f"pyproject.toml -> {api} ({size_of(api)}, unchanged)"

        save(pyproject, whole.replace('requires-python = ">=3.9"', 'requires-python = ">=3.10"'))
        (stale,) = run.more()
        assert "poetry.lock" in stale
        save(pyproject, whole)
        assert run.line() == f"pyproject.toml -> {api} ({size_of(api)}, unchanged)"

        save(lock, locked + "\n")
        assert run.line() == "poetry.lock: no bundle changes"
        save(pyproject, whole.replace('modules = ["api"]', 'modules = ["api", "worker"]'))
        assert run.line() == f"pyproject.toml -> {api} ({size_of(api)})"
        assert "worker.py" in contents(api)
        assert not (folder / "dist/worker.zip").exists()
        assert run.stop(signal.SIGTERM) == 130


def test_takes_many_files_for_one_change(shop: Project, tmp_path: Path) -> None:
    """A checkout of hundreds of files is one change, and one line."""
    with watched(tmp_path / "hook", "api") as run:
        run.until(READY)
        for number in range(300):
            write_tree(tmp_path / "libs/shop/shop", {f"m{number}.py": ""})
        lines = run.more()

    assert len(lines) == 1
    assert lines[0].startswith("../libs/shop/shop/m0.py and 299 more -> ")


def test_writes_a_document_on_each_line(shop: Project, tmp_path: Path) -> None:
    """A program reads one document for each change, with the bundles that it concerns alone."""
    with watched(tmp_path / "hook", "--format", "json", "--runtime", "python3.13") as run:
        first = run.document()
        save(shop.folder / "worker.py", HANDLER.format(number=1))
        second = run.document()
        save(shop.folder / "worker.py", "import nowhere\n" + HANDLER.format(number=1))
        third = run.document()
        error = f"worker for python3.13 on x86_64 could not be made: worker.py:1 {NOWHERE}"
        beside = [*run.beside, *run.more()]
        assert run.stop() == 130
        assert [*beside, *run.more()] == [error, "Interrupted: no bundle was left half-written."]

    assert [one["bundle"] for one in first["bundles"]] == ["api", "worker"]
    assert [(one["bundle"], one["status"]) for one in second["bundles"]] == [("worker", "written")]
    assert third["error"] == error
    assert [(one["bundle"], one["status"]) for one in third["bundles"]] == [("worker", "failed")]


def test_unpacked_folder_follows(shop: Project, tmp_path: Path) -> None:
    """A folder in the project follows too, and is not taken for a part of the project."""
    with watched(tmp_path / "hook", "api", "--unpacked", "out") as run:
        run.until(READY)
        save(shop.folder / "api.py", HANDLER.format(number=1))
        assert run.line().startswith(f"api.py -> {shop.folder / 'out'} (")
        assert run.more() == []
        assert (shop.folder / "out/api.py").read_text() == HANDLER.format(number=1)


def test_build_is_no_change(project: Project, tmp_path: Path) -> None:
    """What a build leaves in its folder does not make it build again."""
    backend = (
        "import pathlib, zipfile\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    with open('../builds', 'a') as log:\n"
        "        log.write('.')\n"
        "    for name in ('build/lib/x.txt', 'own.egg-info/SOURCES.txt', 'own_made.c'):\n"
        "        pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)\n"
        "        pathlib.Path(name).write_text('made')\n"
        "    name = 'own-1.0-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as archive:\n"
        "        archive.writestr('own.py', pathlib.Path('own.py').read_text())\n"
        "        metadata = 'Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n'\n"
        "        archive.writestr('own-1.0.dist-info/METADATA', metadata)\n"
        "        archive.writestr('own-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\n')\n"
        "        archive.writestr('own-1.0.dist-info/RECORD', '')\n"
        "    return name\n"
    )
    system = '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    write_tree(tmp_path / "own", {"pyproject.toml": system, "b.py": backend, "own.py": "X = 1\n"})
    project.pyproject(dependencies=["own"], tool='[tool.poetry.dependencies]\nown = {path = "../own"}\n')
    project.write({"my_fn.py": "import own\n"})
    project.lock([Locked("own", source={"type": "directory", "url": "../own"}, develop=False)])
    runtime = "python{}.{}".format(*sys.version_info[:2])

    with watched(tmp_path / "hook", "--runtime", runtime) as run:
        run.until(READY)
        assert run.more() == []
        settled = (tmp_path / "builds").read_text()
        save(project.folder / "my_fn.py", "import own as other\n")
        assert run.line().startswith("my_fn.py -> ")
        assert run.more() == []
        assert (tmp_path / "builds").read_text() == settled
        save(tmp_path / "own/own.py", "X = 2\n")
        assert run.line().startswith("../own/own.py -> ")
        assert run.more() == []
        assert (tmp_path / "builds").read_text() == f"{settled}."


@pytest.mark.parametrize(
    "rival", ["--list", "--dry-run", "--explain", "--diff=x.zip", "--report=x.html", "--format=markdown"]
)
def test_refuses_what_tells_of_one_run(shop: Project, rival: str) -> None:
    """What makes nothing, or tells of one run, is no loop."""
    outcome = bundle("--watch", rival)

    name = rival.replace("=", " ") if "markdown" in rival else rival.partition("=")[0]
    pair = f"{name} and --watch" if name == "--list" else f"--watch and {name}"
    assert outcome.exit_code == 1
    assert outcome.message == f"{pair} can't be used together. Drop one."


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(None, "(>=1.0,<2), which is not in Poetry's environment", id="none"),
        pytest.param("0.21", "(>=1.0,<2), and Poetry's environment has 0.21", id="old"),
    ],
)
def test_without_the_library(
    shop: Project, monkeypatch: pytest.MonkeyPatch, found: str | None, words: str
) -> None:
    """The error has the line to type."""

    def version(name: str) -> str:
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(extras, "version", version)
    outcome = bundle("--watch")

    assert outcome.exit_code == 1
    assert outcome.error.strip().splitlines() == [
        (
            f"--watch needs watchfiles {words}. Add it with the first of these lines, "
            "or with the second one where Poetry was installed with pipx:"
        ),
        "  poetry self add 'poetry-lambda-plugin[watch]'",
        "  pipx inject poetry 'watchfiles>=1.0,<2'",
    ]
    assert not (shop.folder / "dist").exists()


def test_library_is_the_one_of_the_extra() -> None:
    """pyproject.toml and the error name the same versions."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    (extra,) = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]["watch"]

    assert extra == f"{extras.WATCH.library} ({extras.WATCH.versions})"


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        pytest.param("watches", "OS file watch limit reached", id="watches"),
        pytest.param("instances", "Error creating recommended watcher: Too many open files", id="instances"),
    ],
)
def test_beyond_what_the_system_lets(shop: Project, limit: str, reason: str) -> None:
    """A user who may watch no more learns what to raise, and nothing is left behind."""
    most = 1 if limit == "watches" else 0
    command = (
        f"echo {most} > /proc/sys/user/max_inotify_{limit} && "
        f"exec {sys.executable} -m poetry lambda-bundle --watch"
    )
    try:
        subprocess.run(["unshare", "-Ur", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no namespace of one's own here")
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", command], capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert " ".join(done.stderr.split()) == (
        f"The 3 folders of the project can't be watched: {reason}. On Linux raise "
        "fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl, close other programs "
        "that watch files, or set "
        "WATCHFILES_FORCE_POLLING=1 to have the files looked at several times a second."
    )


def test_looks_again_and_again_where_it_is_asked_to(shop: Project, tmp_path: Path) -> None:
    """Where the system tells nothing, as on shared folders, files are looked at."""
    with watched(tmp_path / "hook", "api", WATCHFILES_FORCE_POLLING="1") as run:
        run.until(READY)
        time.sleep(0.5)
        save(shop.folder / "api.py", HANDLER.format(number=1))
        assert run.line().startswith("api.py -> ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_memory_of_a_thousand_changes(shop: Project, tmp_path: Path) -> None:
    """A thousand changes take no more than 60 MB over what the first run took."""
    with watched(tmp_path / "hook") as run:
        run.until(READY)
        before = resident(run.process.pid)
        for number in range(1000):
            save(shop.folder / "api.py", HANDLER.format(number=number + 1))
            assert run.line().startswith("api.py -> ")
        assert resident(run.process.pid) - before <= 60 << 20


def resident(process: int) -> int:
    """Return bytes of memory that a process has."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))
