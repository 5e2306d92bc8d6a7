"""What a function finds in its layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.reader import read_whole
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from poetry_lambda_plugin.layout.layer import Layer
    from poetry_lambda_plugin.layout.plan import BundlePlan


class LayerFiles(NamedTuple):
    """A layer as the runtime sees it."""

    name: str
    """Of its bundle or its file."""
    owners: frozenset[str]
    """Normalised names of its distributions."""
    files: Mapping[str, Callable[[], bytes]]
    """What reads each file that Python could import, by its path from where it would."""
    libraries: frozenset[str]
    """Names of the files where the loader looks for shared libraries."""


def files_of_layer(layer: Layer) -> LayerFiles:
    """Look at a layer on disk."""
    files = {
        path: partial(read_whole, layer.path, member, MAX_SOURCE) for path, member in layer.files.items()
    }
    return LayerFiles(layer.name, frozenset(layer.versions), files, layer.libraries)


def files_of_plan(name: str, plan: BundlePlan) -> LayerFiles:
    """Look at a layer that is planned."""
    inside = [entry for entry in plan.entries if entry.path.startswith(plan.prefix)]
    libraries = (entry.path.removeprefix("lib/") for entry in plan.entries if entry.path.startswith("lib/"))
    return LayerFiles(
        name=name,
        owners=frozenset(distribution.name for distribution in plan.distributions),
        files={entry.path.removeprefix(plan.prefix): entry.read for entry in inside},
        libraries=frozenset(libraries),
    )
