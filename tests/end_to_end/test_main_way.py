"""From a locked project to a ZIP, the way most people will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.runner import bundle
from tests.support.runner import contents


if TYPE_CHECKING:
    from tests.support.projects import Project


def test_bundles_project_and_dependency(locked_project: Project) -> None:
    """The ZIP holds the project's module, its dependency, and the metadata of both."""
    outcome = bundle()

    assert outcome.error == ""
    assert outcome.exit_code == 0
    assert list(contents(locked_project.folder / "dist/my-fn.zip")) == [
        "greeting-1.0.dist-info/METADATA",
        "greeting-1.0.dist-info/RECORD",
        "greeting-1.0.dist-info/WHEEL",
        "greeting/__init__.py",
        "my_fn-0.1.0.dist-info/METADATA",
        "my_fn-0.1.0.dist-info/RECORD",
        "my_fn-0.1.0.dist-info/WHEEL",
        "my_fn.py",
    ]
