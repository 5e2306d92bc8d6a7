"""What is known of a row before it runs: the point of issue 16 that it is, and the Poetry that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

import pytest

from packaging.version import Version
from poetry.__version__ import __version__


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator


class Row(Protocol):
    """A case that is data."""

    @property
    def name(self) -> str:
        """What it is about."""

    @property
    def gets_through(self) -> str:
        """The point of issue 16 that it is, as long as it is not mended."""

    @property
    def since(self) -> str:
        """The first Poetry that ends it in this way."""


def lets_through(point: str) -> pytest.MarkDecorator:
    """Mark what is not yet mended."""
    return pytest.mark.xfail(strict=True, reason=f"issue 16 {point}")


def rows(all_rows: Iterable[Row]) -> list[Any]:
    """Return rows for pytest."""
    return [pytest.param(row, id=row.name, marks=tuple(_marks(row))) for row in all_rows]


def _marks(row: Row) -> Iterator[pytest.MarkDecorator]:
    if row.gets_through:
        yield lets_through(row.gets_through)
    if row.since and Version(__version__) < Version(row.since):
        yield pytest.mark.skip(reason=f"Poetry does so since {row.since}")
