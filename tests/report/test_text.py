"""How numbers and foreign words are written for a person."""

from __future__ import annotations

import pytest

from cleo.formatters.formatter import Formatter

from poetry_lambda_plugin.report.text import escaped
from poetry_lambda_plugin.report.text import heading
from poetry_lambda_plugin.report.text import package_line
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.wording import size


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(0, "0.0 KB", id="nothing"),
        pytest.param(1536, "1.5 KB", id="kilobytes"),
        pytest.param(104_857, "0.1 MB", id="first-megabytes"),
        pytest.param(104_856, "102.4 KB", id="last-kilobytes"),
        pytest.param(1_572_864, "1.5 MB", id="megabytes"),
        pytest.param(52_428_800, "50.0 MB", id="zipped-limit"),
        pytest.param(262_144_000, "250.0 MB", id="unzipped-limit"),
    ],
)
def test_size(count: int, expected: str) -> None:
    """Megabytes are AWS's: 1,048,576 bytes; what stands in one table has the same precision."""
    assert size(count) == expected


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
