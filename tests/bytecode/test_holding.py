"""Bytecode of unknown origin, held against what is made of the source."""

from __future__ import annotations

import subprocess
import sys

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.bytecode import workers
from poetry_lambda_plugin.bytecode.holding import Compiled
from poetry_lambda_plugin.bytecode.holding import compiled_of
from poetry_lambda_plugin.bytecode.workers import Workers
from poetry_lambda_plugin.poetry_api.interpreters import find_interpreter


if TYPE_CHECKING:
    from collections.abc import Sequence


SOURCE = '''
"""All kinds of constants."""
from __future__ import annotations
import os
VALUES = (1, 1.0, True, None, ..., -0.0, 1e309 - 1e309, 2j, b"a", "a", 10**40, ((), (1, "ä")))
def outer(a, *b, c: int = 1, **d):
    """Words."""
    def inner():
        nonlocal a
        return a in {1, "two", (3, None), None, ...}
    return lambda x: [y for y in x] if False else inner()
class A:
    x: int = 1
    def f(self):
        try:
            return super().f()[1:2]
        except ValueError:
            raise
'''

MAKE = (
    "import marshal, sys, importlib.util\n"
    "def pyc(source, path):\n"
    "    code = compile(source, path, 'exec', dont_inherit=True)\n"
    "    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)\n"
    "marshal.dump([pyc(s, p) for s, p in marshal.load(sys.stdin.buffer)], sys.stdout.buffer, 2)\n"
)


def made(python: Path, *sources: tuple[str, str]) -> Sequence[bytes]:
    """Compile sources, each under a path."""
    import marshal

    done = subprocess.run(
        [python, "-I", "-c", MAKE], input=marshal.dumps(sources, 2), capture_output=True, check=True
    )
    found = marshal.loads(done.stdout)
    assert isinstance(found, list)
    return found


def compared(python: Path, folder: Path, *pairs: tuple[bytes, bytes]) -> Sequence[bool]:
    with Workers(python, folder) as pool:
        return pool.compare(pairs).result()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("__pycache__/a.cpython-313.pyc", Compiled("a.py", (3, 13), 0), id="root"),
        pytest.param("a/__pycache__/b.cpython-39.opt-2.pyc", Compiled("a/b.py", (3, 9), 2), id="level"),
        pytest.param("a/__pycache__/b.c.cpython-312.pyc", Compiled("a/b.c.py", (3, 12), 0), id="dot"),
        pytest.param("a/b.pyc", Compiled("a/b.py", (3, 12), 0), id="beside"),
        pytest.param("a/__pycache__/b.pypy39.pyc", None, id="other implementation"),
        pytest.param("a/__pycache__/b.cpython-313-pytest-8.pyc", None, id="other tool"),
        pytest.param("a/__pycache__/b.cpython-313.opt-x.pyc", None, id="other level"),
    ],
)
def test_whose_bytecode_it_would_be(path: str, expected: Compiled | None) -> None:
    """As CPython looks for it."""
    assert compiled_of(path, (3, 12)) == expected


@pytest.mark.parametrize("minor", [8, 9, 10, 11, 12, 13, 14])
def test_every_python_knows_its_own(minor: int, tmp_path: Path) -> None:
    """Code is the same under another path, and another constant, however deep, makes it another."""
    python = find_interpreter((3, minor)) or pytest.skip("not on this machine")
    changes = {
        "True": "1",
        "-0.0": "0.0",
        "(1, 'ä')": "(1.0, 'ä')",
        "(3, None)": "(3, 1)",
        "[1:2]": "[1:3]",
        "Words": "Other words",
        "c: int = 1": "c: int = 2",
        "import os": "import re",
        "nonlocal a": "a = a0",
    }
    source = SOURCE.replace('"ä"', "'ä'")
    assert all(old in source for old in changes)
    others = [(source.replace(old, new, 1), "/a.py") for old, new in changes.items()]
    one, again, *other = made(python, (source, "/a.py"), (source, "/var/task/b.py"), *others)

    same = compared(python, tmp_path, (one, again), *((one, data) for data in other))

    assert list(same) == [True, *[False] * len(other)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0" * 16, id="other Python's"),
        pytest.param(lambda head: head, id="cut off"),
        pytest.param(lambda head: head[:4] + b"\2" + head[5:] + b"N", id="unknown kind"),
        pytest.param(lambda head: head + b"N", id="no code"),
        pytest.param(lambda head: head + b"(\xff\xff\xff\x7f", id="asks for all memory"),
        pytest.param(lambda head: head + b")\1" * 100_000, id="nested without end"),
        pytest.param(lambda head: head + b"[\1\0\0\0r\0\0\0\0", id="refers to itself"),
    ],
)
def test_hostile_bytes_are_other_code(data: object, tmp_path: Path) -> None:
    """They end nothing: what comes after them is compared all the same."""
    python = Path(sys.executable)
    (one,) = made(python, (SOURCE, "/a.py"))
    found = data(one[:16]) if callable(data) else data
    assert isinstance(found, bytes)

    assert list(compared(python, tmp_path, (one, found), (one, one))) == [False, True]


REFUSING = """
import types
def refuse(*limit):
    raise ValueError("current limit exceeds maximum limit")
sys.modules["resource"] = types.SimpleNamespace(
    RLIMIT_AS=5, RLIM_INFINITY=-1, getrlimit=lambda kind: (-1, -1), setrlimit=refuse
)
main()
"""


def test_limit_that_the_system_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A limit below what a process has reserved is none on macOS: bytes are compared all the same."""
    program = workers._program()
    assert program.endswith("\nmain()\n")
    monkeypatch.setattr(workers, "_program", lambda: program.removesuffix("main()\n") + REFUSING)
    (one,) = made(Path(sys.executable), (SOURCE, "/a.py"))

    assert list(compared(Path(sys.executable), tmp_path, (one, one))) == [True]
