"""What the project's own sources say of the packages and AWS services that they use."""

from __future__ import annotations

import ast
import re
import warnings

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator


MAX_SOURCE = 64 << 20
"""Bytes of a module, which is read whole; what is larger would take gigabytes of memory to compile."""


def imported_modules(sources: Iterable[tuple[str, bytes]]) -> frozenset[str]:
    """Return the top-level modules that sources import absolutely."""
    return frozenset(name for _, source in sources for level, name in imports_of(source) if not level)


IMPORT = re.compile(
    rb"(?:^|[;:])[ \t]*(?:from[ \t]+(?P<dots>[. \t]*)(?P<module>[\w.]*)[ \t]+import\b"
    rb"|import[ \t]+(?P<names>[^\n;#]+))",
    re.MULTILINE,
)
"""An import as a line, or what follows another statement on one, begins with it."""


def imports_in_text(source: bytes) -> Iterator[tuple[int, str]]:
    """Yield each import's leading dots and first name as any Python, or none, would understand it.

    What looks like an import in a docstring counts too.
    """
    for match in IMPORT.finditer(source.replace(b"\\\n", b" ")):
        for name in (match["names"] or match["module"] or b"").split(b","):
            top = name.strip().partition(b".")[0].partition(b" ")[0].decode("utf-8", "replace")
            yield (match["dots"] or b"").count(b"."), top


def imports_of(source: bytes) -> Iterator[tuple[int, str]]:
    """Yield each import's leading dots and first name; nothing for what can't be parsed."""
    tree = parsed(source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            yield from ((0, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, (node.module or "").partition(".")[0]


def has_syntax_error(source: bytes) -> bool:
    """Tell whether the running Python refuses a module, and not for its depth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "module", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    except (RecursionError, MemoryError):
        return False
    return False


def parsed(source: bytes) -> ast.Module | None:
    """Parse a module; None for what the running Python does not understand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser's own for deep nesting
        return None


def dotted_name(node: ast.expr) -> str:
    """Return a name with its attributes, as in `a.b`; empty for what is none, but for its last attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if not isinstance(node, ast.Attribute):
        return ""
    return f"{dotted_name(node.value)}.{node.attr}"
