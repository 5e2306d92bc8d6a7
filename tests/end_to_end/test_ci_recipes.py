"""The shell parts of the recipes in .github/CI.md, run against a server that answers as AWS."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from unittest.mock import ANY

import pytest

from tests.end_to_end.conftest import ACCOUNT
from tests.support.projects import Locked
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from tests.support.index import Index
    from tests.support.projects import Project


yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "jq", "openssl"))), reason="no sh, jq or openssl"
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / ".github" / "CI.md").read_text(encoding="utf-8")
(SCRIPT,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GITHUB, GITLAB, CODEBUILD = (
    yaml.load(text, yaml.BaseLoader)
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)

# a ZIP of nothing, which is no bundle
OTHER = b"PK\x05\x06" + bytes(18)

# what the recipes install is here already; the shell of the tests says so and goes on
SHIMS = {
    "aws": f'exec "{sys.executable}" -m tests.support.aws "$@"',
    "poetry": f'exec "{sys.executable}" -m poetry "$@"',
    **dict.fromkeys(("apt-get", "pip", "pipx"), 'echo "$(basename "$0") $*"'),
}


class Machine(NamedTuple):
    """Where the jobs of a recipe run."""

    folder: Path
    variables: dict[str, str]

    def run(self, commands: str, variables: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Run commands in the simplest shell, which ends at the first error as those of the three do."""
        return subprocess.run(
            ["sh", "-e", "-c", commands],
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
        )

    def output(self, commands: str, variables: Mapping[str, str] = {}) -> str:
        """Return what commands print, all of which have to succeed."""
        done = self.run(commands, variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def machine(project: Project, index: Index, aws: str, tmp_path: Path) -> Machine:
    """A machine with a checkout of a project that has a function and its layer, the script and `aws`."""
    wheel = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'hello'\n"})
    index.add(wheel)
    project.pyproject(
        "mails",
        dependencies=["greeting"],
        source=index.url,
        config='runtime = "python3.13"\n'
        "[tool.poetry-lambda-plugin.bundles.order-mail]\n"
        'exclude-layers = ["libraries"]\nhandler = "mails.handler"\n'
        "[tool.poetry-lambda-plugin.bundles.libraries]\nlayer = true\nno-root = true\n",
    )
    project.write({"mails.py": "handler = print\n", "ci/deploy.sh": SCRIPT})
    project.lock([Locked.of(wheel)], source=index.url)
    shims = tmp_path / "shims"
    shims.mkdir()
    for name, command in SHIMS.items():
        (shims / name).write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        (shims / name).chmod(0o755)
    return Machine(
        project.folder,
        {
            **os.environ,
            "PATH": os.pathsep.join([str(shims), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": aws,
            "AWS_DEFAULT_REGION": ACCOUNT["region_name"],
            "AWS_ACCESS_KEY_ID": ACCOUNT["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": ACCOUNT["aws_secret_access_key"],
        },
    )


@pytest.fixture
def function(client: Any, role: str) -> Iterator[Callable[..., None]]:
    """Make a function which has something else than the bundle."""

    def make(name: str, runtime: str = "python3.13", architecture: str = "x86_64") -> None:
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Architectures=[architecture],
            Role=role,
            Handler="mails.handler",
            Code={"ZipFile": OTHER},
        )
        made.append(name)

    made: list[str] = []
    yield make
    for name in made:
        client.delete_function(FunctionName=name)


def github_jobs(machine: Machine) -> str:
    """Run GitHub's jobs, one for each bundle of the list; return what their shell parts printed."""
    output = machine.folder.parent / "github-output"
    output.write_text("", encoding="utf-8")
    for step in GITHUB["jobs"]["list"]["steps"]:
        machine.output(step.get("run", ""), {"GITHUB_OUTPUT": str(output)})
    (line,) = output.read_text(encoding="utf-8").splitlines()
    job = GITHUB["jobs"]["deploy"]
    return "".join(
        github_step(machine, step, job["env"], bundle)
        for bundle in json.loads(line.removeprefix("bundles="))["bundles"]
        for step in job["steps"]
    )


def github_step(
    machine: Machine, step: Mapping[str, str], environment: Mapping[str, str], row: Mapping[str, Any]
) -> str:
    """Run a step of the job of one row of the matrix, unless its condition says no."""
    if "run" not in step or not matrix_value(step.get("if", "${{ true }}"), row):
        return ""
    return machine.output(
        step["run"], {name: str(matrix_value(text, row) or "") for name, text in environment.items()}
    )


def matrix_value(text: str, row: Mapping[str, Any]) -> Any:
    """Return what an expression of GitHub is, as far as the recipe has such."""
    expression = text.removeprefix("${{ ").removesuffix(" }}")
    if expression.startswith("!"):
        return not matrix_value(expression[1:], row)
    names = [name.removeprefix("matrix.") for name in expression.split(" || ")]
    return expression == "true" or next((row[name] for name in names if row.get(name)), None)


def gitlab_jobs(machine: Machine) -> str:
    """Run GitLab's jobs after one another, with the artifacts in the folder."""
    given = {"CI_PROJECT_DIR": str(machine.folder), "AWS_TOKEN": "token"}
    printed = ""
    for job in (GITLAB["bundle"], GITLAB["deploy"]):
        # the server here takes an access key instead of a role
        chosen = {**GITLAB["variables"], **job.get("variables", {}), "AWS_ROLE_ARN": ""}
        variables = {
            name: text.replace("$CI_PROJECT_DIR", str(machine.folder)) for name, text in chosen.items()
        }
        printed += machine.output("\n".join(job["script"]), {**given, **variables})
    return printed


def codebuild_phases(machine: Machine) -> str:
    """Run CodeBuild's phases."""
    phases = CODEBUILD["phases"].values()
    return "".join(machine.output("\n".join(phase["commands"])) for phase in phases)


@pytest.mark.parametrize("jobs", [github_jobs, gitlab_jobs])
def test_deploys_what_is_not_deployed_yet(
    jobs: Callable[[Machine], str], machine: Machine, function: Callable[..., None], client: Any
) -> None:
    """A recipe brings the bundle to its function; the layer is made and goes to no function."""
    function("order-mail")

    first = jobs(machine)

    zipped = (machine.folder / "dist" / "order-mail.zip").read_bytes()
    digest = base64.b64encode(hashlib.sha256(zipped).digest()).decode()
    deployed = client.get_function_configuration(FunctionName="order-mail")
    assert deployed["CodeSha256"] == digest
    assert f"\n{digest}\n" in first
    assert (machine.folder / "dist" / "libraries.zip").is_file()


def test_leaves_alone_what_is_deployed(machine: Machine, function: Callable[..., None], client: Any) -> None:
    """A second run of a recipe on the same commit touches no function."""
    function("order-mail")
    codebuild_phases(machine)
    deployed = client.get_function_configuration(FunctionName="order-mail")

    printed = codebuild_phases(machine)

    assert printed.endswith("order-mail has dist/order-mail.zip already.\n")
    assert client.get_function_configuration(FunctionName="order-mail") == deployed | {
        "ResponseMetadata": ANY
    }


@pytest.mark.parametrize(("runtime", "architecture"), [("python3.12", "x86_64"), ("python3.13", "arm64")])
def test_deploys_nothing_that_could_not_run(
    runtime: str, architecture: str, machine: Machine, function: Callable[..., None], client: Any
) -> None:
    """A function of another runtime or architecture is left as it is, and the job fails and says why."""
    function("order-mail", runtime, architecture)
    before = client.get_function_configuration(FunctionName="order-mail")["CodeSha256"]
    (machine.folder / "it.zip").write_bytes(OTHER)

    done = machine.run("sh ci/deploy.sh order-mail it.zip python3.13 x86_64")

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == f"order-mail runs on {runtime}\t{architecture}, but it.zip is for python3.13 x86_64.\n"
    )
    assert client.get_function_configuration(FunctionName="order-mail")["CodeSha256"] == before


def test_list_that_fails_fails_the_job(machine: Machine, tmp_path: Path) -> None:
    """A lock that is not there ends GitHub's first job, rather than to give it an empty matrix."""
    (machine.folder / "poetry.lock").unlink()
    (step,) = (step for step in GITHUB["jobs"]["list"]["steps"] if step.get("id") == "list")

    done = machine.run(step["run"], {"GITHUB_OUTPUT": str(tmp_path / "output")})

    assert done.returncode == 1
    assert not (tmp_path / "output").exists()
