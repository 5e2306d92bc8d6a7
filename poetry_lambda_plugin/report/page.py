"""The report as one page that needs nothing else: a map of each bundle's files, and tables."""

from __future__ import annotations

import hashlib
import json

from base64 import b64encode
from importlib.resources import files
from itertools import groupby
from operator import attrgetter
from string import Template
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.report.bundle_report import FailedReport
from poetry_lambda_plugin.report.text import CONTROL
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE
from poetry_lambda_plugin.stages.pages import BEGINNING
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from poetry_lambda_plugin.audit.savings import Saving
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import BytecodeReport
    from poetry_lambda_plugin.report.bundle_report import Explanation
    from poetry_lambda_plugin.report.bundle_report import FileReport
    from poetry_lambda_plugin.report.bundle_report import PackageReport


PARTS = {"markup": "page.html", "style": "page.css", "script": "page.js"}
"""Files beside this module that the page is put together from."""

HARMLESS = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})
"""JSON writes these characters so too; as they are, they could end the element that it stands in."""


class _Shared:
    """Lists that several bundles have, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, rows: Iterable[Any]) -> int:
        """Return where a list is found in `rows`."""
        return self._numbers.setdefault(tuple(rows), len(self._numbers))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """All lists."""
        return list(self._numbers)


def report_page(reports: Sequence[BundleReport | FailedReport], error: str | None = None) -> bytes:
    """Return all reports, and the error that ended the run, as a page.

    No time is in it, nor whether the ZIP was there before: the same bundles give the same bytes.
    """
    shared = _Shared()
    bundles = [_bundle(report, shared) for report in reports]
    data = {"error": error and CONTROL.sub("?", error), "bundles": bundles, "lists": shared.rows}
    text = json.dumps(data, separators=(",", ":")).translate(HARMLESS)
    part = {name: files(__package__).joinpath(file).read_text("utf-8") for name, file in PARTS.items()}
    page = Template(part["markup"]).substitute(
        style=part["style"],
        script=part["script"],
        data=text,
        policy=_policy(style=part["style"], script=part["script"]),
    )
    return BEGINNING + page.encode()


def _policy(*, style: str, script: str) -> str:
    """Return what the page may do: run its own script, and nothing else (W3C, Content Security Policy 3)."""
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _bundle(report: BundleReport | FailedReport, shared: _Shared) -> dict[str, Any]:
    if isinstance(report, FailedReport):
        return _failed(report)
    digest, explanation = report.digest, report.explanation
    return {
        "name": report.bundle or report.project,
        "project": report.project,
        "version": report.version,
        "runtime": report.target.runtime.name,
        "architecture": report.target.architecture,
        "handler": _shown(report.handler),
        "output": _shown(report.output.name),
        "state": report.status if report.status in ("planned", "failed") else "made",
        "error": _shown(report.error),
        "isFolder": report.is_folder,
        "total": digest and digest.total,
        "sha256": digest and not report.is_folder and digest.code_sha256,
        "limits": {"zipped": MAX_ZIPPED_SIZE, "unzipped": report.unzipped_limit},
        "layers": report.layers_unzipped,
        "bytecode": report.bytecode and _bytecode(report.bytecode),
        "packages": [_package(package, explanation, shared) for package in report.packages],
        "leftOut": [tuple(map(_shown, package)) for package in report.left_out],
        "files": explanation and _files(explanation.files, shared),
        "oldFiles": explanation and explanation.old_files and _files(explanation.old_files, shared),
        "savings": explanation and _savings(explanation),
        "unimported": explanation and explanation.unimported,
        "differences": report.differences
        and [(d.name, d.old_version, d.new_version, d.zipped, d.unzipped) for d in report.differences],
        "findings": [(f.severity, f.code, _shown(f.message)) for f in report.findings],
        "notes": [_shown(note) for note in report.notes],
    }


def _failed(report: FailedReport) -> dict[str, Any]:
    """Tell of a bundle that there is nothing of."""
    empty = ("packages", "leftOut", "findings", "notes")
    unknown = (
        *("total", "sha256", "layers", "bytecode", "files", "oldFiles"),
        *("savings", "unimported", "differences", "isFolder"),
    )
    return {
        "name": report.bundle or report.project,
        "project": report.project,
        "version": report.version,
        "runtime": report.target and report.target.runtime.name,
        "architecture": report.architecture,
        "handler": _shown(report.handler),
        "output": _shown(report.output.name) if report.output else None,
        "state": "failed",
        "error": _shown(report.error),
        "limits": {},
        **dict.fromkeys(unknown),
        **{name: [] for name in empty},
    }


def _package(package: PackageReport, explanation: Explanation | None, shared: _Shared) -> dict[str, Any]:
    way = explanation.paths.get(package.name, ()) if explanation else ()
    return {
        "name": package.name,
        "version": package.version,
        "from": _shown(package.file),
        "sizes": package.sizes,
        "way": way,
        "leftOut": shared.number((_shown(left.path), _shown(left.reason)) for left in package.left_out),
    }


def _files(reported: Sequence[FileReport], shared: _Shared) -> list[tuple[str, int]]:
    """Return the files of each package, as the number of a list."""
    ordered = sorted(reported, key=attrgetter("owner"))
    return [
        (owner, shared.number((_shown(file.path), file.zipped, file.unzipped) for file in owned))
        for owner, owned in groupby(ordered, key=attrgetter("owner"))
    ]


def _savings(explanation: Explanation) -> list[Saving]:
    singly, together = explanation.savings.singly, explanation.savings.together
    return [*singly, *([together] if len(singly) > 1 else [])]


def _bytecode(bytecode: BytecodeReport) -> str:
    if bytecode.sizes is None:
        return bytecode.mode
    return f"{bytecode.mode}, {size(bytecode.sizes.unzipped)} by CPython {bytecode.version}"


def _shown(foreign: str | None) -> str | None:
    """Take the characters from a name that would not be seen, or turn the writing around."""
    return foreign and CONTROL.sub("?", foreign)
