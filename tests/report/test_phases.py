"""Where the time of a run went."""

from __future__ import annotations

import time

from poetry_lambda_plugin.report.phases import Phase
from poetry_lambda_plugin.report.phases import Stopwatch
from poetry_lambda_plugin.report.text import phases_line


def test_phases_follow_each_other() -> None:
    """Each begins where the one before has ended, so that together they are the whole."""
    before = time.perf_counter()
    watch = Stopwatch()
    watch.end("first")
    watch.end("second")
    took = time.perf_counter() - before

    assert [phase.name for phase in watch.phases] == ["first", "second"]
    assert 0 < sum(phase.seconds for phase in watch.phases) <= took


def test_line_has_the_sum_and_the_parts() -> None:
    """In hundredths of a second."""
    assert phases_line([Phase("project", 0.104), Phase("writing", 1.2)]) == (
        "Took 1.30 s: project 0.10 s, writing 1.20 s"
    )
