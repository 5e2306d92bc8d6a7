"""What Lambda calls."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment
from jinja2 import PackageLoader


TEMPLATES = Environment(loader=PackageLoader("order_mail"), autoescape=True, trim_blocks=True)


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Return the mail for an order such as `{"customer": "Ada", "items": [{"name": "Tea", "price": 3.5}]}`."""
    items = event["items"]
    total = sum(item["price"] for item in items)
    template = TEMPLATES.get_template("order.html")
    body = template.render(customer=event["customer"], items=items, total=total)
    return {"subject": f"Your order of {len(items)} item(s)", "body": body}
