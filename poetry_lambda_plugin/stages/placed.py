"""A bundle whose files are complete, and wait beside their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import TypeAlias

from poetry_lambda_plugin.archive.output import OutputFile
from poetry_lambda_plugin.archive.output import is_nowhere
from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import moment_of
from poetry_lambda_plugin.configuration.placeholders import is_settled
from poetry_lambda_plugin.configuration.placeholders import readable
from poetry_lambda_plugin.configuration.placeholders import settled_folder
from poetry_lambda_plugin.stages.outputs import check_output
from poetry_lambda_plugin.stages.outputs import check_sbom
from poetry_lambda_plugin.stages.outputs import record_place
from poetry_lambda_plugin.stages.written import written
from poetry_lambda_plugin.stages.written import written_like


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping
    from contextlib import ExitStack
    from pathlib import Path

    from poetry_lambda_plugin.archive.output import Kind
    from poetry_lambda_plugin.archive.output_folder import OutputFolder
    from poetry_lambda_plugin.archive.unpacked import Comparison
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.written import Written


class Nowhere:
    """Takes what is written for its digest alone, or is to be thrown away."""

    differs, is_in_place = True, False

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def finish(self) -> None:
        """Have nothing to end."""

    def settle(self, path: Path) -> None:
        """Have no name."""

    def commit(self) -> None:
        """Have no place to take."""


Waiting: TypeAlias = "OutputFile | OutputFolder | Nowhere"
"""What can take its place."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A bundle and what waits for its places."""

    bundle: Written
    output: Waiting
    sbom: Waiting | None

    @property
    def files(self) -> list[Waiting]:
        """What takes its place, in order: a bundle that is there has its SBOM."""
        return [self.output] if self.sbom is None else [self.sbom, self.output]


@dataclass(frozen=True, slots=True)
class Placing:
    """What the bundles of a run are placed with."""

    epoch: int | None
    """Seconds since 1970 for every file's time; None for 1980-01-01."""
    records: Path
    """Where the records of folders are kept."""
    describe: Callable[[Written], bytes]
    """Gives a bundle's SBOM."""
    done: dict[Unit, Placed]
    """The bundles before it."""

    @property
    def made(self) -> Mapping[Unit, Written]:
        """What those bundles hold."""
        return {unit: placed.bundle for unit, placed in self.done.items()}


def placed(placing: Placing, bundle: Compiled, outputs: ExitStack) -> Placed:
    """Write a bundle and its SBOM beside their places, from where `outputs` removes what is not to stay.

    Raises LambdaBundleError.
    """
    if bundle.selected.config.unpacked is None:
        finished, output = _zipped(placing, bundle, outputs)
    else:
        finished, output = _unpacked(placing, bundle, outputs)
    return Placed(finished, output, _described(finished, outputs, placing.describe))


def compared_with(bundle: Written, epoch: int | None, records: Path) -> Comparison:
    """Hold the folder of a bundle against it; raises ForeignFilesError and SourceFolderError."""
    from poetry_lambda_plugin.archive.unpacked import compared
    from poetry_lambda_plugin.archive.unpacked import read_record

    note = record_place(records, bundle.output)
    return compared(bundle.output, bundle.plan.entries, _moment(epoch), read_record(note))


def _zipped(placing: Placing, bundle: Compiled, outputs: ExitStack) -> tuple[Written, Waiting]:
    selected = bundle.selected
    file = _opened(selected.output, "output", outputs)
    twin = _twin(bundle, placing.done.values())
    if twin is None:
        finished = written(bundle, file, placing.epoch, placing.made)
    else:
        finished = written_like(twin[0], bundle, twin[1].chunks(), file, placing.made)
    file.finish()
    if not is_settled(selected.output):
        check_output(finished.output, selected.own_files)
        file.settle(finished.output)
    return finished, file


def _twin(bundle: Compiled, done: Iterable[Placed]) -> tuple[Written, OutputFile] | None:
    """Return a bundle of the same files, as functions are that differ in their handlers alone."""
    alike = (one for one in done if one.bundle.plan.entries == bundle.plan.entries)
    return next(((o.bundle, o.output) for o in alike if isinstance(o.output, OutputFile)), None)


def _unpacked(placing: Placing, bundle: Compiled, outputs: ExitStack) -> tuple[Written, Waiting]:
    # not needed for ZIPs, and not small
    from poetry_lambda_plugin.archive.output_folder import OutputFolder

    # its sizes, and the digest that an SBOM may be named by, are those of the ZIP
    finished = written(bundle, Nowhere(bundle.selected.output), placing.epoch, placing.made)
    note = record_place(placing.records, finished.output)
    folder = OutputFolder(finished.output, note, bundle.plan.entries, _moment(placing.epoch))
    return finished, outputs.enter_context(folder)


def _moment(epoch: int | None) -> int:
    return moment_of(EARLIEST if epoch is None else epoch)


def _described(finished: Written, outputs: ExitStack, describe: Callable[[Written], bytes]) -> Waiting | None:
    selected = finished.selected
    if selected.sbom is None or finished.sbom is None:
        return None
    sbom = _opened(selected.sbom, "sbom", outputs)
    sbom.write(describe(finished))
    sbom.finish()
    if not is_settled(selected.sbom):
        check_sbom(finished.sbom, selected.own_files)
        sbom.settle(finished.sbom)
    return sbom


def _opened(path: Path, kind: Kind, outputs: ExitStack) -> OutputFile | Nowhere:
    if is_nowhere(path):
        return Nowhere(path)
    folder = None if is_settled(path) else settled_folder(path)
    return outputs.enter_context(OutputFile(readable(path), kind, folder=folder))
