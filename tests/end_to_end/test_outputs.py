"""Outputs that are something else already, that lie in what is bundled, or that are one file by two names."""

from __future__ import annotations

import json
import os
import re
import sys

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.sources import poetry_project
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from tests.support.index import Index


links = pytest.mark.skipif(sys.platform == "win32", reason="Windows wants rights for links")

BUNDLES = "".join(f"[tool.poetry-lambda-plugin.bundles.{name}]\n" for name in ("one", "two"))


@pytest.fixture
def package(project: Project) -> Project:
    """A project that is a package, whose folder is taken whole."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "", "my_fn/data.zip": EMPTY_ZIP, "README.md": "words"})
    project.lock()
    return project


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        pytest.param("pyproject.toml", "it is there and no ZIP", id="pyproject"),
        pytest.param("poetry.lock", "it is there and no ZIP", id="lock"),
        pytest.param("README.md", "it is there and no ZIP", id="any-file"),
        pytest.param("my_fn/__init__.py", "it is a file of the project", id="empty-module"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["", "dry-run"])
def test_refuses_to_replace_what_is_no_bundle(
    package: Project, output: str, reason: str, more: list[str]
) -> None:
    """What would be lost is named, and stays."""
    before = (package.folder / output).read_bytes()

    outcome = bundle("-o", output, *more)

    path = package.folder / output
    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The bundle can't be written to {path}: {reason}, and would be lost. Choose another --output."
    )
    assert path.read_bytes() == before


def test_refuses_to_replace_a_dependency(project: Project, index: Index) -> None:
    """A wheel that the project depends on is a ZIP, but none of ours."""
    from tests.support.wheels import make_wheel

    wheel = make_wheel("greeting")
    project.pyproject(dependencies=["greeting"])
    project.write({"my_fn.py": "", f"lib/{wheel.filename}": wheel.data})
    project.lock([Locked.of(wheel, source={"type": "file", "url": f"lib/{wheel.filename}"})])

    outcome = bundle("-o", f"lib/../lib/{wheel.filename}")

    assert outcome.exit_code == 1
    assert "which is greeting (1.0). Choose another --output." in outcome.message
    assert (project.folder / f"lib/{wheel.filename}").read_bytes() == wheel.data


@pytest.mark.parametrize("content", [b"", EMPTY_ZIP], ids=["empty", "zip"])
def test_replaces(package: Project, content: bytes) -> None:
    """What is empty was made to be filled, as mktemp does it."""
    package.write({"out": content})

    assert bundle("-o", "out").exit_code == 0
    assert "my_fn/__init__.py" in contents(package.folder / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev/null")
def test_null_device(package: Project) -> None:
    """All is made and told, nothing is kept, and the device stays one."""
    outcome = bundle("-o", os.devnull, "--format", "json")

    assert outcome.exit_code == 0, outcome.error
    assert outcome.report["status"] == "written"
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param(["my_fn/out.zip"], id="same"),
        pytest.param(["my_fn/{version}.zip", "my_fn/{version}.zip"], id="placeholder"),
        pytest.param(["my_fn/{runtime}-{architecture}.zip"], id="placeholders"),
        pytest.param(["my_fn/../my_fn/out.zip"], id="detour"),
    ],
)
def test_output_among_what_is_bundled(package: Project, outputs: list[str]) -> None:
    """A second run gives the same bytes: earlier bundles are not in it, other ZIPs are."""
    runs = [bundle("-o", output, "--format", "json").report for output in outputs for _ in range(3)]

    assert len({run["sha256"] for run in runs}) == 1
    assert "my_fn/data.zip" in contents(Path(runs[0]["output"]))
    assert runs[-1]["status"] == "unchanged"


def test_output_of_another_runtime(package: Project) -> None:
    """What a placeholder stood for in an earlier run does not matter."""
    first = bundle("-o", "my_fn/{runtime}.zip", "--runtime", "python3.12")
    second = bundle("-o", "my_fn/{runtime}.zip", "--runtime", "python3.13", "--format", "json").report

    assert first.exit_code == 0
    assert [path for path in contents(Path(second["output"])) if path.endswith(".zip")] == ["my_fn/data.zip"]


def test_outputs_of_several_bundles(package: Project) -> None:
    """Neither has the other, nor what was written without the option."""
    for folder in ("my_fn/out", "my_fn/other"):
        package.pyproject(config=f'output = "{folder}/"\n{BUNDLES}')
        for _ in range(2):
            assert bundle().exit_code == 0
    package.pyproject(config=f'output = "my_fn/other/"\n{BUNDLES}')
    assert bundle("-o", "dist/").exit_code == 0

    # the table names the folder no more
    kept = {"my_fn/data.zip", "my_fn/out/one.zip", "my_fn/out/two.zip"}
    for name in ("one", "two"):
        found = contents(package.folder / f"dist/{name}.zip")
        assert {path for path in found if path.endswith(".zip")} == kept


@links
def test_link_to_an_output(package: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a link among what is bundled nor the project reached through one brings a bundle in."""
    assert bundle().exit_code == 0
    (package.folder / "my_fn/last").symlink_to("../dist/my-fn.zip")
    (tmp_path / "alias").symlink_to(package.folder)
    assert bundle().exit_code == 0
    before = (package.folder / "dist/my-fn.zip").read_bytes()

    assert bundle().exit_code == 0
    monkeypatch.chdir(tmp_path / "alias")
    assert bundle().exit_code == 0

    assert "my_fn/last" not in contents(package.folder / "dist/my-fn.zip")
    assert (package.folder / "dist/my-fn.zip").read_bytes() == before


def test_output_in_a_path_dependency(project: Project, tmp_path: Path) -> None:
    """What is read from another folder has no earlier bundle either."""
    write_tree(tmp_path / "shared", poetry_project("shared"))
    package = next((tmp_path / "shared").rglob("__init__.py")).parent
    project.pyproject(dependencies=["shared"])
    project.write({"my_fn.py": ""})
    project.lock([Locked("shared", source={"type": "directory", "url": "../shared"}, develop=True)])

    runs = [bundle("-o", str(package / "out.zip"), "--format", "json").report for _ in range(2)]

    assert runs[0]["sha256"] == runs[1]["sha256"]


@links
def test_refuses_two_outputs_that_are_one_file(package: Project) -> None:
    """Two names of a folder make two bundles one file."""
    (package.folder / "dist").mkdir()
    (package.folder / "alias").symlink_to("dist")
    package.pyproject(
        config="".join(
            f'[tool.poetry-lambda-plugin.bundles.{folder}]\noutput = "{folder}/x.zip"\n'
            for folder in ("dist", "alias")
        )
    )

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.startswith(f"Two bundles would be written to {package.folder}/alias/x.zip")
    assert list((package.folder / "dist").iterdir()) == []


@pytest.mark.parametrize("layer", ["dist/../dist/one.zip", pytest.param("alias/one.zip", marks=links)])
def test_refuses_a_layer_of_the_same_run(package: Project, layer: str) -> None:
    """However its path is written, what is about to be replaced is no layer."""
    if layer.startswith("alias"):
        (package.folder / "alias").symlink_to("dist")
    package.pyproject(config=f'{BUNDLES}exclude-layers = ["{layer}"]')
    assert bundle("one").exit_code == 0

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "would be written by this very run" in outcome.message


def other_zips(path: Path) -> set[str]:
    """Return the ZIPs that a bundle holds, but the one that is the project's own."""
    return {name for name in contents(path) if name.endswith(".zip")} - {"my_fn/data.zip"}


@pytest.mark.parametrize(
    ("output", "digits"),
    [
        pytest.param("my_fn/{name}-{sha256}.zip", 64, id="whole"),
        pytest.param("my_fn/{name}-{sha256:12}.zip", 12, id="short"),
        pytest.param("my_fn/by-{sha256:8}/{bundle}.zip", 8, id="folder"),
    ],
)
def test_name_that_changes_with_the_content(package: Project, output: str, digits: int) -> None:
    """Each content has a name of its own, told in the report; older ones stay, and are not bundled."""
    first, again = (bundle("-o", output, "--format", "json").report for _ in range(2))
    package.write({"my_fn/__init__.py": "changed = True\n"})
    foreseen = bundle("-o", output, "--format", "json", "--dry-run").report
    changed = bundle("-o", output, "--format", "json").report

    expected = [
        str(package.folder / output.format_map({"name": "my-fn", "bundle": "my-fn", "sha256": Cut(r)}))
        for r in (first["sha256"], changed["sha256"])
    ]
    assert [r["output"] for r in (first, again, foreseen, changed)] == [expected[0]] * 2 + [expected[1]] * 2
    assert [r["status"] for r in (first, again, changed)] == ["written", "unchanged", "written"]
    assert foreseen["changed"]
    assert all(Path(path).is_file() and other_zips(Path(path)) == set() for path in expected)
    assert len(expected[0]) == len(expected[1])
    assert first["sha256"][:digits] in expected[0]
    # nothing else was left there
    written = {path for path in package.folder.rglob("*.zip") if path.name != "data.zip"}
    assert written == set(map(Path, expected))


class Cut(str):
    """A digest of which a format's number of digits is taken."""

    __slots__ = ()

    def __format__(self, digits: str) -> str:
        return self[: int(digits or 64)]


def test_bundles_of_one_content_have_one_file(package: Project) -> None:
    """Where the name is the content's, two bundles that are the same may share it."""
    package.pyproject(config=f'runtime = "python3.13"\noutput = "dist/{{sha256}}.zip"\n{BUNDLES}')

    outcome = bundle("--format", "json")

    reports = json.loads(outcome.output)["bundles"]
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert {r["output"] for r in reports} == {str(package.folder / f"dist/{reports[0]['sha256']}.zip")}
    assert [path.stem for path in (package.folder / "dist").iterdir()] == [reports[0]["sha256"]]


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["", "dry-run"])
def test_refuses_one_name_for_two_contents(package: Project, more: list[str]) -> None:
    """Of seventeen digests two begin alike: nothing is written."""
    names = [f"b{number}" for number in range(17)]
    package.write({f"{name}.txt": name for name in names})
    tables = "".join(f'[tool.poetry-lambda-plugin.bundles.{n}]\ninclude = ["{n}.txt"]\n' for n in names)
    package.pyproject(config=f'runtime = "python3.13"\noutput = "out/{{sha256:1}}.zip"\n{tables}')

    outcome = bundle(*more)

    assert outcome.exit_code == 1
    assert re.fullmatch(
        re.escape(f"Two different files would be written to {package.folder}/out/")
        + r"[0-9a-f]\.zip\. Leave room for more digits, as in \{sha256:12\}, or for \{bundle\}\.",
        outcome.message,
    )
    assert not (package.folder / "out").exists()


def test_name_that_is_not_known_yet(project: Project) -> None:
    """A dry run without the files says what it knows."""
    from tests.support.wheels import make_wheel

    wheel = make_wheel("greeting")
    project.pyproject(dependencies=["greeting"])
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)])

    report = bundle("-o", "{name}-{sha256:12}.zip", "--dry-run", "--format", "json").report

    assert report["output"] == str(project.folder / "my-fn-{sha256:12}.zip")


@pytest.mark.parametrize("placeholder", ["{sha256:0}", "{sha256:65}", "{sha256:x}", "{sha256!r}", "{sha1}"])
def test_refuses_other_digests(package: Project, placeholder: str) -> None:
    """A digest has 1 to 64 digits."""
    outcome = bundle("-o", f"{placeholder}.zip")

    assert outcome.exit_code == 1
    assert f"has an unknown placeholder {placeholder}. Known: {{name}}" in outcome.message


def test_refuses_to_replace_what_has_the_name(package: Project) -> None:
    """What is no ZIP stays, also where its name is known only when all is written."""
    report = bundle("--format", "json", "--dry-run").report
    taken = package.folder / f"dist/{report['sha256'][:12]}.zip"
    package.write({f"dist/{taken.name}": "words"})

    outcome = bundle("-o", "dist/{sha256:12}.zip")

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The bundle can't be written to {taken}: it is there and no ZIP, and would be lost. "
        "Choose another --output."
    )
    assert [(path.name, path.read_text()) for path in (package.folder / "dist").iterdir()] == [
        (taken.name, "words")
    ]
