"""Made-up dependency graphs: what is still needed without some, and why something is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.values import graph


if TYPE_CHECKING:
    from poetry_lambda_plugin.selection.graph import DependencyGraph


CHAIN = graph("a", a="b", b="c", c="")
DIAMOND = graph("a b", a="shared only-a", b="shared", shared="deep")
CYCLE = graph("a z", a="b", b="c", c="a")
SELF = graph("a", a="a")
SHARED_CYCLE = graph("a z", a="b", b="c", c="b", z="c")


@pytest.mark.parametrize(
    ("made_up", "without", "left"),
    [
        pytest.param(CHAIN, "", "a b c", id="nothing"),
        pytest.param(CHAIN, "b", "a", id="middle-of-a-chain"),
        pytest.param(CHAIN, "a", "", id="start-of-a-chain"),
        pytest.param(CHAIN, "nowhere", "a b c", id="unknown"),
        pytest.param(DIAMOND, "a", "b shared deep", id="diamond-stays"),
        pytest.param(DIAMOND, "a b", "", id="diamond-goes-with-both"),
        pytest.param(DIAMOND, "shared", "a b only-a", id="excluded-though-shared"),
        pytest.param(CYCLE, "a", "z", id="cycle-goes"),
        pytest.param(CYCLE, "b", "a z", id="cycle-is-cut"),
        pytest.param(SELF, "a", "", id="needs-itself"),
        pytest.param(SHARED_CYCLE, "a", "z c b", id="cycle-that-another-enters"),
        pytest.param(graph("a b", a="b"), "a", "b", id="direct-dependency-stays"),
    ],
)
def test_reachable(made_up: DependencyGraph, without: str, left: str) -> None:
    """What only the excluded need goes with them; what anything else needs stays."""
    assert made_up.reachable(without.split()) == set(left.split())


@pytest.mark.parametrize(
    ("made_up", "name", "path"),
    [
        pytest.param(CHAIN, "c", "a b c", id="chain"),
        pytest.param(CHAIN, "a", "a", id="direct"),
        pytest.param(CHAIN, "x", "", id="unknown"),
        pytest.param(DIAMOND, "deep", "a shared deep", id="first-name-of-equals"),
        pytest.param(graph("z a", z="t", a="b", b="t"), "t", "z t", id="shortest"),
        pytest.param(graph("a b", a="b"), "b", "b", id="direct-and-needed"),
        pytest.param(CYCLE, "c", "a b c", id="cycle"),
    ],
)
def test_path(made_up: DependencyGraph, name: str, path: str) -> None:
    """The shortest way from a direct dependency; of equals, the first by name."""
    assert made_up.path(name) == tuple(path.split())
