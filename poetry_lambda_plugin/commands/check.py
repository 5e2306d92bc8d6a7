"""`poetry lambda-check`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import ClassVar

from cleo.helpers import argument
from cleo.helpers import option

from poetry_lambda_plugin.commands.base import LambdaCommand
from poetry_lambda_plugin.commands.base import config_reader
from poetry_lambda_plugin.commands.options import key_option
from poetry_lambda_plugin.commands.options import typed_values
from poetry_lambda_plugin.configuration import readers
from poetry_lambda_plugin.configuration.bundles import checked_options
from poetry_lambda_plugin.report.check import check_document
from poetry_lambda_plugin.report.check import check_lines
from poetry_lambda_plugin.stages.checked import Narrowing
from poetry_lambda_plugin.stages.checked import check_bundles
from poetry_lambda_plugin.stages.checked import enforce_asked


if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleo.io.inputs.argument import Argument
    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.stages.checked import BundleCheck


SELECTING = (
    "architecture",
    *("without", "with", "only", "extras", "all-extras"),
    *("exclude-package", "exclude-runtime-packages"),
)
"""The options of `lambda-bundle` that decide what has to run, and where."""


class CheckCommand(LambdaCommand):
    """Check where a locked project can run."""

    name = "lambda-check"
    description = "Tell on which AWS Lambda runtimes and architectures the locked dependencies can run."
    help = (
        "It reads poetry.lock and asks nothing else. The exit code is 1 if a bundle can't be made for "
        "what it is configured for."
    )

    arguments: ClassVar[list[Argument]] = [
        argument("bundles", "Bundles from the project's configuration.", optional=True, multiple=True),
    ]
    options: ClassVar[list[Option]] = [
        option("runtime", None, "Look at this Lambda runtime only.", flag=False, multiple=True),
        *map(key_option, SELECTING),
        option("format", None, "Report as text or json.", flag=False, default="text"),
    ]

    _checks: Sequence[BundleCheck] = ()

    def perform(self) -> None:
        """Check all bundles and report; raises LambdaBundleError."""
        project = self.opened()
        options = checked_options(typed_values(self.option, SELECTING))
        named = (readers.runtime(name, "--runtime").runtime for name in self.option("runtime"))
        configs_of = config_reader(project)
        only = Narrowing(runtimes=tuple(dict.fromkeys(named)), architectures=options.get("architecture", ()))
        configs, family = configs_of(options, self.argument("bundles")), configs_of(options, ())
        self._checks = check_bundles(project, configs, family, only)
        if self.option("format") == "text":
            for line in check_lines(self._checks):
                self.line(line)
        enforce_asked(self._checks)

    def document(self, error: str | None) -> str:
        """Return what was found out of each bundle, and the error, as one JSON document."""
        return check_document(self._checks, error)
