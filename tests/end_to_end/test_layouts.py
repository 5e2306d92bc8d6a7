"""The bare command in the layouts that real functions have: each bundle's handler is really imported."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index


HANDLER = "def handler(event, context):\n    return event\n"
LAMBDA_HANDLER = "def lambda_handler(event, context):\n    return event\n"
POETRY_1 = '[tool.poetry]\nname = "orders"\nversion = "1"\ndescription = ""\nauthors = []\n'
NOT_A_PACKAGE = "[tool.poetry]\npackage-mode = false\n"
PYTHON = '[tool.poetry.dependencies]\npython = "^3.9"\n'
BUILD_SYSTEM = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'


def call(path: Path, handler: str, folder: Path) -> str:
    """Import a bundle's handler as Lambda does, in a fresh interpreter, and return what it answers."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    module, _, function = handler.rpartition(".")
    code = (
        f"import importlib, sys; sys.path.insert(0, {str(folder)!r}); "
        f"print(getattr(importlib.import_module({module.replace('/', '.')!r}), {function!r})('hello', None))"
    )
    done = subprocess.run([sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def laid_out(project: Project, pyproject: str, files: Mapping[str, str]) -> Project:
    project.write({"pyproject.toml": pyproject + PYTHON + BUILD_SYSTEM, **files})
    project.lock()
    return project


def own(project: Project) -> set[str]:
    (path,) = (project.folder / "dist").glob("*.zip")
    return {name for name in contents(path) if ".dist-info/" not in name}


LAYOUTS = [
    pytest.param(
        POETRY_1,
        {"lambda_function.py": LAMBDA_HANDLER},
        "lambda_function.lambda_handler",
        {"lambda_function.py"},
        id="loose-handler",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "app.py": f"import shared.db\n{HANDLER}",
            "shared/db.py": "",
            "shared/schema.sql": "x",
            "notes/x.py": "",
        },
        "app.handler",
        {"app.py", "shared/db.py", "shared/schema.sql"},
        id="namespace-folder-that-is-imported",
    ),
    pytest.param(
        POETRY_1,
        {
            "orders/__init__.py": "",
            "lambda_function.py": f"import orders\n{LAMBDA_HANDLER}",
            "tests/test_a.py": "",
        },
        "lambda_function.lambda_handler",
        {"orders/__init__.py", "lambda_function.py"},
        id="handler-beside-the-package",
    ),
    pytest.param(
        POETRY_1,
        {
            "orders/__init__.py": "",
            "entry.py": f"import helpers\n{HANDLER}",
            "helpers.py": "",
            "noxfile.py": "",
        },
        "entry.handler",
        {"orders/__init__.py", "entry.py", "helpers.py"},
        id="any-module-that-binds-a-handler-beside-the-package",
    ),
    pytest.param(
        POETRY_1 + '[[tool.poetry.packages]]\ninclude = "orders"\nfrom = "src"\n',
        {"src/orders/__init__.py": "", "src/handler.py": f"import orders\n{HANDLER}"},
        "handler.handler",
        {"orders/__init__.py", "handler.py"},
        id="handler-beside-the-package-in-src",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"src/app.py": f"import util.text\n{HANDLER}", "src/util/text.py": "", "setup.py": ""},
        "app.handler",
        {"app.py", "util/text.py"},
        id="src-is-the-root",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "Dockerfile": (
                "FROM public.ecr.aws/lambda/python:3.12\n"
                'COPY src/. ${LAMBDA_TASK_ROOT}\nCMD ["app.handler"]\n'
            ),
            "src/app.py": HANDLER,
            "deploy.py": "",
        },
        "app.handler",
        {"app.py"},
        id="dockerfile-copies-src",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "src/__init__.py": "",
            "src/app.py": f"from util import twice\n{HANDLER}",
            "src/util.py": "twice = 2\n",
        },
        "app.handler",
        {"__init__.py", "app.py", "util.py"},
        id="src-is-the-root-although-it-has-an-init",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "src/__init__.py": "",
            "src/app.py": f"from src.util import twice\n{HANDLER}",
            "src/util.py": "twice = 2\n",
        },
        "src.app.handler",
        {"src/__init__.py", "src/app.py", "src/util.py"},
        id="src-is-a-package",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "__init__.py": "",
            "api.py": f"from .db import X\n{HANDLER}",
            "db.py": "X = 1\n",
            "tests/test_a.py": "",
        },
        "project.api.handler",
        {"project/__init__.py", "project/api.py", "project/db.py"},
        id="pyproject-inside-the-package-relative",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "__init__.py": "",
            "api.py": f"from project.db.x import X\n{HANDLER}",
            "db/__init__.py": "",
            "db/x.py": "X = 1",
        },
        "project.api.handler",
        {"project/__init__.py", "project/api.py", "project/db/__init__.py", "project/db/x.py"},
        id="pyproject-inside-the-package-absolute",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "__init__.py": "",
            "api.py": f"from .db import X\n{HANDLER}",
            "db.py": "X = 1\n",
            "templates/a.html": "<p>",
            "schema.json": "{}",
            "README.md": "",
        },
        "project.api.handler",
        {
            "project/__init__.py",
            "project/api.py",
            "project/db.py",
            "project/templates/a.html",
            "project/schema.json",
        },
        id="pyproject-inside-the-package-with-data",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"src/app.py": HANDLER, "run_local.py": "import src.app\n"},
        "app.handler",
        {"app.py"},
        id="src-with-the-handler-beside-a-stray-module",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"src/app.py": f"import common\n{HANDLER}", "common.py": "", "stray.py": ""},
        "app.handler",
        {"app.py", "common.py"},
        id="src-that-imports-what-lies-above",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "app.py": "import aws_cdk\nfrom stacks.main import Stack\n",
            "stacks/__init__.py": "",
            "stacks/main.py": "import aws_cdk\n",
            "lambda/index.py": HANDLER,
        },
        "lambda/index.handler",
        {"lambda/index.py"},
        id="infrastructure-at-the-root",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "Dockerfile": "FROM lambda\nCOPY lib/ ./\nCOPY lambda_function.py ./\n",
            "lambda_function.py": LAMBDA_HANDLER,
            "lib/util.py": "",
        },
        "lambda_function.lambda_handler",
        {"lambda_function.py"},
        id="dockerfile-that-copies-modules-too",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "Dockerfile": 'FROM lambda\nCOPY app ${LAMBDA_TASK_ROOT}/app\nCMD [ "app.main.handler" ]\n',
            "app/main.py": HANDLER,
            "stray.py": "",
        },
        "app.main.handler",
        {"app/main.py", "stray.py"},
        id="dockerfile-that-names-the-handler",
    ),
    pytest.param(
        POETRY_1 + 'packages = [{include = "orders", to = "a/b/c/d/e/f/g/h/i/j/k/l"}]\n',
        {"orders/__init__.py": "", "handler.py": HANDLER},
        "handler.handler",
        {"a/b/c/d/e/f/g/h/i/j/k/l/orders/__init__.py", "handler.py"},
        id="packages-that-go-deep",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "fn/app.py": HANDLER,
            "fn/venv/pyvenv.cfg": "",
            "fn/venv/lib/x.py": "",
            "fn/node_modules/a.py": "",
            "fn/fn.egg-info/PKG-INFO": "",
            "fn/build/lib/app.py": "",
            "fn/dist/__init__.py": "",
        },
        "fn.app.handler",
        {"fn/app.py", "fn/dist/__init__.py"},
        id="what-was-installed-or-made-inside",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"app.py": f"import conf\n{HANDLER}", "conf/__init__.py": "", "conf.py": "raise ImportError\n"},
        "app.handler",
        {"app.py", "conf/__init__.py", "conf.py"},
        id="a-package-before-a-module",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"__init__.py": "", "api.py": f"import db\n{HANDLER}", "db.py": ""},
        "api.handler",
        {"__init__.py", "api.py", "db.py"},
        id="an-init-that-means-nothing",
    ),
    pytest.param(
        POETRY_1 + '[[tool.poetry.packages]]\ninclude = "shared"\nfrom = "../common"\n',
        {"../common/shared/__init__.py": "", "main.py": f"import shared\n{HANDLER}"},
        "main.handler",
        {"shared/__init__.py", "main.py"},
        id="packages-from-outside",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {"functions/orders/handler.py": HANDLER, "functions/users/handler.py": HANDLER, "docs/conf.py": ""},
        "functions/orders/handler.handler",
        {"functions/orders/handler.py", "functions/users/handler.py"},
        id="folders-of-modules-alone",
    ),
    pytest.param(
        POETRY_1,
        {
            "orders/__init__.py": "import common.log\n",
            "common/__init__.py": "",
            "common/log.py": "",
            "orders/a.py": HANDLER,
        },
        "orders.a.handler",
        {"orders/__init__.py", "orders/a.py", "common/__init__.py", "common/log.py"},
        id="package-that-imports-its-neighbour",
    ),
    pytest.param(
        NOT_A_PACKAGE,
        {
            "lambda_function.py": f"import tasks\n{LAMBDA_HANDLER}",
            "tasks.py": "",
            "fabfile.py": "",
            "conftest.py": "",
        },
        "lambda_function.lambda_handler",
        {"lambda_function.py", "tasks.py"},
        id="a-tool's-name-that-is-imported",
    ),
]


@pytest.mark.parametrize(("pyproject", "files", "handler", "expected"), LAYOUTS)
def test_layout(
    project: Project,
    tmp_path: Path,
    pyproject: str,
    files: Mapping[str, str],
    handler: str,
    expected: set[str],
) -> None:
    """The bare command bundles what Lambda needs and nothing else."""
    laid_out(project, pyproject, files)

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert own(project) == expected
    (path,) = (project.folder / "dist").glob("*.zip")
    assert call(path, handler, tmp_path / "task") == "hello"


def note(output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.startswith("Note: ") and "python3." not in line]
    return line


@pytest.mark.parametrize(
    ("pyproject", "files", "expected"),
    [
        pytest.param(
            NOT_A_PACKAGE,
            {
                "a.py": "",
                "lib/__init__.py": "",
                "lib/b.py": "",
                "more/c.py": "",
                "setup.py": "",
                "data/x.json": "",
            },
            "Note: The project has no package to build, so what is beside pyproject.toml is bundled: "
            "a.py, lib. "
            "Left behind: more. `modules` chooses, `include` adds.",
            id="loose",
        ),
        pytest.param(
            POETRY_1,
            {"orders/__init__.py": "", "handler.py": "import util\n", "util/x.py": "", "release.py": ""},
            "Note: Beside orders, also bundled since Lambda may call it or the code imports it: "
            "handler.py, util. "
            "Left behind: release.py. `modules` chooses, `include` adds.",
            id="beside",
        ),
    ],
)
def test_note_names_what_was_taken_and_left(
    project: Project, pyproject: str, files: Mapping[str, str], expected: str
) -> None:
    """One note tells of code that a build would not take, and of code that was left behind."""
    laid_out(project, pyproject, files)

    assert note(bundle().output) == expected


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"orders/__init__.py": "", "setup.py": "", "noxfile.py": "", "tests/test_a.py": ""}, id="tools"
        ),
        pytest.param({"src/orders/__init__.py": "", "docs/conf.py": "", "scripts/a.py": ""}, id="src"),
        pytest.param(
            {"orders/__init__.py": "import alembic, json\n", "alembic/env.py": "", "json/x.py": ""},
            id="names",
        ),
        pytest.param({"orders/__init__.py": "", "test_orders.py": "", "conftest.py": ""}, id="tests"),
    ],
)
def test_ordinary_package_has_no_note(project: Project, index: Index, files: Mapping[str, str]) -> None:
    """A project as any other is bundled without a word, and folders named like dependencies stay out."""
    wheel = make_wheel("alembic", files={"alembic/__init__.py": ""})
    index.add(wheel)
    project.pyproject("orders", dependencies=["alembic"], source=index.url)
    project.write(files)
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle("--runtime", "python3.13")

    assert "Note" not in outcome.output
    assert own(project) - {"alembic/__init__.py"} == {p.removeprefix("src/") for p in files if "orders/" in p}


def test_folder_beside_the_package_is_named(project: Project) -> None:
    """Functions in a folder beside the package are not left behind in silence."""
    laid_out(
        project, POETRY_1, {"src/orders/__init__.py": "", "lambdas/a/main.py": HANDLER, "scripts/x.py": ""}
    )

    assert note(bundle().output) == "Note: Left behind beside orders: lambdas. `include` adds what is needed."


def test_projects_beside_the_package_are_others(project: Project) -> None:
    """What has a pyproject.toml of its own, as a path dependency has, was not meant to come along."""
    laid_out(
        project,
        POETRY_1,
        {"src/orders/__init__.py": "", "libraries/money/pyproject.toml": "", "libraries/money/money.py": ""},
    )

    assert "Note: Left behind" not in bundle().output


def test_data_that_the_code_opens_is_named(project: Project) -> None:
    """Templates beside the package are not left behind in silence, and what the note says adds them."""
    opens = "TEMPLATES = open('templates/a.html')\nWORDS = event['data']\n"
    files = {"orders/__init__.py": "", "orders/app.py": opens, "templates/a.html": "", "data/x.csv": ""}
    laid_out(project, POETRY_1, files)

    assert note(bundle().output) == (
        "Note: Not bundled, though the code names it: templates/a.html. "
        '`include = ["templates/a.html"]` adds what is needed.'
    )
    assert "Note: Not" not in bundle("--include", "templates/a.html").output
    assert "templates/a.html" in own(project)


def test_project_without_code_names_what_lies_there(project: Project) -> None:
    """Where nothing is taken, the note names the folders that hold code."""
    laid_out(project, NOT_A_PACKAGE, {"scripts/run.py": HANDLER})
    project.write({"data.json": ""})

    output = bundle("--include", "data.json").output

    assert note(output) == "Note: Left behind beside pyproject.toml: scripts. `include` adds what is needed."


def test_folder_above_is_not_looked_through(project: Project) -> None:
    """A package from above brings neither handlers nor modules that lie beside it there."""
    tool = POETRY_1 + 'packages = [{include = "shared", from = ".."}, {include = "orders"}]\n'
    files = {
        "orders/__init__.py": "import conf\n",
        "../shared/__init__.py": "",
        "../main.py": HANDLER,
        "../conf.py": "",
    }
    laid_out(project, tool, files)

    assert bundle().exit_code == 0
    assert own(project) == {"orders/__init__.py", "shared/__init__.py"}


def test_what_cannot_be_read_beside_is_no_concern(project: Project) -> None:
    """Broken links that nobody imports, pipes and folders of other users beside the project stop nothing."""
    laid_out(project, POETRY_1, {"orders/__init__.py": "import data, pipe\n"})
    os.mkfifo(project.folder / "pipe")
    (project.folder / "gone").symlink_to("nowhere")
    (project.folder / "gone.py").symlink_to("nowhere.py")
    (project.folder / "loop").symlink_to("loop")

    assert bundle("--strict", "--no-audit").exit_code == 0
    assert own(project) == {"orders/__init__.py"}


def test_folder_name_means_nothing_where_a_module_has_it(project: Project) -> None:
    """A stray `__init__.py` makes no package of a folder that is called like one of its modules."""
    files = {"__init__.py": "", "project.py": HANDLER, "handler.py": "from project import handler\n"}
    laid_out(project, NOT_A_PACKAGE, files)

    assert bundle().exit_code == 0
    assert own(project) == set(files)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("type X = int\nimport chunk, conf\n", id="newer-syntax"),
        pytest.param("import os, \\\n    chunk\ntry: import conf\nexcept ImportError: pass\n", id="lines"),
        pytest.param("from chunk import (\n    a,\n)\nif True: from conf.b import c; import os\n", id="from"),
        pytest.param(
            "if a:\n    pass\n" + "elif a:\n    pass\n" * 3000 + "import chunk, conf as c\n", id="deep"
        ),
    ],
)
def test_imports_are_found_whatever_python_looks(project: Project, source: str) -> None:
    """What is taken depends neither on the Python that runs Poetry nor on the form of the source."""
    laid_out(project, POETRY_1, {"orders/__init__.py": source, "chunk.py": "", "conf/b.py": ""})

    assert bundle().exit_code == 0
    assert own(project) == {"orders/__init__.py", "chunk.py", "conf/b.py"}


def test_module_that_deploys_is_no_handler(project: Project) -> None:
    """`app.py` beside a package is left where it defines the infrastructure."""
    laid_out(project, POETRY_1, {"orders/__init__.py": "", "app.py": "import aws_cdk\napp = aws_cdk.App()\n"})

    assert "Left behind beside orders: app.py." in bundle().output
    assert own(project) == {"orders/__init__.py"}


def test_package_that_pyproject_names_in_vain(project: Project) -> None:
    """Where `packages` names what is not there, what is there is taken, and a warning says so."""
    laid_out(
        project,
        POETRY_1 + 'packages = [{include = "orders"}]\n',
        {"lambda_function.py": LAMBDA_HANDLER},
    )

    outcome = bundle()

    assert outcome.exit_code == 0
    assert outcome.message == (
        "Warning: packages in pyproject.toml names 'orders', which is not there: "
        "the modules that are there are bundled instead. Correct `packages`, or remove it."
    )
    assert own(project) == {"lambda_function.py"}


def test_handler_beside_a_package_of_another_backend(project: Project, tmp_path: Path) -> None:
    """A handler beside the package that a build makes a wheel of is taken too."""
    wheel = make_wheel("orders", "1", {"orders/__init__.py": "", "orders/extra.py": ""})
    pyproject = (
        '[project]\nname = "orders"\nversion = "1"\nrequires-python = ">=3.9"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    project.write(
        {
            "pyproject.toml": pyproject,
            "backend.py": (
                "import base64\n\n\n"
                "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
                f"    with open(f'{{folder}}/{wheel.filename}', 'wb') as file:\n"
                f"        file.write(base64.b64decode({base64.b64encode(wheel.data)!r}))\n"
                f"    return {wheel.filename!r}\n"
            ),
            "orders/__init__.py": "",
            "orders/secret.py": "",
            "handler.py": f"import orders, helper\n{HANDLER}",
            "helper.py": "",
        }
    )
    project.lock()

    assert bundle().exit_code == 0
    assert own(project) == {"orders/__init__.py", "orders/extra.py", "handler.py", "helper.py"}

    project.write({"pyproject.toml": pyproject + '[tool.poetry-lambda-plugin]\nmodules = ["handler"]\n'})
    assert bundle().exit_code == 0
    assert own(project) == {"handler.py"}
