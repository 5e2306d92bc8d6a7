"""A warning as a value: a code that stays, words for a person, and the place that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Sequence


class Finding(NamedTuple):
    """Something that may keep a bundle from doing what its user expects."""

    code: str
    """Stable from release to release, as in `handler-unclear`; `.github/CHANGELOG.md` tells of new ones."""
    message: str
    """One paragraph: what, where, and what to do."""
    where: str | None = None
    """A path in the bundle, `path:line`, a package, a pattern or a table; None for the whole bundle."""


class StrictError(LambdaBundleError):
    """A warning where the user asked for none."""


def enforce(findings: Sequence[Finding], *, strict: bool) -> None:
    """Raise StrictError for warnings where the user asked for none."""
    if strict and findings:
        words = " ".join(finding.message for finding in findings)
        raise StrictError(f"{words} (--strict makes this an error.)")
