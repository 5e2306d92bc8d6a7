"""Indexes that want credentials, and indexes that are folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


USER, PASSWORD = "some-user", "s3cret-p4ssword"


@pytest.fixture
def wheel(index: Index) -> MadeFile:
    """A wheel on an index that wants credentials."""
    made = make_wheel("private", files={"private.py": "X = 1\n"})
    index.add(made)
    index.credentials = (USER, PASSWORD)
    return made


def lock(project: Project, wheel: MadeFile, url: str) -> None:
    project.pyproject(dependencies=["private"], source=url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=url)


def with_credentials(url: str) -> str:
    return url.replace("://", f"://{USER}:{PASSWORD}@")


def test_masks_credentials_of_the_address(project: Project, index: Index, wheel: MadeFile) -> None:
    """Credentials in a source's URL work, and are in no output and not in the bundle."""
    index.html = True
    lock(project, wheel, with_credentials(index.url))

    outcome = run("lambda-bundle", "-vvv")

    assert outcome.exit_code == 0, outcome.error
    assert PASSWORD not in outcome.output + outcome.error
    for data in contents(project.folder / "dist/my-fn.zip").values():
        assert PASSWORD.encode() not in data


def test_masks_credentials_in_errors(project: Project, index: Index, wheel: MadeFile) -> None:
    """An index that can't be reached is named by its host alone, at any verbosity."""
    lock(project, wheel, with_credentials(index.url).replace("simple", "nowhere"))

    outcome = run("lambda-bundle", "-vvv")

    assert outcome.exit_code == 1
    assert "private-1.0-py3-none-any.whl of private (1.0) is locked" in outcome.message
    assert PASSWORD not in outcome.output + outcome.error


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(None, id="none"),
        pytest.param((USER, "wrong-one"), id="wrong"),
    ],
)
def test_says_that_credentials_are_missing(
    project: Project,
    index: Index,
    wheel: MadeFile,
    monkeypatch: pytest.MonkeyPatch,
    credentials: tuple[str, str] | None,
) -> None:
    """A source that denies access is not taken for one that lacks the file."""
    if credentials:
        monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_USERNAME", credentials[0])
        monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_PASSWORD", credentials[1])
    lock(project, wheel, index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert (
        "it answered with status 401. It wants credentials: see `poetry config http-basic`" in outcome.message
    )
    assert "wrong-one" not in outcome.error
    assert not (project.folder / "dist").exists()


@pytest.mark.parametrize("priority", ["supplemental", "explicit"])
def test_takes_each_package_from_its_own_source(
    project: Project, index: Index, wheel: MadeFile, monkeypatch: pytest.MonkeyPatch, priority: str
) -> None:
    """A package locked from a supplemental or explicit source is fetched from there."""
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_USERNAME", USER)
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_PASSWORD", PASSWORD)
    source = f'[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\npriority = "{priority}"\n'
    project.pyproject(dependencies=["private"], tool=source)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert "private.py" in contents(project.folder / "dist/my-fn.zip")


def test_reads_an_index_that_is_a_folder(project: Project) -> None:
    """A `file:` index has a folder and a page per project, with relative links."""
    wheel = make_wheel("private", files={"private.py": "X = 1\n"})
    page = f'<a href="../../wheels/{wheel.filename}">{wheel.filename}</a>'
    project.write({"index/simple/private/index.html": page, f"index/wheels/{wheel.filename}": wheel.data})
    lock(project, wheel, (project.folder / "index/simple").as_uri())

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert contents(project.folder / "dist/my-fn.zip")["private.py"] == b"X = 1\n"


def test_refuses_two_sources_of_one_name(project: Project, index: Index, wheel: MadeFile) -> None:
    """Two sources of one name are refused before anything is asked."""
    twice = f'[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\n' * 2
    project.pyproject(dependencies=["private"], tool=twice)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "tests" in outcome.message
    assert "already" in outcome.message
    assert index.requests == []


def test_names_a_source_that_is_not_defined(project: Project, index: Index, wheel: MadeFile) -> None:
    """A package locked from a source that pyproject.toml no longer has is named with it."""
    project.pyproject(dependencies=["private"])
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert (
        "private (1.0) is locked from the source 'tests', which pyproject.toml does not define"
        in outcome.message
    )
