"""Where the locked packages can run: what the lock has of each for a runtime on an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.selection.choice import WheelBuild
from poetry_lambda_plugin.selection.choice import choice_of
from poetry_lambda_plugin.selection.choice import is_of_version
from poetry_lambda_plugin.selection.choice import wants_newer_glibc


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.selection.choice import BinaryPolicy
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.locked import LockedPackage


State = Literal["wheel", "build", "sdist", "nothing"]
"""A wheel; sources that were never compiled for single platforms, or a folder; code to compile; none."""

Status = Literal["ok", "sdist", "nothing", "ruled-out"]
"""The worst state of a target's packages; `ruled-out` where the project does not allow the target."""

PURE = "any.whl"
"""How the names of wheels end that run on any platform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageCoverage:
    """What the lock has of a package for a target."""

    name: str
    version: str
    state: State
    reason: str | None = None
    """Why no wheel is taken; None where all is well."""
    glibc: tuple[int, int] | None = None
    """The oldest glibc that its wheel runs with; None where it says nothing of it."""

    @property
    def is_lacking(self) -> bool:
        """Whether all is not well."""
        return self.state in ("sdist", "nothing")

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class TargetCoverage:
    """What the lock has for a target."""

    target: Target
    packages: tuple[PackageCoverage, ...] | None
    """None where the project rules the target out: the lock says nothing of it."""

    @property
    def lacking(self) -> tuple[PackageCoverage, ...]:
        """The packages without a wheel that need one."""
        return tuple(package for package in self.packages or () if package.is_lacking)

    @property
    def status(self) -> Status:
        """How it stands with the target as a whole."""
        if self.packages is None:
            return "ruled-out"
        states = {package.state for package in self.packages}
        return "nothing" if "nothing" in states else "sdist" if "sdist" in states else "ok"

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The glibc that all wheels together need; None where none says anything of it."""
        return max((package.glibc for package in self.packages or () if package.glibc), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """What has to be done before a bundle can go to another runtime or architecture."""

    to: str
    """AWS's name of the runtime or the architecture."""
    is_allowed: bool
    """Whether the project allows it as it is; its lock does not speak for certain of what it rules out."""
    update: tuple[PackageCoverage, ...]
    """The packages that have no wheel there, and need one."""


def cover(packages: Sequence[LockedPackage] | None, target: Target, policy: BinaryPolicy) -> TargetCoverage:
    """Judge packages as `choose` does, but for no host; None for those of a target that is ruled out."""
    if packages is None:
        return TargetCoverage(target, None)
    return TargetCoverage(target, tuple(_coverage(package, target, policy) for package in packages))


def moves(
    asked: Sequence[Target],
    selections: Mapping[Target, Sequence[LockedPackage] | None],
    policy: BinaryPolicy,
) -> Iterator[Move]:
    """Yield the ways to the newest runtime in production, and to the other architecture.

    `selections` has the packages for each target that counts, None for those that are ruled out.
    """
    runtimes = [t.runtime for t in selections if not t.runtime.preview and t.runtime.known]
    newest = max(runtimes, key=lambda runtime: runtime.python, default=None)
    if newest is not None:
        steps = {t: Target(newest, t.architecture) for t in asked if t.runtime.python < newest.python}
        yield from _move(newest.name, steps, selections, policy)
    for architecture in dict.fromkeys(target.architecture for target in selections):
        if all(target.architecture != architecture for target in asked):
            steps = {target: Target(target.runtime, architecture) for target in asked}
            yield from _move(architecture, steps, selections, policy)


def _move(
    to: str,
    steps: Mapping[Target, Target],
    selections: Mapping[Target, Sequence[LockedPackage] | None],
    policy: BinaryPolicy,
) -> Iterator[Move]:
    """Yield a move where there is a step from a target that the project allows to one that counts."""
    lacking: dict[PackageCoverage, None] = {}
    possible = {a: b for a, b in steps.items() if b in selections and selections.get(a) is not None}
    for old, new in possible.items():
        chosen = selections[new]
        packages = selections[old] if chosen is None else chosen
        lacking.update(dict.fromkeys(cover(packages, new, policy).lacking))
    if possible:
        allowed = all(selections[new] is not None for new in possible.values())
        unique = {(package.name, package.version): package for package in lacking}
        yield Move(to=to, is_allowed=allowed, update=tuple(unique.values()))


def _coverage(package: LockedPackage, target: Target, policy: BinaryPolicy) -> PackageCoverage:
    choice = choice_of(package, target, policy, lambda *_: "there is no compiler")
    state = _state(choice, package, target, policy)
    lacks = state in ("sdist", "nothing")
    return PackageCoverage(
        name=package.name,
        version=package.version,
        state=state,
        reason=_reason(package, target, policy) if lacks else None,
        glibc=target.glibc_needed(choice.file.name) if isinstance(choice, LockedWheel) else None,
    )


def _state(choice: Choice | None, package: LockedPackage, target: Target, policy: BinaryPolicy) -> State:
    if choice is not None:
        return "build" if isinstance(choice, WheelBuild) else "wheel"
    return "nothing" if choice_of(package, target, policy, lambda *_: None) is None else "sdist"


def _reason(package: LockedPackage, target: Target, policy: BinaryPolicy) -> str:
    """Say what the wheels of a package lack that would let one run on a target."""
    wheels = [f.name for f in package.files if f.name.endswith(".whl")]
    wheels = [name for name in wheels if is_of_version(name, package.version)]
    if not wheels:
        return "no wheel" if package.files else "no file in the lock"
    if not policy.allows_wheel(package.name):
        return "wheels refused by installer.no-binary"
    if wants_newer_glibc(package, target):
        anywhere = target.with_any_glibc
        fitting = [anywhere.glibc_needed(name) for name in wheels if anywhere.wheel_rank(name) is not None]
        major, minor = min(filter(None, fitting))
        return f"wheels need glibc {major}.{minor}"
    platforms = [name.rpartition("-")[2] for name in wheels]
    linux = [platform for platform in platforms if "manylinux" in platform or platform.startswith("linux_")]
    if any(WHEEL_ARCHITECTURES[target.architecture] in platform for platform in linux) or PURE in platforms:
        return "no wheel for this Python"
    return "no wheel for this architecture" if linux else "no wheel for Linux with glibc"
