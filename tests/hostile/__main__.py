"""Prints how many attacks the tests have: `python -m tests.hostile`."""

from __future__ import annotations

import re
import subprocess
import sys

from collections import Counter
from pathlib import Path


KINDS = {
    "hostile archives": r"test_archives\.py::test_reader_refuses\[",
    "hostile archives and wheels through the command": r"test_bad_wheels\.py::",
    "index answers": r"test_index_answers\.py::",
    "configurations": r"test_configurations\.py::",
    "git trees, folders and sdists": r"test_trees\.py::",
    "outputs and terminals": r"test_output_and_terminal\.py::",
    "moments of kill -9": r"test_kills\.py::test_killed\[",
    "full disks and crowds": r"test_shortage\.py::",
    "properties tried on generated cases": r"test_properties\.py::test_\w+(\[some\])?$",
    "other readers": r"test_other_readers\.py::",
}
"""What each test of a file stands for."""


def collected() -> list[str]:
    """Return the tests of this folder, those that are not run each time too."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def main() -> None:
    """Print one line a kind."""
    tests = collected()
    counts = Counter({kind: sum(bool(re.search(p, test)) for test in tests) for kind, p in KINDS.items()})
    for kind, count in counts.items():
        sys.stdout.write(f"{count:6,}  {kind}\n")


if __name__ == "__main__":
    main()
