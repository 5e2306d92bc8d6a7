"""The bundles of a run that can't be made, while the others are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeVar

from poetry_lambda_plugin.configuration.layering import LayerFailedError
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.lock import LockError


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.configuration.layering import Order
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.stages.selected import Selected


Staged = TypeVar("Staged")
Result = TypeVar("Result")

OF_THE_RUN = (LockError,)
"""What is wrong with no bundle, but with what all of them are made from."""


class Unit(NamedTuple):
    """One ZIP of a run."""

    bundle: str | None
    """Name of its table; None without one."""
    architecture: Architecture | None
    """None where its table can't even be read."""


class Failure(NamedTuple):
    """A bundle that can't be made, with what is known of it."""

    unit: Unit
    error: LambdaBundleError
    target: Target | None = None
    output: Path | None = None
    handler: str | None = None


class Failures:
    """Takes note of each bundle that fails, unless it is the only one: then its error is the run's."""

    def __init__(self, order: Sequence[Unit], *, alone: bool) -> None:
        self.order = order
        """All ZIPs of the run, as they are made."""
        self._alone = alone
        self._found: dict[Unit, Failure] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def __contains__(self, unit: Unit) -> bool:
        return unit in self._found

    @property
    def found(self) -> tuple[Failure, ...]:
        """All of them, the first to fail first."""
        return tuple(self._found.values())

    def takes(self, error: LambdaBundleError) -> bool:
        """Tell whether an error is that of one bundle of several, rather than of the run."""
        return not self._alone and not isinstance(error, OF_THE_RUN)

    def note(self, failure: Failure) -> None:
        """Take note of a bundle that fails; the first failure of each counts."""
        self._found.setdefault(failure.unit, failure)

    def note_of(self, selected: Selected, error: LambdaBundleError) -> None:
        """Take note of a bundle that fails after it was selected."""
        self.note(Failure(selected.unit, error, selected.target, selected.output, selected.config.handler))

    @contextmanager
    def kept(self, config: BundleConfig, architecture: Architecture) -> Iterator[None]:
        """Let an error in the block be that of a bundle which is being selected."""
        try:
            yield
        except LambdaBundleError as error:
            if not self.takes(error):
                raise
            self.note(Failure(Unit(config.bundle, architecture), error, handler=config.handler))

    def each(
        self,
        staged: Iterable[Staged],
        stage: Callable[[Staged], Result],
        of: Callable[[Staged], Selected],
    ) -> list[Result]:
        """Take bundles one stage on, each for itself; layers come before the functions that need them.

        Those that have failed by now, and those whose layer has, are left out.
        """
        done: list[Result] = []
        for one in staged:
            selected = of(one)
            if selected.unit in self:
                continue
            try:
                self.check_layers(selected)
                done.append(stage(one))
            except LambdaBundleError as error:
                if not self.takes(error):
                    raise
                self.note_of(selected, error)
        return done

    def check_layers(self, selected: Selected) -> None:
        """Raise LayerFailedError for a bundle that lacks one of its layers by now."""
        for name in selected.config.layer_bundles:
            if Unit(name, selected.target.architecture) in self:
                raise LayerFailedError(name)

    def left(self, bundles: Sequence[Selected]) -> list[Selected]:
        """Return the bundles that have not failed."""
        return [bundle for bundle in bundles if bundle.unit not in self]


def failures_of(order: Order, *, alone: bool | None = None) -> Failures:
    """Begin with the bundles whose tables can't be read; None lets the only bundle be `alone`."""
    units = [
        Unit(one.config.bundle, architecture) for one in order.wanted for architecture in one.architectures
    ]
    is_only = len(units) + len(order.broken) == 1
    failures = Failures(units, alone=is_only if alone is None else alone)
    for name, error in order.broken.items():
        failures.note(Failure(Unit(name, None), error))
    return failures
