"""A bundle that is there, held against the one that lock and project give: what differs, by package.

What is expected comes from locked wheels and the project alone. What the other bundle says of itself, its
RECORDs among it, serves to give things names, and is believed in nothing.
"""

from __future__ import annotations

import csv

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename
from packaging.utils import parse_wheel_filename

from poetry_lambda_plugin.audit.file_differences import file_differences
from poetry_lambda_plugin.audit.matching import match
from poetry_lambda_plugin.audit.matching import same_version
from poetry_lambda_plugin.audit.packaging import wheel_tags
from poetry_lambda_plugin.audit.verdicts import OTHER_FILES
from poetry_lambda_plugin.audit.verdicts import PackageVerification
from poetry_lambda_plugin.audit.verdicts import Verification
from poetry_lambda_plugin.layout.distribution import MAX_RECORD
from poetry_lambda_plugin.layout.distribution import release_of
from poetry_lambda_plugin.layout.distribution import rows_of
from poetry_lambda_plugin.layout.listing import listings
from poetry_lambda_plugin.layout.listing import source_path
from poetry_lambda_plugin.layout.wheel import MAX_METADATA
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.archive.held import HeldBundle
    from poetry_lambda_plugin.audit.file_differences import BytecodeJudge
    from poetry_lambda_plugin.audit.verdicts import Expectation
    from poetry_lambda_plugin.audit.verdicts import ExpectedPackage
    from poetry_lambda_plugin.audit.verdicts import FileDifference
    from poetry_lambda_plugin.audit.verdicts import Remark


INFO_FILES = ("METADATA", "RECORD", "WHEEL")
"""One of these makes a folder a distribution's."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a bundle says of itself."""

    owners: Mapping[str, str]
    """Normalised name of a distribution by the files that its RECORD lists."""
    versions: Mapping[str, tuple[str, ...]]
    """Of each distribution that has a `.dist-info`, by its normalised name."""


def compare(expected: Expectation, held: HeldBundle, judge: BytecodeJudge) -> Verification:
    """Hold a bundle against what is expected; raises UnreadableBundleError."""
    matches = match(expected, held)
    names = names_of(held, expected.plan.prefix)
    owner_of = _Owners(expected, names)
    by_owner: dict[str, list[FileDifference]] = defaultdict(list)
    for difference in file_differences(expected, held, matches, judge):
        by_owner[owner_of(difference.path)].append(difference)
    packages = (
        _package(name, sorted(files), expected, held, names.versions.get(name, ()))
        for name, files in by_owner.items()
    )
    return Verification(
        packages=tuple(sorted(packages, key=lambda package: (package.name == OTHER_FILES, package.name))),
        same_files=len(matches.same),
    )


def names_of(held: HeldBundle, prefix: str) -> Names:
    """Return what a bundle says of itself."""
    owners: dict[str, str] = {}
    for listing in listings(held.files, lambda name: _rows(held, name)):
        owners.update((path, listing.name) for path in listing.paths)
    versions: dict[str, tuple[str, ...]] = {}
    for path in held.files:
        folder, _, base = path.removeprefix(prefix).partition("/")
        release = release_of(folder) if base in INFO_FILES else None
        if release is not None:
            known = versions.get(release.name, ())
            versions[release.name] = tuple(dict.fromkeys((*known, release.version)))
    return Names(owners, versions)


def _rows(held: HeldBundle, name: str) -> Iterator[list[str]]:
    with suppress(csv.Error):
        yield from rows_of(held.read(name, MAX_RECORD) or b"")


class _Owners:
    """Tells whose a file is: by the plan, by its folder, and for what else is there by RECORDs."""

    def __init__(self, expected: Expectation, names: Names) -> None:
        self._prefix = expected.plan.prefix
        self._planned = {entry.path: entry.owner for entry in expected.plan.entries}
        self._listed = names.owners
        folders: dict[str, set[str]] = defaultdict(set)
        for path, owner in self._planned.items():
            folders[path.rpartition("/")[0]].add(owner)
        self._folders = {folder: owners for folder, owners in folders.items() if len(owners) == 1}

    def __call__(self, path: str) -> str:
        source = source_path(path)
        known = self._planned.get(path) or self._planned.get(source)
        release = release_of(path.removeprefix(self._prefix).partition("/")[0])
        if known or release:
            return known or (release.name if release else "")
        return self._listed.get(source) or self._of_folder(source) or OTHER_FILES

    def _of_folder(self, path: str) -> str | None:
        """Return who alone has the nearest folder that is expected; the root is nobody's."""
        folder = path.rpartition("/")[0]
        while folder and folder != self._prefix.rstrip("/"):
            if folder in self._folders:
                return next(iter(self._folders[folder]))
            folder = folder.rpartition("/")[0]
        return None


def _package(
    name: str,
    files: Sequence[FileDifference],
    expected: Expectation,
    held: HeldBundle,
    found: tuple[str, ...],
) -> PackageVerification:
    package = expected.packages.get(name)
    remark, detail = _remark(name, package, files, expected, held, found)
    return PackageVerification(
        name=name,
        version=package.version if package else None,
        found_version=next(
            (v for v in found if package and same_version(v, package.version)), (*found, None)[0]
        ),
        remark=remark,
        detail=detail,
        files=tuple(files),
    )


def _remark(
    name: str,
    package: ExpectedPackage | None,
    files: Sequence[FileDifference],
    expected: Expectation,
    held: HeldBundle,
    found: tuple[str, ...],
) -> tuple[Remark | None, str]:
    """Return what is the matter with a whole package, and more about it."""
    if package is None:
        return ("extra", expected.left_out.get(name, "")) if name != OTHER_FILES else (None, "")
    entries = [entry for entry in expected.plan.entries if entry.owner == name]
    gone = {file.path for file in files if file.kind == "missing" or file.detail == "not there"}
    if all(entry.path in gone for entry in entries if not entry.path.endswith(".pyc")):
        return ("version", _versions(found, package)) if found else ("missing", "")
    if found and not any(same_version(version, package.version) for version in found):
        return "version", _versions(found, package)
    if wheel := _other_wheel(package, entries, held):
        return "wheel", wheel
    info = [entry.path for entry in entries if _is_info(entry.path, expected.plan.prefix)]
    return ("dist-info", "") if info and not found and gone >= {*info} else (None, "")


def _versions(found: tuple[str, ...], package: ExpectedPackage) -> str:
    return f"{joined(found)} instead of {package.version}"


def _is_info(path: str, prefix: str) -> bool:
    return path.removeprefix(prefix).partition("/")[0].endswith(".dist-info")


def _other_wheel(package: ExpectedPackage, entries: Sequence[Entry], held: HeldBundle) -> str:
    """Name the wheel that a package's files say they are of, and the one that they should be of."""
    entry = next((e for e in entries if e.path.endswith(".dist-info/WHEEL") and e.path in held.files), None)
    if entry is None or package.wheel is None:
        return ""
    text = held.read(entry.path, MAX_METADATA)
    tags, wanted = wheel_tags(text or b""), wheel_tags(entry.read())
    if not tags or tags == wanted:
        return ""
    named = (name for name in package.locked_wheels if _tags_of(name) == tags)
    return f"{next(named, joined(sorted(tags)))} instead of {package.wheel.path.name}"


def _tags_of(wheel: str) -> frozenset[str]:
    try:
        return frozenset(map(str, parse_wheel_filename(wheel)[3]))
    except InvalidWheelFilename:
        return frozenset()
