"""One target and what wheels and environment markers see there; the host is never looked at."""

from __future__ import annotations

import re

from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.tags import Tag
from packaging.tags import compatible_tags
from packaging.tags import cpython_tags
from packaging.tags import parse_tag

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.runtime.runtimes import ARCHITECTURES
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.runtime.runtimes import Architecture
from poetry_lambda_plugin.runtime.runtimes import Runtime
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from datetime import date


WHEEL_ARCHITECTURES: Mapping[Architecture, str] = {"x86_64": "x86_64", "arm64": "aarch64"}
"""The architecture's name in wheel tags and in `platform_machine`."""

OLDEST_GLIBC: Mapping[Architecture, int] = {"x86_64": 5, "arm64": 17}
"""Minor version of the oldest glibc 2.x with a manylinux policy for the architecture (PEP 600)."""

WHEEL_FILENAME = re.compile(r"[^-]+-[^-]+(?:-(?P<build>\d+)[^-]*)?-(?P<tags>[^-]+-[^-]+-[^-]+)\.whl")
"""Name, version, build tag and compatibility tags (PEP 427); old names that break PEP 440 are let pass."""

parse_wheel_tags = cache(parse_tag)
"""Most wheels have the tags of many others."""

LEGACY_MANYLINUX: Mapping[int, str] = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Alias by minor version of glibc 2.x (PEP 600, "Legacy manylinux tags")."""

LEGACY_ALIASES: Mapping[str, str] = {
    f"{alias}_{machine}": f"manylinux_2_{minor}_{machine}"
    for minor, alias in LEGACY_MANYLINUX.items()
    for machine in WHEEL_ARCHITECTURES.values()
}
"""What each legacy platform tag stands for."""

MANYLINUX = re.compile(r"manylinux_(?P<major>\d+)_(?P<minor>\d+)_\w+")
"""A platform tag that names the oldest glibc (PEP 600)."""


class UnknownRuntimeError(LambdaBundleError):
    """A runtime that AWS can't have."""

    def __init__(self, name: str) -> None:
        self.name = name
        names = [runtime.name for runtime in RUNTIMES]
        nearest = similar(name, names, cutoff=0.5)
        hint = f" Did you mean {nearest}?" if nearest else ""
        super().__init__(
            f"{name!r} is not a Lambda Python runtime.{hint} Known runtimes: {', '.join(names)}."
        )


class UnknownArchitectureError(LambdaBundleError):
    """An architecture that Lambda lacks."""

    def __init__(self, name: str) -> None:
        self.name = name
        aliases = {"aarch64": "arm64", "amd64": "x86_64", "x64": "x86_64", "arm": "arm64"}
        nearest = aliases.get(name.lower())
        hint = f" Lambda calls it {nearest}." if nearest else ""
        super().__init__(f"{name!r} is not a Lambda architecture.{hint} Choose {' or '.join(ARCHITECTURES)}.")


class UnsuitableRuntimeError(LambdaBundleError):
    """A runtime which the project or AWS rules out."""


@dataclass(frozen=True)
class Target:
    """A Lambda runtime on an architecture."""

    runtime: Runtime
    architecture: Architecture

    def __str__(self) -> str:
        return f"{self.runtime.name} on {self.architecture}"

    @cached_property
    def marker_environment(self) -> Mapping[str, str]:
        """Every variable of the environment marker specification (PEP 508) with its value on Lambda."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.runtime.python_full_version,
            "os_name": "posix",
            "platform_machine": WHEEL_ARCHITECTURES[self.architecture],
            # AWS documents no kernel; 5.10 is what functions have reported since 2023
            "platform_release": "5.10.0",
            "platform_system": "Linux",
            "platform_version": "#1 SMP",
            "platform_python_implementation": "CPython",
            "python_full_version": self.runtime.python_full_version,
            "python_version": self.runtime.python_version,
            "sys_platform": "linux",
        }

    @cached_property
    def supported_tags(self) -> tuple[Tag, ...]:
        """Wheel tags that run there, the most specific first (PEP 425, PEP 600)."""
        python = self.runtime.python
        interpreter = f"cp{python[0]}{python[1]}"
        # PEP 3149: CPython before 3.8 marked pymalloc in its ABI
        abi = interpreter + ("m" if python < (3, 8) else "")
        platforms = list(self._platforms())
        return (
            *cpython_tags(python, abis=[abi], platforms=platforms),
            *compatible_tags(python, interpreter=interpreter, platforms=platforms),
        )

    @cached_property
    def _tag_ranks(self) -> Mapping[Tag, int]:
        return {tag: rank for rank, tag in reversed(list(enumerate(self.supported_tags)))}

    def wheel_rank(self, filename: str) -> tuple[int, int, str] | None:
        """Return a sort key, lowest for the best wheel, or None for a file that won't run there.

        The most specific tag wins; between wheels of one tag the highest build number does.
        """
        tags, build = _tags_and_build(filename)
        ranks = [self._tag_ranks[tag] for tag in tags if tag in self._tag_ranks]
        return (min(ranks), -build, filename) if ranks else None

    def glibc_needed(self, filename: str) -> tuple[int, int] | None:
        """Return the oldest glibc that a wheel's tags for the architecture promise to run with (PEP 600).

        None for a wheel that says nothing of it, such as a pure one.
        """
        wheel = WHEEL_FILENAME.fullmatch(filename)
        platforms = wheel["tags"].rpartition("-")[2].split(".") if wheel else []
        machine = re.escape(WHEEL_ARCHITECTURES[self.architecture])
        found = [MANYLINUX.fullmatch(LEGACY_ALIASES.get(p, p)) for p in platforms if re.search(machine, p)]
        return min(((int(m["major"]), int(m["minor"])) for m in found if m), default=None)

    @property
    def with_any_glibc(self) -> Target:
        """Where even a wheel would run that wants a newer glibc than there is."""
        return _with_any_glibc(self)

    def _platforms(self) -> Iterator[str]:
        machine = WHEEL_ARCHITECTURES[self.architecture]
        major, newest = self.runtime.glibc
        for minor in range(newest, OLDEST_GLIBC[self.architecture] - 1, -1):
            yield f"manylinux_{major}_{minor}_{machine}"
            if minor in LEGACY_MANYLINUX:
                yield f"{LEGACY_MANYLINUX[minor]}_{machine}"
        yield f"linux_{machine}"


@cache
def _tags_and_build(filename: str) -> tuple[frozenset[Tag], int]:
    """Return what a wheel's name says; many targets ask for it. No tags for what is no wheel."""
    wheel = WHEEL_FILENAME.fullmatch(filename)
    if wheel is None:
        return frozenset(), -1
    return parse_wheel_tags(wheel["tags"]), int(wheel["build"] or -1)


@cache
def _with_any_glibc(target: Target) -> Target:
    return replace(target, runtime=replace(target.runtime, glibc=(target.runtime.glibc[0], 99)))


def find_runtime(name: str) -> Runtime:
    """Look a runtime up by AWS's identifier; one that AWS may yet announce gets the newest facts.

    Raises UnknownRuntimeError for anything else.
    """
    for runtime in RUNTIMES:
        if runtime.name == name:
            return runtime
    newest = RUNTIMES[-1]
    match = re.fullmatch(r"python3\.([1-9][0-9]?)", name)
    if match is None or int(match[1]) <= newest.python[1]:
        raise UnknownRuntimeError(name)
    return replace(newest, name=name, python=(3, int(match[1])), newest_micro=0, known=False)


def find_architecture(name: str) -> Architecture:
    """Look an architecture up by AWS's name; raises UnknownArchitectureError."""
    for architecture in ARCHITECTURES:
        if architecture == name:
            return architecture
    raise UnknownArchitectureError(name)


def allowed_runtimes(
    allows: Callable[[str], bool], constraint: str, architectures: Collection[Architecture]
) -> tuple[Runtime, ...]:
    """Return the runtimes in production whose Python the project allows, the newest first.

    They exist for all architectures, if any does. Where none is allowed, those are taken that may have a
    micro version which the project waits for. `allows` judges a full Python version; `constraint` is what the
    user wrote, for the message. Raises UnsuitableRuntimeError.
    """
    in_production = [runtime for runtime in reversed(RUNTIMES) if not runtime.preview]
    allowed = [runtime for runtime in in_production if allows(runtime.python_full_version)]
    allowed = allowed or [runtime for runtime in in_production if _allows_newer_micro(runtime, allows)]
    if allowed:
        existing = tuple(runtime for runtime in allowed if set(architectures) <= set(runtime.architectures))
        return existing or tuple(allowed)
    raise UnsuitableRuntimeError(
        f"No Lambda runtime satisfies the project's Python constraint {constraint!r}. {_way_out(allows)}"
    )


def target_for(
    runtime: Runtime,
    architecture: Architecture,
    allows: Callable[[str], bool],
    constraint: str,
    set_by: str | None = None,
) -> Target:
    """Join a runtime and an architecture; raises UnsuitableRuntimeError where they don't fit.

    `set_by` is the option or key that names the runtime, for the message.
    """
    named = f"{runtime.name} (set by {set_by})" if set_by else runtime.name
    if architecture not in runtime.architectures:
        raise UnsuitableRuntimeError(
            f"Lambda's {named} exists for {' and '.join(runtime.architectures)} only, "
            f"not for {architecture}. Choose a newer runtime, or leave {architecture} out."
        )
    if not allows(runtime.python_full_version) and not _allows_newer_micro(runtime, allows):
        raise UnsuitableRuntimeError(
            f"The project's Python constraint {constraint!r} rules out {named}, "
            f"which runs Python {runtime.python_full_version}. {_remedy(runtime, allows)}"
        )
    return Target(runtime, architecture)


def runtime_warnings(
    runtime: Runtime, allows: Callable[[str], bool], constraint: str, today: date
) -> Iterator[Finding]:
    """Yield what a user should know about a runtime before deploying to it."""
    if not runtime.known:
        yield Finding(
            "runtime-unknown",
            f"{runtime.name} is not known to this version of the plugin: "
            f"the facts of {RUNTIMES[-1].name} are assumed (glibc {runtime.glibc_version}).",
            runtime.name,
        )
    elif runtime.preview:
        preview = f"{runtime.name} is a preview on Lambda, not meant for production."
        yield Finding("runtime-preview", preview, runtime.name)
    if runtime.deprecation and runtime.deprecation <= today:
        yield Finding(
            "runtime-deprecated",
            f"{runtime.name} is deprecated by AWS since {runtime.deprecation.isoformat()}: "
            "it gets no security patches, and AWS will block new functions and updates.",
            runtime.name,
        )
    if not allows(runtime.python_full_version):
        yield Finding(
            "runtime-outdated",
            f"The project's Python constraint {constraint!r} asks for a newer Python than "
            f"{runtime.python_full_version}, the newest one known on Lambda's {runtime.name}.",
            runtime.name,
        )


def _way_out(allows: Callable[[str], bool]) -> str:
    """Say what a project can do whose constraint no runtime in production satisfies."""
    for runtime in reversed(RUNTIMES):
        if _allows_older_micro(runtime, allows):
            full = runtime.python_full_version
            return f"Lambda's {runtime.name} runs Python {full}. {_micro_remedy(runtime)}"
        if runtime.preview and allows(runtime.python_full_version):
            return f"{runtime.name} would, but it is a preview: take it with --runtime {runtime.name}."
    names = ", ".join(f"{r.name} ({r.python_full_version})" for r in RUNTIMES)
    return f"Lambda has {names}. Widen requires-python in pyproject.toml and lock again."


def _remedy(runtime: Runtime, allows: Callable[[str], bool]) -> str:
    if _allows_older_micro(runtime, allows):
        return _micro_remedy(runtime)
    return "Choose another runtime, or change requires-python in pyproject.toml and lock again."


def _micro_remedy(runtime: Runtime) -> str:
    """Say how to allow a runtime whose micro version AWS has moved past what the project allows."""
    version = runtime.python_version
    return (
        f"AWS moves the last number without notice, so let requires-python in pyproject.toml allow all of "
        f'{version}, as "=={version}.*" does, and lock again.'
    )


def _allows_older_micro(runtime: Runtime, allows: Callable[[str], bool]) -> bool:
    return any(allows(f"{runtime.python_version}.{micro}") for micro in range(runtime.newest_micro))


def _allows_newer_micro(runtime: Runtime, allows: Callable[[str], bool]) -> bool:
    """Tell whether the project waits for a micro version that Lambda may have by now."""
    newer = range(runtime.newest_micro + 1, runtime.newest_micro + 50)
    return any(allows(f"{runtime.python_version}.{micro}") for micro in newer)
