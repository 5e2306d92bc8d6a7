"""What must not be written to one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.stages.outputs import place_of
from poetry_lambda_plugin.stages.pages import PageError
from poetry_lambda_plugin.stages.pages import check_page


if TYPE_CHECKING:
    from collections.abc import Sequence

    from poetry_lambda_plugin.stages.selected import Selected


class OutputCollisionError(LambdaBundleError):
    """Two bundles with one output."""


def check_outputs(bundles: Sequence[Selected]) -> None:
    """Refuse two bundles with one output, and one that leaves out what another's last output holds."""
    seen: dict[Path, Selected] = {}
    for bundle in bundles:
        other = seen.setdefault(place_of(bundle.output), bundle)
        if other is not bundle:
            raise OutputCollisionError(
                f"Two bundles would be written to {bundle.output}: {_described(other)} and "
                f"{_described(bundle)}. Tell them apart in --output with {_difference(other, bundle)}."
            )
    for package in (choice.package for bundle in bundles for choice in bundle.choices):
        if package.source_type == "file" and place_of(Path(str(package.source_url))) in seen:
            raise OutputCollisionError(
                f"The bundle would replace {package.source_url}, which is {package}. Choose another --output."
            )
    for layer in (layer for bundle in bundles for layer in bundle.layers):
        if place_of(layer.path) in seen:
            raise OutputCollisionError(
                f"exclude-layers: {layer.path} would be written by this very run. "
                "Make the layer in a run of its own, before the function."
            )


def check_report(page: Path | None, bundles: Sequence[Selected]) -> None:
    """Raise PageError where a report's page can't be written, or would replace a bundle."""
    if page is None:
        return
    check_page(page)
    if place_of(page) in {place_of(bundle.output) for bundle in bundles}:
        raise PageError(page, "a bundle is to be written there")


def _described(bundle: Selected) -> str:
    return f"{bundle.config.bundle or bundle.name} for {bundle.target}"


def _difference(one: Selected, other: Selected) -> str:
    """Return the placeholder that two bundles have different values for."""
    return "{architecture}" if one.config.bundle == other.config.bundle else "{bundle}"
