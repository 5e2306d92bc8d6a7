"""Which names a module binds, going by its source."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.audit.bindings import StarImport
from poetry_lambda_plugin.audit.bindings import module_bindings


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def run(): ...", id="function"),
        pytest.param("async def run(): ...", id="coroutine"),
        pytest.param("class run: ...", id="class"),
        pytest.param("run = print", id="assigned"),
        pytest.param("run: object = print", id="annotated"),
        pytest.param("a, (b, *run) = 1, (2, 3)", id="unpacked"),
        pytest.param("import os.path as run", id="imported"),
        pytest.param("import run.inner", id="imported-top"),
        pytest.param("from b import main as run", id="from"),
        pytest.param("try:\n    import x\nexcept ImportError:\n    run = 1", id="except"),
        pytest.param("try: ...\nfinally:\n    run = 1", id="finally"),
        pytest.param("if True:\n    with open('x') as run: ...", id="with"),
        pytest.param("if 0:\n    ...\nelse:\n    run = 1", id="else"),
        pytest.param("for run in []: ...", id="for"),
        pytest.param("while x:\n    run = 1", id="while"),
        pytest.param("print(run := 1)", id="walrus"),
        pytest.param("match 1:\n    case run: ...", id="match"),
        pytest.param("match 1:\n    case [*run]: ...", id="match-star"),
        pytest.param("match 1:\n    case {**run}: ...", id="match-mapping"),
        pytest.param("match 1:\n    case 1:\n        run = 1", id="match-body"),
    ],
)
def test_binds(source: str) -> None:
    """Whatever statement binds a name at the top level, branches included."""
    bindings = module_bindings(source.encode())

    assert bindings is not None
    assert bindings.binds("run")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def outer():\n    def run(): ...", id="inner-function"),
        pytest.param("class C:\n    run = 1", id="attribute"),
        pytest.param("run: int", id="annotation-alone"),
        pytest.param("import a.run", id="inner-module"),
        pytest.param("from x import run as walk", id="renamed"),
        pytest.param("if TYPE_CHECKING:\n    from x import run", id="for-type-checkers"),
        pytest.param("if typing.TYPE_CHECKING:\n    from x import run", id="for-type-checkers-dotted"),
        pytest.param("if __name__ == '__main__':\n    run = 1", id="as-a-script"),
        pytest.param("print(run)", id="used"),
    ],
)
def test_does_not_bind(source: str) -> None:
    """What is bound elsewhere, or never."""
    bindings = module_bindings(source.encode())

    assert bindings is not None
    assert not bindings.binds("run")
    assert not bindings.may_bind("run")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def __getattr__(name): ...", id="getattr"),
        pytest.param("exec('run = 1')", id="exec"),
        pytest.param("globals()['run'] = 1", id="globals"),
        pytest.param("setattr(module, 'run', 1)", id="setattr"),
        pytest.param("sys.modules[__name__] = object()", id="another-module"),
        pytest.param("def set_up():\n    global run\n    run = 1", id="global"),
    ],
)
def test_may_bind(source: str) -> None:
    """Names may come to be in ways that no statement of the top level shows."""
    bindings = module_bindings(source.encode())

    assert bindings is not None
    assert bindings.may_bind("run")


@pytest.mark.parametrize("source", ["def run(:", "\0", "x = " + "(" * 300 + "1" + ")" * 300])
def test_nothing_is_known_of_what_can_not_be_parsed(source: str) -> None:
    """It may be for another Python."""
    assert module_bindings(source.encode()) is None


def test_stars_keep_their_level() -> None:
    """So that they can be followed."""
    bindings = module_bindings(b"from a.b import *\nfrom ..c import *\nfrom . import *\nfrom d import e\n")

    assert bindings is not None
    assert bindings.stars == (StarImport(0, "a.b"), StarImport(2, "c"), StarImport(1, ""))


@pytest.mark.parametrize(
    ("source", "exported"),
    [
        pytest.param("__all__ = ['a', 'b']", {"a", "b"}, id="literal"),
        pytest.param("__all__ = ('a',)", {"a"}, id="tuple"),
        pytest.param("__all__ = [*names]", None, id="computed"),
        pytest.param("a = 1", None, id="none"),
    ],
)
def test_exported_is_a_literal(source: str, exported: set[str] | None) -> None:
    """Another `__all__` can't be known."""
    bindings = module_bindings(source.encode())

    assert bindings is not None
    assert bindings.exported == exported
