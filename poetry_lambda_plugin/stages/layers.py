"""What a function leaves to its layers: ZIPs on disk, and bundles that the same run makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.configuration.layering import LayerFailedError
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.stages.failures import Unit
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.configuration.layering import Wanted
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.layer import Layer
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.stages.selected import Selected

    LayerReader: TypeAlias = Callable[[Path, Runtime], Layer]


class UnfitLayerError(LambdaBundleError):
    """A layer that a function can't run with."""


@dataclass(frozen=True, slots=True)
class LayerBundle:
    """A layer that the same run makes."""

    selected: Selected

    @property
    def name(self) -> str:
        """That of its bundle."""
        return str(self.selected.config.bundle)

    @property
    def path(self) -> Path:
        """Where it will be."""
        return self.selected.output

    @property
    def versions(self) -> Mapping[str, str]:
        """Version by normalised name of each distribution."""
        packages = (choice.package for choice in self.selected.choices)
        return {package.name: package.version for package in packages}


def layers_of(
    config: BundleConfig,
    target: Target,
    made: Mapping[Unit, Selected],
    configs: Mapping[str, Wanted],
    read: LayerReader,
) -> Iterator[Layer | LayerBundle]:
    """Yield a bundle's layers in its order; raises LambdaBundleError for one that does not fit.

    `made` are the bundles that come before it in the same run, `configs` all that the run has to make.
    """
    for layer in config.exclude_layers:
        if not isinstance(layer, str):
            yield read(layer, target.runtime)
            continue
        architectures = configs[layer].config.architectures
        if target.architecture not in architectures:
            raise _other_architecture(config, configs[layer].config, target)
        selected = made.get(Unit(layer, target.architecture))
        if selected is None:
            raise LayerFailedError(layer)
        _check_runtime(config, selected, target.runtime)
        yield LayerBundle(selected)


def _other_architecture(config: BundleConfig, layer: BundleConfig, target: Target) -> UnfitLayerError:
    wanted = ", ".join(f'"{name}"' for name in (*layer.architectures, target.architecture))
    return UnfitLayerError(
        f"{config.bundle or 'The bundle'} is for {target.architecture}, but its layer {layer.bundle} is for "
        f"{joined(layer.architectures)} only. Set architecture = [{wanted}] in [{layer.table}]."
    )


def _check_runtime(config: BundleConfig, layer: Selected, runtime: Runtime) -> None:
    other = layer.target.runtime
    if other.name != runtime.name:
        raise UnfitLayerError(
            f"{config.bundle or 'The bundle'} is for {runtime.name}, but its layer {layer.config.bundle} is "
            f"for {other.name}. Set the same runtime in [{config.table}] and [{layer.config.table}], or "
            "make a layer for each runtime."
        )
