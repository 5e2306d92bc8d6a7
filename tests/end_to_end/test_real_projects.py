"""Real projects from the real index, their handlers imported by the Python that they are for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.runner import bundle


if TYPE_CHECKING:
    from pytest import MonkeyPatch  # noqa: PT013
    from pytest import TempPathFactory  # noqa: PT013


pytestmark = pytest.mark.network

PROJECTS = Path(__file__).parents[1] / "benchmarks/projects"
VERSION = "3.12"
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
"""Looked up before the tests change the home folder."""

IMPORT = """
import json
import sys

sys.path = [path for path in sys.path if "site-packages" not in path]
sys.path.insert(0, sys.argv[1])
module = __import__(sys.argv[2])
outside = [
    name
    for name, loaded in sys.modules.items()
    if "site-packages" in str(getattr(loaded, "__file__", ""))
]
result = module.handler({}, None) if sys.argv[3] == "call" else callable(module.handler)
print(json.dumps({"result": result, "outside": outside}))
"""


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: TempPathFactory) -> Path:
    """Poetry's cache for all projects."""
    return tmp_path_factory.mktemp("cache")


def target_python() -> str:
    """Return an interpreter of the target's version; skips the test where there is none."""
    candidates = [*sorted(PYENV.glob(f"{VERSION}.*/bin/python")), shutil.which(f"python{VERSION}")]
    if candidates[0] is None:
        pytest.skip(f"there is no Python {VERSION} here")
    return os.fspath(candidates[0])


def bundled(name: str, tmp_path: Path) -> dict[str, Any]:
    """Bundle a copy of a project, and return the report."""
    folder = tmp_path / name
    shutil.copytree(PROJECTS / name, folder)
    os.chdir(folder)
    outcome = bundle("--runtime", f"python{VERSION}", "-o", "function.zip", "--format", "json")
    assert outcome.exit_code == 0, outcome.error
    return outcome.report


@pytest.mark.parametrize(
    ("name", "call"),
    [
        pytest.param("small", "call", id="small"),
        pytest.param("medium", "import", id="medium"),
        pytest.param("large", "call", id="large"),
    ],
)
def test_handler_is_imported(
    name: str, call: str, tmp_path: Path, shared_cache: Path, monkeypatch: MonkeyPatch
) -> None:
    """The handler of a real project runs from the unpacked bundle, with nothing from anywhere else."""
    monkeypatch.setenv("POETRY_CACHE_DIR", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    python = target_python()
    report = bundled(name, tmp_path)
    with zipfile.ZipFile("function.zip") as archive:
        archive.extractall("task")

    done = subprocess.run(
        [python, "-I", "-B", "-c", IMPORT, os.path.abspath("task"), f"{name}_fn", call],  # noqa: PTH100
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["outside"] == []
    locked = {package["name"]: package["version"] for package in report["packages"]}
    if call == "import":
        assert answer["result"] is True
    else:
        names = {"sklearn": "scikit-learn"}
        assert answer["result"] == {key: locked[names.get(key, key)] for key in answer["result"]}


def test_large_bundle_is_refused(tmp_path: Path, shared_cache: Path, monkeypatch: MonkeyPatch) -> None:
    """A data-science stack that Lambda would refuse fits with what the error says; its ZIP gets a note."""
    monkeypatch.setenv("POETRY_CACHE_DIR", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    report = bundled("large", tmp_path)
    limits = ("--runtime", f"python{VERSION}", "--max-size", "262143999")

    refused = bundle(*limits)

    assert "50 MB directly" in report["notes"][0]
    assert (report["warnings"], refused.exit_code) == ([], 1)
    assert ' `exclude = ["@tests"]` makes it fit: ' in refused.message
    assert bundle(*limits, "--exclude", "@tests").exit_code == 0


@pytest.mark.parametrize("name", ["small", "medium", "large"])
def test_second_run_is_the_same(
    name: str, tmp_path: Path, shared_cache: Path, monkeypatch: MonkeyPatch
) -> None:
    """A second run of a real project has the digest of the first."""
    monkeypatch.setenv("POETRY_CACHE_DIR", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    first = bundled(name, tmp_path)

    second = bundle("--runtime", f"python{VERSION}", "-o", "function.zip", "--format", "json").report

    assert second == {**first, "status": "unchanged", "changed": False}
