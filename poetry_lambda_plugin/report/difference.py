"""What changed in size since another bundle, by package."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import record_rows
from poetry_lambda_plugin.layout.listing import listings
from poetry_lambda_plugin.layout.listing import source_path
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.bundle_report import FileReport


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.layout.listing import Listing
    from poetry_lambda_plugin.report.bundle_report import PackageReport


OTHER_FILES = "(other files)"
"""Stands for files that no RECORD lists."""


class OldBundleError(LambdaBundleError):
    """A ZIP to compare with that can't be read."""


class FileSize(NamedTuple):
    """What a file takes in a bundle, in bytes."""

    zipped: int
    unzipped: int


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
        found = tuple(listings(members, lambda name: record_rows(path, members[name])))
    except InvalidArchiveError as error:
        raise OldBundleError(f"--diff: {path} can't be compared with: {error.detail}.") from error
    except OSError as error:
        raise OldBundleError(f"--diff: {path} can't be read: {error.strerror}.") from error
    sizes = {name: FileSize(member.packed_size, member.size) for name, member in members.items()}
    return OldBundle(sizes, found)


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
    belongs = {path: listed.get(source_path(path)) or owners.get(path) for path in old.sizes}
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


def _difference(name: str, old: PackageSize | None, new: PackageSize | None) -> Difference:
    before, after = old or PackageSize("", 0, 0), new or PackageSize("", 0, 0)
    return Difference(
        name,
        old.version if old else None,
        new.version if new else None,
        after.zipped - before.zipped,
        after.unzipped - before.unzipped,
    )
