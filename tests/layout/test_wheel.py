"""Which members of a wheel go where, and which stay behind."""

from __future__ import annotations

import subprocess
import sys

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from tests.support.wheels import make_wheel
from tests.support.zips import Raw
from tests.support.zips import raw_wheel
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.layout.distribution import Distribution
    from tests.support.wheels import MadeFile


PYTHON = "/var/lang/bin/python3.13"
METADATA = {"pkg-1.0.dist-info/METADATA", "pkg-1.0.dist-info/WHEEL"}


def lay_out(folder: Path, wheel: MadeFile, interpreter: str | None = None) -> Distribution:
    path = folder / wheel.filename
    path.write_bytes(wheel.data)
    return wheel_distribution(read_wheel(path, "pkg", "1.0"), interpreter)


def lay_out_files(
    folder: Path,
    files: Mapping[str, bytes | str],
    interpreter: str | None = None,
    entry_points: str = "",
) -> Distribution:
    return lay_out(folder, make_wheel("pkg", files=files, entry_points=entry_points), interpreter)


def contents(distribution: Distribution) -> dict[str, bytes]:
    """Return the files without the metadata that every wheel has."""
    return {e.path: e.read() for e in distribution.entries if e.path not in METADATA}


def refusal(folder: Path, wheel: MadeFile, interpreter: str | None = None) -> tuple[str | None, str]:
    with pytest.raises(InvalidArchiveError) as caught:
        lay_out(folder, wheel, interpreter)
    assert caught.value.archive == wheel.filename
    return caught.value.member, caught.value.reason


def test_takes_members_where_they_are(tmp_path: Path) -> None:
    """Files of a plain wheel keep their paths, and RECORD stays true."""
    distribution = lay_out_files(tmp_path, {"pkg/__init__.py": "1", "pkg/data/x.txt": "2"})

    assert contents(distribution) == {"pkg/__init__.py": b"1", "pkg/data/x.txt": b"2"}
    assert distribution.left_out == ()
    assert distribution.record_path == "pkg-1.0.dist-info/RECORD"
    assert not distribution.changed


@pytest.mark.parametrize("scheme", ["purelib", "platlib", "data"])
def test_moves_scheme_to_the_root(tmp_path: Path, scheme: str) -> None:
    """Three of the schemes of `.data` are laid over the root, which RECORD doesn't know."""
    distribution = lay_out_files(tmp_path, {f"pkg-1.0.data/{scheme}/pkg/x.py": "1"})

    assert contents(distribution) == {"pkg/x.py": b"1"}
    assert distribution.changed


def test_leaves_headers_out(tmp_path: Path) -> None:
    """No Lambda compiles anything."""
    distribution = lay_out_files(tmp_path, {"pkg.py": "1", "pkg-1.0.data/headers/pkg.h": "2"})

    assert contents(distribution) == {"pkg.py": b"1"}
    assert distribution.left_out == (("pkg-1.0.data/headers/pkg.h", "C headers"),)
    assert distribution.changed


def test_leaves_scripts_out(tmp_path: Path) -> None:
    """Scripts and entry points make no files unless they are asked for."""
    distribution = lay_out_files(
        tmp_path,
        {"pkg.py": "1", "pkg-1.0.data/scripts/run": "#!python\n"},
        entry_points="[console_scripts]\npkg = pkg:main\n",
    )

    assert set(contents(distribution)) == {"pkg.py", "pkg-1.0.dist-info/entry_points.txt"}
    assert distribution.left_out == (("pkg-1.0.data/scripts/run", "scripts"),)


@pytest.mark.parametrize(
    ("script", "written"),
    [
        pytest.param(b"#!python\nimport pkg\n", b"#!/var/lang/bin/python3.13\nimport pkg\n", id="python"),
        pytest.param(b"#!pythonw\r\nx = 1\n", b"#!/var/lang/bin/python3.13\nx = 1\n", id="pythonw"),
        pytest.param(b"#!python -E\nx = 1\n", b"#!/var/lang/bin/python3.13\nx = 1\n", id="arguments"),
        pytest.param(b"#!/bin/sh\nls\n", b"#!/bin/sh\nls\n", id="shell"),
        pytest.param(b"\x7fELF binary", b"\x7fELF binary", id="binary"),
    ],
)
def test_scripts_start_the_targets_python(tmp_path: Path, script: bytes, written: bytes) -> None:
    """The placeholder of a script becomes the runtime's interpreter, never the host's."""
    distribution = lay_out_files(tmp_path, {"pkg-1.0.data/scripts/run": script}, PYTHON)

    assert contents(distribution) == {"bin/run": written}
    assert all(entry.executable for entry in distribution.entries if entry.path == "bin/run")
    assert distribution.changed


def test_entry_points_become_scripts(tmp_path: Path) -> None:
    """Console and GUI entry points give executables, other groups give none."""
    points = "[console_scripts]\npkg = pkg.cli:app.run\n[gui_scripts]\nshow = pkg:show\n[other]\nx = pkg:y\n"

    distribution = lay_out_files(tmp_path, {"pkg.py": "1"}, PYTHON, points)

    files = contents(distribution)
    assert {path for path in files if path.startswith("bin/")} == {"bin/pkg", "bin/show"}
    assert files["bin/pkg"] == (
        b"#!/var/lang/bin/python3.13\nimport sys\n\nfrom pkg.cli import app\n\nsys.exit(app.run())\n"
    )


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        pytest.param(
            "[console_scripts]\n../x = pkg:main\n", "its script '../x' could leave bin/", id="above"
        ),
        pytest.param("[console_scripts]\n.. = pkg:main\n", "its script '..' could leave bin/", id="dots"),
        pytest.param(
            "[console_scripts]\na\\b = a:b\n", r"its script 'a\\b' could leave bin/", id="backslash"
        ),
        pytest.param("[console_scripts]\n/x = pkg:main\n", "its script '/x' could leave bin/", id="absolute"),
        pytest.param("[console_scripts]\nx = not an object\n", "it can't be read", id="no-object"),
        pytest.param("[console_scripts]\nx = pkg\n", "it can't be read", id="no-attribute"),
        pytest.param("x = pkg:main\n", "it can't be read", id="no-section"),
        pytest.param("[console_scripts]\nx = %(y\n", "it can't be read", id="interpolation"),
    ],
)
def test_refuses_entry_points(tmp_path: Path, points: str, reason: str) -> None:
    """Entry points are hostile until checked: no script lands outside `bin/`."""
    wheel = make_wheel("pkg", files={"pkg.py": "1"}, entry_points=points)

    assert refusal(tmp_path, wheel, PYTHON) == ("pkg-1.0.dist-info/entry_points.txt", reason)


def test_refuses_entry_points_without_asserts() -> None:
    """Under PYTHONOPTIMIZE, what reads entry points asserts nothing; they are refused all the same."""
    code = (
        "from poetry_lambda_plugin.layout.wheel import InvalidScriptError, script_entries\n"
        "try:\n list(script_entries('[console_scripts]\\nbad = !!bad!!', 'python', 'pkg'))\n"
        "except InvalidScriptError:\n print('refused')"
    )

    assert subprocess.check_output([sys.executable, "-OO", "-c", code], text=True) == "refused\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("pkg/__pycache__/x.cpython-313.pyc", "bytecode", id="pycache"),
        pytest.param("pkg/__pycache__/lonely.pyc", "bytecode", id="pycache-without-source"),
        pytest.param("pkg/x.pyc", "bytecode", id="pyc-beside-its-source"),
        pytest.param("pkg-1.0.data/purelib/pkg/__pycache__/y.pyc", "bytecode", id="pycache-in-data"),
        pytest.param("pkg-1.0.dist-info/INSTALLER", "installer metadata", id="installer"),
        pytest.param("pkg-1.0.dist-info/REQUESTED", "installer metadata", id="requested"),
        pytest.param("pkg-1.0.dist-info/direct_url.json", "installer metadata", id="direct-url"),
        pytest.param("pkg-1.0.dist-info/RECORD.jws", "installer metadata", id="signature"),
        pytest.param("__editable__.pkg-1.0.pth", "editable stub", id="editable-pth"),
        pytest.param("__editable___pkg_1_0_finder.py", "editable stub", id="editable-finder"),
    ],
)
def test_leaves_out(tmp_path: Path, path: str, reason: str) -> None:
    """What is of no use on Lambda, or tells of another machine, stays behind and is named."""
    distribution = lay_out_files(tmp_path, {"pkg/x.py": "1", path: "2"})

    assert contents(distribution) == {"pkg/x.py": b"1"}
    assert distribution.left_out == ((path, reason),)
    assert distribution.changed


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("pkg/lonely.pyc", id="pyc-without-source"),
        pytest.param("pkg/pycache/x.txt", id="similar-folder"),
        pytest.param("pkg/INSTALLER", id="installer-elsewhere"),
        pytest.param("pkg/direct_url.json", id="direct-url-elsewhere"),
        pytest.param("pkg-1.0.dist-info/licenses/LICENSE", id="licence"),
        pytest.param("pkg-1.0.dist-info/sboms/pkg.cdx.json", id="sbom"),
        pytest.param("pkg-1.0.dist-info/licenses/INSTALLER", id="licence-of-that-name"),
        pytest.param("pkg/vendored-2.0.dist-info/METADATA", id="vendored-metadata"),
        pytest.param("other-1.0.data/purelib/x.py", id="data-of-another-name"),
    ],
)
def test_keeps(tmp_path: Path, path: str) -> None:
    """Files that only look like the ones left out are kept."""
    distribution = lay_out_files(tmp_path, {"pkg/x.py": "1", path: "2"})

    assert contents(distribution) == {"pkg/x.py": b"1", path: b"2"}
    assert distribution.left_out == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/home/me/src\n", id="posix"),
        pytest.param("# comment\n/home/me/src", id="second-line"),
        pytest.param("C:\\src\r\n", id="windows"),
        pytest.param("C:/src\n", id="windows-slashes"),
        pytest.param("\\\\host\\share\n", id="unc"),
    ],
)
@pytest.mark.parametrize("path", ["x.pth", "pkg-1.0.data/purelib/x.pth"])
def test_leaves_out_pth_with_a_path_of_the_host(tmp_path: Path, path: str, text: str) -> None:
    """A `.pth` file that names a folder of the build machine would do nothing or harm."""
    distribution = lay_out_files(tmp_path, {path: text})

    assert distribution.left_out == ((path, "path of the build machine"),)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("pkg-nspkg.pth", "import sys, types, os;p = os.path.join('/', 'x')\n", id="namespace"),
        pytest.param("x.pth", "pkg/vendor\n../lib\n", id="relative"),
        pytest.param("pkg/weights.pth", "\x80\n/\n/home/me\n", id="model-weights"),
    ],
)
def test_keeps_pth(tmp_path: Path, path: str, text: str) -> None:
    """Lambda processes `.pth` files at the root, and namespace packages need theirs."""
    assert contents(lay_out_files(tmp_path, {path: text})) == {path: text.encode()}


def test_keeps_executables(tmp_path: Path) -> None:
    """A program in a package stays an executable."""
    wheel = make_wheel("pkg", files={"pkg/run": "1", "pkg/x.py": "2"}, executable=("pkg/run",))

    distribution = lay_out(tmp_path, wheel)

    assert [entry.path for entry in distribution.entries if entry.executable] == ["pkg/run"]


def test_contents_are_the_wheels_members(tmp_path: Path) -> None:
    """Nothing is read or rewritten that can be copied as it is."""
    distribution = lay_out_files(tmp_path, {"pkg-1.0.data/purelib/pkg.py": "1"})

    assert all(isinstance(entry.content, WheelContent) for entry in distribution.entries)


INFO = "pkg-1.0.dist-info"
WHEEL_FILE = b"Wheel-Version: 1.0\n"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"pkg.py": b""}, "it has no .dist-info, so it is no wheel", id="no-dist-info"),
        pytest.param({}, "it has no .dist-info, so it is no wheel", id="empty"),
        pytest.param(
            {"a-1.dist-info/WHEEL": b"", "b-1.dist-info/WHEEL": b""},
            "it has 2 .dist-info folders (a-1.dist-info, b-1.dist-info), so it is no wheel",
            id="two-dist-infos",
        ),
        pytest.param(
            {f"{INFO}/METADATA": b"", f"{INFO}/RECORD": b""},
            f"it has no {INFO}/WHEEL, so it is no wheel",
            id="no-wheel-file",
        ),
        pytest.param(
            {f"{INFO}/WHEEL": WHEEL_FILE, f"{INFO}/RECORD": b""},
            f"it has no {INFO}/METADATA, so it is no wheel",
            id="no-metadata",
        ),
        pytest.param(
            {f"{INFO}/WHEEL": WHEEL_FILE, f"{INFO}/METADATA": b""},
            f"it has no {INFO}/RECORD, so it is no wheel",
            id="no-record",
        ),
        pytest.param(
            {f"other-1.0.dist-info/{name}": b"" for name in ("WHEEL", "METADATA", "RECORD")},
            "it holds other-1.0.dist-info where pkg (1.0) is expected",
            id="other-distribution",
        ),
        pytest.param(
            {f"{INFO}/{name}": b"Wheel-Version: 2.0\n" for name in ("WHEEL", "METADATA", "RECORD")},
            "its wheel format version is '2.0', not 1.x",
            id="format-2",
        ),
        pytest.param(
            {f"{INFO}/{name}": b"\xff\xfe" for name in ("WHEEL", "METADATA", "RECORD")},
            "its wheel format version is '', not 1.x",
            id="no-format",
        ),
    ],
)
def test_refuses_archive_that_is_no_wheel(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    """A ZIP is a wheel only with the metadata of the one distribution that is expected."""
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    path.write_bytes(zip_bytes([Raw(name, data) for name, data in files.items()]))

    with pytest.raises(InvalidArchiveError) as caught:
        read_wheel(path, "pkg", "1.0")

    assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["Zope.Interface", "zope_interface", "zope-interface", "ZOPE_interface"])
def test_takes_any_spelling_of_the_name(tmp_path: Path, name: str) -> None:
    """Old wheels spell their names as they like."""
    path = tmp_path / "w.whl"
    path.write_bytes(raw_wheel(name, [Raw("x.py")]).data)

    assert read_wheel(path, "zope-interface", "1.0").dist_info == f"{name}-1.0.dist-info"


@pytest.mark.parametrize("path", ["pkg-1.0.data/include/pkg.h", "pkg-1.0.data/loose.txt"])
def test_refuses_unknown_scheme(tmp_path: Path, path: str) -> None:
    """Nobody knows where a file of an unknown scheme belongs."""
    wheel = make_wheel("pkg", files={path: "1"})

    assert refusal(tmp_path, wheel) == (path, "its folder is no install scheme")
