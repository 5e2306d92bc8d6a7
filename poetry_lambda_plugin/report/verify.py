"""What became of a verification, for a person and for a program."""

from __future__ import annotations

import json

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.audit.verdicts import OTHER_FILES
from poetry_lambda_plugin.audit.verdicts import VERDICTS
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.report.json import SCHEMA_VERSION
from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import joined
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.audit.verdicts import FileDifference
    from poetry_lambda_plugin.audit.verdicts import PackageVerification
    from poetry_lambda_plugin.audit.verdicts import Verdict
    from poetry_lambda_plugin.audit.verdicts import Verification
    from poetry_lambda_plugin.runtime.platform import Target


WORDS: Mapping[str, str] = {
    "altered": "altered",
    "bytecode": ".pyc of other code",
    "extra": "added",
    "link": "a link",
    "missing": "missing",
    "stripped": "stripped",
    "unreadable": "not readable",
}
"""What is said of files that have changed, by kind, after their number."""

PACKAGING: Mapping[str, str] = {
    "bytecode": ".pyc",
    "installer": "installer's own",
    "left-out": "left out by lambda-bundle",
    "metadata": "metadata",
    "mode": "mode",
    "script": "script",
}
"""What is said of files that differ in packaging alone."""

LOOSE = "files of no package"

GRAVE = ("changed", "unverified")
"""Verdicts that are always told of."""

STYLES: Mapping[str, str] = {"packaging": "fg=green", "unverified": "fg=yellow", "changed": "fg=red"}


class DifferenceError(LambdaBundleError):
    """A ZIP, a folder or a digest that is not what lock and project give."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationReport:
    """One bundle held against what there is of it."""

    project: str
    version: str
    bundle: str | None
    target: Target
    path: Path | None
    """None where only a digest is known."""
    sha256: bytes | None
    """Of the ZIP, or the one that AWS reports; None for a folder."""
    expected_sha256: bytes | None
    """Of the ZIP that would be written; None where the files had to be compared anyway."""
    verification: Verification | None
    """None where the digests alone were compared."""

    @property
    def is_identical(self) -> bool:
        """Tell whether all bytes of the ZIP are those that would be written."""
        return self.sha256 is not None and self.sha256 == self.expected_sha256

    @property
    def verdict(self) -> Verdict:
        """What all comes to."""
        if self.is_identical:
            return "same"
        return self.verification.verdict if self.verification else "changed"


def code_sha256(digest: bytes) -> str:
    """Write a digest as Lambda's API does."""
    return b64encode(digest).decode("ascii")


def verification_lines(report: VerificationReport, detail: int = 0) -> Iterator[str]:
    """Yield the heading, a line for each package that differs and the verdict.

    `detail` is 0 for packages alone, 1 for their files too, 2 for those that differ in packaging only.
    """
    bundle = f" as <c2>{escaped(report.bundle)}</c2>" if report.bundle else ""
    what = escaped(str(report.path)) if report.path else f"CodeSha256 {code_sha256(report.sha256 or b'')}"
    yield (
        f"Verifying {what} against <c1>{escaped(report.project)}</c1> (<c2>{escaped(report.version)}</c2>)"
        f"{bundle} for <info>{report.target}</info>"
    )
    yield ""
    packages = report.verification.packages if report.verification else ()
    width = max((len(_name(package)) for package in packages), default=0)
    told = [package for package in packages if detail or package.verdict in GRAVE]
    for package in told:
        text = escaped("; ".join(_parts(package, detail)))
        yield f"  {escaped(_name(package)):<{width}}  <{STYLES[package.verdict]}>{text}</>"
        yield from _file_lines(file for file in package.files if detail > (file.verdict not in GRAVE))
    if told:
        yield ""
    yield from _conclusion(report)


def _conclusion(report: VerificationReport) -> Iterator[str]:
    if report.is_identical:
        yield "  <fg=green>Same content</>: byte for byte the ZIP that lambda-bundle writes now."
    elif report.verification is not None and report.verdict != "changed":
        same = counted(report.verification.same_files, "file")
        words = "<fg=green>Same content</>"
        if report.verdict == "unverified":
            words = "<fg=yellow>Not all of it can be verified</>"
        yield f"  {words}: {same} as lambda-bundle writes them now."
        if report.verification.packages:
            yield from _exceptions(report.verification)


def _exceptions(verification: Verification) -> Iterator[str]:
    files = [file for package in verification.packages for file in package.files]
    for verdict, words in (("packaging", "Packaging only"), ("unverified", "Not verified")):
        kinds = [file.kind for file in files if file.verdict == verdict]
        if kinds:
            yield f"  <{STYLES[verdict]}>{words}</>: {_counts(kinds, PACKAGING)}."
    reasons = dict.fromkeys(file.detail for file in files if file.verdict == "unverified")
    for reason in reasons:
        yield f"    {escaped(reason)}"


def enforce_same(reports: Sequence[VerificationReport], *, strict: bool) -> None:
    """Raise DifferenceError for what is not the same, with `strict` for what could not be verified too.

    The first report is of the likeliest bundle.
    """
    report, verdict = reports[0], reports[0].verdict
    if verdict == "unverified" and strict:
        raise DifferenceError(
            f"{report.path} holds bytecode that could not be verified. (--strict makes this an error.)"
        )
    if verdict != "changed":
        return
    if report.verification is None:
        raise DifferenceError(_other_digest(reports))
    names = [package.name for package in report.verification.packages if package.verdict == "changed"]
    names = [name if name != OTHER_FILES else LOOSE for name in names]
    raise DifferenceError(
        f"{report.path} is not what the lock and the project give now: {listed(names)} "
        f"{'is' if len(names) == 1 and names[0] != LOOSE else 'are'} not the same. If it was made with other "
        "options (--with, --runtime, ...), say the same ones here; -v lists the files."
    )


def _other_digest(reports: Sequence[VerificationReport]) -> str:
    found = code_sha256(reports[0].sha256 or b"")
    of = [
        f"{code_sha256(r.expected_sha256 or b'')} of {r.bundle or r.project} for {r.target}" for r in reports
    ]
    return (
        f"CodeSha256 {found} is not that of the ZIP that lambda-bundle writes now: it would be {joined(of)}. "
        "A digest does not tell what differs, nor whether it is packaging alone: download the ZIP, from the "
        "Code.Location of `aws lambda get-function`, and verify that."
    )


def _name(package: PackageVerification) -> str:
    return package.name if package.version is None else f"{package.name} {package.version}"


def _parts(package: PackageVerification, detail: int) -> Iterator[str]:
    """Yield what there is to say of a package, the gravest first; of packaging only where it is asked for."""
    files = [file for file in package.files if file.verdict == "changed"]
    if package.remark in ("missing", "extra"):
        reason = f" ({package.detail})" if package.detail else ""
        version = f" {package.found_version}" if package.remark == "extra" and package.found_version else ""
        yield f"{package.remark}{version}, {counted(len(package.files), 'file')}{reason}"
        return
    if package.remark == "wheel":
        yield f"another wheel, {package.detail}"
    elif package.remark == "dist-info":
        yield "its .dist-info is removed"
    elif package.remark == "version":
        yield package.detail
    if package.remark in ("dist-info", "version"):
        files = [file for file in files if ".dist-info/" not in file.path]
    if files:
        yield _counts([file.kind for file in files], WORDS)
    for verdict, words in (("unverified", "not verified"), ("packaging", "packaging only")):
        kinds = [file.kind for file in package.files if file.verdict == verdict]
        if kinds and (detail or verdict in GRAVE):
            yield f"{words}: {_counts(kinds, PACKAGING)}"


def _counts(kinds: Iterable[str], words: Mapping[str, str]) -> str:
    counts = Counter(kinds)
    return ", ".join(
        f"{counts[kind]:,} {words.get(kind, kind)}" if kind in words else f"{counts[kind]:,} {kind}"
        for kind in sorted(counts)
    )


def _file_lines(files: Iterable[FileDifference]) -> Iterator[str]:
    for file in sorted(files, key=lambda file: (-VERDICTS.index(file.verdict), file.path)):
        words = WORDS if file.verdict == "changed" else PACKAGING
        told = {"packaging": "packaging: ", "unverified": "not verified: "}.get(file.verdict, "")
        detail = f" ({file.detail})" if file.detail else ""
        yield f"    {escaped(file.path)}: {told}{words[file.kind]}{escaped(detail)}"


def verification_document(reports: Sequence[VerificationReport], error: str | None) -> str:
    """Return all that was found out, and the error that ended the run, as one JSON document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "error": error,
        "bundles": [_bundle(report) for report in reports],
    }
    return json.dumps(document, indent=2)


def _bundle(report: VerificationReport) -> dict[str, Any]:
    verification = report.verification
    return {
        "bundle": report.bundle,
        "project": {"name": report.project, "version": report.version},
        "runtime": report.target.runtime.name,
        "architecture": report.target.architecture,
        "path": str(report.path) if report.path else None,
        "verdict": report.verdict,
        "identical": report.is_identical,
        "code_sha256": code_sha256(report.sha256) if report.sha256 else None,
        "expected_code_sha256": code_sha256(report.expected_sha256) if report.expected_sha256 else None,
        "same_files": verification.same_files if verification else None,
        "packages": _packages(report),
    }


def _packages(report: VerificationReport) -> list[dict[str, Any]] | None:
    if report.verification is None:
        return [] if report.is_identical else None
    return [_package(package) for package in report.verification.packages]


def _package(package: PackageVerification) -> dict[str, Any]:
    return {
        "name": None if package.name == OTHER_FILES else package.name,
        "version": package.version,
        "found_version": package.found_version,
        "verdict": package.verdict,
        "remark": package.remark,
        "detail": package.detail,
        "files": [file._asdict() for file in package.files],
    }
