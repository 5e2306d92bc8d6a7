"""The runtime of a bundle that names none: one for it and its layers together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.poetry_api.lock import LockError
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import UnsuitableRuntimeError
from poetry_lambda_plugin.runtime.platform import allowed_runtimes
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.selection.choice import unserved
from poetry_lambda_plugin.selection.runtime_choice import RuntimeChoice
from poetry_lambda_plugin.selection.runtime_choice import choose_runtime
from poetry_lambda_plugin.selection.runtime_choice import local_python
from poetry_lambda_plugin.sources.building import missing_for_build
from poetry_lambda_plugin.stages.outputs import place_of
from poetry_lambda_plugin.stages.outputs import possible_outputs


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.choice import BinaryPolicy
    from poetry_lambda_plugin.selection.choice import BuildJudge
    from poetry_lambda_plugin.stages.packages import PackageSelection

    Selector: TypeAlias = Callable[[BundleConfig, Target], PackageSelection]


def runtime_of(
    facts: ProjectFacts,
    config: BundleConfig,
    family: Sequence[BundleConfig],
    policy: BinaryPolicy,
    select: Selector,
) -> RuntimeChoice:
    """Return a bundle's runtime: the one that was asked for, else one for it and its layers together.

    `family` are all bundles of the project. Raises UnsuitableRuntimeError.
    """
    if config.runtime is not None:
        return RuntimeChoice(config.runtime, "configuration")
    together = _with_its_layers(facts, config, family)
    return _named_by_layers(config, together) or _chosen(facts, together, policy, select)


def _named_by_layers(config: BundleConfig, together: Sequence[BundleConfig]) -> RuntimeChoice | None:
    named = {other.runtime: other for other in together if other.runtime is not None}
    if len(named) > 1:
        told = " and ".join(f"{other.bundle} has {runtime.name}" for runtime, other in named.items())
        raise UnsuitableRuntimeError(
            f"{config.bundle} shares a layer with bundles of different runtimes: {told}. "
            f"Set runtime in [{config.table}], and make a layer for each runtime."
        )
    for runtime, other in named.items():
        note = f"{runtime.name} is the runtime of {other.bundle}, with which it shares a layer."
        return RuntimeChoice(runtime, "layers", note)
    return None


def _chosen(
    facts: ProjectFacts, together: Sequence[BundleConfig], policy: BinaryPolicy, select: Selector
) -> RuntimeChoice:
    """Choose by .python-version, the constraint and what the lock has for all of some bundles."""
    bundles = [(_with_dependencies(other), a) for other in together for a in other.architectures]
    candidates = allowed_runtimes(facts.allows, facts.python_versions, {a for _, a in bundles})
    python = local_python(facts.root)
    local = next((runtime for runtime in RUNTIMES if runtime.python == python), None)

    def missing(runtime: Runtime, judge: BuildJudge = lambda *_: "not asked yet") -> tuple[str, ...] | None:
        targets = [(config, Target(runtime, architecture)) for config, architecture in bundles]
        try:
            lacking = [p for c, t in targets for p in unserved(select(c, t).packages, t, policy, judge)]
        except LockError:
            # whether it can be used at all, the bundle itself will say
            return None
        return tuple(dict.fromkeys(f"{package.name} {package.version}" for package in lacking))

    return choose_runtime(candidates, local, missing, lambda r: not missing(r, missing_for_build))


def _with_its_layers(
    facts: ProjectFacts, config: BundleConfig, family: Sequence[BundleConfig]
) -> Sequence[BundleConfig]:
    """Return a bundle and all others that are its layers or have it as one, directly or not."""
    together = [config]
    if not any(other.exclude_layers for other in family):
        return together
    outputs = {other: possible_outputs(facts, other) for other in (*family, config)}
    layers = {other: {*map(place_of, other.exclude_layers)} for other in outputs}
    for one in together:
        for other in family:
            linked = outputs[other] & layers[one] or outputs[one] & layers[other]
            if linked and other not in together:
                together.append(other)
    return together


def _with_dependencies(config: BundleConfig) -> BundleConfig:
    """Look at a bundle of the project alone as what it will run with: the dependencies in a layer."""
    return replace(config, only_root=False) if config.only_root else config
