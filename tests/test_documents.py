"""The documents hang together: each link leads somewhere, and the README stays one to be read."""

from __future__ import annotations

import re
import unicodedata

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.documents import ROOT
from tests.documents import documents
from tests.documents.terminal import PICTURE
from tests.documents.terminal import lines
from tests.documents.terminal import session
from tests.documents.terminal import svg


if TYPE_CHECKING:
    from pathlib import Path


FENCES = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return what GitHub names the headings of a document, second ones of a name included."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", FENCES.sub("", path.read_text("utf-8")), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN")
        found.append("".join(kept).strip().replace(" ", "-"))
    return {f"{name}-{n}" if n else name for name in found for n in range(found.count(name))}


def leads_nowhere(document: Path, link: str) -> bool:
    """Tell whether a link inside the repository has no file or no heading."""
    name, _, anchor = link.partition("#")
    path = (document.parent / name).resolve() if name else document
    return not path.exists() or bool(anchor and anchor not in anchors(path))


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    """Files and headings that are linked to are there."""
    text = FENCES.sub("", document.read_text("utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"", text)
    inside = [a or b for a, b in links if not re.match(r"[a-z]+:", a or b)]

    assert [link for link in inside if leads_nowhere(document, link)] == []


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        pytest.param("README.md#options-and-keys", False, id="heading"),
        pytest.param("#options-and-keys", False, id="own-heading"),
        pytest.param(".github/CHECKS.md#can-it-run-there", False, id="punctuation"),
        pytest.param("README.md#options", True, id="no-heading"),
        pytest.param(".github/CHECK.md", True, id="no-file"),
        pytest.param("#main-job", True, id="comment"),
    ],
)
def test_links_are_told_apart(link: str, broken: bool) -> None:
    """The test above would see a broken link."""
    assert leads_nowhere(ROOT / "README.md", link) is broken


def test_every_document_is_linked() -> None:
    """Nobody has to know the folder's name."""
    text = "\n".join(path.read_text("utf-8") for path in documents())

    assert [path.name for path in documents()[1:] if not re.search(rf"[(/]{path.name}[#)]", text)] == []


def test_readme_can_be_read_in_one_go() -> None:
    """What is looked up lies in .github/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_rows_have_the_cells_of_their_table(document: Path) -> None:
    """No row of a table has more or fewer cells than its head."""
    text = FENCES.sub("", document.read_text("utf-8"))
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)

    assert [row for table in tables for row in table.splitlines() if row.count("|") != head(table)] == []


def head(table: str) -> int:
    """Return how many bars a table's head has."""
    return table.splitlines()[0].count("|")


def test_picture_of_the_terminal_needs_nothing_else() -> None:
    """It is one file without scripts, fonts or addresses, as GitHub shows no other."""
    text = PICTURE.read_text("utf-8")
    names = {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}

    assert names == {"svg", "title", "rect", "path", "circle", "text"}
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_lines_are_broken_as_in_a_terminal() -> None:
    """A line that is too long goes on in the next one, with its colour."""
    first, second, third = lines(f"\x1b[31;1m{'a' * 60} {'b' * 60}\x1b[39;22m c\n$ d")

    assert ["".join(span.text for span in row) for row in (first, second, third)] == [
        "a" * 60,
        f"{'b' * 60} c",
        "$ d",
    ]
    assert [(span.colour, span.bold) for span in second] == [("#ff8f86", True), ("#e6edf3", False)]
    assert 'fill="#ff8f86" font-weight="bold">aaa' in svg(f"\x1b[31;1m{'a' * 9}")


@pytest.mark.network
def test_picture_of_the_terminal_is_that_of_a_real_run() -> None:
    """What is seen in it is what the command prints."""
    assert svg(session()) == PICTURE.read_text("utf-8"), "run `python -m tests.documents.terminal`"
