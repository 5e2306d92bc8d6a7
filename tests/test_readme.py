"""The documents tell what the code does: their tables have each option, key, set and field, and no other."""

from __future__ import annotations

import json
import re

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

import poetry_lambda_plugin

from poetry_lambda_plugin.commands.bundle import BundleCommand
from poetry_lambda_plugin.commands.check import CheckCommand
from poetry_lambda_plugin.commands.verify import VerifyCommand
from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.keys import OPTIONS
from poetry_lambda_plugin.configuration.placeholders import PLACEHOLDERS
from poetry_lambda_plugin.findings import CODES
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.runtime.runtimes import RUNTIME_PACKAGES
from tests.documents import documents
from tests.documents.options_table import default_words
from tests.documents.options_table import with_table
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import run
from tests.support.wheels import MadeFile


if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.configuration.keys import Key
    from tests.support.projects import Project


PACKAGE = Path(poetry_lambda_plugin.__file__).parent
DOCUMENTS = "\n".join(path.read_text(encoding="utf-8") for path in documents())
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_table_of_options_is_what_the_table_of_keys_makes() -> None:
    """The table is written anew when a key or an option is added, changed or dropped."""
    assert with_table(README) == README, "run `python -m tests.documents.options_table`"


def test_lists_every_option() -> None:
    """The table has each option of the command, with its shortcut, and no other."""
    defined = {(o.shortcut, o.name) if o.shortcut else (o.name,) for o in BundleCommand.options}

    assert {spelled(row[0]) for row in table("Options and keys") if row[0]} == defined


def test_lists_every_key() -> None:
    """The table has each key that is read, once, with its type, and no other."""
    named = [(row[1].strip("`"), row[2]) for row in table("Options and keys") if row[1]]

    assert sorted(named) == sorted((key.name, key.type) for key in KEYS.values())


@pytest.mark.parametrize("option", BundleCommand.options, ids=lambda option: option.name)
def test_option_is_described_as_in_help(option: Option) -> None:
    """An option's row begins with what the key's help says, and goes on with what has no room there."""
    # Poetry's own words for groups are no business of ours
    said = OPTIONS[option.name].help if option.name in OPTIONS else option.description

    assert without_markup(option_rows()[option.name]).startswith(said)


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_key_is_described_by_its_help(key: Key) -> None:
    """A key's row begins with its help, and is that of its option."""
    row = key_rows()[key.name]

    assert without_markup(row).startswith(key.help)
    assert key.option is None or option_rows()[key.option] == row


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_default_of_a_key_is_told(key: Key) -> None:
    """A default that is a value, rather than nothing or false, is in the row."""
    assert re.findall(r"Default: `([\w.-]+)`", key_rows()[key.name]) == default_words(key)


def test_default_of_the_format_is_told() -> None:
    """The options that are no keys have their defaults told too."""
    others = {o.name: o for o in BundleCommand.options if o.name not in OPTIONS and o.default}

    assert {name: f"Default: `{o.default}`" in option_rows()[name] for name, o in others.items()} == {
        "format": True
    }


def test_tells_which_options_may_be_repeated() -> None:
    """The sentence below the options names those that take several values."""
    (sentence,) = re.findall(r"^(`--[^.]*) may be repeated", section("Options and keys"), re.MULTILINE)

    assert set(re.findall(r"`--([a-z-]+)`", sentence)) == {
        o.name for o in BundleCommand.options if o.is_list()
    }


def test_lists_every_placeholder() -> None:
    """The placeholders of an output are all told."""
    assert set(re.findall(r"`\{(\w+)\}`", section("Output"))) == set(PLACEHOLDERS)


def test_lists_every_set() -> None:
    """The table of sets has each with its patterns."""
    rows = table("Sets of patterns")

    assert {name.strip("`@"): tuple(re.findall(r"`([^`]+)`", patterns)) for name, patterns in rows} == SETS


def test_lists_every_runtime_package() -> None:
    """What --exclude-runtime-packages leaves out is told."""
    assert set(re.findall(r"[a-z0-9-]+", section("Packages"))) >= RUNTIME_PACKAGES


def test_lists_every_field_of_the_json_report(locked_project: Project) -> None:
    """The schema has each field of a real report, and no other."""
    locked_project.write({"notes.md": "something that @docs would save"})
    bundle("-o", "old.zip", "--exclude-package", "greeting")
    explained = bundle(
        *("--format", "json", "--include", "notes.md", "--exclude", "greeting/*"),
        *("--explain", "--diff", "old.zip"),
    )
    without = bundle("--format", "json", "--exclude-package", "greeting")
    named = [row[0].strip("`") for row in table("JSON report")]

    found = {path.replace(".paths.greeting", ".paths.NAME") for path in fields(json.loads(explained.output))}
    found |= {path for path in fields(json.loads(without.output)) if ".left_out_packages[]" in path}
    # lists that are empty here
    found |= {f"bundles[].{field}[]" for field in ("warnings", "notes", "explanation.unimported_packages")}
    found |= {f"bundles[].findings[].{field}" for field in Finding._fields}
    found |= {f"bundles[].layers[].{field}" for field in ("bundle", "path", "unzipped_bytes")}
    assert sorted(named) == sorted(found)


def test_lists_every_field_of_the_list(locked_project: Project) -> None:
    """The table has each field of a real list, and no other."""
    locked_project.pyproject(config='exclude-layers = ["layer.zip"]')
    locked_project.lock()
    named = [row[0].strip("`") for row in table("The list of bundles")]

    assert sorted(named) == sorted({*fields(json.loads(bundle("--list", "--format", "json").output))})


def test_lists_every_option_of_the_check() -> None:
    """Its first table has each option of the command, and no other."""
    rows = tables(r"Can it run there\?")[0]

    assert sorted(name for row in rows for name in spelled(row[0])) == sorted(
        o.name for o in CheckCommand.options
    )


def test_lists_every_field_of_the_check(locked_project: Project) -> None:
    """Its second table has each field of a real document, and no other."""
    package = Locked.of(MadeFile("odd-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", b""))
    locked_project.pyproject(dependencies=["odd"])
    locked_project.lock([package])
    found = set(fields(json.loads(run("lambda-check", "--format", "json").output)))

    assert sorted(row[0].strip("`") for row in tables(r"Can it run there\?")[1]) == sorted(found)


def test_lists_every_option_of_the_verification() -> None:
    """Its second table has each option of the command, and no other."""
    rows = tables(r"Is that what is deployed\?")[1]

    assert sorted(name for row in rows for name in spelled(row[0])) == sorted(
        o.name for o in VerifyCommand.options
    )


def test_lists_every_field_of_the_verification(locked_project: Project) -> None:
    """Its third table has each field of a real document, and no other."""
    assert bundle("-o", "function.zip").exit_code == 0
    outcome = run("lambda-verify", "function.zip", "--no-root", "--format", "json")

    rows = tables(r"Is that what is deployed\?")[2]
    assert sorted(row[0].strip("`") for row in rows) == sorted(set(fields(json.loads(outcome.output))))


def test_lists_every_code_of_a_warning() -> None:
    """Each code that a finding is made with has its row and can be ignored, and no other."""
    sources = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    codes = {code for text in sources for code in re.findall(r'(?:Finding|Trouble)\(\s*"([a-z-]+)"', text)}
    named = {code for row in table("Codes of warnings") for code in re.findall(r"`([a-z-]+)`", row[0])}

    assert named == codes == set(CODES)


def spelled(cell: str) -> tuple[str, ...]:
    """Return the shortcut, if there is one, and the name of an option."""
    return tuple(re.findall(r"(?<![\w-])--?([a-zA-Z0-9-]+)", cell))


def option_rows() -> dict[str, str]:
    """Return what is said of each option."""
    return {spelled(row[0])[-1]: row[3] for row in table("Options and keys") if row[0]}


def key_rows() -> dict[str, str]:
    """Return what is said of each key."""
    return {row[1].strip("`"): row[3] for row in table("Options and keys") if row[1]}


def without_markup(text: str) -> str:
    """Return a cell's text without Markdown's marks."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def section(heading: str) -> str:
    """Return the text from a heading, which one document has, to the next one."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##?|\Z)", DOCUMENTS, re.MULTILINE | re.DOTALL)
    return str(section)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading as one, without the head of the first."""
    rows = [line for line in section(heading).splitlines() if line.startswith("|")]
    return cells(rows[2:])


def tables(heading: str) -> list[list[list[str]]]:
    """Return the cells of each table below a heading, without its head."""
    found = re.findall(r"(?:^\|.*\n)+", section(heading), re.MULTILINE)
    return [cells(text.splitlines()[2:]) for text in found]


def cells(rows: list[str]) -> list[list[str]]:
    """Return the cells of rows."""
    return [[cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|")] for row in rows]


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every scalar in a document, `[]` standing for the elements of a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from fields(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from fields(item, f"{path}[]")
    else:
        yield path
