"""Says what an order costs."""

from __future__ import annotations

from typing import Any

from shop.orders import total


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return the total of an order."""
    return {"statusCode": 200, "body": str(total(event))}
