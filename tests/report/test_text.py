"""The report that a person reads."""

from __future__ import annotations

import re

from pathlib import Path
from typing import Any

import pytest

from cleo.formatters.formatter import Formatter

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.savings import Savings
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.bundle_report import Explanation
from poetry_lambda_plugin.report.bundle_report import FileReport
from poetry_lambda_plugin.report.bundle_report import LayerReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.report.text import build_line
from poetry_lambda_plugin.report.text import compilation_line
from poetry_lambda_plugin.report.text import details
from poetry_lambda_plugin.report.text import differences
from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.report.text import explanation
from poetry_lambda_plugin.report.text import heading
from poetry_lambda_plugin.report.text import package_line
from poetry_lambda_plugin.report.text import summary
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
from tests.support.values import bundle_report
from tests.support.values import digest
from tests.support.values import package_report


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<info>x</info>", id="tag"),
        pytest.param("a < b", id="less"),
        pytest.param("</>", id="end"),
        pytest.param("<fg=red>", id="colour"),
    ],
)
def test_foreign_text_is_no_style(text: str) -> None:
    """What a file or a user is called is printed as it is."""
    assert Formatter().format(f"<error>{escaped(text)}</error>") == text


def test_heading_names_the_bundle() -> None:
    """A bundle of its own name is told apart from the project."""
    target = Target(find_runtime("python3.13"), "arm64")
    formatter = Formatter()
    for tag in ("c1", "c2"):
        formatter.set_style(tag, formatter.style("info"))

    assert formatter.format(heading("my-fn", "1.0", None, target)) == (
        "Bundling my-fn (1.0) for python3.13 on arm64"
    )
    assert formatter.format(heading("my-fn", "1.0", "api", target)) == (
        "Bundling my-fn (1.0) as api for python3.13 on arm64"
    )
    assert formatter.format(package_line("greeting", "2.0")) == "  - Bundling greeting (2.0)"


MB = 1 << 20


def lines(*packages: PackageReport, **fields: Any) -> list[str]:
    return list(summary(bundle_report(*packages, **fields)))


@pytest.mark.parametrize(
    ("status", "changed", "words"),
    [
        pytest.param("written", True, "is written", id="written"),
        pytest.param("unchanged", False, "is unchanged", id="unchanged"),
        pytest.param("planned", True, "would be written", id="dry-run"),
        pytest.param("planned", False, "would be unchanged", id="dry-run-of-the-same"),
        pytest.param("planned", None, "would be written", id="dry-run-that-can-not-know"),
    ],
)
def test_summary_says_what_became_of_the_output(status: str, changed: bool | None, words: str) -> None:
    """Or what would."""
    assert lines(status=status, changed=changed) == [f"dist/my-fn.zip {words}"]


def test_summary_has_sizes_and_digest() -> None:
    """With Lambda's limits, which must be undercut."""
    total = Sizes(2 * MB, 5 * MB, 1234)

    assert lines(digest=digest(total), unzipped_limit=250 * MB, handler="my_fn.handler")[1:] == [
        "  Zipped      2.0 MB of 50 MB",
        "  Unzipped    5.0 MB of 250 MB",
        "  Files       1,234",
        "  CodeSha256  AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "  Handler     my_fn.handler",
    ]


@pytest.mark.parametrize(
    ("unzipped", "layers", "limit", "line"),
    [
        pytest.param(5 * MB, 0, None, "5.0 MB", id="no-limit"),
        pytest.param(5 * MB - 1, 0, 5 * MB, "5.0 MB of 5 MB", id="below"),
        pytest.param(5 * MB, 0, 5 * MB, "<warning>5.0 MB of 5 MB</warning>", id="reached"),
        pytest.param(4 * MB, MB, 6 * MB, "4.0 MB of 6 MB, and 1.0 MB in layers", id="layers"),
        pytest.param(
            4 * MB, MB, 5 * MB, "<warning>4.0 MB of 5 MB</warning>, and 1.0 MB in layers", id="layers-count"
        ),
    ],
)
def test_summary_colours_what_is_over_the_limit(
    unzipped: int, layers: int, limit: int | None, line: str
) -> None:
    """Layers count, too."""
    beside = (LayerReport(None, Path("layer.zip"), layers),) if layers else ()
    made = lines(digest=digest(Sizes(1, unzipped, 1)), layers=beside, unzipped_limit=limit)

    assert made[2] == f"  Unzipped    {line}"


def test_summary_names_the_three_largest() -> None:
    """By what they take unzipped; of fewer there is nothing to choose from."""
    packages = [package_report(name, (0, size * MB, 1)) for name, size in (("a", 1), ("b", 3), ("c", 2))]

    assert "  Largest     b 3.0 MB, c 2.0 MB, a 1.0 MB" in lines(*packages, digest=digest(Sizes()))
    assert not [line for line in lines(*packages[:2], digest=digest(Sizes())) if "Largest" in line]


def test_summary_counts_what_is_left_out() -> None:
    """Files by reason, packages by name."""
    left = (LeftOut("a.h", "excluded"), LeftOut("b.h", "excluded"), LeftOut("bin/a", "scripts"))
    package = PackageReport(name="a", version="1.0", file="a.whl", sizes=None, left_out=left)
    gone = [LeftOutPackage(name, "1.0", "on the runtime") for name in ("boto3", "six")]

    assert lines(package, left_out=gone)[1:] == [
        "  Left out    2 files (excluded), 1 file (scripts)",
        "  Left out    boto3, six (on the runtime)",
    ]


def test_details_are_a_table_with_the_largest_first() -> None:
    """Numbers to the right; what is not known is a question mark."""
    packages = [package_report("a", None), package_report("long-name", (MB, 3 * MB, 1), "2.0")]

    report = bundle_report(*packages, digest=digest(Sizes(0, 4 * MB, 1)), loose_files=("x.py",))

    assert list(details(report)) == [
        "",
        "<options=bold>  Package        Zipped  Unzipped   Share  From</>",
        "  long-name 2.0  1.0 MB    3.0 MB  75.0 %  long-name.whl",
        "  a 1.0               ?         ?       ?  a.whl",
        "  taken from the project's root: x.py",
    ]


def test_nothing_is_told_that_nobody_asked_for() -> None:
    """Neither an explanation nor differences."""
    assert [*explanation(bundle_report()), *differences(bundle_report())] == []


def test_explanation_says_why_and_what_could_be_saved() -> None:
    """One saving alone has no sum below it; a package without a way is the project."""
    explained = Explanation(
        paths={"b": ("a", "b")},
        savings=Savings({frozenset({"exclude = …"}): (MB, 2 * MB)}),
        largest_files=(FileReport("b.py", MB, 2 * MB),),
        unimported=("a", "c"),
    )
    packages = [package_report("b", (MB, 2 * MB, 1)), package_report("my-fn", (0, 0, 0))]

    made = list(explanation(bundle_report(*packages, digest=digest(Sizes()), explanation=explained)))

    assert [line.rpartition("  ")[2].strip() for line in made[2:4]] == ["a → b", "the project"]
    assert made[5:] == [
        "<options=bold>  Largest files  Zipped  Unzipped</>",
        "  b.py           1.0 MB    2.0 MB",
        "",
        "<options=bold>  Not used yet            Zipped  Unzipped</>",
        "  exclude = … would save  1.0 MB    2.0 MB",
        "",
        made[-1],
    ]
    assert made[-1].startswith("  Nothing else in the bundle imports a, c: is it needed?")


def test_differences_are_a_table_with_signs() -> None:
    """With both versions where they differ, else the one."""
    changes = (
        Difference("a", "1.0", "2.0", 2 * MB, 3 * MB),
        Difference("b", None, "1.0", 1024, 2048),
        Difference("c", "1.0", None, -1024, -2048),
        Difference("d", "1.0", "1.0", 0, -1024),
    )

    assert list(differences(bundle_report(differences=changes)))[2:] == [
        "  a 1.0 → 2.0   +2.0 MB   +3.0 MB",
        "  b new → 1.0   +1.0 KB   +2.0 KB",
        "  c 1.0 → gone  -1.0 KB   -2.0 KB",
        "  d 1.0         +0.0 KB   -1.0 KB",
    ]
    assert list(differences(bundle_report(differences=()))) == [
        "",
        "No package differs in version or size.",
    ]


HOSTILE = "\x1b[31m<info>x</info>\n::error::\u202e\\"


def test_no_name_forges_anything() -> None:
    """Whatever hostile names there are, lines stay as many, and nothing but style is taken for style."""
    told = {name: told_of(name) for name in ("x", HOSTILE)}

    assert len(told[HOSTILE]) == len(told["x"])
    for hostile, plain in zip(told[HOSTILE], told["x"], strict=True):
        shown = Formatter().format(hostile)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", shown)
        assert shown.count("?[31m<info>x</info> ::error::?\\") == len(re.findall(r"\bx\b", plain))
        assert "</c" not in shown


def told_of(name: str) -> list[str]:
    """Return all lines of a report in which every name is that one."""
    target = Target(find_runtime("python3.13"), "arm64")
    left = LeftOut(name, name)
    report = bundle_report(
        *(PackageReport(name=name, version=name, file=name, sizes=None, left_out=(left,)) for _ in range(3)),
        output=Path(name),
        digest=digest(Sizes()),
        handler=name,
        left_out=(LeftOutPackage(name, name, name),),
        loose_files=(name,),
        explanation=Explanation(
            paths={name: (name, name)},
            savings=Savings({}),
            largest_files=(FileReport(name, 1, 1),),
            unimported=(name,),
        ),
        differences=(Difference(name, name, None, 1, 1),),
    )
    return [
        heading(name, name, name, target),
        package_line(name, name),
        build_line(name, name),
        compilation_line(1, name),
        *(line for tell in (summary, explanation, differences, details) for line in tell(report)),
    ]
