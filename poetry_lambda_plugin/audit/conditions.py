"""Conditions that are known to hold, or not, for every function on a target, whatever the host is."""

from __future__ import annotations

import ast

from contextlib import suppress
from typing import TYPE_CHECKING
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from typing import Any


class _Unknown(Exception):  # noqa: N818 - it is no error
    """What a condition is made of can't be known."""


class Version(NamedTuple):
    """`sys.version_info`, as far as it may be known."""

    major: int
    minor: int


COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda one, other: one == other,
    ast.NotEq: lambda one, other: one != other,
    ast.Lt: lambda one, other: one < other,
    ast.LtE: lambda one, other: one <= other,
    ast.Gt: lambda one, other: one > other,
    ast.GtE: lambda one, other: one >= other,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
    ast.Is: lambda one, other: one is other,
    ast.IsNot: lambda one, other: one is not other,
}


class Conditions:
    """Judges tests of `if` for one target; what a module has assigned to its names counts too."""

    def __init__(self, python: tuple[int, int], machine: str) -> None:
        self.python = python
        self._known: dict[str, object] = {
            "sys.version_info": Version(*python),
            "sys.version_info.major": python[0],
            "sys.version_info.minor": python[1],
            "sys.platform": "linux",
            "sys.implementation.name": "cpython",
            "sys.byteorder": "little",
            "sys.maxsize": (1 << 63) - 1,
            "os.name": "posix",
            "platform.system()": "Linux",
            "platform.machine()": machine,
            "platform.python_implementation()": "CPython",
            "__name__": _ModuleName(),
            "TYPE_CHECKING": False,
            "six.PY2": False,
            "six.PY3": True,
        }

    def module(self) -> Conditions:
        """Return conditions of one module, to which others' assignments are nothing."""
        copy = Conditions.__new__(Conditions)
        copy.python = self.python
        copy._known = dict(self._known)
        return copy

    def holds(self, test: ast.expr) -> bool | None:
        """Tell whether a test is true on the target; None where it can't be known."""
        try:
            return bool(self._value(test))
        except _Unknown:
            return None

    def assign(self, name: str, value: ast.expr | None) -> None:
        """Take note of what a name is bound to."""
        self._known.pop(name, None)
        if value is not None:
            with suppress(_Unknown):
                self._known[name] = self._value(value)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        judge = _JUDGES.get(type(node))
        if judge is None:
            raise _Unknown
        try:
            return judge(self, node)
        except (TypeError, ValueError, IndexError, AttributeError, KeyError):
            raise _Unknown from None


class _ModuleName:
    """`__name__` of a module that is imported: not `__main__`, and all else is unknown."""

    def __eq__(self, other: object) -> bool:
        if other == "__main__":
            return False
        raise _Unknown

    __hash__ = None  # type: ignore[assignment]


def _dotted(node: ast.expr) -> str:
    """Return what a name, its attributes and a call without arguments are written as."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return f"{_dotted(node.func)}()"
    raise _Unknown


def _name(conditions: Conditions, node: ast.expr) -> Any:
    name = _dotted(node)
    if name.endswith(".TYPE_CHECKING"):
        return False
    if name in conditions._known:
        return conditions._known[name]
    raise _Unknown


def _call(conditions: Conditions, node: ast.Call) -> Any:
    method = node.func
    if isinstance(method, ast.Attribute) and method.attr in ("startswith", "lower") and not node.keywords:
        text = conditions._value(method.value)
        if isinstance(text, str):
            return getattr(text, method.attr)(*map(conditions._value, node.args))
    return _name(conditions, node)


def _bool_op(conditions: Conditions, node: ast.BoolOp) -> bool:
    """Judge `and` and `or`, whose other parts need not be known where one decides."""
    values = [conditions.holds(value) for value in node.values]
    decisive = isinstance(node.op, ast.Or)
    if decisive in values:
        return decisive
    if None in values:
        raise _Unknown
    return not decisive


def _unary_op(conditions: Conditions, node: ast.UnaryOp) -> Any:
    value = conditions._value(node.operand)
    if isinstance(node.op, ast.Not):
        return not value
    if isinstance(node.op, ast.USub):
        return -value
    raise _Unknown


def _bin_op(conditions: Conditions, node: ast.BinOp) -> Any:
    left, right = conditions._value(node.left), conditions._value(node.right)
    numbers = isinstance(left, int) and isinstance(right, int) and abs(right) <= 64
    if numbers and isinstance(node.op, ast.Pow) and abs(left) <= 64:
        return left**right
    if numbers and isinstance(node.op, ast.LShift):
        return left << right
    raise _Unknown


def _compare(conditions: Conditions, node: ast.Compare) -> bool:
    values = [conditions._value(value) for value in (node.left, *node.comparators)]
    for left, operator, right in zip(values, node.ops, values[1:], strict=False):
        if isinstance(left, Version) or isinstance(right, Version):
            if not _compare_versions(left, type(operator), right):
                return False
        elif not COMPARISONS[type(operator)](left, right):
            return False
    return True


def _compare_versions(left: Any, operator: type[ast.cmpop], right: Any) -> bool:
    """Compare `sys.version_info` with a tuple that need not be as long, and may not go further."""
    if not isinstance(left, Version):
        mirrored = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
        return _compare_versions(right, mirrored.get(operator, operator), left)
    if not isinstance(right, tuple) or operator not in (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq):
        raise _Unknown
    if tuple(left) == right[:2] and len(right) > 2:
        # the runtime's micro version moves on
        if operator in (ast.Eq, ast.NotEq) or right[2] != 0:
            raise _Unknown
        return operator in (ast.Gt, ast.GtE)
    # the real one has five elements
    return COMPARISONS[operator]((*left, 99, "final", 0), right)


def _subscript(conditions: Conditions, node: ast.Subscript) -> Any:
    value = conditions._value(node.value)
    if not isinstance(node.slice, ast.Slice):
        index = conditions._value(node.slice)
        return value[index] if index in (0, 1) or not isinstance(value, Version) else _unknown()
    if node.slice.lower is not None or node.slice.step is not None or node.slice.upper is None:
        raise _Unknown
    upper = conditions._value(node.slice.upper)
    if isinstance(value, Version) and not 0 <= upper <= 2:
        return value
    return tuple(value)[:upper] if isinstance(value, tuple) else value[:upper]


def _unknown() -> Any:
    raise _Unknown


def _sequence(conditions: Conditions, node: ast.Tuple | ast.List | ast.Set) -> tuple[Any, ...]:
    return tuple(conditions._value(element) for element in node.elts)


_JUDGES: Mapping[type[ast.expr], Callable[[Conditions, Any], Any]] = {
    ast.Name: _name,
    ast.Attribute: _name,
    ast.Call: _call,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary_op,
    ast.BinOp: _bin_op,
    ast.Compare: _compare,
    ast.Subscript: _subscript,
    ast.Tuple: _sequence,
    ast.List: _sequence,
    ast.Set: _sequence,
}
