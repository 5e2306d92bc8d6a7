"""The plugin's table, written into a pyproject.toml that has none, and whose other lines stay."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class UnwritableTableError(LambdaBundleError):
    """A pyproject.toml that the table can't be added to."""

    def __init__(self, path: Path, reason: str, lines: str) -> None:
        self.path = path
        super().__init__(
            f"{path} can't be added to: {reason}. Write these lines yourself:", *lines.splitlines()
        )


def table_text(table: Mapping[str, Any]) -> str:
    """Return a table as it is written, its tables below it."""
    import tomlkit

    document: dict[str, Any] = {}
    inner = document
    for name in TABLE.split("."):
        inner[name] = inner = {}
    inner.update(table)
    return tomlkit.dumps(document).lstrip("\n")


def with_table(path: Path, text: str, table: Mapping[str, Any]) -> str:
    """Return a pyproject.toml with the table at its end, with its own ends of lines.

    Raises UnwritableTableError where TOML does not allow that, as where `tool` is written within braces.
    """
    import tomlkit

    from tomlkit.exceptions import TOMLKitError

    added = table_text(table)
    end = "\r\n" if "\r\n" in text else "\n"
    body = text.rstrip("\r\n\t ")
    joined = f"{body}{end * 2 if body else ''}{added.replace(chr(10), end)}"
    try:
        before, after = tomlkit.parse(text).unwrap(), tomlkit.parse(joined).unwrap()
    except TOMLKitError as error:
        raise UnwritableTableError(path, " ".join(str(error).split()), added) from error
    tool, _, name = TABLE.partition(".")
    if after != {**before, tool: {**before.get(tool, {}), name: table}}:
        raise UnwritableTableError(path, "the table would not be read as it is meant", added)
    return joined
