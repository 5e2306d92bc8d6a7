"""The report that a person reads, with the style tags of Poetry's own output."""

from __future__ import annotations

import re

from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import one_line
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import round_size
from poetry_lambda_plugin.wording import share
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import PackageReport
    from poetry_lambda_plugin.report.phases import Phase
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.trial.outcome import Isolation
    from poetry_lambda_plugin.trial.outcome import SmokeTest


CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line breaks, and those that turn the direction of writing around.

Names in archives may hold them.
"""

UNDER_WAY = "<fg=blue;options=bold>-</>"
DONE = "<fg=green;options=bold>-</>"
"""Bullets, in the colours of Poetry's."""

LARGEST = 3
"""Packages that the summary names; with fewer there is nothing to choose from."""


SLOWEST = 10
"""Modules that a smoke test names."""

ISOLATIONS: Mapping[Isolation, str] = {
    "namespaces": "isolated by namespaces",
    "landlock": "isolated by seccomp and Landlock",
    "audit-hook": "isolated by an audit hook, which C code and other programs pass",
}


def heading(project: str, version: str, bundle: str | None, target: Target) -> str:
    """Return the line before anything is done."""
    name = f" as <c2>{escaped(bundle)}</c2>" if bundle else ""
    return f"Bundling {_release(project, version)}{name} for <info>{escaped(str(target))}</info>"


def package_line(name: str, version: str) -> str:
    """Return the line of one distribution, as Poetry writes its own."""
    return f"  {DONE} Bundling {_release(name, version)}"


def build_line(name: str, version: str) -> str:
    """Return the line of a build that begins."""
    return f"  {UNDER_WAY} Building {_release(name, version)}"


def compilation_line(files: int, version: str, bullet: str = UNDER_WAY) -> str:
    """Return the line of a compilation."""
    return f"  {bullet} Compiling <c1>{counted(files, 'file')}</c1> with CPython <c2>{escaped(version)}</c2>"


def trial_line(handler: str, version: str, bullet: str = UNDER_WAY) -> str:
    """Return the line of a handler that is being imported."""
    return f"  {bullet} Trying <c1>{escaped(handler)}</c1> with CPython <c2>{escaped(version)}</c2>"


def phases_line(phases: Sequence[Phase]) -> str:
    """Return the line that says where the time went."""
    total = sum(phase.seconds for phase in phases)
    listing = ", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in phases)
    return f"Took {total:.2f} s: {listing}"


def summary(report: BundleReport) -> Iterator[str]:
    """Yield the lines at the end; only what is over a limit has a colour."""
    yield f"{escaped(str(report.output))} {_verb(report)}"
    if report.digest is not None:
        total, layers = report.digest.total, report.layers_unzipped or 0
        beside = f", and {size(layers)} in layers" if layers else ""
        if not report.is_folder:
            yield f"  Zipped      {_limited(total.zipped, total.zipped, MAX_ZIPPED_SIZE)}"
        limited = _limited(total.unzipped, total.unzipped + layers, report.unzipped_limit)
        yield f"  Unzipped    {limited}{beside}"
        yield f"  Files       {total.files:,}"
        yield from _largest(report)
        if report.bytecode is not None and report.bytecode.sizes is not None:
            zipped, unzipped, files = report.bytecode.sizes
            result = f"{counted(files, 'file')}, {report.bytecode.skipped:,} skipped"
            yield f"  Bytecode    {size(zipped)} zipped, {size(unzipped)} unzipped ({result})"
        if not report.is_folder:
            yield f"  CodeSha256  {report.digest.code_sha256}"
    if report.handler:
        yield f"  Handler     {escaped(report.handler)}"
    if report.smoke_test is not None:
        yield f"  Smoke test  {_tried(report.smoke_test)}"
    if report.sbom:
        yield f"  SBOM        {escaped(str(report.sbom))}"
    yield from _left_out(report)


def followed_line(clock: str, changed: Sequence[str], report: BundleReport | None, seconds: float) -> str:
    """Return the line of a change, and of the bundle that it concerns; None where none does."""
    more = len(changed) - 1
    what = f"{changed[0]}{f' and {more:,} more' if more > 0 else ''}" if changed else "files"
    start = f"{clock}  <c1>{escaped(what)}</c1>"
    if report is None or report.digest is None:
        return f"{start}: no bundle changes ({seconds:.2f} s)"
    total = report.digest.total
    taken = size(total.unzipped if report.is_folder else total.zipped)
    verb = "" if report.changed else ", unchanged"
    return f"{start} -> {escaped(str(report.output))} ({taken}{verb}, {seconds:.2f} s)"


def _tried(test: SmokeTest) -> str:
    if test.status != "passed":
        return {"unclear": "tried in part", "failed": "failed", "untried": "not tried"}[test.status]
    return (
        f"passed: imported in {test.seconds or 0:.2f} s by CPython {escaped(test.python or '')}, "
        f"{ISOLATIONS[test.isolation] if test.isolation else ''}"
    )


def slowest_modules(report: BundleReport) -> Iterator[str]:
    """Yield a table of the modules that took most of a smoke test's time, without what they imported."""
    test = report.smoke_test
    if test is None or test.status != "passed" or not test.modules:
        return
    yield ""
    rows = [("Slowest modules", "Itself", "In all", "Size", "")]
    for module in nsmallest(SLOWEST, test.modules, key=lambda m: (-m.own_seconds, m.name)):
        own, in_all = (f"{1000 * seconds:.1f} ms" for seconds in (module.own_seconds, module.seconds))
        rows.append((module.name, own, in_all, size(module.bytes) if module.bytes else "no file", ""))
    yield from _table(rows)


def trial_details(report: BundleReport) -> Iterator[str]:
    """Yield what `-v` adds of a smoke test: what the host refused, and what was written meanwhile."""
    test = report.smoke_test
    if test is None:
        return
    for name, reason in test.refused:
        yield f"  smoke test: no {escaped(name)}: {escaped(reason)}"
    for line in test.output:
        yield f"  smoke test: {escaped(line)}"


def _left_out(report: BundleReport) -> Iterator[str]:
    """Yield what is not in the bundle: files by reason, then packages."""
    reasons = Counter(left.reason for package in report.packages for left in package.left_out)
    if reasons:
        counts = [f"{counted(count, 'file')} ({reason})" for reason, count in sorted(reasons.items())]
        yield f"  Left out    {escaped(', '.join(counts))}"
    packages: dict[str, list[str]] = {}
    for left_out in report.left_out:
        packages.setdefault(left_out.reason, []).append(left_out.name)
    for reason, names in packages.items():
        yield f"  Left out    {escaped(', '.join(names))} ({escaped(reason)})"


def _verb(report: BundleReport) -> str:
    if report.status == "planned":
        return "would be unchanged" if report.changed is False else "would be written"
    return f"is {report.status}"


def _limited(count: int, counted_too: int, limit: int | None) -> str:
    """Write a size and its limit, which must be undercut."""
    if limit is None:
        return size(count)
    text = f"{size(count)} of {round_size(limit)}"
    return f"<warning>{text}</warning>" if counted_too >= limit else text


def _largest(report: BundleReport) -> Iterator[str]:
    """Yield the line of the packages that take most, unzipped."""
    packages = sorted(report.packages, key=by_unzipped)
    if len(packages) >= LARGEST:
        listing = ", ".join(f"{p.name} {size(p.sizes.unzipped)}" for p in packages[:LARGEST] if p.sizes)
        yield f"  Largest     {escaped(listing)}"


def explanation(report: BundleReport) -> Iterator[str]:
    """Yield tables of the packages, the largest files and the unused savings, and what may be superfluous."""
    if report.explanation is None or report.digest is None:
        return
    paths = report.explanation.paths
    yield ""
    yield from _package_table(report, "Why", lambda p: " → ".join(paths.get(p.name, ())) or "the project")
    yield ""
    rows = [("Largest files", "Zipped", "Unzipped", "", "")]
    rows += [(f.path, size(f.zipped), size(f.unzipped), "", "") for f in report.explanation.largest_files]
    yield from _table(rows)
    yield from _savings(report.explanation.savings)
    if report.explanation.unimported:
        names = escaped(", ".join(report.explanation.unimported))
        yield ""
        whoever = "that the handler reaches" if report.handler is not None else "else in the bundle"
        yield (
            f"  Nothing {whoever} imports {names}: is it needed? (Plugins and drivers may be loaded by name.)"
        )


def _savings(savings: Savings) -> Iterator[str]:
    singly = savings.singly
    if not singly:
        return
    yield ""
    rows = [("Not used yet", "Zipped", "Unzipped", "", "")]
    for saving in (*singly, savings.together) if len(singly) > 1 else singly:
        option = f"{saving.option} would save"
        rows.append((option, size(saving.zipped), size(saving.unzipped), "", saving.remark))
    yield from _table(rows)


def differences(report: BundleReport) -> Iterator[str]:
    """Yield what changed since another bundle, what grew most first."""
    if report.differences is None:
        return
    yield ""
    if not report.differences:
        yield "No package differs in version or size."
        return
    rows = [("Changed", "Zipped", "Unzipped", "", "")]
    for change in report.differences:
        versions = f"{change.old_version or 'new'} → {change.new_version or 'gone'}"
        if change.old_version == change.new_version:
            versions = str(change.new_version)
        rows.append((f"{change.name} {versions}", signed(change.zipped), signed(change.unzipped), "", ""))
    yield from _table(rows)


def by_unzipped(package: PackageReport) -> tuple[int, str]:
    """Return what sorts packages, the largest first."""
    return -(package.sizes.unzipped if package.sizes else 0), package.name


def signed(count: int) -> str:
    """Write by how many bytes something is larger or smaller."""
    return f"{'-' if count < 0 else '+'}{size(abs(count))}"


def _table(rows: Sequence[tuple[str, str, str, str, str]]) -> Iterator[str]:
    """Align columns: the first and the last to the left, the numbers to the right; the first row is bold."""
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for number, (first, *numbers, last) in enumerate(rows):
        cells = [
            first.ljust(widths[0]),
            *(n.rjust(w) for n, w in zip(numbers, widths[1:4], strict=True)),
            last,
        ]
        line = escaped("  " + "  ".join(cells).rstrip())
        yield f"<options=bold>{line}</>" if number == 0 else line


def details(report: BundleReport) -> Iterator[str]:
    """Yield what `-v` adds: a table of the packages, the largest first, loose files and what was left out."""
    yield ""
    yield from _package_table(report, "From", lambda package: package.file)
    for finding in report.findings:
        if finding.severity == "remark":
            yield f"  {escaped(finding.message)}"
    for path in report.loose_files:
        yield f"  taken from the project's root: {escaped(path)}"
    for package in report.packages:
        for left in package.left_out:
            yield f"  left out of {escaped(package.name)}: {escaped(left.path)} ({escaped(left.reason)})"


def _package_table(report: BundleReport, heading: str, last: Callable[[PackageReport], str]) -> Iterator[str]:
    """Yield a table of the packages, the largest first, with one more column."""
    total = report.digest.total.unzipped if report.digest else 0
    rows = [("Package", "Zipped", "Unzipped", "Share", heading)]
    for package in sorted(report.packages, key=by_unzipped):
        sizes, numbers = package.sizes, ("?", "?", "?")
        if sizes is not None:
            numbers = (size(sizes.zipped), size(sizes.unzipped), share(sizes.unzipped, total))
        rows.append((f"{package.name} {package.version}", *numbers, last(package)))
    yield from _table(rows)


def _release(name: str, version: str) -> str:
    return f"<c1>{escaped(name)}</c1> (<c2>{escaped(version)}</c2>)"


def escaped(text: str) -> str:
    """Keep style tags, control characters and line breaks of other people's names from the terminal.

    A backslash is written as the formatter takes it: before our own tag it would make text of it.
    """
    return CONTROL.sub("?", one_line(text)).replace("\\", "\0").replace("<", "\\<")
