"""A warning as a value: a code that stays, words for a person, and the place that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple
from typing import get_args

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence


Severity = Literal["error", "warning", "remark"]
"""An error stops the run, a remark is told with `-v` alone."""

Code = Literal[
    "binary-architecture",
    "binary-damaged",
    "binary-library",
    "binary-python",
    "binary-version",
    "data-prefix",
    "excluded-imported",
    "handler-unclear",
    "hash-weak",
    "ignore-unused",
    "junk",
    "layer-empty",
    "layer-stale",
    "names-collide",
    "namespace-cut",
    "packages-missing",
    "path-conflict",
    "pattern-unused",
    "path-file",
    "project-empty",
    "runtime-deprecated",
    "runtime-outdated",
    "runtime-preview",
    "runtime-unknown",
    "sdk-pinned",
    "sdk-version",
    "secret",
    "service-unclear",
    "table-ignored",
]
"""Stable from release to release; `.github/CHANGELOG.md` tells of new ones."""

CODES: tuple[Code, ...] = get_args(Code)


class Finding(NamedTuple):
    """Something that may keep a bundle from doing what its user expects."""

    code: Code
    message: str
    """One paragraph: what, where, and what to do."""
    where: str | None = None
    """A path in the bundle, `path:line`, a package, a pattern or a table; None for the whole bundle."""
    severity: Severity = "warning"


class Judged(NamedTuple):
    """Findings parted by whether the user wants to hear of them."""

    told: tuple[Finding, ...]
    silenced: tuple[Finding, ...]


class StrictError(LambdaBundleError):
    """A warning where the user asked for none."""


class AuditError(LambdaBundleError):
    """Findings that keep a bundle from running."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        names = dict.fromkeys(f"{f.code}:{f.where}" if f.where else f.code for f in findings)
        super().__init__(
            *(finding.message for finding in findings),
            f"Should this be wrong, write ignore = [{', '.join(map(repr, names))}].",
        )


def judged(findings: Iterable[Finding], ignore: Sequence[str], *, strict: bool) -> Judged:
    """Part findings by `ignore`.

    Raises AuditError for those that are errors, and StrictError for a warning where the user asked for none.
    """
    parts: tuple[list[Finding], list[Finding]] = [], []
    for finding in findings:
        parts[any(_silences(item, finding) for item in ignore)].append(finding)
    told, silenced = map(tuple, parts)
    if errors := [finding for finding in told if finding.severity == "error"]:
        raise AuditError(errors)
    if strict and (warnings := [finding for finding in told if finding.severity == "warning"]):
        words = " ".join(finding.message for finding in warnings)
        raise StrictError(f"{words} (--strict makes this an error.)")
    return Judged(told, silenced)


def unused_ignores(ignore: Iterable[str], silenced: Sequence[Finding]) -> Iterator[Finding]:
    """Yield a warning for each element of `ignore` that silences nothing, for it is likely misspelt."""
    for item in ignore:
        if item != "ignore-unused" and not any(_silences(item, finding) for finding in silenced):
            words = f"ignore: {item!r} silences nothing. Drop it, or correct it."
            yield Finding("ignore-unused", words, item)


def _silences(item: str, finding: Finding) -> bool:
    """Tell whether CODE or CODE:WHERE means a finding, where `path:line` may be named without its line."""
    code, colon, where = item.partition(":")
    if code != finding.code or not colon:
        return code == finding.code
    path, _, line = (finding.where or "").rpartition(":")
    return where == finding.where or (line.isdecimal() and where == path)
