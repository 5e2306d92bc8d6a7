"""The whole bundle before a byte is written: every path once, conflicts settled, in order."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.layout.distribution import record_content


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.content import Content
    from poetry_lambda_plugin.layout.botocore import ServiceFilter
    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.filters import PathFilter


MAX_NAME = 255
"""Bytes of a file's or folder's name, on any file system of Linux."""

SHOWN = 40
"""Characters that an error shows of a longer name."""


class PathConflictError(LambdaBundleError):
    """A path that would have to be a file and a folder."""


class EscapingPathError(LambdaBundleError):
    """A path that would leave the folder a bundle is unpacked to."""

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner
        super().__init__(
            f"{owner} would put a file at {path!r}, outside the bundle. Correct `to` in its `packages`, or "
            "the names of its scripts."
        )


class LongNameError(LambdaBundleError):
    """A file or folder whose name no file system of Lambda takes."""

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner
        name = max(path.split("/"), key=_bytes)
        super().__init__(
            f"{owner} has a file or folder whose name, {name[:SHOWN]!r} and so on, has {_bytes(name)} bytes: "
            f"Linux takes {MAX_NAME} at most. Leave it out with --exclude, or give it a shorter name."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedDistribution:
    """What became of one distribution."""

    name: str
    version: str
    source: str
    left_out: tuple[LeftOut, ...]
    is_project: bool
    metadata: Content | None = None
    """METADATA, in the bundle or not; None for files that are no distribution."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundlePlan:
    """All that the archive will hold."""

    entries: tuple[Entry, ...]
    """Sorted by path, each path once."""
    distributions: tuple[PlannedDistribution, ...]
    """The project first, then by name."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    prefix: str = ""
    """Folder that all paths begin with: a layer's."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Everything that keeps single files out of a bundle."""

    paths: PathFilter
    services: ServiceFilter | None = None

    def reason(self, path: str) -> str | None:
        """Return why a file is left out; None for one that stays."""
        if self.paths.excludes(path):
            return "excluded"
        if self.services is not None and self.services.excludes(path):
            return "AWS services not used"
        return None


def plan_bundle(
    distributions: Sequence[Distribution], exclusions: Exclusions, prefix: str = ""
) -> BundlePlan:
    """Join distributions to one bundle, below `prefix`, which no pattern of the exclusions sees.

    Where two have the same path, the project wins over a dependency, otherwise the name that sorts
    first; equal bytes are no conflict. Raises PathConflictError,
    EscapingPathError and LongNameError.
    """
    places: dict[str, Entry] = {}
    planned: list[PlannedDistribution] = []
    findings: list[Finding] = []
    for distribution in sorted(distributions, key=lambda d: (not d.is_project, d.name)):
        kept, left_out, conflicts = _place(distribution, places, exclusions)
        findings += conflicts
        lost = len(kept) < len(distribution.entries)
        record = distribution.record_path
        if record is not None and record in places:
            left_out.append(LeftOut(record, f"{places[record].owner} has it too"))
            words = f"{record} is in {places[record].owner} and in {distribution.name}."
            findings.append(Finding("path-conflict", words, record))
        elif record is not None and exclusions.reason(record) is None:
            content = record_content(distribution, kept, changed=distribution.changed or lost)
            kept.append(Entry(record, content, owner=distribution.name))
        elif record is not None:
            left_out.append(LeftOut(record, "excluded"))
        places.update((entry.path, entry) for entry in kept)
        planned.append(
            PlannedDistribution(
                name=distribution.name,
                version=distribution.version,
                source=distribution.source,
                left_out=(*distribution.left_out, *left_out),
                is_project=distribution.is_project,
                metadata=distribution.metadata,
            )
        )
    _check_folders(places)
    findings += _unused_patterns(exclusions.paths, places, planned)
    entries = tuple(sorted(places.values(), key=attrgetter("path")))
    if prefix:
        entries = tuple(entry._replace(path=prefix + entry.path) for entry in entries)
    return BundlePlan(entries=entries, distributions=tuple(planned), findings=tuple(findings), prefix=prefix)


def _place(
    distribution: Distribution, places: dict[str, Entry], exclusions: Exclusions
) -> tuple[list[Entry], list[LeftOut], list[Finding]]:
    """Return the files that stay, those left out, and a warning for each path that another one has."""
    own: dict[str, Entry] = {}
    left_out: list[LeftOut] = []
    findings: list[Finding] = []
    for entry in distribution.entries:
        if _escapes(entry.path):
            raise EscapingPathError(entry.path, distribution.name)
        reason = exclusions.reason(entry.path)
        if reason is not None:
            left_out.append(LeftOut(entry.path, reason))
            continue
        if has_long_name(entry.path):
            raise LongNameError(entry.path, f"{distribution.name} ({distribution.version})")
        other = own.get(entry.path) or places.get(entry.path)
        if other is None or _same_bytes(other, entry):
            own[entry.path] = other or entry
            continue
        left_out.append(LeftOut(entry.path, f"{other.owner} has it too"))
        if entry.path in own:
            words = f"{entry.path} is in {distribution.name} twice: the first one is bundled."
        else:
            words = (
                f"{entry.path} is in {other.owner} and in {distribution.name} with other bytes: "
                f"the one of {other.owner} is bundled."
            )
        findings.append(Finding("path-conflict", words, entry.path))
    return list(own.values()), left_out, findings


def _escapes(path: str) -> bool:
    """Tell whether a path is not plainly below the root, on any system."""
    parts = path.split("/")
    return not {"", ".", ".."}.isdisjoint(parts) or "\\" in path or "\0" in path or path[1:2] == ":"


def has_long_name(path: str) -> bool:
    """Tell whether a file or a folder on its way has a name that can't be unpacked."""
    return _bytes(path) > MAX_NAME and max(map(_bytes, path.split("/"))) > MAX_NAME


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _unused_patterns(
    path_filter: PathFilter, places: Iterable[str], planned: Iterable[PlannedDistribution]
) -> list[Finding]:
    """Warn of patterns that leave nothing out, for they are likely misspelt."""
    if not path_filter.patterns:
        return []
    paths = [*places, *(left.path for distribution in planned for left in distribution.left_out)]
    return [
        Finding("pattern-unused", f"exclude: {pattern!r} matches nothing in the bundle.", pattern)
        for pattern in path_filter.unused(paths)
    ]


def _same_bytes(one: Entry, other: Entry) -> bool:
    """Compare two files, in pieces, and only where their sizes agree."""
    return one.content.size == other.content.size and one.digest() == other.digest()


def _check_folders(places: Iterable[str]) -> None:
    """Refuse a path that is another one's folder: no file system can hold both."""
    files = set(places)
    folders = {path.rpartition("/")[0] for path in files}
    while folders:
        clashes = sorted(folders & files)
        if clashes:
            inside = min(path for path in files if path.startswith(f"{clashes[0]}/"))
            raise PathConflictError(
                f"The bundle would need {clashes[0]!r} to be a file and a folder (it also holds {inside!r}). "
                "Leave one of them out with --exclude, or put it elsewhere with --include PATH:TO."
            )
        folders = {folder.rpartition("/")[0] for folder in folders} - {""}
