"""Which code of a project is found, on trees of empty files and a few imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.modules import UnknownModuleError
from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.own_code import OwnCode
from poetry_lambda_plugin.sources.own_code import Package
from poetry_lambda_plugin.sources.own_code import Wishes
from poetry_lambda_plugin.sources.own_code import beside_build
from poetry_lambda_plugin.sources.own_code import own_code
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


HANDLER = "def handler(event, context): ...\n"
BESIDE = "Beside orders, also bundled since Lambda may call it or the code imports it:"
WAYS = "`modules` chooses, `include` adds."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a project called `orders`."""
    return tmp_path / "orders"


def no_package(root: Path, files: Mapping[str, str], wishes: Wishes | None = None) -> OwnCode:
    """Find the code of a project that has no package to build."""
    write_tree(root, files)
    return own_code(root, None, ExcludedPaths(root, frozenset()), wishes or Wishes())


def with_package(root: Path, name: str, files: Mapping[str, str], wishes: Wishes | None = None) -> OwnCode:
    """Find the code of a project whose package is what lies below a path such as `src/orders`."""
    write_tree(root, files)
    base = (root / name).parent
    own = [path for path in sorted((root / name).rglob("*")) if path.is_file()]
    files_of_it = tuple(ProjectFile(path.relative_to(base).as_posix(), path) for path in own)
    packages = [Package(base, files_of_it)]
    return own_code(root, packages, ExcludedPaths(root, frozenset()), wishes or Wishes())


def paths(code: OwnCode) -> set[str]:
    return {file.path for file in code.files}


@pytest.mark.parametrize(
    ("files", "handler", "expected"),
    [
        pytest.param({"app.py": ""}, "app.handler", {"app.py"}, id="module"),
        pytest.param(
            {"lib/__init__.py": "", "lib/x.sql": ""},
            "lib.run",
            {"lib/__init__.py", "lib/x.sql"},
            id="package",
        ),
        pytest.param(
            {"app.py": "import shared.db", "shared/db.py": "", "notes/x.py": ""},
            "app.handler",
            {"app.py", "shared/db.py"},
            id="namespace-that-is-imported",
        ),
        pytest.param(
            {"app.py": "", "setup.py": "", "noxfile.py": "", "conftest.py": "", "tests/__init__.py": ""},
            "app.handler",
            {"app.py"},
            id="neither-tools-nor-tests",
        ),
        pytest.param(
            {"app.py": "import tasks", "tasks.py": "", "fabfile.py": ""},
            "app.handler",
            {"app.py", "tasks.py"},
            id="a-tool-that-is-imported",
        ),
        pytest.param({"src/app.py": "", "setup.py": ""}, "app.handler", {"app.py"}, id="src-is-the-root"),
        pytest.param(
            {"src/__init__.py": "", "src/app.py": "from util import x", "src/util.py": ""},
            "app.handler",
            {"__init__.py", "app.py", "util.py"},
            id="src-is-the-root-although-it-has-an-init",
        ),
        pytest.param(
            {"src/__init__.py": "", "src/app.py": "from src.util import x", "src/util.py": ""},
            "src.app.handler",
            {"src/__init__.py", "src/app.py", "src/util.py"},
            id="src-is-a-package",
        ),
        pytest.param(
            {"src/app.py": HANDLER, "run_local.py": "import src.app"},
            "app.handler",
            {"app.py"},
            id="src-with-the-handler",
        ),
        pytest.param(
            {"src/app.py": f"import common\n{HANDLER}", "common.py": "", "stray.py": ""},
            "app.handler",
            {"app.py", "common.py"},
            id="src-that-imports-from-above",
        ),
        pytest.param(
            {"__init__.py": "", "api.py": "from .db import X", "db.py": "", "a.html": "", "README.md": ""},
            "orders.api.handler",
            {"orders/__init__.py", "orders/api.py", "orders/db.py", "orders/a.html"},
            id="pyproject-inside-a-package",
        ),
        pytest.param(
            {"__init__.py": "", "api.py": "from orders.db import X", "db.py": ""},
            "orders.api.handler",
            {"orders/__init__.py", "orders/api.py", "orders/db.py"},
            id="pyproject-inside-a-package-absolute",
        ),
        pytest.param(
            {"__init__.py": "", "api.py": "import db", "db.py": ""},
            "api.handler",
            {"__init__.py", "api.py", "db.py"},
            id="an-init-that-means-nothing",
        ),
        pytest.param(
            {"app.py": "import aws_cdk", "stacks/__init__.py": "import aws_cdk", "fn/index.py": HANDLER},
            "fn/index.handler",
            {"fn/index.py"},
            id="infrastructure",
        ),
        pytest.param(
            {
                "Dockerfile": "FROM lambda\nCOPY lib/ ./\nCOPY app.py ./\n",
                "app.py": "",
                "lib/util.py": "",
            },
            "app.handler",
            {"app.py"},
            id="dockerfile-that-copies-modules",
        ),
        pytest.param(
            {
                "Dockerfile": "FROM lambda\nCOPY lib/. ${LAMBDA_TASK_ROOT}\n",
                "lib/app.py": "",
                "deploy.py": "",
            },
            "app.handler",
            {"app.py"},
            id="dockerfile-that-copies-a-folder",
        ),
        pytest.param(
            {"functions/a/handler.py": HANDLER, "functions/b/handler.py": HANDLER, "docs/conf.py": ""},
            "functions/a/handler.handler",
            {"functions/a/handler.py", "functions/b/handler.py"},
            id="folders-of-modules-alone",
        ),
        pytest.param(
            {"app.py": "import conf", "conf/__init__.py": "", "conf.py": ""},
            "app.handler",
            {"app.py", "conf/__init__.py", "conf.py"},
            id="a-package-and-a-module-of-one-name",
        ),
        pytest.param(
            {
                "fn/app.py": "",
                "fn/venv/pyvenv.cfg": "",
                "fn/venv/x.py": "",
                "fn/node_modules/a.py": "",
                "fn/build/app.py": "",
                "fn/.hidden/a.py": "",
                "fn/dist/__init__.py": "",
            },
            "fn.app.handler",
            {"fn/app.py", "fn/dist/__init__.py"},
            id="nothing-installed-or-made",
        ),
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["bare", "with-handler"])
def test_what_lambda_needs_is_taken(
    root: Path, files: Mapping[str, str], handler: str, expected: set[str], named: bool
) -> None:
    """Of a project without a package, whether the handler is named or not."""
    assert paths(no_package(root, files, Wishes(handler if named else None))) == expected


def test_dockerfile_names_the_handler(root: Path) -> None:
    """Its command is as good as the key."""
    files = {"Dockerfile": 'FROM lambda\nCMD ["fn.app.handler"]\n', "fn/app.py": "", "stray.py": ""}

    assert paths(no_package(root, files)) == {"fn/app.py", "stray.py"}
    assert paths(no_package(root, {**files, "Dockerfile": files["Dockerfile"].replace("lambda", "web")})) == {
        "stray.py"
    }


@pytest.mark.parametrize(
    ("files", "beside"),
    [
        pytest.param({"handler.py": ""}, {"handler.py"}, id="name-of-a-handler"),
        pytest.param({"entry.py": HANDLER}, {"entry.py"}, id="function-of-a-handler"),
        pytest.param({"entry.py": "handler = make()\n"}, {"entry.py"}, id="assigned"),
        pytest.param({"log.py": "handler = logging.StreamHandler()\n"}, set(), id="handler-of-log-records"),
        pytest.param({"entry.py": "x = 1\n"}, set(), id="anything-else"),
        pytest.param({"app.py": "import aws_cdk\n"}, set(), id="infrastructure"),
        pytest.param(
            {"handler.py": "import util", "util.py": ""}, {"handler.py", "util.py"}, id="its-imports"
        ),
        pytest.param(
            {"handler.py": "import util", "util/x.py": ""}, {"handler.py", "util/x.py"}, id="folder"
        ),
        pytest.param({"handler.py": "import json", "json/x.py": ""}, {"handler.py"}, id="standard-library"),
        pytest.param({"handler.py": "import six", "six/x.py": ""}, {"handler.py"}, id="name-of-a-dependency"),
        pytest.param(
            {"handler.py": "import a", "a.py": "import b", "b.py": ""},
            {"handler.py", "a.py", "b.py"},
            id="chain",
        ),
    ],
)
@pytest.mark.parametrize("package", ["orders", "src/orders"])
def test_handler_beside_a_package_is_taken(
    root: Path, package: str, files: Mapping[str, str], beside: set[str]
) -> None:
    """With what it imports from there, but for what bears the name of a module from elsewhere."""
    folder = package.removesuffix("orders")
    tree = {f"{package}/__init__.py": "", **{f"{folder}{path}": text for path, text in files.items()}}

    code = with_package(root, package, tree, Wishes(locked=frozenset({"six"})))

    assert paths(code) == {"orders/__init__.py"} | beside


def test_what_a_package_imports_beside_it_is_taken(root: Path) -> None:
    """A neighbour is part of the function as soon as the package needs it."""
    code = with_package(root, "orders", {"orders/__init__.py": "import common.log", "common/log.py": ""})

    assert paths(code) == {"orders/__init__.py", "common/log.py"}


def test_handler_that_is_named_is_taken_whatever_it_is_called(root: Path) -> None:
    """Beside a package, too."""
    files = {"orders/__init__.py": "", "entry.py": "run = 1\n"}

    assert paths(with_package(root, "orders", files, Wishes("entry.run"))) == {*files}


def test_dependency_has_no_handler_beside_it(root: Path) -> None:
    """Lambda does not call a dependency, so what lies beside its package stays there."""
    code = with_package(root, "lib", {"lib/__init__.py": "", "handler.py": HANDLER}, Wishes(beside=False))

    assert (paths(code), code.notes) == ({"lib/__init__.py"}, ())


def test_excluded_code_is_not_there(root: Path) -> None:
    """What git or [tool.poetry] leaves out is no part of the project, imported or not."""
    write_tree(root, {"app.py": "import secret", "secret.py": "", "lib/__init__.py": "", "lib/x.py": ""})

    code = own_code(root, None, ExcludedPaths(root, frozenset({"secret.py", "lib/x.py"})), Wishes())

    assert paths(code) == {"app.py", "lib/__init__.py"}


@pytest.mark.parametrize(
    ("files", "note"),
    [
        pytest.param(
            {"a.py": "", "lib/__init__.py": "", "more/c.py": "", "setup.py": "", "data/x.json": ""},
            "The project has no package to build, so what is beside pyproject.toml is bundled: a.py, lib. "
            "Left behind: more. `modules` chooses, `include` adds.",
            id="loose",
        ),
        pytest.param(
            {"src/app.py": "", "lib/b.py": ""},
            "The project has no package to build, so what is in src/ is bundled: app.py. "
            "Left behind: lib. `modules` chooses, `include` adds.",
            id="src",
        ),
        pytest.param(
            {"__init__.py": "", "api.py": "from . import db\n", "db.py": ""},
            "pyproject.toml lies inside the package orders, so this is bundled as orders/: "
            "__init__.py, api.py, db.py. `modules` chooses, `include` adds.",
            id="inside",
        ),
        pytest.param(
            {f"{name}.py": "" for name in "abcdefg"},
            "The project has no package to build, so what is beside pyproject.toml is bundled: "
            "a.py, b.py, c.py, d.py, e.py and 2 more. `modules` chooses, `include` adds.",
            id="many",
        ),
    ],
)
def test_note_tells_what_is_bundled_without_a_package(
    root: Path, files: Mapping[str, str], note: str
) -> None:
    """And what code is left behind."""
    assert no_package(root, files).notes == (note,)


@pytest.mark.parametrize(
    ("files", "note"),
    [
        pytest.param(
            {"handler.py": "import util\n", "util/x.py": "", "release.py": ""},
            f"{BESIDE} handler.py, util. Left behind: release.py. {WAYS}",
            id="taken-and-left",
        ),
        pytest.param(
            {"release.py": "", "tests/x.py": "", "setup.py": "", "scripts/y.py": ""},
            "Left behind beside orders: release.py. `include` adds what is needed.",
            id="left",
        ),
        pytest.param({"setup.py": "", "test_orders.py": "", "docs/conf.py": ""}, "", id="nothing-of-concern"),
    ],
)
def test_note_tells_what_lies_beside_a_package(root: Path, files: Mapping[str, str], note: str) -> None:
    """As far as it may be part of the function."""
    code = with_package(root, "orders", {"orders/__init__.py": "", **files})

    assert code.notes == ((note,) if note else ())


def test_loose_names_are_those_at_the_root(root: Path) -> None:
    """They are what a person is told to have been taken."""
    code = no_package(root, {"a.py": "", "lib/__init__.py": "", "lib/x.py": ""})

    assert code.loose == ("a.py", "lib")


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        pytest.param(("a",), {"a.py"}, id="module"),
        pytest.param(("lib",), {"lib/__init__.py", "lib/x.py"}, id="package"),
        pytest.param(("lib.x",), {"lib/__init__.py", "lib/x.py"}, id="module-with-its-package"),
        pytest.param(("more",), {"more/c.py"}, id="what-is-not-taken-unasked"),
        pytest.param(("test_a",), {"test_a.py"}, id="a-test-that-is-wanted"),
        pytest.param(("deep",), {"deep.py"}, id="what-lies-in-src"),
    ],
)
def test_modules_choose(root: Path, modules: tuple[str, ...], expected: set[str]) -> None:
    """Among what would be taken, and what would not."""
    files = {
        "a.py": "",
        "lib/__init__.py": "",
        "lib/x.py": "",
        "more/c.py": "",
        "test_a.py": "",
        "src/deep.py": "",
    }

    assert paths(no_package(root, files, Wishes(modules=modules))) == expected


def test_module_that_is_not_there_is_refused(root: Path) -> None:
    """With the nearest one that is."""
    with pytest.raises(UnknownModuleError, match=r"no module or package 'orderz'\. Did you mean 'orders'"):
        no_package(root, {"orders.py": ""}, Wishes(modules=("orderz",)))


def test_beside_a_build_modules_alone_are_taken(root: Path) -> None:
    """What is in folders is for the build to take."""
    write_tree(root, {"handler.py": "import util, lib", "util.py": "", "lib/__init__.py": "", "stray.py": ""})

    code = beside_build(root, ExcludedPaths(root, frozenset()), Wishes())

    assert paths(code) == {"handler.py", "util.py"}
    (note,) = code.notes
    assert note == f"{BESIDE.replace('orders', 'what is built')} handler.py, util.py. {WAYS}"
