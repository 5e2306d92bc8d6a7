"""What a planned bundle is held against before it is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.binaries import Surroundings
from poetry_lambda_plugin.audit.binaries import binary_findings
from poetry_lambda_plugin.audit.handler import check_handler
from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.audit.junk import junk
from poetry_lambda_plugin.audit.missing_module import way_to_module
from poetry_lambda_plugin.audit.names import colliding_names
from poetry_lambda_plugin.audit.namespaces import cut_packages
from poetry_lambda_plugin.audit.secrets import secrets
from poetry_lambda_plugin.audit.site_folders import site_findings


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.audit.binaries import Reached
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
    from poetry_lambda_plugin.stages.selected import Selected


def audited(
    selected: Selected, plan: BundlePlan, notes: WheelNotes, reached: Reached | None = None
) -> Iterator[Finding]:
    """Yield what may keep a bundle from running, or should not be in it; nothing of it is executed.

    `notes` keep what is found out of wheels for the next run. `reached` tells of a module's path in the
    bundle whether the handler's import surely executes it; None where that is not known.
    """
    where = Surroundings(
        target=selected.target,
        project=selected.name,
        is_layer=selected.config.layer,
        layer_libraries=frozenset().union(*(layer.libraries for layer in selected.layers)),
    )
    yield from binary_findings(plan, where, notes.answer, reached)
    if not selected.config.layer:
        yield from cut_packages(plan, selected.layers)
    yield from site_findings(plan)
    yield from secrets(plan, selected.name)
    included = [part for include in selected.config.include for part in (include.path, include.to or "")]
    yield from junk(plan, selected.name, included)
    yield from colliding_names(plan)


def handler_findings(selected: Selected, plan: BundlePlan) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Make sure that Lambda will find the handler, where one is set and the bundle is a function."""
    config = selected.config
    if config.handler is None or config.layer:
        return (), ()
    bundled = {entry.path: entry for entry in plan.entries}
    layers = frozenset(path for layer in selected.layers for path in layer.files)
    if config.no_root and not has_module(config.handler, {*bundled, *layers}):
        note = f"The handler {config.handler!r} is not in this bundle, since no-root leaves out the project."
        return (), (note,)
    way = partial(way_to_module, config=config, root=selected.root, plan=plan, project=selected.name)
    return tuple(check_handler(config.handler, bundled, layers, selected.target.runtime.python, way)), ()
