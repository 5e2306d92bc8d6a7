"""Dependencies that reach for what is not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run_apart
from tests.support.sources import commit_all
from tests.support.sources import poetry_project
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


SECRET = "the host's own"


def depend_on_git(project: Project, repository: Path, **source: str) -> None:
    """Lock a project with one git dependency at the repository's head."""
    url = repository.as_uri()
    revision = commit_all(repository)
    project.pyproject(
        dependencies=["from-git"], tool=f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}"}}\n'
    )
    project.write({"my_fn.py": ""})
    origin = {"type": "git", "url": url, "reference": "main", "resolved_reference": revision, **source}
    project.lock([Locked("from-git", source=origin, develop=False)])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host, outside every project."""
    file = tmp_path / "private/secret.py"
    file.parent.mkdir()
    file.write_text(SECRET)
    return file


def test_git_link_to_a_file_of_the_host(project: Project, tmp_path: Path, secret: Path) -> None:
    """A link in a repository that points at a file of this machine is refused."""
    repository = write_tree(tmp_path / "repository", poetry_project("from-git"))
    (repository / "from_git/link.py").symlink_to(secret)
    depend_on_git(project, repository)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "would bundle a file from outside its repository as from_git/link.py" in outcome.message
    assert not (project.folder / "dist").exists()


def test_git_packages_from_the_host(project: Project, tmp_path: Path, secret: Path) -> None:
    """A repository whose `packages` reach outside it is refused."""
    extra = f'[tool.poetry]\npackages = [{{include = "secret.py", from = "{secret.parent}"}}]\n'
    repository = write_tree(tmp_path / "repository", poetry_project("from-git", extra=extra))
    depend_on_git(project, repository)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "from outside its repository" in outcome.message


def test_git_subdirectory_may_use_its_repository(project: Project, tmp_path: Path) -> None:
    """A project below the root of a repository may take packages from elsewhere in it, also when cached."""
    extra = '[tool.poetry]\npackages = [{include = "from_git"}, {include = "common", from = "../shared"}]\n'
    repository = tmp_path / "repository"
    write_tree(repository / "python", poetry_project("from-git", extra=extra))
    write_tree(repository / "shared/common", {"__init__.py": "SHARED = True\n"})
    depend_on_git(project, repository, subdirectory="python")

    first, second = bundle("--format", "json"), bundle("--format", "json")

    assert first.exit_code == 0, first.error
    assert contents(project.folder / "dist/my-fn.zip")["common/__init__.py"] == b"SHARED = True\n"
    assert second.report["status"] == "unchanged"


def test_cached_git_tree_that_was_changed(project: Project, tmp_path: Path) -> None:
    """A checked-out revision in the cache that is not what it was is fetched again."""
    repository = write_tree(tmp_path / "repository", poetry_project("from-git"))
    depend_on_git(project, repository)
    bundle()
    for cached in (tmp_path / "cache").rglob("from_git/__init__.py"):
        cached.write_text("EVIL = True\n")

    outcome = bundle("--format", "json")

    assert outcome.report["status"] == "unchanged"
    assert contents(project.folder / "dist/my-fn.zip")["from_git/__init__.py"] == b"NAME = 'from-git'\n"


@pytest.mark.parametrize("to", ["/absolute", "a/../../up"])
def test_packages_to_outside_the_bundle(project: Project, tmp_path: Path, to: str) -> None:
    """A path dependency can't place its files outside the bundle."""
    extra = f'[tool.poetry]\npackages = [{{include = "lib", to = "{to}"}}]\n'
    write_tree(tmp_path / "lib", poetry_project("lib", extra=extra))
    project.pyproject(dependencies=["lib"], tool='[tool.poetry.dependencies]\nlib = {path = "../lib"}\n')
    project.write({"my_fn.py": ""})
    project.lock([Locked("lib", source={"type": "directory", "url": "../lib"}, develop=False)])

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "lib would put a file at" in outcome.message
    assert not (project.folder / "dist").exists()


CHANGE_WHEN_WRITING = """
import os
import sys


def change(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".tmp") and os.getcwd() in str(arguments[0]):
        wheel = os.environ["WHEEL"]
        with open(wheel, "r+b") as file:
            # a byte of the first member, behind its header
            file.seek(30 + len("greeting/__init__.py") + 3)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))


sys.addaudithook(change)
"""
"""Changes a wheel as soon as the output's temporary file is opened, which Python tells (PEP 578)."""


def test_wheel_changed_between_check_and_copy(locked_project: Project, tmp_path: Path) -> None:
    """A cached wheel that is replaced after its hash was checked is noticed before the bundle appears."""
    bundle("-o", "first.zip")
    (wheel,) = (tmp_path / "cache/artifacts").rglob("*.whl")
    sound = wheel.read_bytes()

    arguments = ("lambda-bundle", "-o", "second.zip")
    outcome = run_apart(tmp_path / "hook", *arguments, hook=CHANGE_WHEN_WRITING, WHEEL=str(wheel))

    assert wheel.read_bytes() != sound
    assert outcome.exit_code == 1
    assert f"{wheel} changed while it was bundled" in outcome.message
    assert not (locked_project.folder / "second.zip").exists()


def test_users_own_git_excludes_do_not_count(
    locked_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one user has told git to ignore everywhere changes no bundle."""
    locked_project.write({"my_fn/__init__.py": "", "my_fn/notes.txt": "x", ".gitignore": "*.log\n"})
    (locked_project.folder / "my_fn.py").unlink()
    commit_all(locked_project.folder)
    locked_project.write({"my_fn/new.txt": "x", "my_fn/some.log": "x"})
    excludes = tmp_path / "excludes"
    excludes.write_text("*.txt\n")
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home/.gitconfig").write_text(f"[core]\n\texcludesFile = {excludes}\n")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")

    assert bundle().exit_code == 0

    files = contents(locked_project.folder / "dist/my-fn.zip")
    assert {"my_fn/notes.txt", "my_fn/new.txt"} <= files.keys()
    assert "my_fn/some.log" not in files


def test_two_architectures_build_one_folder_in_turn(project: Project, tmp_path: Path, index: Index) -> None:
    """A folder that has to be built is not built twice at once, whatever its backend does there."""
    backend = (
        "import os, time, zipfile\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    os.mkdir('build')\n"
        "    time.sleep(0.3)\n"
        "    os.rmdir('build')\n"
        "    info = 'own-1.0.dist-info/'\n"
        "    with zipfile.ZipFile(os.path.join(folder, 'own-1.0-py3-none-any.whl'), 'w') as archive:\n"
        "        archive.writestr('own.py', '')\n"
        "        archive.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n')\n"
        "        archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\n')\n"
        "        archive.writestr(info + 'RECORD', '')\n"
        "    return 'own-1.0-py3-none-any.whl'\n"
    )
    pyproject = (
        '[project]\nname = "own"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "own_backend"\nbackend-path = ["."]\n'
    )
    write_tree(tmp_path / "own", {"pyproject.toml": pyproject, "own_backend.py": backend})
    project.pyproject(
        dependencies=["own"], tool='[tool.poetry.dependencies]\nown = {path = "../own"}\n', source=index.url
    )
    project.write({"my_fn.py": ""})
    project.lock([Locked("own", source={"type": "directory", "url": "../own"}, develop=False)])

    outcome = bundle("--architecture", "x86_64", "--architecture", "arm64")

    assert outcome.exit_code == 0, outcome.error
    assert "own.py" in contents(project.folder / "dist/my-fn-arm64.zip")
