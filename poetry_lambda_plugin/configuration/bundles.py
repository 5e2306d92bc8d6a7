"""[tool.poetry-lambda-plugin] and the command line, joined to one frozen value per bundle."""

from __future__ import annotations

import os
import re
import string

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import mapping
from poetry_lambda_plugin.configuration.readers import unknown
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Sequence
    from typing import TypeAlias


Given: TypeAlias = "Mapping[str, Any]"
"""What one origin (the table, a bundle's, the command line) says: values by key, read and checked."""

BUNDLE_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"

PLACEHOLDERS = ("name", "version", "runtime", "architecture", "bundle")
"""What an output is filled in with."""


class ContradictionError(LambdaBundleError):
    """Keys or options that can't both be meant."""


def bundle_configs(
    table: object, options: Given, bundles: Sequence[str], *, root: Path, cwd: Path, made: bool = True
) -> tuple[BundleConfig, ...]:
    """Join the project's table with the options; an option beats a bundle's key, which beats the table's.

    `table` is what pyproject.toml has under [tool.poetry-lambda-plugin]; `bundles` are those named on the
    command line, all that the table has where none is. A relative output is relative to the project's
    `root`, an option's to `cwd`; so are the paths of included files. What is not to be `made` may lack keys
    that others need. Raises ConfigError and ContradictionError.
    """
    tables = dict(mapping(table, TABLE))
    own_tables = mapping(tables.pop(BUNDLES, {}), f"{TABLE}.{BUNDLES}")
    common = _table_values(tables, TABLE, root)
    typed = _with_includes_from(_with_absolute_paths(options, cwd), cwd, root)
    _check_rivals(typed, "--")
    own = {name: _bundle_values(name, value, root) for name, value in own_tables.items()}
    for name in bundles:
        if name not in own:
            raise ConfigError(_unknown_bundle(name, own))
    merged: dict[str | None, Given] = {name: _merged(common, given, typed) for name, given in own.items()}
    merged = merged or {None: _merged(common, typed)}
    if made:
        _check_needs(common, f"{TABLE}.", merged.values())
    for name, given in own.items() if made else ():
        _check_needs(given, f"{TABLE}.{BUNDLES}.{name}.", [merged[name]])
    chosen: tuple[str | None, ...] = (*dict.fromkeys(bundles),) or (*merged,)
    others = len(merged) - len(chosen)
    return tuple(
        _config(name, merged[name], ignore_is_shared=others > 0 and "ignore" not in own.get(name or "", ()))
        for name in chosen
    )


def checked_options(options: Mapping[str, object]) -> Given:
    """Check what was typed, by key, as a table's values are checked; errors name the option."""
    return {name: KEYS[name].reader(value, f"--{KEYS[name].option}") for name, value in options.items()}


def output_path(config: BundleConfig, default_folder: Path, values: Mapping[str, str]) -> Path:
    """Fill in an output's placeholders; raises ConfigError for one that does not exist."""
    output = config.output
    if output is None:
        name = "{bundle}" if config.bundle else "{name}-layer" if config.layer else "{name}"
        suffix = "-{architecture}" if len(config.architectures) > 1 else ""
        output = _literal(default_folder) / f"{name}{suffix}.zip"
    template = str(output)
    try:
        parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ConfigError(f"The output {template!r} can't be understood: {error}.") from None
    for _, field, format_spec, conversion in parts:
        written = (
            f"{field}{'!' if conversion else ''}{conversion or ''}{':' if format_spec else ''}{format_spec}"
        )
        if written not in values:
            names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ConfigError(
                f"The output {template!r} has an unknown placeholder {{{written}}}. Known: {names}."
            )
    return type(output)(os.path.normpath(template.format_map(values)))


def _table_values(table: Mapping[str, object], where: str, root: Path) -> Given:
    values = {}
    for name, value in table.items():
        if name not in KEYS:
            raise ConfigError(_unknown_key(name, value, where))
        values[name] = KEYS[name].reader(value, f"{where}.{name}")
    given = _with_absolute_paths(values, root)
    _check_rivals(given, f"{where}.")
    return given


def _bundle_values(name: str, table: object, root: Path) -> Given:
    where = f"{TABLE}.{BUNDLES}.{name}"
    if not re.fullmatch(BUNDLE_NAME, name):
        raise ConfigError(f"{where}: a bundle's name has letters, digits, '.', '_' and '-' only.")
    return _table_values(mapping(table, where), where, root)


def _unknown_key(name: str, value: object, where: str) -> str:
    if where == TABLE and isinstance(value, Mapping):
        # [….bundle.api] or [….api] for [….bundles.api]: a bundle's own table holds no other
        inner = next((name for name, item in value.items() if isinstance(item, Mapping)), None)
        written = f"{name}.{inner}" if inner else name
        return f"Unknown table [{where}.{written}]. Did you mean [{where}.{BUNDLES}.{inner or name}]?"
    known = {*KEYS, BUNDLES} if where == TABLE else KEYS
    return unknown(f"key {where}.{name}", name, known, f"[{where}]")


def _unknown_bundle(name: str, known: Collection[str]) -> str:
    # `.bundle.api`, as in the table's name, means api
    last = name.rpartition(".")[2]
    meant = last if last in known or not nearest(name, known) else name
    return unknown(f"bundle {name!r}", meant, known, f"[{TABLE}.{BUNDLES}]")


def _check_rivals(given: Given, prefix: str) -> None:
    """Raise ContradictionError for keys that can't both be meant; `prefix` makes them what was written."""
    for key in KEYS.values():
        for rival in key.rivals:
            if given.get(key.name) and given.get(rival):
                raise ContradictionError(
                    f"{prefix}{key.name} and {prefix}{rival} can't be used together. Drop one."
                )
    both = sorted({*given.get("with", ())} & {*given.get("without", ())})
    if both:
        raise ContradictionError(f"{prefix}with and {prefix}without both name {both[0]!r}. Drop one.")


def _check_needs(given: Given, prefix: str, merged: Iterable[Given]) -> None:
    """Raise ContradictionError for keys that mean nothing in any bundle, for lack of another one."""
    for key in KEYS.values():
        if key.needs and given.get(key.name) and not any(values.get(key.needs) for values in merged):
            raise ContradictionError(
                f"{prefix}{key.name} means nothing without {key.needs}. Set {key.needs} too, or drop it."
            )


def _merged(*origins: Given) -> Given:
    """Let later origins win, also over keys of earlier ones that contradict theirs."""
    values: dict[str, Any] = {}
    for given in origins:
        for name in given:
            for rival in _rivals_of(name):
                if given[name] and rival not in given:
                    values.pop(rival, None)
        for one, other in (("with", "without"), ("without", "with")):
            if one in given and other in values:
                values[other] = tuple(name for name in values[other] if name not in given[one])
        values.update(given)
    return values


def _rivals_of(name: str) -> frozenset[str]:
    return frozenset(KEYS[name].rivals).union(key.name for key in KEYS.values() if name in key.rivals)


def _config(bundle: str | None, given: Given, *, ignore_is_shared: bool) -> BundleConfig:
    values = {KEYS[name].field: value for name, value in given.items()}
    if "runtime" in values:
        values.update(values.pop("runtime")._asdict())
    selection = {field.name: values.pop(field.name) for field in fields(Selection) if field.name in values}
    return BundleConfig(
        bundle=bundle, selection=Selection(**selection), ignore_is_shared=ignore_is_shared, **values
    )


def _with_includes_from(given: Given, cwd: Path, root: Path) -> Given:
    """Let what was typed in another folder mean that folder's files, as it does for the output."""
    if "include" not in given or cwd == root:
        return given
    # os.path, since pathlib has no relative path upwards before Python 3.12
    below = Path(os.path.relpath(cwd, root))
    return {**given, "include": tuple(Include(str(below / i.path), i.to) for i in given["include"])}


def _with_absolute_paths(given: Given, base: Path) -> Given:
    """Let relative outputs and layers be relative to `base`."""
    absolute: dict[str, Any] = {}
    if "output" in given:
        output = given["output"]
        # a folder, to be made where it does not exist
        output += "{bundle}.zip" if output.endswith(("/", os.sep)) else ""
        absolute["output"] = _expanded(output, _literal(base))
    if "exclude-layers" in given:
        absolute["exclude-layers"] = tuple(_expanded(path, base) for path in given["exclude-layers"])
    return {**given, **absolute}


def _expanded(path: str, base: Path) -> Path:
    try:
        return base / type(base)(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"The path {path!r} can't be understood: {error}") from None


def _literal(folder: Path) -> Path:
    """Keep the braces of a folder's own name from being taken for placeholders."""
    return type(folder)(str(folder).replace("{", "{{").replace("}", "}}"))
