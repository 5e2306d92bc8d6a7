"""A function's files as Lambda has them."""

from __future__ import annotations

import os
import stat

from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.trial.folders import laid_out


if TYPE_CHECKING:
    from pathlib import Path


ARM = b"\x7fELF\2\1\1" + bytes(9) + b"\3\0" + (183).to_bytes(2, "little")


def test_lays_out_and_leaves_nothing(tmp_path: Path) -> None:
    """Files can't be written to, later layers lie over earlier ones, and all of it is gone afterwards."""
    layers = [
        [Entry("python/a.py", BytesContent(b"1")), Entry("python/b.py", BytesContent(b"1"))],
        [Entry("python/b.py", BytesContent(b"2"))],
    ]
    files = [
        Entry("deep/in/a.so", BytesContent(ARM)),
        Entry("bin/run", BytesContent(b"#!"), executable=True),
    ]
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with laid_out(temporary, files, layers, [Entry("boto3.py", BytesContent(b""))]) as (folders, machines):
        assert machines == {"arm64"}
        assert (folders.layers / "python/a.py").read_bytes() == b"1"
        assert (folders.layers / "python/b.py").read_bytes() == b"2"
        assert os.listdir(folders.runtime) == ["boto3.py"]  # noqa: PTH208
        modes = {
            p: stat.S_IMODE((folders.task / p).stat().st_mode) for p in ("deep/in", "deep/in/a.so", "bin/run")
        }
        assert modes == {"deep/in": 0o555, "deep/in/a.so": 0o444, "bin/run": 0o555}

    assert not any(temporary.iterdir())
