"""The JSON schema of [tool.poetry-lambda-plugin], made of the table of keys (JSON Schema draft 7).

`schema.json` beside this module is what editors read; `python -m poetry_lambda_plugin.configuration.schema`
writes it anew.
"""

from __future__ import annotations

import json

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.configuration import readers
from poetry_lambda_plugin.configuration.bundles import BUNDLE_NAME
from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.values import ALL
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import LAYER_PATHS
from poetry_lambda_plugin.configuration.values import MODES
from poetry_lambda_plugin.configuration.values import NONE
from poetry_lambda_plugin.configuration.values import OPTIMIZATIONS
from poetry_lambda_plugin.configuration.values import REACHABLE
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.findings import CODES
from poetry_lambda_plugin.layout.filters import SETS
from poetry_lambda_plugin.runtime.runtimes import ARCHITECTURES
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.keys import Key

    Schema: TypeAlias = dict[str, Any]


FILE = Path(__file__).with_name("schema.json")

NAME = TABLE.rpartition(".")[2]

WORDS: Schema = {"type": "string", "minLength": 1}


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _listed(item: Schema, least: int = 0) -> Schema:
    """Allow one value, or a list of at least so many."""
    return _any(item, {"type": "array", "items": item, **({"minItems": least} if least else {})})


def _known(names: Iterable[str], pattern: str) -> Schema:
    """Let editors complete names, and allow what a pattern does besides."""
    return _any({"enum": list(names)}, {"type": "string", "pattern": pattern})


SHAPES: Mapping[Callable[[object, str], object], Schema] = {
    readers.runtime: _known(
        [runtime.name for runtime in reversed(RUNTIMES)],
        # one that AWS may yet announce
        rf"^python3\.({RUNTIMES[-1].python[1] + 1}|[2-9][0-9])$",
    ),
    readers.architectures: _listed({"enum": list(ARCHITECTURES)}, least=1),
    readers.string: WORDS,
    readers.strings: _listed(WORDS),
    readers.package_names: _listed(WORDS),
    readers.boolean: {"type": "boolean"},
    readers.includes: _listed(
        _any(
            WORDS,
            {
                "type": "object",
                "properties": {"path": WORDS, "to": WORDS},
                "required": ["path"],
                "additionalProperties": False,
            },
        )
    ),
    readers.patterns: _listed(_known([f"@{name}" for name in SETS], "^[^@]")),
    readers.layer_path: {"enum": list(LAYER_PATHS)},
    readers.size: _any(
        {"enum": [NONE]},
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([KkMmGg][Bb])?\s*$"},
    ),
    readers.bytecode: {"enum": list(MODES)},
    readers.optimization: {"enum": list(OPTIMIZATIONS)},
    readers.handler: {
        "type": "string",
        "maxLength": readers.MAX_HANDLER,
        "pattern": r"^[^\s:\\./][^\s:\\]*\.[^\s:\\./0-9][^\s:\\./]*$",
    },
    readers.modules: _any({"enum": [ALL, REACHABLE]}, _listed(WORDS, least=1)),
    readers.ignored: _listed(_known(CODES, f"^({'|'.join(CODES)}):.+$")),
}
"""What each reader takes, as far as a schema can tell; some of them refuse more."""

TYPES: Mapping[str, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "list": _listed(WORDS),
    "string": WORDS,
    "string or integer": _any(WORDS, {"type": "integer"}),
    "string or list": _listed(WORDS),
}
"""What a key takes whose reader is not told of."""


def schema() -> Schema:
    """Return the schema in the form in which SchemaStore has those of single tables of pyproject.toml."""
    properties = {name: {"$ref": f"#/definitions/{name}"} for name in KEYS}
    bundles = {
        "type": "object",
        "title": "Several bundles from one lock",
        "description": "A table for each, with the same keys; they beat those of the table above.",
        "additionalProperties": False,
        "patternProperties": {f"^{BUNDLE_NAME.pattern}$": {"$ref": "#/definitions/bundle"}},
    }
    rivals = [_not_both(key.name, rival) for key in KEYS.values() for rival in key.rivals]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"https://json.schemastore.org/partial-{NAME}.json",
        "title": "AWS Lambda bundles of a Poetry project",
        "description": "What `poetry lambda-bundle` puts into ZIPs, and for which runtime.",
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties, BUNDLES: bundles},
        "allOf": rivals,
        "definitions": {
            **{name: _of_key(key) for name, key in KEYS.items()},
            "bundle": {
                "type": "object",
                "additionalProperties": False,
                "properties": properties,
                "allOf": rivals,
            },
        },
    }


def tool_schema(tool: str) -> Schema:
    """Return the schema of [tool.poetry-lambda-plugin] to validate-pyproject."""
    del tool
    return schema()


def _of_key(key: Key) -> Schema:
    needs = f" Needs {key.needs}." if key.needs else ""
    told = {"title": key.name, "description": f"{key.help}{needs}", **_default(key)}
    return {**told, **SHAPES.get(key.reader, TYPES[key.type])}


def _default(key: Key) -> Schema:
    """Return what a key has where it is not written, unless that is something to be worked out."""
    config = asdict(BundleConfig())
    value = {**config["selection"], **config}[key.field]
    if isinstance(value, tuple):
        value = value[0] if len(value) == 1 else list(value)
    return {} if value is None else {"default": value}


def _not_both(one: str, other: str) -> Schema:
    """Forbid two keys where both say something: false and an empty list say nothing."""
    said = {"not": {"enum": [False, []]}}
    return {"not": {"required": [one, other], "properties": {one: said, other: said}}}


def written() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
