"""What a file of the bundle is made of, each kind seen through the same few attributes."""

from __future__ import annotations

import hashlib
import os
import sys

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import ChangedFileError
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import read_members
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from poetry_lambda_plugin.archive.content import Content


DATA = b"words, " * 60_000
"""More than is read at once."""


def contents(folder: Path) -> dict[str, Content]:
    """Return the same bytes in all kinds."""
    (folder / "a.whl").write_bytes(zip_bytes([Raw("x/a.py", DATA)]))
    (folder / "a.py").write_bytes(DATA)
    return {
        "wheel": WheelContent(folder / "a.whl", read_members(folder / "a.whl")[0]),
        "file": FileContent(folder / "a.py", len(DATA)),
        "bytes": BytesContent(DATA),
    }


@pytest.mark.parametrize("kind", ["wheel", "file", "bytes"])
def test_kinds_are_read_alike(tmp_path: Path, kind: str) -> None:
    """Size, pieces, bytes and digest don't depend on where the bytes come from."""
    content = contents(tmp_path)[kind]
    entry = Entry("a.py", content)

    assert content.size == 420_000
    assert b"".join(content.chunks()) == entry.read() == DATA
    assert entry.digest() == hashlib.sha256(DATA).digest()


@pytest.mark.parametrize(
    ("kind", "source", "member"), [("wheel", "a.whl", "x/a.py"), ("file", "a.py", ""), ("bytes", None, "")]
)
def test_kinds_tell_what_they_are_taken_from(
    tmp_path: Path, kind: str, source: str | None, member: str
) -> None:
    """What is made by us comes from no file, and only a wheel has members."""
    content = contents(tmp_path)[kind]

    assert content.source == (tmp_path / source if source else None)
    assert content.member_name == member


def test_sizes_of_nothing() -> None:
    """An empty file is read as one, in as many pieces as it takes."""
    assert (BytesContent(b"").size, Entry("a", BytesContent(b"")).read()) == (0, b"")


@pytest.mark.parametrize("data", [b"long", b"longer still"], ids=["shorter", "longer"])
def test_refuses_a_file_of_another_size(tmp_path: Path, data: bytes) -> None:
    """A file that grew or shrank since it was planned is not bundled."""
    path = tmp_path / "a.py"
    path.write_bytes(data)

    with pytest.raises(ChangedFileError) as caught:
        Entry("a.py", FileContent(path, 6)).read()

    assert str(caught.value) == f"{path} changed while it was bundled. Run the command again."


def test_refuses_a_file_of_another_time(tmp_path: Path) -> None:
    """A file that was written since it was planned is not bundled, though as large as before."""
    path = tmp_path / "a.py"
    path.write_bytes(b"same")
    os.utime(path, ns=(0, 2_000_000_000))

    assert Entry("a.py", FileContent(path, 4, 2_000_000_000)).read() == b"same"
    with pytest.raises(ChangedFileError):
        Entry("a.py", FileContent(path, 4, 1_000_000_000)).read()


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="has no file without end")  # noqa: PTH110
def test_refuses_a_file_without_end() -> None:
    """No more is read than was planned."""
    with pytest.raises(ChangedFileError):
        Entry("a.py", FileContent(Path("/dev/zero"), 40 << 20)).digest()


@pytest.mark.skipif(sys.platform == "win32", reason="the reason is the system's own")
def test_refuses_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that was removed since it was planned is named."""
    with pytest.raises(ChangedFileError) as caught:
        Entry("a.py", FileContent(tmp_path / "a.py", 4)).digest()

    assert str(caught.value) == f"{tmp_path / 'a.py'} can't be read any more: No such file or directory."
