"""Print what the tests need, as pip's requirements, from the group of pyproject.toml.

Needs tomlkit, which is installed with the project.
"""

from __future__ import annotations

import sys

from pathlib import Path
from typing import Any

import tomlkit


def requirement(name: str, wanted: str | dict[str, Any]) -> str:
    """Return the line of one dependency, as PEP 508 has it."""
    if isinstance(wanted, str):
        return f"{name}{wanted}"
    extras = f"[{','.join(wanted['extras'])}]" if "extras" in wanted else ""
    markers = f" ; {wanted['markers']}" if "markers" in wanted else ""
    return f"{name}{extras}{wanted['version']}{markers}"


def requirements(pyproject: str) -> list[str]:
    """Return the lines of all."""
    group = tomlkit.parse(pyproject).unwrap()["tool"]["poetry"]["group"]["test"]["dependencies"]
    return [requirement(name, wanted) for name, wanted in group.items()]


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    sys.stdout.write("".join(f"{line}\n" for line in requirements(text)))
