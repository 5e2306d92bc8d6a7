"""A project's core metadata, in words that no release of Poetry or machine changes."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.specifiers import SpecifierSet
from poetry.core.constraints.version import VersionUnion
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.helpers import format_python_constraint


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.project_package import ProjectPackage


LICENCE_EXPRESSION = re.compile(
    r"\(*[\w.+-]+\)*(?:\s+(?:AND|OR|WITH)\s+\(*[\w.+-]+\)*)*", re.ASCII | re.IGNORECASE
)
"""The form of a licence as SPDX writes it; which names there are depends on the day."""

LAST_MINOR = 99
"""Of Python 3, in case that a constraint names one that will never be."""


def core_metadata(package: ProjectPackage, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield fields besides name, version and summary (packaging.python.org, "Core metadata", 2.4).

    A licence's text is not read from a file, which might be the host's.
    """
    yield from _licence(document)
    wanted = (d for d in package.requires if not d.is_optional() or d.in_extras)
    for requirement in sorted({_requirement(dependency) for dependency in wanted}):
        yield "Requires-Dist", requirement
    if package.python_versions != "*":
        yield "Requires-Python", _requires_python(package, document)
    for extra in sorted(package.extras):
        yield "Provides-Extra", extra


def _licence(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    # read here, since each release of Poetry makes something else of it
    licence = document.get("project", {}).get("license")
    text = licence.get("text") if isinstance(licence, dict) else licence
    text = text or document.get("tool", {}).get("poetry", {}).get("license")
    if isinstance(text, str):
        is_expression = text is licence and LICENCE_EXPRESSION.fullmatch(text.strip())
        yield "License-Expression" if is_expression else "License", _line(text)


def _requires_python(package: ProjectPackage, document: Mapping[str, Any]) -> str:
    """Write the constraint on Python as the standard has it, where the project has not."""
    written = document.get("project", {}).get("requires-python") or package.python_versions
    try:
        return str(SpecifierSet(written))
    except InvalidSpecifier:
        # not the package's own, which is written in another way by each release of Poetry
        constraint = parse_constraint(package.python_versions)
    if not isinstance(constraint, VersionUnion):
        return format_python_constraint(constraint)
    last = constraint.ranges[-1].min
    minors = range(min(last.minor or 0, LAST_MINOR) if last and last.major == 3 else 0)
    series = {minor: parse_constraint(f">=3.{minor},<3.{minor + 1}") for minor in minors}
    hull = parse_constraint(_hull(constraint) or "*")
    gaps = (n for n, own in series.items() if hull.allows_any(own) and not constraint.allows_any(own))
    return ",".join(filter(None, [_hull(constraint), *(f"!=3.{minor}.*" for minor in gaps)]))


def _requirement(dependency: Dependency) -> str:
    """Write what is needed (PEP 508), but no address: it may hold a path of this machine or credentials."""
    try:
        requirement = Requirement(dependency.to_pep_508())
    except InvalidRequirement:
        # the standard has no "or" for versions
        constraint = dependency.constraint
        hull = _hull(constraint) if isinstance(constraint, VersionUnion) else ""
        requirement = Requirement(dependency.with_constraint(hull or "*").to_pep_508())
    requirement.url = None
    # see _plain
    return re.sub(r"(<[\w.!]+)\.dev0\b", r"\1", str(requirement))


def _hull(union: VersionUnion) -> str:
    """Write the range that a union of ranges lies in; empty for any version."""
    first, last = union.ranges[0], union.ranges[-1]
    lower = f">{'=' * first.include_min}{_plain(first.min)}" if first.min else ""
    upper = f"<{'=' * last.include_max}{_plain(last.max)}" if last.max else ""
    return ",".join(filter(None, [lower, upper]))


def _plain(version: Version) -> str:
    # some releases of poetry-core end a range before the first pre-release there could be
    return version.text.removesuffix(".dev0")


def _line(text: str) -> str:
    return " ".join(text.split())
