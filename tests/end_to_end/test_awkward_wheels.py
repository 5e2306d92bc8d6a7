"""The bundle's tree is the one that `installer` lays out from the same wheels."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile

from base64 import urlsafe_b64encode
from inspect import signature
from typing import TYPE_CHECKING
from typing import Any

import pytest

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel
from tests.support.zips import BZIP2
from tests.support.zips import STORED
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import raw_wheel


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


TEXT = b"Some words, some words, and again some words.\n" * 40
PKGUTIL = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
NSPKG = "import sys, types, os;m = sys.modules.setdefault('ns', types.ModuleType('ns'))\n"
NATIVE = "cp313-cp313-manylinux_2_17_x86_64"


def streamed(wheel: MadeFile) -> MadeFile:
    """Write a wheel again as to a pipe, which gives data descriptors, with ZIP64 local headers."""

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            return buffer.write(data)

    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as old, zipfile.ZipFile(Pipe(), "w") as new:
        for info in old.infolist():
            copy = zipfile.ZipInfo(info.filename)
            copy.compress_type, copy.external_attr = zipfile.ZIP_DEFLATED, info.external_attr
            with new.open(copy, "w", force_zip64=True) as member:
                member.write(old.read(info))
    return MadeFile(wheel.filename, buffer.getvalue())


AWKWARD = {
    "purelib": [make_wheel("a", files={"a.py": "1", "a-1.0.data/purelib/a_more/x.py": "2"})],
    "platlib": [make_wheel("a", files={"a-1.0.data/platlib/a/x.so": "1"}, tag=NATIVE)],
    "data": [make_wheel("a", files={"a.py": "1", "a-1.0.data/data/share/man/a.1": "2"})],
    "all-schemes": [
        make_wheel(
            "a",
            files={
                "a/__init__.py": "1",
                "a-1.0.data/purelib/a/pure.py": "2",
                "a-1.0.data/platlib/a/plat.py": "3",
                "a-1.0.data/data/etc/a.cfg": "4",
                "a-1.0.data/headers/a.h": "5",
                "a-1.0.data/scripts/a": "#!python\n",
            },
        )
    ],
    "namespace-over-distributions": [
        make_wheel("ns-a", files={"ns/a/__init__.py": "1"}),
        make_wheel("ns-b", files={"ns/b/__init__.py": "2"}),
        make_wheel("ns-c", files={"ns_c-1.0.data/purelib/ns/c.py": "3"}),
    ],
    "pkgutil-namespace": [
        make_wheel("ns-a", files={"ns/__init__.py": PKGUTIL, "ns/a.py": "1"}),
        make_wheel("ns-b", files={"ns/__init__.py": PKGUTIL, "ns/b.py": "2"}),
    ],
    "nspkg-pth": [
        make_wheel("ns-a", files={"ns_a-1.0-nspkg.pth": NSPKG, "ns/a.py": "1"}),
        make_wheel("ns-b", files={"ns_b-1.0-nspkg.pth": NSPKG, "ns/b.py": "2"}),
    ],
    "non-ascii-names": [make_wheel("a", files={"a/größe.py": "1", "a/日本/x y.txt": "2", "a/🐍.py": "3"})],
    "names-in-cp437": [raw_wheel("a", [Raw("a/größe.py", b"1", flags=UTF8), Raw("a/b'c, d.py", b"2")])],
    "executables": [
        make_wheel(
            "a",
            files={"a/bin/tool": "#!/bin/sh\n", "a-1.0.data/platlib/a/tool.so": "1", "a/x.py": "2"},
            executable=("a/bin/tool", "a-1.0.data/platlib/a/tool.so"),
        )
    ],
    "odd-modes": [
        raw_wheel(
            "a",
            [
                Raw("a/private.py", b"1", mode=0o100600),
                Raw("a/everyone.py", b"2", mode=0o100777),
                Raw("a/none.py", b"3", mode=0),
                Raw("a/group.sh", b"4", mode=0o100654),
                Raw("a/link.py", b"private.py", mode=0o120777),
                Raw("a/setuid", b"5", mode=0o104755),
            ],
        )
    ],
    "build-tag": [make_wheel("a", build="2post", files={"a.py": "1"})],
    "compressed-tag-set": [make_wheel("a", tag="py2.py3-none-any", files={"a.py": "1"})],
    "dotted-name": [make_wheel("Zope.Thing", files={"zope/thing.py": "1"})],
    "stored": [make_wheel("a", files={"a/x.py": TEXT, "a/empty.py": ""}, compression=zipfile.ZIP_STORED)],
    "bzip2": [make_wheel("a", files={"a/x.py": TEXT, "a/empty.py": ""}, compression=zipfile.ZIP_BZIP2)],
    "lzma": [make_wheel("a", files={"a/x.py": TEXT, "a/empty.py": ""}, compression=zipfile.ZIP_LZMA)],
    "every-method": [
        raw_wheel("a", [Raw("a/x.py", TEXT, BZIP2), Raw("a/y.py", TEXT, STORED), Raw("a/z.py", TEXT)])
    ],
    "zip64": [raw_wheel("a", [Raw("a/x.py", TEXT, zip64=True), Raw("a/y.py", TEXT)], zip64=True)],
    "data-descriptors": [raw_wheel("a", [Raw("a/x.py", TEXT, descriptor=True), Raw("a/y.py", b"", STORED)])],
    "streamed": [streamed(make_wheel("a", files={"a/x.py": TEXT, "a/y.py": ""}))],
    "extra-fields-and-comments": [
        raw_wheel("a", [Raw("a/x.py", TEXT, extra=b"UT\1\0\0", comment=b"remark")], comment=b"remark")
    ],
    "folders": [raw_wheel("a", [Raw("a/", method=STORED), Raw("a/x.py", b"1"), Raw("a/b/", method=STORED)])],
    "large": [make_wheel("a", files={"a/large.bin": bytes(range(256)) * 10_000, "a/x.py": "1"})],
    "metadata": [
        make_wheel(
            "a",
            files={
                "a.py": "1",
                "a-1.0.dist-info/licenses/LICENSE": "MIT",
                "a-1.0.dist-info/top_level.txt": "a\n",
                "a/vendor/b-1.0.dist-info/METADATA": "Name: b\n",
            },
        )
    ],
    "sourceless-module": [make_wheel("a", files={"a/x.pyc": b"\x00\x01"})],
    "model-weights": [make_wheel("a", files={"a/weights/net.pth": b"\x80\n/\nC:\\\n"})],
}


def bundle_wheels(project: Project, index: Index, wheels: Sequence[MadeFile]) -> Path:
    """Bundle wheels without the project itself."""
    index.add(*wheels)
    names = [wheel.filename.split("-")[0] for wheel in wheels]
    project.pyproject(dependencies=names, source=index.url)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    outcome = bundle("--no-root", "--runtime", "python3.13")

    assert (outcome.exit_code, outcome.error) == (0, "")
    return project.folder / "dist/my-fn.zip"


def installed(folder: Path, wheels: Sequence[MadeFile]) -> dict[str, tuple[bytes, bool]]:
    """Return the bytes and the executable bit of every file that `installer` lays out."""
    if "overwrite_existing" not in signature(SchemeDictionaryDestination).parameters:
        pytest.skip("this installer can't lay several distributions into one folder")
    root = folder / "root"
    schemes = dict.fromkeys(("purelib", "platlib", "data"), str(root))
    schemes |= {"scripts": str(folder / "scripts"), "headers": str(folder / "headers")}
    destination = SchemeDictionaryDestination(schemes, "/usr/bin/python", "posix", overwrite_existing=True)
    for wheel in wheels:
        path = folder / wheel.filename
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wheel.data)
        with WheelFile.open(path) as source:
            install(source, destination, {})
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o111))
        for path in root.rglob("*")
        if path.is_file()
    }


def without_record(tree: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    return {path: file for path, file in tree.items() if not path.endswith(".dist-info/RECORD")}


def unpacked(path: Path) -> dict[str, tuple[bytes, bool]]:
    with zipfile.ZipFile(path) as archive:
        return {
            member.filename: (archive.read(member), bool(member.external_attr >> 16 & 0o111))
            for member in archive.infolist()
        }


@pytest.mark.parametrize("wheels", [pytest.param(wheels, id=name) for name, wheels in AWKWARD.items()])
def test_tree_equals_that_of_installer(
    project: Project, index: Index, tmp_path: Path, wheels: list[MadeFile]
) -> None:
    """Every file has the path, the bytes and the executable bit that an installation would give it."""
    tree = unpacked(bundle_wheels(project, index, wheels))

    expected = installed(tmp_path / "installed", wheels)
    assert without_record(tree) == without_record(expected)
    assert set(tree) == set(expected)


@pytest.mark.parametrize("wheels", [pytest.param(wheels, id=name) for name, wheels in AWKWARD.items()])
def test_records_are_true(project: Project, index: Index, wheels: list[MadeFile]) -> None:
    """The RECORDs list all files of the bundle and no others, each with its hash and size."""
    files = contents(bundle_wheels(project, index, wheels))
    records = [path for path in files if path.endswith(".dist-info/RECORD") and path.count("/") == 1]
    rows = [row for record in records for row in csv.reader(io.StringIO(files[record].decode()))]

    assert len(records) == len(wheels)
    assert {row[0] for row in rows} == set(files)
    for path, digest, size in rows:
        if path not in records:
            sha256 = urlsafe_b64encode(hashlib.sha256(files[path]).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={sha256}", str(len(files[path])))


def test_all_at_once(project: Project, index: Index, tmp_path: Path) -> None:
    """Wheels of many kinds in one bundle do not get into each other's way."""
    wheels = [
        make_wheel("a-one", files={"a_one-1.0.data/purelib/ns/one.py": TEXT}),
        raw_wheel("b_two", [Raw("ns/two.py", TEXT, zip64=True, descriptor=True)], zip64=True),
        streamed(make_wheel("c-three", files={"ns/three.py": TEXT, "ns/large.bin": bytes(3 << 20)})),
        make_wheel("d-four", files={"ns/four.py": TEXT}, compression=zipfile.ZIP_LZMA),
        make_wheel("e-five", files={"ns/five": TEXT}, executable=("ns/five",), build="1"),
    ]

    tree = unpacked(bundle_wheels(project, index, wheels))

    assert without_record(tree) == without_record(installed(tmp_path / "installed", wheels))


def test_lays_out_without_what_tells_of_a_machine(project: Project, index: Index, tmp_path: Path) -> None:
    """The only files of an installation that the bundle lacks are those that belong to a machine."""
    wheels = [
        make_wheel(
            "a",
            files={
                "a/__init__.py": "1",
                "a/old.py": "3",
                "a/old.pyc": "4",
                "a.pth": "/home/me/a\n",
                "a-1.0.dist-info/INSTALLER": "pip",
                "a-1.0.dist-info/direct_url.json": "{}",
                "a-1.0.dist-info/REQUESTED": "",
            },
        )
    ]

    tree = unpacked(bundle_wheels(project, index, wheels))

    assert set(installed(tmp_path / "installed", wheels)) - set(tree) == {
        "a/old.pyc",
        "a.pth",
        "a-1.0.dist-info/INSTALLER",
        "a-1.0.dist-info/direct_url.json",
        "a-1.0.dist-info/REQUESTED",
    }
