"""What is expected of a bundle, and what is said of one that is held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.wheel import Wheel


Verdict = Literal["same", "packaging", "unverified", "changed"]
"""From the best to the worst: equal bytes, nothing that runs, what can't be told, and all else."""

VERDICTS: Sequence[Verdict] = ("same", "packaging", "unverified", "changed")

Kind = Literal[
    "altered",
    "bytecode",
    "extra",
    "installer",
    "left-out",
    "link",
    "metadata",
    "missing",
    "mode",
    "script",
    "stripped",
    "unreadable",
]
"""What is the matter with a file."""

Remark = Literal["dist-info", "extra", "missing", "version", "wheel"]
"""What is the matter with a package as a whole."""

OTHER_FILES = "(other files)"
"""Stands for files that belong to no package."""


class FileDifference(NamedTuple):
    """One file that is not the same."""

    path: str
    """In the bundle that is verified, or, of a missing one, where it should be."""
    verdict: Verdict
    kind: Kind
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageVerification:
    """What differs in one package."""

    name: str
    version: str | None
    """The one that is locked; None for a package that should not be there."""
    found_version: str | None
    """The one that the bundle says it has; None where it says nothing."""
    remark: Remark | None
    detail: str
    """More about the remark."""
    files: tuple[FileDifference, ...]
    """Sorted by path."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its files'."""
        return worst(file.verdict for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What differs in a bundle."""

    packages: tuple[PackageVerification, ...]
    """Those that differ, by name; other files come last."""
    same_files: int
    """Files with the bytes that are expected."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its packages'."""
        return worst(package.verdict for package in self.packages)


class ExpectedPackage(NamedTuple):
    """A distribution that should be in the bundle."""

    version: str
    wheel: Wheel | None
    """None where it is laid out from files."""
    is_locked: bool
    """Whether the lock has its wheel's hash; else it is made here, and others may pack it otherwise."""
    locked_wheels: tuple[str, ...]
    """File names of all its wheels that are locked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What a bundle should hold."""

    plan: BundlePlan
    project: str
    packages: Mapping[str, ExpectedPackage]
    """By normalised name."""
    left_out: Mapping[str, str]
    """Why packages are not in the bundle, by name."""
    python: tuple[int, int]
    known: Mapping[tuple[Path, str], bytes]
    """SHA-256 of members of wheels, by wheel and name, as their RECORDs have it."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts."""
    return max(verdicts, key=VERDICTS.index, default="same")
