"""What GitHub runs: the workflows, the forms and the recipes' pins, as far as it can be seen from here."""

from __future__ import annotations

import re
import runpy

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from packaging.requirements import Requirement


yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in sorted(GITHUB.glob("workflows/*.yml"))}
RECIPES = (GITHUB / "CI.md").read_text(encoding="utf-8")
PYPROJECT: Any = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()

USES = re.compile(r"uses: (?!\./)(\S+?)(?:@(\S+))?(?: # (.*))?$", re.MULTILINE)


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow, every scalar as it is written."""
    loaded = yaml.load(WORKFLOWS[name], yaml.BaseLoader)
    assert isinstance(loaded, dict)
    return loaded


def test_actions_are_pinned_by_commit() -> None:
    """Each names a commit and its release, and no action has two."""
    used = [match.groups() for text in (*WORKFLOWS.values(), RECIPES) for match in USES.finditer(text)]

    assert len(used) > 10
    for action, commit, release in used:
        assert re.fullmatch(r"[0-9a-f]{40}", commit or ""), action
        assert re.fullmatch(r"v\d+\.\d+\.\d+", release or ""), action
    pins = set(used)
    assert len(pins) == len({action for action, _, _ in pins})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_may_do_no_more_than_they_say(name: str) -> None:
    """Nothing is allowed to all jobs, each says what it may, and only two of a release may write."""
    content = workflow(name)

    assert content["permissions"] == {}
    allowed = {job: settings["permissions"] for job, settings in content["jobs"].items()}
    writing = {job: rights for job, rights in allowed.items() if "write" in rights.values()}
    assert writing == (
        {
            "publish": {"id-token": "write", "attestations": "write"},
            "announce": {"contents": "write"},
        }
        if name == "release.yml"
        else {}
    )


def test_checkouts_leave_no_credentials() -> None:
    """No token stays in `.git/config` for the tests of a pull request to read."""
    steps = chain.from_iterable(
        job.get("steps", ()) for name in WORKFLOWS for job in workflow(name)["jobs"].values()
    )
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert all(step["with"] == {"persist-credentials": "false"} for step in checkouts)


def test_every_system_python_and_poetry_is_tried() -> None:
    """The matrix begins with the oldest Python and Poetry that are supported."""
    matrix = workflow("tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    oldest = re.findall(
        r"^OLDEST_POETRY=(\S+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert {runner.split("-")[0] for runner in matrix["runner"]} == {"ubuntu", "macos", "windows"}
    assert "ubuntu-24.04-arm" in matrix["runner"]
    assert matrix["python"] == [f"3.{minor}" for minor in range(10, 15)]
    assert PYPROJECT["project"]["requires-python"].startswith(f">={matrix['python'][0]},")
    assert {row["runner"] for row in matrix["include"] if row["poetry"] == "oldest"} == set(matrix["runner"])
    assert re.findall(r"poetry==([\d.]+)", WORKFLOWS["tests.yml"]) == oldest


def test_release_waits_for_the_tests_and_for_equal_builds() -> None:
    """Nothing is published that was not tried, or that two machines did not build alike."""
    jobs = workflow("release.yml")["jobs"]

    assert jobs["publish"]["needs"] == ["tests", "compare"]
    assert jobs["publish"]["environment"] == "release"
    assert jobs["compare"]["needs"] == "build"
    one, other = jobs["build"]["strategy"]["matrix"]["runner"]
    assert jobs["compare"]["steps"][1]["run"] == f"diff --recursive builds/{one} builds/{other}"


def test_workflows_install_what_the_tests_need() -> None:
    """Each dependency of the group becomes a requirement that pip understands."""
    made = runpy.run_path(str(ROOT / ".ci" / "test_requirements.py"))["requirements"]
    lines = made((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    group = PYPROJECT["tool"]["poetry"]["group"]["test"]["dependencies"]
    assert [Requirement(line).name for line in lines] == list(group)
    assert "moto[server]>=5" in lines
    assert "awslambdaric>=4 ; sys_platform == 'linux'" in lines


def test_recipes_name_today_s_versions() -> None:
    """They pin the Poetry of the lock and this version of the plugin."""
    lock: Any = tomlkit.parse((ROOT / "poetry.lock").read_text(encoding="utf-8")).unwrap()
    (poetry,) = (package["version"] for package in lock["package"] if package["name"] == "poetry")

    assert set(re.findall(r'"poetry==([^"]+)"', RECIPES)) == {poetry}
    assert set(re.findall(r'"poetry-lambda-plugin==([^"]+)"', RECIPES)) == {PYPROJECT["project"]["version"]}
