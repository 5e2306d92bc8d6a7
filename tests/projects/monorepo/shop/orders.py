"""What all functions know of an order."""

from __future__ import annotations

from typing import Any

from money import Money


def total(order: dict[str, Any]) -> Money:
    """Add up an order such as `{"items": [{"name": "Tea", "cents": 350}]}`."""
    return Money(sum(item["cents"] for item in order["items"]))
