"""The report that a program reads; `.github/REPORT.md` documents its schema."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.report.bundle_report import FailedReport
from poetry_lambda_plugin.runtime.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE


if TYPE_CHECKING:
    from collections.abc import Sequence

    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import BytecodeReport
    from poetry_lambda_plugin.report.bundle_report import Difference
    from poetry_lambda_plugin.report.bundle_report import Explanation
    from poetry_lambda_plugin.report.bundle_report import PackageReport
    from poetry_lambda_plugin.trial.outcome import SmokeTest


SCHEMA_VERSION = 1
"""Rises when a field is removed or changes its meaning; new fields may come at any time."""


SIZES = ("code_sha256", "sha256", "zipped_bytes", "unzipped_bytes", "files")


def json_document(
    reports: Sequence[BundleReport | FailedReport], error: str | None = None, *, on_one_line: bool = False
) -> str:
    """Return all reports, and the error that ended the run, as one JSON document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "error": error,
        "bundles": [
            _failed(report) if isinstance(report, FailedReport) else _bundle(report) for report in reports
        ],
    }
    return json.dumps(document, indent=None if on_one_line else 2)


def _bundle(report: BundleReport) -> dict[str, Any]:
    digest = report.digest
    return {
        "bundle": report.bundle,
        "project": {"name": report.project, "version": report.version},
        "runtime": report.target.runtime.name,
        "runtime_chosen_by": report.runtime_chosen_by,
        "architecture": report.target.architecture,
        "handler": report.handler,
        "output": str(report.output),
        "unpacked": report.is_folder,
        "sbom": str(report.sbom) if report.sbom else None,
        "status": report.status,
        "error": report.error,
        "changed": report.changed,
        "code_sha256": digest.code_sha256 if digest and not report.is_folder else None,
        "sha256": digest.sha256.hex() if digest and not report.is_folder else None,
        "zipped_bytes": digest.total.zipped if digest else None,
        "unzipped_bytes": digest.total.unzipped if digest else None,
        "files": digest.total.files if digest else None,
        "bytecode": _bytecode(report.bytecode) if report.bytecode else None,
        "limits": {"zipped_bytes": MAX_ZIPPED_SIZE, "unzipped_bytes": MAX_UNZIPPED_SIZE},
        "packages": [_package(package) for package in report.packages],
        "left_out": [
            {"package": package.name, "path": left.path, "reason": left.reason}
            for package in report.packages
            for left in package.left_out
        ],
        "left_out_packages": [package._asdict() for package in report.left_out],
        "layers": [
            {"bundle": layer.bundle, "path": str(layer.path), "unzipped_bytes": layer.unzipped}
            for layer in report.layers
        ],
        "layers_unzipped_bytes": report.layers_unzipped,
        "explanation": _explanation(report.explanation) if report.explanation else None,
        "differences": None if report.differences is None else [_difference(d) for d in report.differences],
        "smoke_test": _smoke_test(report.smoke_test) if report.smoke_test else None,
        "warnings": [f.message for f in report.findings if f.severity != "remark"],
        "audit": report.audit,
        "findings": [finding._asdict() for finding in report.findings],
        "notes": list(report.notes),
    }


def _failed(report: FailedReport) -> dict[str, Any]:
    """Return the same fields, null or empty where nothing is known."""
    target = report.target
    empty = ("packages", "left_out", "left_out_packages", "layers", "warnings", "findings", "notes")
    unknown = (
        *("runtime_chosen_by", *SIZES, "bytecode", "layers_unzipped_bytes"),
        *("explanation", "differences", "smoke_test", "sbom", "unpacked", "audit"),
    )
    return {
        "bundle": report.bundle,
        "project": {"name": report.project, "version": report.version},
        "runtime": target.runtime.name if target else None,
        "architecture": report.architecture,
        "handler": report.handler,
        "output": str(report.output) if report.output else None,
        "status": "failed",
        "error": report.error,
        "changed": False,
        "limits": {"zipped_bytes": MAX_ZIPPED_SIZE, "unzipped_bytes": MAX_UNZIPPED_SIZE},
        **dict.fromkeys(unknown),
        **{name: [] for name in empty},
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "paths": {name: list(path) for name, path in sorted(explanation.paths.items())},
        "savings": [
            {"option": saving.option, "zipped_bytes": saving.zipped, "unzipped_bytes": saving.unzipped}
            for saving in explanation.savings.singly
        ],
        "all_savings": {
            "zipped_bytes": explanation.savings.together.zipped,
            "unzipped_bytes": explanation.savings.together.unzipped,
        },
        "largest_files": [
            {"path": file.path, "zipped_bytes": file.zipped, "unzipped_bytes": file.unzipped}
            for file in explanation.largest_files
        ],
        "unimported_packages": list(explanation.unimported),
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "name": difference.name,
        "old_version": difference.old_version,
        "new_version": difference.new_version,
        "zipped_bytes": difference.zipped,
        "unzipped_bytes": difference.unzipped,
    }


def _bytecode(bytecode: BytecodeReport) -> dict[str, Any]:
    sizes = bytecode.sizes
    return {
        "mode": bytecode.mode,
        "python": bytecode.version,
        "files": sizes.files if sizes else None,
        "skipped": bytecode.skipped,
        "zipped_bytes": sizes.zipped if sizes else None,
        "unzipped_bytes": sizes.unzipped if sizes else None,
    }


def _smoke_test(test: SmokeTest) -> dict[str, Any]:
    return {
        "status": test.status,
        "message": test.message,
        "python": test.python,
        "isolation": test.isolation,
        "refused_isolations": [{"isolation": name, "reason": reason} for name, reason in test.refused],
        "seconds": test.seconds,
        "modules": [module._asdict() for module in test.modules],
        "chain": list(test.chain),
        "output": list(test.output),
    }


def _package(package: PackageReport) -> dict[str, Any]:
    sizes = package.sizes
    return {
        "name": package.name,
        "version": package.version,
        "file": package.file,
        "zipped_bytes": sizes.zipped if sizes else None,
        "unzipped_bytes": sizes.unzipped if sizes else None,
        "files": sizes.files if sizes else None,
    }
