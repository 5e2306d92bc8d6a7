"""What bundles there are, and whether one would be another than before; nothing is made or fetched."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from poetry_lambda_plugin.bytecode.interpreters import Interpreters
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.stages.failures import failures_of
from poetry_lambda_plugin.stages.fingerprints import UnknownBytesError
from poetry_lambda_plugin.stages.fingerprints import fingerprint
from poetry_lambda_plugin.stages.outputs import records_of
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.selected import select_bundles


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.selection.runtime_choice import ChosenBy
    from poetry_lambda_plugin.stages.selected import Selected


class UnmakeableError(LambdaBundleError):
    """Bundles that can't be made, among those that are listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One bundle for one architecture, as far as it can be told beforehand."""

    config: BundleConfig
    project: str
    """Normalised name."""
    version: str
    root: Path
    architecture: Architecture | None
    """None where its table can't be read."""
    runtime: str | None = None
    """None where it can't be chosen."""
    runtime_chosen_by: ChosenBy | None = None
    output: Path | None = None
    fingerprint: str | None = None
    """A SHA-256 in hexadecimal of all that its bytes depend on."""
    unknown: str | None = None
    """Why there is no fingerprint."""
    error: str | None = None
    """Why it can't be made."""


def listed_bundles(
    project: OpenProject, order: Order, today: date, source_date_epoch: int | None
) -> Iterator[Listed]:
    """Yield every bundle for every architecture; what is wrong with one keeps none of the others back."""
    known = (*(one.config for one in order.wanted), *order.family, *order.plain, *order.earlier)
    outputs = written_before(project.facts, known, records_of(project))
    failures = failures_of(order, alone=False)
    # a layer that is made later, in another run, decides what the function leaves out
    there = tuple(replace(one, config=_with_layers_that_are_there(one.config)) for one in order.wanted)
    selected = select_bundles(project, replace(order, wanted=there), today, outputs, failures)
    interpreters = Interpreters(project)

    def fingerprint_of(bundle: Selected) -> str:
        return fingerprint(bundle, source_date_epoch, lambda python: interpreters.find(python).build, outputs)

    bundles = {bundle.unit: bundle for bundle in selected}
    errors = {failure.unit: failure.error for failure in failures.found}
    asked = {one.config.bundle: one.config for one in order.wanted if not one.needed_by}
    for unit in (*failures.order, *(unit for unit in errors if unit not in failures.order)):
        config = asked.get(unit.bundle) or BundleConfig(bundle=unit.bundle)
        if unit.bundle not in asked and unit not in errors:
            continue
        begun = Listed(
            config=config,
            project=project.facts.name,
            version=project.facts.version,
            root=project.facts.root,
            architecture=unit.architecture,
        )
        yield _listed(begun, bundles.get(unit), errors.get(unit), fingerprint_of)


def _with_layers_that_are_there(config: BundleConfig) -> BundleConfig:
    missing = _missing_layers(config)
    return replace(config, exclude_layers=tuple(p for p in config.exclude_layers if p not in missing))


def _missing_layers(config: BundleConfig) -> list[Path]:
    return [path for path in config.layer_files if not path.is_file()]


def enforce_makeable(bundles: Sequence[Listed]) -> None:
    """Raise UnmakeableError for all bundles that can't be made, each with the reason."""
    if lines := [f"{name_of(bundle)}: {bundle.error}" for bundle in bundles if bundle.error]:
        raise UnmakeableError(*lines)


def name_of(bundle: Listed) -> str:
    """Return what a bundle is called."""
    return bundle.config.bundle or bundle.project


def _listed(
    begun: Listed,
    selected: Selected | None,
    error: LambdaBundleError | None,
    fingerprint_of: Callable[[Selected], str],
) -> Listed:
    if error is not None or selected is None:
        return replace(begun, error=" ".join(str(error).split()))
    known = replace(
        begun,
        runtime=selected.target.runtime.name,
        runtime_chosen_by=selected.runtime_chosen_by,
        output=selected.output,
    )
    if missing := _missing_layers(begun.config):
        return replace(known, unknown=f"The layer {missing[0].name} is not there yet.")
    try:
        return replace(known, fingerprint=fingerprint_of(selected))
    except UnknownBytesError as error:
        return replace(known, unknown=str(error))
    except LambdaBundleError as error:
        return replace(known, error=" ".join(str(error).split()))
