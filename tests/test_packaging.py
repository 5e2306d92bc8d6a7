"""What is shipped and what is told about it: the packages, the lines to try, the repository's top level."""

from __future__ import annotations

import configparser
import re
import sys
import tarfile
import zipfile

from importlib import import_module
from pathlib import Path

import pytest

from packaging.requirements import Requirement
from poetry.core.factory import Factory
from poetry.core.masonry.builders.sdist import SdistBuilder
from poetry.core.masonry.builders.wheel import WheelBuilder
from poetry.plugins.application_plugin import ApplicationPlugin


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

TOP_LEVEL = {"LICENSE", "README.md", "poetry.lock", "poetry_lambda_plugin", "pyproject.toml", "tests"}
IGNORED_BY_GIT = {"__pycache__", "dist"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of the plugin's wheel by path."""
    folder = tmp_path_factory.mktemp("wheel")
    name = WheelBuilder(Factory().create_poetry(ROOT)).build(folder).name
    with zipfile.ZipFile(folder / name) as archive:
        return {member: archive.read(member) for member in archive.namelist()}


@pytest.fixture(scope="module")
def sdist_paths(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The paths in the plugin's sdist, without its root folder."""
    path = SdistBuilder(Factory().create_poetry(ROOT)).build(tmp_path_factory.mktemp("sdist"))
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def package_files() -> set[str]:
    files = (path for path in (ROOT / "poetry_lambda_plugin").rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}


def test_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    """The wheel has every module, the marker for type checkers, and no tests."""
    modules = {path for path in wheel if ".dist-info/" not in path}

    assert "poetry_lambda_plugin/py.typed" in modules
    assert modules == package_files()


def test_wheel_holds_the_licence(wheel: dict[str, bytes]) -> None:
    """The licence travels with the code."""
    (licence,) = (path for path in wheel if path.endswith("/LICENSE"))

    assert wheel[licence] == (ROOT / "LICENSE").read_bytes()


def test_sdist_can_be_built_from_and_holds_no_tests(sdist_paths: set[str]) -> None:
    """The sdist has the package and the three files that a build reads, and its metadata."""
    others = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}

    assert sdist_paths == package_files() | others


def test_entry_point_loads(wheel: dict[str, bytes]) -> None:
    """What the wheel tells Poetry to load is a plugin."""
    (path,) = (path for path in wheel if path.endswith(".dist-info/entry_points.txt"))
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(wheel[path].decode())
    module, _, name = parser["poetry.application.plugin"]["lambda-bundle"].partition(":")

    assert issubclass(getattr(import_module(module), name), ApplicationPlugin)


def test_top_level_holds_only_what_it_may() -> None:
    """Beside dotfiles the repository has six names at its root."""
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert names - IGNORED_BY_GIT == TOP_LEVEL


def test_readme_test_line_installs_the_test_group() -> None:
    """The line that passes the tests names what the lock's test group names."""
    (line,) = re.findall(r"^.*install -q -e \. (.*) && .*pytest.*$", README, re.MULTILINE)
    requirements = [Requirement(word.strip("'")) for word in line.split()]
    group = PYPROJECT["tool"]["poetry"]["group"]["test"]["dependencies"]

    assert {r.name: sorted(r.extras) for r in requirements} == {
        name: value.get("extras", []) if isinstance(value, dict) else [] for name, value in group.items()
    }


@pytest.mark.parametrize(
    "lock",
    [
        pytest.param("poetry.lock", id="plugin"),
        pytest.param("tests/projects/example/poetry.lock", id="example"),
        pytest.param("tests/projects/monorepo/poetry.lock", id="monorepo"),
    ],
)
def test_lock_names_no_host(lock: str) -> None:
    """The locks work with any index."""
    assert not re.findall(r"https?://", (ROOT / lock).read_text(encoding="utf-8"))
