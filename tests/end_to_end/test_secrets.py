"""Secrets in what the project adds, and warnings that a user knows of."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from tests.support.runner import bundle


if TYPE_CHECKING:
    from tests.support.projects import Project


KEY = "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n"
TWO = """
[tool.poetry-lambda-plugin.bundles.api]
[tool.poetry-lambda-plugin.bundles.data]
exclude = ["/my_fn/key.pem"]
"""


@pytest.fixture
def project(project: Project) -> Project:
    """Return a project whose package holds a key, beside an example that is none."""
    project.write({"my_fn/__init__.py": "", "my_fn/key.pem": KEY, "my_fn/.env.example": "A="})
    return project


def configure(project: Project, config: str) -> None:
    """Write the plugin's table, and a lock that fits it."""
    project.pyproject(config=f'runtime = "python3.12"\n{config}')
    project.lock()


def findings(*arguments: str) -> list[tuple[str, str | None]]:
    """Return code and place of every finding of all bundles."""
    outcome = bundle("--format", "json", *arguments)
    assert outcome.exit_code == 0, outcome.error
    bundles = json.loads(outcome.output)["bundles"]
    return [(finding["code"], finding["where"]) for one in bundles for finding in one["findings"]]


def test_is_told(project: Project) -> None:
    """A key is a warning, and what `include` adds is looked at too."""
    project.write({"local/.env": "TOKEN=1"})
    configure(project, 'include = ["local/.env"]')

    assert findings() == [("secret", "local/.env"), ("secret", "my_fn/key.pem")]


def test_is_an_error_with_strict(project: Project) -> None:
    """With `strict`, nothing is written."""
    configure(project, "strict = true")

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "'my_fn/key.pem' holds a private key" in outcome.message
    assert not (project.folder / "dist").exists()


@pytest.mark.parametrize(
    "config", ['exclude = ["/my_fn/key.pem"]', 'ignore = ["secret:my_fn/key.pem"]', 'ignore = "secret"']
)
def test_is_silenced(project: Project, config: str) -> None:
    """Leaving the file out, or saying that it is meant, ends the warning; `strict` holds then."""
    configure(project, config)

    assert findings("--strict") == []


def test_ignoring_nothing_is_told(project: Project) -> None:
    """An element that silences nothing is a warning of its own, in one bundle or several."""
    configure(project, 'ignore = ["secret:my_fn/key.pem", "secret:my_fn/gone.pem", "layer-stale"]')

    assert findings() == [("ignore-unused", "secret:my_fn/gone.pem"), ("ignore-unused", "layer-stale")]


def test_two_architectures(project: Project) -> None:
    """What both know of is told by none."""
    configure(project, 'ignore = ["secret"]\narchitecture = ["x86_64", "arm64"]')

    assert findings("--strict") == []


@pytest.mark.parametrize("chosen", [(), ("api",), ("data",)])
def test_common_table(project: Project, chosen: tuple[str, ...]) -> None:
    """What silences something in one bundle is no mistake in others that have it from the common table."""
    configure(project, f'ignore = ["secret"]\n{TWO}')

    assert findings("--strict", *chosen) == []


def test_unused_in_the_common_table(project: Project) -> None:
    """What silences nothing in any bundle is told where all are made."""
    configure(project, f'ignore = ["secret", "sdk-pinned"]\n{TWO}')

    assert findings() == [("ignore-unused", "sdk-pinned")] * 2
    assert findings("api") == []


def test_unused_in_a_bundles_own_table(project: Project) -> None:
    """A bundle's own table is held to account in every run."""
    configure(project, '[tool.poetry-lambda-plugin.bundles.api]\nignore = ["secret", "sdk-pinned"]')

    assert findings("api") == [("ignore-unused", "sdk-pinned")]
