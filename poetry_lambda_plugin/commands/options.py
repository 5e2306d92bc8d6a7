"""The command's options, what was typed of them, and what one that does not exist was likely meant to be."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import Any

from cleo.helpers import option
from poetry.console.commands.group_command import GroupCommand

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.keys import OPTIONS
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from cleo.exceptions import CleoNoSuchOptionError
    from cleo.io.inputs.option import Option


RUN_OPTIONS: Mapping[str, Sequence[Option]] = {
    "max-size": (
        option("explain", None, "Say why each package is there, and what could be saved."),
        option("diff", None, "Say what has grown since another bundle.", flag=False),
        option("report", None, "Write a page, FILE.html, to look at what is in the bundles.", flag=False),
    ),
    "bytecode": (option("format", None, "Report as text, json or markdown.", flag=False, default="text"),),
    "strict": (
        option("smoke-test", None, "Import the handler as on Lambda before a bundle takes its place."),
        option("env", None, "A variable for the smoke test, as NAME=VALUE.", flag=False, multiple=True),
        option("timeout", None, "Seconds that the smoke test's import may take.", flag=False),
        option("dry-run", None, "Plan everything, write no bundle, ask no network."),
        option("list", None, "Tell which bundles there are, with a fingerprint of each; make none."),
        option("watch", None, "Make bundles again whenever what they are made from changes."),
    ),
}
"""Options that are of a run and no keys of a bundle, by the one that they follow in `--help`."""


RIVALS_OF_LIST = tuple(
    option.name
    for options in RUN_OPTIONS.values()
    for option in options
    if option.name not in ("list", "format")
)
"""What means nothing where no bundle is made."""


RIVALS_OF_WATCH = ("list", "dry-run", "diff", "explain", "report")
"""What tells of one run, or makes nothing."""


class UnknownOptionError(LambdaBundleError):
    """An option that the command does not have."""

    def __init__(self, error: CleoNoSuchOptionError, options: Iterable[Option], command: str) -> None:
        # cleo keeps the option in its words alone, between quotes
        typed = re.search(r'"(-+[^"]*)"', str(error))
        self.option = typed[1] if typed else str(error)
        super().__init__(_advice(self.option, frozenset(option.name for option in options), command))


def bundle_options() -> Iterator[Option]:
    """Yield the options of `lambda-bundle` in the order of `--help`."""
    for name in OPTIONS:
        yield key_option(name)
        yield from RUN_OPTIONS.get(name, ())


def key_option(name: str) -> Option:
    """Return the option of a key; those of groups are Poetry's own."""
    poetrys = {option.name: option for option in GroupCommand._group_dependency_options()}
    key = OPTIONS[name]
    flag, multiple = key.type == "boolean", "list" in key.type
    return poetrys.get(name) or option(name, key.shortcut, key.help, flag=flag, multiple=multiple)


def typed_values(value_of: Callable[[str], Any], names: Collection[str] = OPTIONS) -> dict[str, Any]:
    """Return what was typed of some options, by key; `value_of` tells what one has."""
    given = {OPTIONS[name].name: value_of(name) for name in names}
    return {
        name: _without_commas(value) if KEYS[name].commas else False if KEYS[name].is_turned_off else value
        for name, value in given.items()
        if value not in (None, False, [])
    }


def _without_commas(values: Iterable[str]) -> list[str]:
    return [name for value in values for name in value.replace(",", " ").split()]


def _advice(option: str, options: frozenset[str], command: str) -> str:
    name = option.lstrip("-").lower().replace("_", "-")
    name = (name in KEYS and KEYS[name].option) or name
    keys = KEYS.keys() - {key.name for key in OPTIONS.values()}
    if name in keys:
        return f"{option} is a key of [{TABLE}], not an option: write `{name} = …` there, in pyproject.toml."
    if name in (BUNDLES, "bundle"):
        return f"There is no option {option}. Name bundles without one: `poetry {command} NAME`."
    meant = nearest(name, options | keys)
    if meant in keys:
        return f"There is no option {option}. Did you mean the key {meant} of [{TABLE}] in pyproject.toml?"
    if meant is not None:
        return f"There is no option {option}. Did you mean --{meant}?"
    return f"There is no option {option}. `poetry {command} --help` lists all."
