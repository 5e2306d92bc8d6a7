"""Register the commands with Poetry; loaded by every `poetry` call, so it imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry.plugins.application_plugin import ApplicationPlugin


if TYPE_CHECKING:
    from cleo.commands.command import Command
    from poetry.console.application import Application


def _bundle_command() -> Command:
    from poetry_lambda_plugin.commands.bundle import BundleCommand

    return BundleCommand()


def _check_command() -> Command:
    from poetry_lambda_plugin.commands.check import CheckCommand

    return CheckCommand()


def _verify_command() -> Command:
    from poetry_lambda_plugin.commands.verify import VerifyCommand

    return VerifyCommand()


def _init_command() -> Command:
    from poetry_lambda_plugin.commands.init import InitCommand

    return InitCommand()


class LambdaPlugin(ApplicationPlugin):
    """Add `poetry lambda-bundle`, `poetry lambda-check`, `poetry lambda-verify` and `poetry lambda-init`."""

    def activate(self, application: Application) -> None:
        """Register factories, so that a command is imported only when it is called."""
        application.command_loader.register_factory("lambda-bundle", _bundle_command)
        application.command_loader.register_factory("lambda-check", _check_command)
        application.command_loader.register_factory("lambda-verify", _verify_command)
        application.command_loader.register_factory("lambda-init", _init_command)
