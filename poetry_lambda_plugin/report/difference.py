"""What changed in size since another bundle, by package."""

from __future__ import annotations

import re

from collections import defaultdict
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import Member
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import record_rows
from poetry_lambda_plugin.layout.distribution import release_of
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.bundle_report import FileReport


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.report.bundle_report import PackageReport


OTHER_FILES = "(other files)"
"""Stands for files that no RECORD lists."""

SITE = re.compile(r"|python|python/lib/python3\.\d+/site-packages")
"""Folders of a bundle that Python looks for distributions in."""

BYTECODE = re.compile(r"__pycache__/([^/.]+)\.[^/]+\.pyc$")
"""End of the path of what was compiled for the import system (PEP 3147)."""


class OldBundleError(LambdaBundleError):
    """A ZIP to compare with that can't be read."""


class FileSize(NamedTuple):
    """What a file takes in a bundle, in bytes."""

    zipped: int
    unzipped: int


class Listing(NamedTuple):
    """What a RECORD lists."""

    name: str
    version: str
    paths: tuple[str, ...]


class OldBundle(NamedTuple):
    """A bundle on disk, and who its files belong to as far as it tells that itself."""

    sizes: Mapping[str, FileSize]
    """By path."""
    listings: tuple[Listing, ...]


class PackageSize(NamedTuple):
    """A package in a bundle."""

    version: str
    zipped: int
    unzipped: int


def read_bundle(path: Path) -> OldBundle:
    """Return a bundle to compare with; raises OldBundleError."""
    try:
        members = {member.name: member for member in read_members(path)}
        listings = tuple(_listings(path, members))
    except InvalidArchiveError as error:
        raise OldBundleError(f"--diff: {path} can't be compared with: {error.detail}.") from error
    except OSError as error:
        raise OldBundleError(f"--diff: {path} can't be read: {error.strerror}.") from error
    sizes = {name: FileSize(member.packed_size, member.size) for name, member in members.items()}
    return OldBundle(sizes, listings)


def differences(
    old: OldBundle, project: str, packages: Iterable[PackageReport], owners: Mapping[str, str]
) -> tuple[Difference, ...]:
    """Return what has changed since an old bundle, what grew most first.

    `packages` are those of the new bundle, `owners` those of its files, by path: an old file that no RECORD
    lists, such as one of a project without a package, is taken for the same one's.
    """
    new = {
        package.name: PackageSize(package.version, package.sizes.zipped, package.sizes.unzipped)
        for package in packages
        if package.sizes and package.sizes.files
    }
    before = _packages(old, project, owners, {name: size.version for name, size in new.items()})
    changes = [_difference(name, before.get(name), new.get(name)) for name in before.keys() | new.keys()]
    return tuple(
        sorted(
            (c for c in changes if c.old_version != c.new_version or c.zipped or c.unzipped),
            key=lambda c: (-c.unzipped, c.name),
        )
    )


def owned_files(old: OldBundle, project: str, owners: Mapping[str, str]) -> tuple[FileReport, ...]:
    """Return the old files by path, each with the package that it belonged to."""
    # where two list one file, it belongs to the same one as in the bundle's plan
    listings = sorted(old.listings, key=lambda listing: (listing.name != project, listing.name))
    listed = {path: listing.name for listing in reversed(listings) for path in listing.paths}
    belongs = {path: listed.get(_source(path)) or owners.get(path) for path in old.sizes}
    # what a project includes beside a wheel that was built of it
    others = project if project in belongs.values() else OTHER_FILES
    return tuple(FileReport(path, *size, belongs[path] or others) for path, size in sorted(old.sizes.items()))


def _packages(
    old: OldBundle, project: str, owners: Mapping[str, str], versions: Mapping[str, str]
) -> dict[str, PackageSize]:
    """Sum up the old files by owner; `versions` are for those that have no RECORD."""
    sizes: dict[str, list[FileReport]] = defaultdict(list)
    for file in owned_files(old, project, owners):
        sizes[file.owner].append(file)
    known = {OTHER_FILES: "?", **versions, **{listing.name: listing.version for listing in old.listings}}
    return {
        name: PackageSize(known[name], sum(f.zipped for f in files), sum(f.unzipped for f in files))
        for name, files in sizes.items()
    }


def _source(path: str) -> str:
    """Return the module that bytecode belongs to, since no RECORD lists what was compiled for a bundle."""
    return BYTECODE.sub(r"\1.py", path)


def _difference(name: str, old: PackageSize | None, new: PackageSize | None) -> Difference:
    before, after = old or PackageSize("", 0, 0), new or PackageSize("", 0, 0)
    return Difference(
        name,
        old.version if old else None,
        new.version if new else None,
        after.zipped - before.zipped,
        after.unzipped - before.unzipped,
    )


def _listings(path: Path, members: Mapping[str, Member]) -> Iterator[Listing]:
    sources = {_source(name) for name in members}
    for name, member in members.items():
        folder, _, base = name.rpartition("/")
        site, _, info = folder.rpartition("/")
        release = release_of(info)
        # elsewhere there is what setuptools brings along for itself, and its like
        if base != "RECORD" or release is None or not SITE.fullmatch(site):
            continue
        rows = record_rows(path, member)
        listed = (f"{site}/{row[0]}" if site else row[0] for row in rows if row)
        # of a RECORD that lists more than there is, only what there is is kept
        paths = dict.fromkeys(listed_path for listed_path in listed if listed_path in sources)
        yield Listing(release.name, release.version, tuple(paths))
