"""Sizes against Lambda's limits and the user's own."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.limits import MaxSizeError
from poetry_lambda_plugin.audit.limits import check_max_size
from poetry_lambda_plugin.audit.limits import size_warnings
from poetry_lambda_plugin.report.savings import Saving
from poetry_lambda_plugin.target.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.target.runtimes import MAX_ZIPPED_SIZE


MB = 1 << 20
SIX = tuple(Saving(f"option-{number}", 0, (10 - number) * MB) for number in range(6))


def warnings(total: Sizes, layers: int = 0, savings: tuple[Saving, ...] = ()) -> list[str]:
    return list(size_warnings(total, layers, lambda: savings))


def never() -> tuple[Saving, ...]:
    raise AssertionError


def test_silent_below_the_limits() -> None:
    """A byte below both limits nothing is said, and no saving is measured."""
    total = Sizes(MAX_ZIPPED_SIZE - 1, MAX_UNZIPPED_SIZE - 11)

    assert list(size_warnings(total, 10, never)) == []


def test_limits_must_be_undercut() -> None:
    """Exactly 50 MB and 250 MB are too much."""
    zipped, unzipped = warnings(Sizes(MAX_ZIPPED_SIZE, MAX_UNZIPPED_SIZE))

    assert zipped.startswith("The ZIP has 52,428,800 bytes; ")
    assert unzipped == (
        "Unzipped, the bundle has 262,144,000 bytes; Lambda refuses 262,144,000 (250 MB) or more, layers "
        "included. --explain shows what would save most; --exclude leaves files out."
    )


def test_layers_count() -> None:
    """What the layers have is added, and told."""
    (warning,) = warnings(Sizes(1, MAX_UNZIPPED_SIZE - 10), 10)

    assert warning.startswith("Unzipped, the bundle has 262,143,990 bytes and its layers have 10; ")


def test_names_the_five_best_savings() -> None:
    """Past the limit, the message has what would save most."""
    (warning,) = warnings(Sizes(1, MAX_UNZIPPED_SIZE), savings=SIX)

    assert warning.endswith(
        "What would save most: option-0 10.0 MB, option-1 9.0 MB, option-2 8.0 MB, option-3 7.0 MB, "
        "option-4 6.0 MB. --explain shows all."
    )


@pytest.mark.parametrize("max_size", [pytest.param(None, id="none"), pytest.param(110, id="reached")])
def test_max_size_may_be_reached(max_size: int | None) -> None:
    """A bundle of just the size that is allowed is fine."""
    check_max_size(Sizes(1, 100), 10, max_size, never)


def test_refuses_more_than_max_size() -> None:
    """One byte more is an error that carries the savings."""
    with pytest.raises(MaxSizeError) as caught:
        check_max_size(Sizes(1, 101), 10, 110, lambda: SIX[:1])

    assert str(caught.value) == (
        "Unzipped, the bundle has 101 bytes and its layers have 10; max-size allows 110. "
        "What would save most: option-0 10.0 MB. --explain shows all."
    )
