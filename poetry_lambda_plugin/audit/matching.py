"""Which files of a bundle have the bytes that are expected in their places."""

from __future__ import annotations

import stat

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion
from packaging.version import Version

from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.layout.distribution import release_of


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.archive.held import Fingerprint
    from poetry_lambda_plugin.archive.held import HeldBundle
    from poetry_lambda_plugin.archive.held import HeldFile
    from poetry_lambda_plugin.audit.verdicts import Expectation
    from poetry_lambda_plugin.layout.distribution import Release


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """A bundle's files by what became of them; keys are its own paths."""

    same: Mapping[str, Entry]
    altered: Mapping[str, Entry]
    """Files with other bytes than the entry that should be there."""
    extra: tuple[str, ...]
    missing: tuple[Entry, ...]


def match(expected: Expectation, held: HeldBundle) -> Matches:
    """Read all that may have the right bytes; raises UnreadableBundleError."""
    entries = {entry.path: entry for entry in expected.plan.entries}
    places = dict(_places(expected, held, entries))
    found = {path: entries[place] for path, place in places.items()}
    likely = [path for path, entry in found.items() if _may_be_same(held.files[path], entry)]
    prints = held.fingerprints(likely)
    same = {path: found[path] for path in likely if _is_same(found[path], prints[path], expected)}
    there = {*places.values()}
    return Matches(
        same=same,
        altered={path: entry for path, entry in found.items() if path not in same},
        extra=tuple(path for path in held.files if path not in places),
        missing=tuple(entry for path, entry in entries.items() if path not in there),
    )


def is_link(held: HeldFile) -> bool:
    """Tell whether a ZIP says that a file is something else, such as a link."""
    return stat.S_IFMT(held.mode) not in (0, stat.S_IFREG)


def same_version(one: str, other: str) -> bool:
    """Compare versions as the standard does, and others as texts."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _places(
    expected: Expectation, held: HeldBundle, entries: Mapping[str, Entry]
) -> Iterator[tuple[str, str]]:
    """Yield a file's path and the expected one that it stands for: `.dist-info` may be spelt otherwise."""
    prefix = expected.plan.prefix
    folders = {release_of(folder): folder for folder in _info_folders(prefix, entries)}
    spelt = {folder: folder for folder in folders.values()}
    for folder in _info_folders(prefix, held.files):
        release = release_of(folder)
        for known, usual in folders.items():
            if folder not in spelt and _is_same_release(known, release):
                spelt[folder] = usual
    for path in held.files:
        folder, slash, rest = path.removeprefix(prefix).partition("/")
        place = f"{prefix}{spelt[folder]}/{rest}" if slash and folder in spelt else path
        if place in entries and (place == path or place not in held.files):
            yield path, place


def _is_same_release(one: Release | None, other: Release | None) -> bool:
    if one is None or other is None:
        return False
    return one.name == other.name and same_version(one.version, other.version)


def _info_folders(prefix: str, paths: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of `.dist-info` folders, each once."""
    folders = {path[len(prefix) :].partition("/")[0] for path in paths if path.startswith(prefix)}
    return (folder for folder in sorted(folders) if folder.endswith(".dist-info"))


def _may_be_same(held: HeldFile, entry: Entry) -> bool:
    content = entry.content
    if held.size != content.size or is_link(held):
        return False
    # what a ZIP states is checked when it is read
    return (
        held.member is None or not isinstance(content, WheelContent) or held.member.crc == content.member.crc
    )


def _is_same(entry: Entry, found: Fingerprint, expected: Expectation) -> bool:
    """Tell whether a file has the bytes of an entry, which need not be read again where its wheel tells them.

    The checksum is held against the wheel's directory too, since nothing keeps a RECORD from being wrong.
    """
    content = entry.content
    known = None
    if isinstance(content, WheelContent) and content.member.crc == found.crc:
        known = expected.known.get((content.source, content.member.name))
    return known == found.sha256 or entry.digest() == found.sha256
