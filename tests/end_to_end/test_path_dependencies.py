"""Dependencies that are folders or files beside the project."""

from __future__ import annotations

import os
import subprocess
import sys

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.sources import poetry_project
from tests.support.sources import write_tree
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


def folder_dependency(name: str, url: str, *, develop: bool = False, version: str = "1.0") -> Locked:
    return Locked(name, version, source={"type": "directory", "url": url}, develop=develop)


def declare(project: Project, name: str, path: str, source: str | None = None) -> None:
    """Write a pyproject.toml with one path dependency."""
    tool = f'[tool.poetry.dependencies]\n{name} = {{path = "{path}"}}\n'
    project.pyproject(dependencies=[name], tool=tool, source=source)


@pytest.mark.parametrize("develop", [False, True])
def test_bundles_a_folder_as_real_files(project: Project, tmp_path: Path, *, develop: bool) -> None:
    """A path dependency is bundled as its own files, whether it is editable or not."""
    write_tree(tmp_path / "shared" / "common", poetry_project("common-code"))
    declare(project, "common-code", "../shared/common")
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("common-code", "../shared/common", develop=develop)])

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    files = contents(project.folder / "dist/my-fn.zip")
    assert files["common_code/__init__.py"] == b"NAME = 'common-code'\n"
    assert b"Name: common-code\n" in files["common_code-1.0.dist-info/METADATA"]
    assert not [path for path in files if path.endswith((".pth", "direct_url.json"))]
    assert not [path for path, data in files.items() if os.fsencode(tmp_path) in data]


def test_bundles_a_nested_path_dependency(project: Project, tmp_path: Path) -> None:
    """A path dependency of a path dependency comes along."""
    write_tree(tmp_path / "libs/outer", poetry_project("outer"))
    write_tree(tmp_path / "libs/inner", poetry_project("inner"))
    declare(project, "outer", "../libs/outer")
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("inner", "../libs/inner"), folder_dependency("outer", "../libs/outer")])

    assert bundle().exit_code == 0
    assert {"inner/__init__.py", "outer/__init__.py"} <= contents(project.folder / "dist/my-fn.zip").keys()


def test_asks_no_index_for_folders(project: Project, index: Index, tmp_path: Path) -> None:
    """Folders built by poetry-core need neither network nor environment."""
    write_tree(tmp_path / "lib", poetry_project("lib"))
    declare(project, "lib", "../lib", source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("lib", "../lib")])

    assert bundle().exit_code == 0
    assert index.requests == []


def test_takes_a_group_with_a_folder_on_request(project: Project, tmp_path: Path) -> None:
    """A folder in a group other than main is bundled when the group is asked for."""
    write_tree(tmp_path / "lib", poetry_project("lib"))
    project.pyproject(tool='[tool.poetry.group.aws.dependencies]\nlib = {path = "../lib"}\n')
    project.write({"my_fn.py": ""})
    locked = Locked("lib", groups=["aws"], source={"type": "directory", "url": "../lib"}, develop=False)
    project.lock([locked])

    assert bundle().exit_code == 0
    assert "lib/__init__.py" not in contents(project.folder / "dist/my-fn.zip")
    assert bundle("--with", "aws").exit_code == 0
    assert "lib/__init__.py" in contents(project.folder / "dist/my-fn.zip")


def test_bundles_a_wheel_file(project: Project) -> None:
    """A wheel on disk is taken as one from an index is."""
    wheel = make_wheel("vendored", files={"vendored.py": "X = 1\n"})
    declare(project, "vendored", f"wheels/{wheel.filename}")
    project.write({"my_fn.py": "", f"wheels/{wheel.filename}": wheel.data})
    project.lock([Locked.of(wheel, source={"type": "file", "url": f"wheels/{wheel.filename}"})])

    assert bundle().exit_code == 0
    assert contents(project.folder / "dist/my-fn.zip")["vendored.py"] == b"X = 1\n"


def test_ignores_what_is_not_selected(project: Project, tmp_path: Path) -> None:
    """A folder that is gone does not matter in a group that is not bundled."""
    project.pyproject(tool='[tool.poetry.group.dev.dependencies]\nlib = {path = "../lib"}\n')
    project.write({"my_fn.py": ""})
    project.lock([Locked("lib", groups=["dev"], source={"type": "directory", "url": "../lib"}, develop=True)])

    assert bundle().exit_code == 0


REMEDY = "Restore it, or correct its path in pyproject.toml and run `poetry lock`."


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param({}, "does not exist", id="gone"),
        pytest.param({"lib/README": ""}, "has no pyproject.toml or setup.py", id="no-project"),
        pytest.param({"lib": ""}, "is a file where a folder is locked", id="file"),
    ],
)
def test_refuses_a_folder_that_is_no_project(
    project: Project, tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    """What is not there any more is named once, by its path and what is wrong with it, and not the lock."""
    write_tree(tmp_path, files)
    declare(project, "lib", "../lib")
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("lib", "../lib")])

    command = [sys.executable, "-m", "poetry", "lambda-bundle"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert " ".join(done.stderr.split()) == (
        f"lib is locked from {(tmp_path / 'lib').as_posix()}, which {problem}. {REMEDY}"
    )
    assert not (project.folder / "dist").exists()


def test_refuses_a_file_that_is_a_folder(project: Project, tmp_path: Path) -> None:
    """A folder in the place of a locked wheel is named."""
    wheel = make_wheel("vendored")
    (project.folder / "wheels" / wheel.filename).mkdir(parents=True)
    declare(project, "vendored", f"wheels/{wheel.filename}")
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, source={"type": "file", "url": f"wheels/{wheel.filename}"})])

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"vendored is locked from {(project.folder / 'wheels' / wheel.filename).as_posix()}, "
        f"which is a folder where a file is locked. {REMEDY}"
    )


def test_refuses_a_folder_whose_pyproject_is_broken(project: Project, tmp_path: Path) -> None:
    """A pyproject.toml that is no TOML is named once, with what is wrong in it."""
    write_tree(tmp_path / "lib", {"pyproject.toml": "[project\n"})
    declare(project, "lib", "../lib")
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("lib", "../lib")])

    message = bundle().message

    assert message.startswith(f"{tmp_path / 'lib/pyproject.toml'} can't be read: Expected ")
    assert message.endswith("Correct the file.")
    assert message.count("pyproject.toml") == 1


def test_says_nothing_of_a_folder_that_is_not_selected(project: Project) -> None:
    """A folder that is gone in another group is no reason for any word of Poetry's."""
    project.pyproject(tool='[tool.poetry.group.dev.dependencies]\nlib = {path = "../lib"}\n')
    project.write({"my_fn.py": ""})
    project.lock([Locked("lib", groups=["dev"], source={"type": "directory", "url": "../lib"}, develop=True)])

    command = [sys.executable, "-m", "poetry", "lambda-bundle"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_refuses_a_folder_of_another_project(project: Project, tmp_path: Path) -> None:
    """A folder that has become another project is not bundled under the old name."""
    write_tree(tmp_path / "lib", poetry_project("something-else"))
    declare(project, "lib", "../lib")
    project.write({"my_fn.py": ""})
    project.lock([folder_dependency("lib", "../lib")])

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "holds something-else where lib (1.0) is locked" in outcome.message


def test_refuses_a_wheel_for_another_platform(project: Project) -> None:
    """A wheel on disk that can't run on the target is named."""
    wheel = make_wheel("vendored", tag="cp312-cp312-win_amd64")
    declare(project, "vendored", f"wheels/{wheel.filename}")
    project.write({"my_fn.py": "", f"wheels/{wheel.filename}": wheel.data})
    project.lock([Locked.of(wheel, source={"type": "file", "url": f"wheels/{wheel.filename}"})])

    outcome = bundle("--runtime", "python3.12")

    assert outcome.exit_code == 1
    assert "1 package has no wheel for python3.12 on x86_64" in outcome.message
    assert wheel.filename in outcome.message


def test_refuses_a_changed_wheel_file(project: Project) -> None:
    """A wheel on disk whose bytes are not the locked ones is refused, and left alone."""
    wheel = make_wheel("vendored")
    declare(project, "vendored", f"wheels/{wheel.filename}")
    project.write({"my_fn.py": "", f"wheels/{wheel.filename}": wheel.data + b"x"})
    project.lock([Locked.of(wheel, source={"type": "file", "url": f"wheels/{wheel.filename}"})])

    outcome = bundle()

    assert outcome.exit_code == 1
    assert wheel.hash in outcome.message
    assert (project.folder / "wheels" / wheel.filename).exists()
