"""`poetry lambda-verify`."""

from __future__ import annotations

import os

from contextlib import closing
from datetime import datetime
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.helpers import argument
from cleo.helpers import option

from poetry_lambda_plugin.archive.held import read_held
from poetry_lambda_plugin.bundling import Circumstances
from poetry_lambda_plugin.commands.base import LambdaCommand
from poetry_lambda_plugin.commands.base import config_reader
from poetry_lambda_plugin.commands.base import termination_as_interrupt
from poetry_lambda_plugin.commands.options import key_option
from poetry_lambda_plugin.commands.options import typed_values
from poetry_lambda_plugin.commands.progress import ConsoleObserver
from poetry_lambda_plugin.commands.progress import SilentObserver
from poetry_lambda_plugin.configuration import readers
from poetry_lambda_plugin.configuration.bundles import checked_options
from poetry_lambda_plugin.configuration.layering import FOR_LAYERS_TOO
from poetry_lambda_plugin.configuration.layering import Order
from poetry_lambda_plugin.configuration.layering import wanted_bundles
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.report.verify import DifferenceError
from poetry_lambda_plugin.report.verify import code_sha256
from poetry_lambda_plugin.report.verify import enforce_same
from poetry_lambda_plugin.report.verify import verification_document
from poetry_lambda_plugin.report.verify import verification_lines
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.stages.verified import candidates
from poetry_lambda_plugin.verifying import There
from poetry_lambda_plugin.verifying import verify_bundle


if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleo.io.inputs.argument import Argument
    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.report.verify import VerificationReport


DECIDING = (
    *("runtime", "architecture"),
    *("without", "with", "only", "extras", "all-extras", "no-root", "only-root"),
    *("include", "exclude", "exclude-package", "exclude-runtime-packages"),
    *("layer", "bytecode"),
)
"""The options of `lambda-bundle` that decide what is in a bundle."""


class VerifyCommand(LambdaCommand):
    """Hold a deployed bundle against the lock and the project."""

    name = "lambda-verify"
    description = "Tell whether a ZIP or a folder holds what the lock and the project give now."
    help = (
        "The exit code is 0 where the content is the same, also where only packaging differs, and 1 where "
        "anything else does. Nothing is written; wheels that are not in Poetry's cache are fetched."
    )

    arguments: ClassVar[list[Argument]] = [
        argument("path", "A deployment ZIP, or the folder of one.", optional=True),
        argument("bundle", "The bundle that it should be, from the project's configuration.", optional=True),
    ]
    options: ClassVar[list[Option]] = [
        option("sha256", None, "The CodeSha256 that Lambda reports of the function.", flag=False),
        option("bundle", None, "The bundle that it should be, as after the ZIP.", flag=False),
        *map(key_option, DECIDING),
        option("format", None, "Report as text or json.", flag=False, default="text"),
        option("strict", None, "Let bytecode that can't be verified be an error."),
    ]

    _reports: Sequence[VerificationReport] = ()

    def perform(self) -> None:
        """Compare and report; raises LambdaBundleError."""
        with termination_as_interrupt(), closing(self._observer()) as observer:
            self._reports = self._verified(observer)
        if not self._is_document:
            self._report_text()
        enforce_same(self._reports, strict=self.option("strict"))

    def document(self, error: str | None) -> str:
        """Return what was found out, and the error, as one JSON document."""
        return verification_document(self._reports, error)

    def _observer(self) -> ConsoleObserver | SilentObserver:
        return SilentObserver() if self._is_document else ConsoleObserver(self.io)

    def _verified(self, observer: ConsoleObserver | SilentObserver) -> Sequence[VerificationReport]:
        options = checked_options(typed_values(self.option, DECIDING))
        epoch = readers.source_date_epoch(os.environ)
        there = self._there()
        project = self.opened()
        configs_of = config_reader(project)
        family = configs_of(options, ())
        asked = candidates(project.facts, configs_of(options, self._names()), self._path())
        unasked = partial(configs_of, made=False)
        plain = unasked({name: options[name] for name in options.keys() & FOR_LAYERS_TOO}, ())
        earlier, wanted = unasked({}, ()), wanted_bundles(asked, plain)
        order = Order(wanted=wanted, broken={}, family=family, plain=plain, earlier=earlier)
        circumstances = Circumstances(
            today=datetime.now(tz=timezone.utc).date(), source_date_epoch=epoch, dry_run=False
        )
        return verify_bundle(project, order, there, circumstances, observer)

    def _report_text(self) -> None:
        best, *_others = self._reports
        told = self._reports if best.verdict == "changed" else [best]
        for report in told:
            for line in verification_lines(report, self.io.is_verbose() + self.io.is_very_verbose()):
                self.line(line)

    def _names(self) -> tuple[str, ...]:
        """Return the bundle that is named, after the ZIP or by its option."""
        return tuple(filter(None, (self.argument("bundle"), self.option("bundle"))))

    def _path(self) -> Path | None:
        return Path(self.argument("path")) if self.argument("path") else None

    def _there(self) -> There:
        """Read what there is; raises UnreadableBundleError, ConfigError and DifferenceError."""
        reported = self.option("sha256") and readers.code_sha256(self.option("sha256"), "--sha256")
        path = self._path()
        if path is None and not reported:
            raise ConfigError(
                "Name what is to be verified: `poetry lambda-verify ZIP`, or --sha256 with the CodeSha256 "
                "that Lambda reports."
            )
        if path is None:
            return There(None, reported)
        held = read_held(path)
        if held.is_folder:
            if reported:
                raise ConfigError(f"--sha256 is of a ZIP, and {path} is a folder. Drop one of them.")
            return There(held, None)
        own = bytes.fromhex(digest(path, "sha256:").partition(":")[2])
        if reported and own != reported:
            raise DifferenceError(
                f"{path} is not the ZIP that is deployed: its CodeSha256 is {code_sha256(own)}, and --sha256 "
                f"says {code_sha256(reported)}."
            )
        return There(held, own)
