"""How handlers are to be tried, as it is typed."""

from __future__ import annotations

import math
import re

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.configuration.readers import ConfigError


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence


DEFAULT_LIMIT = 30.0
"""Seconds that a handler's import may take."""

MAX_LIMIT = 900
"""Seconds that Lambda gives any function (AWS page "Lambda quotas")."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

PLACES = frozenset(("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "_HANDLER", "PWD"))
"""Variables that depend on where the bundle lies, and that nobody can set on Lambda."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialWishes:
    """How handlers are to be tried."""

    environment: Mapping[str, str]
    """Variables of the function."""
    limit: float = DEFAULT_LIMIT
    """Seconds that an import may take."""


def trial_wishes(
    variables: Sequence[str], timeout: str | None, *, wanted: bool, dry_run: bool
) -> TrialWishes | None:
    """Read `--env` and `--timeout`; None where no handler is to be tried. Raises ConfigError."""
    if not wanted:
        if variables or timeout is not None:
            raise ConfigError(f"{'--env' if variables else '--timeout'} is for --smoke-test: add that too.")
        return None
    if dry_run:
        raise ConfigError(
            "--smoke-test tries what has been written, and --dry-run writes nothing. Drop one of the two."
        )
    environment = dict(map(_variable, variables))
    return TrialWishes(environment=environment, limit=DEFAULT_LIMIT if timeout is None else _limit(timeout))


def _variable(text: str) -> tuple[str, str]:
    # what is no name may be a secret, and is not repeated
    name, equals, value = text.partition("=")
    if not equals or not NAME.fullmatch(name) or "\0" in value:
        raise ConfigError("--env takes NAME=VALUE, with a name of letters, digits and underscores.")
    if name in PLACES:
        raise ConfigError(f"--env can't set {name}, which Lambda sets itself and no function can change.")
    return name, value


def _limit(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_LIMIT:
        raise ConfigError(f"--timeout takes seconds, more than 0 and at most {MAX_LIMIT}, not {text!r}.")
    return seconds
