"""Who imports what in a bundle, on made-up modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit.imports import aws_callers
from poetry_lambda_plugin.audit.imports import unimported
from tests.support.values import PROJECT
from tests.support.values import graph
from tests.support.values import plan


if TYPE_CHECKING:
    from collections.abc import Mapping

    from poetry_lambda_plugin.selection.graph import DependencyGraph


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        pytest.param("import boto3\n", True, id="boto3"),
        pytest.param("import boto3.session\n", True, id="inner-module"),
        pytest.param("def f():\n    import os, boto3\n", True, id="late-and-second"),
        pytest.param("try: import boto3\nexcept ImportError: boto3 = None\n", True, id="in-a-line"),
        pytest.param("x = 1; import boto3\n", True, id="after-a-statement"),
        pytest.param("from botocore.session import get_session\n", True, id="botocore"),
        pytest.param("from aiobotocore import session\n", True, id="aiobotocore"),
        pytest.param("from botocore.exceptions import ClientError\n", False, id="exceptions-only"),
        pytest.param("# import boto3 if you like\nimport boto3_ext\n", False, id="words"),
    ],
)
def test_who_imports_the_sdk_may_call_aws(source: str, calls: bool) -> None:
    """But who imports its exceptions alone makes no client."""
    assert aws_callers(plan({"tool": {"tool.py": source}}), PROJECT) == ({"tool"} if calls else set())


@pytest.mark.parametrize(
    ("owner", "path"),
    [
        pytest.param(PROJECT, "my_fn.py", id="the-project"),
        pytest.param("s3transfer", "s3transfer.py", id="the-sdk-itself"),
        pytest.param("tool", "tool/tests/x.py", id="tests"),
        pytest.param("tool", "tool/x.txt", id="no-module"),
    ],
)
def test_whose_imports_of_the_sdk_mean_nothing(owner: str, path: str) -> None:
    """Tests are not run, and the project is looked at more closely elsewhere."""
    assert aws_callers(plan({owner: {path: "import boto3\n"}}), PROJECT) == frozenset()


THING = graph("the-thing tool", **{"the-thing": "part", "part": "", "tool": ""})


def unnamed(
    files: Mapping[str, Mapping[str, str]], needs: DependencyGraph = THING, handler: str | None = None
) -> tuple[str, ...]:
    """Return what nothing names in a bundle whose project uses `tool`."""
    return unimported(plan({PROJECT: {"my_fn.py": "import tool\n"}, **files}), needs, PROJECT, handler)


@pytest.mark.parametrize(
    ("own", "others", "asked"),
    [
        pytest.param("", "", True, id="nothing"),
        pytest.param("import thing.part\n", "", False, id="the-project"),
        pytest.param("URL = 'db+thing://'\n", "", False, id="a-word-of-the-project"),
        pytest.param("", "from thing import x\n", False, id="a-package"),
        pytest.param("", "X = load('thing.part')\n", False, id="a-word-that-a-package-loads"),
        pytest.param("", "# a thing of the past\n", True, id="a-word-in-passing"),
        pytest.param("", "import thing_else, nothing\n", True, id="another-word"),
    ],
)
def test_dependency_that_no_file_names_is_asked_for(own: str, others: str, asked: bool) -> None:
    """Its own modules, those of what it alone needs, and tests do not count."""
    files = {
        PROJECT: {"my_fn.py": f"import tool\n{own}"},
        "the-thing": {"thing/__init__.py": "import thing\n"},
        "part": {"part.py": "import thing\n"},
        "tool": {"tool.py": others, "tool/tests/x.py": "import thing\n"},
    }

    assert unnamed(files) == (("the-thing",) if asked else ())


def test_mention_counts_in_any_file_of_the_project() -> None:
    """A configuration may name a plugin."""
    assert (
        unnamed(
            {PROJECT: {"settings.toml": "use = 'thing'", "my_fn.py": "tool"}, "the-thing": {"thing.py": ""}}
        )
        == ()
    )


def test_handler_needs_its_module() -> None:
    """Lambda imports it."""
    files = {"the-thing": {"thing.py": ""}}

    assert (unnamed(files), unnamed(files, handler="thing.handler")) == (("the-thing",), ())


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        pytest.param({"thing.py": ""}, True, id="module"),
        pytest.param({"thing.so": ""}, True, id="compiled"),
        pytest.param(
            {"thing.py": "", "a.dist-info/entry_points.txt": "[console_scripts]\na=a:b\n"}, True, id="command"
        ),
        pytest.param(
            {"thing.py": "", "a.dist-info/entry_points.txt": "[pytest11]\na=a\n"}, False, id="plugin"
        ),
        pytest.param({"thing.py": "", "thing.pth": "import thing"}, False, id="loaded-at-the-start"),
        pytest.param({"thing-stubs/x.pyi": ""}, False, id="no-module"),
    ],
)
def test_what_loads_itself_is_not_asked_for(files: Mapping[str, str], asked: bool) -> None:
    """Plugins and what Python loads at its start are in nobody's imports, and there is no module to name."""
    assert unnamed({"the-thing": files}) == (("the-thing",) if asked else ())


def test_what_another_package_needs_is_not_asked_for() -> None:
    """It would come along anyway."""
    needs = graph("the-thing tool", **{"tool": "the-thing", "the-thing": ""})

    assert unnamed({"the-thing": {"thing.py": ""}, "tool": {"tool.py": ""}}, needs) == ()


def test_without_the_project_nothing_is_known() -> None:
    """Who imports a layer's packages is not in the layer."""
    assert unimported(plan({"the-thing": {"thing.py": ""}}), THING, PROJECT, None) == ()


def test_only_what_the_handler_reaches_counts() -> None:
    """With a handler, modules that it does not lead to name nothing, nor do packages that none reaches."""
    files = {
        PROJECT: {
            "api.py": "def f():\n    import shop.db\n",
            "shop/db.py": "import a",
            "nightly.py": "import b",
        },
        "a": {"a.py": "def f():\n    import c\n"},
        "b": {"b.py": "import d"},
        "c": {"c.py": ""},
        "d": {"d.py": ""},
    }
    needs = graph("a b c d", a="", b="", c="", d="")

    assert unimported(plan(files), needs, PROJECT, "api.f") == ("b", "d")
    assert unimported(plan(files), needs, PROJECT, None) == ()
