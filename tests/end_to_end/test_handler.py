"""The handler that the user names: Lambda will find it, or nothing is written."""

from __future__ import annotations

import json

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


ZIP = "dist/my-fn.zip"
HANDLER = "def handler(event, context):\n    return event\n"


def with_handler(project: Project, handler: str, files: Mapping[str, str], config: str = "") -> None:
    """Write a project without a package; the configuration names its handler."""
    lines = f'runtime = "python3.11"\nhandler = {json.dumps(handler)}\n{config}'
    project.pyproject(config=lines, tool="[tool.poetry]\npackage-mode = false")
    project.write(files)
    project.lock()


@pytest.mark.parametrize(
    ("handler", "files"),
    [
        pytest.param("app.handler", {"app.py": HANDLER}, id="module"),
        pytest.param("a/b/c.handler", {"a/b/c.py": HANDLER}, id="slashes"),
        pytest.param(
            "p.app.run",
            {"p/__init__.py": "", "p/app.py": "from .b import *\n", "p/b.py": "__all__ = ['run']\nrun = 1\n"},
            id="relative-star",
        ),
        pytest.param("app.run", {"app.py": "type X = int\nrun = 1\n"}, id="newer-syntax"),
    ],
)
def test_finds(project: Project, handler: str, files: Mapping[str, str]) -> None:
    """What Lambda would find is no reason to complain, however it is bound."""
    with_handler(project, handler, files, "strict = true")
    text = (project.folder / "pyproject.toml").read_text()
    if "type X" in str(files):
        project.write({"pyproject.toml": text.replace("python3.11", "python3.14")})

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")


MODULE_MISSING = "The handler {!r} needs the module {}, which is not in the bundle. "
WRITE = "Write `include = {}` in [tool.poetry-lambda-plugin]."


@pytest.mark.parametrize(
    ("handler", "files", "places", "config"),
    [
        pytest.param(
            "app.handler",
            {"x.py": "", "a/app.py": HANDLER, "b/app.py": HANDLER},
            ["a:.", "b:."],
            "",
            id="two-folders",
        ),
        pytest.param(
            "secret.handler",
            {".gitignore": "/secret.py\n", "x.py": "", "secret.py": HANDLER},
            ["secret.py"],
            "",
            id="ignored",
        ),
        pytest.param(
            "common.api.handler",
            {"x.py": "", "../common/api.py": HANDLER},
            ["../common:common"],
            "",
            id="beside",
        ),
        pytest.param("api.handler", {"x.py": "", "../api.py": HANDLER}, ["../api.py:api.py"], "", id="above"),
        pytest.param(
            "api.handler",
            {"x.py": "", "data/a.json": "", "lib/api.py": HANDLER},
            ["lib:."],
            'include = ["data", {path = "data/a.json", to = "b.json"}]',
            id="added-to-what-is-included",
        ),
    ],
)
def test_module_elsewhere(
    project: Project, handler: str, files: Mapping[str, str], places: list[str], config: str
) -> None:
    """The message has the line that puts the module where Lambda looks, and each line works as it stands."""
    with_handler(project, handler, files, config)
    if ".gitignore" in files:
        (project.folder / ".git").mkdir()
        from tests.support.sources import git

        git(project.folder, "init", "-q")
    outcome = bundle()

    present = ["data", "data/a.json:b.json"] if config else []
    lines = [json.dumps([*present, place]) for place in places]
    module = handler.rpartition(".")[0]
    expected = MODULE_MISSING.format(handler, module) + WRITE.format(
        " or `include = ".join(f"{x}`" for x in lines)[:-1]
    )
    assert (outcome.exit_code, outcome.message) == (1, expected)
    assert not (project.folder / "dist").exists()
    for line in lines:
        text = (project.folder / "pyproject.toml").read_text().replace(config or "\0", "")
        table = "[tool.poetry-lambda-plugin]\n"
        project.write({"pyproject.toml": text.replace(table, f"{table}include = {line}\n")})
        assert bundle().exit_code == 0
        assert f"{module.replace('.', '/')}.py" in contents(project.folder / ZIP)
        project.write({"pyproject.toml": text})


@pytest.mark.parametrize(
    ("handler", "files", "message"),
    [
        pytest.param(
            "orders.api.handler",
            {"app/__init__.py": "", "app/api.py": HANDLER},
            MODULE_MISSING.format("orders.api.handler", "orders.api")
            + "No file of the project is it. Did you mean 'app.api.handler'? "
            "If a layer has it, name the layer in exclude-layers.",
            id="other-folder",
        ),
        pytest.param(
            "app.handlr",
            {"app.py": HANDLER},
            "The handler 'app.handlr' names 'handlr', but app.py binds no such name at its top level. "
            "Did you mean 'app.handler'?",
            id="misspelt-function",
        ),
        pytest.param(
            "app.api.handler",
            {"app.py": "", "app/api.py": HANDLER, "x.py": "import app\n"},
            MODULE_MISSING.format("app.api.handler", "app.api")
            + "Python takes app.py before the folder app/, which has no __init__.py: rename one of the two.",
            id="hidden-folder",
        ),
        pytest.param(
            "app.handler",
            {"app.py": "def handler(:\n"},
            "The handler 'app.handler' can't be imported: app.py has a syntax error.",
            id="syntax",
        ),
    ],
)
def test_refuses(project: Project, handler: str, files: Mapping[str, str], message: str) -> None:
    """What Lambda would not find is not written, and the nearest right name is told."""
    with_handler(project, handler, files)
    if handler == "app.handler":
        text = (project.folder / "pyproject.toml").read_text()
        project.write({"pyproject.toml": text.replace("python3.11", "python3.10")})

    outcome = bundle()

    assert (outcome.exit_code, outcome.message.partition("Warning: ")[0]) == (1, message)
    assert not (project.folder / "dist").exists()


def test_warns_where_it_cannot_be_known(project: Project) -> None:
    """Names that no statement shows are a warning, which --strict makes an error."""
    with_handler(project, "app.run", {"app.py": "def __getattr__(name): ...\n"})

    outcome = bundle()

    warning = "Whether app.py binds 'run', which the handler 'app.run' names, can't be told."
    assert (outcome.exit_code, outcome.message) == (0, f"Warning: {warning}")
    assert bundle("--strict").message == f"{warning} (--strict makes this an error.)"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param(
            "handler", "it must be MODULE.FUNCTION, as in 'my_package.my_module.handler'", id="no-dot"
        ),
        pytest.param(
            "app.", "it must be MODULE.FUNCTION, as in 'my_package.my_module.handler'", id="no-function"
        ),
        pytest.param("app.my handler", "Lambda takes at most 128 characters, and no space", id="space"),
        pytest.param("a" * 128 + ".b", "Lambda takes at most 128 characters, and no space", id="long"),
        pytest.param(
            "./app.handler",
            "write the path from the root of the ZIP with dots or slashes, as in 'app.handler'",
            id="dot-slash",
        ),
        pytest.param(
            "src\\app.handler",
            "write the path from the root of the ZIP with dots or slashes, as in 'src/app.handler'",
            id="backslash",
        ),
        pytest.param("app:run", "a dot stands before the function, as in 'app.run'", id="colon"),
        pytest.param("src.app/handler", "'app/handler' is no name of a function", id="slash-last"),
        pytest.param(
            "sys.exit", "Lambda refuses a module with the name of one that is built into Python", id="sys"
        ),
    ],
)
def test_malformed(project: Project, handler: str, reason: str) -> None:
    """What Lambda could not even read is refused before anything else."""
    with_handler(project, handler, {"app.py": HANDLER})

    outcome = bundle()

    assert outcome.message == f"tool.poetry-lambda-plugin.handler is {handler!r}: {reason}."


def test_handler_of_a_dependency(project: Project, index: Index) -> None:
    """A dependency's handler is as good, also where it is a compiled module."""
    pure = make_wheel("wrapper", files={"wrapper/wrap.py": HANDLER})
    compiled = make_wheel(
        "fast",
        files={"fast.cpython-313-x86_64-linux-gnu.so": b"\x7fELF"},
        tag="cp313-cp313-manylinux_2_17_x86_64",
    )
    index.add(pure, compiled)
    for handler in ("wrapper.wrap.handler", "fast.handler"):
        project.pyproject(
            dependencies=["wrapper", "fast"],
            source=index.url,
            config=f'runtime = "python3.13"\nhandler = "{handler}"',
        )
        project.write({"my_fn.py": ""})
        project.lock([Locked.of(compiled), Locked.of(pure)], source=index.url)

        assert bundle("--strict").exit_code == 0


def test_handler_in_a_layer(project: Project, index: Index) -> None:
    """A handler in a layer that the function will have is found there; a layer has none itself."""
    wheel = make_wheel("wrapper", files={"wrapper/wrap.py": HANDLER})
    index.add(wheel)
    config = (
        'runtime = "python3.13"\nhandler = "wrapper.wrap.handler"\n'
        "[tool.poetry-lambda-plugin.bundles.deps]\nlayer = true\nno-root = true\n"
        '[tool.poetry-lambda-plugin.bundles.api]\nexclude-layers = ["dist/deps.zip"]\n'
    )
    project.pyproject(dependencies=["wrapper"], source=index.url, config=config)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    assert bundle("deps", "--strict").exit_code == 0
    assert bundle("api", "--strict").exit_code == 0

    config = config.replace("wrapper.wrap.handler", "wrapper.warp.handler")
    project.pyproject(dependencies=["wrapper"], source=index.url, config=config)
    project.lock([Locked.of(wheel)], source=index.url)
    assert bundle("api").message.startswith(
        "The handler 'wrapper.warp.handler' needs the module wrapper.warp, "
        "which is not in the bundle or its layers."
    )


def test_dependencies_alone_lack_the_handler(locked_project: Project) -> None:
    """--no-root leaves the handler out as it is told to; a note says so."""
    text = (locked_project.folder / "pyproject.toml").read_text()
    table = '[tool.poetry-lambda-plugin]\nruntime = "python3.13"\nhandler = "my_fn.handler"\n'
    locked_project.write({"pyproject.toml": text + table})

    outcome = bundle("--no-root", "--strict")

    assert outcome.exit_code == 0
    assert (
        "Note: The handler 'my_fn.handler' is not in this bundle, since no-root leaves out the project."
        in outcome.output
    )


def test_names_the_table_of_a_bundle(project: Project) -> None:
    """The line goes to the bundle's own table."""
    with_handler(
        project,
        "x.handler",
        {"x.py": HANDLER, "lib/api.py": HANDLER},
        '[tool.poetry-lambda-plugin.bundles.api]\nhandler = "api.handler"',
    )

    assert bundle().message == MODULE_MISSING.format("api.handler", "api") + (
        'Write `include = ["lib:."]` in [tool.poetry-lambda-plugin.bundles.api].'
    )


def test_modules_that_leave_the_handler_out(project: Project) -> None:
    """A choice of modules without the handler is refused, and what is missing is named."""
    with_handler(project, "app.handler", {"app.py": HANDLER, "lib.py": ""}, 'modules = ["lib"]')

    assert bundle().message == MODULE_MISSING.format("app.handler", "app") + (
        "`modules` leaves it out: add 'app' to it in [tool.poetry-lambda-plugin]."
    )


def test_exclude_that_leaves_the_handler_out(project: Project, tmp_path: Path) -> None:
    """A pattern that hits the handler is named with what would spare it."""
    with_handler(project, "app.handler", {"app.py": HANDLER, "lib.py": ""}, 'exclude = ["app.py"]')

    assert bundle().message == MODULE_MISSING.format("app.handler", "app") + (
        "exclude leaves out app.py: change the pattern, or add '!app.py' after it."
    )
