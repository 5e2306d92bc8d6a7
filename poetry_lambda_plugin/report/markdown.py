"""The report as a comment on a pull request, in GitHub's Markdown (github.github.com/gfm)."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import one_line
from poetry_lambda_plugin.report.bundle_report import FailedReport
from poetry_lambda_plugin.report.text import CONTROL
from poetry_lambda_plugin.report.text import by_unzipped
from poetry_lambda_plugin.report.text import signed
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import round_size
from poetry_lambda_plugin.wording import share
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.report.bundle_report import BundleReport
    from poetry_lambda_plugin.report.bundle_report import Difference


MARK = "<!-- poetry lambda-bundle -->"
"""First line, not seen, by which a job may find the comment that it wrote before."""

MAX_COMMENT = 65_000
"""Characters, some less than the 65,536 that GitHub takes for a comment."""

LARGEST = 10
"""Packages that are told of."""

SHOWN = 15
"""Changes that are told of without a click."""

SPECIAL = re.compile(r"([\\`*_\[\]<>&~$])")
"""What would be markup, wherever it stands in a line."""

LINKED = re.compile(r"[@#](?=\w)|:(?=//)|\bwww(?=\.)")
"""What would call a person, link to another issue or make an address to click on."""

LINE_START = re.compile(r"\s*(\d*)([-+#=.)]+)(?=\s|$)")
"""What would make a list or a heading of a line, or code of an indented one."""

NOT_WRITTEN = "is **not** written"

UNTOLD = "Sizes and digest are unknown, since not all files are at hand."


def markdown_document(reports: Sequence[BundleReport | FailedReport], error: str | None = None) -> str:
    """Return all reports, and the error that ended the run; what a comment has no room for, it says."""
    parts = [MARK]
    if error:
        parts.append(_alert("CAUTION", map(prose, error.splitlines())))
    # two architectures of one bundle mostly have the same ones; errors are told above
    made = [report for report in reports if not isinstance(report, FailedReport)]
    found = dict.fromkeys(finding for report in made for finding in report.findings)
    if told := [finding for finding in found if finding.severity == "warning"]:
        parts.append(_alert("WARNING", map(_warning, told)))
    if reports:
        parts.append(_overview(reports))
    length = sum(len(part) + 2 for part in parts)
    looked_into = [report for report in made if report.digest is not None or report.status != "failed"]
    for number, report in enumerate(looked_into):
        part = "\n\n".join(_details(report, is_only=len(reports) == 1))
        length += len(part) + 2
        if length > MAX_COMMENT:
            rest = counted(len(looked_into) - number, "bundle")
            parts.append(f"A comment has no room for the packages of {rest} more.")
            break
        parts.append(part)
    return "\n\n".join(filter(None, parts))


def _overview(reports: Sequence[BundleReport | FailedReport]) -> str:
    """Return a table with a row for each bundle."""
    heads = ["Bundle", "Runtime", "-Zipped", "-Unzipped", "-Files", "CodeSha256"]
    return _table(heads, [_failed(r) if isinstance(r, FailedReport) else _row(r) for r in reports])


def _failed(report: FailedReport) -> list[str]:
    where = str(report.target or report.architecture or "")
    return [f"{code(report.bundle or report.project)} {NOT_WRITTEN}", prose(where), "?", "?", "?", ""]


def _row(report: BundleReport) -> list[str]:
    zipped, unzipped, files, digest = "?", "?", "?", ""
    if report.digest is not None:
        total, layers = report.digest.total, report.layers_unzipped or 0
        zipped = _of(total.zipped, total.zipped, MAX_ZIPPED_SIZE)
        unzipped = _of(total.unzipped, total.unzipped + layers, report.unzipped_limit)
        files, digest = f"{total.files:,}", code(report.digest.code_sha256)
    if report.differences is not None:
        zipped += f" ({signed(sum(d.zipped for d in report.differences))})"
        unzipped += f" ({signed(sum(d.unzipped for d in report.differences))})"
    if report.is_folder:
        zipped = digest = ""
    name = f"{code(report.bundle or report.project)} {_state(report)}".rstrip()
    return [name, prose(str(report.target)), zipped, unzipped, files, digest]


def _state(report: BundleReport) -> str:
    if report.status == "planned":
        return "would be unchanged" if report.changed is False else "would be written"
    return NOT_WRITTEN if report.status == "failed" else ""


def _of(count: int, counted_too: int, limit: int | None) -> str:
    """Write a size and its limit, in bold where that is not undercut."""
    if limit is None:
        return size(count)
    text = f"{size(count)} of {round_size(limit)}"
    return f"**{text}**" if counted_too >= limit else text


def _details(report: BundleReport, *, is_only: bool) -> Iterator[str]:
    """Yield what changed in a bundle, and what takes most room in it."""
    if not is_only:
        yield f"#### {code(report.bundle or report.project)} for {prose(str(report.target))}"
    if report.digest is None:
        yield UNTOLD
        return
    if report.differences is not None:
        yield from _changes(report.differences)
    packages = sorted(report.packages, key=by_unzipped)
    total = report.digest.total.unzipped
    rows = [
        [
            f"{code(package.name)} {prose(package.version)}",
            *(size(package.sizes.zipped), size(package.sizes.unzipped)),
            share(package.sizes.unzipped, total),
        ]
        for package in packages[:LARGEST]
        if package.sizes
    ]
    largest = _table(["Package", "-Zipped", "-Unzipped", "-Share"], rows)
    heading = "Largest packages" if len(packages) > LARGEST else "Packages"
    yield _folded(
        f"{heading}: {len(rows)} of {len(packages)}" if len(packages) > LARGEST else heading, largest
    )


def _changes(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the packages that changed, what changed most first, of many the rest folded."""
    if not differences:
        yield "No package differs in version or size."
        return
    ordered = sorted(differences, key=lambda d: (-abs(d.unzipped), d.name))
    rows = [[code(d.name), _versions(d), signed(d.zipped), signed(d.unzipped)] for d in ordered]
    heads = ["Changed", "Version", "-Zipped", "-Unzipped"]
    yield _table(heads, rows[:SHOWN])
    if rest := rows[SHOWN:]:
        yield _folded(f"{counted(len(rest), 'more change')}", _table(heads, rest))


def _versions(difference: Difference) -> str:
    old, new = difference.old_version or "new", difference.new_version or "gone"
    return prose(new if old == new else f"{old} → {new}")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; heads that begin with a hyphen are of numbers, which stand to the right."""
    lines = [
        [head.lstrip("-") for head in heads],
        ["--:" if head[0] == "-" else "---" for head in heads],
        *rows,
    ]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _alert(kind: str, lines: Iterable[str]) -> str:
    """Return a box, as GitHub has them for a quotation that begins so."""
    paragraphs = "\n>\n".join(f"> {_line(line)}" for line in lines)
    return f"> [!{kind}]\n{paragraphs}"


def _line(text: str) -> str:
    """Keep a line from being taken for more than that by how it begins."""
    start = LINE_START.match(text)
    return f"{start[1]}\\{text[start.start(2) :]}" if start else text.lstrip()


def _warning(finding: Finding) -> str:
    return f"{code(finding.code)}: {prose(finding.message)}"


def prose(text: str) -> str:
    """Escape a sentence; what stands between backquotes in it stays code."""
    shown = CONTROL.sub("?", one_line(text))
    parts = shown.split("`")
    if len(parts) % 2 == 0:
        parts = [shown]
    return "".join(code(part) if index % 2 and part else _escaped(part) for index, part in enumerate(parts))


def _escaped(text: str) -> str:
    return LINKED.sub(r"\g<0><!-- -->", SPECIAL.sub(r"\\\1", text))


def code(text: str) -> str:
    """Write a name as code, in which only a backquote means anything."""
    shown = CONTROL.sub("?", one_line(text))
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    room = " " if shown.startswith("`") or shown.endswith("`") or shown.isspace() else ""
    return f"{ticks}{room}{shown}{room}{ticks}"
