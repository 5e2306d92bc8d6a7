"""The key `modules`: which of the project's own code is taken."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from tests.support.runner import bundle
from tests.support.runner import contents


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.projects import Project


PACKAGE = {
    "shop/__init__.py": "",
    "shop/prices.json": "{}",
    "shop/api/__init__.py": "",
    "shop/api/orders.py": "",
    "shop/api/users.py": "",
    "shop/api/templates/a.html": "",
    "shop/jobs/__init__.py": "",
    "shop/jobs/nightly.py": "",
    "shop/jobs/data.csv": "",
    "lambda_function.py": "",
    "scripts/load.py": "",
    "tasks.py": "",
}
LOOSE = {
    "lambda_function.py": "",
    "other.py": "",
    "lib/__init__.py": "",
    "lib/a.py": "",
    "space/b.py": "",
    "space/deep/c.py": "",
    "space/deep/d.txt": "",
    "noxfile.py": "",
}


def made(project: Project, files: Mapping[str, str], modules: object, name: str) -> set[str]:
    project.pyproject(name, config=f'modules = {json.dumps(modules)}\nruntime = "python3.13"')
    project.write(files)
    project.lock()
    outcome = bundle()
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "Note" not in outcome.output or modules in ("all", ["all"])
    (path,) = (project.folder / "dist").iterdir()
    return {member for member in contents(path) if ".dist-info/" not in member}


API = {"shop/__init__.py", "shop/prices.json", "shop/api/__init__.py", "shop/api/templates/a.html"}


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        pytest.param("all", set(PACKAGE) - {"scripts/load.py", "tasks.py"}, id="all"),
        pytest.param(
            ["shop"], set(PACKAGE) - {"scripts/load.py", "tasks.py", "lambda_function.py"}, id="package"
        ),
        pytest.param(["shop.api"], {*API, "shop/api/orders.py", "shop/api/users.py"}, id="subpackage"),
        pytest.param(["shop/api/"], {*API, "shop/api/orders.py", "shop/api/users.py"}, id="folder"),
        pytest.param(["shop.api.orders"], {*API, "shop/api/orders.py"}, id="module"),
        pytest.param(["shop/api/orders.py"], {*API, "shop/api/orders.py"}, id="file"),
        pytest.param("shop.api.orders", {*API, "shop/api/orders.py"}, id="one-string"),
        pytest.param(["shop.*.o*"], {*API, "shop/api/orders.py"}, id="pattern"),
        pytest.param(["lambda_function", "scripts"], {"lambda_function.py", "scripts/load.py"}, id="beside"),
        pytest.param(["tasks"], {"tasks.py"}, id="a-tool's-name"),
        pytest.param(
            ["shop.jobs.*"],
            {"shop/__init__.py", "shop/prices.json", *(p for p in PACKAGE if p.startswith("shop/jobs/"))},
            id="all-below",
        ),
    ],
)
def test_of_a_package(project: Project, modules: object, expected: set[str]) -> None:
    """Modules come with the packages that they are in and those packages' data, by dots or as paths."""
    assert made(project, PACKAGE, modules, "shop") == expected


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        pytest.param(
            ["all"], {"lambda_function.py", "other.py", "lib/__init__.py", "lib/a.py"}, id="list-of-all"
        ),
        pytest.param("all", {"lambda_function.py", "other.py", "lib/__init__.py", "lib/a.py"}, id="all"),
        pytest.param(
            ["lambda_function", "lib"], {"lambda_function.py", "lib/__init__.py", "lib/a.py"}, id="two"
        ),
        pytest.param(["space.deep"], {"space/deep/c.py", "space/deep/d.txt"}, id="namespace"),
        pytest.param(["*_function.py", "noxfile"], {"lambda_function.py", "noxfile.py"}, id="pattern"),
    ],
)
def test_of_loose_modules(project: Project, modules: object, expected: set[str]) -> None:
    """Where there is no package, loose modules and folders are chosen in the same way."""
    assert made(project, LOOSE, modules, "loose") == expected


def test_included_files_are_not_chosen(project: Project) -> None:
    """`include` adds whatever `modules` chooses."""
    project.pyproject("loose", config='modules = ["lib"]\ninclude = ["data.json", "other.py"]')
    project.write({**LOOSE, "data.json": "{}"})
    project.lock()

    bundle()

    assert {p for p in contents(project.folder / "dist/loose.zip") if ".dist-info/" not in p} == {
        "lib/__init__.py",
        "lib/a.py",
        "data.json",
        "other.py",
    }


def test_of_each_bundle(project: Project) -> None:
    """Every function of a table takes its own."""
    project.pyproject(
        "shop",
        config=(
            '[tool.poetry-lambda-plugin.bundles.api]\nmodules = ["shop.api"]\n'
            '[tool.poetry-lambda-plugin.bundles.jobs]\nmodules = ["shop.jobs"]\n'
        ),
    )
    project.write(PACKAGE)
    project.lock()

    assert bundle().exit_code == 0

    assert "shop/jobs/nightly.py" not in contents(project.folder / "dist/api.zip")
    assert "shop/jobs/nightly.py" in contents(project.folder / "dist/jobs.zip")


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        pytest.param(
            ["shop.apy"],
            "modules: the project has no module or package 'shop.apy'. Did you mean 'shop.api'? "
            "It has lambda_function, shop, shop.api, shop.api.orders, shop.api.users and 2 more.",
            id="misspelt",
        ),
        pytest.param(
            [],
            "tool.poetry-lambda-plugin.modules is empty. "
            "Leave it out for all modules, or set no-root for none.",
            id="empty",
        ),
        pytest.param(
            [5], "tool.poetry-lambda-plugin.modules must be a list of strings; it has a number.", id="type"
        ),
    ],
)
def test_refuses(project: Project, modules: object, message: str) -> None:
    """What names nothing is refused, with the nearest module."""
    project.pyproject("shop", config=f"modules = {json.dumps(modules)}")
    project.write(PACKAGE)
    project.lock()

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (1, message)
