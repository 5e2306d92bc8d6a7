"""What was written is told truly, whatever becomes of the telling, and other people's names forge nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run_apart
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.runner import Outcome


THREE_BUNDLES = "".join(f"[tool.poetry-lambda-plugin.bundles.{name}]\n" for name in ("a", "b", "c"))

FAIL_AT_RENAME = """
import os
import signal
import sys

seen = []


def fail(event, arguments):
    if event != "os.rename" or not str(arguments[1]).endswith("/{name}.zip"):
        return
    if {interrupt}:
        signal.raise_signal(signal.SIGINT)
    else:
        raise OSError(28, "No space left on device")


signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(fail)
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /dev/full")


def run_into(stdout: Any, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run `poetry lambda-bundle` with another standard output; return the exit code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "poetry", "lambda-bundle", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    return done.returncode, " ".join(done.stderr.decode("ascii", "replace").split())


def two_architectures(project: Project) -> list[Path]:
    return [project.folder / f"dist/my-fn-{architecture}.zip" for architecture in ("arm64", "x86_64")]


@linux
@pytest.mark.parametrize("form", ["text", "json"])
def test_report_that_finds_no_room(locked_project: Project, form: str) -> None:
    """Both bundles are made, and the error says so: only the report is missing."""
    with Path("/dev/full").open("w") as full:
        code, error = run_into(
            full, "--format", form, "--architecture", "arm64", "--architecture", "x86_64", "-vvv"
        )

    assert code == 1
    words = (
        "The report could not be written to standard output: No space left on device. "
        "All bundles are in their places all the same."
    )
    assert words in error
    assert "OSError: [Errno 28]" in error
    assert "Nothing was changed" not in error
    assert all(contents(path) for path in two_architectures(locked_project))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other pipes")
def test_reader_that_has_gone(locked_project: Project) -> None:
    """As `head` does it: it had enough, and nothing failed."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, error = run_into(writing, "--architecture", "arm64", "--architecture", "x86_64")
    finally:
        os.close(writing)

    assert (code, error) == (0, "")
    assert all(contents(path) for path in two_architectures(locked_project))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_signs_that_the_output_can_not_have(
    project: Project, index: Index, tmp_path: Path, encoding: str
) -> None:
    """An arrow is written with the signs that there are."""
    wheels = [make_wheel("outer"), make_wheel("inner")]
    index.add(*wheels)
    project.pyproject(dependencies=["outer"], source=index.url)
    project.write({"my_fn.py": ""})
    outer, inner = wheels
    project.lock([Locked.of(outer, dependencies={"inner": "*"}), Locked.of(inner)], source=index.url)

    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "--explain", PYTHONIOENCODING=encoding)

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert f"outer {'→' if encoding == 'utf-8' else '->'} inner" in outcome.output


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_output_with_a_name_that_is_no_text(locked_project: Project, tmp_path: Path) -> None:
    """It is made, and its name written as far as it can be."""
    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "-o", "dist/\udcff.zip", PYTHONUTF8="1")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "dist/\\udcff.zip is written" in outcome.output
    assert contents(locked_project.folder / "dist/\udcff.zip")


@pytest.mark.parametrize("interrupt", [False, True], ids=["full", "interrupted"])
def test_bundle_that_can_not_take_its_place(
    locked_project: Project, index: Index, tmp_path: Path, interrupt: bool
) -> None:
    """Error and document tell which bundles are written, and which are as they were."""
    locked_project.pyproject(dependencies=["greeting"], source=index.url, config=THREE_BUNDLES)
    hook = FAIL_AT_RENAME.format(name="b", interrupt=interrupt)

    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "--format", "json", hook=hook)

    folder = locked_project.folder / "dist"
    document = json.loads(outcome.output)
    assert outcome.exit_code == (130 if interrupt else 1)
    assert {b["bundle"]: (b["status"], b["changed"]) for b in document["bundles"]} == {
        "a": ("written", True),
        "b": ("failed", False),
        "c": ("failed", False),
    }
    assert document["error"] == outcome.message
    missing = f"{folder / 'b.zip'}, {folder / 'c.zip'}"
    assert document["error"].endswith(
        f"In place already: {folder / 'a.zip'}. Not written, and as before: {missing}."
    )
    assert sorted(path.name for path in folder.iterdir()) == ["a.zip"]


def test_disk_that_fails_beside_a_bundle_that_fails(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """Both are told, and the document has all bundles."""
    config = f'{THREE_BUNDLES}[tool.poetry-lambda-plugin.bundles.d]\nhandler = "nobody.handler"\n'
    locked_project.pyproject(dependencies=["greeting"], source=index.url, config=config)
    hook = FAIL_AT_RENAME.format(name="b", interrupt=False)

    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "--format", "json", hook=hook)

    document = json.loads(outcome.output)
    assert [(b["bundle"], b["status"]) for b in document["bundles"]] == [
        ("a", "written"),
        ("b", "failed"),
        ("c", "failed"),
        ("d", "failed"),
    ]
    place, failed = document["error"].splitlines()
    assert "In place already: " in place
    assert failed.startswith("d for ")
    assert document["bundles"][1]["error"].endswith("No space left on device. Choose another --output.")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--runtime", "python313"], id="value"),
        pytest.param(["--qqqq"], id="option"),
        pytest.param(["--runtime"], id="no-value"),
        pytest.param(["nobody"], id="bundle"),
        pytest.param(["-o", "."], id="output"),
        pytest.param(["--diff", "nowhere.zip"], id="file"),
    ],
)
@pytest.mark.parametrize("form", [["--format", "json"], ["--format=json"]], ids=["apart", "joined"])
def test_document_after_an_error(locked_project: Project, form: list[str], arguments: list[str]) -> None:
    """Standard output is one document of the same schema, with the words of standard error."""
    outcome = bundle(*form, *arguments)

    document = json.loads(outcome.output)
    assert outcome.exit_code == 1
    assert (document["schema_version"], document["bundles"]) == (1, [])
    assert " ".join(document["error"].split()) in outcome.message


def test_document_of_what_is_too_large(locked_project: Project) -> None:
    """It has the sizes that are the reason."""
    outcome = bundle("--format", "json", "--max-size", "100")

    assert outcome.exit_code == 1
    assert outcome.report["status"] == "planned"
    assert outcome.report["unzipped_bytes"] > 100
    assert "max-size allows 0.1 KB" in json.loads(outcome.output)["error"]


def test_document_beside_logs(locked_project: Project, tmp_path: Path) -> None:
    """-vvv has the logs of Poetry and its libraries on standard error."""
    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "--format", "json", "-vvv")

    assert outcome.exit_code == 0, outcome.error
    assert outcome.report["status"] == "written"
    assert "urllib3" in outcome.error


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name", ["a<info>b.zip", "a\\<b.zip", "a\\", "\x1b[31mred", "<error>", "a\n::error::b", "</>"]
)
def test_output_with_a_name_that_means_something(locked_project: Project, name: str) -> None:
    """Neither the document nor the terminal takes it for more than a name."""
    document, texts = bundle("--format", "json", "-o", name), bundle("-o", name)

    assert document.report["output"] == str(locked_project.folder / name)
    shown = name.replace("\n", " ").replace("\x1b", "?")
    assert f"/{shown} is unchanged\n" in texts.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_name_of_a_file_makes_no_line_of_its_own(locked_project: Project) -> None:
    """What a log could take for a command stays in the line of the error that names the file."""
    locked_project.write({"pkg\n::error::forged/x.py": "", "my_fn.py": "import"})
    outcome: Outcome = bundle("--include", "pkg\n::error::forged/nothing")

    assert outcome.exit_code == 1
    assert not [line for line in (outcome.output + outcome.error).splitlines() if line.startswith("::")]


@pytest.mark.parametrize(
    "url",
    ["ssh://git:TOK-EN@127.0.0.1:1/x.git", "https://git:TOK-EN@127.0.0.1:1/x.git?token=TOK-EN"],
    ids=["ssh", "https"],
)
def test_password_of_a_repository(project: Project, tmp_path: Path, url: str) -> None:
    """It is in no line of error, trace and log, in whatever part of the address it is taken for."""
    project.pyproject(dependencies=["x"])
    project.write({"my_fn.py": ""})
    source = {"type": "git", "url": url, "reference": "main", "resolved_reference": "0" * 40}
    project.lock([Locked("x", source=source)])

    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "-vvv")

    assert outcome.exit_code == 1
    assert "TOK-EN" not in outcome.output + outcome.error
