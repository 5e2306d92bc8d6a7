"""Sizes against Lambda's limits and the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.limits import excess
from poetry_lambda_plugin.audit.limits import too_large
from poetry_lambda_plugin.audit.limits import zipped_notes
from poetry_lambda_plugin.audit.savings import Savings
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.runtime.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE


MB = 1 << 20
NOTHING = Savings({})


@pytest.mark.parametrize(
    ("unzipped", "max_size", "expected"),
    [
        pytest.param(MAX_UNZIPPED_SIZE - 1, None, 0, id="just-below-lambdas"),
        pytest.param(MAX_UNZIPPED_SIZE, None, 1, id="at-lambdas"),
        pytest.param(110, 110, 0, id="at-the-users"),
        pytest.param(111, 110, 1, id="past-the-users"),
    ],
)
def test_limits(unzipped: int, max_size: int | None, expected: int) -> None:
    """Lambda's limit must be undercut, the user's own may be reached."""
    assert excess(unzipped, BundleConfig(max_size=max_size)) == expected


def test_zipped_limit_must_be_undercut() -> None:
    """Of a ZIP of exactly 50 MB there is a note, a byte below there is none."""
    output = Path("/a b/fn.zip")

    assert not list(zipped_notes(Sizes(MAX_ZIPPED_SIZE - 1), output, layer=False))
    (note,) = zipped_notes(Sizes(MAX_ZIPPED_SIZE), output, layer=False)
    assert "`aws s3 cp '/a b/fn.zip' s3://BUCKET/ && " in note


def test_sizes_are_exact_where_rounded_ones_would_not_differ() -> None:
    """Who is a byte too large reads bytes, anybody else megabytes."""
    config = BundleConfig()

    exact = too_large("a.zip", MAX_UNZIPPED_SIZE - 10, {"deps": 10}, config, NOTHING)
    rounded = too_large("a.zip", 200 * MB, {"deps": 50 * MB, "b.zip": 10 * MB}, config, NOTHING)

    assert exact.startswith(
        "Unzipped, a.zip has 262,143,990 bytes and its layer deps has 10 bytes; "
        "Lambda refuses 262,144,000 bytes or more, layers included. "
    )
    assert rounded.startswith(
        "Unzipped, a.zip has 200.0 MB and its layer deps has 50.0 MB and its layer b.zip has 10.0 MB; "
        "Lambda refuses 250 MB or more, layers included. "
    )
