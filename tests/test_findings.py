"""Warnings as values: which are told, which silenced, and which silence nothing."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.findings import StrictError
from poetry_lambda_plugin.findings import judged
from poetry_lambda_plugin.findings import unused_ignores


KEY = Finding("secret", "A key.", "tests/key.pem")
CALL = Finding("service-unclear", "A call.", "my_fn.py:7")
EMPTY = Finding("project-empty", "No file.")


@pytest.mark.parametrize(
    ("item", "silenced"),
    [
        ("secret", KEY),
        ("secret:tests/key.pem", KEY),
        ("secret:key.pem", None),
        ("secret:tests/key", None),
        ("service-unclear:my_fn.py:7", CALL),
        ("service-unclear:my_fn.py", CALL),
        ("service-unclear:my_fn.py:8", None),
        ("project-empty", EMPTY),
        ("project-empty:x", None),
    ],
)
def test_silences_by_code_or_place(item: str, silenced: Finding | None) -> None:
    """A code means all of its findings; with a place, those at the place alone."""
    findings = (KEY, CALL, EMPTY)

    result = judged(findings, (item,), strict=False)

    assert result.silenced == tuple(filter(None, [silenced]))
    assert result.told == tuple(finding for finding in findings if finding != silenced)
    assert [f.where for f in unused_ignores([item], result.silenced)] == ([] if silenced else [item])


def test_strict_counts_what_is_told_alone() -> None:
    """What is silenced is no error."""
    assert judged([KEY], ["secret"], strict=True).told == ()
    with pytest.raises(StrictError, match=r"^A key\. A call\. \(--strict makes this an error\.\)$"):
        judged([KEY, CALL], (), strict=True)


def test_the_warning_of_unused_elements_can_be_silenced() -> None:
    """`ignore-unused` itself is not told to be unused."""
    assert not list(unused_ignores(["ignore-unused"], ()))
