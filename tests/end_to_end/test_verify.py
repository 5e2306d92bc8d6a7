"""`poetry lambda-verify`: what is deployed, held against the lock and the project."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import marshal
import os
import shutil
import struct
import subprocess
import sys
import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.sources import poetry_project
from tests.support.sources import write_tree
from tests.support.wheels import make_wheel
from tests.support.wheels import record
from tests.support.zips import ENCRYPTED
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import deflated
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.runner import Outcome


PYTHON = f"python3.{sys.version_info.minor}"
"""The runtime whose bytecode the running Python makes."""

CPYTHON = f"CPython {'.'.join(map(str, sys.version_info[:3]))}"

PYC = f"greeting/__pycache__/__init__.cpython-3{sys.version_info.minor}.pyc"

WORD = "WORD = 'hello'\n"
HANDLER = "from greeting import WORD\n\ndef handler(event, context):\n    return WORD\n"


def elf(symbols: bytes) -> bytes:
    """Make a library with one segment that is loaded, and symbols that are not."""
    loaded = b"code" * 40
    size = 120 + len(loaded)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    sections = (size, 1) if symbols else (0, 0)
    head = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, sections[0], 0, 64, 56, 1, 64, sections[1], 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    return ident + head + segment + loaded + symbols


GREETING = make_wheel(
    "greeting",
    files={"greeting/__init__.py": WORD, "greeting/words.py": "ALL = ()\n"},
    entry_points="[console_scripts]\ngreet = greeting.cli:App.run\n",
)
NUMBERS = make_wheel("numbers", files={"numbers/_c.so": elf(bytes(64))}, tag="py3-none-manylinux_2_17_x86_64")
OTHER_NUMBERS = make_wheel(
    "numbers", files={"numbers/_c.so": elf(b"\1" * 64)}, tag="py3-none-manylinux_2_17_aarch64"
)
NEWER_GREETING = make_wheel("greeting", "2.0", {"greeting/__init__.py": "WORD = 'hi'\n"})


@pytest.fixture
def written(project: Project, index: Index) -> Path:
    """The bundle of a project with two locked packages, as it was written here."""
    index.add(GREETING, NUMBERS, OTHER_NUMBERS)
    project.pyproject(
        dependencies=["greeting", "numbers"],
        source=index.url,
        config=f'runtime = "{PYTHON}"',
        python=f">=3.{sys.version_info.minor}",
    )
    project.write({"my_fn.py": HANDLER})
    project.lock([Locked.of(GREETING), Locked.of(NUMBERS, OTHER_NUMBERS)], source=index.url)
    assert bundle().exit_code == 0
    return project.folder / "dist" / "my-fn.zip"


def verify(*arguments: str | Path) -> Outcome:
    return run("lambda-verify", *map(str, arguments))


def document(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Return the only bundle of a JSON report."""
    outcome = verify(*arguments, "--format", "json")
    assert outcome.exit_code == code, outcome.error
    return outcome.report


def zipped(path: Path, files: Mapping[str, bytes | str], mode: int = 0o644) -> Path:
    """Write a ZIP as other tools do: in any order, with times and entries for folders."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in sorted({name.rpartition("/")[0] for name in files} - {""}):
            archive.mkdir(folder) if sys.version_info >= (3, 11) else archive.writestr(f"{folder}/", b"")
        for name in sorted(files, reverse=True):
            member = zipfile.ZipInfo(name, (2026, 2, 2, 2, 2, 2))
            member.external_attr = (0o100000 | mode) << 16
            archive.writestr(member, files[name])
    return path


def doctored(written: Path, changes: Mapping[str, bytes | str | None]) -> Path:
    """Write a copy with some files changed, added or, for None, removed."""
    files: dict[str, bytes | str | None] = {**contents(written), **changes}
    return zipped(
        written.with_name("other.zip"), {path: data for path, data in files.items() if data is not None}
    )


def pyc(source: str, flags: int = 0, optimize: int = 0) -> bytes:
    """Compile a source as another tool would, in a folder of its own."""
    code = compile(source, "/build/greeting/__init__.py", "exec", dont_inherit=True, optimize=optimize)
    return importlib.util.MAGIC_NUMBER + struct.pack("<L", flags) + bytes(8) + marshal.dumps(code)


def told(outcome: Outcome) -> list[str]:
    """Return what is said between the heading and the conclusion."""
    return [line.strip() for line in outcome.output.splitlines()[2:] if line]


def test_what_was_written_here_is_the_same(written: Path) -> None:
    """Byte for byte, which is told so, and nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in written.parents[1].rglob("*")}

    outcome = verify(written)

    assert outcome.exit_code == 0
    assert outcome.error == ""
    assert outcome.output == (
        f"Verifying {written} against my-fn (0.1.0) for {PYTHON} on x86_64\n\n"
        "  Same content: byte for byte the ZIP that lambda-bundle writes now.\n"
    )
    assert {path: path.stat().st_mtime_ns for path in written.parents[1].rglob("*")} == before


def test_other_packing_of_the_same_files_is_the_same(written: Path, tmp_path: Path) -> None:
    """Order, times, compression and entries for folders are nothing; a folder is as good as a ZIP."""
    count = len(contents(written))
    expected = [f"Same content: {count} files as lambda-bundle writes them now."]
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(written) as archive:
        archive.extractall(folder)

    assert told(verify(doctored(written, {}))) == expected
    assert told(verify(folder)) == expected
    assert document(doctored(written, {}))["verdict"] == "same"


INFO = "greeting-1.0.dist-info"
EVIL = "WORD = 'evil'\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: {}\nRoot-Is-Purelib: true\nTag: py3-none-{}\n"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        pytest.param(
            {"greeting/__init__.py": EVIL},
            ["greeting 1.0  1 altered", "greeting/__init__.py: altered"],
            id="altered",
        ),
        pytest.param(
            {
                "greeting/__init__.py": EVIL,
                f"{INFO}/RECORD": record({"greeting/__init__.py": EVIL.encode()}, INFO),
            },
            ["greeting 1.0  1 altered; packaging only: 1 installer's own", "greeting/__init__.py: altered"],
            id="altered with its RECORD",
        ),
        pytest.param(
            {"greeting/extra.py": EVIL},
            ["greeting 1.0  1 added", "greeting/extra.py: added"],
            id="module added to a package",
        ),
        pytest.param(
            {"json.py": EVIL},
            ["(other files)  1 added", "json.py: added"],
            id="module added beside",
        ),
        pytest.param(
            {"greeting/words.py": None},
            ["greeting 1.0  1 missing", "greeting/words.py: missing"],
            id="missing",
        ),
        pytest.param(
            {PYC: pyc(EVIL)},
            [
                "greeting 1.0  1 .pyc of other code",
                f"{PYC}: .pyc of other code ({CPYTHON} makes another of its source)",
            ],
            id="forged bytecode",
        ),
        pytest.param(
            {PYC: pyc(EVIL)[:16] + b"\xa8\xff\xff\xff\x7f"},
            [
                "greeting 1.0  1 .pyc of other code",
                f"{PYC}: .pyc of other code ({CPYTHON} makes another of its source)",
            ],
            id="bytecode that asks for all memory",
        ),
        pytest.param(
            {"greeting/words.py": None, "greeting/words.pyc": pyc(EVIL)},
            [
                "greeting 1.0  1 .pyc of other code, 1 missing",
                "greeting/words.py: missing",
                f"greeting/words.pyc: .pyc of other code ({CPYTHON} makes another of its source)",
            ],
            id="forged bytecode instead of its source",
        ),
        pytest.param(
            {"greeting/hidden.pyc": pyc(EVIL)},
            ["greeting 1.0  1 added", "greeting/hidden.pyc: added (it runs without a source)"],
            id="bytecode of no source",
        ),
        pytest.param(
            {"numbers/_c.so": elf(b"")},
            ["numbers 1.0  1 stripped", "numbers/_c.so: stripped"],
            id="stripped",
        ),
        pytest.param(
            {"numbers/_c.so": elf(b"").replace(b"codecode", b"codeevil", 1)},
            ["numbers 1.0  1 altered", "numbers/_c.so: altered"],
            id="stripped of more",
        ),
        pytest.param(
            {f"{INFO}/{name}": None for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")},
            [
                "greeting 1.0  its .dist-info is removed; packaging only: 1 installer's own",
                *(f"{INFO}/{name}: missing" for name in ("METADATA", "WHEEL", "entry_points.txt")),
            ],
            id="dist-info removed",
        ),
        pytest.param(
            {
                "numbers/_c.so": elf(b"\1" * 64),
                "numbers-1.0.dist-info/WHEEL": WHEEL.format("tests", "manylinux_2_17_aarch64"),
            },
            [
                (
                    "numbers 1.0  another wheel, numbers-1.0-py3-none-manylinux_2_17_aarch64.whl instead of "
                    "numbers-1.0-py3-none-manylinux_2_17_x86_64.whl; 2 altered"
                ),
                "numbers-1.0.dist-info/WHEEL: altered",
                "numbers/_c.so: altered",
            ],
            id="same version, other wheel",
        ),
        pytest.param(
            {
                f"{INFO}/METADATA": None,
                f"{INFO}/RECORD": None,
                f"{INFO}/WHEEL": None,
                f"{INFO}/entry_points.txt": None,
                "greeting/words.py": None,
                "greeting/__init__.py": "WORD = 'hi'\n",
                "greeting-2.0.dist-info/METADATA": "Name: greeting\nVersion: 2.0\n",
            },
            [
                (
                    "greeting 1.0  2.0 instead of 1.0; 1 altered, 1 missing; "
                    "packaging only: 1 installer's own"
                ),
                "greeting-1.0.dist-info/METADATA: missing",
                "greeting-1.0.dist-info/WHEEL: missing",
                "greeting-1.0.dist-info/entry_points.txt: missing",
                "greeting-2.0.dist-info/METADATA: added",
                "greeting/__init__.py: altered",
                "greeting/words.py: missing",
            ],
            id="other version",
        ),
        pytest.param(
            {
                "numbers/_c.so": None,
                **{f"numbers-1.0.dist-info/{name}": None for name in ("METADATA", "RECORD", "WHEEL")},
            },
            [
                "numbers 1.0  missing, 4 files",
                "numbers-1.0.dist-info/METADATA: missing",
                "numbers-1.0.dist-info/WHEEL: missing",
                "numbers/_c.so: missing",
            ],
            id="package missing",
        ),
        pytest.param(
            {"boto/__init__.py": "", "boto-3.0.dist-info/RECORD": "boto/__init__.py,,\n"},
            [
                "boto  extra 3.0, 2 files",
                "boto-3.0.dist-info/RECORD: added",
                "boto/__init__.py: added",
            ],
            id="package added",
        ),
        pytest.param(
            {f"{INFO}/entry_points.txt": "[console_scripts]\ngreet = evil:run\n"},
            ["greeting 1.0  1 altered", f"{INFO}/entry_points.txt: altered"],
            id="entry point of other code",
        ),
        pytest.param(
            {"bin/greet": "from greeting.cli import App\nimport sys\nsys.exit(App.run())\nevil()"},
            ["(other files)  1 added", "bin/greet: added"],
            id="script that does more",
        ),
        pytest.param(
            {"my_fn-0.1.0.dist-info/METADATA": "Name: my-fn\nVersion: 0.1.0\nRequires-Dist: evil\n"},
            ["my-fn 0.1.0  1 altered", "my_fn-0.1.0.dist-info/METADATA: altered"],
            id="project with other requirements",
        ),
    ],
)  # fmt: skip
def test_every_change_is_found_and_named(
    written: Path, changes: Mapping[str, bytes | str | None], lines: list[str]
) -> None:
    """By package, and by file with -v; whatever the ZIP says of itself."""
    other = doctored(written, changes)

    outcome = verify(other, "-v")

    assert outcome.exit_code == 1
    assert told(outcome) == lines
    name = lines[0].split()[0]
    differs = "files of no package are" if name == "(other" else f"{name} is"
    assert outcome.message == (
        f"{other} is not what the lock and the project give now: {differs} not the same. If it was made with "
        "other options (--with, --runtime, ...), say the same ones here; -v lists the files."
    )


PIPS = "#!/usr/bin/python3\nimport sys\nfrom greeting.cli import App\nif __name__ == '__main__':\n"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({PYC: pyc(WORD)}, "1 .pyc", id="bytecode by time"),
        pytest.param({PYC: pyc(WORD, 1)}, "1 .pyc", id="bytecode by hash"),
        pytest.param(
            {PYC.replace(".pyc", ".opt-2.pyc"): pyc(WORD, 3, 2)}, "1 .pyc", id="bytecode of another level"
        ),
        pytest.param({"greeting/__init__.pyc": pyc(WORD)}, "1 .pyc", id="bytecode beside its source"),
        pytest.param(
            {f"{INFO}/INSTALLER": "pip", f"{INFO}/REQUESTED": "", f"{INFO}/uv_cache.json": "{}", ".lock": ""},
            "4 installer's own",
            id="installer's own",
        ),
        pytest.param({f"{INFO}/WHEEL": WHEEL.format("others", "any")}, "1 metadata", id="maker of the wheel"),
        pytest.param(
            {f"{INFO}/entry_points.txt": "[console_scripts]\n\ngreet=greeting.cli:App.run\n"},
            "1 metadata",
            id="entry points written otherwise",
        ),
        pytest.param(
            {
                "my_fn-0.1.0.dist-info/METADATA": (
                    "Metadata-Version: 2.1\nName: My.Fn\nVersion: 0.1.0\nSummary: x\n"
                    f"Requires-Python: >=3.{sys.version_info.minor}\n"
                    "Requires-Dist: numbers\nRequires-Dist: greeting\n\nREADME"
                )
            },
            "1 metadata",
            id="project's metadata by another builder",
        ),
        pytest.param({"bin/greet": f"{PIPS}    sys.exit(App.run())\n"}, "1 script", id="script"),
        pytest.param(
            {
                "bin/greet": (
                    "#!/bin/sh\n'''exec' \"/a long/path/python\" \"$0\" \"$@\"\n' '''\nimport sys\n"
                    "from greeting.cli import App\nif __name__ == '__main__':\n"
                    "    if sys.argv[0].endswith('.exe'):\n        sys.argv[0] = sys.argv[0][:-4]\n"
                    "    sys.exit(App.run())\n"
                )
            },
            "1 script",
            id="script with a long path",
        ),
    ],
)
def test_packaging_is_no_change(written: Path, changes: Mapping[str, bytes | str | None], line: str) -> None:
    """What looks like the changes above, and runs as it should."""
    outcome = verify(doctored(written, changes))

    assert outcome.exit_code == 0, outcome.output
    assert told(outcome)[0].startswith("Same content: ")
    assert told(outcome)[1:] == [f"Packaging only: {line}."]
    assert document(doctored(written, changes))["verdict"] == "packaging"


def test_files_that_lambda_may_not_read(written: Path) -> None:
    """The mode that zipfile gives by default lets the owner alone read; executable or not is nothing."""
    files = contents(written)

    unreadable = verify(zipped(written.with_name("other.zip"), files, 0o600), "-v")
    executable = verify(zipped(written.with_name("other.zip"), files, 0o755))

    assert unreadable.exit_code == 1
    reason = "mode 0600 lets its owner alone read it, and Lambda is another user"
    assert f"greeting/__init__.py: not readable ({reason})" in told(unreadable)
    assert executable.exit_code == 0
    assert told(executable)[1] == f"Packaging only: {len(files)} mode."


def test_bytecode_that_no_python_here_could_have_made(written: Path) -> None:
    """It is neither the same nor changed; --strict makes it an error."""
    path = "greeting/__pycache__/words.cpython-399.pyc"
    other = doctored(written, {path: b"?"})
    reason = "no CPython 3.99 is found here; `poetry python install 3.99` gets one"

    outcome, strict = verify(other, "-v"), verify(other, "--strict")

    assert outcome.exit_code == 0
    assert told(outcome) == [
        "greeting 1.0  not verified: 1 .pyc",
        f"{path}: not verified: .pyc ({reason})",
        f"Not all of it can be verified: {len(contents(written))} files as lambda-bundle writes them now.",
        "Not verified: 1 .pyc.",
        reason,
    ]
    assert document(other)["verdict"] == "unverified"
    assert strict.exit_code == 1
    assert strict.message == (
        f"{other} holds bytecode that could not be verified. (--strict makes this an error.)"
    )


def test_bytecode_that_is_asked_for(written: Path) -> None:
    """A bundle with bytecode is the same byte for byte, and one without it is but packed otherwise."""
    option = ("--bytecode", "checked-hash")
    plain = doctored(written, {})
    assert bundle(*option).exit_code == 0

    assert document(written, *option)["identical"] is True
    assert told(verify(plain, *option))[1] == "Packaging only: 3 .pyc."
    assert told(verify(written))[1] == "Packaging only: 3 .pyc."


def test_what_a_wheel_has_and_no_bundle(project: Project, index: Index) -> None:
    """Other tools leave headers, scripts and `.pth` files where they are; what is excluded is not wanted."""
    wheel = make_wheel(
        "greeting",
        files={
            "greeting.py": WORD,
            "tests.py": "",
            "here.pth": "/build\n",
            "greeting-1.0.data/headers/greeting.h": "int a;\n",
            "greeting-1.0.data/scripts/greet.sh": "#!python\nprint(1)\n",
        },
    )
    index.add(wheel)
    project.pyproject(dependencies=["greeting"], source=index.url, config='exclude = ["tests.py"]')
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)
    assert bundle().exit_code == 0
    written = project.folder / "dist" / "my-fn.zip"
    harmless = {
        "here.pth": "/build\n",
        "include/python3.12/greeting/greeting.h": "int a;\n",
        "bin/greet.sh": "#!/usr/bin/python\nprint(1)\n",
    }

    same = verify(doctored(written, harmless))
    changed = verify(doctored(written, {"tests.py": "", "here.pth": "/evil\n"}), "-v")

    assert same.exit_code == 0, same.output
    assert told(same)[1] == "Packaging only: 2 left out by lambda-bundle, 1 script."
    assert told(changed) == [
        "(other files)  2 added",
        "here.pth: added (left out: path of the build machine)",
        "tests.py: added (left out: excluded)",
    ]


def test_file_of_two_packages(project: Project, index: Index) -> None:
    """Other tools let the last one win, which is told."""
    wheels = [make_wheel(name, files={"tests/__init__.py": f"# {name}\n"}) for name in ("aaa", "bbb")]
    index.add(*wheels)
    project.pyproject(dependencies=["aaa", "bbb"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    assert bundle().exit_code == 0
    other = doctored(project.folder / "dist" / "my-fn.zip", {"tests/__init__.py": "# bbb\n"})

    outcome = verify(other, "-v")

    assert outcome.exit_code == 1
    assert told(outcome) == ["aaa 1.0  1 altered", "tests/__init__.py: altered (the one of bbb)"]


def test_package_that_is_left_to_the_runtime(written: Path, project: Project) -> None:
    """Why it is not in the bundle is told where it is there all the same."""
    outcome = verify(written, "--exclude-package", "numbers")

    assert outcome.exit_code == 1
    assert told(outcome) == ["numbers  extra 1.0, 4 files (excluded)"]


def sha256(path: Path) -> str:
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def test_digest_alone(written: Path) -> None:
    """It is that of the ZIP that would be written, or it is not, and more can't be told."""
    own, other = sha256(written), base64.b64encode(bytes(32)).decode()

    same, hexadecimal = verify("--sha256", own), verify("--sha256", base64.b64decode(own).hex())
    changed = verify("--sha256", other)

    assert same.exit_code == hexadecimal.exit_code == 0
    assert same.output == (
        f"Verifying CodeSha256 {own} against my-fn (0.1.0) for {PYTHON} on x86_64\n\n"
        "  Same content: byte for byte the ZIP that lambda-bundle writes now.\n"
    )
    assert changed.exit_code == 1
    assert changed.message == (
        f"CodeSha256 {other} is not that of the ZIP that lambda-bundle writes now: it would be {own} of "
        f"my-fn for {PYTHON} on x86_64. A digest does not tell what differs, nor whether it is packaging "
        "alone: download the ZIP, from the Code.Location of `aws lambda get-function`, and verify that."
    )


def test_digest_and_file(written: Path) -> None:
    """The file must be the one that is deployed."""
    other = doctored(written, {})

    assert verify(written, "--sha256", sha256(written)).exit_code == 0
    outcome = verify(other, "--sha256", sha256(written))

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"{other} is not the ZIP that is deployed: its CodeSha256 is {sha256(other)}, and --sha256 says "
        f"{sha256(written)}."
    )


def test_json_is_one_document(written: Path) -> None:
    """With all that differs."""
    other = doctored(written, {"greeting/words.py": None, f"{INFO}/INSTALLER": "pip"})

    report = document(other, code=1)

    assert report == {
        "bundle": None,
        "project": {"name": "my-fn", "version": "0.1.0"},
        "runtime": PYTHON,
        "architecture": "x86_64",
        "path": str(other),
        "verdict": "changed",
        "identical": False,
        "code_sha256": sha256(other),
        "expected_code_sha256": None,
        "same_files": len(contents(written)) - 1,
        "packages": [
            {
                "name": "greeting",
                "version": "1.0",
                "found_version": "1.0",
                "verdict": "changed",
                "remark": None,
                "detail": "",
                "files": [
                    {
                        "path": f"{INFO}/INSTALLER",
                        "verdict": "packaging",
                        "kind": "installer",
                        "detail": "",
                    },
                    {"path": "greeting/words.py", "verdict": "changed", "kind": "missing", "detail": ""},
                ],
            }
        ],
    }
    assert json.loads(verify(other, "--format", "json").output)["error"].startswith(f"{other} is not what")


def test_bundle_whose_output_it_is(project: Project) -> None:
    """Of several bundles and architectures; for another file it must be said."""
    project.pyproject(
        config='architecture = ["x86_64", "arm64"]\n'
        "[tool.poetry-lambda-plugin.bundles.api]\n"
        'include = ["api.txt"]\n'
        "[tool.poetry-lambda-plugin.bundles.worker]\n"
    )
    project.write({"my_fn.py": "", "api.txt": ""})
    project.lock([])
    assert bundle().exit_code == 0
    dist = project.folder / "dist"
    api = zipped(dist / "copy.zip", contents(dist / "api-arm64.zip"))

    found = document(dist / "api-arm64.zip")
    unclear = verify(api)
    between = verify(api, "api")
    named = document(api, "api", "--architecture", "arm64")
    worker = verify("--sha256", sha256(dist / "api-arm64.zip"), "--bundle", "worker")

    assert (found["bundle"], found["architecture"], found["identical"]) == ("api", "arm64", True)
    assert unclear.exit_code == between.exit_code == worker.exit_code == 1
    assert unclear.message == (
        f"{api} is the output of none of the 4 bundles that are configured, so which one it should be is "
        f"unclear. Say it: `poetry lambda-verify {api} api`, `poetry lambda-verify {api} worker`."
    )
    assert between.message.endswith(
        f"Say it: `poetry lambda-verify {api} api --architecture x86_64`, "
        f"`poetry lambda-verify {api} api --architecture arm64`."
    )
    assert (named["bundle"], named["architecture"], named["verdict"]) == ("api", "arm64", "same")
    of_digest = verify("--sha256", sha256(dist / "api-arm64.zip"), "--format", "json")
    assert of_digest.exit_code == 0
    verdicts = [(found["bundle"], found["verdict"]) for found in json.loads(of_digest.output)["bundles"]]
    assert verdicts == [("api", "same"), ("api", "same"), ("worker", "changed"), ("worker", "changed")]


def test_layer_is_no_function(written: Path, tmp_path: Path) -> None:
    """Nor the other way round; what is typed decides what it should be."""
    layer = tmp_path / "layer.zip"
    assert bundle("--layer", "-o", str(layer)).exit_code == 0

    assert document(layer, "--layer")["identical"] is True
    taken_for_function, taken_for_layer = verify(layer), verify(written, "--layer")

    assert taken_for_function.exit_code == taken_for_layer.exit_code == 1
    assert taken_for_function.message == (
        f"{layer} looks like a layer: all that it holds lies below python/. Say --layer, or name a bundle "
        "that has layer = true, to have it verified as one."
    )
    assert taken_for_layer.message == (
        f"{written} looks like no such layer: nothing in it lies below python/, where a layer's files "
        "belong. Drop --layer, or name a bundle of a function, to have it verified as one."
    )


def test_bundle_of_another_project(written: Path) -> None:
    """Its differences would tell nothing; a bundle without the project is this one's all the same."""
    other = zipped(
        written.with_name("other.zip"),
        {"shop.py": "", "shop-1.0.dist-info/RECORD": "", "numbers/_c.so": elf(b"")},
    )
    dependencies = {p: None for p in contents(written) if p.startswith("my_fn")}

    outcome = verify(other)

    assert outcome.exit_code == 1
    assert outcome.output == ""
    assert outcome.message == (
        f"{other} looks like the bundle of another project: it holds nothing of my-fn, and 1 of the 2 "
        "packages it needs. It has shop. Run the command in the folder of the project that it is of."
    )
    assert told(verify(doctored(written, dependencies))) == ["my-fn 0.1.0  missing, 4 files"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"no ZIP", "it is not a ZIP archive, or it is cut off", id="no ZIP"),
        pytest.param(zip_bytes([]), "it holds no file", id="empty"),
        pytest.param(
            zip_bytes([Raw("my_fn.py", b"a", flags=ENCRYPTED)]),
            "member 'my_fn.py': it is encrypted",
            id="encrypted",
        ),
        pytest.param(
            zip_bytes([Raw("my_fn.py", HANDLER.encode(), compressed=b"?")]),
            "member 'my_fn.py': it can't be decompressed "
            "(Error -3 while decompressing data: invalid block type)",
            id="damaged",
        ),
        pytest.param(
            zip_bytes([Raw("my_fn.py", HANDLER.encode(), compressed=deflated(bytes(1 << 20)))]),
            f"member 'my_fn.py': it is larger than the {len(HANDLER)} bytes stated",
            id="bomb",
        ),
        pytest.param(
            zip_bytes([Raw("my_fn.py"), Raw("my_fn.py")]),
            "member 'my_fn.py': it is in the archive twice",
            id="one name twice",
        ),
        pytest.param(
            zip_bytes([Raw("ü.py", flags=UTF8), Raw("ü.py")]),
            "two of its members would be unpacked to one place",
            id="one name in two encodings",
        ),
    ],
)
def test_zip_that_can_not_be_trusted(written: Path, data: bytes, reason: str) -> None:
    """What is wrong with it is said, of the file that was named."""
    path = written.with_name("other.zip")
    path.write_bytes(data)

    outcome = verify(path)

    assert outcome.exit_code == 1
    assert outcome.message == f"{path} can't be verified: {reason}."


def test_names_that_are_not_said_to_be_utf_8(written: Path, project: Project) -> None:
    """Linux's `zip` writes them so, and they are unpacked as they are."""
    project.write({"ü.txt": ""})
    assert bundle("--include", "ü.txt").exit_code == 0
    path = written.with_name("other.zip")
    path.write_bytes(zip_bytes([Raw(name, data) for name, data in contents(written).items()]))

    assert document(path, "--include", "ü.txt")["verdict"] == "same"


def test_link_in_a_zip(written: Path) -> None:
    """It is what it points to that would run."""
    path = written.with_name("other.zip")
    files = [Raw(name, data) for name, data in contents(written).items() if name != "my_fn.py"]
    path.write_bytes(zip_bytes([*files, Raw("my_fn.py", HANDLER.encode(), mode=0o120777)]))

    outcome = verify(path, "-v")

    assert outcome.exit_code == 1
    assert told(outcome) == ["my-fn 0.1.0  1 a link", "my_fn.py: a link"]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights there")
def test_folder_that_holds_more_than_files(tmp_path: Path, written: Path) -> None:
    """A link may lead anywhere, and a pipe would be waited for."""
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.mkdir()
    pipe.mkdir()
    (link / "my_fn.py").symlink_to("/etc/passwd")
    os.mkfifo(pipe / "my_fn.py")

    assert verify(link).message == (
        f"{link} can't be verified: 'my_fn.py' is a link, and a bundle holds files only. "
        "Copy it with `cp -rL` first."
    )
    assert verify(pipe).message == (
        f"{pipe} can't be verified: 'my_fn.py' is no regular file, and a bundle holds nothing else."
    )
    assert verify(pipe / "my_fn.py").message == (
        f"{pipe / 'my_fn.py'} can't be verified: it is no regular file."
    )
    assert verify(tmp_path / "none").message == (
        f"{tmp_path / 'none'} can't be verified: No such file or directory."
    )


def test_what_is_asked_must_be_clear(written: Path, tmp_path: Path) -> None:
    """A digest must be one, and of a ZIP."""
    assert verify().message == (
        "Name what is to be verified: `poetry lambda-verify ZIP`, or --sha256 with the CodeSha256 that "
        "Lambda reports."
    )
    assert verify("--sha256", "abc").message == (
        "--sha256 must be the CodeSha256 that Lambda reports, 44 characters of base64, not 'abc'."
    )
    assert verify(tmp_path, "--sha256", sha256(written)).message == (
        f"--sha256 is of a ZIP, and {tmp_path} is a folder. Drop one of them."
    )
    assert verify(written, "apo").exit_code == 1
    assert verify(written, "--strip").message.startswith("There is no option --strip. Did you mean --strict?")


def test_nothing_is_needed_but_what_is_read(written: Path, project: Project, index: Index) -> None:
    """Neither an output that could be written to, nor the index, once the wheels are cached."""
    copy = project.folder.parent / "copy.zip"
    shutil.copy(written, copy)
    shutil.rmtree(written.parent)
    written.parent.write_bytes(b"")
    index.close()

    assert verify(copy).exit_code == 0
    assert not [path for path in project.folder.iterdir() if path.suffix == ".zip"]


def test_lock_that_is_not_there(written: Path, project: Project) -> None:
    """It is the usual error."""
    (project.folder / "poetry.lock").unlink()

    outcome = verify(written)

    assert outcome.exit_code == 1
    assert "poetry.lock" in outcome.message


def test_zip_among_the_files_of_the_project(project: Project) -> None:
    """It is no part of itself, though the project would include it."""
    project.pyproject(config='include = ["data/*"]')
    project.write({"my_fn.py": "", "data/a.txt": ""})
    project.lock([])
    written = project.folder / "data" / "function.zip"
    assert bundle("-o", str(written)).exit_code == 0

    assert document(written)["identical"] is True


def test_changed_project_is_told(written: Path, project: Project) -> None:
    """What was deployed is older than what there is now."""
    project.write({"my_fn.py": "import json\n"})

    outcome = verify(written, "-v")

    assert outcome.exit_code == 1
    assert told(outcome) == [
        "my-fn 0.1.0  1 altered; packaging only: 1 installer's own",
        "my_fn.py: altered",
    ]


def test_newer_lock_is_told(written: Path, project: Project, index: Index) -> None:
    """By the version that is deployed and the one that is locked."""
    index.add(NEWER_GREETING)
    project.lock([Locked.of(NEWER_GREETING), Locked.of(NUMBERS)], source=index.url)

    outcome = verify(written)

    assert outcome.exit_code == 1
    assert told(outcome) == ["greeting 2.0  1.0 instead of 2.0; 1 altered, 1 added"]


def installed_by(project: Project, installer: list[str]) -> Path:
    """Have a tool install what is locked, and the project, to a folder, without asking any index."""
    wheels = project.folder.parent / "wheels"
    wheels.mkdir()
    for wheel in (GREETING, NUMBERS):
        (wheels / wheel.filename).write_bytes(wheel.data)
    assert run("build", "-f", "wheel", "-o", str(wheels)).exit_code == 0
    folder = project.folder.parent / "installed"
    subprocess.run(
        [*installer, "--no-index", "--no-deps", "--target", str(folder), *map(str, wheels.iterdir())],
        check=True,
        capture_output=True,
    )
    return folder


def test_pip(written: Path, project: Project) -> None:
    """`pip install -t`, as a folder and zipped, adds bytecode, scripts and words of its own."""
    pytest.importorskip("pip")
    folder = installed_by(project, [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"])
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    for path in (folder, zipped(written.with_name("other.zip"), files)):
        outcome = verify(path)

        assert outcome.exit_code == 0, outcome.output
        counts = "3 .pyc, 12 installer's own, 2 metadata, 1 script"
        assert told(outcome)[-1] == f"Packaging only: {counts}."


def test_pip_with_a_path_dependency(project: Project, tmp_path: Path) -> None:
    """What is built from a folder has other metadata by each builder, and the same code."""
    pytest.importorskip("pip")
    write_tree(tmp_path / "common", poetry_project("common-code"))
    tool = '[tool.poetry.dependencies]\ncommon-code = {path = "../common"}\n'
    project.pyproject(dependencies=["common-code"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([Locked("common-code", "1.0", source={"type": "directory", "url": "../common"})])
    folder, wheels = tmp_path / "installed", tmp_path / "wheels"
    for place in (project.folder, tmp_path / "common"):
        assert run("-C", str(place), "build", "-f", "wheel", "-o", str(wheels)).exit_code == 0
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile")
    subprocess.run([*pip, "--target", str(folder), *map(str, wheels.iterdir())], check=True)

    outcome = verify(folder)

    assert outcome.exit_code == 0, outcome.output
    assert told(outcome)[-1] == "Packaging only: 8 installer's own, 4 metadata."


def test_uv(written: Path, project: Project) -> None:
    """`uv pip install --target` compiles nothing, and leaves files of its own."""
    uv = shutil.which("uv") or pytest.skip("uv is not installed")
    folder = installed_by(project, [uv, "pip", "install", "--offline", "--python", sys.executable])

    outcome = verify(folder)

    assert outcome.exit_code == 0, outcome.output
    assert told(outcome)[-1].startswith("Packaging only: ")


@pytest.mark.skipif(sys.platform == "win32", reason="the command that stands for Python is a script")
def test_aws_lambda_builders(
    written: Path, project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `sam build` calls copies the project's folder as it is, without any metadata."""
    builder = pytest.importorskip("aws_lambda_builders.builder")
    source, built, scratch = (project.folder.parent / name for name in ("source", "built", "scratch"))
    source.mkdir()
    scratch.mkdir()
    shutil.copy(project.folder / "my_fn.py", source)
    (source / "requirements.txt").write_text("greeting==1.0\nnumbers==1.0\n")
    for name, value in (("INDEX_URL", index.url), ("TRUSTED_HOST", "127.0.0.1"), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{name}", value)
    commands = project.folder.parent / "bin"
    commands.mkdir()
    (commands / PYTHON).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (commands / PYTHON).chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(commands), prepend=os.pathsep)
    requirements = str(source / "requirements.txt")
    builder.LambdaBuilder("python", "pip", None).build(
        str(source), str(built), str(scratch), requirements, runtime=PYTHON, architecture="x86_64"
    )

    outcome = verify(built, "-v")

    assert outcome.exit_code == 1
    assert "my-fn 0.1.0    its .dist-info is removed; packaging only: 1 installer's own" in told(outcome)
    assert "requirements.txt: added" in told(outcome)
    assert not [
        line for line in told(outcome) if line.startswith(("greeting", "numbers")) and "altered" in line
    ]
