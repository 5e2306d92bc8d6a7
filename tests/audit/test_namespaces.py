"""Which part of a package Python sees, of a function's and a layer's, held against Python itself."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

from itertools import product
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit.layers import files_of_layer
from poetry_lambda_plugin.audit.namespaces import cut_packages
from poetry_lambda_plugin.layout.layer import read_layer
from tests.support.values import PROJECT
from tests.support.values import plan
from tests.support.values import target


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.findings import Finding


NSPKG = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);"
    "p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('acme',));"
    "importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
    "m = has_mfs and sys.modules.setdefault('acme', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('acme', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('acme', types.ModuleType('acme'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
)
"""What setuptools wrote for namespace packages."""

KINDS: Mapping[str, Mapping[str, str]] = {
    "open": {},
    "closed": {"acme/__init__.py": "NAME = 'acme'\n"},
    "shared": {"acme/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"},
    "declared": {"acme-nspkg.pth": NSPKG},
}

ON_LAMBDA = """
import importlib, site, sys
task, opt = sys.argv[1:]
sys.path[:0] = [task, opt]
site.addsitedir(task)
site.addsitedir(opt)
for module in ("ours", "theirs"):
    try:
        importlib.import_module("acme." + module)
        print(module)
    except ImportError:
        pass
"""
"""As the runtime's bootstrap does it."""


def cut(
    folder: Path, function: Mapping[str, str], layer: Mapping[str, str], owner: str = PROJECT
) -> list[Finding]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**layer, "dep-1.0.dist-info/METADATA": ""}.items():
            archive.writestr(f"python/{path}", text)
    (folder / "layer.zip").write_bytes(buffer.getvalue())
    held = files_of_layer(read_layer(folder / "layer.zip", target().runtime))
    return list(cut_packages(plan({owner: function}), [held]))


@pytest.mark.parametrize(("ours", "theirs"), [*product(KINDS, repeat=2)])
def test_sees_what_python_sees(ours: str, theirs: str, tmp_path: Path) -> None:
    """For each pair of kinds, what is told to be hidden is what can't be imported."""
    parts = {
        "task": {"acme/ours.py": "", **KINDS[ours]},
        "opt": {"acme/theirs.py": "", **KINDS[theirs]},
    }
    for part, files in parts.items():
        (tmp_path / part / "acme").mkdir(parents=True)
        for path, text in files.items():
            (tmp_path / part / path).write_text(text)
    folders = [str(tmp_path / part) for part in parts]
    command = [sys.executable, "-I", "-S", "-c", ON_LAMBDA, *folders]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    findings = cut(tmp_path, parts["task"], parts["opt"])

    hidden = [name for name in ("ours", "theirs") if name not in seen]
    assert [
        name for name in ("ours", "theirs") if any(f"acme/{name}.py" in f.message for f in findings)
    ] == hidden


def test_says_what_is_hidden(tmp_path: Path) -> None:
    """A package below an open one counts too; what both have is not lost."""
    function = {"acme/core/__init__.py": "", "acme/core/api.py": "", "acme/core/both.py": ""}
    layer = {"acme/core/db.py": "", "acme/core/both.py": "", "acme/web/app.py": ""}

    (finding,) = cut(tmp_path, function, layer)

    assert finding.where == "acme/core/"
    assert finding.message == (
        "The package acme.core is in the function and in the layer layer.zip, and Python sees the first "
        "alone: of the layer layer.zip, acme/core/db.py can't be imported. Put both parts in one of the "
        "two, or make acme.core a namespace package in both, without an __init__.py."
    )


def test_a_distribution_in_both_is_fine(tmp_path: Path) -> None:
    """The function's copy of what a layer has is meant to be seen instead."""
    function, layer = {"acme/__init__.py": "", "acme/a.py": ""}, {"acme/__init__.py": "", "acme/old.py": ""}

    assert cut(tmp_path, function, layer, owner="dep") == []
    assert cut(tmp_path, {"acme/__init__.py": "", "acme/old.py": ""}, layer) == []
    assert cut(tmp_path, {"other/__init__.py": "", "other/a.py": ""}, layer) == []
