"""The report that a program reads; the README documents its schema."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.runtime.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE


if TYPE_CHECKING:
    from collections.abc import Sequence

    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import BytecodeReport
    from poetry_lambda_plugin.report.bundle_report import Difference
    from poetry_lambda_plugin.report.bundle_report import Explanation
    from poetry_lambda_plugin.report.bundle_report import PackageReport


SCHEMA_VERSION = 1
"""Rises when a field is removed or changes its meaning; new fields may come at any time."""


def json_document(reports: Sequence[BundleReport], error: str | None = None) -> str:
    """Return all reports, and the error that ended the run, as one JSON document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "error": error,
        "bundles": [_bundle(report) for report in reports],
    }
    return json.dumps(document, indent=2)


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
        "status": report.status,
        "changed": report.changed,
        "code_sha256": digest.code_sha256 if digest else None,
        "sha256": digest.sha256.hex() if digest else None,
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
        "layers_unzipped_bytes": report.layers_unzipped,
        "explanation": _explanation(report.explanation) if report.explanation else None,
        "differences": None if report.differences is None else [_difference(d) for d in report.differences],
        "warnings": [f.message for f in report.findings if f.severity != "remark"],
        "findings": [finding._asdict() for finding in report.findings],
        "notes": list(report.notes),
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
