"""Where a distribution came from, as its package URL says (purl-spec, types "pypi" and its qualifiers)."""

from __future__ import annotations

import os
import re

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.selection.locked import LockedPackage


SCP_ADDRESS = re.compile(r"(?P<user>[\w.+-]+@)?(?P<host>[\w.-]{2,}):(?P<path>(?!//).+)")
"""An address of SSH as git takes it; one letter before the colon is a drive."""


def origin_of(package: LockedPackage) -> str:
    """Return the kind of place that a package comes from: `index`, or Poetry's word for others."""
    return "index" if package.is_from_index else package.source_type


def qualifiers(package: LockedPackage, root: Path) -> dict[str, str]:
    """Return the qualifiers that tell a package from the one of its name on the default index.

    Paths are relative to the project's `root`, and no address has a user, a password or a query, which may
    hold a token.
    """
    return dict(_qualifiers(package, root))


def _qualifiers(package: LockedPackage, root: Path) -> Iterator[tuple[str, str]]:
    url = package.source_url or ""
    if package.source_type == "git":
        below = f"#{package.source_subdirectory}" if package.source_subdirectory else ""
        yield "vcs_url", f"git+{_git_address(url)}@{package.revision}{below}"
    elif package.source_type in ("file", "directory"):
        yield "download_url", f"file:{_relative(Path(url), root)}"
    elif package.source_type == "url":
        yield "download_url", public_address(url)
    elif url:
        yield "repository_url", public_address(url)


def public_address(url: str) -> str:
    """Return an address without what may be a credential."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    # with SSH the user is part of the place, as in git@
    kept = f"{user}{at}" if parts.scheme.endswith("ssh") and ":" not in user else ""
    # Poetry writes file://None/… for a repository on this host
    place = kept + host if parts.scheme != "file" else ""
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def _git_address(url: str) -> str:
    scp = SCP_ADDRESS.fullmatch(url)
    if scp is not None:
        return f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path'].lstrip('/')}"
    return public_address(url) if "://" in url else f"file:{quote(Path(url).as_posix(), safe='/:')}"


def _relative(path: Path, root: Path) -> str:
    try:
        # os.path, since pathlib has no relative path upwards before Python 3.12
        path = Path(os.path.relpath(path, root))
    except ValueError:
        # on another drive
        path = Path(path.name)
    return quote(path.as_posix())
