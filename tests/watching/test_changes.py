from __future__ import annotations

import os
import signal
import sys

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.sources.folder_state import folder_state
from poetry_lambda_plugin.sources.folder_state import folders_below
from poetry_lambda_plugin.stages.memory import Recall
from poetry_lambda_plugin.watching.changes import Changes
from poetry_lambda_plugin.watching.stopping import noted_signals
from tests.support.watching import save


if TYPE_CHECKING:
    from collections.abc import Iterator


SOON = 20.0
"""Seconds for what happens, on a busy machine."""

NEVER = 0.4
"""Seconds for what does not."""


@pytest.fixture
def changes(tmp_path: Path) -> Iterator[Changes]:
    with Changes(Event()) as found:
        (tmp_path / "seen").mkdir()
        assert found.watch(frozenset({str(tmp_path / "seen")}))
        yield found


def test_other_bytes_are_a_change_and_the_same_are_none(changes: Changes, tmp_path: Path) -> None:
    """What is saved as it was is no change, whatever its times say; one that goes is."""
    file = tmp_path / "seen" / "a.py"
    for text in ("1", "2"):
        save(file, text)
        assert changes.wait((), SOON) == [str(file)]
    save(file, "2")
    os.utime(file, (1, 1))
    assert changes.wait((), NEVER) == []
    file.chmod(0o755)
    assert changes.wait((), SOON) == [str(file)]
    file.unlink()
    assert changes.wait((), SOON) == [str(file)]


def test_passes_over_what_runs_write(changes: Changes, tmp_path: Path) -> None:
    """Outputs, hidden folders, caches and what editors leave are none; a new folder is."""
    seen = tmp_path / "seen"
    (seen / "out.zip").write_bytes(b"")
    (seen / "a.py~").write_bytes(b"")
    (seen / ".a.py.swp").write_bytes(b"")
    for name in ("__pycache__", ".venv", "node_modules", "out"):
        (seen / name).mkdir()
    assert changes.wait({str(seen / "out.zip"), str(seen / "out")}, NEVER) == []
    (seen / "new").mkdir()
    assert changes.wait((), SOON) == [str(seen / "new")]


def test_watches_other_folders_when_told(changes: Changes, tmp_path: Path) -> None:
    """The same folders are not watched anew, and one that has gone is no error."""
    both = frozenset({str(tmp_path / "seen"), str(tmp_path / "gone")})
    assert not changes.watch(frozenset({str(tmp_path / "seen")}))
    assert changes.watch(both)
    assert not changes.watch(both)
    save(tmp_path / "seen" / "a.py", "1")
    assert changes.wait((), SOON) == [str(tmp_path / "seen" / "a.py")]


def test_folders_below_leave_out_what_nobody_bundles(tmp_path: Path) -> None:
    """Environments are told by their file, whatever their name."""
    for name in ("pkg/sub", ".git/objects", "env/lib", "own.egg-info", "build/lib", "out/pkg"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").touch()
    (tmp_path / "pkg/a.py").touch()
    root = str(tmp_path)

    found = {os.path.relpath(folder, root) for folder in folders_below(root, {str(tmp_path / "out")})}

    assert found == {".", "pkg", str(Path("pkg", "sub"))}
    assert list(folder_state(tmp_path)) == [str(tmp_path / "pkg/a.py")]


def test_recall_makes_again_only_from_something_else() -> None:
    """The last state counts, and a key that is of no use is forgotten."""
    made: list[str] = []
    recall: Recall[int] = Recall()

    def make(name: str) -> int:
        made.append(name)
        return len(made)

    assert [recall.of("key", state, lambda: make("x")) for state in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    recall.keep(lambda key: key != "key")
    assert recall.of("key", "a", lambda: make("y")) == 4


def test_stopping_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is stopped where Python drops an exception is stopped at the next wait."""
    dropped: list[type[BaseException] | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: dropped.append(what.exc_type))

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with noted_signals() as stopped, Changes(stopped) as changes:
            changes.watch(frozenset({str(tmp_path)}))
            Finalized()
            with pytest.raises(KeyboardInterrupt):
                changes.wait((), SOON)
        assert (dropped, signal.getsignal(signal.SIGTERM)) == (
            [KeyboardInterrupt],
            signal.default_int_handler,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
