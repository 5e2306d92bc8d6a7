"""A bundle whose every file has its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple

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
from poetry_lambda_plugin.layout.modules import only_chosen
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.plan import Exclusions
from poetry_lambda_plugin.layout.plan import plan_bundle
from poetry_lambda_plugin.layout.project import project_distribution
from poetry_lambda_plugin.layout.wheel import wheel_distribution
from poetry_lambda_plugin.stages.audited import audited
from poetry_lambda_plugin.stages.audited import handler_findings
from poetry_lambda_plugin.stages.selected import EmptyBundleError
from poetry_lambda_plugin.stages.selected import import_findings


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


def lay_out(parts: Parts, choice: Choice, interpreter: str | None, *, is_project: bool) -> Distribution:
    """Lay out one part of a bundle; `interpreter` is that of its scripts, which are left out without it."""
    part = parts[choice]
    if isinstance(part, ProjectSource):
        return project_distribution(part, interpreter, is_project=is_project)
    return wheel_distribution(part, interpreter, is_project=is_project)


class FindingsError(LambdaBundleError):
    """Bundles that are not written for what was found in them."""

    def __init__(self, found: Sequence[tuple[Selected, tuple[Finding, ...]]]) -> None:
        self.found = found
        """All findings of each, warnings included."""
        errors = [finding for _, findings in found for finding in findings if finding.severity == "error"]
        super().__init__(*dict.fromkeys(finding.message for finding in errors))


class _Draft(NamedTuple):
    """A bundle that is planned but for what depends on the others."""

    selected: Selected
    plan: BundlePlan
    told: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    notes: tuple[str, ...]


def planned_bundles(bundles: Sequence[Selected], parts: Parts, notes: WheelNotes) -> list[Planned]:
    """Plan and audit all bundles whose every part has been read; raises LambdaBundleError."""
    # what several bundles have in common is laid out once
    lay_out_once = cache(partial(lay_out, parts))
    ready = [bundle for bundle in bundles if all(choice in parts for choice in bundle.parts)]
    drafts = [_draft(bundle, lay_out_once, notes) for bundle in ready]
    failed = [(draft.selected, draft.told) for draft in drafts if _has_error(draft.told)]
    if failed:
        raise FindingsError(failed)
    # what the common table ignores need not be in every bundle
    silenced = [finding for draft in drafts for finding in draft.silenced]
    return [_planned(draft, silenced, is_sure=len(ready) == len(bundles)) for draft in drafts]


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _planned(draft: _Draft, silenced: Sequence[Finding], *, is_sure: bool) -> Planned:
    """End a plan with what it ignores in vain: surely only where all that use it are known."""
    selected, config = draft.selected, draft.selected.config
    is_sure = is_sure and not config.ignore_is_shared
    unused = unused_ignores(config.ignore, silenced) if is_sure else ()
    told = (*draft.told, *judged(unused, config.ignore, strict=config.strict).told)
    return Planned(selected=selected, plan=draft.plan, findings=told, notes=draft.notes)


def _draft(selected: Selected, lay_out: Callable[..., Distribution], notes: WheelNotes) -> _Draft:
    """Plan a bundle; `lay_out` is asked for each of its parts. Raises LambdaBundleError."""
    config = selected.config
    distributions = list(_distributions(selected, lay_out))
    services, unclear = _services(config.botocore_services, distributions)
    exclusions = Exclusions(PathFilter(config.exclude), services)
    plan = plan_bundle(distributions, exclusions, _prefix(config, selected.target.runtime))
    if not plan.entries:
        raise EmptyBundleError(
            "There is nothing to bundle: exclude leaves out every file. Drop one of its patterns."
        )
    built = _project_modules(distributions) if selected.build is not None else ()
    found = (
        *plan.findings,
        *unclear,
        *import_findings(config, selected.target.runtime, built),
        *audited(selected, plan, notes),
    )
    told, silenced = judged(found, config.ignore, strict=config.strict)
    unclear_handler, handler_notes = handler_findings(selected, plan)
    told_of_handler, silenced_of_handler = judged(unclear_handler, config.ignore, strict=config.strict)
    return _Draft(
        selected=selected,
        plan=plan,
        told=(*selected.findings, *told, *told_of_handler),
        silenced=(*selected.silenced, *silenced, *silenced_of_handler),
        notes=(*selected.notes, *handler_notes),
    )


def _distributions(selected: Selected, lay_out: Callable[..., Distribution]) -> Iterator[Distribution]:
    config, project = selected.config, selected.project
    interpreter = f"/var/lang/bin/{selected.target.runtime.name}" if config.scripts else None
    for choice in selected.choices:
        yield lay_out(choice, interpreter, is_project=False)
    included = project.files if project else ()
    if selected.build is not None:
        built = lay_out(selected.build, interpreter, is_project=True)
        yield only_chosen(built, config.modules, {f.path for f in included}) if config.modules else built
    if project is not None and included:
        yield project_distribution(project, interpreter, is_project=True)


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
