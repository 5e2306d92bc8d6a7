"""How long a server may let wait."""

from __future__ import annotations

import time

from email.utils import formatdate

import pytest

from poetry_lambda_plugin.poetry_api.repositories import wanted_wait


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("3", 3, id="seconds"),
        pytest.param("0.5", 0.5, id="half-a-second"),
        pytest.param("", None, id="nothing"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("-1", None, id="negative"),
        pytest.param("nan", None, id="no-number"),
        pytest.param("inf", float("inf"), id="for-ever"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", None, id="date-in-the-past"),
    ],
)
def test_wanted_wait(header: str, expected: float | None) -> None:
    """In seconds, None where the header makes no sense."""
    assert wanted_wait(header) == expected


def test_wanted_wait_until_a_date() -> None:
    """Which a header may say, too."""
    wanted = wanted_wait(formatdate(time.time() + 60, usegmt=True))

    assert wanted is not None
    assert 55 < wanted <= 60
