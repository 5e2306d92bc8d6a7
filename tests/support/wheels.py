"""Wheels and other archives made in memory."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class MadeFile:
    """A distribution file as an index would offer it."""

    filename: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def hash(self) -> str:
        return f"sha256:{self.sha256}"


def make_wheel(
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes | str] | None = None,
    *,
    tag: str = "py3-none-any",
    build: str = "",
    requires: tuple[str, ...] = (),
    entry_points: str = "",
    executable: tuple[str, ...] = (),
    compression: int = zipfile.ZIP_DEFLATED,
) -> MadeFile:
    """Make a sound wheel; without `files` it has one module that holds its version."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    members = {
        path: _bytes(data) for path, data in (files or {f"{stem}.py": f"VERSION = {version!r}\n"}).items()
    }
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    members[f"{info}/METADATA"] = metadata.encode()
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    )
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points.encode()
    members[f"{info}/RECORD"] = record(members, info)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for path, data in members.items():
            member = zipfile.ZipInfo(path, (2020, 2, 2, 2, 2, 2))
            member.compress_type = compression
            member.external_attr = (0o100755 if path in executable else 0o100644) << 16
            archive.writestr(member, data)
    build_tag = f"-{build}" if build else ""
    return MadeFile(f"{stem}-{version}{build_tag}-{tag}.whl", buffer.getvalue())


def record(members: Mapping[str, bytes], info: str) -> bytes:
    """Return a RECORD of `members`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        writer.writerow((path, f"sha256={digest}", len(data)))
    writer.writerow((f"{info}/RECORD", "", ""))
    return text.getvalue().encode()


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
