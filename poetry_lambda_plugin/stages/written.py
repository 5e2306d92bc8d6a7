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
    from collections.abc import Iterable
    from collections.abc import Mapping
from poetry_lambda_plugin.configuration.placeholders import settled


if TYPE_CHECKING:
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
    def output(self) -> Path:
        """Where it goes."""
        return settled(self.selected.output, self.digest.sha256.hex())

    @property
    def sbom(self) -> Path | None:
        """Where its SBOM goes; None without one."""
        path = self.selected.sbom
        return settled(path, self.digest.sha256.hex()) if path is not None else None

    @property
    def plan(self) -> BundlePlan:
        """All that it holds."""
        return self.compiled.plan


def digest_of(compiled: Compiled, sink: Sink, source_date_epoch: int | None) -> ArchiveDigest:
    """Write a bundle, every file with the time that is asked for, in seconds since 1970; None for 1980."""
    epoch = EARLIEST if source_date_epoch is None else source_date_epoch
    return write_archive(compiled.plan.entries, sink, Timestamp.from_epoch(epoch))


def written(
    compiled: Compiled, sink: Sink, source_date_epoch: int | None, made: Mapping[Unit, Written]
) -> Written:
    """Write a bundle as `digest_of` does; `made` are those before it, as its layers are."""
    digest = digest_of(compiled, sink, source_date_epoch)
    return Written(compiled=compiled, digest=digest, layers=_layer_sizes(compiled, made))


def written_like(
    twin: Written, compiled: Compiled, copied: Iterable[bytes], sink: Sink, made: Mapping[Unit, Written]
) -> Written:
    """Write a bundle of the same files as another one, whose bytes are `copied`."""
    for chunk in copied:
        sink.write(chunk)
    return Written(compiled=compiled, digest=twin.digest, layers=_layer_sizes(compiled, made))


def _layer_sizes(compiled: Compiled, made: Mapping[Unit, Written]) -> tuple[LayerSize, ...]:
    return tuple(_layer_size(layer, made) for layer in compiled.selected.layers)


def _layer_size(layer: Layer | LayerBundle, made: Mapping[Unit, Written]) -> LayerSize:
    if isinstance(layer, LayerBundle):
        bundle = made[layer.selected.unit]
        return LayerSize(layer.name, bundle.output, layer.name, bundle.digest.total.unzipped)
    return LayerSize(layer.name, layer.path, None, layer.unzipped)
