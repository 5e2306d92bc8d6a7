"""Where bytecode goes, and what is compiled."""

from __future__ import annotations

import importlib.util
import sys

from pathlib import Path

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import Member
from poetry_lambda_plugin.bytecode.placing import BytecodeSettings
from poetry_lambda_plugin.bytecode.placing import bytecode_path
from poetry_lambda_plugin.bytecode.placing import compilation
from poetry_lambda_plugin.bytecode.placing import sources_of
from poetry_lambda_plugin.bytecode.placing import with_bytecode
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.plan import BundlePlan


SETTINGS = BytecodeSettings(mode="checked-hash", exclude=PathFilter(), optimize=0)


def plan(*paths: str, prefix: str = "") -> BundlePlan:
    entries = tuple(Entry(prefix + path, FileContent(Path(path), 1), owner="a") for path in sorted(paths))
    return BundlePlan(entries=entries, distributions=(), findings=(), prefix=prefix)


@pytest.mark.parametrize(
    ("source", "optimize", "expected"),
    [
        pytest.param("a.py", 0, "__pycache__/a.cpython-312.pyc", id="at-root"),
        pytest.param("a/b.c/__init__.py", 0, "a/b.c/__pycache__/__init__.cpython-312.pyc", id="package"),
        pytest.param("a/b.py", 1, "a/__pycache__/b.cpython-312.opt-1.pyc", id="optimized"),
        pytest.param("a/b.py", 2, "a/__pycache__/b.cpython-312.opt-2.pyc", id="optimized-more"),
        pytest.param("a/b.c.py", 0, "a/__pycache__/b.c.cpython-312.pyc", id="dot-in-name"),
    ],
)
def test_path(source: str, optimize: int, expected: str) -> None:
    """Bytecode lies in `__pycache__` under the target's own name."""
    assert bytecode_path(source, (3, 12), optimize) == expected


@pytest.mark.parametrize("optimize", [0, 1, 2])
@pytest.mark.parametrize("source", ["a.py", "a/b.py", "a/b.c.py", "a/.py"])
def test_path_is_where_python_looks(source: str, optimize: int) -> None:
    """This Python, asked itself, names the same paths for its own version."""
    expected = importlib.util.cache_from_source(source, optimization=optimize or "")

    assert bytecode_path(source, sys.version_info[:2], optimize) == Path(expected).as_posix()


def test_only_modules_are_compiled() -> None:
    """Sources are; scripts that we write, stubs, data and what is compiled already are not."""
    given = plan("a.py", "a.pyi", "b.pyc", "c.so", "data.txt")
    script = Entry("bin/run.py", BytesContent(b"#!/var/lang/bin/python3.12\n"))
    given = BundlePlan(entries=(*given.entries, script), distributions=(), findings=())

    assert list(sources_of(given, SETTINGS, (3, 12))) == ["__pycache__/a.cpython-312.pyc"]


def test_exclude_sees_no_prefix_of_a_layer() -> None:
    """Patterns mean a layer's paths as they mean a function's."""
    settings = BytecodeSettings(mode="checked-hash", exclude=PathFilter(("/a/",)), optimize=0)

    sources = sources_of(plan("a/b.py", "b/a.py", prefix="python/"), settings, (3, 12))

    assert list(sources) == ["python/b/__pycache__/a.cpython-312.pyc"]


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param("a/__pycache__", id="folder-is-a-file"),
        pytest.param("a/__pycache__/b.cpython-312.pyc", id="file-is-there"),
    ],
)
def test_nothing_is_replaced(taken: str) -> None:
    """A file that the bundle has already stays what it is."""
    assert sources_of(plan("a/b.py", taken), SETTINGS, (3, 12)) == {}


def test_what_is_too_large_for_a_module_is_not_compiled() -> None:
    """A source is read whole, and a compiler takes many times as much memory."""
    entries = tuple(Entry(f"{n}.py", FileContent(Path("a.py"), (64 << 20) + n)) for n in (0, 1))
    given = BundlePlan(entries=entries, distributions=(), findings=())

    assert list(sources_of(given, SETTINGS, (3, 12))) == ["__pycache__/0.cpython-312.pyc"]


def test_no_bytecode_has_a_name_that_linux_would_not_take() -> None:
    """A module whose name is that long works without."""
    long, longest = "x" * 240 + ".py", "x" * 239 + ".py"

    assert list(sources_of(plan(long, longest), SETTINGS, (3, 12)).values()) == [
        Entry(longest, FileContent(Path(longest), 1), owner="a")
    ]


def test_bytecode_is_sorted_in_and_belongs_to_its_source() -> None:
    """The plan stays sorted by path, and each distribution answers for its own bytecode."""
    given = plan("a.py", "z.py")
    sources = sources_of(given, SETTINGS, (3, 12))
    path = "__pycache__/z.cpython-312.pyc"
    content = WheelContent(Path("z.zip"), Member(path, 0, 0, 0, 1, 1, path.encode(), 0, 100, 0))

    added = with_bytecode(given, sources, {path: content})

    assert [(entry.path, entry.owner) for entry in added.entries] == [
        (path, "a"),
        ("a.py", "a"),
        ("z.py", "a"),
    ]


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        pytest.param("", "/var/task/", id="function"),
        pytest.param("python/", "/opt/", id="layer"),
    ],
)
def test_root_is_lambdas(prefix: str, root: str) -> None:
    """Bytecode names the place where Lambda unpacks the bundle."""
    assert compilation(plan(prefix=prefix), SETTINGS, (3, 12)).root == root
