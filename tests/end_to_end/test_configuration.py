"""[tool.poetry-lambda-plugin] as a person writes it, and the environment."""

from __future__ import annotations

import json
import sys
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.limits import few_handles
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.projects import Project


@pytest.fixture
def simple_project(project: Project) -> Project:
    project.write({"my_fn.py": "", "a.txt": "a", "b.txt": "b"})
    return project


def configure(project: Project, config: str) -> None:
    project.pyproject(config=config)
    project.lock()


def own_files(path: Path) -> list[str]:
    return [name for name in contents(path) if ".dist-info/" not in name]


def test_reads_the_table(simple_project: Project) -> None:
    """Keys of the table do what options do."""
    configure(
        simple_project,
        'runtime = "python3.12"\narchitecture = ["arm64"]\noutput = "out/{name}.zip"\n'
        'include = ["*.txt"]\nexclude = ["b.txt"]\nhandler = "my_fn.handler"\nstrict = true\n',
    )
    simple_project.write({"my_fn.py": "handler = print\n"})

    report = bundle("--format", "json").report

    assert (report["runtime"], report["architecture"], report["handler"]) == (
        "python3.12",
        "arm64",
        "my_fn.handler",
    )
    assert own_files(simple_project.folder / "out/my-fn.zip") == ["a.txt", "my_fn.py"]


def test_reads_includes_written_as_tables(simple_project: Project) -> None:
    """An array of tables is a list like any other."""
    configure(
        simple_project,
        '[[tool.poetry-lambda-plugin.include]]\npath = "a.txt"\n'
        '[[tool.poetry-lambda-plugin.include]]\npath = "b.txt"\nto = "deep/c.txt"\n',
    )

    bundle()

    assert own_files(simple_project.folder / "dist/my-fn.zip") == ["a.txt", "deep/c.txt", "my_fn.py"]


def test_option_beats_bundle_beats_table(simple_project: Project) -> None:
    """Each layer overrides the ones before it, key by key."""
    configure(
        simple_project,
        'runtime = "python3.11"\nhandler = "table.handler"\n'
        '[tool.poetry-lambda-plugin.bundles.api]\nhandler = "api.handler"\nruntime = "python3.12"\n'
        "[tool.poetry-lambda-plugin.bundles.job]\n",
    )
    simple_project.write({"table.py": "handler = print\n", "api.py": "handler = print\n"})

    def told(*arguments: str) -> tuple[str, str]:
        report = bundle("--format", "json", "--dry-run", *arguments).report
        return report["runtime"], report["handler"]

    assert told("job") == ("python3.11", "table.handler")
    assert told("api") == ("python3.12", "api.handler")
    assert told("api", "--runtime", "python3.13") == ("python3.13", "api.handler")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_many_bundles_with_few_handles(simple_project: Project) -> None:
    """As many bundles as there are can be unchanged, whatever the host's limit of open files."""
    tables = "".join(f"[tool.poetry-lambda-plugin.bundles.b{number}]\n" for number in range(60))
    simple_project.pyproject(tool=tables)
    simple_project.lock()
    bundle()

    with few_handles(32):
        outcome = bundle("--format", "json")

    assert outcome.error == ""
    assert [made["status"] for made in json.loads(outcome.output)["bundles"]] == ["unchanged"] * 60


def test_makes_all_bundles(simple_project: Project) -> None:
    """Without a name every bundle is made, under its own name."""
    configure(
        simple_project,
        "[tool.poetry-lambda-plugin.bundles.api]\ninclude = ['a.txt']\n"
        "[tool.poetry-lambda-plugin.bundles.job]\ninclude = ['b.txt']\nno-root = false\n",
    )

    outcome = bundle()

    assert outcome.exit_code == 0
    assert "Bundling my-fn (0.1.0) as api for" in outcome.output
    assert own_files(simple_project.folder / "dist/api.zip") == ["a.txt", "my_fn.py"]
    assert own_files(simple_project.folder / "dist/job.zip") == ["b.txt", "my_fn.py"]


def test_makes_one_bundle(simple_project: Project) -> None:
    """A name on the command line makes that bundle only."""
    configure(
        simple_project,
        "[tool.poetry-lambda-plugin.bundles.api]\n[tool.poetry-lambda-plugin.bundles.job]\n",
    )

    bundle("job")

    assert [path.name for path in (simple_project.folder / "dist").iterdir()] == ["job.zip"]


def test_bundles_with_one_output_are_refused(simple_project: Project) -> None:
    """Bundles that would overwrite each other are told apart by {bundle}."""
    configure(
        simple_project,
        "output = 'a.zip'\n"
        "[tool.poetry-lambda-plugin.bundles.api]\n[tool.poetry-lambda-plugin.bundles.job]\n",
    )

    assert bundle().exit_code == 1
    assert bundle("api").exit_code == 0
    assert not (simple_project.folder / "dist").exists()


def test_scripts_are_left_out_unless_asked_for(simple_project: Project) -> None:
    """`scripts = true` brings entry points to bin/ with the target's interpreter."""
    scripts = '[project.scripts]\nrun-it = "my_fn:main"'
    simple_project.pyproject(project=scripts)
    simple_project.lock()
    bundle()
    assert "bin/run-it" not in contents(simple_project.folder / "dist/my-fn.zip")

    simple_project.pyproject(project=scripts, config='scripts = true\nruntime = "python3.12"')
    simple_project.lock()
    bundle()

    script = contents(simple_project.folder / "dist/my-fn.zip")["bin/run-it"]
    assert script.startswith(b"#!/var/lang/bin/python3.12\n")


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        pytest.param(None, (1980, 1, 1, 0, 0, 0), id="unset"),
        pytest.param("1700000000", (2023, 11, 14, 22, 13, 20), id="set"),
        pytest.param("-5", (1980, 1, 1, 0, 0, 0), id="negative"),
        pytest.param("0", (1980, 1, 1, 0, 0, 0), id="before-1980"),
        pytest.param("99999999999999999999", (2107, 12, 31, 23, 59, 58), id="huge"),
    ],
)
def test_source_date_epoch_is_every_files_time(
    simple_project: Project,
    monkeypatch: pytest.MonkeyPatch,
    epoch: str | None,
    expected: tuple[int, ...],
) -> None:
    """SOURCE_DATE_EPOCH, clamped to what a ZIP can hold, is the time of all members."""
    configure(simple_project, "")
    if epoch is not None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)

    assert bundle().exit_code == 0
    with zipfile.ZipFile(simple_project.folder / "dist/my-fn.zip") as archive:
        assert {member.date_time for member in archive.infolist()} == {expected}


def test_project_in_a_folder_with_braces(simple_project: Project, tmp_path: Path) -> None:
    """A folder's own braces are no placeholders."""
    folder = tmp_path / "{{cookiecutter.name}}"
    configure(simple_project, "output = '{name}.zip'")
    simple_project.folder.rename(folder)

    outcome = run("-P", str(folder), "lambda-bundle")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert (folder / "my-fn.zip").is_file()
