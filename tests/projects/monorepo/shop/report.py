"""Lists the orders of a day."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from shop.orders import total


def handler(event: dict[str, Any], context: object) -> str:
    """Return a table of orders."""
    rows = [[order["customer"], str(total(order))] for order in event["orders"]]
    return str(tabulate(rows, headers=["Customer", "Total"]))
