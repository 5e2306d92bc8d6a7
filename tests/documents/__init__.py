"""What makes the parts of the documents that are made: the table of options, the picture of the terminal."""

from __future__ import annotations

from pathlib import Path


ROOT = Path(__file__).parents[2]


def documents() -> list[Path]:
    """Return the files that tell how to use and to change the plugin, the README first."""
    pages = sorted((ROOT / ".github").glob("*.md"))
    return [ROOT / "README.md", *(path for path in pages if path.name != "CHANGELOG.md")]
