"""What options would save: measured on a plan, then chosen among."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.savings import RUNTIME_PACKAGES_OPTION
from poetry_lambda_plugin.audit.savings import SERVICES_OPTION
from poetry_lambda_plugin.audit.savings import Saving
from poetry_lambda_plugin.audit.savings import Savings
from poetry_lambda_plugin.audit.savings import savings
from tests.support.values import digest
from tests.support.values import graph
from tests.support.values import plan


if TYPE_CHECKING:
    from collections.abc import Collection


TESTS = 'exclude = ["@tests"]'
STUBS = 'exclude = ["@type-stubs"]'
SOURCES = 'exclude = ["@headers-and-sources"]'
DOCS = 'exclude = ["@docs"]'

FILES = {
    "boto3": {"boto3/__init__.py": "1234567"},
    "botocore": {"botocore/data/s3/s.json": "12", "botocore/data/ec2/s.json": "12345"},
    "lib": {
        "lib/x.py": "1",
        "lib/x.pyi": "12",
        "lib/tests/x.pyi": "123",
        "lib/x.h": "1234",
        "docs/a.html": "1",
    },
}
NEEDS = graph("boto3 lib", boto3="botocore", botocore="", lib="")


def measured(
    prefix: str = "", not_offered: Collection[str] = (), gone: frozenset[str] = frozenset()
) -> Savings:
    """Measure a bundle in which each file takes ten bytes more than it holds."""
    planned = plan(FILES, prefix)
    packed = [
        size + 10 for size in (len(FILES[e.owner][e.path.removeprefix(prefix)]) for e in planned.entries)
    ]
    return savings(planned, digest(Sizes(), packed), NEEDS, gone, frozenset({"s3"}), not_offered)


@pytest.mark.parametrize("prefix", ["", "python/"])
def test_each_option_brings_the_files_that_it_leaves_out(prefix: str) -> None:
    """In a layer as in a function, the largest first."""
    assert measured(prefix).singly == (
        Saving(RUNTIME_PACKAGES_OPTION, 44, 14),
        Saving(SERVICES_OPTION, 15, 5, "does not look into dependencies"),
        Saving(STUBS, 25, 5),
        Saving(SOURCES, 14, 4),
        Saving(TESTS, 13, 3),
        Saving(DOCS, 11, 1),
    )


def test_together_they_bring_less_where_they_overlap() -> None:
    """Each file counts once."""
    assert measured().together == Saving("all together", 94, 24)


def test_what_is_not_offered_is_not_measured() -> None:
    """Since it is used already, or would break the function."""
    options = [saving.option for saving in measured(not_offered=(TESTS, RUNTIME_PACKAGES_OPTION)).singly]

    assert options == [SERVICES_OPTION, STUBS, SOURCES, DOCS]


def test_runtime_saving_counts_what_is_left_out_already() -> None:
    """What only a package that is gone shares with the SDK would go too."""
    needs = graph("boto3 lib", boto3="shared", lib="shared", shared="")
    planned = plan({"boto3": {"boto3.py": "12"}, "shared": {"shared.py": "1"}})

    def saved(gone: frozenset[str]) -> int:
        (saving,) = savings(planned, digest(Sizes(), [1, 1]), needs, gone, frozenset(), ()).singly
        return saving.unzipped

    assert (saved(frozenset()), saved(frozenset({"lib"}))) == (2, 3)


def test_option_that_brings_nothing_is_no_saving() -> None:
    """Nothing is measured where no file is hit."""
    planned = plan({"lib": {"lib.py": "1"}})

    found = savings(planned, digest(Sizes(), [11]), graph("lib", lib=""), frozenset(), frozenset(), ())

    assert (found.singly, found.together) == ((), Saving("all together", 0, 0))


GROUPS = Savings(
    {
        frozenset({STUBS}): (1, 10),
        frozenset({TESTS, STUBS}): (1, 5),
        frozenset({TESTS}): (1, 30),
        frozenset({DOCS}): (1, 20),
        frozenset({SERVICES_OPTION}): (1, 100),
        frozenset({RUNTIME_PACKAGES_OPTION}): (1, 1000),
    }
)


@pytest.mark.parametrize(
    ("unzipped", "options", "saved"),
    [
        pytest.param(1, (STUBS,), 15, id="the-least-felt-of-those-that-do"),
        pytest.param(16, (DOCS,), 20, id="the-next"),
        pytest.param(30, (TESTS,), 35, id="one-rather-than-two"),
        pytest.param(36, (SERVICES_OPTION,), 100, id="still-one"),
        pytest.param(101, (STUBS, SERVICES_OPTION), 115, id="two-of-which-the-least-felt"),
        pytest.param(130, (TESTS, SERVICES_OPTION), 135, id="two-that-suffice"),
        pytest.param(165, (STUBS, DOCS, TESTS, SERVICES_OPTION), 165, id="overlaps-count-once"),
        pytest.param(166, (RUNTIME_PACKAGES_OPTION,), 1000, id="the-runtimes-packages-last"),
        pytest.param(1165, (STUBS, DOCS, TESTS, SERVICES_OPTION, RUNTIME_PACKAGES_OPTION), 1165, id="all"),
        pytest.param(1166, (), 0, id="not-even-all"),
    ],
)
def test_enough_is_the_least_that_suffices(unzipped: int, options: tuple[str, ...], saved: int) -> None:
    """As few options as can be, of those the least felt, and another SDK only where nothing else will do."""
    assert GROUPS.enough(unzipped) == (options, saved)


def test_nothing_is_enough_where_there_is_no_option() -> None:
    """A bundle that uses all of them has none left."""
    assert Savings({}).enough(1) == ((), 0)
