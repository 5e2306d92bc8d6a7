"""What is shipped and what is told about it: the packages, the README, the repository's top level."""

from __future__ import annotations

import configparser
import json
import re
import sys
import tarfile
import zipfile

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from packaging.requirements import Requirement
from poetry.core.factory import Factory
from poetry.core.masonry.builders.sdist import SdistBuilder
from poetry.core.masonry.builders.wheel import WheelBuilder
from poetry.plugins.application_plugin import ApplicationPlugin

from poetry_lambda_plugin.commands.bundle import BundleCommand
from poetry_lambda_plugin.configuration.bundles import PLACEHOLDERS
from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from tests.support.runner import bundle


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.projects import Project


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


def test_readme_lists_every_option() -> None:
    """The options table has each option of the command, with its shortcut, and no other."""
    named = {tuple(re.findall(r"(?<![\w-])--?([a-zA-Z-]+)", row[0])) for row in readme_table("Options")}
    defined = {(o.shortcut, o.name) if o.shortcut else (o.name,) for o in BundleCommand.options}

    assert named == defined


def test_readme_lists_every_key() -> None:
    """The configuration table has each key that is read, and no other."""
    named = [row[0].strip("`") for row in readme_table("Configuration")]

    assert sorted(named) == sorted(KEYS)


def test_readme_says_as_option_only_of_options() -> None:
    """A key that is said to be like an option is like the option of its name."""
    options = {option.name for option in BundleCommand.options}
    same = {row[0].strip("`"): re.match(r"As `--([a-z-]+)`", row[2]) for row in readme_table("Configuration")}
    names = {key.name: key.option or key.name for key in KEYS.values()}

    assert {key: name if name in options else None for key, name in names.items()} == {
        key: match and match[1] for key, match in same.items()
    }


def test_readme_lists_every_placeholder() -> None:
    """The placeholders of an output are all told."""
    assert set(re.findall(r"`\{(\w+)\}`", readme_section("Output"))) == set(PLACEHOLDERS)


def test_readme_lists_every_set() -> None:
    """The table of sets has each with its patterns."""
    rows = readme_table("Sets of patterns")

    assert {name.strip("`@"): tuple(re.findall(r"`([^`]+)`", patterns)) for name, patterns in rows} == SETS


def test_readme_lists_every_runtime_package() -> None:
    """What --exclude-runtime-packages leaves out is told."""
    assert set(re.findall(r"[a-z0-9-]+", readme_section("Packages"))) >= RUNTIME_PACKAGES


def test_readme_lists_every_field_of_the_json_report(locked_project: Project) -> None:
    """The schema has each field of a real report, and no other."""
    locked_project.write({"notes.md": "something that @docs would save"})
    bundle("-o", "old.zip", "--exclude-package", "greeting")
    explained = bundle(
        *("--format", "json", "--include", "notes.md", "--exclude", "greeting/*"),
        *("--explain", "--diff", "old.zip"),
    )
    without = bundle("--format", "json", "--exclude-package", "greeting")
    named = [row[0].strip("`") for row in readme_table("JSON report")]

    found = {path.replace(".paths.greeting", ".paths.NAME") for path in fields(json.loads(explained.output))}
    found |= {path for path in fields(json.loads(without.output)) if ".left_out_packages[]" in path}
    # lists that are empty here
    found |= {f"bundles[].{field}[]" for field in ("warnings", "notes", "explanation.unimported_packages")}
    assert sorted(named) == sorted(found)


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
    ],
)
def test_lock_names_no_host(lock: str) -> None:
    """The locks work with any index."""
    assert not re.findall(r"https?://", (ROOT / lock).read_text(encoding="utf-8"))


def readme_section(heading: str) -> str:
    """Return the README's text from a heading to the next one."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", README, re.MULTILINE | re.DOTALL)
    return str(section)


def readme_table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    rows = [line for line in readme_section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every scalar in a document, `[]` standing for the elements of a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from fields(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from fields(item, f"{path}[]")
    else:
        yield path
