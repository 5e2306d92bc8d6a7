"""Where the megabytes go: --explain, measured savings and --diff."""

from __future__ import annotations

import sys
import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


RUNTIME = f"python3.{sys.version_info.minor}"

CODE = "import boto3\n\nS3 = boto3.client('s3')\n\ndef handler(event, context):\n    return 1\n"


def lock(project: Project, index: Index, wheels: Mapping[MadeFile, tuple[str, ...]], *direct: str) -> None:
    """Lock wheels, each with what it needs."""
    index.add(*wheels)
    locked = [Locked.of(wheel, dependencies=dict.fromkeys(needs, "*")) for wheel, needs in wheels.items()]
    project.pyproject(dependencies=direct, source=index.url, config='runtime = "python3.12"')
    project.lock(locked, source=index.url)


def stored(name: str, version: str = "1.0", files: Mapping[str, str] | None = None) -> MadeFile:
    """Make a wheel whose sizes don't depend on the zlib of this machine."""
    return make_wheel(name, version, files, compression=zipfile.ZIP_STORED)


@pytest.fixture
def explained(project: Project, index: Index) -> Project:
    """A project to which every saving applies."""
    boto3 = {"boto3/__init__.py": "#" * 1000}
    botocore = {
        "botocore/__init__.py": "",
        "botocore/data/s3/s.json": "3" * 2000,
        "botocore/data/ec2/s.json": "2" * 5000,
    }
    tool = {
        "tool/__init__.py": "",
        "tool/tests/x.py": "x" * 300_000,
        "tool/x.pyi": "x" * 4000,
        "tool/x.h": "x" * 3000,
        "tool/x.pyx": "x" * 100,
        "docs/x.html": "x" * 2000,
    }
    wheels = {
        stored("boto3", files=boto3): ("botocore", "shared"),
        stored("botocore", files=botocore): ("shared",),
        stored("shared"): (),
        stored("tool", "2.1", files=tool): ("shared",),
    }
    project.write({"my_fn.py": CODE})
    lock(project, index, wheels, "boto3", "tool")
    return project


def zip_path(project: Project) -> Path:
    return project.folder / "dist/my-fn.zip"


TABLE = """
  Package       Zipped  Unzipped   Share  Why
  tool 2.1      0.3 MB    0.3 MB  96.9 %  tool
  botocore 1.0  8.1 KB    7.4 KB   2.4 %  boto3 → botocore
  boto3 1.0     1.8 KB    1.4 KB   0.4 %  boto3
  my-fn 0.1.0   0.9 KB    0.5 KB   0.2 %  the project
  shared 1.0    0.9 KB    0.4 KB   0.1 %  boto3 → shared

  Largest files                  Zipped  Unzipped
  tool/tests/x.py                0.3 MB    0.3 MB
  botocore/data/ec2/s.json       5.0 KB    4.9 KB
  tool/x.pyi                     4.0 KB    3.9 KB
  tool/x.h                       3.0 KB    2.9 KB
  botocore/data/s3/s.json        2.1 KB    2.0 KB
  docs/x.html                    2.0 KB    2.0 KB
  boto3/__init__.py              1.1 KB    1.0 KB
  tool-2.1.dist-info/RECORD      0.7 KB    0.6 KB
  botocore-1.0.dist-info/RECORD  0.6 KB    0.4 KB
  boto3-1.0.dist-info/RECORD     0.4 KB    0.3 KB

  Not used yet                                    Zipped  Unzipped
  exclude = ["@tests"] would save                 0.3 MB    0.3 MB
  exclude-runtime-packages = true would save     10.0 KB    8.7 KB
  botocore-services = "auto" would save           5.0 KB    4.9 KB    does not look into dependencies
  exclude = ["@type-stubs"] would save            4.0 KB    3.9 KB
  exclude = ["@headers-and-sources"] would save   3.2 KB    3.0 KB
  exclude = ["@docs"] would save                  2.0 KB    2.0 KB
  all together would save                         0.3 MB    0.3 MB

  Nothing else in the bundle imports tool: is it needed? (Plugins and drivers may be loaded by name.)
"""


def table(output: str) -> str:
    """Return what is below the summary."""
    return output.partition("  CodeSha256  ")[2].partition("\n")[2]


def test_explain_table(explained: Project) -> None:
    """The whole output below the summary: packages by size with their reason, then the savings."""
    outcome = bundle("--explain")

    assert outcome.error == ""
    assert table(outcome.output) == TABLE


def test_explain_in_a_dry_run(explained: Project) -> None:
    """With all files at hand, a dry run explains as the real one does."""
    real = bundle("--explain")
    zip_path(explained).unlink()

    planned = bundle("--explain", "--dry-run")

    assert table(planned.output) == table(real.output) != ""
    assert not zip_path(explained).exists()


def test_explain_in_a_dry_run_without_files(explained: Project) -> None:
    """Without the files there is a note instead of a table."""
    outcome = bundle("--explain", "--dry-run")

    assert "Why" not in outcome.output
    assert "so sizes and digest are unknown." in outcome.output


def test_no_table_unless_asked_for(explained: Project) -> None:
    """The table is for those who ask."""
    assert table(bundle().output) == ""


def savings(*arguments: str) -> dict[str, dict[str, int]]:
    outcome = bundle("--format", "json", "--explain", *arguments)
    return {saving["option"]: saving for saving in outcome.report["explanation"]["savings"]}


SAVINGS = [
    pytest.param('exclude = ["@tests"]', (), id="tests"),
    pytest.param('exclude = ["@type-stubs"]', ("--layer",), id="type-stubs-of-a-layer"),
    pytest.param('botocore-services = "auto"', (), id="services"),
    pytest.param("exclude-runtime-packages = true", ("--layer",), id="runtime-packages-of-a-layer"),
]


@pytest.mark.parametrize(("option", "layer"), SAVINGS)
def test_savings_are_what_the_option_brings(explained: Project, option: str, layer: tuple[str, ...]) -> None:
    """What is promised is what the bundle loses; but for the RECORD, which has a row less for each file."""
    promised = savings(*layer)[option]
    arguments = ("--format", "json", *layer)
    before = bundle(*arguments).report
    text = (explained.folder / "pyproject.toml").read_text()
    explained.write(
        {"pyproject.toml": text.replace('runtime = "python3.12"', f'runtime = "python3.12"\n{option}')}
    )

    after = bundle(*arguments).report

    record = 0 if option.startswith("exclude-runtime") else 600
    for kind in ("unzipped_bytes", "zipped_bytes"):
        lost = before[kind] - after[kind]
        assert promised[kind] <= lost <= promised[kind] + record
    assert option not in savings(*layer)


def test_explanation_in_json(explained: Project) -> None:
    """A program gets the paths and the savings as numbers."""
    explanation = bundle("--format", "json", "--explain", "--exclude", "@docs").report["explanation"]

    assert explanation["paths"] == {
        "boto3": ["boto3"],
        "botocore": ["boto3", "botocore"],
        "shared": ["boto3", "shared"],
        "tool": ["tool"],
    }
    tests = explanation["savings"][0]
    assert (tests["option"], tests["unzipped_bytes"]) == ('exclude = ["@tests"]', 300_000)
    assert 'exclude = ["@docs"]' not in [saving["option"] for saving in explanation["savings"]]


def test_json_has_no_explanation_unless_asked_for(explained: Project) -> None:
    """Both are null where nobody asked."""
    report = bundle("--format", "json").report

    assert (report["explanation"], report["differences"]) == (None, None)


def release(project: Project, index: Index, *wheels: MadeFile) -> None:
    project.write({"my_fn.py": ""})
    lock(project, index, dict.fromkeys(wheels, ()), *(wheel.filename.split("-")[0] for wheel in wheels))


@pytest.fixture
def changed(project: Project, index: Index) -> Project:
    """A project bundled to old.zip, after which one package grew, one came, one went and one stayed."""
    same = stored("same")
    release(project, index, same, stored("grown", files={"g.py": "#"}), stored("gone"))
    assert bundle("-o", "old.zip").exit_code == 0
    release(project, index, same, stored("grown", "2.0", {"g.py": "#" * 20_001}), stored("new"))
    return project


def differences(*arguments: str) -> list[dict[str, Any]]:
    outcome = bundle("--format", "json", *arguments)
    assert outcome.exit_code == 0, outcome.error
    found = outcome.report["differences"]
    assert isinstance(found, list)
    return found


def test_diff_tells_what_changed(changed: Project) -> None:
    """By package: what grew most first, what is new, what is gone; what is the same is not named."""
    by_name = {difference["name"]: difference for difference in differences("--diff", "old.zip")}

    assert list(by_name) == ["grown", "new", "my-fn", "gone"]
    versions = {name: (d["old_version"], d["new_version"]) for name, d in by_name.items()}
    # the project's own metadata says what it requires
    own = {"my-fn": ("0.1.0", "0.1.0")}
    assert versions == {"grown": ("1.0", "2.0"), "new": (None, "1.0"), **own, "gone": ("1.0", None)}
    # RECORD has the file's size in decimal too: 20001 in place of 1
    assert by_name["grown"]["unzipped_bytes"] == 20_000 + 4
    assert by_name["new"]["unzipped_bytes"] == size_of(changed.folder / "dist/my-fn.zip", "new")
    assert by_name["gone"]["unzipped_bytes"] == -size_of(changed.folder / "old.zip", "gone")
    assert by_name["gone"]["zipped_bytes"] < 0 < by_name["new"]["zipped_bytes"]


def size_of(path: Path, package: str) -> int:
    return sum(len(data) for name, data in contents(path).items() if name.startswith(package))


def test_diff_in_text(changed: Project) -> None:
    """A person reads the same as a table."""
    output = bundle("--diff", "old.zip").output

    assert output.partition("\n  Changed")[2].splitlines() == [
        "            Zipped  Unzipped",
        "  grown 1.0 → 2.0  +19.5 KB  +19.5 KB",
        "  new new → 1.0     +0.8 KB   +0.4 KB",
        "  my-fn 0.1.0       +0.0 KB   -0.0 KB",
        "  gone 1.0 → gone   -0.8 KB   -0.4 KB",
    ]


def test_diff_sums_up_to_the_difference_of_the_bundles(changed: Project) -> None:
    """Nothing that changed is missing from the list."""
    report = bundle("--format", "json", "--diff", "old.zip").report

    old = contents(changed.folder / "old.zip")
    assert sum(d["unzipped_bytes"] for d in report["differences"]) == (
        report["unzipped_bytes"] - sum(map(len, old.values()))
    )
    assert sum(d["zipped_bytes"] for d in report["differences"]) == (
        report["zipped_bytes"] - (changed.folder / "old.zip").stat().st_size
    )


@pytest.mark.parametrize("layer", [pytest.param((), id="function"), pytest.param(("--layer",), id="layer")])
def test_diff_against_the_output_itself(locked_project: Project, layer: tuple[str, ...]) -> None:
    """The old bundle is read before it is replaced; when nothing changed, that is said."""
    bundle("-o", "a.zip", *layer)

    outcome = bundle("-o", "a.zip", "--diff", "a.zip", *layer)

    assert "a.zip is unchanged" in outcome.output
    assert "\nNo package differs in version or size.\n" in outcome.output
    locked_project.write({"my_fn.py": "X = 1\n" * 100})
    assert [d["name"] for d in differences("-o", "a.zip", "--diff", "a.zip", *layer)] == ["my-fn"]


def test_diff_of_a_project_without_a_package(locked_project: Project) -> None:
    """Its files are in no RECORD, and still the project's: it does not differ from itself."""
    text = (locked_project.folder / "pyproject.toml").read_text()
    locked_project.write({"pyproject.toml": f"{text}\n[tool.poetry]\npackage-mode = false\n"})
    bundle("-o", "a.zip")

    outcome = bundle("-o", "a.zip", "--diff", "a.zip")

    assert "\nNo package differs in version or size.\n" in outcome.output
    locked_project.write({"my_fn.py": "X = 1\n" * 100, "more.py": ""})
    (change,) = differences("-o", "a.zip", "--diff", "a.zip")
    assert (change["name"], change["old_version"], change["new_version"]) == ("my-fn", "0.1.0", "0.1.0")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--runtime", RUNTIME, "--bytecode", "checked-hash"), id="bytecode"),
        pytest.param(("--exclude", "RECORD"), id="no-records"),
        pytest.param(("--no-root",), id="no-root"),
    ],
)
def test_no_bundle_differs_from_itself(changed: Project, arguments: tuple[str, ...]) -> None:
    """Whatever is in no RECORD, or in two."""
    changed.write({"my_fn.py": "X = 1\n"})
    assert bundle("-o", "a.zip", *arguments).exit_code == 0

    assert differences("-o", "b.zip", "--diff", "a.zip", *arguments) == []


def test_shared_files_are_no_difference(project: Project, index: Index) -> None:
    """A file that two packages have with the same bytes belongs to one of them, in the old bundle too."""
    shared = {"space/__init__.py": "#" * 100}
    one, two = stored("one", files={**shared, "space/one.py": ""}), stored("two", files=shared)
    release(project, index, one, two)
    bundle("-o", "a.zip")

    assert differences("-o", "b.zip", "--diff", "a.zip") == []


def test_diff_in_a_dry_run(changed: Project) -> None:
    """A dry run with all files at hand tells what would change."""
    real = differences("--diff", "old.zip")

    assert differences("--diff", "old.zip", "--dry-run") == real


def test_diff_in_a_dry_run_without_files(changed: Project) -> None:
    """Without sizes there is nothing to compare, which a note says."""
    outcome = bundle("--diff", "old.zip", "--dry-run")

    assert outcome.exit_code == 0
    assert outcome.output.endswith(
        "Note: Without sizes --diff has nothing to compare: run the command without --dry-run.\n"
    )
    assert bundle("--diff", "old.zip", "--dry-run", "--format", "json").report["differences"] is None


def test_refuses_old_bundle(locked_project: Project) -> None:
    """A ZIP to compare with that can't be read is an error, and nothing is fetched or written."""
    outcome = bundle("--diff", "old.zip")

    assert outcome.exit_code == 1
    assert outcome.message.startswith(f"--diff: {locked_project.folder / 'old.zip'} can't be read: ")
    assert not (locked_project.folder / "dist").exists()
