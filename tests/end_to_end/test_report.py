"""What a run tells: to a person, to a program, to a terminal."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import run
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


@pytest.fixture(autouse=True)
def _fixed_target(locked_project: Project) -> None:
    """Keep the default runtime out of what is compared here."""
    text = (locked_project.folder / "pyproject.toml").read_text()
    table = '[tool.poetry-lambda-plugin]\nruntime = "python3.13"\nhandler = "my_fn.handler"\n'
    (locked_project.folder / "pyproject.toml").write_text(text + table)


@pytest.fixture
def zip_path(locked_project: Project) -> Path:
    return locked_project.folder / "dist/my-fn.zip"


def code_sha256(path: Path) -> str:
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def text_report(path: Path, digest: str, verb: str) -> str:
    return f"""\
Bundling my-fn (0.1.0) for python3.13 on x86_64

  - Bundling greeting (1.0)
  - Bundling my-fn (0.1.0)

{path} {verb}
  Zipped      1.8 KB of 50 MB
  Unzipped    0.9 KB of 250 MB
  Files       8
  CodeSha256  {digest}
  Handler     my_fn.handler
"""


def test_text_of_a_written_bundle(zip_path: Path) -> None:
    """The whole output: what is bundled, path, sizes, digest and handler; fetched packages are told once."""
    outcome = bundle()

    assert outcome.error == ""
    assert outcome.output == text_report(zip_path, code_sha256(zip_path), "is written")


def test_text_of_an_unchanged_bundle(zip_path: Path) -> None:
    """A second run with the same bytes says so."""
    bundle()
    before = zip_path.stat()

    assert bundle().output == text_report(zip_path, code_sha256(zip_path), "is unchanged")
    assert (zip_path.stat().st_mtime_ns, zip_path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_text_of_a_planned_bundle(zip_path: Path) -> None:
    """A dry run with all files at hand has the digest of the bundle that it does not write."""
    bundle()
    digest = code_sha256(zip_path)
    zip_path.unlink()

    assert bundle("--dry-run").output == text_report(zip_path, digest, "would be written")


def test_text_of_a_planned_bundle_that_is_there(locked_project: Project, zip_path: Path) -> None:
    """A dry run says what the real one would: that nothing changes, or that something does."""
    bundle()

    assert bundle("--dry-run").output == text_report(zip_path, code_sha256(zip_path), "would be unchanged")
    locked_project.write({"my_fn.py": "def handler(event, context):\n    return 'changed'\n"})
    assert f"\n{zip_path} would be written\n" in bundle("--dry-run").output


def test_text_of_a_plan_without_files(zip_path: Path) -> None:
    """A dry run without the files says what it can't know."""
    assert (
        bundle("--dry-run").output
        == f"""\
Bundling my-fn (0.1.0) for python3.13 on x86_64

  - Bundling greeting (1.0)
  - Bundling my-fn (0.1.0)

{zip_path} would be written
  Handler     my_fn.handler
Note: Some files are not in Poetry's cache and a dry run asks no network, so sizes and digest are unknown.
"""
    )


def test_text_counts_what_is_left_out(locked_project: Project) -> None:
    """Files left out are counted by reason; -v lists them."""
    plain = bundle("--exclude", "WHEEL").output
    verbose = bundle("--exclude", "WHEEL", "-v").output

    assert "  Left out    2 files (excluded)\n" in plain
    assert (
        "  Left out    1 file (excluded)\n"
        in bundle("--no-audit", "--exclude", "greeting/__init__.py").output
    )
    assert "left out of greeting" not in plain
    assert "  left out of greeting: greeting-1.0.dist-info/WHEEL (excluded)\n" in verbose
    assert "  left out of my-fn: my_fn-0.1.0.dist-info/WHEEL (excluded)\n" in verbose


def test_verbose_has_sizes_by_package(locked_project: Project) -> None:
    """-v adds a table of the distributions with their files, the largest first, and where the time went."""
    output = bundle("-v").output

    table, _, last = output.partition("\n  Package")[2].partition("\nTook ")
    assert table.splitlines() == [
        "       Zipped  Unzipped   Share  From",
        "  my-fn 0.1.0   0.9 KB    0.5 KB  55.5 %  .",
        "  greeting 1.0  0.8 KB    0.4 KB  44.5 %  greeting-1.0-py3-none-any.whl",
    ]
    phases = "selecting|fetching|planning|writing|reporting"
    assert re.fullmatch(rf"\d+\.\d\d s: (({phases}) \d+\.\d\d s(, |\n)){{5}}", last)
    assert "Took" not in bundle().output


def test_verbose_without_sizes(locked_project: Project) -> None:
    """A dry run without the files has the same table."""
    table = bundle("-v", "--dry-run").output.partition("\n  Package")[2].partition("\nTook ")[0]

    assert table.splitlines() == [
        "       Zipped  Unzipped  Share  From",
        "  greeting 1.0       ?         ?      ?  greeting-1.0-py3-none-any.whl",
        "  my-fn 0.1.0        ?         ?      ?  .",
    ]


def with_three(project: Project, index: Index) -> None:
    sizes = {"large": 3_145_728, "middle": 2_000_000, "small": 150_000, "tiny": 10}
    wheels = [make_wheel(name, files={f"{name}.bin": bytes(size)}) for name, size in sizes.items()]
    index.add(*wheels)
    project.pyproject(dependencies=[*sizes], source=index.url, config='runtime = "python3.13"')
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)


def test_summary_names_the_largest(locked_project: Project, index: Index) -> None:
    """Three packages are named, by what they take unzipped; a handful of two is no list to choose from."""
    assert "Largest" not in bundle().output
    with_three(locked_project, index)

    assert "\n  Largest     large 3.0 MB, middle 1.9 MB, small 0.1 MB\n" in bundle().output
    assert "Largest" not in bundle("--dry-run", "--no-cache").output


def test_summary_colours_what_is_over_a_limit(
    locked_project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only sizes that Lambda refuses have a colour."""
    assert "\x1b" not in run("lambda-bundle", decorated=True).output.partition("/dist/")[2]
    with_wheel(locked_project, index, random.Random(1).randbytes(50 << 20), zipfile.ZIP_STORED)

    summary = run("lambda-bundle", decorated=True).output.partition("/dist/")[2].partition("\x1b[32mNote:")[0]

    assert "  Zipped      \x1b[33m50.0 MB of 50 MB\x1b[39m\n  Unzipped    50.0 MB of 250 MB\n" in summary
    assert summary.count("\x1b") == 2


def test_quiet_prints_nothing(zip_path: Path) -> None:
    """-q leaves both streams empty and still writes the bundle."""
    outcome = bundle("-q")

    assert (outcome.exit_code, outcome.output, outcome.error) == (0, "", "")
    assert zip_path.is_file()


def test_colours_without_a_terminal(locked_project: Project) -> None:
    """Where colours are wanted but no line can be rewritten, each is written once, with a green bullet."""
    output = run("lambda-bundle", decorated=True).output

    assert output.splitlines()[2] == (
        "  \x1b[32;1m-\x1b[39;22m Bundling \x1b[36mgreeting\x1b[39m (\x1b[39;1m1.0\x1b[39;22m)"
    )
    assert "\r" not in output


def test_no_ansi_is_obeyed(locked_project: Project) -> None:
    """--no-ansi prints no escape sequence."""
    assert "\x1b" not in run("lambda-bundle", "--no-ansi", decorated=True).output


def members(path: Path, package: str) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        return [m for m in archive.infolist() if m.filename.replace("_", "-").startswith(package)]


def test_json_of_a_written_bundle(zip_path: Path) -> None:
    """Every field of the schema, each true of the ZIP."""
    report = bundle("--format", "json", "--exclude", "greeting/__init__.py", "--no-audit").report

    data = zip_path.read_bytes()
    with zipfile.ZipFile(zip_path) as archive:
        unzipped = sum(member.file_size for member in archive.infolist())
        count = len(archive.infolist())
    packages = report.pop("packages")
    assert report == {
        "bundle": None,
        "project": {"name": "my-fn", "version": "0.1.0"},
        "runtime": "python3.13",
        "runtime_chosen_by": "configuration",
        "architecture": "x86_64",
        "handler": "my_fn.handler",
        "output": str(zip_path),
        "error": None,
        "unpacked": False,
        "sbom": None,
        "status": "written",
        "changed": True,
        "code_sha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "zipped_bytes": len(data),
        "unzipped_bytes": unzipped,
        "files": count,
        "bytecode": None,
        "limits": {"zipped_bytes": 52428800, "unzipped_bytes": 262144000},
        "left_out": [{"package": "greeting", "path": "greeting/__init__.py", "reason": "excluded"}],
        "left_out_packages": [],
        "layers": [],
        "layers_unzipped_bytes": 0,
        "explanation": None,
        "differences": None,
        "audit": False,
        "findings": [],
        "smoke_test": None,
        "warnings": [],
        "notes": [],
    }
    assert packages == [
        {
            "name": name,
            "version": version,
            "file": file,
            "zipped_bytes": packages[number]["zipped_bytes"],
            "unzipped_bytes": sum(member.file_size for member in members(zip_path, name)),
            "files": len(members(zip_path, name)),
        }
        for number, (name, version, file) in enumerate(
            [("greeting", "1.0", "greeting-1.0-py3-none-any.whl"), ("my-fn", "0.1.0", ".")]
        )
    ]
    # all but the archive's own end record (22 bytes) belongs to some package
    assert sum(package["zipped_bytes"] for package in packages) == len(data) - 22


def test_json_of_an_unchanged_bundle(locked_project: Project) -> None:
    """Only the status, and that nothing changed, tells a second run from the first."""
    first, second = bundle("--format", "json").report, bundle("--format", "json").report

    assert second == {**first, "error": None, "status": "unchanged", "changed": False}


def test_json_of_a_plan_without_files(locked_project: Project) -> None:
    """What a dry run can't know is null."""
    report = bundle("--format", "json", "--dry-run").report

    unknown = ("code_sha256", "sha256", "zipped_bytes", "unzipped_bytes", "files")
    assert {key: report[key] for key in unknown} == dict.fromkeys(unknown)
    assert (report["status"], report["changed"]) == ("planned", None)
    assert [p["zipped_bytes"] for p in report["packages"]] == [None, None]
    (note,) = report["notes"]
    assert note.startswith("Some files are not in Poetry's cache")


def test_json_of_a_plan_says_what_would_change(locked_project: Project, zip_path: Path) -> None:
    """A program need not compare digests to know whether a deployment is due."""
    bundle()

    assert bundle("--format", "json", "--dry-run").report["changed"] is False
    zip_path.write_bytes(EMPTY_ZIP)
    report = bundle("--format", "json", "--dry-run").report
    assert (report["status"], report["changed"]) == ("planned", True)


def test_json_has_the_schema_version(locked_project: Project) -> None:
    """A program can tell which schema it reads."""
    import json

    document: dict[str, Any] = json.loads(bundle("--format", "json").output)

    assert list(document) == ["schema_version", "error", "bundles"]
    assert document["schema_version"] == 1


def test_json_has_the_warnings(locked_project: Project) -> None:
    """Warnings are in the document, and on standard error too."""
    outcome = bundle("--format", "json", "--runtime", "python3.15")

    assert outcome.report["warnings"] == ["python3.15 is a preview on Lambda, not meant for production."]
    assert outcome.error == "Warning: python3.15 is a preview on Lambda, not meant for production.\n"


def with_wheel(project: Project, index: Index, data: bytes, compression: int) -> None:
    wheel = make_wheel("big", files={"big.bin": data}, compression=compression)
    index.add(wheel)
    project.write({"my_fn.py": "def handler(event, context): ...\n"})
    project.pyproject(dependencies=["big"], source=index.url)
    project.lock([Locked.of(wheel)], source=index.url)


@pytest.mark.parametrize(
    ("options", "deploy"),
    [
        pytest.param(
            (),
            "update-function-code --function-name NAME --s3-bucket BUCKET --s3-key my-fn.zip",
            id="function",
        ),
        pytest.param(
            ("--layer",),
            "publish-layer-version --layer-name NAME --content S3Bucket=BUCKET,S3Key=my-fn-layer.zip",
            id="layer",
        ),
    ],
)
def test_notes_the_zipped_limit(
    locked_project: Project, index: Index, options: tuple[str, ...], deploy: str
) -> None:
    """A ZIP past 50 MB is fine, also where warnings are not; a note says how it is deployed."""
    with_wheel(locked_project, index, random.Random(1).randbytes(50 << 20), zipfile.ZIP_STORED)

    outcome = bundle("--strict", *options)

    path = locked_project.folder / f"dist/my-fn{'-layer' if options else ''}.zip"
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "  Zipped      50.0 MB of 50 MB\n" in outcome.output
    assert (
        "Note: The ZIP has 50.0 MB; Lambda's API takes less than 50 MB directly, but any through S3: "
        f"`aws s3 cp {path} s3://BUCKET/ && aws lambda {deploy}`\n"
    ) in outcome.output
    report = bundle("--format", "json", *options).report
    assert f"`aws s3 cp {path} " in report["notes"][-1]
    assert report["warnings"] == []
