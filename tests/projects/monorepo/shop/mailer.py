"""Writes the mail that confirms an order."""

from __future__ import annotations

from typing import Any

from jinja2 import Template

from shop.orders import total


MAIL = Template("Dear {{ customer }}, your order costs {{ total }}.")


def handler(event: dict[str, Any], context: object) -> str:
    """Return the mail for an order."""
    return MAIL.render(customer=event["customer"], total=total(event))
