"""A project's core metadata, in words that no release of Poetry or machine changes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement
from poetry.core.version.helpers import format_python_constraint


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.project_package import ProjectPackage


def core_metadata(package: ProjectPackage, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield fields besides name, version and summary (packaging.python.org, "Core metadata", 2.4).

    A licence's text is not read from a file, which might be the host's.
    """
    licence = document.get("project", {}).get("license")
    if isinstance(licence, str):
        yield "License-Expression", _line(licence)
    text = licence.get("text") if isinstance(licence, dict) else None
    text = text or document.get("tool", {}).get("poetry", {}).get("license")
    if isinstance(text, str) and not isinstance(licence, str):
        yield "License", _line(text)
    wanted = (d for d in package.requires if not d.is_optional() or d.in_extras)
    for requirement in sorted({_requirement(dependency) for dependency in wanted}):
        yield "Requires-Dist", requirement
    if package.python_versions != "*":
        yield "Requires-Python", format_python_constraint(package.python_constraint).replace(" ", "")
    for extra in sorted(package.extras):
        yield "Provides-Extra", extra


def _requirement(dependency: Dependency) -> str:
    """Write what is needed (PEP 508), but no address: it may hold a path of this machine or credentials."""
    text = dependency.to_pep_508()
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return _line(text)
    requirement.url = None
    return str(requirement)


def _line(text: str) -> str:
    return " ".join(text.split())
