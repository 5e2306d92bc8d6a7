"""Tables of pyproject.toml that were likely meant to be this plugin's."""

from __future__ import annotations

import re

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Iterator


NEAR_TABLES = ("poetry-lambda-plugin", "poetry-lambda-bundle")
SHORT_TABLES = frozenset({"lambda-plugin", "lambda-bundle", "poetry-lambda"})
"""Names that may be meant for this plugin's table; the short ones could be another tool's as well."""


def misnamed_tables(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for each table of pyproject.toml that was likely meant to be this plugin's."""
    for where, tables in (("", document), ("tool.", document.get("tool", {}))):
        for name, value in tables.items():
            if f"{where}{name}" != TABLE and isinstance(value, Mapping) and _resembles_ours(name, value):
                words = f"[{where}{name}] in pyproject.toml is ignored: the table's name is [{TABLE}]."
                yield Finding("table-ignored", words, f"{where}{name}")


def hint_below_poetry(words: str) -> str:
    """Return a line to follow Poetry's words where it refuses a table that was meant to be this plugin's.

    Below [tool.poetry] Poetry allows no table but its own.
    """
    names = map(canonicalize_name, re.findall(r"'([^']+)' was unexpected", words))
    is_ours = any(name in SHORT_TABLES or _is_near_ours(name) for name in names)
    return f"This plugin's table is [{TABLE}]." if is_ours else ""


def _resembles_ours(name: str, table: Mapping[str, object]) -> bool:
    plain = canonicalize_name(name)
    if plain in SHORT_TABLES:
        return any(key in KEYS or key == BUNDLES for key in table)
    return _is_near_ours(plain)


def _is_near_ours(name: str) -> bool:
    # names of other plugins come as near as 0.91; two wrong letters are 0.95
    return similar(name, NEAR_TABLES, cutoff=0.93) is not None
