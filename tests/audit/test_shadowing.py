"""Modules with the names of Python's own, on made-up bundles."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.audit.shadowing import shadowing
from tests.support.values import PROJECT
from tests.support.values import messages
from tests.support.values import plan


NO_PACKAGE = (
    "email/sender.py is never imported: email/ has no __init__.py, so that Python's own email comes first. "
    "Rename it."
)


@pytest.mark.parametrize(
    ("owner", "path", "imported", "begins"),
    [
        pytest.param(PROJECT, "email/sender.py", {}, NO_PACKAGE, id="no-package"),
        pytest.param(PROJECT, "email/__init__.py", {}, "email/__init__.py hides", id="package"),
        pytest.param(PROJECT, "types.py", {}, "types.py is never imported", id="loaded"),
        pytest.param(PROJECT, "simplejson/__init__.py", {}, "simplejson/__init__.py is never", id="client"),
        pytest.param(PROJECT, "cmd.py", {"cmd": {"lib"}}, "cmd.py hides", id="used-by-others"),
        pytest.param(PROJECT, "cmd.py", {"cmd": {PROJECT}}, None, id="used-by-itself"),
        pytest.param(PROJECT, "cmd.py", {}, None, id="not-used"),
        pytest.param(PROJECT, "distutils.py", {"distutils": {"lib"}}, None, id="not-of-this-python"),
        pytest.param(PROJECT, "email/data.txt", {}, None, id="data"),
        pytest.param(PROJECT, "shop/email.py", {}, None, id="inside"),
        pytest.param("enum34", "enum/__init__.py", {}, None, id="backport-that-is-never-taken"),
        pytest.param("simplejson", "simplejson/__init__.py", {}, None, id="the-client's-own"),
        pytest.param("typing", "typing.py", {}, "typing.py of typing hides", id="backport"),
        pytest.param("typing-extensions", "typing_extensions.py", {}, None, id="another-name"),
        pytest.param("lib", "test/__init__.py", {}, None, id="tests-that-slipped-in"),
        pytest.param("lib", "email/x.py", {}, None, id="folder-of-a-dependency"),
    ],
)
def test_shadowing(owner: str, path: str, imported: dict[str, set[str]], begins: str | None) -> None:
    """A name matters where somebody gets another module than the one that is meant."""
    bundled = plan({owner: {path: ""}})

    told = messages(shadowing({e.path: e for e in bundled.entries}, PROJECT, (3, 12), imported))

    assert len(told) == (begins is not None)
    assert begins is None or told[0].startswith(begins)
