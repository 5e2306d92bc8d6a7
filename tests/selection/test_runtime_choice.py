"""Which runtime is chosen, on literal values."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.runtime_choice import choose_runtime


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
