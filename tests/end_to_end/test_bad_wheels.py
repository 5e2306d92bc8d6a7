"""Wheels that can't be trusted, from the index to the message: nothing of them reaches a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel
from tests.support.zips import ENCRYPTED
from tests.support.zips import Raw
from tests.support.zips import raw_wheel
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


FILENAME = "broken-1.0-py3-none-any.whl"
TEXT = b"Some words, some words, and again some words.\n" * 40
REMEDY = "The file can't be trusted: ask its publisher for a sound one, or lock another version."

CONTRADICTS = "its local header contradicts the central directory"
LEAVES = "its name could leave the folder it is unpacked to"


class Bad(NamedTuple):
    data: bytes
    member: str | None
    reason: str


def whole(data: bytes, reason: str) -> Bad:
    return Bad(data, None, reason)


def member(raw: Raw, reason: str) -> Bad:
    return Bad(raw_wheel("broken", [Raw("fine.py"), raw]).data, raw.raw_name.decode(), reason)


SOUND = make_wheel("broken", files={"broken/__init__.py": TEXT}).data

BAD_WHEELS = {
    "no-zip": whole(b"<html>502 Bad Gateway</html>", "it is not a ZIP archive, or it is cut off"),
    "truncated": whole(SOUND[:-100], "it is not a ZIP archive, or it is cut off"),
    "bytes-before-the-start": whole(
        raw_wheel("broken", [Raw("a.py")], prefix=b"#!/bin/sh\n", shift=10).data,
        "there are bytes before its first member",
    ),
    "no-wheel": whole(zip_bytes([Raw("a.py")]), "it has no .dist-info, so it is no wheel"),
    "other-distribution": whole(
        raw_wheel("other", [Raw("a.py")]).data,
        "it holds other-1.0.dist-info where broken (1.0) is expected",
    ),
    "parent": member(Raw("../evil.py"), LEAVES),
    "parent-in-data": member(Raw("broken-1.0.data/purelib/../../../evil.py"), LEAVES),
    "repeated": member(Raw("fine.py", b"evil"), "it is in the archive twice"),
    "overlapping": Bad(
        raw_wheel("broken", [Raw("a.py", TEXT), Raw("b.py", TEXT, stated={"offset": 0})]).data,
        "a.py",
        "it overlaps the member after it",
    ),
    "hidden": member(
        Raw("a.py", TEXT, after=b"PK\3\4hidden"), "after it there are bytes that belong to no member"
    ),
    "encrypted": member(Raw("a.py", TEXT, flags=ENCRYPTED), "it is encrypted"),
    "larger-than-stated": member(
        Raw("a.py", TEXT, stated={"size": 7}), "it is larger than the 7 bytes stated"
    ),
    "crc": member(Raw("a.py", TEXT, stated={"crc": 7}), "its checksum (CRC-32) is wrong"),
    "local-name": member(Raw("a.py", TEXT, local={"name": b"b.py"}), CONTRADICTS),
    "local-sizes": member(Raw("a.py", TEXT, local={"size": 7}), CONTRADICTS),
    "unknown-scheme": member(Raw("broken-1.0.data/other/x.py"), "its folder is no install scheme"),
}


def files(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder, folders too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def lock(project: Project, index: Index, *wheels: MadeFile) -> None:
    index.add(*wheels)
    names = [wheel.filename.partition("-")[0] for wheel in wheels]
    project.pyproject(dependencies=names, source=index.url)
    project.write({"my_fn.py": "x = 1\n"})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)


def refusal(*arguments: str) -> str:
    """Run into an error and return its paragraph as one line."""
    outcome = bundle(*arguments)
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.error
    assert "\n\n" not in outcome.error.strip()
    return outcome.message


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD_WHEELS.items()])
def test_refuses_bad_wheel(project: Project, index: Index, bad: Bad) -> None:
    """The message names the wheel and the member, nothing is written, and again nothing the second time."""
    lock(project, index, make_wheel("sound"), MadeFile(FILENAME, bad.data))
    before = files(project.folder)
    where = FILENAME if bad.member is None else f"{FILENAME}, member {bad.member!r}"
    expected = f"{where}: {bad.reason}. {REMEDY}"

    assert refusal() == expected
    assert files(project.folder) == before
    # the file is in the cache now, which must not make it trusted
    assert refusal() == expected
    assert files(project.folder) == before


@pytest.mark.parametrize("name", ["no-zip", "parent", "crc", "local-sizes"])
def test_keeps_the_old_bundle(project: Project, index: Index, name: str) -> None:
    """A bundle from before stays as it was, and nothing lies beside it."""
    lock(project, index, MadeFile(FILENAME, BAD_WHEELS[name].data))
    project.write({"dist/my-fn.zip": b"old"})
    before = files(project.folder)

    refusal()

    assert files(project.folder) == before


@pytest.mark.parametrize("name", ["truncated", "repeated", "encrypted"])
def test_makes_no_folder_elsewhere(project: Project, index: Index, tmp_path: Path, name: str) -> None:
    """An output in a folder yet to be made doesn't make it."""
    lock(project, index, MadeFile(FILENAME, BAD_WHEELS[name].data))

    refusal("--output", str(tmp_path / "new/folder/out.zip"))

    assert not (tmp_path / "new").exists()


def test_json_report_is_empty_on_error(project: Project, index: Index) -> None:
    """With `--format json`, the error goes to standard error and standard output stays empty."""
    lock(project, index, MadeFile(FILENAME, BAD_WHEELS["crc"].data))

    outcome = bundle("--format", "json")

    assert (outcome.exit_code, outcome.output) == (1, "")
    assert "its checksum (CRC-32) is wrong" in outcome.message


def test_dry_run_does_not_trust_the_cache(project: Project, index: Index) -> None:
    """A bad wheel that an earlier run has cached is refused by a dry run, too."""
    lock(project, index, MadeFile(FILENAME, BAD_WHEELS["crc"].data))
    first = refusal()

    assert refusal("--dry-run") == first


def test_sound_wheels_of_a_failed_run_are_used_later(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad wheel spoils the run, not the cache of the others."""
    # one after the other, by name where the index tells no sizes
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "1")
    sound = make_wheel("a-sound-one")
    lock(project, index, sound, MadeFile(FILENAME, BAD_WHEELS["no-zip"].data))
    refusal()
    index.requests.clear()
    lock(project, index, sound)

    assert bundle().exit_code == 0
    assert index.requests == []
