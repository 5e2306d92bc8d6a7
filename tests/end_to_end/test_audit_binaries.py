"""What the audit finds in whole bundles: code that can't run, layouts that can't be imported, junk."""

from __future__ import annotations

import io
import json
import zipfile

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit import elf_reader
from tests.support.elf import AARCH64
from tests.support.elf import make_elf
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


TAG = "cp312-cp312-manylinux2014_x86_64"
MODULE = "_fast.cpython-312-x86_64-linux-gnu.so"
SOUND = make_elf(module="_fast", needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.17",)})
TOO_NEW = make_elf(module="_fast", needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.38",)})


def native(name: str, files: dict[str, bytes], tag: str = TAG) -> MadeFile:
    return make_wheel(name, files={f"{name}/__init__.py": b"", **files}, tag=tag)


def lock(project: Project, index: Index, *wheels: MadeFile, config: str = "") -> None:
    """Lock wheels for Python 3.12, beside a project of one module."""
    index.add(*wheels)
    names = [wheel.filename.partition("-")[0] for wheel in wheels]
    project.pyproject(dependencies=names, source=index.url, config=f'runtime = "python3.12"\n{config}')
    project.write({"my_fn.py": "def handler(event, context): ...\n"})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)


@pytest.fixture
def lying(project: Project, index: Index) -> Project:
    """Lock a wheel whose tag lies, beside one whose tag is true."""
    lock(
        project,
        index,
        native("lies", {f"lies/{MODULE}": TOO_NEW}),
        native("true", {f"true/{MODULE}": SOUND, "true/data.so": b"x" * 99}),
    )
    return project


def test_a_tag_that_lies_is_told(lying: Project) -> None:
    """The warning says what is needed, what there is, and what to type."""
    outcome = bundle()

    assert outcome.exit_code == 0
    assert outcome.message == (
        f"Warning: lies/{MODULE} of lies can't be loaded on python3.12 on x86_64: it needs GLIBC_2.38, and "
        f"the runtime has glibc 2.34. Lock another version of lies, or let Poetry compile it, with `poetry "
        f"config --local installer.no-binary lies`, on AWS's own image: docker run --rm --platform "
        f"linux/amd64 -v "
        '"${PWD}:/work" -w /work public.ecr.aws/sam/build-python3.12:latest-x86_64 sh -c "pip install -q '
        'poetry poetry-lambda-plugin && poetry lambda-bundle --runtime python3.12 --architecture x86_64"'
    )
    assert (lying.folder / "dist/my-fn.zip").is_file()


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        pytest.param("import lies", "error", id="imported"),
        pytest.param("from lies import _fast", "error", id="from-its-package"),
        pytest.param("try:\n    import lies\nexcept ImportError:\n    lies = None", "warning", id="guarded"),
        pytest.param("def late():\n    import lies", "warning", id="in-a-function"),
        pytest.param("import true", "warning", id="not-imported"),
    ],
)
def test_what_the_handler_can_not_do_without_is_an_error(
    project: Project, index: Index, code: str, severity: str
) -> None:
    """Nothing is written where the handler's own import would fail; the rest is a warning."""
    native_init = b"from lies._fast import *\n"
    lies = make_wheel("lies", files={"lies/__init__.py": native_init, f"lies/{MODULE}": TOO_NEW}, tag=TAG)
    lock(project, index, lies, native("true", {f"true/{MODULE}": SOUND}), config='handler = "my_fn.handler"')
    project.write({"my_fn.py": f"{code}\n\ndef handler(event, context): ...\n"})

    outcome = bundle("--format", "json")

    (finding,) = json.loads(outcome.output)["bundles"][0]["findings"]
    assert (finding["code"], finding["severity"]) == ("binary-version", severity)
    assert (outcome.exit_code == 1) is (severity == "error")
    assert (project.folder / "dist/my-fn.zip").is_file() is (severity == "warning")
    if severity == "error":
        assert outcome.message.endswith(" Should this be wrong, write ignore = ['binary-version:lies'].")
        assert bundle("--no-audit").exit_code == 0


def test_strict_ignore_and_json(lying: Project) -> None:
    """It is an error with `strict`, silent where it is ignored, and JSON has its severity."""
    strict = bundle("--strict")
    assert (strict.exit_code, (lying.folder / "dist").exists()) == (1, False)

    report = bundle("--format", "json").report
    assert [(f["code"], f["where"], f["severity"]) for f in report["findings"]] == [
        ("binary-version", "lies", "warning")
    ]
    assert len(report["warnings"]) == 1

    pyproject = lying.folder / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text().replace(
            'runtime = "python3.12"', 'runtime = "python3.12"\nignore = ["binary-version:lies"]'
        )
    )
    ignored = bundle("--strict")
    assert (ignored.exit_code, ignored.error) == (0, "")


def test_a_wheel_is_looked_at_once(lying: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out of a locked wheel is kept in Poetry's cache, and found again without reading it."""
    first = bundle("--format", "json").report["findings"]
    monkeypatch.delattr(elf_reader, "read_elf")

    assert bundle("--format", "json", "-o", "two.zip").report["findings"] == first


@pytest.mark.parametrize("note", ["", "[]", '{"lies/x": 1}', '{"lies/x": ["x64"]}', "{"])
def test_a_damaged_note_is_no_matter(lying: Project, tmp_path: Path, note: str) -> None:
    """What the cache keeps of a wheel is believed in its own form alone."""
    first = bundle("--format", "json").report["findings"]
    notes = [*(tmp_path / "cache").rglob("_audit_/*/*.json")]
    for path in notes:
        path.write_text(note)

    assert bundle("--format", "json", "-o", "two.zip").report["findings"] == first
    assert notes


def test_arm64_in_a_wheel_for_x86_64(project: Project, index: Index) -> None:
    """A file for another machine is told, unless there is one for each."""
    both = {"both/arm/tool": make_elf(machine=AARCH64), "both/x86/tool": make_elf()}
    lock(
        project,
        index,
        native("wrong", {"wrong/bin/tool": make_elf(machine=AARCH64)}, "py3-none-manylinux2014_x86_64"),
        native("both", both, "py3-none-any"),
    )

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (
        0,
        (
            "Warning: wrong/bin/tool of wrong can't be loaded on python3.12 on x86_64: it is compiled for "
            "arm64. Lock another version of wrong."
        ),
    )


def test_a_part_that_most_do_without_is_told_with_v(project: Project, index: Index) -> None:
    """A plugin's library is no warning; `-v` tells of it, and it is no error with `strict`."""
    modules = {f"dep/_{n}.so": make_elf(module=f"_{n}") for n in "abc"}
    lock(
        project,
        index,
        native("dep", {**modules, "dep/_gl.so": make_elf(module="_gl", needed=("libGL.so.1",))}),
    )

    quiet, verbose = bundle("--strict"), bundle("-v")

    assert (quiet.exit_code, quiet.error) == (0, "")
    assert verbose.error == ""
    assert (
        "  dep/_gl.so of dep can't be loaded on python3.12 on x86_64: it needs libGL.so.1, which is "
        "neither in "
        "the bundle nor on the runtime. " in verbose.output
    )


def test_a_layer_may_have_the_library(project: Project, index: Index) -> None:
    """A layer without any distribution helps with what lies in its `lib/`, and is not told to be empty."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lib/libodbc.so.2", make_elf())
    project.write({"odbc.zip": buffer.getvalue()})
    wheel = native("driver", {f"driver/{MODULE}": make_elf(module="_fast", needed=("libodbc.so.2",))})
    lock(project, index, wheel)
    without = bundle()

    lock(project, index, wheel, config='exclude-layers = ["odbc.zip"]')
    within = bundle()

    assert "it needs libodbc.so.2, which is neither in the bundle nor on the runtime." in without.message
    assert (within.exit_code, within.error) == (0, "")


def test_layout_and_junk(project: Project, index: Index) -> None:
    """What a layer cuts off, a path file that leads nowhere, and litter are told."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/acme/__init__.py", "")
        archive.writestr("python/acme/db.py", "")
        archive.writestr("python/acme_db-1.0.dist-info/METADATA", "")
    project.write(
        {
            "layer.zip": buffer.getvalue(),
            "shared/.DS_Store": "x",
            "shared/node_modules/a/index.js": "x",
            "shared/logo.svg": "x",
        }
    )
    wheel = make_wheel(
        "acme_web", files={"acme/web.py": "", "acme.pth": "vendor\n", "fine.pth": "import acme\n"}
    )
    lock(project, index, wheel, config='exclude-layers = ["layer.zip"]\ninclude = ["shared"]')

    outcome = bundle("--format", "json")

    assert outcome.exit_code == 0, outcome.error
    findings = json.loads(outcome.output)["bundles"][0]["findings"]
    assert [(finding["code"], finding["where"]) for finding in findings] == [
        ("namespace-cut", "acme/"),
        ("path-file", "acme.pth"),
        ("junk", "shared/.DS_Store"),
        ("junk", "shared/node_modules/"),
    ]
    assert findings[0]["message"] == (
        "The package acme is in the layer layer.zip and in the function, and Python sees the first alone: "
        "of the function, acme/web.py can't be imported. Put both parts in one of the two, or make acme a "
        "namespace package in both, without an __init__.py."
    )
