"""The one base of every error that a user can cause."""

from __future__ import annotations

import re


LINE_BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
"""All that `str.splitlines` takes for the end of a line, with what is around it."""


class LambdaBundleError(Exception):
    """Say in one paragraph what is wrong, where, and what to do about it.

    Each argument is one line. Names that hold line breaks make no line of their own, which a log that
    is read by machines could take for a command.
    """

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(one_line(str(line)) for line in self.args)


def one_line(text: str) -> str:
    """Return a text without line breaks; what it begins and ends with stays."""
    return LINE_BREAKS.sub(" ", text)
