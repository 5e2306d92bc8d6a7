"""Trees of a bundle's modules: those of wheels from the notes on them, those of own files read each time."""

from __future__ import annotations

import re
import sys

from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.audit.conditions import Conditions
from poetry_lambda_plugin.audit.import_tree import UnreadableError
from poetry_lambda_plugin.audit.import_tree import tree_of
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.audit.import_tree import Tree
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.sources.wheel_notes import WheelNotes


QUESTION = "import trees 6"
"""The form of what is noted; another one for every change of what trees are."""


class Trees:
    """Reads trees, each once."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        is_own: Callable[[str], bool],
        target: Target,
        notes: WheelNotes,
    ) -> None:
        """Take the bundle's files by path, and what tells the project's own."""
        self._entries = entries
        self._is_own = is_own
        self._conditions = Conditions(target.runtime.python, WHEEL_ARCHITECTURES[target.architecture])
        # what can be parsed depends on who parses
        versions = (*target.runtime.python, *sys.version_info[:2])
        self._question = f"{QUESTION} {target.architecture} {'.'.join(map(str, versions))}"
        self._notes = notes
        self._known: dict[str, Any] = {}
        self._noted: dict[Path, dict[str, Any]] = {}
        """What is known of each wheel's members."""

    def tree(self, path: str) -> Tree | None:
        """Return the tree of a file; None for what can't be judged. Raises SyntaxError."""
        if path not in self._known:
            self._known[path] = self._answer(path)
        answer: Tree | dict[str, Any] | None = self._known[path]
        if answer is None or isinstance(answer, list):
            return answer
        raise SyntaxError(answer["message"], (path, answer["line"], None, None))

    def mentions(self, path: str, name: str) -> bool:
        """Tell whether a word stands anywhere in a source."""
        return re.search(rb"\b" + re.escape(name.encode()) + rb"\b", self._entries[path].read()) is not None

    def _answer(self, path: str) -> Any:
        entry = self._entries[path]
        if self._is_own(path) or not isinstance(entry.content, WheelContent):
            return self._read(entry, whole=self._is_own(path))
        known = self._noted.get(entry.content.source)
        if known is None:
            known = self._noted[entry.content.source] = self._growing(entry.content.source)
        name = entry.content.member_name
        if name not in known:
            known[name] = self._read(entry, whole=False)
        return known[name]

    def _growing(self, wheel: Path) -> dict[str, Any]:
        return self._notes.growing(self._question, wheel)

    def _read(self, entry: Entry, *, whole: bool) -> Any:
        """Return a tree, or what is wrong with the source, as JSON would have it."""
        try:
            return tree_of(entry.read(), self._conditions.module(), whole=whole)
        except UnreadableError:
            return None
        except SyntaxError as error:
            if sys.version_info[:2] < self._conditions.python:
                # it may use what only the runtime's newer Python understands
                return None
            return {"line": error.lineno or 0, "message": error.msg or "invalid syntax"}
