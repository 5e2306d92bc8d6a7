"""Made-up dependency graphs: what is still needed without some, and why something is there."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
from poetry_lambda_plugin.selection.exclusion import exclude_layers
from poetry_lambda_plugin.selection.exclusion import exclude_packages
from poetry_lambda_plugin.selection.exclusion import imported_anyway
from poetry_lambda_plugin.selection.exclusion import sdk_clashes
from poetry_lambda_plugin.selection.graph import DependencyGraph
from poetry_lambda_plugin.selection.locked import LockedPackage
from tests.support.findings import messages


def graph(direct: str, **needs: str) -> DependencyGraph:
    """Make a graph of words: `graph("a b", a="c d")`."""
    return DependencyGraph(
        frozenset(direct.split()), {name: frozenset(words.split()) for name, words in needs.items()}
    )


def package(name: str, version: str = "1.0") -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        files=(),
        source_type="",
        source_reference=None,
        source_url=None,
    )


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


def test_exclusion_tells_the_reason() -> None:
    """A package that was named has its own reason, the others that of the closure."""
    packages = [package(name) for name in ("a", "b", "deep", "only-a", "shared")]

    kept, left_out = exclude_packages(packages, DIAMOND, {"a": "excluded", "b": "on the runtime"})

    assert kept == ()
    assert left_out == (
        LeftOutPackage("a", "1.0", "excluded"),
        LeftOutPackage("b", "1.0", "on the runtime"),
        LeftOutPackage("deep", "1.0", "needed by excluded packages only"),
        LeftOutPackage("only-a", "1.0", "needed by excluded packages only"),
        LeftOutPackage("shared", "1.0", "needed by excluded packages only"),
    )


SDK = graph("boto3 requests", boto3="botocore", botocore="urllib3", requests="urllib3")


def clashes(
    made_up: DependencyGraph, kept: LockedPackage, gone: str, runtime: str = "python3.9"
) -> list[str]:
    left_out = [LeftOutPackage(name, "1.0", "excluded") for name in gone.split()]
    return messages(sdk_clashes([kept], left_out, made_up, find_runtime(runtime)))


def test_clash_names_both_sides() -> None:
    """The warning has what stays, who needs it, and what the runtime's botocore allows."""
    (clash,) = clashes(SDK, package("urllib3", "2.0"), "boto3 botocore")

    assert clash == (
        "urllib3 (2.0) stays in the bundle, since requests needs it; but the runtime's botocore will import "
        "it too, and allows urllib3<1.27 only. Bundle boto3 as well, or lock a version that both allow."
    )


def test_clash_with_the_project_itself() -> None:
    """A direct dependency of the project is its own doing."""
    made_up = graph("boto3 urllib3", boto3="botocore", botocore="urllib3")

    (clash,) = clashes(made_up, package("urllib3", "2.0"), "boto3 botocore")

    assert "since the project needs it" in clash


@pytest.mark.parametrize(
    ("version", "gone", "runtime"),
    [
        pytest.param("1.26.0", "boto3 botocore", "python3.9", id="allowed"),
        pytest.param("2.0", "boto3 botocore", "python3.12", id="allowed-by-newer-runtime"),
        pytest.param("2.1.0rc1", "boto3 botocore", "python3.12", id="pre-release"),
        pytest.param("2.0", "", "python3.9", id="nothing-left-out"),
        pytest.param("2.0", "other", "python3.9", id="botocore-is-bundled"),
    ],
)
def test_no_clash(version: str, gone: str, runtime: str) -> None:
    """What the runtime's botocore allows, or never sees, is no clash."""
    made_up = graph("boto3 other", boto3="botocore", botocore="urllib3", other="urllib3")

    assert clashes(made_up, package("urllib3", version), gone, runtime) == []


@pytest.mark.parametrize(
    ("excluded", "module", "warned"),
    [
        pytest.param("requests", "requests", True, id="same"),
        pytest.param("typing-extensions", "typing_extensions", True, id="underscore"),
        pytest.param("python-dateutil", "dateutil", True, id="prefix"),
        pytest.param("requests", "requests_mock", False, id="other"),
    ],
)
def test_excluded_but_imported(excluded: str, module: str, warned: bool) -> None:
    """A module of the same name as an excluded package is taken for it."""
    message = (
        f"{excluded} is excluded, but the project imports it. "
        "That works only where a layer or the runtime has it."
    )

    assert messages(imported_anyway([excluded], [module])) == ([message] if warned else [])


def test_no_layers_leave_everything() -> None:
    """Without layers nothing changes."""
    assert exclude_layers([package("a")], []) == ((package("a"),), (), ())
