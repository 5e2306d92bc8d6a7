"""What must not be written to one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import is_nowhere
from poetry_lambda_plugin.configuration.placeholders import is_settled
from poetry_lambda_plugin.configuration.placeholders import readable
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.stages.outputs import place_of
from poetry_lambda_plugin.stages.pages import check_page


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written


class OutputCollisionError(LambdaBundleError):
    """Two bundles with one output."""


def check_outputs(bundles: Sequence[Selected]) -> None:
    """Refuse two bundles with one output, and one that leaves out what another's last output holds."""
    seen: dict[Path, Selected] = {}
    for bundle in bundles:
        if not is_settled(bundle.output):
            continue
        other = seen.setdefault(place_of(bundle.output), bundle)
        if other is not bundle:
            raise OutputCollisionError(
                f"Two bundles would be written to {bundle.output}: {_described(other)} and "
                f"{_described(bundle)}. Tell them apart in --{_option(bundle)} with "
                f"{_difference(other, bundle)}."
            )
    _check_sboms(bundles, seen)
    _check_folders(bundles)
    for package in (choice.package for bundle in bundles for choice in bundle.choices):
        if package.source_type == "file" and place_of(Path(str(package.source_url))) in seen:
            raise OutputCollisionError(
                f"The bundle would replace {package.source_url}, which is {package}. Choose another --output."
            )
    for bundle in bundles:
        for path in bundle.config.layer_files:
            writer = seen.get(place_of(path))
            if writer is not None:
                words = f"exclude-layers: {path} would be written by this very run. {_way_out(writer)}"
                raise OutputCollisionError(words)


def _way_out(bundle: Selected) -> str:
    """Say how a bundle is named as a layer, where it has a name."""
    if bundle.config.bundle is None:
        return "Make the layer in a run of its own, before the function."
    return f'Name the bundle instead of the file: exclude-layers = ["{bundle.config.bundle}"].'


def _check_folders(bundles: Sequence[Selected]) -> None:
    """Refuse what would lie in a folder that holds a bundle's files and no others."""
    folders = {place_of(bundle.output): bundle for bundle in bundles if bundle.config.unpacked is not None}
    for bundle in bundles if folders else ():
        for path, option in ((bundle.output, _option(bundle)), (bundle.sbom, "sbom")):
            place = place_of(path) if path is not None else Path()
            folder = next((folder for folder in place.parents if folder in folders), None)
            if folder is not None:
                raise OutputCollisionError(
                    f"{readable(place)} would lie in {folder}, which is to hold the files of "
                    f"{_described(folders[folder])} and no others. Choose another --{option}."
                )


def check_settled(bundles: Sequence[Written]) -> None:
    """Refuse other things in one place where the names that digests gave turn out to be the same.

    One bundle twice is no harm.
    """
    seen: dict[Path, object] = {}
    for bundle in bundles:
        # no bundle's SBOM is another's, be their bytes the same
        contents = ((bundle.output, bundle.digest.sha256), (bundle.sbom, object()))
        for path, content in contents:
            if path is None or is_nowhere(path):
                continue
            if seen.setdefault(place_of(path), content) != content:
                raise OutputCollisionError(
                    f"Two different files would be written to {path}. "
                    "Leave room for more digits, as in {sha256:12}, or for {bundle}."
                )


def _check_sboms(bundles: Sequence[Selected], outputs: Mapping[Path, Selected]) -> None:
    """Refuse two bundles with one SBOM, and an SBOM that is some bundle's output too."""
    seen: dict[Path, Selected] = {}
    for bundle in bundles:
        if bundle.sbom is None or is_nowhere(bundle.sbom) or not is_settled(bundle.sbom):
            continue
        place = place_of(bundle.sbom)
        if place in outputs:
            raise OutputCollisionError(
                f"{bundle.sbom} would be an SBOM and the bundle {_described(outputs[place])}. "
                "Choose another --sbom."
            )
        other = seen.setdefault(place, bundle)
        if other is not bundle:
            raise OutputCollisionError(
                f"Two SBOMs would be written to {bundle.sbom}, of {_described(other)} and "
                f"{_described(bundle)}. Tell them apart in --sbom with {_difference(other, bundle)}."
            )


def check_report(page: Path | None, bundles: Sequence[Selected]) -> None:
    """Raise UnwritableOutputError where a report's page can't be written, or would be in a bundle's way."""
    if page is None:
        return
    check_page(page)
    place = place_of(page)
    for bundle in bundles:
        if place in {place_of(path) for path in (bundle.output, bundle.sbom) if path is not None}:
            raise UnwritableOutputError(page, f"{_described(bundle)} is to be written there", "report")
        if bundle.config.unpacked is not None and place_of(bundle.output) in place.parents:
            reason = f"{readable(bundle.output)} is to hold the files of {_described(bundle)} and no others"
            raise UnwritableOutputError(page, reason, "report")


def _described(bundle: Selected) -> str:
    return f"{bundle.config.bundle or bundle.name} for {bundle.target}"


def _option(bundle: Selected) -> str:
    return "output" if bundle.config.unpacked is None else "unpacked"


def _difference(one: Selected, other: Selected) -> str:
    """Return the placeholder that two bundles have different values for."""
    return "{architecture}" if one.config.bundle == other.config.bundle else "{bundle}"
