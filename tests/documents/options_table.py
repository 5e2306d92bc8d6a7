"""The README's table of options and keys, made of the table of keys.

    python -m tests.documents.options_table

writes it anew between its two markers in the README.
"""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.commands.options import RUN_OPTIONS
from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.values import BundleConfig
from tests.documents import ROOT


if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleo.io.inputs.option import Option

    from poetry_lambda_plugin.configuration.keys import Key


README = ROOT / "README.md"
BEGIN = "<!-- options: made by tests/documents/options_table.py -->\n"
END = "<!-- options: end -->\n"

MORE = {
    "runtime": "See [the runtime](.github/BUNDLES.md#the-runtime).",
    "architecture": "Then there is one ZIP for each.",
    "output": "See [output](.github/BUNDLES.md#output).",
    "sbom": "See [what is in it](.github/REPORT.md#what-is-in-it).",
    "unpacked": "See [a folder instead of a ZIP](.github/DEPLOYING.md#a-folder-instead-of-a-zip).",
    "include": "In the table also `{ path = …, to = … }`. "
    "See [files of the project](.github/BUNDLES.md#files-of-the-project).",
    "exclude": "Or a [set](.github/BUNDLES.md#sets-of-patterns) of them, such as `@tests`.",
    "exclude-packages": "See [packages](.github/BUNDLES.md#packages).",
    "exclude-runtime-packages": "What only they need goes too.",
    "exclude-layers": "See [layers](.github/BUNDLES.md#layers).",
    "shared-by": "See [monorepo](.github/DEPLOYING.md#monorepo).",
    "botocore-services": "Default: all. See [AWS services](.github/BUNDLES.md#aws-services).",
    "max-size": "Bytes, or with `KB`, `MB` or `GB`. See [size](.github/BUNDLES.md#size).",
    "bytecode": "See [bytecode](.github/BUNDLES.md#bytecode).",
    "handler": "Its module must be in the bundle or its layers, and bind the function.",
    "modules": (
        '`"reachable"`: those that `handler` leads to. Default: all of them. '
        "See [files of the project](.github/BUNDLES.md#files-of-the-project)."
    ),
    "scripts": "Else they are left out.",
    "audit": "As a key, `audit = false`. See [checks](.github/CHECKS.md#what-is-known-before-you-deploy).",
    "ignore": "One that silences nothing is told. See [codes](.github/CHECKS.md#codes-of-warnings).",
    "diff": "A ZIP, which may be the very output.",
    "explain": "See [what takes the room](.github/REPORT.md#what-takes-the-room).",
    "report": "See [a page to look at](.github/REPORT.md#a-page-to-look-at).",
    "format": "See [reports](.github/REPORT.md).",
    "smoke-test": "See [smoke test](.github/CHECKS.md#smoke-test).",
    "env": "Nothing of your own environment is passed on.",
    "timeout": "30, if you don't say.",
    "dry-run": "Sizes are told if Poetry's cache has all files.",
    "watch": "See [while you write](.github/BUNDLES.md#while-you-write).",
    "list": "See [the list of bundles](.github/REPORT.md#the-list-of-bundles).",
}
"""What is said of a key or an option after its help, by the name of the key or else of the option."""

CODE = re.compile(
    r"\b(python3\.13|x86_64|arm64|PATH:TO|PATH(?!:)|200MB|none(?= for)|checked-hash|unchecked-hash"
    r"|PYTHONOPTIMIZE|NAME=VALUE|FILE\.html|CODE:WHERE|CODE(?!:)|text|json|markdown"
    r"|version-specific|python(?= or version)|bin/)|\{\w+\}|\"\w+\""
)
"""The words of the helps that are no English."""


def table() -> str:
    """Return the table with a row for each key and each option that is none, in the order of `--help`."""
    return "\n".join(["| Option | Key | Type | Meaning |", "|---|---|---|---|", *_rows(), ""])


def default_words(key: Key) -> list[str]:
    """Return how the default of a key is written, nothing where it is none, false or empty."""
    config = BundleConfig()
    default = getattr(config if hasattr(config, key.field) else config.selection, key.field)
    if default is None or isinstance(default, bool):
        return []
    return [str(value) for value in (default if isinstance(default, tuple) else [default])]


def with_table(text: str) -> str:
    """Return the README's text with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def _rows() -> Iterator[str]:
    for key in KEYS.values():
        needs = f"Needs `{key.needs}`." if key.needs else ""
        defaults = [f"Default: `{word}`." for word in default_words(key)]
        meaning = [_coded(key.help), needs, *defaults, MORE.get(key.name, "")]
        yield _row(_spelled(key.option, key.shortcut), f"`{key.name}`", key.type, meaning)
        for option in RUN_OPTIONS.get(key.option or "", ()):
            yield _row(_spelled(option.name, option.shortcut), "", "", _told(option))


def _told(option: Option) -> list[str]:
    default = f"Default: `{option.default}`." if isinstance(option.default, str) else ""
    return [_coded(option.description), default, MORE.get(option.name, "")]


def _row(option: str, key: str, type_: str, meaning: list[str]) -> str:
    return f"| {option} | {key} | {type_} | {' '.join(filter(None, meaning))} |"


def _spelled(name: str | None, shortcut: str | None) -> str:
    if name is None:
        return ""
    return f"`-{shortcut}`, `--{name}`" if shortcut else f"`--{name}`"


def _coded(text: str) -> str:
    """Mark up the words of a help that are no English."""
    return CODE.sub(r"`\g<0>`", text)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), encoding="utf-8")
