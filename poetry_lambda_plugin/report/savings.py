"""What each way of leaving things out would bring, measured on a bundle that does not use it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import content_size
from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.target.runtimes import RUNTIME_PACKAGES


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.sources.graph import DependencyGraph


RUNTIME_PACKAGES_OPTION = "exclude-runtime-packages = true"
SERVICES_OPTION = 'botocore-services = "auto"'


class Saving(NamedTuple):
    """What one option would take off a bundle."""

    option: str
    """As it is written in the configuration."""
    zipped: int
    """Bytes."""
    unzipped: int
    """Bytes."""


def savings(
    plan: BundlePlan,
    digest: ArchiveDigest,
    graph: DependencyGraph,
    gone: frozenset[str],
    services: frozenset[str],
    used: frozenset[str],
) -> tuple[Saving, ...]:
    """Return what the options that are not `used` would bring, the largest first.

    `gone` are packages left out by name already, `services` those that the project's sources ask clients
    for.
    """
    sized = [
        (entry, packed, content_size(entry.content))
        for entry, packed in zip(plan.entries, digest.packed_sizes, strict=True)
    ]
    found = [
        _saving(option, sized, excludes)
        for option, excludes in _options(plan, graph, gone, services)
        if option not in used
    ]
    return tuple(sorted((s for s in found if s.unzipped), key=lambda s: (-s.unzipped, s.option)))


def _options(
    plan: BundlePlan, graph: DependencyGraph, gone: frozenset[str], services: frozenset[str]
) -> Iterator[tuple[str, Callable[[Entry], bool]]]:
    """Yield every option with a judge of the files that it would leave out."""
    start = len(plan.prefix)
    for name in SETS:
        path_filter = PathFilter((f"@{name}",))
        yield f'exclude = ["@{name}"]', lambda entry, f=path_filter: f.excludes(entry.path[start:])  # type: ignore[misc]
    unneeded = graph.needs.keys() - graph.reachable(RUNTIME_PACKAGES | gone)
    yield RUNTIME_PACKAGES_OPTION, lambda entry: entry.owner in unneeded
    service_filter = ServiceFilter(services)
    yield SERVICES_OPTION, lambda entry: service_filter.excludes(entry.path[start:])


def _saving(
    option: str, sized: Sequence[tuple[Entry, int, int]], excludes: Callable[[Entry], bool]
) -> Saving:
    hit = [(packed, unzipped) for entry, packed, unzipped in sized if excludes(entry)]
    return Saving(option, sum(packed for packed, _ in hit), sum(unzipped for _, unzipped in hit))
