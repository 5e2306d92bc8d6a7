"""What bundles there are, and whether one would be another than before; nothing is made or fetched."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from poetry_lambda_plugin.bytecode.interpreters import Interpreters
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.stages.fingerprints import UnknownBytesError
from poetry_lambda_plugin.stages.fingerprints import fingerprint
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.selected import selector


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
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
    architecture: Architecture
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
    project: OpenProject,
    configs: Sequence[BundleConfig],
    family: Sequence[BundleConfig],
    earlier: Sequence[BundleConfig],
    today: date,
    source_date_epoch: int | None,
) -> Iterator[Listed]:
    """Yield every bundle for every architecture; what is wrong with one keeps none of the others back.

    `family` and `earlier` are as for making them.
    """
    outputs = written_before(project.facts, (*configs, *family, *earlier))
    select = selector(project, family, today, outputs)
    interpreters = Interpreters(project)

    def fingerprint_of(selected: Selected) -> str:
        return fingerprint(
            selected, source_date_epoch, lambda python: interpreters.find(python).build, outputs
        )

    for config in configs:
        for architecture in config.architectures:
            begun = Listed(
                config=config,
                project=project.facts.name,
                version=project.facts.version,
                root=project.facts.root,
                architecture=architecture,
            )
            yield _listed(begun, select, fingerprint_of)


def enforce_makeable(bundles: Sequence[Listed]) -> None:
    """Raise UnmakeableError for all bundles that can't be made, each with the reason."""
    if lines := [f"{name_of(bundle)}: {bundle.error}" for bundle in bundles if bundle.error]:
        raise UnmakeableError(*lines)


def name_of(bundle: Listed) -> str:
    """Return what a bundle is called."""
    return bundle.config.bundle or bundle.project


def _listed(
    begun: Listed,
    select: Callable[[BundleConfig, Architecture], Selected],
    fingerprint_of: Callable[[Selected], str],
) -> Listed:
    config = begun.config
    # a layer that is made later, in another run, decides what the function leaves out
    missing = [path for path in config.exclude_layers if not path.is_file()]
    try:
        selected = select(replace(config, exclude_layers=()) if missing else config, begun.architecture)
    except LambdaBundleError as error:
        return replace(begun, error=" ".join(str(error).split()))
    known = replace(
        begun,
        runtime=selected.target.runtime.name,
        runtime_chosen_by=selected.runtime_chosen_by,
        output=selected.output,
    )
    if missing:
        return replace(known, unknown=f"The layer {missing[0].name} is not there yet.")
    try:
        return replace(known, fingerprint=fingerprint_of(selected))
    except UnknownBytesError as error:
        return replace(known, unknown=str(error))
    except LambdaBundleError as error:
        return replace(known, error=" ".join(str(error).split()))
