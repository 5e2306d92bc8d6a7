"""Which bundles a run makes, and in which order."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.configuration.layering import wanted_bundles
from poetry_lambda_plugin.configuration.values import BundleConfig


def config(name: str, *layers: str, arm64: bool = False) -> BundleConfig:
    architectures = ("x86_64", "arm64") if arm64 else ("x86_64",)
    return BundleConfig(bundle=name, exclude_layers=layers, architectures=architectures)  # type: ignore[arg-type]


FAMILY = (
    config("api", "top", "base"),
    config("web", "base", arm64=True),
    config("top", "base"),
    config("base", arm64=True),
    config("lone"),
)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        pytest.param("lone", "lone", id="none-needed"),
        pytest.param("api", "base top api", id="layers-of-layers"),
        pytest.param("web api", "base web top api", id="each-once"),
        pytest.param("api base", "base top api", id="asked-for-too"),
        pytest.param("api web top base lone", "base top api web lone", id="all"),
    ],
)
def test_layers_come_first(asked: str, made: str) -> None:
    """Else the order is that in which they are asked for."""
    configs = {one.bundle: one for one in FAMILY}

    wanted = wanted_bundles([configs[name] for name in asked.split()], FAMILY)

    assert [one.config.bundle for one in wanted] == made.split()
    named = {one.config.bundle: bool(one.needed_by) for one in wanted}
    assert named == {name: name not in asked.split() for name in made.split()}


def test_only_needed_architectures_of_a_layer() -> None:
    """Those of the bundles that need it, unless it is asked for itself."""
    configs = {one.bundle: one for one in FAMILY}

    def architectures(*asked: str) -> tuple[str, ...]:
        return wanted_bundles([configs[name] for name in asked], FAMILY)[0].architectures

    assert architectures("api") == ("x86_64",)
    assert architectures("web") == ("x86_64", "arm64")
    assert architectures("api", "base") == ("x86_64", "arm64")
