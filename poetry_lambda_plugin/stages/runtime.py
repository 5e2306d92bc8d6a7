"""The runtime of a bundle that names none: one for it and its layers together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
    from poetry_lambda_plugin.stages.packages import Selector


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
    links = _links(facts, (*family, config))
    for one in together:
        for other in family:
            if other not in together and (links(one, other) or links(other, one)):
                together.append(other)
    return together


def _links(
    facts: ProjectFacts, bundles: Sequence[BundleConfig]
) -> Callable[[BundleConfig, BundleConfig], bool]:
    """Return what tells whether one bundle has another as a layer, by its name or by its output."""
    files = {bundle: frozenset(map(place_of, bundle.layer_files)) for bundle in bundles}
    named = frozenset[Path]().union(*files.values())
    outputs = {bundle: possible_outputs(facts, bundle) & named for bundle in bundles if named}

    def has_as_layer(one: BundleConfig, other: BundleConfig) -> bool:
        return other.bundle in one.layer_bundles or bool(named and outputs[other] & files[one])

    return has_as_layer


def _with_dependencies(config: BundleConfig) -> BundleConfig:
    """Look at a bundle of the project alone as what it will run with: the dependencies in a layer."""
    return replace(config, only_root=False) if config.only_root else config
