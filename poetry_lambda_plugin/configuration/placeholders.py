"""What the path of an output may leave open, and how it is filled in."""

from __future__ import annotations

import os
import string

from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.readers import ConfigError


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


PLACEHOLDERS = ("name", "version", "runtime", "architecture", "bundle")
"""What an output is filled in with."""


def literal(folder: Path) -> Path:
    """Keep the braces of a folder's own name from being taken for placeholders."""
    return type(folder)(str(folder).replace("{", "{{").replace("}", "}}"))


def filled_in(path: Path, values: Mapping[str, str], key: str) -> Path:
    """Fill in the path of a key's value; raises ConfigError for a placeholder that does not exist."""
    template = str(path)
    try:
        parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ConfigError(f"The {key} {template!r} can't be understood: {error}.") from None
    for _, field, format_spec, conversion in parts:
        written = (
            f"{field}{'!' if conversion else ''}{conversion or ''}{':' if format_spec else ''}{format_spec}"
        )
        if written not in values:
            names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ConfigError(
                f"The {key} {template!r} has an unknown placeholder {{{written}}}. Known: {names}."
            )
    return type(path)(os.path.normpath(template.format_map(values)))
