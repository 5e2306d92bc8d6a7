"""What an option that does not exist was likely meant to be."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.reading import OPTION_NAMES
from poetry_lambda_plugin.configuration.reading import READERS
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Iterable

    from cleo.exceptions import CleoNoSuchOptionError
    from cleo.io.inputs.option import Option


class UnknownOptionError(LambdaBundleError):
    """An option that the command does not have."""

    def __init__(self, error: CleoNoSuchOptionError, options: Iterable[Option]) -> None:
        # cleo keeps the option in its words alone, between quotes
        typed = re.search(r'"(-+[^"]*)"', str(error))
        self.option = typed[1] if typed else str(error)
        super().__init__(_advice(self.option, frozenset(option.name for option in options)))


def _advice(option: str, options: frozenset[str]) -> str:
    name = option.lstrip("-").lower().replace("_", "-")
    name = OPTION_NAMES.get(name, name)
    keys = READERS.keys() - OPTION_NAMES.keys() - options
    if name in keys:
        return f"{option} is a key of [{TABLE}], not an option: write `{name} = …` there, in pyproject.toml."
    if name in (BUNDLES, "bundle"):
        return f"There is no option {option}. Name bundles without one: `poetry lambda-bundle NAME`."
    meant = nearest(name, options | keys)
    if meant in keys:
        return f"There is no option {option}. Did you mean the key {meant} of [{TABLE}] in pyproject.toml?"
    if meant is not None:
        return f"There is no option {option}. Did you mean --{meant}?"
    return f"There is no option {option}. `poetry lambda-bundle --help` lists all."
