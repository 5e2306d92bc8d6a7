"""The licences that a distribution's metadata declares, in the words of SPDX where they are sure."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message


BY_CLASSIFIER = {
    "BlueOak Model License (BlueOak-1.0.0)": "BlueOak-1.0.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.0 (MPL)": "MPL-1.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PostgreSQL License": "PostgreSQL",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "Zero-Clause BSD (0BSD)": "0BSD",
}
"""Classifiers that mean one licence; others, such as "BSD License", mean any of several (PEP 639)."""

IDENTIFIERS = frozenset(BY_CLASSIFIER.values()) | {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "PSF-2.0",
    "Python-2.0",
    "ZPL-2.1",
    "Zlib",
}
"""What is taken for an identifier of SPDX: a list of our own, since theirs grows, and the bytes must not."""

OPERATORS = re.compile(r"\s+(?:AND|OR)\s+")
MAX_NAME = 100
"""Characters of a name; what is longer is a licence's text."""


class Licence(NamedTuple):
    """A licence in one of the three ways in which CycloneDX has it."""

    kind: Literal["expression", "id", "name"]
    text: str


def licences(metadata: Message) -> tuple[Licence, ...]:
    """Return what core metadata declares: an expression alone, or one licence or several.

    License-Expression (PEP 639) is believed; of older fields, what names one licence for sure comes before
    what a person has to make sense of.
    """
    expression = _line(metadata.get("License-Expression"))
    if expression:
        return (Licence("id" if expression in IDENTIFIERS else "expression", expression),)
    written = _written(str(metadata.get("License", "")))
    names = tuple(dict.fromkeys(_classified(metadata)))
    known = tuple(Licence("id", BY_CLASSIFIER[name]) for name in names if name in BY_CLASSIFIER)
    if written and written.kind != "name":
        return (written,)
    if known and len(known) == len(names):
        return known
    return (written,) if written else tuple(Licence("name", name) for name in names)


def _written(text: str) -> Licence | None:
    """Read the field License, which may hold a name, an identifier or the licence itself."""
    lines = [line for line in map(_line, text.splitlines()) if line]
    if not lines or lines[0].upper() == "UNKNOWN":
        return None
    parts = [part.strip("()") for part in OPERATORS.split(lines[0])]
    if len(lines) == 1 and IDENTIFIERS.issuperset(parts):
        return Licence("id" if lines[0] in IDENTIFIERS else "expression", lines[0])
    return Licence("name", lines[0][:MAX_NAME])


def _classified(metadata: Message) -> Iterator[str]:
    for classifier in metadata.get_all("Classifier", ()):
        kind, *_, name = map(_line, str(classifier).split("::"))
        if kind == "License" and name not in ("License", "OSI Approved"):
            yield name


def _line(text: object) -> str:
    return " ".join(str(text or "").split())
