"""The list of bundles, for a person and for a program."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.configuration.placeholders import readable
from poetry_lambda_plugin.report.json import SCHEMA_VERSION
from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.stages.listed import name_of


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.stages.listed import Listed


SHOWN = 16
"""Digits of a fingerprint that a person gets to see."""


def list_document(bundles: Sequence[Listed], error: str | None) -> str:
    """Return all bundles, and the error that ended the run, as one line of JSON: a step's output in CI."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "error": error,
            "bundles": [_bundle(bundle) for bundle in bundles],
        },
        separators=(",", ":"),
    )


def _bundle(bundle: Listed) -> dict[str, Any]:
    return {
        "bundle": bundle.config.bundle,
        "project": bundle.project,
        "version": bundle.version,
        "runtime": bundle.runtime,
        "runtime_chosen_by": bundle.runtime_chosen_by,
        "architecture": bundle.architecture,
        "handler": bundle.config.handler,
        "layer": bundle.config.layer,
        "output": _shown(readable(bundle.output), bundle.root) if bundle.output else None,
        "layers": [_layer(layer, bundle.root) for layer in bundle.config.exclude_layers],
        "fingerprint": bundle.fingerprint,
        "unknown": bundle.unknown,
        "error": bundle.error,
    }


def list_lines(bundles: Sequence[Listed]) -> Iterator[str]:
    """Yield a table of the bundles, and below it why something has no fingerprint."""
    rows: list[tuple[str, ...]] = [("Bundle", "Runtime", "Architecture", "Output", "Layers", "Fingerprint")]
    rows += [_row(bundle) for bundle in bundles]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = escaped("  ".join(cells).rstrip())
        yield f"<options=bold>{line}</>" if number == 0 else line
    for reason in dict.fromkeys(
        f"{name_of(b)} has no fingerprint: {b.unknown}" for b in bundles if b.unknown
    ):
        yield f"<comment>Note: {escaped(reason)}</comment>"


def _row(bundle: Listed) -> tuple[str, ...]:
    state = "can't be made" if bundle.error else "unknown"
    return (
        name_of(bundle),
        bundle.runtime or "-",
        bundle.architecture or "-",
        _shown(readable(bundle.output), bundle.root) if bundle.output else "-",
        ", ".join(_layer(layer, bundle.root) for layer in bundle.config.exclude_layers) or "-",
        bundle.fingerprint[:SHOWN] if bundle.fingerprint else state,
    )


def _layer(layer: Path | str, root: Path) -> str:
    return layer if isinstance(layer, str) else _shown(layer, root)


def _shown(path: Path, root: Path) -> str:
    """Write a path relative to the project, as far as it lies there, so that other hosts understand it."""
    return path.relative_to(root).as_posix() if root in path.parents else str(path)
