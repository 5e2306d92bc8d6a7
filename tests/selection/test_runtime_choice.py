"""Which runtime is chosen, on literal values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.runtime_choice import choose_runtime
from poetry_lambda_plugin.selection.runtime_choice import local_python


if TYPE_CHECKING:
    from pathlib import Path


R12, R13, R14 = (find_runtime(f"python3.{minor}") for minor in (12, 13, 14))


def test_older_runtimes_are_asked_only_when_needed() -> None:
    """The usual case costs one look."""
    asked = []

    def missing(runtime: object) -> tuple[str, ...]:
        asked.append(runtime)
        return ()

    assert choose_runtime((R14, R13, R12), None, missing, lambda _: True).runtime == R14
    assert asked == [R14]


def test_nothing_is_asked_twice() -> None:
    """What .python-version names is not looked at again, nor is what can be built here before it must."""
    asked = []

    def missing(runtime: object) -> tuple[str, ...]:
        asked.append(runtime)
        return () if runtime == R12 else ("numbers 1.0",)

    def can_build(runtime: object) -> bool:
        raise AssertionError(runtime)

    choice = choose_runtime((R14, R13, R12), R13, missing, can_build)

    assert (choice.runtime, choice.chosen_by) == (R12, "lock")
    assert asked == [R13, R14, R12]


@pytest.mark.parametrize(
    ("buildable", "expected"),
    [
        pytest.param({R12}, (R12, "build"), id="one"),
        pytest.param({R12, R13}, (R13, "build"), id="newest"),
        pytest.param(set(), (R14, "newest"), id="none"),
    ],
)
def test_what_can_be_built_is_the_last_resort(buildable: set[object], expected: tuple[object, str]) -> None:
    """The newest runtime that could be built for; else the newest, for the error."""
    choice = choose_runtime((R14, R13, R12), None, lambda _: ("x 1",), lambda runtime: runtime in buildable)

    assert (choice.runtime, choice.chosen_by) == expected


def test_lock_may_rule_a_runtime_out() -> None:
    """A runtime that the lock can't be used for at all is passed over, and told apart from missing wheels."""
    missing = {R14: None, R13: ("numbers 1.0",), R12: ()}

    choice = choose_runtime((R14, R13, R12), None, missing.__getitem__, lambda _: True)

    assert (choice.runtime, choice.note) == (
        R12,
        (
            "python3.12 is chosen since the lock has no wheel of numbers 1.0 for python3.13 and rules out "
            'python3.14; `runtime = "python3.12"` in [tool.poetry-lambda-plugin] pins it.'
        ),
    )


def test_local_runtime_must_be_allowed() -> None:
    """A runtime that the project rules out is none of the candidates."""
    choice = choose_runtime((R14, R13), R12, lambda _: (), lambda _: True)

    assert (choice.runtime, choice.chosen_by) == (R14, "newest")


def test_local_runtime_comes_first() -> None:
    """What the project is developed with is taken although there is a newer one, if the lock can serve it."""
    choice = choose_runtime((R14, R13), R13, lambda _: (), lambda _: True)

    assert (choice.runtime, choice.chosen_by) == (R13, "python-version")
    assert choice.note == (
        "python3.13 is what .python-version names; "
        '`runtime = "python3.13"` in [tool.poetry-lambda-plugin] pins it.'
    )


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        pytest.param(
            {R14: ("a 1", "b 1"), R13: ("b 1",)},
            "has no wheel of a 1 and b 1 for python3.14, nor of b 1 for python3.13",
            id="each-its-own",
        ),
        pytest.param(
            {R14: ("a 1",), R13: ("a 1",)}, "has no wheel of a 1 for python3.14 and python3.13", id="the-same"
        ),
        pytest.param(
            {R14: ("a 1", "b 1", "c 1", "d 1", "e 1"), R13: ()},
            "has no wheel of a 1, b 1, c 1 and 2 more for python3.14",
            id="many",
        ),
        pytest.param({R14: None, R13: ()}, "rules out python3.14", id="ruled-out"),
    ],
)
def test_note_says_what_the_lock_lacks(missing: dict[object, tuple[str, ...] | None], words: str) -> None:
    """For which runtimes, those that lack the same together."""
    choice = choose_runtime((R14, R13, R12), None, lambda r: missing.get(r, ()), lambda _: True)

    assert choice.note is not None
    assert f" is chosen since the lock {words}; " in choice.note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("3.12\n", (3, 12), id="minor"),
        pytest.param("3.12.4\n3.13.1\n", (3, 12), id="the-first-of-several"),
        pytest.param("# the team's\n\n  3.11.9  # as on CI\n", (3, 11), id="comments"),
        pytest.param("cpython-3.12.3-linux-x86_64-gnu\n", (3, 12), id="uv"),
        pytest.param("python-3.12.3\n", (3, 12), id="python-"),
        pytest.param("3.12-dev\n", (3, 12), id="dev"),
        pytest.param("3.13t\n", (3, 13), id="free-threaded"),
        pytest.param("\ufeff3.12\r\n", (3, 12), id="windows"),
        pytest.param("pypy3.10-7.3.12\n", None, id="pypy"),
        pytest.param("orders-env\n", None, id="environment"),
        pytest.param("system\n", None, id="system"),
        pytest.param("2.7.18\n", None, id="python-2"),
        pytest.param("", None, id="empty"),
        pytest.param("\x00\xff", None, id="binary"),
    ],
)
def test_version_file(tmp_path: Path, text: str, expected: tuple[int, int] | None) -> None:
    """.python-version as pyenv and uv write it: its first version counts, if it is CPython's."""
    (tmp_path / ".python-version").write_bytes(text.encode())

    assert local_python(tmp_path) == expected


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        pytest.param("", (3, 11), id="in-the-repository"),
        pytest.param("project", None, id="above-the-repository"),
        pytest.param(None, None, id="no-repository"),
    ],
)
def test_version_file_above(tmp_path: Path, repository: str | None, expected: tuple[int, int] | None) -> None:
    """It counts up to the root of the repository, and not beyond."""
    (tmp_path / "project").mkdir()
    (tmp_path / ".python-version").write_text("3.11\n")
    if repository is not None:
        (tmp_path / repository / ".git").mkdir()

    assert local_python(tmp_path / "project") == expected


def test_nearest_version_file_counts(tmp_path: Path) -> None:
    """The one beside pyproject.toml hides that of the repository."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / ".python-version").write_text("3.11\n")
    (tmp_path / "project/.python-version").write_text("3.12\n")

    assert local_python(tmp_path / "project") == (3, 12)
