"""Wheels that can't be trusted, from the index to the message: nothing of them reaches a bundle."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import NamedTuple

import pytest

from tests.hostile.archives import ARCHIVES
from tests.hostile.archives import TEXT
from tests.hostile.archives import Lie
from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel
from tests.support.zips import UTF8
from tests.support.zips import Raw
from tests.support.zips import raw_wheel
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


FILENAME = "broken-1.0-py3-none-any.whl"
REMEDY = "The file can't be trusted: ask its publisher for a sound one, or lock another version."

LIES = {lie.name: lie for lie in ARCHIVES}

EVERY = 6
"""Of the corpus, one archive in so many goes through the command in each run, all with `-m faults`."""

SAMPLE = [
    pytest.param(lie, id=lie.name, marks=() if number % EVERY == 0 else pytest.mark.faults)
    for number, lie in enumerate(ARCHIVES)
]


class Bad(NamedTuple):
    """What is a sound archive and no sound wheel."""

    data: bytes
    member: str | None
    reason: str


BAD_WHEELS = {
    "no-wheel": Bad(zip_bytes([Raw("a.py")]), None, "it has no .dist-info, so it is no wheel"),
    "other-distribution": Bad(
        raw_wheel("other", [Raw("a.py")]).data,
        None,
        "it holds other-1.0.dist-info where broken (1.0) is expected",
    ),
    "parent-in-data": Bad(
        raw_wheel("broken", [Raw("broken-1.0.data/purelib/../../../evil.py")]).data,
        "broken-1.0.data/purelib/../../../evil.py",
        "its name could leave the folder it is unpacked to",
    ),
    "unknown-scheme": Bad(
        raw_wheel("broken", [Raw("broken-1.0.data/other/x.py")]).data,
        "broken-1.0.data/other/x.py",
        "its folder is no install scheme",
    ),
    "own-metadata-in-data": Bad(
        raw_wheel("broken", [Raw("broken-1.0.data/purelib/broken-1.0.dist-info/METADATA")]).data,
        "broken-1.0.data/purelib/broken-1.0.dist-info/METADATA",
        "it would replace the wheel's own metadata",
    ),
    "large-metadata": Bad(
        raw_wheel("broken", [Raw("evil.pth", b"x" * ((16 << 20) + 1))]).data,
        "evil.pth",
        "it has 16,777,217 bytes, too many for its kind",
    ),
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


def hostile(name: str) -> MadeFile:
    """Return an archive of the corpus, as a wheel."""
    return MadeFile(FILENAME, LIES[name].wheel)


def check_refused(project: Project, index: Index, data: bytes, expected: str) -> None:
    """The message begins as expected, nothing is written, and again nothing from the cache."""
    lock(project, index, make_wheel("sound"), MadeFile(FILENAME, data))
    before = files(project.folder)

    for _ in range(2):
        message = refusal()

        assert message.startswith(expected)
        assert message.endswith(f". {REMEDY}")
        assert files(project.folder) == before


@pytest.mark.parametrize("lie", SAMPLE)
def test_refuses_hostile_archive(project: Project, index: Index, lie: Lie) -> None:
    """What the reader refuses, the command refuses in one paragraph that names the wheel and the member."""
    where = FILENAME if lie.member is None else f"{FILENAME}, member {lie.member!r}"

    check_refused(project, index, lie.wheel, f"{where}: {lie.reason}")


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD_WHEELS.items()])
def test_refuses_bad_wheel(project: Project, index: Index, bad: Bad) -> None:
    """A sound archive need not be a sound wheel."""
    where = FILENAME if bad.member is None else f"{FILENAME}, member {bad.member!r}"

    check_refused(project, index, bad.data, f"{where}: {bad.reason}. {REMEDY}")


def test_refuses_file_that_is_a_folder(project: Project, index: Index) -> None:
    """A file and a file below it can't both be unpacked."""
    wheel = raw_wheel("broken", [Raw("broken/a"), Raw("broken/a/b.py")])
    lock(project, index, wheel)
    before = files(project.folder)

    assert "'broken/a' to be a file and a folder (it also holds 'broken/a/b.py')" in refusal()
    assert files(project.folder) == before


def test_refuses_honest_bomb(project: Project, index: Index) -> None:
    """A member that is as large as it states is held to Lambda's limit, and nothing of it is written."""
    lock(project, index, raw_wheel("broken", [Raw("zeros.bin", bytes(300 << 20))]))
    before = files(project.folder)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "zeros.bin" in outcome.error
    assert "250 MB" in outcome.error
    assert files(project.folder) == before


def test_refuses_stated_bomb_before_it_is_unpacked(project: Project, index: Index) -> None:
    """The size that the directory states is enough to refuse a member of 32 GB."""
    bomb = Raw("zeros.bin", TEXT, zip64=True, stated={"size": 32 << 30})
    lock(project, index, raw_wheel("broken", [bomb]))

    message = refusal()

    assert "broken" in message
    assert "smaller than stated" not in message


def test_refuses_name_that_no_file_system_takes(project: Project, index: Index) -> None:
    """Lambda's file system has names of 255 bytes."""
    lock(project, index, raw_wheel("broken", [Raw(f"broken/{'x' * 256}.py")]))

    assert "broken (1.0)" in refusal()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("broken/Mail.py", "broken/mail.py", id="case"),
        pytest.param("broken/\u00e9.py", "broken/e\u0301.py", id="normal-form"),
    ],
)
def test_tells_names_that_some_system_takes_for_one(
    project: Project, index: Index, one: str, other: str
) -> None:
    """Two names that unpack to one file where case or normal form don't count are told."""
    lock(project, index, raw_wheel("broken", [Raw(one, b"1", flags=UTF8), Raw(other, b"2", flags=UTF8)]))

    outcome = bundle()

    assert one in outcome.output + outcome.error
    assert other in outcome.output + outcome.error


@pytest.mark.parametrize("name", ["page-of-a-proxy", "name-parent", "stated-crc", "local-size"])
def test_keeps_the_old_bundle(project: Project, index: Index, name: str) -> None:
    """A bundle from before stays as it was, and nothing lies beside it."""
    lock(project, index, hostile(name))
    project.write({"dist/my-fn.zip": EMPTY_ZIP})
    before = files(project.folder)

    refusal()

    assert files(project.folder) == before


@pytest.mark.parametrize("name", ["cut-off-at-data", "name-twice", "central-flag-encrypted"])
def test_makes_no_folder_elsewhere(project: Project, index: Index, tmp_path: Path, name: str) -> None:
    """An output in a folder yet to be made doesn't make it."""
    lock(project, index, hostile(name))

    refusal("--output", str(tmp_path / "new/folder/out.zip"))

    assert not (tmp_path / "new").exists()


def test_json_report_has_the_error(project: Project, index: Index) -> None:
    """With `--format json`, standard output is a document that has the words of standard error."""
    lock(project, index, hostile("stated-crc"))

    outcome = bundle("--format", "json")

    assert (outcome.exit_code, json.loads(outcome.output)["bundles"]) == (1, [])
    assert "its checksum (CRC-32) is wrong" in outcome.message
    assert json.loads(outcome.output)["error"] == outcome.message


def test_dry_run_does_not_trust_the_cache(project: Project, index: Index) -> None:
    """A bad wheel that an earlier run has cached is refused by a dry run, too."""
    lock(project, index, hostile("stated-crc"))
    first = refusal()

    assert refusal("--dry-run") == first


def test_sound_wheels_of_a_failed_run_are_used_later(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad wheel spoils the run, not the cache of the others."""
    # one after the other, by name where the index tells no sizes
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "1")
    sound = make_wheel("a-sound-one")
    lock(project, index, sound, hostile("page-of-a-proxy"))
    refusal()
    index.requests.clear()
    lock(project, index, sound)

    assert bundle().exit_code == 0
    assert index.requests == []
