"""Packages that are left out, with what only they need, and what there is to warn of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.layer import HeldDistribution
from poetry_lambda_plugin.layout.layer import Layer
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
from poetry_lambda_plugin.selection.exclusion import UnknownPackageError
from poetry_lambda_plugin.selection.exclusion import exclude_layers
from poetry_lambda_plugin.selection.exclusion import exclude_packages
from poetry_lambda_plugin.selection.exclusion import imported_anyway
from poetry_lambda_plugin.selection.exclusion import sdk_clashes
from poetry_lambda_plugin.selection.exclusion import sdk_pins
from tests.support.values import graph
from tests.support.values import messages
from tests.support.values import package


if TYPE_CHECKING:
    from poetry_lambda_plugin.selection.graph import DependencyGraph
    from poetry_lambda_plugin.selection.locked import LockedPackage


DIAMOND = graph("a b", a="shared only-a", b="shared", shared="deep")


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


def layer(name: str, **versions: str) -> Layer:
    held = {of: HeldDistribution(version) for of, version in versions.items()}
    return Layer(Path("/layers") / name, held, 0)


def test_no_layers_leave_everything() -> None:
    """Without layers nothing changes."""
    assert exclude_layers([package("a")], []) == ((package("a"),), (), ())


def test_what_a_layer_holds_is_left_out() -> None:
    """With the layer's name for a reason; the others stay."""
    kept, left_out, warnings = exclude_layers([package("a"), package("b")], [layer("one.zip", a="1.0")])

    assert (kept, left_out) == ((package("b"),), (LeftOutPackage("a", "1.0", "in the layer one.zip"),))
    assert messages(warnings) == []


def test_last_layer_counts() -> None:
    """Lambda unpacks layers over each other, so the version of the last one is there."""
    _, (left_out,), warnings = exclude_layers(
        [package("a")], [layer("one.zip", a="0.9"), layer("two.zip", a="1.0")]
    )

    assert left_out.reason == "in the layer two.zip"
    assert messages(warnings) == []


@pytest.mark.parametrize(
    ("held", "warned"),
    [
        pytest.param("1.0", False, id="same"),
        pytest.param("1.0.0", False, id="same-in-another-spelling"),
        pytest.param("0.9", True, id="older"),
    ],
)
def test_another_version_in_a_layer_is_warned_of(held: str, warned: bool) -> None:
    """The layer's is used all the same."""
    kept, _, warnings = exclude_layers([package("a")], [layer("one.zip", a=held)])

    message = f"The layer one.zip holds a {held}, but 1.0 is locked: make the layer again."
    assert (kept, messages(warnings)) == ((), [message] if warned else [])


def test_layer_without_distributions_is_warned_of() -> None:
    """It may be for another runtime."""
    _, _, warnings = exclude_layers([package("a")], [layer("one.zip")])

    assert messages(warnings) == ["The layer one.zip holds no distribution where the runtime looks for one."]


PINNED = replace(
    graph("aio", aio="botocore boto3"),
    pins={"aio": {"botocore": ">=1.34.70,<1.34.132", "boto3": "1.34.131"}},
)
ON_RUNTIME = [LeftOutPackage("botocore", "1.34.131", "on the runtime")]


def test_pin_of_what_the_runtime_has_is_warned_of() -> None:
    """Of the packages that are bundled, and only for what is really left to the runtime."""
    (warning,) = messages(sdk_pins([package("aio")], ON_RUNTIME, PINNED, []))

    assert warning == (
        "aio (1.0) allows botocore >=1.34.70,<1.34.132 only, while the runtime has the version that AWS "
        "chose. Do without exclude-runtime-packages."
    )


def test_all_pins_of_a_package_are_told_at_once() -> None:
    """In the order of names."""
    both = [*ON_RUNTIME, LeftOutPackage("boto3", "1.34.131", "on the runtime")]

    (warning,) = messages(sdk_pins([package("aio")], both, PINNED, []))

    assert warning.startswith("aio (1.0) allows boto3 1.34.131 and botocore >=1.34.70,<1.34.132 only")


def test_pin_that_a_layer_meets_is_none() -> None:
    """Where a layer has the SDK, the runtime's is not used."""
    layers = [layer("sdk.zip", botocore="1.34.131")]

    assert messages(sdk_pins([package("aio")], ON_RUNTIME, PINNED, layers)) == []


@pytest.mark.parametrize(
    ("locked", "message"),
    [
        pytest.param(["six"], " Did you mean six? It has six.", id="near"),
        pytest.param([], " It has none.", id="empty-lock"),
    ],
)
def test_unknown_package_is_named_with_the_nearest(locked: list[str], message: str) -> None:
    """And with what the lock has."""
    assert str(UnknownPackageError("sixx", locked)) == (
        f"exclude-packages: poetry.lock has no package 'sixx'.{message}"
    )
