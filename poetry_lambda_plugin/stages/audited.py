"""What a planned bundle is held against before it is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.handler import check_handler
from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.audit.junk import junk
from poetry_lambda_plugin.audit.layers import files_of_layer
from poetry_lambda_plugin.audit.layers import files_of_plan
from poetry_lambda_plugin.audit.missing_module import way_to_module
from poetry_lambda_plugin.audit.names import colliding_names
from poetry_lambda_plugin.audit.namespaces import cut_packages
from poetry_lambda_plugin.audit.secrets import secrets
from poetry_lambda_plugin.audit.site_folders import site_findings
from poetry_lambda_plugin.stages.layers import LayerBundle


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.audit.import_audit import ImportAudit
    from poetry_lambda_plugin.audit.layers import LayerFiles
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected


def audited(
    selected: Selected, plan: BundlePlan, plans: Mapping[Unit, BundlePlan], notes: WheelNotes
) -> Iterator[Finding]:
    """Yield what may keep a bundle from running, or should not be in it; nothing of it is executed.

    `plans` are those of the bundles before it, its layers among them; `notes` keep what is found out of
    wheels for the next run.
    """
    if not selected.config.audit:
        return
    layers = _layers(selected, plans)
    imports = _import_audit(selected, plan, layers, notes)
    yield from _binaries_audited(selected, plan, layers, notes, imports)
    if not selected.config.layer:
        yield from cut_packages(plan, layers)
    yield from site_findings(plan)
    yield from secrets(plan, selected.name)
    included = [part for include in selected.config.include for part in (include.path, include.to or "")]
    yield from junk(plan, selected.name, included)
    yield from colliding_names(plan)
    yield from _imports_audited(selected, imports)


def _import_audit(
    selected: Selected, plan: BundlePlan, layers: Sequence[LayerFiles], notes: WheelNotes
) -> ImportAudit:
    # loaded for bundles that are looked into alone
    from poetry_lambda_plugin.audit.import_audit import ImportAudit

    return ImportAudit(
        plan=plan,
        project=selected.name,
        target=selected.target,
        handler=selected.config.handler,
        layers=frozenset(path for layer in layers for path in layer.files),
        notes=notes,
        is_whole=not selected.config.only_root,
    )


def _has_start(selected: Selected, imports: ImportAudit) -> bool:
    """Tell whether it is known where a function's imports begin; a layer is no function."""
    config = selected.config
    return not config.layer and (config.handler is None or has_module(config.handler, imports.entries))


def _binaries_audited(
    selected: Selected,
    plan: BundlePlan,
    layers: Sequence[LayerFiles],
    notes: WheelNotes,
    imports: ImportAudit,
) -> Iterator[Finding]:
    from poetry_lambda_plugin.audit.binaries import Surroundings
    from poetry_lambda_plugin.audit.binaries import binary_findings

    where = Surroundings(
        target=selected.target,
        project=selected.name,
        is_layer=selected.config.layer,
        layer_libraries=frozenset().union(*(layer.libraries for layer in layers)),
    )
    has_start = selected.config.handler is not None and _has_start(selected, imports)
    yield from binary_findings(plan, where, notes.answer, imports.needed if has_start else None)


def _imports_audited(selected: Selected, imports: ImportAudit) -> Iterator[Finding]:
    """Yield what of a function can't be imported."""
    from poetry_lambda_plugin.audit.import_findings import import_findings
    from poetry_lambda_plugin.audit.shadowing import shadowing
    from poetry_lambda_plugin.audit.whereabouts import Surroundings

    if _has_start(selected, imports):
        around = Surroundings(
            config=selected.config,
            root=selected.root,
            left_out=selected.left_out,
            outlines=selected.outlines,
        )
        yield from import_findings(imports, around)
    python = selected.target.runtime.python
    yield from shadowing(imports.entries, selected.name, python, imports.importers())


def handler_findings(
    selected: Selected, plan: BundlePlan, plans: Mapping[Unit, BundlePlan]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Make sure that Lambda will find the handler, where one is set and the bundle is a function.

    `plans` are those of the bundles before it, its layers among them.
    """
    config = selected.config
    if config.handler is None or config.layer or not (config.audit or config.begins_at_handler):
        return (), ()
    bundled = {entry.path: entry for entry in plan.entries}
    layers = files_of_layers(selected, plans)
    if config.no_root and not has_module(config.handler, {*bundled, *layers}):
        note = f"The handler {config.handler!r} is not in this bundle, since no-root leaves out the project."
        return (), (note,)
    way = partial(way_to_module, config=config, root=selected.root, plan=plan, project=selected.name)
    return tuple(check_handler(config.handler, bundled, layers, selected.target.runtime.python, way)), ()


def files_of_layers(selected: Selected, plans: Mapping[Unit, BundlePlan]) -> frozenset[str]:
    """Return the files of a function's layers where Python would see them."""
    return frozenset(path for layer in _layers(selected, plans) for path in layer.files)


def _layers(selected: Selected, plans: Mapping[Unit, BundlePlan]) -> list[LayerFiles]:
    """Look at a function's layers, those of the same run as they are planned."""
    return [
        files_of_plan(layer.name, plans[layer.selected.unit])
        if isinstance(layer, LayerBundle)
        else files_of_layer(layer)
        for layer in selected.layers
    ]
