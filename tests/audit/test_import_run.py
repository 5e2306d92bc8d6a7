"""Imports as Python would make them: what fails, and what only looks as if it did."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.audit.import_run import ImportRun
from poetry_lambda_plugin.audit.module_finder import ModuleFinder
from poetry_lambda_plugin.audit.trees import Trees
from tests.support.values import target


if TYPE_CHECKING:
    from collections.abc import Mapping

    from poetry_lambda_plugin.audit.import_run import ImportFailure


def failure_of(
    files: Mapping[str, str | bytes], *, runtime: str = "python3.12", layers: tuple[str, ...] = ()
) -> ImportFailure | None:
    """Import `app`; files below `lib` and of its kind are a dependency's, the others the project's."""
    entries = {
        path: Entry(path, BytesContent(data.encode() if isinstance(data, str) else data), owner=_owner(path))
        for path, data in files.items()
    }
    finder = ModuleFinder(entries, layers, target(runtime).runtime.python, ())
    trees = Trees(entries, lambda path: _owner(path) == "my-fn", target(runtime), None)  # type: ignore[arg-type]
    return ImportRun(finder, trees, lambda path: _owner(path) == "my-fn").failure_of("app")


def _owner(path: str) -> str:
    return "lib" if path.startswith("lib") else "my-fn"


def told(failure: ImportFailure | None) -> tuple[str, str, str] | None:
    return (failure.problem, failure.about, str(failure.place)) if failure is not None else None


understands_3_12 = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="an older Python can't tell what python3.12 does not understand"
)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("try:\n import gone\nexcept ImportError:\n gone = None", id="caught"),
        pytest.param("try:\n import gone\nexcept ModuleNotFoundError:\n pass", id="caught-missing"),
        pytest.param("try:\n import gone\nexcept (ValueError, ImportError) as e:\n pass", id="caught-tuple"),
        pytest.param("try:\n import gone\nexcept:\n pass", id="caught-bare"),
        pytest.param("try:\n import gone\nexcept Exception:\n pass", id="caught-exception"),
        pytest.param("from x import E\ntry:\n import gone\nexcept E:\n pass", id="caught-perhaps"),
        pytest.param("try:\n import os\nexcept ImportError:\n import gone", id="handler-of-what-works"),
        pytest.param(
            "try:\n import gone\nexcept ImportError:\n import json\nelse:\n import other", id="else"
        ),
        pytest.param(
            "import contextlib\nwith contextlib.suppress(ImportError):\n import gone", id="suppress"
        ),
        pytest.param("with optional():\n import gone", id="unknown-context"),
        pytest.param("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import gone", id="type-checking"),
        pytest.param("import typing as t\nif t.TYPE_CHECKING or False:\n import gone", id="type-checking-or"),
        pytest.param("if __name__ == '__main__':\n import gone", id="main"),
        pytest.param("import sys\nif sys.platform == 'win32':\n import gone", id="windows"),
        pytest.param("import os\nif os.name == 'nt':\n import winreg", id="nt"),
        pytest.param("import platform\nif platform.system() == 'Darwin':\n import gone", id="darwin"),
        pytest.param("import sys\nif sys.version_info < (3, 11):\n import tomli", id="version"),
        pytest.param("import sys\nif sys.version_info[0] == 2:\n import gone", id="version-major"),
        pytest.param("import sys\nPY2 = sys.version_info.major == 2\nif PY2:\n import gone", id="constant"),
        pytest.param("import os\nif os.environ.get('DEBUG'):\n import gone", id="unknown-if"),
        pytest.param("for name in names:\n import gone", id="loop"),
        pytest.param("for n in ('gone',):\n if f(n):\n  __import__(n)", id="loop-of-names"),
        pytest.param("match x:\n case 1:\n  import gone", id="match"),
        pytest.param("def f():\n import gone", id="function"),
        pytest.param("import lib.sub.deep\nfrom lib import sub\nfrom lib.sub import deep", id="submodules"),
        pytest.param("from lib import name, other, third, fourth, fifth, Sixth", id="names"),
        pytest.param("from lib import __doc__, __version__, __file__", id="given-names"),
        pytest.param("from lib import *\nfrom app import star", id="star"),
        pytest.param("import libso.any.thing\nfrom libso import word", id="extension"),
        pytest.param("from liblazy import word\nfrom liblazy import more", id="module-getattr"),
        pytest.param("from liblazier import other, elsewhere, table", id="lazy-names"),
        pytest.param("import libmods.six.moves\nfrom libmods.six import word", id="sys-modules"),
        pytest.param("import libsets\nimport libfake.inner", id="registered"),
        pytest.param("from libns.a import x\nfrom libns.b import y", id="namespace"),
        pytest.param("import boto3, botocore.client, urllib3, dateutil.parser, six.moves", id="runtime"),
        pytest.param("import layered.anything\nfrom layered import word", id="layer"),
        pytest.param("import os.path, xml.etree.ElementTree as e, _decimal, asyncio", id="standard"),
        pytest.param("import logging\nfrom logging import anything", id="standard-names"),
        pytest.param("import sys\nsys.path.insert(0, '/opt/lib')\nimport gone", id="path-unknown"),
        pytest.param(
            "import sys, os\nsys.path.append(os.path.dirname(__file__))\nimport deeper", id="path-inside"
        ),
        pytest.param("import importlib\nm = importlib.import_module(name)", id="dynamic"),
        pytest.param("import libnew", id="newer-syntax-of-a-dependency-that-is-caught"),
        pytest.param("from lib import attached", id="attribute-set-elsewhere"),
        pytest.param("class A:\n try:\n  import gone\n except ImportError:\n  pass", id="class"),
        pytest.param("if (x := 1):\n pass\nimport app2\n", id="walrus"),
        pytest.param("from libmention import hidden", id="dependency-mentions"),
        pytest.param("import pkg.a", id="circle-that-works"),
    ],
)
def test_believes(source: str) -> None:
    """What Lambda could import, or would do without, is no failure."""
    files = {
        "app.py": source,
        "app2.py": "from app import x\n",
        "deeper/deeper.py": "",
        "x.py": "class E(Exception): ...\n",
        "lib/__init__.py": "name = 1\nother: int = 2\nthird, (fourth, *fifth) = f()\n"
        "class Sixth:\n def f(self):\n  import gone\nstar = 1\nfrom lib import patch\n",
        "lib/patch.py": "import lib\nlib.attached = 1\n",
        "lib/sub/__init__.py": "",
        "lib/sub/deep.py": "",
        "libso/core.cpython-312-x86_64-linux-gnu.so": "",
        "libso/__init__.py": "",
        "liblazy.py": "def __getattr__(name):\n return 1\n",
        "liblazier/__init__.py": "table = {'Model': '.bad', 'other': 'fine', 'elsewhere': 'x.y'}\n"
        "def __getattr__(name):\n return table[name]\n",
        "liblazier/bad.py": "import gone\n",
        "liblazier/fine.py": "",
        "libmods/__init__.py": "",
        "libmods/six.py": "import sys\nsys.modules[__name__ + '.moves'] = 1\n",
        "libsets.py": "import sys\ndef f():\n sys.modules['libfake.inner'] = 1\nsys.modules['libfake'] = 1\n",
        "libns/a.py": "x = 1",
        "libns/b.py": "y = 1",
        "libnew.py": "try:\n import libbroken\nexcept SyntaxError:\n pass\n",
        "libbroken.py": "print 'x'\n",
        "libmention.py": "for n in ['hidden']:\n make(n)\n",
        "pkg/__init__.py": "from . import a\nfrom .b import thing\n",
        "pkg/a.py": "from . import b\nimport pkg.b\n",
        "pkg/b.py": "thing = 1\nfrom . import a\n",
    }
    assert told(failure_of(files, layers=("layered/__init__.py",))) is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"app.py": "import os\nimport gone.sub"}, ("missing", "gone", "app.py:2"), id="missing"),
        pytest.param({"app.py": "import lib"}, ("missing", "gone", "lib.py:1"), id="dependency"),
        pytest.param({"app.py": "import lib2.b"}, ("missing", "gone", "lib2/__init__.py:1"), id="parent"),
        pytest.param(
            {"app.py": "from lib2c import no"}, ("missing", "gone", "lib2c.py:4"), id="handler-fails"
        ),
        pytest.param({"app.py": "import lib2d"}, ("missing", "gone", "lib2d.py:2"), id="raised-instead"),
        pytest.param(
            {"app.py": "try:\n import lib2d\nexcept ImportError:\n pass"},
            ("missing", "gone", "lib2d.py:2"),
            id="raised-instead-is-not-caught",
        ),
        pytest.param(
            {"app.py": "from liblazy import Model"}, ("missing", "gone", "liblazy/main.py:1"), id="lazy-name"
        ),
        pytest.param({"app.py": "import lib3.no"}, ("missing", "lib3.no", "app.py:1"), id="submodule"),
        pytest.param({"app.py": "import lib4.x.no"}, ("missing", "lib4.x.no", "app.py:1"), id="no-package"),
        pytest.param({"app.py": "from libn import no"}, ("missing", "libn.no", "app.py:1"), id="namespace"),
        pytest.param({"app.py": "from lib3 import no"}, ("name", "lib3.no", "app.py:1"), id="name"),
        pytest.param(
            {"app.py": "import cgi", "runtime": "python3.13"}, ("missing", "cgi", "app.py:1"), id="old"
        ),
        pytest.param({"app.py": "import distutils"}, ("missing", "distutils", "app.py:1"), id="distutils"),
        pytest.param({"app.py": "import winreg"}, ("missing", "winreg", "app.py:1"), id="windows"),
        pytest.param({"app.py": "from .x import y"}, ("relative", ".x", "app.py:1"), id="relative"),
        pytest.param({"app.py": "from ..x import y"}, ("relative", "..x", "app.py:1"), id="relative-far"),
        pytest.param(
            {"app.py": "import a", "a.py": "from b import x\ny = 1", "b.py": "from a import y\nx = 1"},
            ("circular", "a.y", "b.py:1"),
            id="circle",
        ),
        pytest.param(
            {"app.py": "import broken", "broken.py": "x =\n"},
            ("syntax", "broken.py", "broken.py:1"),
            id="syntax",
            marks=understands_3_12,
        ),
        pytest.param(
            {"app.py": "import libpy2"},
            ("syntax", "libpy2.py", "libpy2.py:1"),
            id="old-syntax",
            marks=understands_3_12,
        ),
        pytest.param(
            {"app.py": "import sys\nif sys.version_info >= (3, 8):\n import gone"},
            ("missing", "gone", "app.py:3"),
            id="version",
        ),
        pytest.param(
            {"app.py": "try:\n import gone\nexcept ValueError:\n pass"},
            ("missing", "gone", "app.py:2"),
            id="not-caught",
        ),
        pytest.param(
            {"app.py": "try:\n from lib3 import no\nexcept ModuleNotFoundError:\n pass"},
            ("name", "lib3.no", "app.py:2"),
            id="name-not-caught",
        ),
        pytest.param(
            {"app.py": "import warnings\nwith warnings.catch_warnings():\n import gone"},
            ("missing", "gone", "app.py:3"),
            id="plain-context",
        ),
        pytest.param(
            {"app.py": "for n in ('json', 'gone'):\n locals()[n] = __import__(n)"},
            ("missing", "gone", "app.py:2"),
            id="in-turn",
        ),
        pytest.param(
            {"app.py": "class A:\n from gone import x"}, ("missing", "gone", "app.py:2"), id="class"
        ),
        pytest.param(
            {"app.py": "import importlib\nx = importlib.import_module('gone.sub')"},
            ("missing", "gone", "app.py:2"),
            id="import-module",
        ),
        pytest.param(
            {"app.py": "import sys, os\nsys.path.append(os.path.dirname(__file__))\nimport gone"},
            ("missing", "gone", "app.py:3"),
            id="path-inside",
        ),
        pytest.param(
            {"app.py": "raise RuntimeError('no')"}, ("raised", "RuntimeError", "app.py:1"), id="raised"
        ),
        pytest.param(
            {"app.py": "from libstar import *\nfrom lib3 import no"},
            ("name", "lib3.no", "app.py:2"),
            id="after-star",
        ),
    ],
)
def test_fails(files: Mapping[str, str], expected: tuple[str, str, str]) -> None:
    """What Lambda could not import is told with its place."""
    runtime = files.get("runtime", "python3.12")
    dependencies = {
        "lib.py": "import gone",
        "lib2/__init__.py": "import gone",
        "lib2/b.py": "",
        "lib2c.py": "try:\n import nothing\nexcept ImportError:\n import gone\n",
        "lib2d.py": "try:\n import gone\nexcept ImportError as e:\n raise RuntimeError('no') from e\n",
        "lib3/__init__.py": "yes = 1\n",
        "lib4/__init__.py": "",
        "lib4/x.py": "",
        "libn/yes.py": "",
        "libpy2.py": "print 'x'\n",
        "libstar.py": "yes = 1",
        "liblazy/__init__.py": "__all__ = ['Model']\nx = {'Model': (0, '.main')}\n"
        "def __getattr__(name):\n return x[name]\n",
        "liblazy/main.py": "import gone\n",
    }
    own = {path: text for path, text in files.items() if path != "runtime"}
    assert told(failure_of({**dependencies, **own}, runtime=runtime)) == expected


def test_names_the_way() -> None:
    """The chain leads from the start to the import that fails."""
    failure = failure_of({"app.py": "\nimport b", "b.py": "from lib import x", "lib.py": "\n\nimport gone"})
    assert failure is not None
    assert [str(step) for step in failure.chain] == ["app.py:2", "b.py:1", "lib.py:3"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nothing is newer than this Python")
def test_what_only_a_newer_python_understands_is_not_judged() -> None:
    """A source for the runtime's Python is believed where the running one can't parse it."""
    assert failure_of({"app.py": "x = t'{1}'"}, runtime="python3.14") is None


def test_own_sources_are_held_against_an_older_runtime() -> None:
    """What the running Python understands need not be understood by the runtime's."""
    assert told(failure_of({"app.py": "match 1:\n case 1:\n  pass"}, runtime="python3.9")) is not None


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"(" * 5000 + b")" * 5000, id="nested"),
        pytest.param(b"x = 1\0", id="nul"),
        pytest.param(b"# coding: nothing\n", id="encoding"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"-" * 100_000 + b"1", id="operators"),
        pytest.param(b"def f(" * 50_000, id="heads"),
        pytest.param(b'"""\\' * 50_000, id="quotes"),
        pytest.param(b"if a:\n pass\n" + b"elif a:\n pass\n" * 3000, id="elifs"),
        pytest.param(b"#" * (5 << 20), id="large"),
        pytest.param(b"import " + b"a." * 3000 + b"b", id="long-name"),
    ],
)
def test_hostile_sources_end(source: bytes) -> None:
    """Whatever a dependency holds, the run ends, and soon."""
    failure = failure_of({"app.py": "try:\n import lib\nexcept Exception:\n pass", "lib.py": source})
    assert failure is None


def test_long_chains_and_circles_end() -> None:
    """Depth is no concern, and modules that import each other all are read once."""
    chain = {f"m{i}.py": f"import m{i + 1}\n" for i in range(3000)}
    everyone = "".join(f"try:\n from c{j} import late\nexcept ImportError:\n pass\n" for j in range(12))
    circle = {f"c{i}.py": f"{everyone}late = 1\n" for i in range(12)}

    failure = failure_of({"app.py": "import c0\nimport m0", **chain, **circle})

    assert told(failure) == ("missing", "m3000", "m2999.py:1")
