"""The project's own files, from literal facts and a folder of files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.poetry_api.facts import PackagesItem
from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.project import MissingPackageError
from poetry_lambda_plugin.sources.project import read_project
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.layout.own_files import ProjectSource


def facts(root: Path, **fields: Any) -> ProjectFacts:
    plain: dict[str, Any] = {
        "name": "my-fn",
        "pretty_name": "My.Fn",
        "version": "0.1.0",
        "summary": "",
        "python_versions": "*",
        "allows": lambda _: True,
        "packages": None,
        "include": (),
        "exclude": (),
        "entry_points": {},
        "licence_patterns": ("LICENSE*",),
        "is_package_mode": True,
        "document": {},
    }
    return ProjectFacts(root=root, **{**plain, **fields})


def read(root: Path, *include: Include, **fields: Any) -> ProjectSource:
    return read_project(facts(root, **fields), include, Wishes(beside=False))


def paths(project: ProjectSource) -> list[str]:
    return [file.path for file in project.files]


@pytest.mark.parametrize(
    ("file", "path"),
    [
        pytest.param("my_fn/__init__.py", "my_fn/__init__.py", id="package"),
        pytest.param("src/my_fn/__init__.py", "my_fn/__init__.py", id="package below src"),
        pytest.param("my_fn.py", "my_fn.py", id="module"),
        pytest.param("src/my_fn.py", "my_fn.py", id="module below src"),
    ],
)
def test_package_with_the_projects_name(tmp_path: Path, file: str, path: str) -> None:
    """Where pyproject.toml names no packages, the one with the project's name is taken."""
    write_tree(tmp_path, {file: "", "README.md": ""})
    assert paths(read(tmp_path)) == [path]


def test_named_packages_go_where_they_are_wanted(tmp_path: Path) -> None:
    """`from` tells where a package lies, `to` where it goes."""
    write_tree(tmp_path, {"lib/one/__init__.py": "", "two/__init__.py": "", "two/notes.log": ""})
    packages = (PackagesItem("one", base="lib"), PackagesItem("two", to="inner"))

    project = read(tmp_path, packages=packages, exclude=("**/*.log",))

    assert paths(project) == ["inner/two/__init__.py", "one/__init__.py"]


def test_one_of_several_packages_is_missing(tmp_path: Path) -> None:
    """A package that is not there is an error where another one is."""
    write_tree(tmp_path, {"one/__init__.py": ""})
    with pytest.raises(MissingPackageError, match="names 'two'"):
        read(tmp_path, packages=(PackagesItem("one"), PackagesItem("two")))


def test_all_packages_are_missing(tmp_path: Path) -> None:
    """Where none is there, as after `poetry init`, the modules that are there stand for them."""
    write_tree(tmp_path, {"app.py": "def handler(event, context): ...\n"})

    project = read(tmp_path, packages=(PackagesItem("my_fn"),))

    assert (paths(project), project.missing_packages) == (["app.py"], ("my_fn",))


def test_package_that_leaves_its_base(tmp_path: Path) -> None:
    """What lies above a package's base has no place in the bundle."""
    write_tree(tmp_path, {"other/a.py": "", "lib/b.py": ""})
    with pytest.raises(ProjectError, match="leaves"):
        read(tmp_path, packages=(PackagesItem("../other", base="lib"),))


def test_metadata_only_of_packages(tmp_path: Path) -> None:
    """Licences and entry points belong to a distribution, which `package-mode = false` makes none of."""
    write_tree(tmp_path, {"my_fn.py": "", "LICENSE": ""})
    points = {"console-scripts": {"hello": "my_fn:main"}}

    package = read(tmp_path, entry_points=points)
    loose = read(tmp_path, entry_points=points, is_package_mode=False)

    assert [file.path for file in package.licences] == ["LICENSE"]
    assert package.entry_points == {"console_scripts": {"hello": "my_fn:main"}}
    assert (loose.licences, loose.entry_points, loose.is_distribution) == ((), {}, False)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        pytest.param(Include("data/a.json"), "data/a.json", id="its own path"),
        pytest.param(Include("data/a.json", "b.json"), "b.json", id="another name"),
        pytest.param(Include("data/a.json", "conf/"), "conf/a.json", id="into a folder"),
        pytest.param(Include("data/*.json", "conf"), "conf/a.json", id="a glob is always put into one"),
        pytest.param(Include("data", "."), "a.json", id="a folder's content at the root"),
    ],
)
def test_included_files(tmp_path: Path, item: Include, path: str) -> None:
    """What the user includes goes where the user says, before the project's own files."""
    write_tree(tmp_path, {"data/a.json": "{}", "my_fn.py": ""})
    assert paths(read(tmp_path, item)) == [path, "my_fn.py"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(Include("data/**", "to"), ["to/a", "to/s/b", "to/s/t/c"], id="all-in-a-folder"),
        pytest.param(Include("data/**/*", "to"), ["to/a", "to/s/b", "to/s/t/c"], id="with-a-star"),
        pytest.param(Include("data/*", "to"), ["to/a", "to/s/b", "to/s/t/c"], id="each-in-a-folder"),
        pytest.param(Include("data/**"), ["data/a", "data/s/b", "data/s/t/c"], id="at-their-own-paths"),
        pytest.param(Include("data/**/c", "to"), ["to/c"], id="deep-file"),
        pytest.param(Include("**/t", "to"), ["to/t/c"], id="deep-folder"),
    ],
)
def test_stars_mean_the_same_on_every_python(tmp_path: Path, item: Include, expected: list[str]) -> None:
    """`**` at the end is all that is in a folder; what lies in a folder that matches comes with it, once."""
    write_tree(tmp_path, dict.fromkeys(["data/a", "data/s/b", "data/s/t/c", "my_fn.py"], ""))
    assert paths(read(tmp_path, item)) == [*expected, "my_fn.py"]
