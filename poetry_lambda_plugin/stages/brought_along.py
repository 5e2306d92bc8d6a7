"""What a runtime brings along, as far as the lock has it: for a trial, never for a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.selection.choice import choice_of
from poetry_lambda_plugin.sources.building import missing_for_build
from poetry_lambda_plugin.stages.packages import runtime_packages
from poetry_lambda_plugin.stages.planned import lay_out


if TYPE_CHECKING:
    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.supplied import Supply


def brought_along(
    project: OpenProject,
    supply: Supply,
    bundle: Selected,
) -> tuple[Entry, ...]:
    """Return the files of the locked wheels of what a bundle's runtime brings along; none is built."""
    policy, packages = project.settings.binary_policy, runtime_packages(project.lock, bundle.target)
    chosen = [choice_of(package, bundle.target, policy, missing_for_build) for package in packages]
    wheels = [choice for choice in chosen if isinstance(choice, LockedWheel)]
    parts = supply.supplier.supply(wheels, supply.read)
    distributions = [lay_out(parts, wheel, None, is_project=False) for wheel in wheels]
    files = {entry.path: entry for distribution in distributions for entry in distribution.entries}
    return tuple(files[path] for path in sorted(files))
