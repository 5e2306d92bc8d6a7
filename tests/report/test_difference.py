"""What changed between two bundles, on sizes by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.listing import Listing
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.difference import FileSize
from poetry_lambda_plugin.report.difference import OldBundle
from poetry_lambda_plugin.report.difference import OldBundleError
from poetry_lambda_plugin.report.difference import differences
from poetry_lambda_plugin.report.difference import read_bundle
from tests.support.values import PROJECT
from tests.support.values import package_report
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.report.bundle_report import PackageReport


def old(sizes: Mapping[str, tuple[int, int]], *listings: Listing) -> OldBundle:
    return OldBundle({path: FileSize(*size) for path, size in sizes.items()}, listings)


def changes(
    before: OldBundle, *packages: PackageReport, owners: Mapping[str, str] | None = None
) -> list[Difference]:
    return list(differences(before, PROJECT, packages, owners or {}))


A = Listing("a", "1.0", ("a.py",))


def test_what_is_the_same_is_not_told() -> None:
    """Neither in version nor in size."""
    assert changes(old({"a.py": (5, 9)}, A), package_report("a", (5, 9, 1))) == []


def test_what_grew_is_told_with_both_versions() -> None:
    """And with what it gained."""
    assert changes(old({"a.py": (5, 9)}, A), package_report("a", (7, 19, 1), "2.0")) == [
        Difference("a", "1.0", "2.0", 2, 10)
    ]


def test_new_version_of_the_same_size_is_told() -> None:
    """It is another one."""
    assert changes(old({"a.py": (5, 9)}, A), package_report("a", (5, 9, 1), "2.0")) == [
        Difference("a", "1.0", "2.0", 0, 0)
    ]


def test_new_and_gone_packages_lack_a_version() -> None:
    """On the side where they are not."""
    assert changes(old({"a.py": (5, 9)}, A), package_report("b", (7, 19, 1))) == [
        Difference("b", None, "1.0", 7, 19),
        Difference("a", "1.0", None, -5, -9),
    ]


def test_what_grew_most_comes_first() -> None:
    """Of equals, the first by name."""
    packages = [package_report(name, (1, size, 1)) for name, size in (("a", 1), ("c", 9), ("b", 9))]

    assert [change.name for change in changes(old({}), *packages)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("sizes", "files"),
    [pytest.param(None, "unknown", id="unknown"), pytest.param((0, 0, 0), "none", id="no-files")],
)
def test_package_without_files_is_not_there(sizes: tuple[int, int, int] | None, files: str) -> None:
    """It takes no room, or nobody knows."""
    assert changes(old({}), package_report("a", sizes)) == []


def test_bytecode_belongs_to_its_source() -> None:
    """No RECORD lists what was compiled for a bundle."""
    before = old({"a.py": (5, 9), "__pycache__/a.cpython-312.pyc": (3, 4)}, A)

    assert changes(before, package_report("a", (8, 13, 2))) == []


def test_file_in_no_record_is_that_of_its_owner_now() -> None:
    """Such as those of a project without a package."""
    before = old({"my_fn.py": (5, 9)})

    assert changes(before, package_report(PROJECT, (5, 9, 1)), owners={"my_fn.py": PROJECT}) == []


def test_file_of_nobody_is_told_as_such() -> None:
    """Without a version."""
    assert changes(old({"a.txt": (5, 9)})) == [Difference("(other files)", "?", None, -5, -9)]


def test_file_of_nobody_is_the_projects_where_that_has_a_record() -> None:
    """It was included beside a wheel that was built."""
    before = old({"my_fn.py": (5, 9), "notes.txt": (1, 1)}, Listing(PROJECT, "0.1", ("my_fn.py",)))

    assert changes(before, package_report(PROJECT, (5, 9, 1), "0.1")) == [
        Difference(PROJECT, "0.1", "0.1", -1, -1)
    ]


@pytest.mark.parametrize("listings", [("a", "b"), ("b", "a")])
def test_file_that_two_list_is_the_first_ones(listings: tuple[str, str]) -> None:
    """As in a bundle's plan, the name that sorts first has it; before all the project."""
    before = old({"x.py": (5, 9)}, *(Listing(name, "1.0", ("x.py",)) for name in (*listings, "z")))

    assert [change.name for change in changes(before)] == ["a"]
    also = old({"x.py": (5, 9)}, *(Listing(name, "1.0", ("x.py",)) for name in (*listings, PROJECT)))
    assert [change.name for change in changes(also)] == [PROJECT]


def written(tmp_path: Path, *members: Raw) -> Path:
    path = tmp_path / "old.zip"
    path.write_bytes(zip_bytes(members))
    return path


def test_sizes_of_a_bundle_on_disk_add_up_to_it(tmp_path: Path) -> None:
    """Headers included, but for the 22 bytes of the end record."""
    path = written(tmp_path, Raw("a.py", b"a" * 100), Raw("ü/b.txt", b"b", flags=UTF8))

    bundle = read_bundle(path)

    assert {name: size.unzipped for name, size in bundle.sizes.items()} == {"a.py": 100, "ü/b.txt": 1}
    assert sum(size.zipped for size in bundle.sizes.values()) == path.stat().st_size - 22


@pytest.mark.parametrize("site", ["", "python/", "python/lib/python3.12/site-packages/"])
def test_records_are_read_where_python_looks(tmp_path: Path, site: str) -> None:
    """In functions and in both places of a layer, with paths as the bundle has them."""
    record = Raw(f"{site}My_Lib-2.0.dist-info/RECORD", b'lib.py,,\n"a,b.py",,\nnowhere.py,,\n\n')
    path = written(tmp_path, record, Raw(f"{site}lib.py", b""), Raw(f"{site}a,b.py", b""))

    assert read_bundle(path).listings == (Listing("my-lib", "2.0", (f"{site}lib.py", f"{site}a,b.py")),)


@pytest.mark.parametrize(
    "folder", ["tool/_vendor/lib-2.0.dist-info", "lib-2.0.data", "x/python/lib.dist-info"]
)
def test_record_elsewhere_is_none(tmp_path: Path, folder: str) -> None:
    """Such as what a package brings along for itself."""
    assert read_bundle(written(tmp_path, Raw(f"{folder}/RECORD", b"lib.py,,\n"))).listings == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(None, "can't be read: No such file or directory.", id="missing"),
        pytest.param(b"no ZIP", "can't be compared with: ", id="no-zip"),
        pytest.param(
            zip_bytes([Raw("a-1.dist-info/RECORD", b'"' + b"x" * 200_000)]),
            "can't be compared with: member 'a-1.dist-info/RECORD': a field of it has more than",
            id="broken-record",
        ),
        pytest.param(
            zip_bytes([Raw("a-1.dist-info/RECORD", zip64=True, stated={"size": (64 << 20) + 1})]),
            "can't be compared with: member 'a-1.dist-info/RECORD': it has 67,108,865 bytes",
            id="large-record",
        ),
        pytest.param(
            zip_bytes([Raw("a.py", zip64=True, stated={"size": 32 << 30})]),
            "can't be compared with: member 'a.py': with it there are 34,359,738,368 bytes",
            id="bomb",
        ),
    ],
)
def test_what_cannot_be_compared_with_is_named(tmp_path: Path, data: bytes | None, words: str) -> None:
    """With the option, the path and the reason."""
    if data is not None:
        (tmp_path / "old.zip").write_bytes(data)

    with pytest.raises(OldBundleError) as raised:
        read_bundle(tmp_path / "old.zip")

    assert str(raised.value).startswith(f"--diff: {tmp_path / 'old.zip'} {words}")
