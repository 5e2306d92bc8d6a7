"""Whose files a bundle's own RECORDs say that they are: for reports, never for trust."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.layout.distribution import release_of


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator


SITE = re.compile(r"|python|python/lib/python3\.\d+/site-packages")
"""Folders of a bundle that Python looks for distributions in."""

BYTECODE = re.compile(r"__pycache__/([^/.]+)\.[^/]+\.pyc$")
"""End of the path of what was compiled for the import system (PEP 3147)."""


class Listing(NamedTuple):
    """What a RECORD lists."""

    name: str
    version: str
    paths: tuple[str, ...]


def listings(names: Collection[str], rows_of: Callable[[str], Iterable[list[str]]]) -> Iterator[Listing]:
    """Yield what each RECORD among some files lists of them; `rows_of` reads one."""
    sources = {source_path(name) for name in names}
    for name in names:
        folder, _, base = name.rpartition("/")
        site, _, info = folder.rpartition("/")
        release = release_of(info)
        # elsewhere there is what setuptools brings along for itself, and its like
        if base != "RECORD" or release is None or not SITE.fullmatch(site):
            continue
        listed = (f"{site}/{row[0]}" if site else row[0] for row in rows_of(name) if row)
        # of a RECORD that lists more than there is, only what there is is kept
        paths = dict.fromkeys(listed_path for listed_path in listed if listed_path in sources)
        yield Listing(release.name, release.version, tuple(paths))


def source_path(path: str) -> str:
    """Return the module that bytecode belongs to, since no RECORD lists what was compiled for a bundle."""
    return BYTECODE.sub(r"\1.py", path)
