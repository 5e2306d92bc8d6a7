"""Archives that lie: refused by a paragraph that names the file, whoever asks, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.reader import verify
from tests.hostile.archives import ARCHIVES
from tests.hostile.archives import Lie


if TYPE_CHECKING:
    from pathlib import Path


REMEDY = "The file can't be trusted: ask its publisher for a sound one, or lock another version."


def rows(lies: tuple[Lie, ...]) -> list[object]:
    return [pytest.param(lie, id=lie.name) for lie in lies]


@pytest.mark.parametrize("lie", rows(ARCHIVES))
def test_reader_refuses(tmp_path: Path, lie: Lie) -> None:
    """The reason is the one expected, of the member expected."""
    path = tmp_path / "a.zip"
    path.write_bytes(lie.data)

    with pytest.raises(InvalidArchiveError) as caught:
        verify(path, read_members(path))

    found = caught.value
    where = "a.zip" if found.member is None else f"a.zip, member {found.member!r}"
    assert found.member == lie.member
    assert found.reason == lie.reason or (lie.reason[-1] == "(" and found.reason.startswith(lie.reason))
    assert str(found) == f"{where}: {found.reason}. {REMEDY}"
