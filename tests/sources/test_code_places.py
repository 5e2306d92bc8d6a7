"""What to include so that a handler's module is where Lambda looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.sources.code_places import places_to_include
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("files", "module", "places"),
    [
        pytest.param(["secret.py"], "secret", ("secret.py",), id="there-but-ignored"),
        pytest.param(["lib/api.py"], "lib/api", ("lib",), id="in-a-folder-of-that-name"),
        pytest.param(["app/__init__.py"], "app", ("app",), id="a-package"),
        pytest.param(["function/app.py"], "app", ("function:.",), id="in-a-folder"),
        pytest.param(["services/orders/app/main.py"], "app/main", ("services/orders:.",), id="deep"),
        pytest.param(["a/app.py", "b/app.py"], "app", ("a:.", "b:."), id="in-two-folders"),
        pytest.param(["a/x/app.py", "b/app.py"], "app", ("b:.", "a/x:."), id="the-nearest-first"),
        pytest.param(["a/b/c/d/app.py"], "app", ("a/b/c/d:.",), id="as-deep-as-it-is-searched"),
        pytest.param(["a/b/c/d/e/app.py"], "app", (), id="too-deep"),
        pytest.param(["../api.py"], "api", ("../api.py:api.py",), id="above"),
        pytest.param(["../common/api.py"], "common/api", ("../common:common",), id="above-in-its-folder"),
        pytest.param(["../../far/api.py"], "far/api", ("../../far:far",), id="far-above"),
        pytest.param(["../common/api.py"], "api", ("../common:.",), id="in-a-neighbour"),
        pytest.param(
            ["lib/api.py"],
            "repository/project/lib/api",
            ("lib:repository/project/lib",),
            id="seen-from-above",
        ),
        pytest.param(
            ["api.py"],
            "repository/project/api",
            ("api.py:repository/project/api.py",),
            id="module-from-above",
        ),
        pytest.param([".hidden/app.py"], "app", (), id="hidden"),
        pytest.param(["node_modules/app.py"], "app", (), id="installed"),
        pytest.param(["a:b/app.py"], "app", (), id="colon-that-could-not-be-written"),
        pytest.param(["other.py"], "app", (), id="nowhere"),
    ],
)
def test_places(tmp_path: Path, files: list[str], module: str, places: tuple[str, ...]) -> None:
    """Each would put the module where the handler says, the nearest first."""
    root = tmp_path / "repository/project"
    write_tree(root, dict.fromkeys(files, ""))
    root.mkdir(parents=True, exist_ok=True)

    assert places_to_include(root, module) == places


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link could lead anywhere, and round in circles."""
    write_tree(tmp_path, {"elsewhere/app.py": ""})
    (tmp_path / "project/lib").mkdir(parents=True)
    (tmp_path / "project/lib/link").symlink_to(tmp_path / "elsewhere")

    assert places_to_include(tmp_path / "project/lib", "app") == ()
