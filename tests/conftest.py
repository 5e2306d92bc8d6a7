from __future__ import annotations

import gc

from typing import TYPE_CHECKING

import pytest

from tests.support.index import Index
from tests.support.projects import Project


if TYPE_CHECKING:
    from collections.abc import Generator
    from collections.abc import Iterator
    from pathlib import Path


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Format failures without collecting: CPython's parser does not bear another parse inside (gh-106905).

    One happens where what is collected complains, and its complaint's traceback is parsed.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's home, caches, configuration and credentials out of every test."""
    for variable in ("SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "POETRY_HTTP_BASIC_TESTS_USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POETRY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("POETRY_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("POETRY_KEYRING_ENABLED", "false")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def index() -> Iterator[Index]:
    """An index on loopback, empty."""
    served = Index()
    yield served
    served.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project folder, which is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Project(folder)


@pytest.fixture
def locked_project(project: Project, index: Index) -> Project:
    """A project with one module and one dependency from the index, locked."""
    from tests.support.projects import Locked
    from tests.support.wheels import make_wheel

    wheel = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'hello'\n"})
    index.add(wheel)
    project.pyproject(dependencies=["greeting"], source=index.url)
    project.write(
        {"my_fn.py": "from greeting import WORD\n\ndef handler(event, context):\n    return WORD\n"}
    )
    project.lock([Locked.of(wheel)], source=index.url)
    return project
