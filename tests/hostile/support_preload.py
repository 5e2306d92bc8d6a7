"""What a run imports and makes once, done once for all runs."""

from __future__ import annotations

import poetry.console.application
import poetry.console.commands.self.self_command
import poetry.console.logging.io_handler
import poetry.core.packages.vcs_dependency
import poetry.core.spdx.helpers
import poetry.factory
import poetry.installation.installer
import poetry.repositories.legacy_repository
import poetry.repositories.single_page_repository

from poetry.core.packages.dependency import Dependency
from poetry.factory import Factory

import poetry_lambda_plugin.commands.bundle
import poetry_lambda_plugin.plugin


__all__ = ["poetry", "poetry_lambda_plugin"]

# makes the parsers and the validators, which are kept and take most of a run's time
Factory.validate({"project": {"name": "x", "version": "1"}, "tool": {"poetry": {}}})
Dependency.create_from_pep_508("greeting>=1; python_version >= '3.9'")
