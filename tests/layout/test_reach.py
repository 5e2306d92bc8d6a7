"""Which modules a handler leads to, in made projects that are also really imported."""

from __future__ import annotations

import json
import subprocess
import sys

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.reach import Reached
from poetry_lambda_plugin.layout.reach import Unclear
from poetry_lambda_plugin.layout.reach import reach


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


SHOP = {
    "shop/__init__.py": "",
    "shop/orders.py": "",
    "shop/users.py": "",
    "shop/py.typed": "",
    "shop/plugins/__init__.py": "",
    "shop/plugins/one.py": "",
    "shop/plugins/two.py": "",
    "shop/plugins/deep/__init__.py": "",
    "shop/plugins/deep/three.py": "",
    "tasks.py": "",
    "other/__init__.py": "",
    "other/data.txt": "",
    "namespace/inner/a.py": "",
    "namespace/inner/a.txt": "",
    "namespace/outer/b.py": "",
    "namespace/outer/b.txt": "",
}

USUAL = {"app.py", "shop/__init__.py", "shop/py.typed"}


def reached(files: Mapping[str, str | bytes], start: str = "app", **kept: frozenset[str]) -> Reached:
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return reach({path: partial(bytes, text) for path, text in data.items()}, [start], **kept)


IMPORTS: dict[str, tuple[str, set[str] | None]] = {
    "statement": ("import shop.orders", {"shop/orders.py"}),
    "as": ("import shop.orders as o", {"shop/orders.py"}),
    "from-package": ("from shop import orders, nothing", {"shop/orders.py"}),
    "from-module": ("from shop.orders import Order", {"shop/orders.py"}),
    "package-alone": ("import shop", set()),
    "function": ("def f():\n  if x:\n    from shop import orders", {"shop/orders.py"}),
    "method": ("class A:\n  async def f(self):\n    import shop.orders", {"shop/orders.py"}),
    "both-branches": (
        "try:\n  import shop.orders\nexcept ImportError:\n  import shop.users",
        {"shop/orders.py", "shop/users.py"},
    ),
    "type-checkers": ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import shop.orders", None),
    "type-checkers-attribute": ("import typing as t\nif t.TYPE_CHECKING:\n  import shop.orders", None),
    "not-type-checkers": (
        "if not TYPE_CHECKING:\n  import shop.orders\nelse:\n  import shop.users",
        {"shop/orders.py"},
    ),
    "type-checkers-else": (
        "if TYPE_CHECKING:\n  import shop.users\nelse:\n  import shop.orders",
        {"shop/orders.py"},
    ),
    "import_module": ("import importlib\nimportlib.import_module('shop.orders')", {"shop/orders.py"}),
    "import_module-alias": (
        "from importlib import import_module as load\nload(name='shop.orders')",
        {"shop/orders.py"},
    ),
    "import_module-relative": (
        "import importlib\nimportlib.import_module('.orders', package='shop')",
        {"shop/orders.py"},
    ),
    "dunder-import": ("__import__('shop.orders')", {"shop/orders.py"}),
    "dunder-import-fromlist": ("__import__('shop', fromlist=['orders'])", {"shop/orders.py"}),
    "constant": ("import importlib\nN = 'shop.orders'\nimportlib.import_module(N)", {"shop/orders.py"}),
    "table": (
        (
            "import importlib\nT = {'a': 'tasks', 'b': 'json'}\n"
            "def f(key): importlib.import_module(T[key])\n"
            "def g(key): importlib.import_module(T.get(key, 'shop.users'))"
        ),
        {"tasks.py", "shop/users.py", *USUAL},
    ),
    "loop": (
        "import importlib\nfor name in ['orders', 'users']:\n  importlib.import_module(f'shop.{name}')",
        {"shop/orders.py", "shop/users.py"},
    ),
    "loop-over-pairs": (
        (
            "from importlib import import_module\n"
            "for key, n in (('a', 'shop.orders'), ('b', 'json')): import_module(n)\n"
            "for key, module in {'x': 'shop.users'}.items(): import_module(module)"
        ),
        {"shop/orders.py", "shop/users.py"},
    ),
    "loop-over-names": (
        (
            "from importlib import import_module\nN = ('tasks',)\ndef f(): [import_module(n) for n in N]\n"
            "def g(n): pass"
        ),
        {"tasks.py", "app.py"},
    ),
    "condition": (
        "import importlib\nimportlib.import_module('tasks' if x else 'json')",
        {"tasks.py", "app.py"},
    ),
    "others": ("import importlib\ndef f(x): importlib.import_module(f'boto3.{x}')", {"app.py"}),
    "settings": (
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.orders')",
        {"shop/orders.py"},
    ),
    "settings-item": ("import os\nos.environ['SETTINGS_MODULE'] = 'tasks'", {"app.py", "tasks.py"}),
    "server": ("uvicorn.run('shop.orders:app')", {"shop/orders.py"}),
    "server-top": ("uvicorn.run('tasks:app')", {"app.py", "tasks.py"}),
    "class-by-name": ("MIDDLEWARE = ['shop.orders.Middleware']", {"shop/orders.py"}),
    "celery": ("app = Celery('x', include=['tasks'])", {"app.py", "tasks.py"}),
    "apps": (
        "INSTALLED_APPS = ['django.contrib.admin', 'shop.plugins']",
        {p for p in SHOP if p.startswith("shop/plugins/")},
    ),
    "word": ("table('tasks'); x = {'shop': 'other'}; invoke(FunctionName='tasks')", {"app.py"}),
    "logger": ("import logging\nlogging.getLogger('shop.orders')", {"app.py"}),
    "docstring": ("'shop.orders'\ndef f(a: 'shop.users.User'):\n  'shop.orders'", {"app.py"}),
    "compared": ("if x == 'shop.orders': pass", {"app.py"}),
    "file": (
        "from importlib.util import spec_from_file_location\nspec_from_file_location('x', HERE / 'tasks.py')",
        {"app.py", "tasks.py"},
    ),
    "namespace": (
        "from namespace.inner import a",
        {"app.py", "namespace/inner/a.py", "namespace/inner/a.txt"},
    ),
    "path": (
        "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), 'shop'))\nimport orders",
        {"shop/orders.py"},
    ),
    "class": (
        (
            "import importlib\nclass A:\n  T = {'a': 'shop.orders'}\n"
            "  def f(self, key): importlib.import_module(self.T[key])"
        ),
        {"shop/orders.py"},
    ),
    "object": (
        (
            "import importlib\nclass A:\n  def __init__(self): self.name = 'tasks'\n"
            "  def f(self): importlib.import_module(self.name)"
        ),
        {"app.py", "tasks.py"},
    ),
    "parted": (
        "import importlib\nmodule, _, name = 'tasks.run'.rpartition('.')\nimportlib.import_module(module)",
        {"app.py", "tasks.py"},
    ),
    "parted-by-colon": (
        (
            "import importlib\nT = {'a': 'shop.orders:run'}\n"
            "def f(key): importlib.import_module(T[key].split(':')[0])"
        ),
        {"shop/orders.py"},
    ),
    "newer-syntax": ("def f[T](:\n  import shop.orders", {"shop/orders.py"}),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_follows(name: str) -> None:
    """Whatever may be loaded is taken, with the packages it is in, and no more; nothing of it is unclear."""
    source, expected = IMPORTS[name]
    wanted = {"app.py"} if expected is None else expected if "app.py" in expected else expected | USUAL

    result = reached({**SHOP, "app.py": source})

    assert result == Reached(frozenset(wanted), ())


STARS: dict[str, tuple[str, set[str]]] = {
    "named": ("__all__ = ['one']", {"one.py"}),
    "added": ("__all__ = ['one']\n__all__ += ['two']", {"one.py", "two.py"}),
    "unknown": (
        "import glob, os\n__all__ = [f[:-3] for f in glob.glob(os.path.dirname(__file__) + '/*.py')]",
        {"one.py", "two.py", "deep/__init__.py", "deep/three.py"},
    ),
    "none": ("", set()),
}


@pytest.mark.parametrize("name", STARS)
def test_stars(name: str) -> None:
    """`from package import *` imports the submodules that `__all__` names; an import of it alone does not."""
    source, expected = STARS[name]
    files = {**SHOP, "shop/plugins/__init__.py": source}

    star = reached({**files, "app.py": "from shop.plugins import *"}).paths

    assert star == {*USUAL, "shop/plugins/__init__.py", *(f"shop/plugins/{path}" for path in expected)}
    if name in ("named", "added", "none"):
        alone = reached({**files, "app.py": "import shop.plugins"}).paths
        assert alone == {*USUAL, "shop/plugins/__init__.py"}


PLUGINS = tuple(sorted(p for p in SHOP if p.startswith("shop/plugins/")))
NAMES = ("shop.plugins.deep", "shop.plugins.deep.three", "shop.plugins.one", "shop.plugins.two")

UNCLEAR: dict[str, tuple[str, tuple[int, tuple[str, ...]] | None]] = {
    "prefix": ("import importlib\ndef f(n):\n  importlib.import_module(f'shop.plugins.{n}')", (3, NAMES)),
    "added": ("import importlib\ndef f(n):\n  importlib.import_module('shop.plugins.' + n)", (3, NAMES)),
    "percent": ("import importlib\ndef f(n):\n  importlib.import_module('shop.plugins.%s' % n)", (3, NAMES)),
    "format": (
        "import importlib\ndef f(n): importlib.import_module('shop.plugins.{}'.format(n))",
        (2, NAMES),
    ),
    "package": (
        "import importlib\ndef f(n): importlib.import_module(f'.{n}', package='shop.plugins')",
        (2, NAMES),
    ),
    "name": (
        (
            "import importlib\nfrom shop import plugins\n"
            "def f(n): importlib.import_module(f'{plugins.__name__}.{n}')"
        ),
        (3, NAMES),
    ),
    "anything": ("import importlib\ndef f(n):\n  return importlib.import_module(n)", (3, ())),
    "environment": ("import importlib, os\nimportlib.import_module(os.environ['MODULE'])", (2, ())),
    "file": ("import runpy\ndef f(path): runpy.run_path(path)", (2, ())),
    "listed": (
        (
            "import importlib, pkgutil\nfrom shop import plugins\n"
            "for m in pkgutil.iter_modules(plugins.__path__, plugins.__name__ + '.'):\n"
            "  importlib.import_module(m.name)"
        ),
        None,
    ),
    "walked": (
        (
            "import importlib, pkgutil\np = importlib.import_module('shop.plugins')\n"
            "for _, name, _ in pkgutil.walk_packages(p.__path__, 'shop.plugins.'):\n"
            "  importlib.import_module(name)"
        ),
        None,
    ),
    "listed-anywhere": (
        (
            "import importlib, pkgutil\ndef f(p):\n  for m in pkgutil.iter_modules(p):\n"
            "    importlib.import_module(m.name)"
        ),
        (4, ()),
    ),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_cannot_be_known(name: str) -> None:
    """The line is told, and all is taken that a name may mean of which a part is known."""
    source, expected = UNCLEAR[name]

    result = reached({**SHOP, "app.py": source})

    assert result.unclear == (() if expected is None else (Unclear("app.py", *expected),))
    if expected is None or expected[1]:
        assert result.paths == {*USUAL, *PLUGINS}
    else:
        assert result.paths == {"app.py"}


CONSTANTS = {
    "loop": "from conf import NAMES\nfor name in NAMES:\n  importlib.import_module(name)",
    "attribute": "import conf\nfor name in conf.NAMES:\n  importlib.import_module(name)",
    "table": "from conf import TABLE as T\ndef f(key):\n  importlib.import_module(T[key])",
    "text": "from conf import NAME\nimportlib.import_module(NAME)",
    "part": "from conf import PART\nimportlib.import_module(f'{PART}.orders')",
    "of-another": "from conf import OTHER\nimportlib.import_module(OTHER)",
}
CONFIGURATION = (
    "from base import OTHER\nNAMES = ['shop.orders', 'json']\nTABLE = {'a': 'shop.orders'}\n"
    "NAME = 'shop.orders'\nPART = 'shop'\n"
)


@pytest.mark.parametrize("name", CONSTANTS)
def test_texts_of_other_modules(name: str) -> None:
    """A name that another of the project's modules spells out is known."""
    files = {"conf.py": CONFIGURATION, "base.py": "OTHER = 'shop.orders'"}

    result = reached({**SHOP, **files, "app.py": f"import importlib\n{CONSTANTS[name]}\n"})

    assert result == Reached(frozenset({*USUAL, *files, "shop/orders.py"}), ())


def test_texts_that_go_round() -> None:
    """Modules that have a name of each other spell out nothing."""
    files = {"app.py": "from a import X\n__import__(X)", "a.py": "from b import X", "b.py": "from a import X"}

    assert reached(files) == Reached(frozenset(files), (Unclear("app.py", 2, ()),))


def test_packages_that_load_their_own_when_used() -> None:
    """A module's `__getattr__` that imports siblings leads to all of them, and so does `lazy_loader`."""
    lazy = "from importlib import import_module\nT = {'A': '.one'}\ndef __getattr__(name):\n"
    table = lazy + "  return getattr(import_module(T[name], __name__), name)"
    files = {**SHOP, "app.py": "from shop.plugins import A"}

    assert "shop/plugins/one.py" in reached({**files, "shop/plugins/__init__.py": table}).paths
    assert "shop/plugins/two.py" not in reached({**files, "shop/plugins/__init__.py": table}).paths
    pairs = lazy.replace("'.one'", "(__spec__.parent, '.one')") + "  return import_module(*T[name])"
    assert "shop/plugins/one.py" in reached({**files, "shop/plugins/__init__.py": pairs}).paths
    own = "import sys\nfrom lazy import Module\nsys.modules[__name__] = Module(__name__, {'one': ['A']})"
    assert "shop/plugins/one.py" in reached({**files, "shop/plugins/__init__.py": own}).paths
    loader = "import lazy_loader as lazy\n__getattr__, __dir__, _ = lazy.attach(__name__, submodules={'one'})"
    assert "shop/plugins/one.py" in reached({**files, "shop/plugins/__init__.py": loader}).paths


def test_data_of_packages_reached() -> None:
    """All that is no module comes with its package, folders of it too, and may name modules itself."""
    files = {
        "app.py": "import shop.orders",
        "root.txt": "",
        "shop/orders.py": "",
        "shop/templates/a/b.html": "",
        "shop/logging.ini": "class=shop.logs.Formatter",
        "shop/logs.py": "import shop.helper",
        "shop/helper.py": "",
        "shop/jobs/nightly.py": "",
        "shop/jobs/nightly.sql": "",
    }

    assert reached(files).paths == {path for path in files if not path.startswith("shop/jobs/")}


def test_compiled_modules_lead_to_what_they_name() -> None:
    """Of a compiled module no more is known than the words in it."""
    files: dict[str, str | bytes] = {
        **SHOP,
        "app.py": "import core",
        "core.cpython-313-x86_64-linux-gnu.so": b"\0shop.orders\0users\0",
    }

    assert {"shop/orders.py", "shop/users.py"} <= reached(files).paths
    assert "tasks.py" not in reached(files).paths


def test_kept_files_are_followed() -> None:
    """What is kept anyway needs what it imports."""
    files = {**SHOP, "app.py": "", "tasks.py": "import other"}

    kept = reached(files, kept=frozenset({"tasks.py", "shop/py.typed"})).paths

    assert kept == {"app.py", "tasks.py", "other/__init__.py", "other/data.txt", "shop/py.typed"}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("for x in x: __import__(x)", id="itself"),
        pytest.param("x = 'a'\n" + "x = x + x\n" * 40 + "__import__(x)", id="doubling"),
        pytest.param("x = " + "+".join(["y"] * 3000) + "\n__import__(x)", id="long"),
        pytest.param("x = " + "(" * 150 + "1" + ")" * 150, id="deep"),
        pytest.param("import shop.orders\0", id="nul"),
        pytest.param("from ......... import a\nfrom . import *\nfrom .. import b", id="too-many-dots"),
    ],
)
def test_hostile_sources_end(source: str) -> None:
    """No source makes it run for long, or fail."""
    assert "app.py" in reached({**SHOP, "app.py": source}).paths


REAL: dict[str, str] = {
    "app.py": (
        "from functions import api\nimport importlib, pkgutil\nimport plain\n"
        "def handler(event, context):\n  from functions.late import run\n  run()\n"
        "  import sys\n  return sorted(m.__file__ for m in list(sys.modules.values()) if "
        "str(getattr(m, '__file__', '')).startswith(sys.path[0] + '/'))\n"
    ),
    "plain.py": "from pack import *\n",
    "pack/__init__.py": "__all__ = ['starred']\n",
    "pack/starred.py": "",
    "pack/unused.py": "",
    "functions/__init__.py": "from . import base\n",
    "functions/base.py": "",
    "functions/api.py": ("from .routes import table\nimport functions.db.models as models\n"),
    "functions/routes.py": (
        "import importlib\ntable = {'/a': 'functions.views.a', '/b': '.views.b'}\n"
        "for view in table.values():\n  importlib.import_module(view, __package__)\n"
    ),
    "functions/views/__init__.py": "",
    "functions/views/a.py": "from ..db import session\n",
    "functions/views/b.py": "try:\n  import missing\nexcept ImportError:\n  from functions import fallback\n",
    "functions/fallback.py": "",
    "functions/db/__init__.py": "from .models import *\n",
    "functions/db/models.py": "from functions.db import session\n",
    "functions/db/session.py": "",
    "functions/late.py": (
        "import importlib, pkgutil\nfrom functions import plugins\ndef run():\n"
        "  for m in pkgutil.iter_modules(plugins.__path__):\n"
        "    importlib.import_module(f'functions.plugins.{m.name}')\n"
    ),
    "functions/plugins/__init__.py": "",
    "functions/plugins/x.py": "from space.deep import thing\n",
    "space/deep/thing.py": "",
    "space/deep/other.py": "",
    "functions/worker.py": "import functions.worker_only\n",
    "functions/worker_only.py": "",
}

LOADED = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); import app; print(json.dumps(app.handler({}, None)))"
)


def test_all_that_a_real_import_loads(tmp_path: Path) -> None:
    """What a Python loads of a made project is reached, and what it does not is not."""
    for path, source in REAL.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", LOADED, str(tmp_path)], capture_output=True, text=True, check=True
    )

    loaded = {path.removeprefix(f"{tmp_path}/") for path in json.loads(ran.stdout)}

    result = reached(REAL)
    assert result == Reached(frozenset(loaded), ())
    left = {"pack/unused.py", "space/deep/other.py", "functions/worker.py", "functions/worker_only.py"}
    assert REAL.keys() - result.paths == left


FORMS = (
    "import {name}",
    "import {name} as it",
    "from {package} import {last}",
    "from {name} import X",
    "from {name} import *",
    "def f():\n  from {package} import {last}\nf()",
    "import importlib\nimportlib.import_module('{name}')",
    "from importlib import import_module as load\nload('.{last}', '{package}')",
    "import importlib\nfor part in ('{last}',): importlib.import_module(f'{package}.{{part}}')",
    "T = {{'a': '{name}:X'}}\nimport importlib\nimportlib.import_module(T['a'].partition(':')[0])",
    "try:\n  import nothing\nexcept ImportError:\n  import {name}",
    "__import__('{package}', fromlist=['{last}'])",
    "import pkgutil\npkgutil.resolve_name('{name}:X')",
    "class A:\n  name = '{name}'\n  def f(self):\n    __import__(self.name)\nA().f()",
    "import runpy, sys\nrunpy.run_module('{name}', run_name='again')",
)

LOADED_OF_EACH = """
import importlib, json, sys
told = []
for root in sys.argv[1:]:
    sys.path.insert(0, root)
    before = set(sys.modules)
    importlib.import_module("app")
    new = [sys.modules.pop(name) for name in set(sys.modules) - before]
    files = [str(getattr(module, "__file__", "")) for module in new]
    told.append([file[len(root) + 1 :] for file in files if file.startswith(root + "/")])
    sys.path.remove(root)
print(json.dumps(told))
"""


def made_up(random: Random) -> dict[str, str]:
    """Make a project whose modules import later ones in all ways, some of them packages."""
    names = [f"{random.choice(['a', 'b', 'a.c', 'b.d.e'])}.m{number}" for number in range(12)]
    files = {"app.py": "", **{f"{name.replace('.', '/')}.py": "X = 1\n" for name in names}}
    for place in {path.rpartition("/")[0] for path in files if "/" in path}:
        parts = place.split("/")
        files |= {"/".join([*parts[:n], "__init__.py"]): "" for n in range(1, len(parts) + 1)}
    modules = ["app.py", *(f"{name.replace('.', '/')}.py" for name in names)]
    for number, path in enumerate(modules):
        for name in random.sample(names[number:], min(random.choice((0, 1, 2)), len(names) - number)):
            package, _, last = name.rpartition(".")
            files[path] += random.choice(FORMS).format(name=name, package=package, last=last) + "\n"
    return files


def test_all_that_made_up_projects_load(tmp_path: Path) -> None:
    """Whatever the ways that modules import each other in, what is loaded is reached, and no more is."""
    projects = [made_up(Random(seed)) for seed in range(60)]
    for number, files in enumerate(projects):
        for path, source in files.items():
            (tmp_path / str(number) / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / str(number) / path).write_text(source)
    roots = [str(tmp_path / str(number)) for number in range(len(projects))]

    ran = subprocess.run(
        [sys.executable, "-I", "-B", "-c", LOADED_OF_EACH, *roots],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stderr == ""
    for files, loaded in zip(projects, json.loads(ran.stdout), strict=True):
        result = reached(files)
        assert result.unclear == ()
        assert result.paths >= frozenset(loaded)
        # what is run, not imported, is in no list
        if not any("run_module" in source for source in files.values()):
            assert result.paths == frozenset(loaded)
