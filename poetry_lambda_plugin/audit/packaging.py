"""What two installations of one distribution may differ in without being other code: who packed it."""

from __future__ import annotations

import ast
import re

from configparser import ConfigParser
from configparser import Error as ConfigParserError
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from installer.utils import parse_entrypoints
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion
from packaging.version import Version

from poetry_lambda_plugin.layout.python_source import parsed
from poetry_lambda_plugin.layout.wheel import INSTALLER_FILES
from poetry_lambda_plugin.layout.wheel import SIGNATURES


if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message


INSTALLERS_OWN = INSTALLER_FILES | SIGNATURES | {"RECORD", "uv_build.json", "uv_cache.json"}
"""Files of a `.dist-info` that tell of an installation, and that no code of the distribution is in."""

BUILDERS_OWN = ("license", "licence", "copying", "notice", "authors", "top_level.txt", "zip-safe", "sboms/")
"""How paths in a `.dist-info` begin, in small letters, that each builder of a project chooses itself."""

LOCK = ".lock"
"""Left empty by uv in a folder that it installs to."""

SCRIPT_LINES = frozenset(
    {
        "import re",
        "import sys",
        "if __name__ == '__main__':",
        "sys.argv[0] = re.sub('(-script\\\\.pyw|\\\\.exe)?$', '', sys.argv[0])",
        "sys.argv[0] = re.sub('(-script\\\\.pyw?|\\\\.exe)?$', '', sys.argv[0])",
        "if sys.argv[0].endswith('-script.pyw'):",
        "sys.argv[0] = sys.argv[0][:-11]",
        "if sys.argv[0].endswith('.exe'):",
        "elif sys.argv[0].endswith('.exe'):",
        "sys.argv[0] = sys.argv[0][:-4]",
        "sys.argv[0] = sys.argv[0].removesuffix('.exe')",
    }
)
"""What pip, uv, installer, distlib and we write into the script of an entry point besides the call."""

MAX_SCRIPT = 1 << 16
"""Bytes; none that an installer makes has so many."""

LONG_INTERPRETER = re.compile(r"""exec' ("?)[\w./+ -]+\1 "\$0" "\$@"\n'\s*""")
"""What a shell reads of the lines that start an interpreter, and Python takes for a text."""


def same_wheel_file(one: bytes, other: bytes) -> bool:
    """Tell whether two WHEEL files differ in nothing but who made the wheel, and the order of tags."""
    return _fields(one, "generator") == _fields(other, "generator")


def wheel_tags(text: bytes) -> frozenset[str]:
    """Return the tags that a WHEEL file names."""
    return frozenset(str(tag).strip() for tag in _message(text).get_all("Tag", []))


def same_metadata(one: bytes, other: bytes) -> bool:
    """Tell whether two METADATA files are of one release with the same requirements.

    What is written for readers (summary, authors, licence, description) is passed over: builders choose it.
    """
    return _release_facts(_message(one)) == _release_facts(_message(other))


def same_entry_points(one: bytes, other: bytes) -> bool:
    """Tell whether two `entry_points.txt` name the same objects."""
    first, second = _entry_points(one), _entry_points(other)
    return first is not None and first == second


def console_scripts(text: bytes) -> Mapping[str, tuple[str, str]]:
    """Return the module and attribute of each script that an installer makes of `entry_points.txt`."""
    try:
        points = list(parse_entrypoints(text.decode()))
    except (UnicodeDecodeError, ConfigParserError, AssertionError, AttributeError):
        return {}
    return {name: (module, attribute) for name, module, attribute, _ in points}


def is_made_script(text: bytes, module: str, attribute: str) -> bool:
    """Tell whether a script does nothing but call an entry point, as installers write it."""
    tree = parsed(text) if len(text) <= MAX_SCRIPT else None
    if tree is None:
        return False
    tree.body = [node for node in tree.body if not _is_long_interpreter(node)]
    lines = [line.strip() for line in ast.unparse(tree).splitlines() if line.strip()]
    call = {f"from {module} import {attribute.partition('.')[0]}", f"sys.exit({attribute}())"}
    return call <= {*lines} <= call | SCRIPT_LINES


def is_same_script(text: bytes, wheels: bytes) -> bool:
    """Tell whether two scripts differ in the line alone that names the interpreter (PEP 427)."""
    first, _, rest = wheels.partition(b"\n")
    return first.startswith(b"#!python") and text.startswith(b"#!") and text.partition(b"\n")[2] == rest


def _is_long_interpreter(node: ast.stmt) -> bool:
    """Tell whether a statement is what follows `#!/bin/sh` where a path is too long for that line."""
    value = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None
    return isinstance(value, str) and LONG_INTERPRETER.fullmatch(value) is not None


def _message(text: bytes) -> Message:
    return HeaderParser().parsestr(text.decode("utf-8", "replace"))


def _fields(text: bytes, without: str) -> list[tuple[str, str]]:
    fields = [(name.lower(), str(value).strip()) for name, value in _message(text).items()]
    return sorted(field for field in fields if field[0] != without)


def _release_facts(message: Message) -> tuple[object, ...]:
    """Return what pip and importlib.metadata go by."""
    requirements = {_requirement(str(value)) for value in message.get_all("Requires-Dist", [])}
    extras = {canonicalize_name(str(value)) for value in message.get_all("Provides-Extra", [])}
    return (
        canonicalize_name(str(message.get("Name", ""))),
        _version(str(message.get("Version", ""))),
        _specifiers(str(message.get("Requires-Python", ""))),
        requirements,
        extras,
    )


def _requirement(text: str) -> tuple[object, ...]:
    """Return what a requirement asks for; from a path or an address that is only a name."""
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return (text,)
    marker = str(found.marker).replace('"', "'") if found.marker else None
    return canonicalize_name(found.name), frozenset(found.extras), str(found.specifier), marker


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text


def _specifiers(text: str) -> SpecifierSet | str:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return text


def _entry_points(text: bytes) -> Mapping[str, Mapping[str, str]] | None:
    """Return references by group and name; None where they can't be read."""
    parser = ConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text.decode())
        return {g: {n: "".join(ref.split()) for n, ref in parser.items(g)} for g in parser.sections()}
    except (UnicodeDecodeError, ConfigParserError):
        return None
