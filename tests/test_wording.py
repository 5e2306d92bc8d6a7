"""Names, numbers and lists as messages write them."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import duration
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing
from poetry_lambda_plugin.wording import nearest
from poetry_lambda_plugin.wording import round_size
from poetry_lambda_plugin.wording import share
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
    ("name", "known", "meant"),
    [
        pytest.param("runtme", ["runtime", "output"], "runtime", id="typo"),
        pytest.param("out", ["outermost-limit", "output"], "output", id="shortest-that-begins-so"),
        pytest.param("ru", ["runtime"], None, id="too-few-letters-to-begin"),
        pytest.param("qqqq", ["runtime", "output"], None, id="far"),
        pytest.param("runtime", [], None, id="none-known"),
    ],
)
def test_nearest(name: str, known: list[str], meant: str | None) -> None:
    """The shortest name that begins as typed, else one that is close."""
    assert nearest(name, known) == meant
    assert hint(name, known) == (f" Did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        pytest.param([], "It has none.", id="none"),
        pytest.param(["b", "a"], "It has a, b.", id="few"),
        pytest.param(
            ["mail", "main", "mailer", "orders", "users"],
            "It has mail, mailer, main, orders, users.",
            id="five",
        ),
        pytest.param(
            ["mail", "main", "mailer", "orders", "users", "admin", "reports"],
            "It has mail, mailer, main, admin, users and 2 more.",
            id="the-nearest-of-many",
        ),
    ],
)
def test_listing(known: list[str], sentence: str) -> None:
    """Five names in their order; of more, the five nearest to what was typed."""
    assert listing("mial", known, "It") == sentence


@pytest.mark.parametrize(
    ("count", "total", "expected"), [(1, 3, "33.3 %"), (3, 3, "100.0 %"), (0, 3, "0.0 %"), (0, 0, "")]
)
def test_share(count: int, total: int, expected: str) -> None:
    """A part of nothing is not told."""
    assert share(count, total) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(262_144_000, "250 MB"), (262_668_288, "250.5 MB"), (1024, "1 KB")]
)
def test_round_size(count: int, expected: str) -> None:
    """What somebody chose has no decimals where it needs none."""
    assert round_size(count) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")]
)
def test_counted(count: int, expected: str) -> None:
    """One thing or several."""
    assert counted(count, "file") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.9, "0 s"), (59.9, "59 s"), (60.0, "1 min 0 s"), (3725.0, "62 min 5 s")]
)
def test_duration(seconds: float, expected: str) -> None:
    """Whole seconds, and minutes from the first one on."""
    assert duration(seconds) == expected
