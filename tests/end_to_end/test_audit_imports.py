"""What a function could not import on Lambda: found before the bundle is written, and nothing else is."""

from __future__ import annotations

import json
import sys

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.audit import import_tree
from tests.support.projects import Locked
from tests.support.runner import Outcome
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from tests.support.index import Index
    from tests.support.projects import Project


ZIP = "dist/my-fn.zip"
HANDLER = "\n\ndef handler(event, context): ...\n"

WHEELS: Mapping[str, Mapping[str, str]] = {
    "greeting": {
        "greeting/__init__.py": "WORD = 1\n",
        "greeting/data.py": "try:\n    import fast\nexcept ImportError:\n    fast = None\n",
    },
    "needy": {"needy.py": "\nimport helper_lib\n"},
    "helper-lib": {"helper_lib.py": "NEW = 1\n"},
    "uuid": {"uuid.py": "print 'old'\n"},
    "sampler": {"sampler.py": "import random, statistics\n"},
    "mailer": {"mailer.py": "from email.message import Message\nfrom email import utils, policy\n"},
    "sampler-too": {"sampler_too.py": "from secrets import token_hex, choice\n"},
    "old-user": {"old_user.py": "import cgi\n"},
}


understands_3_12 = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="an older Python can't tell what python3.12 does not understand"
)


@pytest.fixture
def make(project: Project, index: Index) -> Any:
    """Return what writes a project with a handler in app.py, its packages locked."""
    wheels = {name: make_wheel(name, files=dict(files)) for name, files in WHEELS.items()}
    for wheel in wheels.values():
        index.add(wheel)

    def make(
        files: Mapping[str, str],
        packages: Sequence[str] = (),
        *,
        locked: Mapping[str, Mapping[str, Any]] | None = None,
        handler: str | None = "app.handler",
        config: str = "",
        runtime: str = "python3.12",
        extras: Mapping[str, Sequence[str]] | None = None,
        project_table: str = "",
    ) -> Project:
        lines = f'runtime = "{runtime}"\n' + (f'handler = "{handler}"\n' if handler else "")
        groups = (
            "[tool.poetry]\npackage-mode = false\n[tool.poetry.group.dev.dependencies]\nhelper-lib = '*'\n"
        )
        project.pyproject(
            dependencies=packages, tool=groups, source=index.url, config=lines + config, project=project_table
        )
        own = {path: text + HANDLER if path == "app.py" else text for path, text in files.items()}
        project.write(own)
        fields = locked or {}
        chosen = [Locked.of(wheels[name], **fields.get(name, {})) for name in {*packages, *fields}]
        project.lock(chosen, source=index.url, extras=extras)
        return project

    return make


def found(outcome: Outcome) -> list[tuple[str, str | None, str]]:
    """Return code, place and severity of each finding of the only bundle."""
    return [(f["code"], f["where"], f["severity"]) for f in outcome.report["findings"]]


GROUP = (
    "helper-lib is locked for the group dev only: move it to the main dependencies with `poetry add`, or "
    "bundle with --with dev."
)


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        pytest.param(
            {"app.py": "import helper_lib"},
            {"locked": {"helper-lib": {"groups": ["dev"]}}},
            f"app.py:1 imports helper_lib, which is not in the bundle. {GROUP}",
            id="group",
        ),
        pytest.param(
            {
                "app.py": "import shop.api",
                "shop/__init__.py": "",
                "shop/api.py": "from . import db",
                "shop/db.py": "import needy",
            },
            {"packages": ["needy"], "locked": {"helper-lib": {"groups": ["dev"]}}},
            "needy.py:2 imports helper_lib, which is not in the bundle (the handler imports it by way of "
            "app.py:1, "
            f"shop/api.py:1, shop/db.py:1). {GROUP}",
            id="chain",
        ),
        pytest.param(
            {"app.py": "import helper_lib"},
            {
                "locked": {"helper-lib": {"optional": True, "markers": "extra == 'fast'"}},
                "extras": {"fast": ["helper-lib"]},
                "project_table": "[project.optional-dependencies]\nfast = ['helper-lib']",
            },
            "app.py:1 imports helper_lib, which is not in the bundle. The project's extra 'fast' has "
            "helper-lib: "
            "bundle with --extras fast.",
            id="extra",
        ),
        pytest.param(
            {"app.py": "import needy"},
            {
                "packages": ["needy"],
                "locked": {"needy": {"extras": {"all": ["a", "helper-lib"], "help": ["helper-lib (>=1)"]}}},
            },
            "needy.py:2 imports helper_lib, which is not in the bundle (the handler imports it by way of "
            "app.py:1). "
            "needy has it in its extra 'help': `poetry add 'needy[help]'` locks helper-lib.",
            id="extra-of-a-dependency",
        ),
        pytest.param(
            {"app.py": "import helper_lib"},
            {"packages": ["helper-lib"], "locked": {"helper-lib": {"markers": "sys_platform == 'win32'"}}},
            "app.py:1 imports helper_lib, which is not in the bundle. helper-lib is locked, but its "
            "markers rule it "
            "out on python3.12 on x86_64.",
            id="marker",
        ),
        pytest.param(
            {"app.py": "import greeting"},
            {"packages": ["greeting"], "config": 'exclude-packages = ["greeting"]'},
            "app.py:1 imports greeting, which is not in the bundle. exclude-packages leaves out greeting. "
            "Bundle it, "
            'or write `ignore = ["import-missing:greeting"]` where a layer that only AWS knows has it.',
            id="excluded",
        ),
        pytest.param(
            {"app.py": "import greeting.data"},
            {"packages": ["greeting"], "config": 'exclude = ["data.py"]'},
            "app.py:1 imports greeting.data, which is not in the bundle. exclude leaves out "
            "greeting/data.py: change "
            "the pattern, or add '!greeting/data.py' after it.",
            id="pattern",
        ),
        pytest.param(
            {"app.py": "import shop.db", "shop/__init__.py": "", "shop/db.py": ""},
            {"config": 'exclude = ["/shop/db.py"]'},
            "app.py:1 imports shop.db, which is not in the bundle. exclude leaves out shop/db.py: change the "
            "pattern, or add '!/shop/db.py' after it.".replace("!/", "!"),
            id="own-pattern",
        ),
        pytest.param(
            {"app.py": "import tools_here", "extra/code/tools_here.py": ""},
            {},
            'app.py:1 imports tools_here, which is not in the bundle. Write `include = ["extra/code:."]` in '
            "[tool.poetry-lambda-plugin].",
            id="folder",
        ),
        pytest.param(
            {"app.py": "import shop.dv", "shop/__init__.py": "", "shop/db.py": ""},
            {},
            "app.py:1 imports shop.dv, which is not in the bundle. Did you mean shop.db?",
            id="slip",
        ),
        pytest.param(
            {"app.py": "import Greetings"},
            {"packages": ["greeting"]},
            "app.py:1 imports Greetings, which is not in the bundle. No locked package has it. Did you mean "
            "greeting? If not, `poetry add greetings`, if that is its name.",
            id="slip-in-a-dependency's-name",
        ),
        pytest.param(
            {"app.py": "import greeting.date"},
            {"packages": ["greeting"]},
            "app.py:1 imports greeting.date, which is not in the bundle. The locked greeting has no such "
            "module. Did you mean greeting.data?",
            id="slip-in-a-dependency",
        ),
        pytest.param(
            {"app.py": "import yaml"},
            {},
            "app.py:1 imports yaml, which is not in the bundle. No locked package has it: `poetry add "
            "pyyaml`, if "
            "that is its name.",
            id="nowhere",
        ),
        pytest.param(
            {"app.py": "import needy"},
            {"packages": ["needy"]},
            "needy.py:2 imports helper_lib, which is not in the bundle (the handler imports it by way of "
            "app.py:1). "
            "No locked package has it: needy does not say that it needs it. `poetry add helper-lib`, if "
            "that is its "
            "name.",
            id="nowhere-for-a-dependency",
        ),
        pytest.param(
            {"app.py": "import old_user"},
            {"packages": ["old-user"], "runtime": "python3.13"},
            "old_user.py:1 imports cgi, which is not in the bundle (the handler imports it by way of "
            "app.py:1). "
            "Python 3.12 was the last to have it: update old-user, or bundle for python3.12.",
            id="former-standard-module",
        ),
        pytest.param(
            {"app.py": "import mailer", "email.py": ""},
            {"packages": ["mailer"]},
            "mailer.py:1 imports email.message, which is not in the bundle (the handler imports it by way of "
            "app.py:1). email.py hides Python's own email: rename it.",
            id="hidden-standard-module",
        ),
        pytest.param(
            {"app.py": "import sampler_too", "secrets.py": "KEY = 1"},
            {"packages": ["sampler-too"]},
            "sampler_too.py:1 imports 'token_hex' from secrets, which neither binds it nor has such a "
            "submodule (the handler imports it by way of app.py:1). secrets.py hides Python's own secrets: "
            "rename it.",
            id="hidden-standard-name",
        ),
        pytest.param(
            {"app.py": "from secrets import KAY", "secrets.py": "KEY = 1"},
            {},
            "app.py:1 imports 'KAY' from secrets, which neither binds it nor has such a submodule. Correct "
            "the name.",
            id="name-in-a-module-that-hides-another",
        ),
        pytest.param(
            {"app.py": "import compression.zstd"},
            {},
            "app.py:1 imports compression, which is not in the bundle. Python 3.14 is the first to have it: "
            "bundle for python3.14, or do without it.",
            id="later-standard-module",
        ),
        pytest.param(
            {"app.py": "import a", "a.py": "x = 1\nreturn x"},
            {},
            "a.py:2 is no source that python3.12 understands ('return' outside function) (the handler "
            "imports it by way of app.py:1).",
            id="syntax-that-only-compiling-finds",
            marks=understands_3_12,
        ),
        pytest.param(
            {"app.py": "", "types.py": "def handler(event, context): ..."},
            {"handler": "types.handler"},
            "The handler 'types.handler' can't be imported: Lambda's Python has loaded its own types before "
            "it looks into the bundle. Rename types.py.",
            id="handler-that-is-never-imported",
        ),
        pytest.param(
            {"app.py": "from .db import x", "db.py": "x = 1"},
            {},
            "app.py:1 imports .db, but is in no package that has so many above it. Write db without the "
            "dots, or put both into a package and name it in the handler.",
            id="relative",
        ),
        pytest.param(
            {"app.py": "from db import y", "db.py": "x = 1"},
            {},
            "app.py:1 imports 'y' from db, which neither binds it nor has such a submodule. Correct the "
            "name.",
            id="name",
        ),
        pytest.param(
            {"app.py": "from helper_lib import OLD"},
            {"packages": ["helper-lib"]},
            "app.py:1 imports 'OLD' from helper_lib, which neither binds it nor has such a submodule. "
            "Look into what "
            "the locked helper-lib has.",
            id="name-in-a-dependency",
        ),
        pytest.param(
            {"app.py": "import a", "a.py": "from b import x\ny = 1", "b.py": "from a import y\nx = 1"},
            {},
            "b.py:1 imports 'y' from a, which is still being imported then, and has not bound it yet (the "
            "handler "
            "imports it by way of app.py:1, a.py:1): a circle. Import it in the function that uses it, or "
            "move what "
            "both need into a module of its own.",
            id="circle",
        ),
        pytest.param(
            {"app.py": "import a", "a.py": "x = = 1"},
            {},
            "a.py:1 is no source that python3.12 understands (invalid syntax) (the handler imports it by "
            "way of "
            "app.py:1).",
            id="syntax",
            marks=understands_3_12,
        ),
        pytest.param(
            {"app.py": "import uuid"},
            {"packages": ["uuid"]},
            "uuid.py:1 is no source that python3.12 understands (Missing parentheses in call to 'print'. "
            "Did you mean "
            "print(...)?) (the handler imports it by way of app.py:1).",
            id="shadow-that-fails",
            marks=understands_3_12,
        ),
        pytest.param(
            {"app.py": "raise RuntimeError('not here')"},
            {},
            "app.py:1 raises RuntimeError when it is imported.",
            id="raised",
        ),
    ],
)
def test_refuses(
    make: Any, project: Project, files: Mapping[str, str], arguments: Mapping[str, Any], message: str
) -> None:
    """What the handler's import needs and would not find is an error, and nothing is written."""
    make(files, **arguments)

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (1, message)
    assert not (project.folder / ZIP).exists()


@pytest.mark.parametrize(
    ("files", "packages", "config"),
    [
        pytest.param(
            {"app.py": "import greeting.data\nfrom greeting import data, WORD"},
            ["greeting"],
            "",
            id="optional",
        ),
        pytest.param({"app.py": "import boto3, urllib3, json"}, [], "", id="runtime"),
        pytest.param({"app.py": "def f():\n    import helper_lib"}, [], "", id="function"),
        pytest.param(
            {"app.py": "", "broken.py": "x = = 1", "dev.py": "import helper_lib"}, [], "", id="not-reached"
        ),
        pytest.param(
            {"app.py": "import helper_lib"}, [], 'ignore = ["import-missing:helper_lib"]', id="by-module"
        ),
        pytest.param(
            {"app.py": "import helper_lib.x"}, [], 'ignore = ["import-missing:helper_lib"]', id="below"
        ),
        pytest.param({"app.py": "import helper_lib"}, [], 'ignore = ["import-missing:app.py"]', id="by-path"),
        pytest.param(
            {"app.py": "import helper_lib"}, [], 'ignore = ["import-missing:app.py:1"]', id="by-line"
        ),
        pytest.param({"app.py": "import helper_lib"}, [], "audit = false", id="no-audit"),
        pytest.param(
            {"app.py": "import a", "a.py": "import b\ny = 1", "b.py": "import a\n"}, [], "", id="circle"
        ),
        pytest.param({"app.py": "import shop.calendar", "shop/calendar.py": ""}, [], "", id="no-shadow"),
        pytest.param({"app.py": "import profile", "profile.py": ""}, [], "", id="shadows-what-nobody-uses"),
        pytest.param(
            {"app.py": "import uuid"}, ["uuid"], 'exclude-packages = ["uuid"]', id="excluded-backport"
        ),
    ],
)
def test_lets_pass(make: Any, files: Mapping[str, str], packages: Sequence[str], config: str) -> None:
    """What looks alike, and runs, or is known to the user, is no warning either."""
    make(files, packages, config=config)

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.error) == (0, "")


@pytest.mark.parametrize(
    ("files", "packages", "message"),
    [
        pytest.param(
            {"app.py": "", "calendar.py": ""},
            [],
            "Warning: calendar.py hides Python's own calendar, since Lambda looks in the bundle first: "
            "whoever imports "
            "calendar, Python's other modules too, gets this one. Rename it.",
            id="own",
        ),
        pytest.param(
            {"app.py": "import sampler", "statistics/__init__.py": ""},
            ["sampler"],
            "Warning: statistics/__init__.py hides Python's own statistics, since Lambda looks in the "
            "bundle first: "
            "whoever imports statistics, Python's other modules too, gets this one. Rename it.",
            id="used",
        ),
        pytest.param(
            {"app.py": "", "logging.py": ""},
            [],
            "Warning: logging.py is never imported: `import logging` gives Python's own, which is loaded "
            "before it. "
            "Rename it.",
            id="never",
        ),
        pytest.param(
            {"app.py": "", "runtime_client.py": ""},
            [],
            "Warning: runtime_client.py is never imported: Lambda's runtime client has imported its own "
            "runtime_client "
            "before. Rename it.",
            id="client",
        ),
        pytest.param(
            {"app.py": ""},
            ["uuid"],
            "Warning: uuid.py of uuid hides Python's own uuid, since Lambda looks in the bundle first: "
            "whoever imports "
            'uuid, Python\'s other modules too, gets this one. Write `exclude-packages = ["uuid"]` unless '
            "it is meant.",
            id="dependency",
        ),
    ],
)
def test_warns_of_shadows(make: Any, files: Mapping[str, str], packages: Sequence[str], message: str) -> None:
    """A module that is taken for another is written, and told."""
    make(files, packages)

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (0, message)


@understands_3_12
def test_without_a_handler_warns_for_the_own_modules(make: Any) -> None:
    """Nobody knows what Lambda will call: all modules but those aside are tried, each failure told once."""
    files = {
        "one.py": "import helper_lib",
        "two.py": "import helper_lib, one",
        "conftest.py": "import pytest",
        "bad.py": "x = = 1",
        "cookie.py": "import {{ name }}",
        "a.py": "from b import x\ny = 1",
        "b.py": "from a import y\nx = 1",
        "fine.py": "import one_way",
        "one_way.py": "import other_way\ny = 1",
        "other_way.py": "from one_way import y",
        "stack.py": "import aws_cdk",
    }
    make(files, locked={"helper-lib": {"groups": ["dev"]}}, handler=None)

    outcome = bundle("--format", "json")

    assert outcome.exit_code == 0
    assert found(outcome) == [
        ("import-circular", "b.py:1", "warning"),
        ("syntax-error", "bad.py:1", "warning"),
        ("import-missing", "one.py:1", "warning"),
    ]
    assert bundle("--strict").exit_code == 1


def test_without_a_handler_other_bundles_code_is_theirs(make: Any) -> None:
    """A named bundle that leaves a group to another one is not told of the code that needs it."""
    config = (
        '[tool.poetry-lambda-plugin.bundles.api]\n[tool.poetry-lambda-plugin.bundles.all]\nwith = ["dev"]\n'
    )
    make(
        {"one.py": "import helper_lib"},
        locked={"helper-lib": {"groups": ["dev"]}},
        handler=None,
        config=config,
    )

    assert bundle("--strict", "api").exit_code == 0


def test_tells_all_in_one_document(make: Any, project: Project) -> None:
    """All that fails is told at once, with codes, by a report of the bundle that was not written."""
    make({"app.py": "import gone, a", "a.py": "import yaml\nfrom b import no", "b.py": ""})

    outcome = bundle("--format", "json")

    assert outcome.exit_code == 1
    assert (outcome.report["status"], outcome.report["audit"]) == ("failed", True)
    assert found(outcome) == [
        ("import-missing", "app.py:1", "error"),
        ("import-missing", "a.py:1", "error"),
        ("import-failing", "a.py:2", "error"),
    ]
    assert [f["about"] for f in outcome.report["findings"]] == ["gone", "yaml", "b.no"]
    assert json.loads(outcome.output)["error"].count("\n") == 2
    assert not (project.folder / ZIP).exists()
    assert bundle("--dry-run").exit_code == 1


def test_can_be_turned_off(make: Any) -> None:
    """Without the audit nothing is looked into, secrets and the handler included, and the report says so."""
    make({"app.py": "import gone"}, handler="other.handler")

    outcome = bundle("--no-audit", "--strict", "--format", "json")

    assert (outcome.exit_code, found(outcome), outcome.report["audit"]) == (0, [], False)


def test_knows_layers_and_what_lies_elsewhere(make: Any, project: Project) -> None:
    """A layer's modules are there; a bundle of the project alone, or a layer, has the rest elsewhere."""
    make({"app.py": "import greeting, needy"}, ["greeting", "needy", "helper-lib"])
    assert bundle("--layer", "--strict", "-o", "layer.zip").exit_code == 0
    text = (project.folder / "pyproject.toml").read_text()
    layered = text.replace("handler =", 'exclude-layers = ["layer.zip"]\nhandler =')

    project.write({"pyproject.toml": layered})
    assert bundle("--strict").exit_code == 0

    project.write({"pyproject.toml": text})
    assert bundle("--strict", "--only-root").exit_code == 0
    assert bundle("--strict", "--no-root").exit_code == 0


def test_remembers_what_wheels_import(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run reads no module of a wheel again, and finds the same."""
    make({"app.py": "import needy, greeting"}, ["greeting", "needy"])
    first, read = bundle(), []
    real = import_tree.tree_of

    def tree_of(source: bytes, *conditions: Any, whole: bool) -> Any:
        read.append(source)
        return real(source, *conditions, whole=whole)

    monkeypatch.setattr("poetry_lambda_plugin.audit.trees.tree_of", tree_of)

    again = bundle()

    assert first.exit_code == 1
    assert first.error == again.error
    # the handler's own module is read each time
    assert read == [b"import needy, greeting" + HANDLER.encode()]
