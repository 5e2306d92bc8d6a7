"""What all distributions have in common, whatever they came from."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.layout.distribution import release_of


@pytest.mark.parametrize(
    ("folder", "release"),
    [
        pytest.param("six-1.17.0.dist-info", ("six", "1.17.0"), id="plain"),
        pytest.param("Zope.Interface-5.0.dist-info", ("zope-interface", "5.0"), id="normalised"),
        pytest.param("typing_extensions-4.0.dist-info", ("typing-extensions", "4.0"), id="underscore"),
        pytest.param("my-old-thing-1.0.dist-info", ("my-old-thing", "1.0"), id="dashes"),
        pytest.param("pkg-1.0+local.1.dist-info", ("pkg", "1.0+local.1"), id="local-version"),
        pytest.param("pkg.dist-info", None, id="no-version"),
        pytest.param(".dist-info", None, id="suffix-alone"),
        pytest.param("pkg-1.0.data", None, id="other-folder"),
        pytest.param("pkg-1.0.dist-info.bak", None, id="other-suffix"),
        pytest.param("", None, id="root"),
    ],
)
def test_release_of_a_folder(folder: str, release: tuple[str, str] | None) -> None:
    """The version is what follows the last dash, since old wheels have dashes in their names."""
    assert release_of(folder) == release
