"""What must not be written to one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.stages.selected import Selected


class OutputCollisionError(LambdaBundleError):
    """Two bundles with one output."""


def check_outputs(bundles: Sequence[Selected]) -> None:
    """Refuse two bundles with one output, and one that leaves out what another's last output holds."""
    seen: dict[Path, Selected] = {}
    for bundle in bundles:
        other = seen.setdefault(bundle.output, bundle)
        if other is not bundle:
            raise OutputCollisionError(
                f"Two bundles would be written to {bundle.output}: {_described(other)} and "
                f"{_described(bundle)}. Tell them apart in --output with {_difference(other, bundle)}."
            )
    for layer in (layer for bundle in bundles for layer in bundle.layers):
        if layer.path in seen:
            raise OutputCollisionError(
                f"exclude-layers: {layer.path} would be written by this very run. "
                "Make the layer in a run of its own, before the function."
            )


def _described(bundle: Selected) -> str:
    return f"{bundle.config.bundle or bundle.name} for {bundle.target}"


def _difference(one: Selected, other: Selected) -> str:
    """Return the placeholder that two bundles have different values for."""
    return "{architecture}" if one.config.bundle == other.config.bundle else "{bundle}"
