"""Libraries that come with an extra of this plugin, which only those have who asked for it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from poetry_lambda_plugin.exceptions import LambdaBundleError


class Extra(NamedTuple):
    """A library, as pyproject.toml has it under the extra's name."""

    name: str
    library: str
    versions: str
    need: str
    """How a sentence begins that ends with the library."""


SBOM = Extra("sbom", "cyclonedx-python-lib", ">=10,<12", "An SBOM is written with")
"""These versions give the same bytes."""

WATCH = Extra("watch", "watchfiles", ">=1.0,<2", "--watch needs")


class MissingExtraError(LambdaBundleError):
    """A library that is not there, or is of another age."""

    def __init__(self, extra: Extra, found: str | None) -> None:
        self.extra = extra
        self.found = found
        lacking = f"Poetry's environment has {found}" if found else "is not in Poetry's environment"
        joint = ", and" if found else ", which"
        super().__init__(
            f"{extra.need} {extra.library} ({extra.versions}){joint} {lacking}. Add it with the first of "
            "these lines, or with the second one where Poetry was installed with pipx:",
            f"  poetry self add 'poetry-lambda-plugin[{extra.name}]'",
            f"  pipx inject poetry '{extra.library}{extra.versions}'",
        )


def check_extra(extra: Extra) -> None:
    """Raise MissingExtraError where a library can't be had."""
    try:
        found = version(extra.library)
    except PackageNotFoundError:
        raise MissingExtraError(extra, None) from None
    if not SpecifierSet(extra.versions).contains(found, prereleases=True):
        raise MissingExtraError(extra, found)
