"""A bundle whose bytes exist, or whose digest is known as if they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.stages.layers import LayerBundle


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.archive.writer import Sink
    from poetry_lambda_plugin.layout.layer import Layer
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected


class LayerSize(NamedTuple):
    """A layer beside a function."""

    name: str
    """Its bundle's, or its file's."""
    path: Path
    bundle: str | None
    """None for one on disk."""
    unzipped: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A bundle and what its bytes are."""

    compiled: Compiled
    digest: ArchiveDigest
    layers: tuple[LayerSize, ...]
    """Those that the function will have."""

    @property
    def selected(self) -> Selected:
        """What was decided before it was planned."""
        return self.compiled.selected

    @property
    def layers_size(self) -> int:
        """Unzipped bytes of its layers."""
        return sum(layer.unzipped for layer in self.layers)

    @property
    def plan(self) -> BundlePlan:
        """All that it holds."""
        return self.compiled.plan


def written(
    compiled: Compiled, sink: Sink, source_date_epoch: int | None, size_of: Callable[[Unit], int]
) -> Written:
    """Write a bundle, every file with the time that is asked for, in seconds since 1970; None for 1980.

    `size_of` returns the unzipped bytes of a bundle of the run that comes before it, as its layers do.
    """
    epoch = EARLIEST if source_date_epoch is None else source_date_epoch
    digest = write_archive(compiled.plan.entries, sink, Timestamp.from_epoch(epoch))
    return Written(compiled=compiled, digest=digest, layers=_layer_sizes(compiled, size_of))


def written_like(
    twin: Written, compiled: Compiled, copied: Iterable[bytes], sink: Sink, size_of: Callable[[Unit], int]
) -> Written:
    """Write a bundle of the same files as another one, whose bytes are `copied`."""
    for chunk in copied:
        sink.write(chunk)
    return Written(compiled=compiled, digest=twin.digest, layers=_layer_sizes(compiled, size_of))


def _layer_sizes(compiled: Compiled, size_of: Callable[[Unit], int]) -> tuple[LayerSize, ...]:
    return tuple(_layer_size(layer, size_of) for layer in compiled.selected.layers)


def _layer_size(layer: Layer | LayerBundle, size_of: Callable[[Unit], int]) -> LayerSize:
    if isinstance(layer, LayerBundle):
        return LayerSize(layer.name, layer.path, layer.name, size_of(layer.selected.unit))
    return LayerSize(layer.name, layer.path, None, layer.unzipped)
