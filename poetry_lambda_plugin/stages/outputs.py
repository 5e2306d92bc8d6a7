"""Where bundles are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.bundles import output_path
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts


def output_of(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path:
    """Return where a bundle is to be written."""
    placeholders = {
        "name": facts.name,
        "version": facts.version,
        "runtime": target.runtime.name,
        "architecture": target.architecture,
        "bundle": config.bundle or facts.name,
    }
    return output_path(config, facts.root / "dist", placeholders)


def possible_outputs(facts: ProjectFacts, config: BundleConfig) -> frozenset[Path]:
    """Return where a bundle is written on any runtime."""
    targets = (Target(runtime, a) for runtime in RUNTIMES for a in config.architectures)
    return frozenset(output_of(facts, config, target) for target in targets)
