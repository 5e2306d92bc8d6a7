"""A bundle whose bytes exist, or whose digest is known as if they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.archive.writer import Timestamp
from poetry_lambda_plugin.archive.writer import write_archive
from poetry_lambda_plugin.configuration.placeholders import settled


if TYPE_CHECKING:
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import ArchiveDigest
    from poetry_lambda_plugin.archive.writer import Sink
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.stages.compiled import Compiled
    from poetry_lambda_plugin.stages.selected import Selected


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A bundle and what its bytes are."""

    compiled: Compiled
    digest: ArchiveDigest

    @property
    def selected(self) -> Selected:
        """What was decided before it was planned."""
        return self.compiled.planned.selected

    @property
    def output(self) -> Path:
        """Where it goes."""
        return settled(self.selected.output, self.digest.sha256.hex())

    @property
    def sbom(self) -> Path | None:
        """Where its SBOM goes; None without one."""
        path = self.selected.sbom
        return settled(path, self.digest.sha256.hex()) if path is not None else None

    @property
    def plan(self) -> BundlePlan:
        """All that it holds."""
        return self.compiled.plan


def written(compiled: Compiled, sink: Sink, source_date_epoch: int | None) -> Written:
    """Write a bundle, every file with the time that is asked for, in seconds since 1970; None for 1980."""
    epoch = EARLIEST if source_date_epoch is None else source_date_epoch
    digest = write_archive(compiled.plan.entries, sink, Timestamp.from_epoch(epoch))
    return Written(compiled=compiled, digest=digest)
