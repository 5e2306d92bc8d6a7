"""What changed in size since another bundle, by package."""

from __future__ import annotations

import csv
import io

from collections import defaultdict
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.archive.reader import CENTRAL_HEADER
from poetry_lambda_plugin.archive.reader import LOCAL_HEADER
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import Member
from poetry_lambda_plugin.archive.reader import read_data
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.report.bundle_report import Difference


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.report.bundle_report import BundleReport


OTHER_FILES = "(other files)"
"""Stands for files that no RECORD lists."""


class OldBundleError(LambdaBundleError):
    """A ZIP to compare with that can't be read."""


class PackageSize(NamedTuple):
    """A package in a bundle."""

    version: str
    zipped: int
    unzipped: int


def read_bundle(path: Path) -> Mapping[str, PackageSize]:
    """Return the packages of a bundle by their RECORDs; raises OldBundleError."""
    try:
        members = {member.name: member for member in read_members(path)}
        owners = dict(_owners(path, members))
    except InvalidArchiveError as error:
        raise OldBundleError(f"--diff: {path} can't be compared with: {error.reason}.") from error
    except OSError as error:
        raise OldBundleError(f"--diff: {path} can't be read: {error.strerror}.") from error
    sizes: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for name, member in members.items():
        size = sizes[owners.get(name, (OTHER_FILES, "?"))]
        size[0] += _packed_size(member)
        size[1] += member.size
    return {name: PackageSize(version, *size) for (name, version), size in sizes.items()}


def difference(old: Mapping[str, PackageSize], report: BundleReport) -> tuple[Difference, ...]:
    """Return what has changed, what grew most first."""
    new = {
        package.name: PackageSize(package.version, package.sizes.zipped, package.sizes.unzipped)
        for package in report.packages
        if package.sizes
    }
    if {report.project, OTHER_FILES} <= old.keys() and report.project in new:
        # files that a project includes beside a wheel that was built of it are in no RECORD
        project, others = old[report.project], old[OTHER_FILES]
        size = PackageSize(
            project.version, project.zipped + others.zipped, project.unzipped + others.unzipped
        )
        old = {name: of for name, of in old.items() if name != OTHER_FILES} | {report.project: size}
    changes = [_difference(name, old.get(name), new.get(name)) for name in old.keys() | new.keys()]
    return tuple(
        sorted(
            (c for c in changes if c.old_version != c.new_version or c.zipped or c.unzipped),
            key=lambda c: (-c.unzipped, c.name),
        )
    )


def _difference(name: str, old: PackageSize | None, new: PackageSize | None) -> Difference:
    before, after = old or PackageSize("", 0, 0), new or PackageSize("", 0, 0)
    return Difference(
        name,
        old.version if old else None,
        new.version if new else None,
        after.zipped - before.zipped,
        after.unzipped - before.unzipped,
    )


def _owners(path: Path, members: Mapping[str, Member]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the distribution of every file that a RECORD lists."""
    with path.open("rb") as file:
        for name, member in members.items():
            folder, _, base = name.rpartition("/")
            if base != "RECORD" or not folder.endswith(".dist-info"):
                continue
            site, _, info = folder.rpartition("/")
            project, _, version = info.removesuffix(".dist-info").partition("-")
            text = b"".join(read_data(file, member, path.name)).decode("utf-8", "replace")
            for row in csv.reader(io.StringIO(text, newline="")):
                if row:
                    yield f"{site}/{row[0]}" if site else row[0], (canonicalize_name(project), version)


def _packed_size(member: Member) -> int:
    return member.compressed_size + LOCAL_HEADER.size + CENTRAL_HEADER.size + 2 * len(member.raw_name)
