"""The report that a person reads, with the style tags of Poetry's own output."""

from __future__ import annotations

import re

from collections import Counter
from typing import TYPE_CHECKING

from poetry_lambda_plugin.target.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.target.runtimes import MAX_ZIPPED_SIZE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import PackageReport
    from poetry_lambda_plugin.report.savings import Savings
    from poetry_lambda_plugin.target.platform import Target


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but tab and new line: names in archives may hold them."""

MEGABYTE = 1 << 20
"""As AWS counts it (AWS page "Lambda quotas")."""


def heading(project: str, version: str, bundle: str | None, target: Target) -> str:
    """Return the line before anything is done."""
    name = f" as <c2>{bundle}</c2>" if bundle else ""
    return f"Bundling <c1>{project}</c1> (<c2>{version}</c2>){name} for <info>{target}</info>"


def package_line(name: str, version: str) -> str:
    """Return the line of one distribution, as Poetry writes its own."""
    return f"  <fg=blue;options=bold>-</> Bundling <c1>{name}</c1> (<c2>{version}</c2>)"


def summary(report: BundleReport) -> Iterator[str]:
    """Yield the lines at the end."""
    verb = {"written": "is written", "unchanged": "is unchanged", "planned": "would be written"}[
        report.status
    ]
    yield f"<info>{escaped(str(report.output))}</info> {verb}"
    if report.digest is not None:
        total = report.digest.total
        yield f"  Zipped      {size(total.zipped)} of {size(MAX_ZIPPED_SIZE)}"
        layers = f", and {size(report.layers_unzipped)} in layers" if report.layers_unzipped else ""
        yield f"  Unzipped    {size(total.unzipped)} of {size(MAX_UNZIPPED_SIZE)}{layers}"
        yield f"  Files       {total.files:,}"
        if report.bytecode is not None and report.bytecode.sizes is not None:
            zipped, unzipped, files = report.bytecode.sizes
            counts = f"{files:,} {'file' if files == 1 else 'files'}, {report.bytecode.skipped:,} skipped"
            yield f"  Bytecode    {size(zipped)} zipped, {size(unzipped)} unzipped ({counts})"
        yield f"  CodeSha256  <c1>{report.digest.code_sha256}</c1>"
    if report.handler:
        yield f"  Handler     {escaped(report.handler)}"
    reasons = Counter(left.reason for package in report.packages for left in package.left_out)
    if reasons:
        listing = ", ".join(f"{count:,} {escaped(reason)}" for reason, count in sorted(reasons.items()))
        yield f"  Left out    {listing}"
    packages: dict[str, list[str]] = {}
    for left_out in report.left_out:
        packages.setdefault(left_out.reason, []).append(left_out.name)
    for reason, names in packages.items():
        yield f"  Left out    {', '.join(names)} ({escaped(reason)})"


def explanation(report: BundleReport) -> Iterator[str]:
    """Yield tables of the packages, the largest files and the unused savings, and what may be superfluous."""
    if report.explanation is None or report.digest is None:
        return
    total = report.digest.total.unzipped
    rows = [("Package", "Zipped", "Unzipped", "Share", "Why")]
    for package in sorted(report.packages, key=_by_unzipped):
        sizes = package.sizes
        if sizes is not None:
            why = " → ".join(report.explanation.paths.get(package.name, ()))
            share = f"{100 * sizes.unzipped / total:.1f} %" if total else ""
            name = f"{package.name} {package.version}"
            rows.append((name, size(sizes.zipped), size(sizes.unzipped), share, why or "the project"))
    yield ""
    yield from _table(rows)
    yield ""
    rows = [("Largest files", "Zipped", "Unzipped", "", "")]
    rows += [(f.path, size(f.zipped), size(f.unzipped), "", "") for f in report.explanation.largest_files]
    yield from _table(rows)
    yield from _savings(report.explanation.savings)
    if report.explanation.unimported:
        names = ", ".join(report.explanation.unimported)
        yield ""
        yield (
            f"  Nothing else in the bundle imports {names}. Can it do without? "
            "(Plugins and drivers may be loaded by name.)"
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
        rows.append((f"{change.name} {versions}", _signed(change.zipped), _signed(change.unzipped), "", ""))
    yield from _table(rows)


def _by_unzipped(package: PackageReport) -> tuple[int, str]:
    return -(package.sizes.unzipped if package.sizes else 0), package.name


def _signed(count: int) -> str:
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
    """Yield what `-v` adds: sizes by package, loose files and all that was left out."""
    for package in sorted(report.packages, key=lambda p: (-(p.sizes.zipped if p.sizes else 0), p.name)):
        sizes = package.sizes
        numbers = f"{size(sizes.zipped)} zipped, {size(sizes.unzipped)} unzipped" if sizes else "size unknown"
        yield f"  {package.name} ({package.version}): {numbers}, from {escaped(package.file)}"
    for path in report.loose_files:
        yield f"  taken from the project's root: {escaped(path)}"
    for package in report.packages:
        for left in package.left_out:
            yield f"  left out of {package.name}: {escaped(left.path)} ({escaped(left.reason)})"


def size(count: int) -> str:
    """Write bytes in megabytes of 1,048,576 bytes, small ones in kilobytes."""
    if count < MEGABYTE // 10:
        return f"{count / 1024:.1f} KB"
    return f"{count / MEGABYTE:.1f} MB".replace(".0 MB", " MB")


def escaped(text: str) -> str:
    """Keep style tags and control characters of other people's names from the terminal."""
    return CONTROL.sub("?", text).replace("<", "\\<")
