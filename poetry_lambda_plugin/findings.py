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
"""An error keeps the bundle from being written, a remark is told with `-v` alone."""

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
    "import-circular",
    "import-dynamic",
    "import-failing",
    "import-missing",
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
    "shadows-client",
    "shadows-stdlib",
    "syntax-error",
    "smoke-test-unclear",
    "smoke-test-untried",
    "table-ignored",
]
"""Stable from release to release; `.github/CHANGELOG.md` tells of new ones."""

ONLY_WHEN_TRIED = ("smoke-test-unclear", "smoke-test-untried")
"""Codes of a trial, which most runs do without."""

CODES: tuple[Code, ...] = get_args(Code)


class Finding(NamedTuple):
    """Something that may keep a bundle from doing what its user expects."""

    code: Code
    message: str
    """One paragraph: what, where, and what to do."""
    where: str | None = None
    """A path in the bundle, `path:line`, a package, a pattern or a table; None for the whole bundle."""
    severity: Severity = "warning"
    """`error` for what keeps the bundle from being written."""
    about: str | None = None
    """The dotted module that it is about, by which `ignore` may name it too, or by one above it."""


class Judged(NamedTuple):
    """Findings parted by whether the user wants to hear of them."""

    told: tuple[Finding, ...]
    silenced: tuple[Finding, ...]


class StrictError(LambdaBundleError):
    """A warning where the user asked for none."""


def judged(findings: Iterable[Finding], ignore: Sequence[str], *, strict: bool) -> Judged:
    """Part findings by `ignore`; raises StrictError for one that is told where the user asked for none.

    Errors are told with all others: who asks decides what they stop.
    """
    parts: tuple[list[Finding], list[Finding]] = [], []
    for finding in findings:
        parts[any(_silences(item, finding) for item in ignore)].append(finding)
    told, silenced = map(tuple, parts)
    warnings = [finding for finding in told if finding.severity == "warning"]
    if strict and warnings:
        words = " ".join(finding.message for finding in told)
        raise StrictError(f"{words} (--strict makes this an error.)")
    return Judged(told, silenced)


def unused_ignores(ignore: Iterable[str], silenced: Sequence[Finding]) -> Iterator[Finding]:
    """Yield a warning for each element of `ignore` that silences nothing, for it is likely misspelt."""
    for item in ignore:
        if item == "ignore-unused" or item.partition(":")[0] in ONLY_WHEN_TRIED:
            continue
        if not any(_silences(item, finding) for finding in silenced):
            words = f"ignore: {item!r} silences nothing. Drop it, or correct it."
            yield Finding("ignore-unused", words, item)


def _silences(item: str, finding: Finding) -> bool:
    """Tell whether CODE or CODE:WHERE means a finding, where `path:line` may be named without its line."""
    code, colon, where = item.partition(":")
    if code != finding.code or not colon:
        return code == finding.code
    path, _, line = (finding.where or "").rpartition(":")
    if finding.about is not None and f"{finding.about}.".startswith(f"{where}."):
        return True
    return where == finding.where or (line.isdecimal() and where == path)
