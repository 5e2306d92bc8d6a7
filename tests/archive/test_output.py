"""The output file: there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys

from contextlib import ExitStack
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import check_writable
from tests.support.limits import few_handles
from tests.support.limits import full_disk


if TYPE_CHECKING:
    from pathlib import Path

SOME = 1 << 16
"""So many that no buffer holds them."""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")


def write(path: Path, *pieces: bytes) -> bool:
    with OutputFile(path) as output:
        for piece in pieces:
            output.write(piece)
        return output.commit()


def fail(path: Path, *pieces: bytes) -> None:
    with suppress(KeyboardInterrupt), OutputFile(path) as output:
        for piece in pieces:
            output.write(piece)
        raise KeyboardInterrupt


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refusal(path: Path) -> str:
    """Return the reason why an output is refused, as checked beforehand."""
    with pytest.raises(UnwritableOutputError) as caught:
        check_writable(path)
    assert caught.value.path == path
    start, end = f"The bundle can't be written to {path}: ", ". Choose another --output."
    message = str(caught.value)
    assert message.startswith(start)
    assert message.endswith(end)
    return message[len(start) : -len(end)]


def test_writes_file(tmp_path: Path) -> None:
    """The pieces are one file, and nothing else is there."""
    assert write(tmp_path / "out.zip", b"one, ", b"two")

    assert (tmp_path / "out.zip").read_bytes() == b"one, two"
    assert names(tmp_path) == ["out.zip"]


def test_makes_missing_folders(tmp_path: Path) -> None:
    """An output in folders that don't exist makes them."""
    write(tmp_path / "a/b/out.zip", b"data")

    assert (tmp_path / "a/b/out.zip").read_bytes() == b"data"


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"dat", id="shorter"),
        pytest.param(b"data and more", id="longer"),
        pytest.param(b"DATA", id="as-long"),
    ],
)
def test_replaces_other_bytes(tmp_path: Path, old: bytes) -> None:
    """A file with other bytes is replaced."""
    path = tmp_path / "out.zip"
    path.write_bytes(old)

    assert write(path, b"da", b"ta")

    assert path.read_bytes() == b"data"


def test_shows_the_old_file_until_the_end(tmp_path: Path) -> None:
    """Whoever reads the output meanwhile sees the old bytes, not some of the new ones."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"old")

    with OutputFile(path) as output:
        output.write(b"new")
        assert path.read_bytes() == b"old"
        output.commit()

    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("pieces", [(b"same",), (b"s", b"am", b"e")], ids=["one-piece", "pieces"])
def test_leaves_equal_file_untouched(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    """The same bytes again leave the file alone, its time of change included."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"same")
    os.utime(path, (1_000_000, 1_000_000))
    before = path.stat()

    assert not write(path, *pieces)

    assert (path.stat().st_mtime, path.stat().st_ino) == (1_000_000, before.st_ino)
    assert names(tmp_path) == ["out.zip"]


@pytest.mark.parametrize("pieces", [(), (b"old",), (b"new", b"er")], ids=["nothing", "equal", "other"])
def test_failure_leaves_old_file(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    """An interrupt at any moment leaves the old file as it was and nothing beside it."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"old")

    fail(path, *pieces)

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.zip"]


def test_failure_removes_the_folders_it_made(tmp_path: Path) -> None:
    """A failed run leaves no trace, not even a folder."""
    (tmp_path / "mine").mkdir()

    fail(tmp_path / "mine/a/b/out.zip", b"data")

    assert list((tmp_path / "mine").iterdir()) == []


def test_failure_keeps_a_folder_that_others_use(tmp_path: Path) -> None:
    """A folder in which something has appeared meanwhile stays."""
    with suppress(KeyboardInterrupt), OutputFile(tmp_path / "a/out.zip") as output:
        output.write(b"data")
        (tmp_path / "a/other.zip").write_bytes(b"other")
        raise KeyboardInterrupt

    assert names(tmp_path / "a") == ["other.zip"]


@posix_only
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_mode_obeys_umask(tmp_path: Path, umask: int, mode: int) -> None:
    """The ZIP is a file like any that the user makes."""
    previous = os.umask(umask)
    try:
        write(tmp_path / "out.zip", b"data")
    finally:
        os.umask(previous)

    assert stat.S_IMODE((tmp_path / "out.zip").stat().st_mode) == mode


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_keeps_the_mode_of_the_old_file(tmp_path: Path, mode: int) -> None:
    """What only its owner may read stays so, while it is written too."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"old")
    path.chmod(mode)

    with OutputFile(path) as output:
        output.write(b"new")
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {mode}
        output.commit()

    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


@posix_only
def test_writes_the_longest_name(tmp_path: Path) -> None:
    """A name that a file system takes is one that can be written, since what lies beside it is shorter."""
    path = tmp_path / f"{'x' * 245}.zip"

    assert write(path, b"data")

    assert path.read_bytes() == b"data"


@pytest.mark.parametrize("last", [b"new", b""], ids=["differs", "shorter"])
@pytest.mark.parametrize("other", [b"else" * SOME, b"sa", b""], ids=["overwritten", "cut-off", "emptied"])
def test_refuses_an_old_file_that_changes_meanwhile(tmp_path: Path, last: bytes, other: bytes) -> None:
    """Bytes that were compared and are others by now are never part of the output."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"same" * SOME + b"old")

    def write_slowly() -> None:
        with OutputFile(path) as output:
            output.write(b"same" * SOME)
            path.write_bytes(other)
            output.write(last)
            output.commit()

    with pytest.raises(ChangedFileError) as caught:
        write_slowly()

    assert str(caught.value) == f"{path} changed while it was written. Run the command again."
    assert path.read_bytes() == other
    assert names(tmp_path) == ["out.zip"]


@pytest.mark.parametrize("finished", [True, False], ids=["waiting", "at-once"])
def test_refuses_an_equal_file_that_changes_before_the_end(tmp_path: Path, finished: bool) -> None:
    """A file that was the same when it was compared, and is another one at the end, is not unchanged."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"same")
    os.utime(path, (1_000_000, 1_000_000))

    def write_slowly() -> None:
        with OutputFile(path) as output:
            output.write(b"same")
            if finished:
                output.finish()
            path.write_bytes(b"else")
            output.commit()

    with pytest.raises(ChangedFileError):
        write_slowly()

    assert path.read_bytes() == b"else"


@posix_only
@pytest.mark.parametrize("old", [b"data", b"old", None], ids=["unchanged", "changed", "new"])
def test_handles_don_t_grow_with_outputs(tmp_path: Path, old: bytes | None) -> None:
    """Many outputs may wait to be committed together."""
    paths = [tmp_path / f"{number}.zip" for number in range(40)]
    for path in paths if old is not None else ():
        path.write_bytes(old or b"")

    with few_handles(32), ExitStack() as outputs:
        waiting = []
        for path in paths:
            output = outputs.enter_context(OutputFile(path))
            output.write(b"data")
            output.finish()
            waiting.append(output)
        assert {output.commit() for output in waiting} == {old != b"data"}

    assert {path.read_bytes() for path in paths} == {b"data"}


@posix_only
@pytest.mark.parametrize("old", [b"old", None], ids=["to-a-file", "to-nothing-yet"])
def test_follows_a_link(tmp_path: Path, old: bytes | None) -> None:
    """An output that is a link to a file stays one, and the file it leads to is written."""
    target, link = tmp_path / "real/target.zip", tmp_path / "links/out.zip"
    link.parent.mkdir()
    link.symlink_to("../real/target.zip")
    if old is not None:
        target.parent.mkdir()
        target.write_bytes(old)

    check_writable(link)
    assert write(link, b"data")

    assert link.is_symlink()
    assert target.read_bytes() == b"data"
    assert (names(target.parent), names(link.parent)) == (["target.zip"], ["out.zip"])


def test_refuses_folder(tmp_path: Path) -> None:
    """A folder is no place for a file."""
    assert refusal(tmp_path) == "it is a folder (end it with a slash for a ZIP in it)"


def test_refuses_path_below_a_file(tmp_path: Path) -> None:
    """A file can't hold the output."""
    (tmp_path / "file").write_bytes(b"")

    assert refusal(tmp_path / "file/a/out.zip") == f"{tmp_path / 'file'} is not a folder"


@posix_only
def test_refuses_link_to_a_folder(tmp_path: Path) -> None:
    """What a link leads to decides."""
    (tmp_path / "out.zip").symlink_to(tmp_path)

    assert refusal(tmp_path / "out.zip") == "it is a folder (end it with a slash for a ZIP in it)"


@posix_only
def test_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    """A pipe or a device is neither compared with nor replaced."""
    os.mkfifo(tmp_path / "out.zip")

    assert refusal(tmp_path / "out.zip") == "it is not a regular file"


@posix_only
def test_refuses_name_too_long(tmp_path: Path) -> None:
    """What the file system says is passed on."""
    assert refusal(tmp_path / ("x" * 300 + ".zip")) == os.strerror(errno.ENAMETOOLONG)


@posix_only
def test_refuses_folder_that_is_not_writable(tmp_path: Path) -> None:
    """A folder without the right to write is found before any work."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")

    assert refusal(folder / "a/out.zip") == f"{folder} is not writable"


def test_check_makes_nothing(tmp_path: Path) -> None:
    """Looking whether a path can be written leaves no trace."""
    check_writable(tmp_path / "a/b/out.zip")

    assert list(tmp_path.iterdir()) == []


def test_folder_that_became_a_file_is_an_error(tmp_path: Path) -> None:
    """What was possible when it was checked may not be so any more."""
    (tmp_path / "dist").write_bytes(b"")

    with pytest.raises(UnwritableOutputError), OutputFile(tmp_path / "dist/out.zip"):
        pass

    assert names(tmp_path) == ["dist"]


@posix_only
@pytest.mark.parametrize("size", [6000, 100_000], ids=["when-closed", "when-written"])
def test_full_disk_leaves_old_file(tmp_path: Path, size: int) -> None:
    """Bytes that can't be written are an error that leaves the old file and nothing else."""
    path = tmp_path / "out.zip"
    path.write_bytes(b"old")

    with full_disk(4096), pytest.raises(UnwritableOutputError, match=os.strerror(errno.EFBIG)):
        write(path, b"x" * size)

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.zip"]
