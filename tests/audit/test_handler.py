"""A handler that a pattern leaves out."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.audit.handler import ExcludedHandlerError
from poetry_lambda_plugin.audit.handler import check_handler


@pytest.mark.parametrize(
    ("handler", "path"),
    [
        pytest.param("my_fn.handler", "my_fn.py", id="module"),
        pytest.param("my_fn.handler", "my_fn/__init__.py", id="package"),
        pytest.param("my_fn.api.main.handler", "my_fn/api/main.py", id="dots"),
        pytest.param("my_fn/api/main.handler", "my_fn/api/main.py", id="slashes"),
    ],
)
def test_refuses_excluded_handler(handler: str, path: str) -> None:
    """The message has the file, the handler and what to do."""
    with pytest.raises(ExcludedHandlerError) as caught:
        check_handler(handler, {"other.py"}, {path})

    assert str(caught.value) == (
        f"exclude leaves out {path}, which the handler {handler!r} needs. "
        f"Change the pattern, or add '!{path}' after it."
    )


@pytest.mark.parametrize(
    ("handler", "bundled", "left_out"),
    [
        pytest.param(None, set(), {"my_fn.py"}, id="no-handler"),
        pytest.param("my_fn.handler", {"my_fn.py"}, set(), id="bundled"),
        pytest.param("my_fn.handler", {"my_fn.py"}, {"my_fn/__init__.py"}, id="one-of-two"),
        pytest.param("my_fn.handler", {"my_fn.py"}, {"my_fn.py"}, id="left-out-of-another"),
        pytest.param("my_fn.handler", set(), {"my_fn/other.py"}, id="nowhere"),
    ],
)
def test_accepts(handler: str | None, bundled: set[str], left_out: set[str]) -> None:
    """A handler that is bundled is fine, and one that never was there is no concern of patterns."""
    check_handler(handler, bundled, left_out)
