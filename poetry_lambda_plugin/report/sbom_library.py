"""Whether the library that writes SBOMs is there, which only those have who asked for it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

from packaging.specifiers import SpecifierSet

from poetry_lambda_plugin.exceptions import LambdaBundleError


LIBRARY = "cyclonedx-python-lib"
VERSIONS = ">=10,<12"
"""Those that give the same bytes, as in the extra `sbom` of pyproject.toml."""


class MissingLibraryError(LambdaBundleError):
    """No library for SBOMs, or one of another age."""

    def __init__(self, found: str | None) -> None:
        self.found = found
        lacking = f"Poetry's environment has {found}" if found else "is not in Poetry's environment"
        joint = ", and" if found else ", which"
        super().__init__(
            f"An SBOM is written with {LIBRARY} ({VERSIONS}){joint} {lacking}. Add it with the first of "
            "these lines, or with the second one where Poetry was installed with pipx:",
            "  poetry self add 'poetry-lambda-plugin[sbom]'",
            f"  pipx inject poetry '{LIBRARY}{VERSIONS}'",
        )


def check_library() -> None:
    """Raise MissingLibraryError where no SBOM could be written."""
    try:
        found = version(LIBRARY)
    except PackageNotFoundError:
        raise MissingLibraryError(None) from None
    if not SpecifierSet(VERSIONS).contains(found, prereleases=True):
        raise MissingLibraryError(found)
