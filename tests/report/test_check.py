"""The tables of `lambda-check`, and its document, on literal values."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.report.check import check_document
from poetry_lambda_plugin.report.check import check_lines
from poetry_lambda_plugin.selection.coverage import Move
from poetry_lambda_plugin.selection.coverage import PackageCoverage
from poetry_lambda_plugin.selection.coverage import TargetCoverage
from poetry_lambda_plugin.stages.checked import BundleCheck
from tests.support.values import target


if TYPE_CHECKING:
    from poetry_lambda_plugin.selection.coverage import State


FINE = PackageCoverage(name="fine", version="1.0", state="wheel", glibc=(2, 17))


def lacking(name: str = "odd", state: State = "sdist", reason: str = "no wheel") -> PackageCoverage:
    return PackageCoverage(name=name, version="1.0", state=state, reason=reason)


def coverage(runtime: str, architecture: str, *packages: PackageCoverage) -> TargetCoverage:
    return TargetCoverage(target(runtime, architecture), packages)


def checked(*targets: TargetCoverage, **fields: Any) -> BundleCheck:
    """Check a bundle for python3.13 on x86_64 without anything worth a word, but for what is given."""
    usual: dict[str, Any] = {
        "bundle": None,
        "project": "my-fn",
        "version": "0.1.0",
        "python_versions": ">=3.11",
        "asked": (target(),),
        "targets": targets,
        "moves": (),
        "refusals": (),
    }
    return BundleCheck(**{**usual, **fields})


def plain(*checks: BundleCheck) -> list[str]:
    """Return the lines without the tags of colours."""
    colours = ("<options=bold>", "<fg=green>", "<fg=yellow>", "<fg=red>", "</>")
    lines = "\n".join(check_lines(checks))
    for colour in colours:
        lines = lines.replace(colour, "")
    return lines.splitlines()


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        pytest.param("11x 11a 12x 12a 13x 13a 14x 14a", ["everywhere"], id="everywhere"),
        pytest.param("13x 13a", ["python3.13"], id="one-runtime"),
        pytest.param("12x 12a 14x 14a", ["python3.12 and python3.14"], id="two-runtimes"),
        pytest.param("11x 11a 12x 12a 13x 13a", ["python3.11 to python3.13"], id="a-span"),
        pytest.param("11a 12a 13a 14a", ["arm64"], id="an-architecture"),
        pytest.param("12a 13a", ["python3.12 and python3.13 on arm64"], id="part-of-one"),
        pytest.param("11x 12x 13x 14x 11a", ["x86_64", "python3.11 on arm64"], id="one-and-part-of-another"),
    ],
)
def test_places_are_named_briefly(places: str, expected: list[str]) -> None:
    """By runtime alone, by architecture alone, or by both."""
    targets = [
        coverage(
            f"python3.{minor}", architecture, *([lacking()] if f"{minor}{architecture[0]}" in places else [])
        )
        for minor in (11, 12, 13, 14)
        for architecture in ("x86_64", "arm64")
    ]
    lines = plain(checked(*targets))

    head = next(line for line in lines if line.startswith("  Package"))
    start, end = head.index("Where"), head.index("What")
    assert [line[start:end].strip() for line in lines[lines.index(head) + 1 :]] == expected


def test_columns_are_aligned_whatever_their_colours() -> None:
    """The first row is bold, and a line has no blanks at its end."""
    targets = coverage("python3.13", "x86_64", FINE), coverage("python3.13", "arm64", FINE, lacking())

    assert plain(checked(*targets))[2:4] == [
        "  Runtime     x86_64           arm64",
        "  python3.13  ok (glibc 2.17)  1 sdist only",
    ]
    assert list(check_lines([checked(*targets)]))[2:4] == [
        "<options=bold>  Runtime     x86_64           arm64</>",
        "  python3.13  <fg=green>ok (glibc 2.17)</>  <fg=yellow>1 sdist only</>",
    ]


def test_states_are_counted() -> None:
    """The worst one gives the colour."""
    target = coverage("python3.13", "x86_64", lacking("a"), lacking("b"), lacking("c", "nothing"))

    assert "  python3.13  <fg=red>2 sdist only, 1 nothing</>" in list(check_lines([checked(target)]))


def test_runtime_that_lacks_an_architecture_has_a_gap() -> None:
    """AWS had no arm64 at first."""
    targets = [
        coverage("python3.7", "x86_64"),
        coverage("python3.8", "x86_64"),
        coverage("python3.8", "arm64"),
    ]

    assert plain(checked(*targets))[3] == "  python3.7  ok      -"


def test_names_are_no_markup() -> None:
    """They come from other people's locks."""
    lines = list(check_lines([checked(coverage("python3.13", "x86_64", lacking("<b>x\x1b")))]))

    assert any("\\<b>x? 1.0" in line for line in lines)


def test_bundles_that_are_alike_are_told_of_once() -> None:
    """In the order of the first of each."""
    one, other = coverage("python3.13", "x86_64", FINE), coverage("python3.13", "x86_64", lacking())
    lines = plain(checked(one, bundle="a"), checked(other, bundle="b"), checked(one, bundle="c"))

    start = "Checking <c1>my-fn</c1> (<c2>0.1.0</c2>) as"
    assert [line for line in lines if line.startswith("Checking")] == [
        f"{start} <c2>a</c2> and <c2>c</c2> for <info>python3.13 on x86_64</info>",
        f"{start} <c2>b</c2> for <info>python3.13 on x86_64</info>",
    ]


def test_nothing_but_ruled_out_has_no_table() -> None:
    """There is nothing to tell of it."""
    assert plain(checked(TargetCoverage(target("python3.9"), None)))[1:] == [
        "",
        "  Ruled out by the project, whose Python constraint is '>=3.11': python3.9.",
    ]


def test_document_has_what_is_not_well() -> None:
    """Wheels are counted only; what is ruled out has no packages."""
    targets = coverage("python3.13", "x86_64", FINE, lacking()), TargetCoverage(target("python3.9"), None)
    move = Move(to="arm64", is_allowed=True, update=(lacking(),))
    found = json.loads(check_document([checked(*targets, moves=(move,))], "no"))

    assert (found["schema_version"], found["error"]) == (1, "no")
    assert found["bundles"] == [
        {
            "bundle": None,
            "project": {"name": "my-fn", "version": "0.1.0"},
            "python_versions": ">=3.11",
            "targets": [
                {
                    "runtime": "python3.13",
                    "architecture": "x86_64",
                    "asked": True,
                    "status": "sdist",
                    "glibc": "2.17",
                    "selected": 2,
                    "packages": [{"name": "odd", "version": "1.0", "state": "sdist", "reason": "no wheel"}],
                },
                {
                    "runtime": "python3.9",
                    "architecture": "x86_64",
                    "asked": False,
                    "status": "ruled-out",
                    "glibc": None,
                    "selected": None,
                    "packages": [],
                },
            ],
            "moves": [{"to": "arm64", "allowed": True, "update": [{"name": "odd", "version": "1.0"}]}],
        }
    ]
