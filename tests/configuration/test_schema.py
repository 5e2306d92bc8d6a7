"""The JSON schema of the table: what editors hold it against, and what the plugin itself takes, are one."""

from __future__ import annotations

import json
import re
import sys

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jsonschema import Draft7Validator

from poetry_lambda_plugin.configuration.bundles import bundle_configs
from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.schema import FILE
from poetry_lambda_plugin.configuration.schema import NAME
from poetry_lambda_plugin.configuration.schema import SHAPES
from poetry_lambda_plugin.configuration.schema import schema
from poetry_lambda_plugin.configuration.schema import written
from poetry_lambda_plugin.exceptions import LambdaBundleError
from tests.documents import documents


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


ROOT = Path(__file__).parents[2]
EXAMPLES = [
    example
    for path in documents()
    for example in re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
]

VALIDATOR = Draft7Validator(schema())


def takes(table: object) -> bool:
    """Tell whether the plugin takes a table."""
    try:
        bundle_configs(table, {}, (), root=Path("/project"), cwd=Path("/project"), made=False)
    except LambdaBundleError:
        return False
    return True


def test_file_is_what_the_table_of_keys_makes() -> None:
    """The file that is shipped is written anew when a key is added, changed or dropped."""
    assert FILE.read_text("utf-8") == written(), "run `python -m poetry_lambda_plugin.configuration.schema`"


def test_schema_is_one() -> None:
    """It is a schema of draft 7, has each key with a help of its own, and says what readers take."""
    Draft7Validator.check_schema(schema())

    assert schema()["definitions"].keys() == {*KEYS, "bundle"}
    assert all(
        schema()["definitions"][name]["description"].startswith(key.help) for name, key in KEYS.items()
    )
    assert {key.name for key in KEYS.values() if key.reader not in SHAPES} == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_examples_of_the_documents_are_valid(example: str) -> None:
    """What the documents show can be copied."""
    table = tomllib.loads(example).get("tool", {}).get(NAME)
    if table is not None:
        VALIDATOR.validate(table)
        assert takes(table)


def test_there_are_examples() -> None:
    """The test above holds something against the schema."""
    assert sum(f"[tool.{NAME}" in example for example in EXAMPLES) >= 5


VALUES: tuple[Any, ...] = (
    *(
        True,
        False,
        0,
        1,
        2,
        3,
        -1,
        262144000,
        "",
        "x",
        "none",
        "all",
        "auto",
        [],
        [""],
        ["x"],
        ["x", "y"],
        [1],
    ),
    *("python3.13", "python3.6", "python3.5", "python3.99", "python3.100", "python3", "nodejs22.x"),
    *("x86_64", "arm64", "arm65", ["x86_64", "arm64"], ["arm65"]),
    *("200MB", "200 mb", "1.5 GB", " 7 ", "12 TB", "MB", "-1"),
    *(
        "checked-hash",
        "unchecked-hash",
        "python",
        "version-specific",
        {},
        {"path": "a"},
        {"path": "a", "to": "b"},
    ),
    *([{"path": "a", "to": "b"}, "c:d"], {"to": "b"}, {"path": "a", "too": "b"}, [{"path": ""}], [["x"]]),
    *(
        "a.b",
        "a/b.c",
        "a",
        "a.b.c",
        "a:b",
        ".a.b",
        "a b.c",
        "a.1",
        "a.b/c",
        "a\\b.c",
        "a." + "b" * 130,
        "ä.ö",
    ),
    *("secret", "secret:a/b", "secret:", "secrets", ["secret", "layer-empty:x"], ["nonsense"]),
    *("@tests", ["@docs", "!x/"], "@test", "botocore/data/"),
)


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_schema_takes_what_the_plugin_takes(key: Any) -> None:
    """Each value is valid by both or by none; what names are there in the project is beyond a schema."""

    def reads(value: object) -> bool:
        try:
            key.reader(value, key.name)
        except LambdaBundleError:
            return False
        return True

    assert {repr(value): VALIDATOR.is_valid({key.name: value}) for value in VALUES} == {
        repr(value): reads(value) for value in VALUES
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param({"handlr": "a.b"}, "'handlr' was unexpected", id="unknown-key"),
        pytest.param({"bundles": {"api": {"bundles": {}}}}, "'bundles' was unexpected", id="nested"),
        pytest.param({"bundles": {"a b": {}}}, "'a b' does not match", id="name"),
        pytest.param({"bundles": {"api": {"layer": 1}}}, "1 is not of type 'boolean'", id="bundle"),
        pytest.param({"all-extras": True, "extras": ["x"]}, "should not be valid under", id="rivals"),
        pytest.param(
            {"bundles": {"api": {"only-root": True, "no-root": True}}},
            "should not be valid",
            id="bundle-rivals",
        ),
    ],
)
def test_wrong_tables_are_told(table: dict[str, Any], words: str) -> None:
    """What would be an error of a run is one in the editor."""
    (error,) = VALIDATOR.iter_errors(table)

    assert words in error.message
    assert not takes(table)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"all-extras": False, "extras": ["x"]}, id="false"),
        pytest.param({"all-extras": True, "extras": []}, id="empty"),
        pytest.param({"all-extras": True, "bundles": {"api": {"extras": ["x"]}}}, id="in-two-tables"),
    ],
)
def test_what_says_nothing_contradicts_nothing(table: dict[str, Any]) -> None:
    """Keys that could be rivals may stand together where one of them is off, or is another bundle's."""
    assert VALIDATOR.is_valid(table)
    assert takes(table)


def test_validate_pyproject_finds_the_schema() -> None:
    """The wheel names a function that returns it, as validate-pyproject asks for by the table's name."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    module, _, name = groups["validate_pyproject.tool_schema"][NAME].partition(":")

    assert getattr(import_module(module), name)(NAME) == json.loads(FILE.read_text("utf-8"))
