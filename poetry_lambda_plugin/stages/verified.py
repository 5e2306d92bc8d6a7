"""What a bundle should hold, and which of several a ZIP or a folder is to be held against."""

from __future__ import annotations

import os

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from contextlib import suppress
from dataclasses import replace
from functools import cache
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.held import UnreadableBundleError
from poetry_lambda_plugin.audit.verdicts import Expectation
from poetry_lambda_plugin.audit.verdicts import ExpectedPackage
from poetry_lambda_plugin.audit.verification import compare
from poetry_lambda_plugin.audit.verification import names_of
from poetry_lambda_plugin.bytecode.holding import Holder
from poetry_lambda_plugin.bytecode.interpreters import Interpreters
from poetry_lambda_plugin.bytecode.interpreters import NoHashBasedBytecodeError
from poetry_lambda_plugin.bytecode.interpreters import NoInterpreterError
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import record_rows
from poetry_lambda_plugin.layout.wheel import Wheel
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.stages.outputs import output_of
from poetry_lambda_plugin.stages.outputs import place_of
from poetry_lambda_plugin.stages.packages import selected_packages
from poetry_lambda_plugin.stages.runtime import runtime_of
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.held import HeldBundle
    from poetry_lambda_plugin.audit.verdicts import Verification
    from poetry_lambda_plugin.bytecode.compiling import Compiler
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.planned import Parts


COMMAND = "poetry lambda-verify"


class UnclearBundleError(LambdaBundleError):
    """Several bundles that a ZIP could be."""


class OtherBundleError(LambdaBundleError):
    """A ZIP that is so unlike what is expected that its differences would tell nothing."""


def candidates(facts: ProjectFacts, configs: Sequence[BundleConfig], path: Path | None) -> list[BundleConfig]:
    """Return what a file could be, for one architecture; without a file that is all.

    Raises UnclearBundleError where it is the output of none of several, or of more than one.
    """
    possible = [
        (replace(config, architectures=(architecture,)), _outputs(facts, config, architecture))
        for config in configs
        for architecture in config.architectures
    ]
    if path is None or len(possible) == 1:
        return list(configs)
    written = [config for config, outputs in possible if place_of(path) in outputs]
    if len(written) == 1:
        return written
    raise UnclearBundleError(_advice(path, [config for config, _ in possible]))


def unwritten(project: OpenProject, config: BundleConfig, family: Sequence[BundleConfig]) -> BundleConfig:
    """Return how a bundle is wanted that is not going to be written, so that its warnings are of no concern.

    Where no Python can compile its bytecode, it is expected without.
    """
    select = cache(partial(selected_packages, project.lock))
    chosen = runtime_of(project.facts, config, family, project.settings.binary_policy, select)
    bytecode = config.bytecode
    if bytecode is not None:
        try:
            Interpreters(project).find(chosen.runtime.python)
        except (NoInterpreterError, NoHashBasedBytecodeError):
            bytecode = None
    return replace(
        config, runtime=chosen.runtime, output=Path(os.devnull), strict=False, audit=False, bytecode=bytecode
    )


def verified(compiled: Compiled, parts: Parts, held: HeldBundle, compiler: Compiler) -> Verification:
    """Hold a ZIP or a folder against a bundle; raises OtherBundleError and UnreadableBundleError."""
    expected = _expectation(compiled, parts)
    _check_likeness(expected, held)
    # without the bytecode that is to be in the bundle, so that nothing is taken for a source but sources
    mode = compiled.planned.selected.config.bytecode or "checked-hash"
    holder = Holder(compiler, compiled.planned.plan, mode)
    return compare(expected, held, holder.judge)


def looks_written_here(held: HeldBundle, plan: BundlePlan) -> bool:
    """Tell whether a ZIP's files are those of a plan in its order, so that all its bytes may be the same."""
    return not held.is_folder and list(held.files) == [entry.path for entry in plan.entries]


def _outputs(facts: ProjectFacts, config: BundleConfig, architecture: str) -> frozenset[Path]:
    """Return where a bundle would be written, whatever its runtime."""
    targets = (Target(runtime, a) for runtime in RUNTIMES for a in config.architectures if a == architecture)
    return frozenset(place_of(output_of(facts, config, target)) for target in targets)


def _advice(path: Path, configs: Sequence[BundleConfig]) -> str:
    names = list(dict.fromkeys(config.bundle for config in configs))
    architectures = list(dict.fromkeys(config.architectures[0] for config in configs))
    lines = [f"`{COMMAND} {path} {name}`" for name in names] if len(names) > 1 else []
    if not lines:
        name = f" {names[0]}" if names[0] else ""
        lines = [f"`{COMMAND} {path}{name} --architecture {other}`" for other in architectures]
    return (
        f"{path} is the output of none of the {len(configs)} bundles that are configured, so which one it "
        f"should be is unclear. Say it: {listed(lines)}."
    )


def _expectation(compiled: Compiled, parts: Parts) -> Expectation:
    selected = compiled.planned.selected
    wheels = {choice.package.name: parts[choice] for choice in selected.parts}
    locked = {c.package.name: c.package for c in selected.choices if isinstance(c, LockedWheel)}
    packages: dict[str, ExpectedPackage] = {}
    for distribution in compiled.plan.distributions:
        name, part = distribution.name, wheels.get(distribution.name)
        files = [file.name for file in locked[name].files] if name in locked else []
        packages.setdefault(
            name,
            ExpectedPackage(
                version=distribution.version,
                wheel=part if isinstance(part, Wheel) else None,
                is_locked=name in locked,
                locked_wheels=tuple(file for file in files if file.endswith(".whl")),
            ),
        )
    return Expectation(
        plan=compiled.plan,
        project=selected.name,
        packages=packages,
        left_out={package.name: package.reason for package in selected.left_out},
        python=selected.target.runtime.python,
        known={
            (part.path, name): digest
            for part in wheels.values()
            if isinstance(part, Wheel)
            for name, digest in _recorded(part)
        },
    )


def _recorded(wheel: Wheel) -> Iterator[tuple[str, bytes]]:
    """Yield the SHA-256 of members as a wheel's RECORD has them."""
    record = next(member for member in wheel.members if member.name == f"{wheel.dist_info}/RECORD")
    for row in record_rows(wheel.path, record):
        if len(row) > 1 and row[1].startswith("sha256="):
            with suppress(Base64Error, ValueError):
                yield row[0], urlsafe_b64decode(row[1].removeprefix("sha256=") + "=")


def _check_likeness(expected: Expectation, held: HeldBundle) -> None:
    """Raise for what is no bundle, a layer instead of a function, or the other way round, or of others."""
    if not held.files:
        raise UnreadableBundleError(held.path, "it holds no file")
    prefix = expected.plan.prefix
    is_layer = all(path.startswith("python/") for path in held.files)
    if is_layer and not prefix and not any(e.path.startswith("python/") for e in expected.plan.entries):
        raise OtherBundleError(
            f"{held.path} looks like a layer: all that it holds lies below python/. Say --layer, or name a "
            "bundle that has layer = true, to have it verified as one."
        )
    if prefix and not any(path.startswith(prefix) for path in held.files):
        raise OtherBundleError(
            f"{held.path} looks like no such layer: nothing in it lies below {prefix}, where a layer's files "
            "belong. Drop --layer, or name a bundle of a function, to have it verified as one."
        )
    _check_project(expected, held)


def _check_project(expected: Expectation, held: HeldBundle) -> None:
    """Raise OtherBundleError where nothing of the project and hardly any package is there."""
    there = {e.owner for e in expected.plan.entries if e.path in held.files and e.content.size}
    names = names_of(held, expected.plan.prefix)
    packages = expected.packages.keys() - {expected.project}
    known = packages & (there | names.versions.keys())
    is_there = expected.project in there or expected.project in names.versions
    if is_there or 2 * len(known) > len(packages) or (known and expected.project not in expected.packages):
        return
    others = sorted(names.versions.keys() - expected.packages.keys())
    has = f" It has {listed(others)}." if others else ""
    of_packages = (
        f", and {len(known)} of the {counted(len(packages), 'package')} it needs" if packages else ""
    )
    raise OtherBundleError(
        f"{held.path} looks like the bundle of another project: it holds nothing of {expected.project}"
        f"{of_packages}.{has} Run the command in the folder of the project that it is of."
    )
