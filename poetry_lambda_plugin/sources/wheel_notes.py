"""What has been found out of a wheel's bytes, kept in Poetry's cache so that the next run need not look."""

from __future__ import annotations

import json

from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.archive.replacing import open_regular
from poetry_lambda_plugin.archive.replacing import replacing
from poetry_lambda_plugin.sources.known_files import source_key


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poetry_lambda_plugin.poetry_api.facts import PoetrySettings


FOLDER = "_audit_"
"""Below the cache for what comes from no index."""

MOST_OF_NOTE = 1 << 26
"""Bytes; none that was written here has so many."""


class WheelNotes:
    """Answers to questions about wheels, each asked once for the same bytes; safe to call from threads."""

    def __init__(
        self,
        settings: PoetrySettings,
        wheel_hash: Callable[[Path], str],
        memory: dict[Path, tuple[Any, int]] | None = None,
    ) -> None:
        """Take the notes that earlier runs of this process have read, to be added to."""
        self._folder = settings.own_cache / FOLDER
        self._reads = not settings.disable_cache
        self._writes = settings.keeps
        self._wheel_hash = wheel_hash
        self._known: dict[Path, tuple[Any, int]] = {} if memory is None else memory
        """Answers by their notes, and of one that grows how much of it is written."""
        self._growing: set[Path] = set()

    def answer(self, question: str, wheel: Path, find_out: Callable[[], Any]) -> Any:
        """Return what is known of a wheel, as JSON has it, found out where it is not.

        `question` names what is asked and the form of its answer: another name asks anew.
        """
        note = self._note(question, wheel)
        if note not in self._known:
            self._known[note] = self._answered(note, find_out), 0
        return self._known[note][0]

    def _answered(self, note: Path, find_out: Callable[[], Any]) -> Any:
        with suppress(OSError, ValueError):
            if self._reads:
                return _read(note)
        found = json.dumps(find_out(), separators=(",", ":"))
        with suppress(OSError):
            if self._writes:
                _write(note, found)
        return json.loads(found)

    def growing(self, question: str, wheel: Path) -> dict[str, Any]:
        """Return what is known of a wheel's members by name; what is added to it is written by `keep`."""
        note = self._note(question, wheel)
        if note not in self._known:
            known: Any = {}
            with suppress(OSError, ValueError):
                if self._reads:
                    known = _read(note)
            self._known[note] = (known if isinstance(known, dict) else {}), len(known)
        self._growing.add(note)
        answer: dict[str, Any] = self._known[note][0]
        return answer

    def keep(self) -> None:
        """Write what has been added to answers that grow."""
        for note in list(self._growing):
            known, count = self._known[note]
            if len(known) > count and self._writes:
                with suppress(OSError):
                    _write(note, json.dumps(known, separators=(",", ":")))
            self._known[note] = known, len(known)

    def _note(self, question: str, wheel: Path) -> Path:
        key = source_key(question, self._wheel_hash(wheel))
        return self._folder / key[:2] / f"{key}.json"


def _read(note: Path) -> Any:
    with open_regular(note) as file:
        return json.loads(file.read(MOST_OF_NOTE))


def _write(note: Path, text: str) -> None:
    with replacing(note) as file:
        file.write(text.encode())
