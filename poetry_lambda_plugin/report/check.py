"""Where a project can run, as a table for a person and as a document for a program."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from poetry_lambda_plugin.report.json import SCHEMA_VERSION
from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.selection.coverage import Move
    from poetry_lambda_plugin.selection.coverage import PackageCoverage
    from poetry_lambda_plugin.selection.coverage import TargetCoverage
    from poetry_lambda_plugin.stages.checked import BundleCheck


STYLES = {"ok": "fg=green", "sdist": "fg=yellow", "nothing": "fg=red"}
"""Colours of what the lock has, by status or state."""

WORDS = {"sdist": "sdist only", "nothing": "nothing"}
"""What the lock has of a package that lacks a wheel."""


MIN_RUN = 3
"""Runtimes in a row that are named by the first and the last."""


class Cell(NamedTuple):
    """A cell of a table."""

    text: str
    style: str = ""


def check_lines(checks: Sequence[BundleCheck]) -> Iterator[str]:
    """Yield the tables; bundles that are alike in all that is told have one together."""
    alike: dict[tuple[str, ...], list[BundleCheck]] = {}
    for check in checks:
        alike.setdefault((_targets(check.asked), *_lines(check)), []).append(check)
    for number, ((targets, *lines), together) in enumerate(alike.items()):
        if number:
            yield ""
        first = together[0]
        names = [f"<c2>{escaped(check.bundle)}</c2>" for check in together if check.bundle]
        bundles = f" as {joined(names)}" if names else ""
        project = f"<c1>{escaped(first.project)}</c1> (<c2>{escaped(first.version)}</c2>)"
        yield f"Checking {project}{bundles} for <info>{targets}</info>"
        yield from lines


def _lines(check: BundleCheck) -> Iterator[str]:
    allowed = [target for target in check.targets if target.packages is not None]
    if allowed:
        yield ""
        yield from _table(list(_target_rows(allowed)))
    if any(target.lacking for target in allowed):
        yield ""
        yield from _table(list(_package_rows(allowed)))
    yield from _remarks(check, allowed)


def _target_rows(allowed: Sequence[TargetCoverage]) -> Iterator[Sequence[Cell]]:
    """Yield a row for each runtime, with a column for each architecture."""
    architectures = list(dict.fromkeys(coverage.target.architecture for coverage in allowed))
    by_target = {(c.target.runtime, c.target.architecture): c for c in allowed}
    yield [Cell("Runtime"), *map(Cell, architectures)]
    for runtime in _runtimes([coverage.target for coverage in allowed]):
        found = [by_target.get((runtime, architecture)) for architecture in architectures]
        preview = " (preview)" if runtime.preview else ""
        yield [Cell(runtime.name + preview), *(_target_cell(c) if c else Cell("-") for c in found)]


def _target_cell(coverage: TargetCoverage) -> Cell:
    states = [package.state for package in coverage.lacking]
    counts = [f"{states.count(state)} {words}" for state, words in WORDS.items() if state in states]
    glibc = f" (glibc {_version(coverage.glibc)})" if coverage.glibc else ""
    return Cell(", ".join(counts) or f"ok{glibc}", STYLES[coverage.status])


def _package_rows(allowed: Sequence[TargetCoverage]) -> Iterator[Sequence[Cell]]:
    """Yield a row for each thing that a package lacks, with the targets where it does."""
    yield [Cell("Package"), Cell("Where"), Cell("What the lock has")]
    found: dict[str, dict[tuple[str, str | None], list[Target]]] = {}
    for coverage in allowed:
        for package in coverage.lacking:
            of_package = found.setdefault(str(package), {})
            of_package.setdefault((package.state, package.reason), []).append(coverage.target)
    for name, lacks in sorted(found.items()):
        told = name
        for (state, reason), targets in lacks.items():
            for place in _places(targets, [coverage.target for coverage in allowed]):
                yield [Cell(told), Cell(place), Cell(f"{WORDS[state]}: {reason}", STYLES[state])]
                told = ""


def _places(targets: Sequence[Target], told: Sequence[Target]) -> Sequence[str]:
    """Name some of the targets that are told of, each place where they are as briefly as can be."""
    if len(targets) == len(told) > 1:
        return ["everywhere"]
    everywhere = _runtimes(told)
    runtimes = {
        t.architecture: [o.runtime for o in targets if o.architecture == t.architecture] for t in told
    }
    if len({*map(tuple, runtimes.values())}) == 1:
        return [_span(_runtimes(targets), everywhere)]
    return [
        architecture if len(of) == len(everywhere) > 1 else f"{_span(of, everywhere)} on {architecture}"
        for architecture, of in runtimes.items()
        if of
    ]


def _span(runtimes: Sequence[Runtime], everywhere: Sequence[Runtime]) -> str:
    """Name runtimes, three or more that follow each other by their ends."""
    runs: list[list[Runtime]] = []
    for runtime in runtimes:
        if runs and everywhere.index(runtime) == everywhere.index(runs[-1][-1]) + 1:
            runs[-1].append(runtime)
        else:
            runs.append([runtime])
    return joined([name for run in runs for name in _names(run)])


def _names(run: Sequence[Runtime]) -> Sequence[str]:
    return [r.name for r in run] if len(run) < MIN_RUN else [f"{run[0].name} to {run[-1].name}"]


def _remarks(check: BundleCheck, allowed: Sequence[TargetCoverage]) -> Iterator[str]:
    """Yield what there is to say beside the tables."""
    remarks = [
        *_ruled_out(check),
        *_built(allowed),
        *(f"To move to {move.to}: {_steps(move)}." for move in check.moves),
    ]
    if remarks:
        yield ""
    for remark in remarks:
        yield f"  {escaped(remark)}"


def _ruled_out(check: BundleCheck) -> Iterator[str]:
    targets = [coverage.target for coverage in check.targets if coverage.packages is None]
    if targets:
        names = _span(_runtimes(targets), _runtimes([coverage.target for coverage in check.targets]))
        yield f"Ruled out by the project, whose Python constraint is {check.python_versions!r}: {names}."


def _built(allowed: Sequence[TargetCoverage]) -> Iterator[str]:
    built = [str(package) for coverage in allowed for package in _in_state(coverage, "build")]
    if built:
        names = joined(sorted(dict.fromkeys(built)))
        yield f"Built where they are bundled, having no wheels for single platforms: {names}."


def _steps(move: Move) -> str:
    steps = [] if move.is_allowed else ["let requires-python allow it", "lock again"]
    steps += [f"update {joined([str(package) for package in move.update])}"] if move.update else []
    return joined(steps) if steps else "nothing has to be updated"


def _targets(targets: Sequence[Target]) -> str:
    return joined([str(target) for target in targets])


def _runtimes(targets: Sequence[Target]) -> list[Runtime]:
    return list(dict.fromkeys(target.runtime for target in targets))


def _in_state(coverage: TargetCoverage, state: str) -> Sequence[PackageCoverage]:
    return [package for package in coverage.packages or () if package.state == state]


def _version(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _table(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Align columns to the left; the first row is bold."""
    widths = [max(len(cell.text) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        # no blanks at the end of a line
        *first, last = zip(row, widths, strict=True)
        cells = [_styled(cell) + " " * (width - len(cell.text)) for cell, width in first]
        line = "  " + "  ".join([*cells, _styled(last[0])])
        yield line if number else f"<options=bold>{line}</>"


def _styled(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"<{cell.style}>{text}</>" if cell.style else text


def check_document(checks: Sequence[BundleCheck], error: str | None) -> str:
    """Return all checks, and the error that ended the run, as one JSON document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "error": error,
        "bundles": [_bundle(check) for check in checks],
    }
    return json.dumps(document, indent=2)


def _bundle(check: BundleCheck) -> dict[str, Any]:
    return {
        "bundle": check.bundle,
        "project": {"name": check.project, "version": check.version},
        "python_versions": check.python_versions,
        "targets": [_target(coverage, check.asked) for coverage in check.targets],
        "moves": [
            {
                "to": move.to,
                "allowed": move.is_allowed,
                "update": [{"name": package.name, "version": package.version} for package in move.update],
            }
            for move in check.moves
        ],
    }


def _target(coverage: TargetCoverage, asked: Sequence[Target]) -> dict[str, Any]:
    return {
        "runtime": coverage.target.runtime.name,
        "architecture": coverage.target.architecture,
        "asked": coverage.target in asked,
        "status": coverage.status,
        "glibc": _version(coverage.glibc) if coverage.glibc else None,
        "selected": None if coverage.packages is None else len(coverage.packages),
        "packages": [
            {
                "name": package.name,
                "version": package.version,
                "state": package.state,
                "reason": package.reason,
            }
            for package in coverage.packages or ()
            if package.state != "wheel"
        ],
    }
