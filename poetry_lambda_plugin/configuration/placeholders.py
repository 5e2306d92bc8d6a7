"""What the path of an output may leave open: what is known from the start, and the digest, which is not."""

from __future__ import annotations

import os
import re
import string

from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.readers import ConfigError


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


PLACEHOLDERS = ("name", "version", "runtime", "architecture", "bundle", "sha256")
"""What an output is filled in with."""

DIGEST = "sha256"
DIGITS = 64
"""Hexadecimal digits of a whole digest."""
SHORT_DIGEST = re.compile(rf"{DIGEST}:(?:[1-9]|[1-5]\d|6[0-{DIGITS % 10}])")
"""Its first digits, as in `{sha256:12}`."""

OPEN_DIGEST = re.compile(r"\x02(\d+)\x02")
"""How many of them a path has room for, where it leaves them open."""


class _OpenDigest(str):
    """Holds the place of a digest in a path that is filled in but for it."""

    __slots__ = ()

    def __format__(self, digits: str) -> str:
        return f"\2{digits or DIGITS}\2"


LATER = _OpenDigest()
"""The value of DIGEST as long as it is not known."""


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
        if written not in values and not (DIGEST in values and SHORT_DIGEST.fullmatch(written)):
            names = ", ".join(f"{{{name}}}" for name in values)
            raise ConfigError(
                f"The {key} {template!r} has an unknown placeholder {{{written}}}. Known: {names}."
            )
    return type(path)(os.path.normpath(template.format_map(values)))


def is_settled(path: Path) -> bool:
    """Tell whether a path leaves no digest open."""
    return OPEN_DIGEST.search(str(path)) is None


def settled_folder(path: Path) -> Path:
    """Return the folder that a path certainly lies below."""
    return next(folder for folder in path.parents if is_settled(folder))


def settled(path: Path, digest: str) -> Path:
    """Fill in a digest, in hexadecimal, where a path leaves it open."""
    return type(path)(OPEN_DIGEST.sub(lambda match: digest[: int(match[1])], str(path)))


def readable(path: Path) -> Path:
    """Return a path as a person writes it, with the placeholder of what it leaves open."""
    return type(path)(OPEN_DIGEST.sub(_as_written, str(path)))


def _as_written(match: re.Match[str]) -> str:
    digits = "" if int(match[1]) == DIGITS else f":{match[1]}"
    return f"{{{DIGEST}{digits}}}"
