"""What a planned bundle is held against before it is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.handler import check_handler
from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.audit.missing_module import way_to_module
from poetry_lambda_plugin.audit.names import colliding_names
from poetry_lambda_plugin.audit.secrets import secrets
from poetry_lambda_plugin.stages.layers import LayerBundle


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected


def audited(
    selected: Selected, plan: BundlePlan, plans: Mapping[Unit, BundlePlan], notes: WheelNotes
) -> Iterator[Finding]:
    """Yield what may keep a bundle from running, or should not be in it; nothing of it is executed.

    `plans` are those of the bundles before it, its layers among them; `notes` keep what is found out of wheels
    for the next run.
    """
    if not selected.config.audit:
        return
    yield from secrets(plan, selected.name)
    yield from colliding_names(plan)
    yield from imports_audited(selected, plan, plans, notes)


def imports_audited(
    selected: Selected, plan: BundlePlan, plans: Mapping[Unit, BundlePlan], notes: WheelNotes
) -> Iterator[Finding]:
    """Yield what of a function can't be imported; a layer is no function, and has no start."""
    config = selected.config
    layers = frozenset(_layer_files(selected, plans))
    # loaded for bundles that are looked into alone
    from poetry_lambda_plugin.audit.import_audit import ImportAudit
    from poetry_lambda_plugin.audit.import_findings import import_findings
    from poetry_lambda_plugin.audit.shadowing import shadowing
    from poetry_lambda_plugin.audit.whereabouts import Surroundings

    audit = ImportAudit(
        plan=plan,
        project=selected.name,
        target=selected.target,
        handler=config.handler,
        layers=layers,
        notes=notes,
        is_whole=not config.only_root,
    )
    if not config.layer and (config.handler is None or has_module(config.handler, audit.entries)):
        around = Surroundings(
            config=config, root=selected.root, left_out=selected.left_out, outlines=selected.outlines
        )
        yield from import_findings(audit, around)
    yield from shadowing(audit.entries, selected.name, selected.target.runtime.python, audit.importers())


def handler_findings(
    selected: Selected, plan: BundlePlan, plans: Mapping[Unit, BundlePlan]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Make sure that Lambda will find the handler, where one is set and the bundle is a function.

    `plans` are those of the bundles before it, its layers among them.
    """
    config = selected.config
    if config.handler is None or config.layer or not config.audit:
        return (), ()
    bundled = {entry.path: entry for entry in plan.entries}
    layers = frozenset(_layer_files(selected, plans))
    if config.no_root and not has_module(config.handler, {*bundled, *layers}):
        note = f"The handler {config.handler!r} is not in this bundle, since no-root leaves out the project."
        return (), (note,)
    way = partial(way_to_module, config=config, root=selected.root, plan=plan, project=selected.name)
    return tuple(check_handler(config.handler, bundled, layers, selected.target.runtime.python, way)), ()


def _layer_files(selected: Selected, plans: Mapping[Unit, BundlePlan]) -> Iterator[str]:
    """Yield what the runtime would find in the layers, by its path as the runtime would see it."""
    for layer in selected.layers:
        if isinstance(layer, LayerBundle):
            plan = plans[layer.selected.unit]
            yield from (entry.path.removeprefix(plan.prefix) for entry in plan.entries)
        else:
            yield from layer.files
