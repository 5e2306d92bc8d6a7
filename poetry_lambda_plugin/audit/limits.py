"""A bundle's size against Lambda's limits and the user's own (AWS page "Lambda quotas")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.target.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.target.runtimes import MAX_ZIPPED_SIZE


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.writer import Sizes
    from poetry_lambda_plugin.report.savings import Saving


MEGABYTE = 1 << 20
"""As AWS counts it."""
MAX_NAMED = 5
"""Savings that a message names."""


class MaxSizeError(LambdaBundleError):
    """A bundle that is larger than the user allows."""


def size_warnings(total: Sizes, layers: int, savings: Callable[[], Sequence[Saving]]) -> Iterator[str]:
    """Warn of Lambda's limits, which must both be undercut; `layers` are unzipped bytes of theirs.

    `savings` takes a moment, so it is called past a limit only; it may return nothing to name none.
    """
    if total.zipped >= MAX_ZIPPED_SIZE:
        yield (
            f"The ZIP has {total.zipped:,} bytes; Lambda's API takes less than {MAX_ZIPPED_SIZE:,} "
            "(50 MB) directly. Upload it to S3 and deploy it from there."
        )
    if total.unzipped + layers >= MAX_UNZIPPED_SIZE:
        yield (
            f"Unzipped, the bundle has {_with_layers(total, layers)}; Lambda refuses {MAX_UNZIPPED_SIZE:,} "
            f"(250 MB) or more, layers included. {_remedy(savings())}"
        )


def check_max_size(
    total: Sizes, layers: int, max_size: int | None, savings: Callable[[], Sequence[Saving]]
) -> None:
    """Raise MaxSizeError past the user's own limit of unzipped bytes."""
    if max_size is not None and total.unzipped + layers > max_size:
        raise MaxSizeError(
            f"Unzipped, the bundle has {_with_layers(total, layers)}; max-size allows {max_size:,}. "
            f"{_remedy(savings())}"
        )


def _with_layers(total: Sizes, layers: int) -> str:
    if not layers:
        return f"{total.unzipped:,} bytes"
    return f"{total.unzipped:,} bytes and its layers have {layers:,}"


def _remedy(savings: Sequence[Saving]) -> str:
    if not savings:
        return "--explain shows what would save most; --exclude leaves files out."
    named = ", ".join(
        f"{saving.option} {saving.unzipped / MEGABYTE:.1f} MB" for saving in savings[:MAX_NAMED]
    )
    return f"What would save most: {named}. --explain shows all."
