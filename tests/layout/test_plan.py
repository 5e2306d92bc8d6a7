"""Distributions joined to one bundle: conflicts, filters, order and RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zlib

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.distribution import Distribution
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.plan import Exclusions
from poetry_lambda_plugin.layout.plan import LongNameError
from poetry_lambda_plugin.layout.plan import PathConflictError
from poetry_lambda_plugin.layout.plan import plan_bundle
from poetry_lambda_plugin.layout.wheel import read_wheel
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from tests.support.values import messages
from tests.support.wheels import make_wheel
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.layout.plan import BundlePlan


ALL = Exclusions(PathFilter())


def excluding(*patterns: str) -> Exclusions:
    return Exclusions(PathFilter(patterns))


def distribution(
    name: str, files: Mapping[str, str], *, is_project: bool = False, record: bool = False
) -> Distribution:
    return Distribution(
        name=name,
        version="1.0",
        source=f"{name}.whl",
        entries=tuple(Entry(path, BytesContent(data.encode()), owner=name) for path, data in files.items()),
        record_path=f"{name}-1.0.dist-info/RECORD" if record else None,
        is_project=is_project,
    )


def wheel(folder: Path, name: str, files: Mapping[str, str | bytes]) -> Distribution:
    made = make_wheel(name, files=files)
    path = folder / made.filename
    path.write_bytes(made.data)
    return wheel_distribution(read_wheel(path, name, "1.0"))


def contents(plan: BundlePlan) -> dict[str, bytes]:
    return {entry.path: entry.read() for entry in plan.entries}


def check_record(files: Mapping[str, bytes], record: str, paths: set[str]) -> None:
    """Hold a RECORD against the files of the bundle."""
    rows = list(csv.reader(io.StringIO(files[record].decode())))
    assert [row[0] for row in rows] == sorted(paths | {record})
    for path, digest, size in rows:
        if path == record:
            assert (digest, size) == ("", "")
        else:
            sha256 = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={sha256}", str(len(files[path])))


def test_sorts_by_path() -> None:
    """The order of the bundle is that of the paths, whatever came first."""
    plan = plan_bundle(
        [distribution("b", {"z": "", "a/b": ""}), distribution("a", {"a.py": "", "B": ""})], ALL
    )

    assert [entry.path for entry in plan.entries] == ["B", "a.py", "a/b", "z"]


def test_order_of_distributions_does_not_matter() -> None:
    """The same distributions in another order are the same plan."""
    parts = [distribution(name, {f"{name}.py": "", "same.py": name}) for name in ("c", "a", "b")]

    assert plan_bundle(parts, ALL) == plan_bundle(parts[::-1], ALL)


def test_equal_bytes_are_one_file(tmp_path: Path) -> None:
    """A namespace's `__init__.py` in several distributions is no conflict."""
    parts = [wheel(tmp_path, name, {"ns/__init__.py": "same", f"ns/{name}.py": name}) for name in ("b", "a")]

    plan = plan_bundle(parts, ALL)

    assert plan.findings == ()
    assert [entry.owner for entry in plan.entries if entry.path == "ns/__init__.py"] == ["a"]
    assert all(part.left_out == () for part in plan.distributions)
    assert {"ns/a.py", "ns/b.py"} <= set(contents(plan))
    # both records are still true, so both are the wheels' own
    assert all(isinstance(e.content, WheelContent) for e in plan.entries if e.path.endswith("RECORD"))


def test_first_name_wins() -> None:
    """Of two dependencies with one path, the one that sorts first has it, and a warning names both."""
    plan = plan_bundle([distribution("b", {"x.py": "b"}), distribution("a", {"x.py": "a"})], ALL)

    assert contents(plan) == {"x.py": b"a"}
    assert messages(plan.findings) == ["x.py is in a and in b with other bytes: the one of a is bundled."]
    assert [part.left_out for part in plan.distributions] == [(), (("x.py", "a has it too"),)]


def test_project_wins() -> None:
    """The project's file is bundled, even where a dependency's name sorts first."""
    plan = plan_bundle(
        [distribution("a", {"x.py": "a"}), distribution("z", {"x.py": "z"}, is_project=True)], ALL
    )

    assert contents(plan) == {"x.py": b"z"}
    assert messages(plan.findings) == ["x.py is in z and in a with other bytes: the one of z is bundled."]
    assert [part.name for part in plan.distributions] == ["z", "a"]


def test_each_loser_is_warned_of() -> None:
    """Three distributions with one path give two warnings."""
    plan = plan_bundle([distribution(name, {"x.py": name}) for name in "abc"], ALL)

    assert messages(plan.findings) == [
        "x.py is in a and in b with other bytes: the one of a is bundled.",
        "x.py is in a and in c with other bytes: the one of a is bundled.",
    ]


def test_compares_bytes_not_checksums(tmp_path: Path) -> None:
    """Two members of equal size and CRC-32 are still told apart."""
    one, other = b"plumless", b"buckeroo"

    assert zlib.crc32(one) == zlib.crc32(other)

    plan = plan_bundle([wheel(tmp_path, "a", {"x": one}), wheel(tmp_path, "b", {"x": other})], ALL)

    assert contents(plan)["x"] == one
    assert len(plan.findings) == 1


def test_path_twice_in_one_distribution(tmp_path: Path) -> None:
    """A wheel with a file at the root and in `.data` keeps the first, with a warning."""
    part = wheel(tmp_path, "a", {"x.py": "1", "a-1.0.data/purelib/x.py": "2"})

    plan = plan_bundle([part], ALL)

    assert contents(plan)["x.py"] == b"1"
    assert messages(plan.findings) == ["x.py is in a twice: the first one is bundled."]
    check_record(contents(plan), "a-1.0.dist-info/RECORD", set(contents(plan)))


def test_same_file_twice_in_one_distribution(tmp_path: Path) -> None:
    """Equal bytes at the root and in `.data` are one file, listed once."""
    part = wheel(tmp_path, "a", {"a-1.0.data/platlib/x.py": "1", "a-1.0.data/purelib/x.py": "1"})

    plan = plan_bundle([part], ALL)

    assert plan.findings == ()
    check_record(contents(plan), "a-1.0.dist-info/RECORD", set(contents(plan)))


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        pytest.param("x", "x/y", "'x' to be a file and a folder (it also holds 'x/y')", id="direct"),
        pytest.param(
            "a/b", "a/b/c/d", "'a/b' to be a file and a folder (it also holds 'a/b/c/d')", id="deep"
        ),
    ],
)
def test_refuses_file_that_is_a_folder(one: str, other: str, words: str) -> None:
    """No file system can hold both."""
    with pytest.raises(PathConflictError) as caught:
        plan_bundle([distribution("a", {one: "1"}), distribution("b", {other: "2"})], ALL)

    assert words in str(caught.value)
    assert "--exclude" in str(caught.value)


def test_similar_names_are_no_folders() -> None:
    """A file may have a folder's name with more behind it."""
    plan = plan_bundle([distribution("a", {"x": "", "x.py": "", "x-y/z": "", "xx/x": ""})], ALL)

    assert len(plan.entries) == 4


def test_excluded_file_gives_way() -> None:
    """A conflict that the user has settled with `exclude` is none."""
    plan = plan_bundle([distribution("a", {"x": "1"}), distribution("b", {"x/y": "2"})], excluding("/x/"))

    assert contents(plan) == {"x": b"1"}
    assert plan.distributions[1].left_out == (("x/y", "excluded"),)


def test_copies_record_of_unchanged_wheel(tmp_path: Path) -> None:
    """RECORD is the wheel's own, byte for byte, as long as it is true."""
    part = wheel(tmp_path, "a", {"z.py": "1", "b,c.py": "2"})
    assert part.record is not None

    plan = plan_bundle([part], ALL)

    (record,) = [entry for entry in plan.entries if entry.path.endswith("RECORD")]
    assert record.content == part.record


@pytest.mark.parametrize(
    ("files", "patterns"),
    [
        pytest.param({"a.py": "1", "a-1.0.data/purelib/b.py": "2"}, (), id="moved"),
        pytest.param({"a.py": "1", "__pycache__/a.cpython-313.pyc": "2"}, (), id="left-out"),
        pytest.param({"a.py": "1", "tests/x.py": "2"}, ("tests/",), id="excluded"),
        pytest.param({"a, b.py": "1", 'say "hi".py': "2", "größe.py": "3", "c.h": ""}, ("*.h",), id="quoted"),
    ],
)
def test_rewrites_record_of_changed_wheel(
    tmp_path: Path, files: dict[str, str], patterns: tuple[str, ...]
) -> None:
    """RECORD lists exactly the files in the bundle, each with its hash and size."""
    plan = plan_bundle([wheel(tmp_path, "a", files)], excluding(*patterns))

    found = contents(plan)
    check_record(found, "a-1.0.dist-info/RECORD", set(found))


def test_record_leaves_out_what_another_has(tmp_path: Path) -> None:
    """A file lost in a conflict is no longer in the loser's RECORD."""
    parts = [wheel(tmp_path, name, {"x.py": name, f"{name}.py": ""}) for name in ("a", "b")]

    found = contents(plan_bundle(parts, ALL))

    check_record(
        found, "b-1.0.dist-info/RECORD", {"b.py", "b-1.0.dist-info/METADATA", "b-1.0.dist-info/WHEEL"}
    )


def test_project_has_a_record() -> None:
    """What comes from no wheel has a RECORD, too."""
    found = contents(plan_bundle([distribution("a", {"x.py": "1", "y.py": ""}, record=True)], ALL))

    check_record(found, "a-1.0.dist-info/RECORD", {"x.py", "y.py"})


def test_excluded_record_is_left_out(tmp_path: Path) -> None:
    """RECORD can be excluded like any file, and is named."""
    plan = plan_bundle([wheel(tmp_path, "a", {"a.py": ""})], excluding("RECORD"))

    assert "a-1.0.dist-info/RECORD" not in contents(plan)
    assert plan.distributions[0].left_out == (("a-1.0.dist-info/RECORD", "excluded"),)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("x" * 252 + ".txt", id="file"),
        pytest.param(f"pkg/{'x' * 256}/a.py", id="folder"),
        pytest.param("ü" * 128, id="bytes-not-letters"),
    ],
)
def test_refuses_a_name_that_linux_would_not_take(path: str) -> None:
    """Nobody could unpack such a bundle; whose file it is, is told."""
    with pytest.raises(LongNameError) as caught:
        plan_bundle([distribution("long-named", {"a.py": "", path: ""})], ALL)

    start = path.removeprefix("pkg/")[:40]
    assert str(caught.value) == (
        f"long-named (1.0) has a file or folder whose name, '{start}' and so on, has 256 bytes: "
        "Linux takes 255 at most. Leave it out with --exclude, or give it a shorter name."
    )


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        pytest.param("x" * 255, "none", id="longest"),
        pytest.param("/".join(["ü" * 127] * 9), "none", id="long-path"),
        pytest.param("x" * 256, "xx*", id="excluded"),
    ],
)
def test_takes_names_as_long_as_linux_does(path: str, pattern: str) -> None:
    """A name counts by itself, and one that is left out doesn't."""
    plan = plan_bundle([distribution("a", {"a.py": "", path: ""})], excluding(pattern))

    assert [entry.path for entry in plan.entries] == ["a.py", *([path] if pattern == "none" else [])]


def test_record_is_believed_of_members_alone(tmp_path: Path) -> None:
    """What a RECORD says of files that its wheel lacks is nothing to keep, and a NUL is no end."""
    info = "a-1.0.dist-info"
    files = {
        "pkg.py": b"",
        "__pycache__/a.pyc": b"",
        f"{info}/METADATA": b"",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        f"{info}/RECORD": b"pkg.py,sha256=stated,0\nother\0.py,sha256=x,1\nmissing.py,sha256=x,1\n",
    }
    path = tmp_path / "a-1.0-py3-none-any.whl"
    path.write_bytes(zip_bytes([Raw(*item) for item in files.items()]))

    found = contents(plan_bundle([wheel_distribution(read_wheel(path, "a", "1.0"))], ALL))

    listed = found[f"{info}/RECORD"].decode().splitlines()
    assert [row.partition(",")[0] for row in listed] == [
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/WHEEL",
        "pkg.py",
    ]
    assert "pkg.py,sha256=stated,0" in listed


def test_refuses_record_that_is_no_csv(tmp_path: Path) -> None:
    """A RECORD that has to be rewritten has to be readable."""
    info = "a-1.0.dist-info"
    files = {f"{info}/WHEEL": b"Wheel-Version: 1.0\n", f"{info}/METADATA": b"", "__pycache__/a.pyc": b""}
    path = tmp_path / "a-1.0-py3-none-any.whl"
    path.write_bytes(
        zip_bytes([*(Raw(*item) for item in files.items()), Raw(f"{info}/RECORD", b"x" * 200_000)])
    )

    with pytest.raises(InvalidArchiveError, match=r"RECORD': a field of it has more than 131,072 ch"):
        plan_bundle([wheel_distribution(read_wheel(path, "a", "1.0"))], ALL)


def test_compares_files_of_all_kinds(tmp_path: Path) -> None:
    """Equal bytes are one file, wherever each comes from."""
    file = tmp_path / "x.py"
    file.write_bytes(b"same")
    project = Distribution(
        name="p", version="1", source=".", entries=(Entry("x.py", FileContent(file, 4)),), is_project=True
    )

    plan = plan_bundle([wheel(tmp_path, "a", {"x.py": "same"}), project], ALL)

    assert plan.findings == ()
    assert next(entry for entry in plan.entries if entry.path == "x.py").content == FileContent(file, 4)


def test_prefix_comes_before_every_path(tmp_path: Path) -> None:
    """A layer's files lie below its folder, while patterns and RECORD speak of the paths in it."""
    plan = plan_bundle(
        [wheel(tmp_path, "a", {"a.py": "", "b.py": ""})], excluding("/b.py", "!/python/"), "python/"
    )

    info = "python/a-1.0.dist-info"
    assert [entry.path for entry in plan.entries] == [
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/WHEEL",
        "python/a.py",
    ]
    record = contents(plan)[f"{info}/RECORD"].decode()
    assert [line.split(",")[0] for line in record.splitlines()] == [
        "a-1.0.dist-info/METADATA",
        "a-1.0.dist-info/RECORD",
        "a-1.0.dist-info/WHEEL",
        "a.py",
    ]


def test_warns_of_patterns_that_match_nothing() -> None:
    """A pattern without effect is likely misspelt; one that hits is not, nor are negations and comments."""
    plan = plan_bundle(
        [distribution("a", {"a.py": "", "b.md": ""})], excluding("*.md", "*.rst", "!c.py", "# x", "@tests")
    )

    assert messages(plan.findings) == [
        "exclude: '*.rst' matches nothing in the bundle.",
        "exclude: '@tests' matches nothing in the bundle.",
    ]


def test_services_are_left_out_with_their_reason() -> None:
    """A service model says why it is gone, and a pattern that hits it too comes first."""
    files = {"botocore/data/ec2/x.json": "", "botocore/data/s3/x.json": "", "botocore/data/sqs/x.json": ""}
    exclusions = Exclusions(PathFilter(("sqs/",)), ServiceFilter(frozenset({"s3"})))

    plan = plan_bundle([distribution("botocore", files)], exclusions)

    assert [entry.path for entry in plan.entries] == ["botocore/data/s3/x.json"]
    assert plan.distributions[0].left_out == (
        LeftOut("botocore/data/ec2/x.json", "AWS services not used"),
        LeftOut("botocore/data/sqs/x.json", "excluded"),
    )
