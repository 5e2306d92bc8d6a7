"""Names that are two on Lambda and one on other systems."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from unicodedata import normalize

from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.layout.plan import BundlePlan


def colliding_names(plan: BundlePlan) -> Iterator[Finding]:
    """Yield a warning for files that are one where neither case nor a letter's encoding tells them apart."""
    paths = [entry.path.removeprefix(plan.prefix) for entry in plan.entries]
    folded = list(map(_folded, paths))
    if len(set(folded)) == len(paths):
        return
    places: dict[str, list[str]] = defaultdict(list)
    for path, key in zip(paths, folded, strict=True):
        places[key].append(path)
    for names in places.values():
        if len(names) > 1:
            yield Finding(
                "names-collide",
                f"{joined(list(map(_shown, names)))} differ only in case or in how a letter is encoded: "
                "Lambda tells them apart, but where macOS or Windows unpacks the bundle, only one is left. "
                "Rename one, or leave it out with --exclude.",
                names[0],
            )


def _folded(path: str) -> str:
    """Return what such systems take a path for."""
    return path.lower() if path.isascii() else normalize("NFC", normalize("NFC", path).casefold())


def _shown(path: str) -> str:
    """Write a path so that letters which look the same don't."""
    return repr(path) if path.isascii() else f"{path!r} ({path!a})"
