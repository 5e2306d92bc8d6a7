"""The picture of the terminal in the README, from a real run.

    python -m tests.documents.terminal

bundles a copy of `tests/projects/example`, has it import what is locked for tests alone, bundles it again,
and writes what a terminal shows of both to `.github/terminal.svg`. It needs the package index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from tests.documents import ROOT


if TYPE_CHECKING:
    from collections.abc import Iterator


PICTURE = ROOT / ".github/terminal.svg"
COMMAND = "poetry lambda-bundle"
CHANGE = "echo 'import pytest' >> order_mail/handler.py"
SHOWN_FOLDER = "/home/ada/order-mail"
"""Stands for the temporary folder of the run."""

COLUMNS = 100
LEFT = 24
"""Pixels, as all that follow."""
CHARACTER = 8.4
LINE = 21
TOP = 58

ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
COLOURS = {"31": "#ff8f86", "32": "#7ee787", "33": "#f2cc60", "34": "#8cb8ff", "36": "#76e3ea"}
"""By the code of a terminal; each has a contrast of 7 to 1 and more on the ground."""
TEXT, GROUND, BAR = "#e6edf3", "#0d1117", "#21262d"


class Span(NamedTuple):
    """Characters of one look."""

    text: str
    colour: str
    bold: bool


def session() -> str:
    """Return what is typed and printed, with a terminal's escapes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "order-mail"
        shutil.copytree(ROOT / "tests/projects/example", folder, ignore=shutil.ignore_patterns("dist"))
        good = _run(folder)
        with (folder / "order_mail/handler.py").open("a", encoding="utf-8") as handler:
            handler.write("import pytest\n")
        return f"$ {COMMAND}\n{good}\n$ {CHANGE}\n$ {COMMAND}\n{_run(folder)}"


def _run(folder: Path) -> str:
    poetry = Path(sys.executable).with_name("poetry")
    done = subprocess.run(
        [poetry, *COMMAND.split()[1:], "--ansi"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "NO_COLOR": "", "VIRTUAL_ENV": ""},
    )
    return done.stdout.replace(str(folder), SHOWN_FOLDER)


def lines(text: str) -> Iterator[list[Span]]:
    """Yield the lines of a terminal, broken between words where they are too long for it."""
    colour, bold = TEXT, False
    for line in text.splitlines():
        row: list[Span] = []
        for word in re.findall(r"\x1b\[[\d;]*m| *[^\s\x1b]*", line):
            if code := ESCAPE.fullmatch(word):
                colour, bold = _look(code[1].split(";"), colour, bold)
            elif word and sum(len(span.text) for span in row) + len(word) > COLUMNS:
                yield row
                row = [Span(word.lstrip(), colour, bold)]
            elif word:
                row.append(Span(word, colour, bold))
        yield row


def _look(codes: list[str], colour: str, bold: bool) -> tuple[str, bool]:
    """Return how characters look after an escape."""
    for code in codes:
        if code in ("", "0", "39"):
            colour = TEXT
        colour = COLOURS.get(code, colour)
        bold = code == "1" or (bold and code not in ("", "0", "22"))
    return colour, bold


def svg(text: str) -> str:
    """Return the picture; each word has its place, so that any monospaced font will do."""
    rows = list(lines(text))
    width, height = int(2 * LEFT + COLUMNS * CHARACTER), TOP + LINE * len(rows)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
                ' role="img" font-family="ui-monospace, SFMono-Regular, Menlo, monospace" font-size="14">'
            ),
            "<title>poetry lambda-bundle in a terminal</title>",
            f'<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>',
            f'<path d="M0 32V10A10 10 0 0 1 10 0H{width - 10}A10 10 0 0 1 {width} 10V32Z" fill="{BAR}"/>',
            *(f'<circle cx="{x}" cy="16" r="6" fill="#6e7681"/>' for x in (20, 40, 60)),
            *(line for number, row in enumerate(rows) for line in _drawn(row, TOP + LINE * number)),
            "</svg>\n",
        ]
    )


def _drawn(row: list[Span], y: int) -> Iterator[str]:
    column = 0
    for text, colour, bold in row:
        word = text.lstrip()
        x = LEFT + CHARACTER * (column + len(text) - len(word))
        weight = ' font-weight="bold"' if bold else ""
        if word:
            yield (
                f'<text x="{x:.1f}" y="{y}" textLength="{CHARACTER * len(word):.1f}" fill="{colour}"{weight}>'
                f"{escape(word, quote=False)}</text>"
            )
        column += len(text)


if __name__ == "__main__":
    PICTURE.write_text(svg(session()), encoding="utf-8")
