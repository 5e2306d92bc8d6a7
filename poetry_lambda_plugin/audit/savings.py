"""What each way of leaving things out would bring, measured on a bundle that does not use it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.selection.graph import DependencyGraph


SET_OPTIONS = {f'exclude = ["@{name}"]': f"@{name}" for name in SETS}
"""The set that an option is about."""
RUNTIME_PACKAGES_OPTION = "exclude-runtime-packages = true"
SERVICES_OPTION = 'botocore-services = "auto"'

LEAST_FELT_FIRST = (
    'exclude = ["@type-stubs"]',
    'exclude = ["@headers-and-sources"]',
    'exclude = ["@docs"]',
    'exclude = ["@tests"]',
    SERVICES_OPTION,
    RUNTIME_PACKAGES_OPTION,
)
"""The options by what a function may notice of them; the last one exchanges the very code it runs."""

REMARKS = {SERVICES_OPTION: "does not look into dependencies"}


class Saving(NamedTuple):
    """What one option, or several, would take off a bundle."""

    option: str
    """As it is written in the configuration."""
    zipped: int
    """Bytes."""
    unzipped: int
    """Bytes."""
    remark: str = ""
    """What one has to know before one takes it."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What the options that a bundle does not use would bring, alone and together."""

    groups: Mapping[frozenset[str], tuple[int, int]]
    """Zipped and unzipped bytes of the files that just those options would leave out."""

    @property
    def singly(self) -> tuple[Saving, ...]:
        """What each option would bring, the largest first."""
        found = [Saving(option, *self._bytes({option}), REMARKS.get(option, "")) for option in self._options]
        return tuple(sorted((s for s in found if s.unzipped), key=lambda s: (-s.unzipped, s.option)))

    @property
    def together(self) -> Saving:
        """What all of them would bring: less than their sum where they overlap."""
        return Saving("all together", *self._bytes(self._options))

    def enough(self, unzipped: int) -> tuple[tuple[str, ...], int]:
        """Return the least that would take off so many bytes, and what it takes off; no option for nothing.

        The runtime's packages are counted on only where nothing else suffices. Else the options are as few as
        can be, and of so many those that a function feels least.
        """
        options = [option for option in LEAST_FELT_FIRST if option in self._options]
        tried = (chosen for count in range(1, len(options) + 1) for chosen in combinations(options, count))
        fitting = [chosen for chosen in tried if self._bytes(chosen)[1] >= unzipped]
        if not fitting:
            return (), 0
        best = min(fitting, key=_felt)
        return best, self._bytes(best)[1]

    @property
    def _options(self) -> frozenset[str]:
        return frozenset().union(*self.groups)

    def _bytes(self, options: Collection[str]) -> tuple[int, int]:
        hit = [size for group, size in self.groups.items() if not group.isdisjoint(options)]
        return sum(zipped for zipped, _ in hit), sum(unzipped for _, unzipped in hit)


def _felt(options: tuple[str, ...]) -> tuple[bool, int, list[int]]:
    felt = sorted(map(LEAST_FELT_FIRST.index, options), reverse=True)
    return RUNTIME_PACKAGES_OPTION in options, len(options), felt


def savings(
    plan: BundlePlan,
    digest: ArchiveDigest,
    graph: DependencyGraph,
    gone: frozenset[str],
    services: frozenset[str],
    not_offered: Collection[str],
) -> Savings:
    """Measure the options that are neither used nor would break the function.

    `gone` are packages left out by name already, `services` those that the project's sources ask clients
    for.
    """
    offered = [
        (option, excludes)
        for option, excludes in _options(plan, graph, gone, services)
        if option not in not_offered
    ]
    groups: defaultdict[frozenset[str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for entry, packed in zip(plan.entries, digest.packed_sizes, strict=True):
        options = frozenset(option for option, excludes in offered if excludes(entry))
        if options:
            zipped, unzipped = groups[options]
            groups[options] = zipped + packed, unzipped + entry.content.size
    return Savings(groups)


def _options(
    plan: BundlePlan, graph: DependencyGraph, gone: frozenset[str], services: frozenset[str]
) -> Iterator[tuple[str, Callable[[Entry], bool]]]:
    """Yield every option with a judge of the files that it would leave out."""
    start = len(plan.prefix)
    for option, name in SET_OPTIONS.items():
        path_filter = PathFilter((name,))
        yield option, lambda entry, f=path_filter: f.excludes(entry.path[start:])  # type: ignore[misc]
    unneeded = graph.needs.keys() - graph.reachable(RUNTIME_PACKAGES | gone)
    yield RUNTIME_PACKAGES_OPTION, lambda entry: entry.owner in unneeded
    service_filter = ServiceFilter(services)
    yield SERVICES_OPTION, lambda entry: service_filter.excludes(entry.path[start:])
