"""`poetry lambda-init` on the kinds of projects that there are: what it proposes, writes and bundles."""

from __future__ import annotations

import io
import sys

from datetime import datetime
from datetime import timezone
from typing import TYPE_CHECKING
from typing import Any

import pytest

from cleo.io.inputs.argv_input import ArgvInput
from cleo.io.outputs.buffered_output import BufferedOutput
from poetry.console.application import Application

from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import Outcome
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import make_wheel


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from tests.support.index import Index


MAINTAINED = [
    runtime.name
    for runtime in reversed(RUNTIMES)
    if runtime.deprecation and datetime.now(tz=timezone.utc).date() < runtime.deprecation
]
"""Those in production that AWS maintains, the newest first."""

HANDLER = "def handler(event, context):\n    return 1\n"
LAMBDA_HANDLER = "def lambda_handler(event, context):\n    return 1\n"
NO_PACKAGE = "[tool.poetry]\npackage-mode = false\n"
LIBRARIES = {
    "mangum": {"mangum/__init__.py": "class Mangum:\n    def __init__(self, app): ...\n"},
    "aws-lambda-powertools": {
        "aws_lambda_powertools/__init__.py": "",
        "aws_lambda_powertools/event_handler/__init__.py": "class ALBResolver: ...\n",
    },
}
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def table(project: Project) -> Any:
    """Return the table that was written; None for none."""
    document = tomllib.loads((project.folder / "pyproject.toml").read_bytes().decode())
    return document.get("tool", {}).get("poetry-lambda-plugin")


def answered(*answers: str) -> Outcome:
    """Run the command for somebody who types these answers."""
    application = Application()
    application.auto_exits(False)
    typed, output, error = ArgvInput(["poetry", "lambda-init"]), BufferedOutput(), BufferedOutput()
    typed.set_stream(io.StringIO("".join(f"{answer}\n" for answer in answers)))
    typed.interactive(True)
    return Outcome(application.run(typed, output, error), output.fetch(), error.fetch())


KINDS = [
    pytest.param({"my_fn/__init__.py": "", "my_fn/app.py": HANDLER}, {}, "my_fn.app.handler", id="package"),
    pytest.param(
        {"src/my_fn/__init__.py": "from mangum import Mangum\nmain = Mangum(object())\n"},
        {},
        "my_fn.main",
        id="src-with-mangum",
    ),
    pytest.param(
        {"lambda_function.py": LAMBDA_HANDLER, "helper.py": HANDLER, "test_it.py": HANDLER},
        {"tool": NO_PACKAGE},
        "lambda_function.lambda_handler",
        id="loose-modules",
    ),
    pytest.param(
        {"my_fn/__init__.py": "", "handler.py": f"import my_fn\n{HANDLER}"},
        {},
        "handler.handler",
        id="beside",
    ),
    pytest.param(
        {
            "my_fn/__init__.py": "",
            "my_fn/api.py": "from aws_lambda_powertools.event_handler import ALBResolver as R\napp = R()\n",
            "my_fn/routes.py": "def get_order(request, context): ...\n",
        },
        {},
        "my_fn.api.app",
        id="powertools-object",
    ),
    pytest.param(
        {"src/app.py": LAMBDA_HANDLER, "src/util.py": "", "template.yaml": ""},
        {"tool": NO_PACKAGE},
        "app.lambda_handler",
        id="src-without-package",
    ),
    pytest.param(
        {
            "my_fn/__init__.py": "",
            "my_fn/api.py": HANDLER,
            "my_fn/jobs.py": "def nightly(event, context): ...\n",
            "Dockerfile": 'FROM public.ecr.aws/lambda/python\nCMD ["my_fn.jobs.nightly"]\n',
        },
        {},
        "my_fn.jobs.nightly",
        id="dockerfile",
    ),
    pytest.param(
        {
            "my_fn/__init__.py": "",
            "my_fn/main.py": HANDLER,
            "app.py": f"import aws_cdk\n{HANDLER}",
            "tests/test_main.py": HANDLER,
            "my_fn/tests/conftest.py": HANDLER,
            "tasks.py": HANDLER,
            "scripts/run.py": HANDLER,
        },
        {},
        "my_fn.main.handler",
        id="deployment-tests-tools",
    ),
]


@pytest.mark.parametrize(("files", "pyproject", "handler"), KINDS)
def test_proposes_the_handler(
    project: Project, index: Index, files: dict[str, str], pyproject: dict[str, Any], handler: str
) -> None:
    """What is proposed is written, and the first bundle proves that Lambda would find it."""
    wheels = [make_wheel(name, files=modules) for name, modules in LIBRARIES.items()]
    index.add(*wheels)
    project.pyproject(python=">=3.13,<3.14", dependencies=list(LIBRARIES), source=index.url, **pyproject)
    project.write(files)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    outcome = run("lambda-init", "--no-interaction")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert table(project) == {"runtime": "python3.13", "architecture": "x86_64", "handler": handler}
    assert f"  Handler     {handler}\n" in outcome.output
    assert (project.folder / "dist/my-fn.zip").is_file()


def test_tells_what_it_does(locked_project: Project) -> None:
    """The whole output down to the bundle's own, without a question."""
    outcome = run("lambda-init", "-n")

    pyproject = locked_project.folder / "pyproject.toml"
    told, _, bundled = outcome.output.partition("\n\nBundling ")
    assert told == (
        f"my-fn (0.1.0): 1 package to bundle\nRuntime: {MAINTAINED[0]}\nArchitecture: x86_64\n"
        f"Handler: my_fn.handler\n\nAdded to {pyproject}:\n\n"
        f'  [tool.poetry-lambda-plugin]\n  runtime = "{MAINTAINED[0]}"\n  architecture = "x86_64"\n'
        '  handler = "my_fn.handler"'
    )
    assert "  Handler     my_fn.handler\n" in bundled


def test_functions_in_folders_are_bundles(project: Project) -> None:
    """Where nothing decides between functions, each gets a bundle, with the folder that it takes for root."""
    project.pyproject(tool=NO_PACKAGE, python=">=3.13,<3.14")
    project.write(
        {
            "apps/order_api/handler.py": f"from apps.shared import x\n{HANDLER}",
            "apps/shared.py": "x = 1\n",
            "apps/mailer/handler.py": f"import templates\n{HANDLER}",
            "apps/mailer/templates.py": "",
        }
    )
    project.lock()

    outcome = run("lambda-init", "-n")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert table(project) == {
        "runtime": "python3.13",
        "architecture": "x86_64",
        "bundles": {
            "mailer": {"handler": "handler.handler", "include": ["apps/mailer:."]},
            "order-api": {"handler": "apps.order_api.handler.handler"},
        },
    }
    assert {"handler.py", "templates.py"} <= contents(project.folder / "dist/mailer.zip").keys()
    assert "apps/order_api/handler.py" in contents(project.folder / "dist/order-api.zip")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"src/my_fn/__init__.py": HANDLER}, {"handler": "my_fn.handler"}, id="what-is-built-from-src"
        ),
        pytest.param({"my_fn/__init__.py": HANDLER}, {"handler": "my_fn.handler"}, id="what-is-built"),
        pytest.param(
            {"src/my_fn/__init__.py": "", "lambdas/nightly.py": HANDLER},
            {"handler": "lambdas.nightly.handler", "include": ["lambdas"]},
            id="beside-what-is-built",
        ),
    ],
)
def test_project_of_another_backend(
    project: Project, files: dict[str, str], expected: dict[str, Any]
) -> None:
    """What another backend will build is guessed by its layout; what lies elsewhere is included."""
    project.pyproject(build_system=HATCHLING, python=">=3.13,<3.14")
    project.write(files)
    project.lock()

    outcome = run("lambda-init", "-n", "--dry-run")

    lines = "".join(f"{line}\n" for line in outcome.output.splitlines() if line.startswith("  "))
    written = tomllib.loads(lines)["tool"]["poetry-lambda-plugin"]
    assert written == {"runtime": "python3.13", "architecture": "x86_64", **expected}
    assert table(project) is None


def test_library_has_no_handler(project: Project) -> None:
    """Where there is none it is said, and the bundle is made all the same."""
    project.pyproject(python=">=3.13,<3.14")
    project.write({"my_fn/__init__.py": "def render(template, context): ...\nasync def handler(a, b): ...\n"})
    project.lock()

    outcome = run("lambda-init", "-n")

    assert outcome.exit_code == 0
    assert (
        "Note: No handler was found: no function in the project's modules takes an event and a context. "
        "Write `handler = …` when there is one.\n"
    ) in outcome.output
    assert table(project) == {"runtime": "python3.13", "architecture": "x86_64"}


def test_proposes_what_the_lock_can_serve(project: Project, index: Index) -> None:
    """The architecture is the one that the lock has wheels for, the runtime the newest of those."""
    wheel = make_wheel("native", tag="cp312-cp312-manylinux_2_17_aarch64")
    index.add(wheel)
    project.pyproject(dependencies=["native"], source=index.url)
    project.write({"my_fn.py": HANDLER})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = run("lambda-init", "-n")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert table(project) == {"runtime": "python3.12", "architecture": "arm64", "handler": "my_fn.handler"}


def test_asks_three_questions(locked_project: Project) -> None:
    """Numbers and names are answers, and those given are what is written."""
    locked_project.write({"other.py": HANDLER})

    outcome = answered("python3.12", "1", "other.handler")

    runtimes = "".join(f" [ {number}] {name}\n" for number, name in enumerate(MAINTAINED))
    assert outcome.exit_code == 0
    assert outcome.error == (
        f"Runtime, of those that the lock can serve: [{MAINTAINED[0]}]:\n{runtimes} > "
        "Architecture: [x86_64]:\n [ 0] x86_64\n [ 1] arm64\n > "
        "Handler: [each of them, in a bundle of its own]:\n [ 0] each of them, in a bundle of its own\n"
        " [ 1] my_fn.handler\n [ 2] other.handler\n [ 3] none yet\n > "
    )
    assert table(locked_project) == {
        "runtime": "python3.12",
        "architecture": "arm64",
        "handler": "other.handler",
    }
    assert "python3.12 on arm64" in outcome.output


def test_no_handler_may_be_wanted(locked_project: Project) -> None:
    """The last answer is none."""
    assert answered("", "", "none yet").exit_code == 0
    assert table(locked_project) == {"runtime": MAINTAINED[0], "architecture": "x86_64"}


@pytest.mark.parametrize("answers", [["python2"] * 3, []], ids=["wrong", "none"])
def test_without_an_answer_nothing_is_written(locked_project: Project, answers: list[str]) -> None:
    """Three wrong answers, or the end of the input, leave all as it was."""
    before = (locked_project.folder / "pyproject.toml").read_bytes()

    outcome = answered(*answers)

    assert outcome.exit_code == 1
    assert outcome.message.endswith(
        "There is no answer to runtime. Nothing was written. --no-interaction takes what is proposed."
    )
    assert (locked_project.folder / "pyproject.toml").read_bytes() == before


def test_table_that_is_there_stays(locked_project: Project) -> None:
    """Nothing is asked, proposed or bundled then."""
    pyproject = locked_project.folder / "pyproject.toml"
    before = pyproject.read_text() + "\n[tool.poetry-lambda-plugin]\n"
    pyproject.write_text(before)

    outcome = answered("", "", "")

    assert (outcome.exit_code, outcome.output) == (1, "")
    assert outcome.message == (
        f"{pyproject} has [tool.poetry-lambda-plugin] already. Change it there, or remove it first."
    )
    assert pyproject.read_text() == before


def test_keeps_comments_and_ends_of_lines(locked_project: Project) -> None:
    """Every byte that was there is there still."""
    pyproject = locked_project.folder / "pyproject.toml"
    before = (pyproject.read_text() + "# the end  \n\n").replace("\n", "\r\n").encode()
    pyproject.write_bytes(before)

    outcome = run("lambda-init", "-n")

    after = pyproject.read_bytes()
    assert outcome.exit_code == 0
    assert after.startswith(before.rstrip() + b"\r\n\r\n[tool.poetry-lambda-plugin]\r\nruntime = ")
    assert after.count(b"\n") == after.count(b"\r\n")


def test_needs_a_lock(project: Project) -> None:
    """What is proposed depends on it, so it is asked for before anything else."""
    project.pyproject()
    project.write({"my_fn.py": HANDLER})

    outcome = run("lambda-init", "-n")

    assert outcome.exit_code == 1
    assert "poetry.lock" in outcome.message
    assert table(project) is None


def test_first_bundle_that_fails_is_told(project: Project, index: Index) -> None:
    """The table is written, since it is right; why there is no bundle is the bundle's own error."""
    wheel = make_wheel("greeting")
    project.pyproject(dependencies=["greeting"], source=index.url, python=">=3.13,<3.14")
    project.write({"my_fn.py": HANDLER})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = run("lambda-init", "-n")

    assert outcome.exit_code == 1
    assert "greeting" in outcome.message
    assert table(project)["handler"] == "my_fn.handler"
