"""The other verb: from a project and its lock to what a ZIP should hold, and to what it does hold.

The way of a bundle up to its last byte is that of `bundling.py`; then it is compared instead of written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.audit.verdicts import VERDICTS
from poetry_lambda_plugin.bundling import begun
from poetry_lambda_plugin.report.assembly import Questions
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.report.verify import VerificationReport
from poetry_lambda_plugin.stages.compiled import compiled
from poetry_lambda_plugin.stages.failures import Failures
from poetry_lambda_plugin.stages.outputs import file_id
from poetry_lambda_plugin.stages.outputs import records_of
from poetry_lambda_plugin.stages.outputs import written_before
from poetry_lambda_plugin.stages.placed import Nowhere
from poetry_lambda_plugin.stages.planned import planned_bundles
from poetry_lambda_plugin.stages.selected import select_bundles
from poetry_lambda_plugin.stages.verified import looks_written_here
from poetry_lambda_plugin.stages.verified import unwritten
from poetry_lambda_plugin.stages.verified import verified
from poetry_lambda_plugin.stages.written import digest_of


if TYPE_CHECKING:
    from poetry_lambda_plugin.archive.held import HeldBundle
    from poetry_lambda_plugin.bundling import Circumstances
    from poetry_lambda_plugin.bundling import Observer
    from poetry_lambda_plugin.bundling import Run
    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.planned import Parts


class There(NamedTuple):
    """What there is of a bundle: a ZIP, a folder or the digest of a ZIP."""

    held: HeldBundle | None
    sha256: bytes | None


def verify_bundle(
    project: OpenProject,
    order: Order,
    there: There,
    circumstances: Circumstances,
    observer: Observer,
) -> tuple[VerificationReport, ...]:
    """Hold a ZIP, a folder or a digest against what would be written now, the likeliest bundle first.

    Nothing is written. Without a file several may be asked for. Raises LambdaBundleError.
    """
    outputs = written_before(project.facts, (*order.family, *order.earlier), records_of(project))
    outputs |= _outputs_of(there)
    asked = {one.config.bundle for one in order.wanted if not one.needed_by}
    wanted = [replace(one, config=unwritten(project, one.config, order.family)) for one in order.wanted]
    # an error of any is one of the run
    failures = Failures((), alone=True)
    expected = replace(order, wanted=tuple(wanted))
    bundles = select_bundles(project, expected, circumstances.today, outputs, failures)
    with begun(project, order, circumstances, Questions(), observer, outputs, failures, Stopwatch()) as run:
        parts = run.supply.parts(bundles)
        plans = planned_bundles(bundles, parts, failures, run.notes, run.trimmed)
        compilations = [compiled(p, run.compiler) for p in plans if p.selected.config.bundle in asked]
        reports = [_verified(run, bundle, parts, there) for bundle in compilations]
        run.supplier.check_unchanged()
    return tuple(sorted(reports, key=lambda report: VERDICTS.index(report.verdict)))


def _outputs_of(there: There) -> frozenset[FileId]:
    """Return what is verified as an output: it is in no bundle, though it may lie in the project."""
    found = file_id(there.held.path) if there.held else None
    return frozenset({found} if found else ())


def _verified(run: Run, bundle: Compiled, parts: Parts, there: There) -> VerificationReport:
    """Compare digests where they may be the same, and files where they are not."""
    selected, held, digest = bundle.planned.selected, there.held, None
    if held is None or looks_written_here(held, bundle.plan):
        digest = digest_of(bundle, Nowhere(selected.output), run.circumstances.source_date_epoch).sha256
    is_known = held is None or (digest is not None and digest == there.sha256)
    return VerificationReport(
        project=selected.name,
        version=selected.version,
        bundle=selected.config.bundle,
        target=selected.target,
        path=held.path if held else None,
        sha256=there.sha256,
        expected_sha256=digest,
        verification=None if is_known or held is None else verified(bundle, parts, held, run.compiler),
    )
