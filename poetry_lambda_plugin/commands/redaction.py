"""Credentials kept out of everything that is printed."""

from __future__ import annotations

import logging
import re


USER_INFO = re.compile(r"(?<=://)[^\s'\"<>]*@|(?<![\w./-])[^/@\s'\":]+:[^/\s'\"]+@(?=[\w.-]+)")
"""User and password before a host, up to the last `@`, in a URL or, as in messages, without its scheme."""

QUERY = re.compile(r"(://[^\s'\"<>?]*\?)[^\s'\"<>]+")
"""What follows the path of a URL, where some hosts want tokens."""


def without_credentials(text: str) -> str:
    """Return a text with user, password and query of every address in it masked (RFC 3986, 3.2.1, 3.4)."""
    return QUERY.sub(r"\1***", USER_INFO.sub("***@", text))


class CredentialsFilter(logging.Filter):
    """Masks credentials in what Poetry and its libraries log at -vvv."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked."""
        record.msg, record.args = without_credentials(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = without_credentials(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def mask_logged_credentials() -> None:
    """Put the filter on all handlers that log to the console."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, CredentialsFilter) for known in handler.filters):
            handler.addFilter(CredentialsFilter())
