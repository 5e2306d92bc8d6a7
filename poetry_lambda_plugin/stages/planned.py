"""A bundle whose every file has its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import cast

from poetry_lambda_plugin.configuration.values import AUTO
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.findings import judged
from poetry_lambda_plugin.findings import unused_ignores
from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.botocore import check_services
from poetry_lambda_plugin.layout.botocore import known_services
from poetry_lambda_plugin.layout.botocore import service_use
from poetry_lambda_plugin.layout.distribution import module_sources
from poetry_lambda_plugin.layout.filters import PathFilter
from poetry_lambda_plugin.layout.layer import layer_prefix
from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.modules import only_chosen
from poetry_lambda_plugin.layout.modules import only_named
from poetry_lambda_plugin.layout.modules import raise_first
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.plan import Exclusions
from poetry_lambda_plugin.layout.plan import plan_bundle
from poetry_lambda_plugin.layout.project import project_distribution
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from poetry_lambda_plugin.stages.audited import audited
from poetry_lambda_plugin.stages.audited import files_of_layers
from poetry_lambda_plugin.stages.audited import handler_findings
from poetry_lambda_plugin.stages.fitting import holder
from poetry_lambda_plugin.stages.fitting import stale_finding
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.stages.memory import Memory
from poetry_lambda_plugin.stages.memory import state_of
from poetry_lambda_plugin.stages.selected import EmptyBundleError
from poetry_lambda_plugin.stages.selected import import_findings
from poetry_lambda_plugin.stages.selected import is_folder
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes
    from poetry_lambda_plugin.stages.failures import Failures
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected

    Parts: TypeAlias = Mapping[Choice, Wheel | ProjectSource]
    """What has been read, by what was chosen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A bundle that could be written."""

    selected: Selected
    plan: BundlePlan
    findings: tuple[Finding, ...]
    """Of the selection and of the plan."""
    notes: tuple[str, ...]


def lay_out(
    parts: Parts, choice: Choice, interpreter: str | None = None, *, is_project: bool = False
) -> Distribution:
    """Lay out one part of a bundle; `interpreter` is that of its scripts, which are left out without it."""
    part = parts[choice]
    if isinstance(part, ProjectSource):
        return project_distribution(part, interpreter, is_project=is_project)
    return wheel_distribution(part, interpreter, is_project=is_project)


class FindingsError(LambdaBundleError):
    """A bundle that is not written for what was found in it."""

    def __init__(self, selected: Selected, findings: tuple[Finding, ...]) -> None:
        self.selected = selected
        self.findings = findings
        """All of them, warnings included."""
        errors = [finding for finding in findings if finding.severity == "error"]
        names = dict.fromkeys(f"{f.code}:{f.where}" for f in errors if f.code.startswith("binary-"))
        doubt = f"Should this be wrong, write ignore = [{', '.join(map(repr, names))}]."
        super().__init__(*dict.fromkeys(finding.message for finding in errors), *([doubt] if names else ()))


class _Draft(NamedTuple):
    """A bundle that is planned but for what depends on the others."""

    selected: Selected
    plan: BundlePlan
    told: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Planning:
    """What the bundles of a run are planned with; what several have in common is laid out once."""

    parts: Parts
    lay_out: Callable[..., Distribution]
    stale: Callable[..., Finding | None]
    notes: WheelNotes
    plans: dict[Unit, BundlePlan]
    """Those that are ready: the layers of all that follow are among them."""
    memory: Memory


def planned_bundles(
    bundles: Sequence[Selected],
    parts: Parts,
    failures: Failures,
    notes: WheelNotes,
    trimmed: Sequence[str],
    memory: Memory | None = None,
) -> list[Planned]:
    """Plan and audit all bundles whose every part has been read, each after its layers.

    `trimmed` are the patterns by which layers on disk may have left out files. What the `memory` has of
    earlier runs is not planned again.
    """
    memory = memory or Memory()
    lay_out_once = cache(partial(_lay_out_anew, memory, parts))
    stale = cache(lambda layer, choice: stale_finding(layer, choice, lay_out_once(choice), trimmed))
    planning = _Planning(parts, lay_out_once, stale, notes, {}, memory)
    drafts = failures.each(_ready(bundles, parts), partial(_known_draft, planning), lambda s: s)
    # what the common table ignores need not be in every bundle
    silenced = [finding for draft in drafts for finding in draft.silenced]
    is_sure = len(drafts) == len(bundles) and not failures
    planned = partial(_planned, silenced=silenced, is_sure=is_sure)
    return failures.each(drafts, planned, lambda draft: draft.selected)


def _lay_out_anew(
    memory: Memory, parts: Parts, choice: Choice, interpreter: str | None = None, *, is_project: bool = False
) -> Distribution:
    """Lay out a part, unless an earlier run has and it is still the same."""
    make = partial(lay_out, parts, choice, interpreter, is_project=is_project)
    return cast(
        "Distribution",
        memory.layouts.of((choice, interpreter, is_project), state_of(parts[choice]), make),
    )


def _ready(bundles: Sequence[Selected], parts: Parts) -> list[Selected]:
    """Return the bundles whose every part has been read, and every part of their layers."""
    ready: dict[Unit, Selected] = {}
    for bundle in bundles:
        layers = (layer.selected for layer in bundle.layers if isinstance(layer, LayerBundle))
        if all(choice in parts for choice in bundle.parts) and all(layer.unit in ready for layer in layers):
            ready[bundle.unit] = bundle
    return list(ready.values())


def _planned(draft: _Draft, *, silenced: Sequence[Finding], is_sure: bool) -> Planned:
    """End a plan with what it ignores in vain: surely only where all that use it are known."""
    selected, config = draft.selected, draft.selected.config
    is_sure = is_sure and not config.ignore_is_shared
    unused = unused_ignores(config.ignore, silenced) if is_sure else ()
    told = (*draft.told, *judged(unused, config.ignore, strict=config.strict).told)
    return Planned(selected=selected, plan=draft.plan, findings=told, notes=draft.notes)


def _known_draft(planning: _Planning, selected: Selected) -> _Draft:
    """Plan a bundle, unless an earlier run has and all that it is made from is still the same."""
    parts = [state_of(planning.parts.get(choice)) for choice in (*selected.parts, *selected.held)]
    layers = [planning.plans[one.selected.unit] for one in selected.layers if isinstance(one, LayerBundle)]
    state = (selected, state_of(selected.project), parts, layers)
    draft: _Draft = planning.memory.drafts.of(selected.unit, state, partial(_draft, planning, selected))
    planning.plans[selected.unit] = draft.plan
    return draft


def _draft(planning: _Planning, selected: Selected) -> _Draft:
    """Plan a bundle; raises LambdaBundleError."""
    config = selected.config
    distributions, not_followed = _trimmed(
        planning, selected, list(_distributions(selected, planning.lay_out))
    )
    services, unclear = _services(config.botocore_services, distributions)
    exclusions = Exclusions(PathFilter(config.exclude), services)
    plan = plan_bundle(distributions, exclusions, _prefix(config, selected.target.runtime))
    if not plan.entries:
        raise EmptyBundleError(
            "There is nothing to bundle: exclude leaves out every file. Drop one of its patterns."
        )
    is_known_now = selected.build is not None or config.begins_at_handler
    own = _project_modules(distributions) if is_known_now else ()
    stale, not_compared = _layer_findings(planning, selected)
    found = (
        *plan.findings,
        *stale,
        *unclear,
        *not_followed,
        *import_findings(config, selected.target.runtime, own),
        *audited(selected, plan, planning.plans, planning.notes),
    )
    told, silenced = judged(found, config.ignore, strict=config.strict)
    unclear_handler, notes = handler_findings(selected, plan, planning.plans)
    told_of_handler, silenced_of_handler = judged(unclear_handler, config.ignore, strict=config.strict)
    all_told = (*selected.findings, *told, *told_of_handler)
    if any(finding.severity == "error" for finding in all_told):
        raise FindingsError(selected, all_told)
    return _Draft(
        selected=selected,
        plan=plan,
        told=all_told,
        silenced=(*selected.silenced, *silenced, *silenced_of_handler),
        notes=(*selected.notes, *notes, *not_compared),
    )


def _trimmed(
    planning: _Planning, selected: Selected, distributions: list[Distribution]
) -> tuple[list[Distribution], Sequence[Finding]]:
    """Leave out what the handler does not lead to, where that is wanted."""
    if not selected.config.begins_at_handler:
        return distributions, ()
    # loaded for bundles that are trimmed alone
    from poetry_lambda_plugin.stages.reached import only_reached
    from poetry_lambda_plugin.stages.reached import own_of_layers

    layers = files_of_layers(selected, planning.plans)
    passed = [planning.lay_out(choice) for choice in own_of_layers(selected) if choice in planning.parts]
    return only_reached(selected, distributions, passed, layers)


def _layer_findings(planning: _Planning, selected: Selected) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Hold layers on disk against what their distributions would be made of now."""
    found, unknown = [], []
    for choice in selected.held:
        name = choice.package.name
        layer = holder(name, selected.layers)
        if layer is not None and choice in planning.parts:
            found.append(planning.stale(layer, choice))
        else:
            unknown.append(name)
    words = f"What the layers hold of {listed(unknown)} is not compared, since what is locked is not at hand."
    return tuple(filter(None, found)), (words,) if unknown else ()


def _distributions(selected: Selected, lay_out: Callable[..., Distribution]) -> Iterator[Distribution]:
    config, project = selected.config, selected.project
    interpreter = f"/var/lang/bin/{selected.target.runtime.name}" if config.scripts else None
    patterns = () if config.begins_at_handler or config.layer else config.modules or ()
    folders: set[str] = set()
    for choice in selected.choices:
        distribution = lay_out(choice, interpreter, is_project=False)
        if patterns and is_folder(choice):
            folders |= {entry.path for entry in distribution.entries}
            distribution = only_named(distribution, patterns)
        yield distribution
    if project is not None and project.unknown:
        raise_first(error for error in project.unknown if not _is_there(error.pattern, folders))
    included = project.files if project else ()
    if selected.build is not None:
        built = lay_out(selected.build, interpreter, is_project=True)
        if config.modules and not config.begins_at_handler:
            built = only_chosen(built, config.modules, {*folders, *(f.path for f in included)})
        yield built
    if project is not None and included:
        yield project_distribution(project, interpreter, is_project=True)


def _is_there(pattern: str, paths: Iterable[str]) -> bool:
    return any(matches(pattern, path) for path in paths)


def _prefix(config: BundleConfig, runtime: Runtime) -> str:
    if not config.layer:
        return ""
    return layer_prefix(runtime, version_specific=config.layer_path == "version-specific")


def _services(
    wanted: Sequence[str] | None, distributions: Sequence[Distribution]
) -> tuple[ServiceFilter | None, tuple[Finding, ...]]:
    """Return the AWS services whose models are kept, and a warning for each call that names none."""
    if wanted is None:
        return None, ()
    if wanted != (AUTO,):
        known = known_services(e.path for d in distributions if d.name == "botocore" for e in d.entries)
        check_services(wanted, known)
        return ServiceFilter(frozenset(wanted)), ()
    use = service_use(_project_modules(distributions))
    unclear = (
        f"{place} asks for an AWS service that is not written out, so botocore-services = 'auto' can't keep "
        "it. List the services instead."
        for place in use.unclear
    )
    found = zip(unclear, use.unclear, strict=True)
    return ServiceFilter(use.services), tuple(Finding("service-unclear", *pair) for pair in found)


def _project_modules(distributions: Iterable[Distribution]) -> Iterator[tuple[str, bytes]]:
    return module_sources(entry for d in distributions if d.is_project for entry in d.entries)
