"""What a folder's files looked like, to know later whether they still do."""

from __future__ import annotations

import os

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.sources.code_folders import ARTIFACTS
from poetry_lambda_plugin.sources.files import is_environment


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

Stamp: TypeAlias = tuple[int, ...]


def folders_below(start: str, outputs: Collection[str] = ()) -> Iterator[str]:
    """Yield a folder and those below it; links are not followed, nor is what can't be read."""
    for folder, inside, _ in os.walk(start):
        yield folder
        inside[:] = [name for name in inside if not is_aside(os.path.join(folder, name), outputs)]  # noqa: PTH118


def is_aside(folder: str, outputs: Collection[str] = ()) -> bool:
    """Tell folders of environments, caches and tools, and those that bundles are unpacked to."""
    name = os.path.basename(folder)  # noqa: PTH119 - asked for each folder of a project
    if name.startswith(".") or name in ARTIFACTS or name.endswith(".egg-info"):
        return True
    return folder in outputs or is_environment(Path(folder))


def folder_state(start: Path) -> Mapping[str, Stamp]:
    """Return the stamps of a folder's files, by their paths."""
    found: dict[str, Stamp] = {}
    for folder in folders_below(os.fspath(start)):
        with suppress(OSError), os.scandir(folder) as entries:
            found.update((entry.path, stamp(entry.path)) for entry in entries if not entry.is_dir())
    return found


def stamp(path: str | Path) -> Stamp:
    """Return what changes when a file is written to, or replaced; nothing where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for each file of a project
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns


def stamps(files: Iterable[Path]) -> tuple[Stamp, ...]:
    """Return what changes when any of some files is written to, or replaced."""
    return tuple(map(stamp, files))
