"""[tool.poetry-lambda-plugin] and the command line, joined to one frozen value per bundle."""

from __future__ import annotations

import os
import re

from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.layering import with_layers
from poetry_lambda_plugin.configuration.placeholders import DIGEST
from poetry_lambda_plugin.configuration.placeholders import filled_in
from poetry_lambda_plugin.configuration.placeholders import literal
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import ContradictionError
from poetry_lambda_plugin.configuration.readers import mapping
from poetry_lambda_plugin.configuration.readers import unknown
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import REACHABLE
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.configuration.values import seen_from
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeAlias


Given: TypeAlias = "Mapping[str, Any]"
"""What one origin (the table, a bundle's, the command line) says: values by key, read and checked."""

NOT_SHARED = ("only-root", "only", "with", "without", "extras", "all-extras")
"""Keys that say which dependencies are wanted: those of a shared layer its functions want."""

BUNDLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BrokenBundlesError(ConfigError):
    """Bundles whose own tables can't be meant; the words are those of the first."""

    def __init__(
        self,
        errors: Mapping[str, LambdaBundleError],
        configs: Sequence[BundleConfig],
        chosen: Sequence[str | None],
    ) -> None:
        self.errors = errors
        """By bundle."""
        self.configs = configs
        """Those of the others that are to be made."""
        self.are_wanted = errors.keys() <= {*chosen}
        """Whether all of them were to be made: what is wrong elsewhere is told before anything is made."""
        super().__init__(*next(iter(errors.values())).args)


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
    common = _table_values(tables, TABLE, root, own_tables)
    typed = _with_includes_from(_with_absolute_paths(options, cwd), cwd, root)
    _check_rivals(typed, "--")
    for name in bundles:
        if name not in own_tables:
            raise ConfigError(_unknown_bundle(name, own_tables))
    broken: dict[str, LambdaBundleError] = {}
    own: dict[str, Given] = {}
    for name, value in own_tables.items():
        with _noted(broken, name):
            own[name] = _bundle_values(name, value, root, own_tables)
    merged: dict[str | None, Given] = {
        name: _merged(_inherited(common, name), given, typed) for name, given in own.items()
    }
    merged = merged or ({} if own_tables else {None: _merged(common, typed)})
    merged = {name: _without_reach(given) for name, given in merged.items()}
    if made:
        _check_needs(common, f"{TABLE}.", merged.values())
    for name, given in own.items() if made else ():
        with _noted(broken, name):
            _check_needs(given, f"{TABLE}.{BUNDLES}.{name}.", [merged[name]])
    for bundle, given in merged.items() if made else ():
        with _noted(broken, bundle) if bundle else nullcontext():
            _check_start(given, f"{TABLE}.{BUNDLES}.{bundle}" if bundle else TABLE)
    layered = with_layers(merged, typed, made=made, broken=broken)
    broken.update(layered.broken)
    chosen: tuple[str | None, ...] = (*dict.fromkeys(bundles),) or (*own_tables,) or (None,)
    others = max(len(own_tables), 1) - len(chosen)
    configs = tuple(
        _config(
            name,
            layered.merged[name],
            ignore_is_shared=others > 0 and "ignore" not in own.get(name or "", ()),
        )
        for name in chosen
        if name not in broken
    )
    if broken:
        raise BrokenBundlesError(broken, configs, chosen)
    return configs


def checked_options(options: Mapping[str, object]) -> Given:
    """Check what was typed, by key, as a table's values are checked; errors name the option."""
    return {name: KEYS[name].reader(value, f"--{KEYS[name].option}") for name, value in options.items()}


def output_path(config: BundleConfig, default_folder: Path, values: Mapping[str, str]) -> Path:
    """Fill in the placeholders of an output, or of a folder instead of it.

    Raises ConfigError for one that does not exist.
    """
    if config.unpacked is not None:
        return filled_in(config.unpacked, {k: v for k, v in values.items() if k != DIGEST}, "unpacked")
    output = config.output
    if output is None:
        name = "{bundle}" if config.bundle else "{name}-layer" if config.layer else "{name}"
        suffix = "-{architecture}" if len(config.architectures) > 1 else ""
        output = literal(default_folder) / f"{name}{suffix}.zip"
    return filled_in(output, values, "output")


def sbom_path(config: BundleConfig, values: Mapping[str, str]) -> Path | None:
    """Fill in the path of an SBOM, None without one; raises ConfigError as for an output."""
    return filled_in(config.sbom, values, "sbom") if config.sbom is not None else None


@contextmanager
def _noted(broken: dict[str, LambdaBundleError], name: str) -> Iterator[None]:
    """Take note of what is wrong with one bundle alone; the first thing counts."""
    try:
        yield
    except LambdaBundleError as error:
        broken.setdefault(name, error)


def _inherited(common: Given, name: str) -> Given:
    """Return what a bundle has from the common table: a layer that all others get does not get itself."""
    if name not in common.get("exclude-layers", ()):
        return common
    return {key: value for key, value in common.items() if key != "exclude-layers"}


def _table_values(table: Mapping[str, object], where: str, root: Path, bundles: Collection[str]) -> Given:
    values = {}
    for name, value in table.items():
        if name not in KEYS:
            raise ConfigError(_unknown_key(name, value, where))
        values[name] = KEYS[name].reader(value, f"{where}.{name}")
    given = _with_absolute_paths(values, root)
    if "exclude-layers" in given:
        layers = [
            _layer(layer, f"{where}.exclude-layers", root, bundles) for layer in given["exclude-layers"]
        ]
        given = {**given, "exclude-layers": tuple(dict.fromkeys(layers))}
    _check_rivals(given, f"{where}.")
    _check_unshared(given, f"{where}.")
    if given.get("layer") and REACHABLE in (given.get("modules") or ()):
        raise ContradictionError(
            f"{where}.modules is {REACHABLE!r}, which begins at a handler, and a layer has none. Drop it."
        )
    return given


def _layer(written: str, where: str, root: Path, bundles: Collection[str]) -> Path | str:
    """Tell a bundle's name from a path; raises ConfigError for what looks like a name and is none."""
    if written in bundles:
        return written
    path = _expanded(written, root)
    if BUNDLE_NAME.fullmatch(written) and path.suffix.lower() != ".zip" and not path.exists():
        raise ConfigError(unknown(f"bundle {written!r} in {where}", written, bundles, f"[{TABLE}.{BUNDLES}]"))
    return path


def _bundle_values(name: str, table: object, root: Path, bundles: Collection[str]) -> Given:
    where = f"{TABLE}.{BUNDLES}.{name}"
    if not BUNDLE_NAME.fullmatch(name):
        raise ConfigError(f"{where}: a bundle's name has letters, digits, '.', '_' and '-' only.")
    return _table_values(mapping(table, where), where, root, bundles)


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


def _check_unshared(given: Given, prefix: str) -> None:
    """Raise ContradictionError for keys that choose what a shared layer gets from its functions."""
    for name in NOT_SHARED if given.get("shared-by") else ():
        if given.get(name):
            raise ContradictionError(
                f"{prefix}shared-by and {prefix}{name} can't be used together. Drop one."
            )


def _check_needs(given: Given, prefix: str, merged: Iterable[Given]) -> None:
    """Raise ContradictionError for keys that mean nothing in any bundle, for lack of another one."""
    for key in KEYS.values():
        if key.needs and given.get(key.name) and not any(values.get(key.needs) for values in merged):
            raise ContradictionError(
                f"{prefix}{key.name} means nothing without {key.needs}. Set {key.needs} too, or drop it."
            )


def _without_reach(given: Given) -> Given:
    """Let a layer be whole where the functions' common table says that only what is reached is taken."""
    if given.get("layer") and REACHABLE in (given.get("modules") or ()):
        return {key: value for key, value in given.items() if key != "modules"}
    return given


def _check_start(given: Given, table: str) -> None:
    """Raise ConfigError where modules are to be reached from a handler that is not named."""
    if REACHABLE in (given.get("modules") or ()) and not given.get("handler") and not given.get("no-root"):
        raise ConfigError(
            f"modules is {REACHABLE!r} for [{table}], but no handler is named that it could begin at. Write "
            '`handler = "MODULE.FUNCTION"` there, as Lambda is told, or name the modules themselves.'
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
    below = seen_from(root, cwd)
    return {**given, "include": tuple(Include(str(below / i.path), i.to) for i in given["include"])}


def _with_absolute_paths(given: Given, base: Path) -> Given:
    """Let relative outputs be relative to `base`."""
    absolute: dict[str, Any] = {}
    for key, name in (("output", "{bundle}.zip"), ("sbom", "{bundle}.cdx.json"), ("unpacked", "")):
        if key in given:
            # a folder, to be made where it does not exist
            path = given[key] + (name if given[key].endswith(("/", os.sep)) else "")
            absolute[key] = _expanded(path, literal(base))
    return {**given, **absolute}


def _expanded(path: str, base: Path) -> Path:
    try:
        return base / type(base)(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"The path {path!r} can't be understood: {error}") from None
