"""A bundle's report, made once of the finished bundle."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from heapq import nsmallest
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.imports import aws_callers
from poetry_lambda_plugin.audit.imports import service_notes
from poetry_lambda_plugin.audit.imports import unimported
from poetry_lambda_plugin.audit.limits import excess
from poetry_lambda_plugin.audit.limits import too_large
from poetry_lambda_plugin.audit.limits import unzipped_limit
from poetry_lambda_plugin.audit.limits import zipped_notes
from poetry_lambda_plugin.audit.savings import RUNTIME_PACKAGES_OPTION
from poetry_lambda_plugin.audit.savings import SERVICES_OPTION
from poetry_lambda_plugin.audit.savings import savings
from poetry_lambda_plugin.configuration.placeholders import readable
from poetry_lambda_plugin.configuration.values import AUTO
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.botocore import service_use
from poetry_lambda_plugin.layout.distribution import module_sources
from poetry_lambda_plugin.report.bundle_report import BundleReport
from poetry_lambda_plugin.report.bundle_report import BytecodeReport
from poetry_lambda_plugin.report.bundle_report import Explanation
from poetry_lambda_plugin.report.bundle_report import FileReport
from poetry_lambda_plugin.report.bundle_report import LayerReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.report.difference import differences
from poetry_lambda_plugin.report.difference import owned_files
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.stages.packages import needs_own_sdk


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.report.bundle_report import FailedReport
    from poetry_lambda_plugin.report.bundle_report import Status
    from poetry_lambda_plugin.report.difference import OldBundle
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written


MAX_FILES = 10
"""Files that an explanation lists."""


class ReportedError(LambdaBundleError):
    """An error of bundles that there is something to tell of all the same."""

    def __init__(self, *lines: str, reports: Sequence[BundleReport | FailedReport]) -> None:
        self.reports = reports
        super().__init__(*lines)


class MaxSizeError(ReportedError):
    """A bundle that is larger than Lambda or the user allows."""

    reports: Sequence[BundleReport]


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """What a user wants to know besides."""

    explain: bool = False
    """Why each package is there and what could be saved."""
    old: OldBundle | None = None
    """What has grown since this one."""
    files: bool = False
    """Every file, for a map of them."""


def check_size(bundle: Written, questions: Questions) -> None:
    """Raise MaxSizeError for a bundle that is too large with its layers, with what takes its room."""
    config, unzipped = bundle.selected.config, bundle.digest.total.unzipped
    if excess(unzipped + bundle.layers_size, config) > 0:
        layers = {layer.name: layer.unzipped for layer in bundle.layers}
        words = too_large(bundle.output.name, unzipped, layers, config, _savings(bundle))
        report = report_of(bundle, "planned", replace(questions, explain=True), changed=None)
        raise MaxSizeError(words, reports=[report])


def report_of(bundle: Written, status: Status, questions: Questions, *, changed: bool | None) -> BundleReport:
    """Report a bundle whose bytes are known; `changed` tells whether they are others than before."""
    planned, packages, old = bundle.compiled.planned, tuple(_packages(bundle)), questions.old
    owners = {entry.path: entry.owner for entry in bundle.plan.entries}
    return _begun(bundle.selected)(
        output=bundle.output,
        sbom=bundle.sbom,
        status=status,
        layers=tuple(LayerReport(layer.bundle, layer.path, layer.unzipped) for layer in bundle.layers),
        changed=changed,
        packages=packages,
        digest=bundle.digest,
        bytecode=_bytecode(bundle),
        explanation=_explanation(bundle, questions, owners) if questions.explain else None,
        differences=differences(old, bundle.selected.name, packages, owners) if old else None,
        findings=planned.findings,
        notes=(*planned.notes, *_notes(bundle)),
    )


def outlook(selected: Selected, questions: Questions, made: Mapping[Unit, Written]) -> BundleReport:
    """Report a dry run that lacks some of a bundle's files: all but sizes and digest.

    `made` are the bundles of the run that lack none.
    """
    mode = selected.config.bytecode
    missing, restraint = "files", "asks no network"
    if mode is not None:
        missing, restraint = "files or their bytecode", "neither asks the network nor compiles"
    unknown = (
        f"Some {missing} are not in Poetry's cache and a dry run {restraint}, "
        "so sizes and digest are unknown."
    )
    no_sizes = "Without sizes --diff has nothing to compare: run the command without --dry-run."
    return _begun(selected)(
        output=readable(selected.output),
        sbom=readable(selected.sbom) if selected.sbom is not None else None,
        status="planned",
        layers=tuple(_expected_layers(selected, made)),
        changed=None,
        packages=tuple(_expected_packages(selected)),
        digest=None,
        bytecode=BytecodeReport(mode=mode, version=None, sizes=None, skipped=None) if mode else None,
        explanation=None,
        differences=None,
        findings=selected.findings,
        notes=(*selected.notes, unknown, *([no_sizes] if questions.old else [])),
    )


def refused(selected: Selected, findings: tuple[Finding, ...]) -> BundleReport:
    """Report a bundle that is not written for what was found in it."""
    report = outlook(selected, Questions(), {})
    return replace(report, status="failed", changed=False, findings=findings, notes=selected.notes)


def _begun(selected: Selected) -> partial[BundleReport]:
    """Begin a report with what is decided before there is a plan."""
    return partial(
        BundleReport,
        project=selected.name,
        version=selected.version,
        bundle=selected.config.bundle,
        target=selected.target,
        runtime_chosen_by=selected.runtime_chosen_by,
        handler=selected.config.handler,
        is_folder=selected.config.unpacked is not None,
        left_out=selected.left_out,
        audit=selected.config.audit,
        unzipped_limit=unzipped_limit(selected.config),
        loose_files=selected.project.loose if selected.project else (),
    )


def _expected_layers(selected: Selected, made: Mapping[Unit, Written]) -> Iterator[LayerReport]:
    for layer in selected.layers:
        if isinstance(layer, LayerBundle):
            known = made.get(layer.selected.unit)
            yield LayerReport(layer.name, layer.path, known.digest.total.unzipped if known else None)
        else:
            yield LayerReport(None, layer.path, layer.unzipped)


def _notes(bundle: Written) -> Iterator[str]:
    selected = bundle.selected
    if selected.config.unpacked is None:
        yield from zipped_notes(bundle.digest.total, bundle.output, layer=selected.config.layer)
    if selected.config.botocore_services == (AUTO,):
        bundled = {d.name for d in bundle.plan.distributions if not d.is_project}
        yield from service_notes(bundled, selected.graph())


def _packages(bundle: Written) -> Iterator[PackageReport]:
    ordered = sorted(bundle.plan.distributions, key=lambda d: (d.is_project, d.name))
    for name, group in groupby(ordered, key=attrgetter("name")):
        # a project that was built, and the files that it includes beside its wheel, are one
        distribution, *others = group
        yield PackageReport(
            name=name,
            version=distribution.version,
            file=distribution.source,
            sizes=bundle.digest.by_owner.get(name, Sizes()),
            left_out=sum((other.left_out for other in others), distribution.left_out),
        )


def _expected_packages(selected: Selected) -> Iterator[PackageReport]:
    for choice in selected.choices:
        package = choice.package
        yield PackageReport(name=package.name, version=package.version, file=choice.source, sizes=None)
    if selected.build is not None or selected.project is not None:
        yield PackageReport(name=selected.name, version=selected.version, file=".", sizes=None)


def _bytecode(bundle: Written) -> BytecodeReport | None:
    mode, bytecode = bundle.selected.config.bytecode, bundle.compiled.bytecode
    if mode is None or bytecode is None:
        return None
    taken = zip(bundle.plan.entries, bundle.digest.packed_sizes, strict=True)
    zipped = sum(size for entry, size in taken if entry.path in bytecode.members)
    unzipped = sum(content.member.size for content in bytecode.members.values())
    sizes = Sizes(zipped, unzipped, len(bytecode.members))
    return BytecodeReport(mode=mode, version=bytecode.version, sizes=sizes, skipped=bytecode.skipped)


def _explanation(bundle: Written, questions: Questions, owners: Mapping[str, str]) -> Explanation:
    """Work out why each package is there, what takes the room and what could be saved."""
    selected, plan = bundle.selected, bundle.plan
    graph = selected.graph()
    sized = [
        FileReport(entry.path, packed, entry.content.size, entry.owner)
        for entry, packed in zip(plan.entries, bundle.digest.packed_sizes, strict=True)
    ]
    return Explanation(
        paths={d.name: graph.path(d.name) for d in plan.distributions if not d.is_project},
        savings=_savings(bundle),
        largest_files=tuple(nsmallest(MAX_FILES, sized, key=lambda file: (-file.unzipped, file.path))),
        unimported=unimported(plan, graph, selected.name, selected.config.handler),
        files=tuple(sized) if questions.files else (),
        old_files=owned_files(questions.old, selected.name, owners)
        if questions.files and questions.old
        else None,
    )


def _savings(bundle: Written) -> Savings:
    """Measure the options that the bundle does not use, and that would not break it."""
    selected, plan = bundle.selected, bundle.plan
    config, graph = selected.config, selected.graph()
    use = service_use(module_sources(entry for entry in plan.entries if entry.owner == selected.name))
    not_offered = {f'exclude = ["{pattern}"]' for pattern in config.exclude}
    if config.exclude_runtime_packages or needs_own_sdk(
        selected.choices, graph, selected.target, selected.layers
    ):
        not_offered.add(RUNTIME_PACKAGES_OPTION)
    without_project = not any(distribution.is_project for distribution in plan.distributions)
    uncertain = without_project or use.unclear or aws_callers(plan, selected.name)
    if config.botocore_services is not None or uncertain:
        not_offered.add(SERVICES_OPTION)
    gone = frozenset(config.exclude_packages)
    return savings(plan, bundle.digest, graph, gone, use.services, not_offered)
