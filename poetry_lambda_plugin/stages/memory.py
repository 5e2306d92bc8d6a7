"""What a run leaves to the next one of its process: all that depends on nothing which has changed."""

from __future__ import annotations

import os

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Generic
from typing import NamedTuple
from typing import TypeVar

from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.sources.artifacts import KeptWheels
from poetry_lambda_plugin.sources.folder_state import stamps
from poetry_lambda_plugin.stages.packages import selector


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Hashable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.poetry_api.lock import Lock
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.folder_state import Stamp
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.packages import Selector
    from poetry_lambda_plugin.stages.written import Written


Known = TypeVar("Known")


class Recall(Generic[Known]):
    """One thing for each key, made again only when what it was made from is another."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[object, Known]] = {}

    def of(self, key: Hashable, state: object, make: Callable[[], Known]) -> Known:
        """Return what is known of a key, or make it; `state` is all that it is made from."""
        known = self._known.get(key)
        if known is None or known[0] != state:
            known = self._known[key] = (state, make())
        return known[1]

    def keep(self, is_of_use: Callable[[Any], bool]) -> None:
        """Forget all other keys."""
        self._known = {key: known for key, known in self._known.items() if is_of_use(key)}


class _InPlace(NamedTuple):
    """A bundle that took its place."""

    written: Written
    stamps: tuple[Stamp, ...]


@dataclass(slots=True)
class Memory:
    """What the runs of one process have in common; a single run begins with an empty one."""

    wheels: KeptWheels = field(default_factory=KeptWheels)
    notes: dict[Path, Any] = field(default_factory=dict)
    """What has been found out of wheels, as `WheelNotes` keeps it."""
    layouts: Recall[Any] = field(default_factory=Recall)
    drafts: Recall[Any] = field(default_factory=Recall)
    compiled: Recall[Any] = field(default_factory=Recall)
    sources: Sequence[ProjectSource] = ()
    """What the bundles have of folders: the project, and path dependencies that need no build."""
    _selector: tuple[Lock, Sequence[BundleConfig], Selector] | None = None
    _in_place: dict[Unit, _InPlace] = field(default_factory=dict)

    def selector(self, lock: Lock, plain: Sequence[BundleConfig]) -> Selector:
        """Return what selects from a lock, which remembers what it has selected."""
        known = self._selector
        if known is None or known[0] is not lock or known[1] != plain:
            known = self._selector = (lock, plain, selector(lock, plain))
        return known[2]

    def in_place(self, unit: Unit, compiled: object) -> Written | None:
        """Return a bundle that would be the same as the one that is in its place, untouched."""
        known = self._in_place.get(unit)
        if known is None or known.written.compiled is not compiled:
            return None
        return known.written if stamps([known.written.output]) == known.stamps else None

    def took_place(self, written: Written) -> None:
        """Take note of a bundle that is in its place now."""
        self._in_place[written.selected.unit] = _InPlace(written, stamps([written.output]))

    @property
    def own_files(self) -> Iterator[Path]:
        """Yield the files in folders that bundles are made from."""
        return (file for source in self.sources for _, file in (*source.files, *source.licences))

    @property
    def outputs(self) -> frozenset[str]:
        """The paths of all bundles and SBOMs that are in their places."""
        written = [known.written for known in self._in_place.values()]
        return frozenset(os.fspath(path) for one in written for path in (one.output, one.sbom) if path)

    def forget_others(self, units: Collection[Unit], choices: Collection[Choice]) -> None:
        """Keep what is known of some bundles and of what they are made of, and nothing else."""
        self._in_place = {unit: known for unit, known in self._in_place.items() if unit in units}
        self.wheels.forget_others(choices)
        self.layouts.keep(lambda key: key[0] in choices)
        self.drafts.keep(lambda unit: unit in units)
        self.compiled.keep(lambda unit: unit in units)


def state_of(part: Wheel | ProjectSource | None) -> object:
    """Return what changes with a part of a bundle; the files of a project are on disk."""
    if not isinstance(part, ProjectSource):
        return part
    return part, stamps(file for _, file in (*part.files, *part.licences))
