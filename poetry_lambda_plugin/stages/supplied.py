"""What the bundles of a run are made of, read; and which of them lack something."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.selection.choice import LockedWheel


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Sequence

    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.layout.wheel import Wheel
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.sources.artifacts import Artifact
    from poetry_lambda_plugin.sources.artifacts import Supplier
    from poetry_lambda_plugin.stages.failures import Failures
    from poetry_lambda_plugin.stages.selected import Selected


@dataclass(frozen=True, slots=True)
class Supply:
    """Brings the parts of bundles; those whose parts can't be had fail."""

    supplier: Supplier
    read: Callable[[Choice, Artifact], Wheel | ProjectSource]
    failures: Failures

    def parts(self, bundles: Sequence[Selected]) -> dict[Choice, Wheel | ProjectSource]:
        """Make all parts ready, and what layers on disk are held against."""
        parts = self._all(bundles)
        return parts | self._held(_held(self.failures.left(bundles), parts))

    def at_hand(self, bundles: Sequence[Selected]) -> dict[Choice, Wheel | ProjectSource]:
        """Return what needs neither network nor build."""
        parts: dict[Choice, Wheel | ProjectSource] = {}
        for choice in _all_parts(bundles):
            needing = [bundle for bundle in bundles if choice in bundle.parts]
            self._take(choice, parts, needing)
        for choice in _held(bundles, parts):
            self._take(choice, parts, ())
        return parts

    def _all(self, bundles: Sequence[Selected]) -> dict[Choice, Wheel | ProjectSource]:
        """Make all parts ready, for as many bundles as they can be had for."""
        while True:
            left = self.failures.left(bundles)
            try:
                return {**self.supplier.supply(_all_parts(left), self.read)}
            except LambdaBundleError as error:
                lost = self.supplier.lost
                if not lost or not self.failures.takes(error):
                    raise
                self._note([bundle for bundle in left if not lost.isdisjoint(bundle.parts)], error)

    def _held(self, held: Sequence[Choice]) -> dict[Choice, Wheel | ProjectSource]:
        """Make ready what is not bundled: nothing is built for it, and nothing fails."""
        parts: dict[Choice, Wheel | ProjectSource] = {}
        for choice in held:
            if not isinstance(choice, LockedWheel):
                self._take(choice, parts, ())
        with suppress(LambdaBundleError):
            parts |= self.supplier.supply([c for c in held if isinstance(c, LockedWheel)], self.read)
        return parts

    def _take(
        self,
        choice: Choice,
        parts: dict[Choice, Wheel | ProjectSource],
        needing: Sequence[Selected],
    ) -> None:
        """Take what is at hand; where it is not as it should be, the bundles that need it fail."""
        try:
            if artifact := self.supplier.at_hand(choice):
                parts[choice] = self.read(choice, artifact)
        except LambdaBundleError as error:
            if needing and not self.failures.takes(error):
                raise
            self._note(needing, error)

    def _note(self, bundles: Iterable[Selected], error: LambdaBundleError) -> None:
        for bundle in bundles:
            self.failures.note_of(bundle, error)


def _all_parts(bundles: Iterable[Selected]) -> list[Choice]:
    """Return all that has to be made ready, each part once."""
    return list(dict.fromkeys(choice for bundle in bundles for choice in bundle.parts))


def _held(bundles: Iterable[Selected], parts: Collection[Choice]) -> list[Choice]:
    """Return what is not bundled by anyone, and layers are held against."""
    return list(dict.fromkeys(c for bundle in bundles for c in bundle.held if c not in parts))
