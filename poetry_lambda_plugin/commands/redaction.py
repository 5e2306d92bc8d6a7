"""Credentials kept out of everything that is printed."""

from __future__ import annotations

import logging
import re

from contextlib import suppress
from typing import TYPE_CHECKING

from poetry_lambda_plugin.report.text import CONTROL


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


USER_INFO = re.compile(r"(?<=://)[^\s'\"<>]*@|(?<![\w./-])[^/@\s'\":]+:[^/\s'\"]+@(?=[\w.-]+)")
"""User and password before a host, up to the last `@`, in a URL or, as in messages, without its scheme."""

QUERY = re.compile(r"(/[^\s'\"<>?]*\?)[^\s'\"<>]+")
"""What follows the path of an address, where some hosts want tokens; a log may have the path alone."""


PASSWORD = re.compile(r"://[^\s/@'\":]*:([^\s/@'\"]{4,})@")
"""A password before a host; a shorter one would be masked in the middle of words."""


def without_credentials(text: str, passwords: Iterable[str] = ()) -> str:
    """Return a text with user, password and query of every address in it masked (RFC 3986, 3.2.1, 3.4)."""
    for password in passwords:
        text = text.replace(password, "***")
    return QUERY.sub(r"\1***", USER_INFO.sub("***@", text))


def written_passwords(root: Path) -> frozenset[str]:
    """Return passwords in addresses of a project's lock and pyproject.toml.

    Some addresses are misunderstood on their way to an error, which then has the password as a path.
    """
    found: set[str] = set()
    for name in ("poetry.lock", "pyproject.toml"):
        with suppress(OSError, ValueError):
            found |= {*PASSWORD.findall((root / name).read_text(encoding="utf-8"))}
    return frozenset(found)


class CredentialsFilter(logging.Filter):
    """Masks credentials in what Poetry and its libraries log at -vvv."""

    def __init__(self, passwords: Iterable[str] = ()) -> None:
        super().__init__()
        self._passwords = frozenset(passwords)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked, without control characters and with its first line told apart."""
        record.msg, record.args = self._masked(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self._masked(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True

    def _masked(self, text: str) -> str:
        lines = without_credentials(text, self._passwords).splitlines()
        return "\n  | ".join(CONTROL.sub("?", line) for line in lines)
