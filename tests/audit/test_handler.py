"""Whether a handler is found, among files by path."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit.handler import HandlerError
from poetry_lambda_plugin.audit.handler import check_handler
from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.audit.missing_module import include_lines
from poetry_lambda_plugin.audit.missing_module import nearest_handler
from tests.support.values import messages
from tests.support.values import plan


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping


HANDLER = "def handler(event, context): ...\n"
HERE = (sys.version_info[0], sys.version_info[1])


def warnings(
    handler: str,
    files: Mapping[str, str],
    layers: Collection[str] = (),
    python: tuple[int, int] = HERE,
) -> list[str]:
    bundled = {entry.path: entry for entry in plan({"my-fn": files}).entries}
    return messages(check_handler(handler, bundled, layers, python, lambda module: f"({module} is where?)"))


def refusal(handler: str, files: Mapping[str, str], layers: Collection[str] = ()) -> str:
    with pytest.raises(HandlerError) as raised:
        warnings(handler, files, layers)
    return str(raised.value)


@pytest.mark.parametrize(
    ("handler", "files"),
    [
        pytest.param("app.handler", {"app.py": HANDLER}, id="module"),
        pytest.param("app.handler", {"app/__init__.py": HANDLER, "app.py": ""}, id="package-before-module"),
        pytest.param("a.b.c.handler", {"a/b/c.py": HANDLER}, id="dots"),
        pytest.param("a/b/c.handler", {"a/b/c.py": HANDLER}, id="slashes"),
        pytest.param("a/b.c.handler", {"a/b/c.py": HANDLER}, id="both"),
        pytest.param("my-fn/app.handler", {"my-fn/app.py": HANDLER}, id="no-identifier"),
        pytest.param("app.handler", {"app.cpython-313-x86_64-linux-gnu.so": ""}, id="compiled"),
        pytest.param("app.handler", {"app.pyc": ""}, id="bytecode-alone"),
        pytest.param("app.handler", {"app/__init__.py": HANDLER, "app/x.py": ""}, id="package"),
        pytest.param(
            "app.x.handler", {"app.py": "", "app/__init__.py": "", "app/x.py": HANDLER}, id="not-hidden"
        ),
        pytest.param(
            "app.run",
            {
                "app.py": "from a import *\nfrom b import *\n",
                "a.py": "from b import *\nfrom app import *\n",
                "b.py": "from a import *\nfrom app import *\nrun = 1\n",
            },
            id="stars-in-a-circle",
        ),
        pytest.param(
            "app.run",
            {"app.py": "from b import *\n", "b.py": "from c.d import *\n", "c/d.py": "run = 1\n"},
            id="star-of-a-star",
        ),
        pytest.param(
            "p.app.run",
            {"p/__init__.py": "", "p/app.py": "from .b import *\n", "p/b.py": "__all__ = ['run']\nrun = 1\n"},
            id="relative-star",
        ),
        pytest.param(
            "app.run",
            {"app.py": "from p import *\n", "p/__init__.py": "from .b import *\n", "p/b.py": "run = 1\n"},
            id="star-of-a-package",
        ),
    ],
)
def test_finds(handler: str, files: Mapping[str, str]) -> None:
    """What Lambda would find is no reason for a word."""
    assert warnings(handler, files) == []


def test_module_in_a_layer_is_found() -> None:
    """Its function is not looked for."""
    assert warnings("app.handler", {"x.py": ""}, layers=["app.py"]) == []


@pytest.mark.parametrize(
    ("layers", "where"),
    [pytest.param([], "", id="none"), pytest.param(["lib.py"], " or its layers", id="layers")],
)
def test_missing_module_is_told_with_where_it_is(layers: list[str], where: str) -> None:
    """Dotted for the reader, as a path for whoever looks."""
    assert refusal("a/b.handler", {"x.py": ""}, layers) == (
        f"The handler 'a/b.handler' needs the module a.b, which is not in the bundle{where}. (a/b is where?)"
    )


def test_folder_that_a_module_hides_is_refused() -> None:
    """Python takes the module before a folder that is no package."""
    assert refusal("app.api.handler", {"app.py": "", "app/api.py": HANDLER}) == (
        "The handler 'app.api.handler' can't be imported: Python takes app.py before the folder app/, which "
        "has no __init__.py. Add one, or rename one of the two."
    )


@pytest.mark.parametrize(
    ("handler", "files", "hint"),
    [
        pytest.param("app.handlr", {"app.py": HANDLER}, " Did you mean 'app.handler'?", id="misspelt"),
        pytest.param(
            "app.run",
            {"app.py": "def lambda_handler(e, c): ...\n"},
            " Did you mean 'app.lambda_handler'?",
            id="usual",
        ),
        pytest.param("app.run", {"app.py": "x = 1\n"}, "", id="nothing-near"),
        pytest.param(
            "app.run",
            {"app.py": "from b import *\n", "b.py": "__all__ = ['walk']\nrun = 1\n"},
            "",
            id="star-without-it",
        ),
        pytest.param(
            "app._run", {"app.py": "from b import *\n", "b.py": "_run = 1\n"}, "", id="star-of-no-such-name"
        ),
    ],
)
def test_missing_function_is_told_with_the_nearest(handler: str, files: Mapping[str, str], hint: str) -> None:
    """Or with the usual one that is there."""
    function = handler.rpartition(".")[2]

    assert refusal(handler, files) == (
        f"The handler {handler!r} names {function!r}, but app.py binds no such name at its top level.{hint}"
    )


def test_function_that_is_a_module_is_told() -> None:
    """Who forgets the function names a module."""
    assert refusal("app.api", {"app/__init__.py": "", "app/api.py": HANDLER}).endswith(
        " 'api' is a module: name the function in it, as in 'app.api.handler'."
    )


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def __getattr__(name): ...\n", id="dynamic"),
        pytest.param("from unknown import *\n", id="star-of-what-is-not-bundled"),
        pytest.param("def set_up():\n    global run\n    run = 1\n", id="global"),
        pytest.param("x = " + "(" * 150 + "1" + ")" * 150 + "\nx" + ".a" * 4000 + "\n", id="too-deep"),
    ],
)
def test_warns_where_it_can_not_be_known(source: str) -> None:
    """Names that no statement shows may be there, or not."""
    assert warnings("app.run", {"app.py": source}) == [
        "Whether app.py binds 'run', which the handler 'app.run' names, can't be told."
    ]


def test_star_imports_are_followed_eight_deep() -> None:
    """A chain that is longer can't be known."""
    chain = {f"m{n}.py": f"from m{n + 1} import *\n" for n in range(20)} | {"m20.py": "run = 1\n"}

    assert warnings("m12.run", chain) == []
    assert len(warnings("m0.run", chain)) == 1


def test_syntax_error_is_refused_where_this_python_is_as_new() -> None:
    """An older one may not understand what the runtime's does."""
    source = {"app.py": "def handler(:\n"}

    assert refusal("app.handler", source) == (
        "The handler 'app.handler' can't be imported: app.py has a syntax error."
    )
    assert warnings("app.handler", source, python=(HERE[0], HERE[1] + 1)) == []


@pytest.mark.parametrize(
    ("handler", "hint"),
    [
        pytest.param("orders.api.handler", "Did you mean 'app.api.handler'?", id="same-end"),
        pytest.param("lamda_function.run", "Did you mean 'lambda_function.run'?", id="misspelt"),
        pytest.param("qqqq.handler", "", id="far"),
    ],
)
def test_nearest_handler(handler: str, hint: str) -> None:
    """A module with the same last name comes before one that is merely close."""
    assert nearest_handler(handler, ["app/__init__.py", "app/api.py", "lambda_function.py", "x.txt"]) == hint


def test_has_module() -> None:
    """Whatever kind of file it is."""
    assert has_module("a.b.handler", ["a/b.py"])
    assert not has_module("a.b.handler", ["a/c.py", "b.py"])


@pytest.mark.parametrize(
    ("values", "line"),
    [
        pytest.param(["lib:."], '`include = ["data", "lib:."]`', id="one"),
        pytest.param(["a", "b"], '`include = ["data", "a"]` or `include = ["data", "b"]`', id="two"),
        pytest.param(["ü"], '`include = ["data", "ü"]`', id="readable"),
    ],
)
def test_include_lines_add_to_what_is_there(values: list[str], line: str) -> None:
    """Each can be pasted as it is."""
    assert include_lines(values, ["data"], "tool.x") == f"Write {line} in [tool.x]."


def test_include_lines_are_three_at_most() -> None:
    """More places are no help."""
    assert include_lines("abcd", [], "tool.x").count("include") == 3
