"""`poetry lambda-init`."""

from __future__ import annotations

from datetime import datetime
from datetime import timezone
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from cleo.exceptions import CleoError
from cleo.helpers import option
from cleo.io.inputs.argv_input import ArgvInput
from cleo.io.io import IO

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.commands.base import LambdaCommand
from poetry_lambda_plugin.commands.base import safe
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.configuration.written import UnwritableTableError
from poetry_lambda_plugin.configuration.written import table_text
from poetry_lambda_plugin.configuration.written import with_table
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.stages.proposed import bundle_names
from poetry_lambda_plugin.stages.proposed import propose
from poetry_lambda_plugin.wording import counted


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.stages.proposed import HandlerCandidate
    from poetry_lambda_plugin.stages.proposed import Proposal


EACH = "each of them, in a bundle of its own"
NONE = "none yet"

MAX_CHOICES = 20
"""Handlers that one can choose from; the likeliest are kept."""


class ConfiguredError(LambdaBundleError):
    """A project that has the table already."""


class UnansweredError(LambdaBundleError):
    """A question that nobody answers."""


class InitCommand(LambdaCommand):
    """Write this plugin's table into pyproject.toml, and make the first bundle."""

    name = "lambda-init"
    description = "Ask for runtime, architecture and handler, write them down, and make the first bundle."
    help = (
        "It looks at the lock and at the project's own modules for what to propose; "
        "<info>--no-interaction</info> takes what is proposed."
    )
    options: ClassVar[list[Option]] = [
        option("dry-run", None, "Show what would be written, and write nothing."),
    ]
    formats = ("text",)
    interrupted = "Interrupted: nothing was written."

    def handle(self) -> int:
        """Write the table, then make the first bundle as if that had been typed."""
        code = super().handle()
        return code if code or self.option("dry-run") else self._first_bundle()

    def perform(self) -> None:
        """Propose, ask and write; raises LambdaBundleError."""
        project = self.opened()
        self._warn(self._ignored)
        path = project.facts.root / "pyproject.toml"
        if TABLE.rpartition(".")[2] in project.facts.document.get("tool", {}):
            raise ConfiguredError(f"{path} has [{TABLE}] already. Change it there, or remove it first.")
        table = self._answers(propose(project, datetime.now(tz=timezone.utc).date()))
        if self.option("dry-run"):
            with_table(path, _read(path), table)
            self._show(f"This would be added to {path}:", table)
        else:
            _write(path, table)
            self._show(f"Added to {path}:", table)

    def document(self, error: str | None) -> str:
        """Return nothing: there is no document to be had of questions."""
        return error or ""

    def _answers(self, proposal: Proposal) -> Mapping[str, Any]:
        """Ask the three questions, and return the table that the answers make."""
        about = "" if proposal.packages is None else f": {counted(proposal.packages, 'package')} to bundle"
        self.line(f"<c1>{escaped(proposal.project)}</c1> (<c2>{escaped(proposal.version)}</c2>){about}")
        runtimes = {runtime.name: runtime for runtime in proposal.runtimes}
        runtime = self._asked("Runtime, of those that the lock can serve:", list(runtimes))
        architectures = proposal.architectures[runtimes[runtime]]
        architecture = self._asked("Architecture:", list(architectures))
        return {"runtime": runtime, "architecture": architecture, **self._handler(proposal)}

    def _handler(self, proposal: Proposal) -> Mapping[str, Any]:
        found = {escaped(candidate.handler): candidate for candidate in proposal.handlers[:MAX_CHOICES]}
        if not found:
            self.line(
                "<comment>Note: No handler was found: no function in the project's modules takes an event "
                "and a context. Write `handler = …` when there is one.</comment>"
            )
            return {}
        several = [EACH] if len(found) > 1 else []
        names = [*several, *found] if len(proposal.alike) > 1 else [*found, *several]
        answer = self._asked("Handler:", [*names, NONE])
        if answer == EACH:
            return _bundles(list(found.values()) if self.io.is_interactive() else proposal.alike)
        return {} if answer == NONE else _keys(found[answer])

    def _asked(self, question: str, choices: list[str]) -> str:
        """Return the answer, the first choice where nobody is asked; raises UnansweredError."""
        if len(choices) == 1 or not self.io.is_interactive():
            self.line(f"{_short(question)}: <c1>{choices[0]}</c1>")
            return choices[0]
        try:
            return str(self.choice(question, choices, 0, attempts=3))
        except (CleoError, RuntimeError) as error:
            raise UnansweredError(
                f"There is no answer to {_short(question).lower()}. Nothing was written. "
                "--no-interaction takes what is proposed."
            ) from error

    def _show(self, heading: str, table: Mapping[str, Any]) -> None:
        self.line(f"\n{safe(heading)}\n")
        for line in table_text(table).splitlines():
            self.line(f"  {escaped(line)}".rstrip())
        self.line("")

    def _first_bundle(self) -> int:
        command = self.get_application().find("lambda-bundle")
        typed = ArgvInput(["poetry", "lambda-bundle"])
        typed.interactive(self.io.is_interactive())
        return command.run(IO(typed, self.io.output, self.io.error_output))


def _short(question: str) -> str:
    return question.partition(",")[0].rstrip(":")


def _keys(candidate: HandlerCandidate) -> Mapping[str, Any]:
    return {"handler": candidate.handler, **({"include": [candidate.include]} if candidate.include else {})}


def _bundles(handlers: Sequence[HandlerCandidate]) -> Mapping[str, Any]:
    named = zip(bundle_names(handlers), handlers, strict=True)
    return {BUNDLES: {name: dict(_keys(candidate)) for name, candidate in named}}


def _read(path: Path) -> str:
    # with its own ends of lines
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _write(path: Path, table: Mapping[str, Any]) -> None:
    text = with_table(path, _read(path), table)
    try:
        with OutputFile(path) as file:
            file.write(text.encode())
            file.commit()
    except UnwritableOutputError as error:
        raise UnwritableTableError(path, error.reason, table_text(table)) from error
