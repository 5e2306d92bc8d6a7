"""One wheel taken apart: which member goes where, and which stays behind (PEP 427, PEP 491)."""

from __future__ import annotations

import re

from configparser import Error as ConfigParserError
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from installer.utils import parse_entrypoints
from packaging.version import InvalidVersion
from packaging.version import Version

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import Member
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.reader import read_whole
from poetry_lambda_plugin.layout.distribution import Distribution
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.layout.distribution import release_of


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poetry_lambda_plugin.layout.distribution import Release


INSTALLER_FILES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json"})
"""Written by installers about the machine at hand (PEP 376, PEP 610); none of them belongs in a bundle."""

MAX_METADATA = 16 << 20
"""Bytes that a file which is read whole may have."""

SIGNATURES = frozenset({"RECORD.jws", "RECORD.p7s"})
"""Signatures of RECORD, which PEP 427 lets no RECORD list."""

ABSOLUTE_PATH = re.compile(rb"^(?:/|\\\\|[A-Za-z]:[\\/])", re.MULTILINE)
"""A line of a .pth file that names a folder of some machine."""

SCRIPT_PATH = re.compile(r"bin/(?!\.\.?$)[^/\\\0]+")


class InvalidScriptError(Exception):
    """An entry point that is no MODULE:FUNCTION."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel file whose central directory has been read and believed."""

    path: Path
    name: str
    """Normalised name of the distribution."""
    version: str
    dist_info: str
    """Name of its `.dist-info` folder."""
    members: tuple[Member, ...]

    def read(self, member: Member) -> bytes:
        """Return the uncompressed bytes of a metadata file or a script; refuses what is too large for one."""
        return read_whole(self.path, member, MAX_METADATA)


def read_wheel(path: Path, name: str, version: str) -> Wheel:
    """Read a wheel's directory and check that it is a wheel of the release expected.

    An empty `version` is that of a wheel built here, which may be any.

    Raises InvalidArchiveError.
    """
    members = read_members(path)
    by_name = {member.name: member for member in members}
    dist_info = _dist_info_folder(by_name, path.name)
    for required in ("WHEEL", "METADATA", "RECORD"):
        if f"{dist_info}/{required}" not in by_name:
            raise InvalidArchiveError(path.name, f"it has no {dist_info}/{required}, so it is no wheel")
    found = release_of(dist_info)
    if found is None or not _is_release(found, name, version):
        raise InvalidArchiveError(path.name, f"it holds {dist_info} where {name} ({version}) is expected")
    version = version or found.version
    wheel = Wheel(path=path, name=name, version=version, dist_info=dist_info, members=members)
    _check_format_version(wheel, by_name[f"{dist_info}/WHEEL"])
    return wheel


def wheel_distribution(
    wheel: Wheel, interpreter: str | None = None, *, is_project: bool = False
) -> Distribution:
    """Lay out a wheel's members.

    `interpreter` is the path of the target's Python for the first line of scripts; without it
    scripts are left out.
    """
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    moved = False
    record = f"{wheel.dist_info}/RECORD"
    sources = {m.name.removesuffix(".py") for m in wheel.members if m.name.endswith(".py")}
    for member in wheel.members:
        name = member.name
        if name == record:
            continue
        scheme, path = _scheme_and_path(name, wheel)
        reason = _reason_to_leave_out(wheel, member, path, sources)
        if reason is None and scheme == "headers":
            reason = "C headers"
        if reason is None and scheme == "scripts" and interpreter is None:
            reason = "scripts"
        if reason is not None:
            left_out.append(LeftOut(name, reason))
        elif scheme == "scripts" and interpreter is not None:
            data = _with_interpreter(wheel.read(member), interpreter)
            entries.append(Entry(f"bin/{path}", BytesContent(data), executable=True, owner=wheel.name))
        else:
            moved = moved or path != name
            content = WheelContent(wheel.path, member)
            entries.append(Entry(path, content, member.executable, wheel.name))
    if interpreter is not None:
        entries.extend(_entry_point_scripts(wheel, interpreter))
    return Distribution(
        name=wheel.name,
        version=wheel.version,
        source=wheel.path.name,
        entries=tuple(entries),
        left_out=tuple(left_out),
        record_path=record,
        record=WheelContent(wheel.path, next(m for m in wheel.members if m.name == record)),
        changed=moved or bool(left_out) or any(e.content.source is None for e in entries),
        is_project=is_project,
    )


def script_entries(entry_points: str, interpreter: str, owner: str) -> Iterator[Entry]:
    """Yield a `bin/` script for each console or GUI entry point; raises InvalidScriptError."""
    try:
        points = list(parse_entrypoints(entry_points))
    except (ConfigParserError, AssertionError, AttributeError):
        # parse_entrypoints asserts the form of what it reads, and stumbles over it under PYTHONOPTIMIZE
        raise InvalidScriptError from None
    for name, module, attribute, _ in points:
        first = attribute.partition(".")[0]
        code = f"#!{interpreter}\nimport sys\n\nfrom {module} import {first}\n\nsys.exit({attribute}())\n"
        yield Entry(f"bin/{name}", BytesContent(code.encode()), executable=True, owner=owner)


def _dist_info_folder(names: dict[str, Member], archive: str) -> str:
    folders = {name.partition("/")[0] for name in names if "/" in name}
    found = sorted(folder for folder in folders if folder.endswith(".dist-info"))
    if len(found) != 1:
        what = (
            f"it has {len(found)} .dist-info folders ({', '.join(found)})"
            if found
            else "it has no .dist-info"
        )
        raise InvalidArchiveError(archive, f"{what}, so it is no wheel")
    return found[0]


def _is_release(found: Release, name: str, version: str) -> bool:
    """Tell whether a release is the one expected; odd versions are let pass."""
    if found.name != name:
        return False
    try:
        return not version or Version(found.version) == Version(version)
    except InvalidVersion:
        return True


def _check_format_version(wheel: Wheel, member: Member) -> None:
    """Refuse a format that is not understood (PEP 427, "Installing a wheel")."""
    text = wheel.read(member).decode("utf-8", "replace")
    version = HeaderParser().parsestr(text).get("Wheel-Version", "")
    if not re.fullmatch(r"1(\.\d+)*", version.strip()):
        raise InvalidArchiveError(wheel.path.name, f"its wheel format version is {version!r}, not 1.x")


def _scheme_and_path(name: str, wheel: Wheel) -> tuple[str, str]:
    """Return the install scheme of a member and its path below the scheme's folder."""
    prefix = wheel.dist_info.removesuffix(".dist-info") + ".data/"
    if not name.startswith(prefix):
        return "purelib", name
    scheme, _, path = name[len(prefix) :].partition("/")
    if scheme not in ("purelib", "platlib", "data", "scripts", "headers") or not path:
        raise InvalidArchiveError(wheel.path.name, "its folder is no install scheme", name)
    if scheme in ("purelib", "platlib", "data") and path.startswith(f"{wheel.dist_info}/"):
        raise InvalidArchiveError(wheel.path.name, "it would replace the wheel's own metadata", name)
    return scheme, path


def _reason_to_leave_out(wheel: Wheel, member: Member, path: str, sources: set[str]) -> str | None:
    folder, _, base = member.name.rpartition("/")
    if "__pycache__" in folder.split("/"):
        return "bytecode"
    if base.endswith(".pyc") and member.name.removesuffix(".pyc") in sources:
        return "bytecode"
    if folder == wheel.dist_info and (base in INSTALLER_FILES or base in SIGNATURES):
        return "installer metadata"
    if base.startswith("__editable__"):
        return "editable stub"
    # Python looks for .pth files at the root only; elsewhere they may be anything, such as model weights
    if path == base and base.endswith(".pth") and ABSOLUTE_PATH.search(wheel.read(member)):
        return "path of the build machine"
    return None


def _entry_point_scripts(wheel: Wheel, interpreter: str) -> Iterator[Entry]:
    path = f"{wheel.dist_info}/entry_points.txt"
    for member in wheel.members:
        if member.name == path:
            try:
                entries = list(script_entries(wheel.read(member).decode(), interpreter, wheel.name))
            except (UnicodeDecodeError, InvalidScriptError):
                raise InvalidArchiveError(wheel.path.name, "it can't be read", path) from None
            for entry in entries:
                if not SCRIPT_PATH.fullmatch(entry.path):
                    reason = f"its script {entry.path.removeprefix('bin/')!r} could leave bin/"
                    raise InvalidArchiveError(wheel.path.name, reason, path)
            yield from entries


def _with_interpreter(script: bytes, interpreter: str) -> bytes:
    """Replace the `#!python` placeholder of PEP 427 by the target's interpreter."""
    if not script.startswith(b"#!python"):
        return script
    _, newline, rest = script.partition(b"\n")
    return b"#!" + interpreter.encode() + newline + rest
