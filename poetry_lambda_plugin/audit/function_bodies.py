"""Sources without the bodies of their functions, which no import runs, so that less is to be parsed."""

from __future__ import annotations

import re

from functools import cache


STRINGS = re.compile(
    r'"""(?:[^"\\]+|\\(?:.|\Z)|"(?!""))*(?:"""|\Z)'
    r"|'''(?:[^'\\]+|\\(?:.|\Z)|'(?!''))*(?:'''|\Z)"
    r'|"(?:[^"\\\n]+|\\(?:.|\Z))*(?:"|(?=\n)|\Z)'
    r"|'(?:[^'\\\n]+|\\(?:.|\Z))*(?:'|(?=\n)|\Z)"
    r"|#[^\n]*",
    re.DOTALL,
)
"""String literals, without what stands before them, and comments; what is not closed goes to the end."""

FUNCTION = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(", re.MULTILINE)
"""How the head of a function begins."""

CONTINUED = "\\\n" + " " * 40
"""Goes on in the next line, as far to the right as if it were in any body."""

MAX_HEAD = 20_000
"""Characters of a function's head; what is longer is no function."""

PARENTHESES = re.compile(r"[()]")

END_OF_HEAD = re.compile(r"[^:\n]*:[ \t]*(?=\n)")
"""What follows the parameters where the body begins in the next line."""


def without_function_bodies(source: str) -> str:
    """Return a module with `pass` for the body of each function, its lines numbered as before.

    Comments and the text of multi-line strings go too. What can't be told is left as it is; where an odd
    source leads this astray, the result has a syntax error.
    """
    source = STRINGS.sub(_shortened, source)
    parts, position = [], 0
    while match := FUNCTION.search(source, position):
        start = _body_start(source, match.end())
        if start is None:
            break
        body = _body(match[1]).match(source, start) if source[start - 1] != ")" else None
        end = body.end() if body else start
        parts.append(source[position:start])
        if end > start:
            parts.append(" pass" + "\n" * source.count("\n", start, end))
        position = end
    parts.append(source[position:])
    return "".join(parts)


def _shortened(match: re.Match[str]) -> str:
    text = match[0]
    if text[0] == "#":
        return ""
    if text[:3] in ('"""', "'''"):
        return '""' + CONTINUED * text.count("\n")
    return text


def _body_start(source: str, position: int) -> int | None:
    """Return where a body begins, its function's first parenthesis open at a position; None for no function.

    Where it begins in the same line, that is somewhere in it.
    """
    depth = 1
    for match in PARENTHESES.finditer(source, position, position + MAX_HEAD):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            end = END_OF_HEAD.match(source, match.end())
            return end.end() if end else match.end()
    return None


@cache
def _body(indentation: str) -> re.Pattern[str]:
    """Return what the lines of a body match, whose function is indented so."""
    return re.compile(rf"(?:\n(?:{re.escape(indentation)}[ \t]+[^\n]*|[ \t]*(?=\n)))*")
