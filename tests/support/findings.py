"""What findings say, for comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from poetry_lambda_plugin.findings import Finding


def messages(findings: Iterable[Finding]) -> list[str]:
    """Return the words of findings."""
    return [finding.message for finding in findings]
