"""Whether the library that watches files is there, which only those have who asked for it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

from packaging.specifiers import SpecifierSet

from poetry_lambda_plugin.exceptions import LambdaBundleError


LIBRARY = "watchfiles"
VERSIONS = ">=1.0,<2"
"""As in the extra `watch` of pyproject.toml."""


class MissingWatcherError(LambdaBundleError):
    """No library that watches files, or one of another age."""

    def __init__(self, found: str | None) -> None:
        self.found = found
        lacking = f"Poetry's environment has {found}" if found else "is not in Poetry's environment"
        joint = ", and" if found else ", which"
        super().__init__(
            f"--watch needs {LIBRARY} ({VERSIONS}){joint} {lacking}. Add it with the first of these lines, "
            "or with the second one where Poetry was installed with pipx:",
            "  poetry self add 'poetry-lambda-plugin[watch]'",
            f"  pipx inject poetry '{LIBRARY}{VERSIONS}'",
        )


def check_watcher() -> None:
    """Raise MissingWatcherError where nothing could be watched."""
    try:
        found = version(LIBRARY)
    except PackageNotFoundError:
        raise MissingWatcherError(None) from None
    if not SpecifierSet(VERSIONS).contains(found, prereleases=True):
        raise MissingWatcherError(found)
