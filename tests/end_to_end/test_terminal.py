"""What a run looks like on a real terminal: one list, and one line that is rewritten below it."""

from __future__ import annotations

import random
import re
import shutil
import signal
import sys

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.sources import make_sdist
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project

if sys.platform == "win32":
    pytest.skip("Windows has no pty", allow_module_level=True)

from tests.support.terminal import resize
from tests.support.terminal import seen
from tests.support.terminal import start


COUNT = 60
WHEEL = "greeting-1.0-py3-none-any.whl"

SLOW_BACKEND = """
import os
import time
import zipfile

INFO = "slow-1.0.dist-info"
MEMBERS = {
    "slow.py": "",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{INFO}/RECORD": f"slow.py,,\\n{INFO}/METADATA,,\\n{INFO}/WHEEL,,\\n{INFO}/RECORD,,\\n",
}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    time.sleep(3)
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in MEMBERS.items():
            archive.writestr(path, text)
    return name
"""

SLOW = {
    "pyproject.toml": '[project]\nname = "slow"\nversion = "1.0"\n'
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": SLOW_BACKEND,
}


@pytest.fixture
def many(project: Project, index: Index) -> Project:
    """A project with 60 packages, the later ones the larger."""
    wheels = [
        make_wheel(f"package-{n:02}", files={f"package_{n:02}.bin": random.Random(n).randbytes(5000 * n)})
        for n in range(COUNT)
    ]
    index.add(*wheels)
    names = [f"package-{n:02}" for n in range(COUNT)]
    project.pyproject(dependencies=names, source=index.url, config='runtime = "python3.13"')
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    return project


def runtime() -> str:
    return f"python3.{sys.version_info.minor}"


@pytest.fixture
def slow_build(project: Project, index: Index) -> Project:
    """A project with a package whose build takes three seconds, between two that have wheels."""
    files = [make_wheel("alpha"), make_sdist("slow", SLOW), make_wheel("zeta")]
    index.add(*files)
    project.pyproject(dependencies=["alpha", "slow", "zeta"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(file) for file in files], source=index.url)
    return project


def page(project: Project) -> list[str]:
    """Return the list of a cold run of the project with 60 packages, as it stays on the page."""
    packages = [f"  - Bundling package-{n:02} (1.0): done" for n in range(COUNT)]
    heading = "Bundling my-fn (0.1.0) for python3.13 on x86_64"
    return [
        heading,
        "",
        *packages,
        "  - Bundling my-fn (0.1.0)",
        "",
        f"{project.folder}/dist/my-fn.zip is written",
    ]


def test_cold_run_on_a_small_terminal(many: Project) -> None:
    """Each package has one line, in the order of names, and no line that was written is touched again."""
    session = start("lambda-bundle")

    assert session.wait() == 0
    assert session.newlines <= COUNT + 15
    expected = page(many)
    assert seen(session.text)[: len(expected)] == expected
    assert session.text.endswith("\n")
    live = [seen(line)[-1] for line in session.text.split("\r\x1b[K")]
    assert max(len(line) for line in live if line.startswith("  -")) < 60
    assert "\x1b[32;1m-\x1b[39;22m Bundling \x1b[36mpackage-00" in session.text


def test_cold_run_writes_no_more_than_an_installation(many: Project, tmp_path: Path) -> None:
    """In lines and in bytes, Poetry's own page for the same packages is no shorter."""
    ours = start("lambda-bundle")
    assert ours.wait() == 0
    shutil.rmtree(tmp_path / "cache")

    # else Poetry takes the first Python on PATH, which can't run what PYTHONPATH has here
    theirs = start(
        "install",
        "--no-root",
        POETRY_VIRTUALENVS_IN_PROJECT="true",
        POETRY_VIRTUALENVS_USE_POETRY_PYTHON="true",
    )

    assert theirs.wait() == 0
    assert ours.newlines <= theirs.newlines
    assert len(ours.output) <= len(theirs.output)


def test_warm_run_has_no_live_line(many: Project) -> None:
    """What was at hand is not called done, and nothing is rewritten."""
    assert bundle().exit_code == 0

    session = start("lambda-bundle")

    assert session.wait() == 0
    assert "\x1b[K" not in session.text
    assert seen(session.text)[2] == "  - Bundling package-00 (1.0)"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        pytest.param(34, "  - Bundling greeting (1.0): 49 %", id="just-wide-enough"),
        pytest.param(33, "  - greeting: 49 %", id="narrow"),
    ],
)
def test_download_is_told_on_one_line(locked_project: Project, index: Index, columns: int, line: str) -> None:
    """The live line is cut so that it never wraps; Ctrl-C erases it and leaves the rest."""
    # half of it is sent, and of that what fills the pieces that a download is read in
    index.sent[WHEEL] = bytes(4 << 16)
    # pages of this kind state no size that it would be held to
    index.html = True
    index.stalled.add(WHEEL)
    session = start("lambda-bundle", columns=columns, POETRY_REQUESTS_TIMEOUT="3")

    session.read_until(lambda text: seen(text)[-1] == line)
    assert seen(session.text)[1:] == ["", line]
    session.process.send_signal(signal.SIGINT)

    assert session.wait() == 130
    assert seen(session.text)[1:] == ["", "", "Interrupted: no bundle was left half-written.", ""]
    assert "\x1b[?25l" not in session.text


def test_live_line_follows_the_size_of_the_terminal(slow_build: Project) -> None:
    """Its width is asked for each time that it is written."""
    session = start("lambda-bundle", "--runtime", runtime())
    session.read_until(lambda text: "  - Bundling slow (1.0): building, 1 s" in seen(text)[-1])

    resize(session.master, 25, 15)
    session.read_until(lambda text: seen(text)[-1] == "  - slow: building, 2 s")

    assert session.wait() == 0


def test_build_on_a_terminal(slow_build: Project) -> None:
    """The time that a build has taken counts up by itself, and nothing of it stays."""
    session = start("lambda-bundle", "--runtime", runtime())

    assert session.wait() == 0
    states = re.findall(r"building, (\d+) s", session.text)
    assert states == sorted(states)
    assert {"0", "1", "2"} <= set(states)
    assert seen(session.text)[2:7] == [
        "  - Bundling alpha (1.0): done",
        "  - Bundling slow (1.0): done",
        "  - Bundling zeta (1.0): done",
        "  - Bundling my-fn (0.1.0)",
        "",
    ]


def test_build_in_a_log(slow_build: Project) -> None:
    """Without a terminal a build is told when it begins, apart from the list."""
    output = bundle("--runtime", runtime()).output

    lines = output.splitlines()
    assert lines.count("  - Building slow (1.0)") == 1
    assert lines.index("  - Building slow (1.0)") < lines.index("  - Bundling slow (1.0)")
    assert [line for line in lines if line.startswith("  - Bundling")] == [
        "  - Bundling alpha (1.0)",
        "  - Bundling slow (1.0)",
        "  - Bundling zeta (1.0)",
        "  - Bundling my-fn (0.1.0)",
    ]
    assert "Building" not in bundle("--runtime", runtime()).output


def test_live_line_is_rewritten_ten_times_a_second_at_most(many: Project, index: Index) -> None:
    """However fast the downloads are."""
    session = start("lambda-bundle")

    assert session.wait() == 0
    seconds = session.times[-1][0] - session.times[0][0]
    rewritten = re.findall(r"\r\x1b\[K  \x1b\[34;1m-", session.text)
    assert len(rewritten) <= 10 * seconds + 1


def test_compilation_on_a_terminal(locked_project: Project) -> None:
    """What is compiled is told while it lasts, and once when it is done."""
    session = start("lambda-bundle", "--runtime", runtime(), "--bytecode", "checked-hash", columns=80)

    assert session.wait() == 0
    version = sys.version.partition(" ")[0]
    assert seen(session.text)[2:6] == [
        "  - Bundling greeting (1.0): done",
        "  - Bundling my-fn (0.1.0)",
        f"  - Compiling 2 files with CPython {version}: done",
        "",
    ]


def test_error_after_part_of_the_list(many: Project, index: Index) -> None:
    """A wrong file ends list and live line at once, though another one does not come."""
    index.sent["package_59-1.0-py3-none-any.whl"] = b"another"
    index.stalled.add("package_30-1.0-py3-none-any.whl")
    session = start("lambda-bundle", POETRY_REQUESTS_TIMEOUT="2", POETRY_REQUESTS_MAX_RETRIES="0")

    assert session.wait() == 1
    lines = seen(session.text)
    heading, empty, *rest = lines
    assert (heading, empty) == ("Bundling my-fn (0.1.0) for python3.13 on x86_64", "")
    listed = rest[: rest.index("")]
    assert listed == [f"  - Bundling package-{n:02} (1.0): done" for n in range(len(listed))]
    assert rest[len(listed) + 1].startswith(
        "package_59-1.0-py3-none-any.whl of package-59 (1.0) is not the file"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--no-ansi",), id="no-ansi"),
        pytest.param(("--format", "json"), id="json"),
        pytest.param(("-q",), id="quiet"),
    ],
)
def test_nothing_is_rewritten_where_nobody_reads_it(
    locked_project: Project, arguments: tuple[str, ...]
) -> None:
    """Neither an escape sequence nor a live line, even on a terminal."""
    session = start("lambda-bundle", *arguments)

    assert session.wait() == 0
    assert "\x1b" not in session.text
    assert "%" not in session.text


def test_dumb_terminal(locked_project: Project) -> None:
    """A terminal that knows no escape sequences gets no live line."""
    session = start("lambda-bundle", TERM="dumb")

    assert session.wait() == 0
    assert "\x1b[K" not in session.text


def test_several_bundles(locked_project: Project) -> None:
    """Each has its own heading, list and summary; what was fetched for the first is simply there."""
    session = start(
        "lambda-bundle", "--runtime", "python3.13", "--architecture", "x86_64", "--architecture", "arm64"
    )

    assert session.wait() == 0
    lines = [line for line in seen(session.text) if "Bundling" in line]
    assert lines == [
        "Bundling my-fn (0.1.0) for python3.13 on x86_64",
        "  - Bundling greeting (1.0): done",
        "  - Bundling my-fn (0.1.0)",
        "Bundling my-fn (0.1.0) for python3.13 on arm64",
        "  - Bundling greeting (1.0)",
        "  - Bundling my-fn (0.1.0)",
    ]
