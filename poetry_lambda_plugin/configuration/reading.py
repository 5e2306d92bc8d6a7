"""[tool.poetry-lambda-plugin] and the command line, joined to one frozen value per bundle."""

from __future__ import annotations

import os
import re
import string

from collections.abc import Mapping
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.configuration.values import ALL
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import LAYER_PATHS
from poetry_lambda_plugin.configuration.values import MODES
from poetry_lambda_plugin.configuration.values import NO_LIMIT
from poetry_lambda_plugin.configuration.values import NONE
from poetry_lambda_plugin.configuration.values import OPTIMIZATIONS
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.configuration.values import BytecodeMode
from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.filters import check_patterns
from poetry_lambda_plugin.runtime.platform import find_architecture
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.runtime.runtimes import DEFAULT_ARCHITECTURE
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing
from poetry_lambda_plugin.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.configuration.values import BytecodeMode
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime

    Layer = Mapping[str, Any]
    """Values of one origin (table, bundle, command line) by key, their types checked."""


PLACEHOLDERS = ("name", "version", "runtime", "architecture", "bundle")

MAX_HANDLER = 128
"""Characters of a handler (AWS page "CreateFunction")."""

BUILT_IN_MODULES = frozenset(
    {"sys", "builtins", "marshal", "posix", "errno", "gc", "itertools", "atexit", "time", "pwd"}
    | {"_abc", "_codecs", "_collections", "_functools", "_imp", "_io", "_locale", "_operator", "_signal"}
    | {"_sre", "_stat", "_symtable", "_thread", "_warnings", "_weakref"}
)
"""Modules that are built into every CPython, which the runtime lets no handler shadow."""

NEAR_TABLES = ("poetry-lambda-plugin", "poetry-lambda-bundle")
SHORT_TABLES = frozenset({"lambda-plugin", "lambda-bundle", "poetry-lambda"})
"""Names that may be meant for this plugin's table; the short ones could be another tool's as well."""

RIVALS = (
    ("only", "with"),
    ("only", "without"),
    ("extras", "all-extras"),
    ("only-root", "no-root"),
    ("only-root", "only"),
    ("only-root", "with"),
    ("only-root", "without"),
    ("only-root", "extras"),
    ("only-root", "all-extras"),
)
"""Keys of which at most one can be meant."""


class SetRuntime(NamedTuple):
    """A runtime, and the option or the dotted key that names it."""

    runtime: Runtime
    set_by: str


class ConfigError(LambdaBundleError):
    """A key, an option or an environment variable that can't be understood."""


class ContradictionError(LambdaBundleError):
    """Options that can't both be meant."""


def bundle_configs(
    table: object, options: Layer, bundles: Sequence[str], *, root: Path, cwd: Path
) -> tuple[BundleConfig, ...]:
    """Join the project's table with the options; an option beats a bundle's key, which beats the table's.

    `table` is what pyproject.toml has under [tool.poetry-lambda-plugin]; `bundles` are those named on the
    command line, all that the table has where none is. A relative output is relative to the project's
    `root`, an option's to `cwd`; so are the paths of included files. Raises ConfigError and
    ContradictionError.
    """
    tables = dict(_mapping(table, TABLE))
    bundle_tables = _mapping(tables.pop(BUNDLES, {}), f"{TABLE}.{BUNDLES}")
    common = _checked_layer(tables, TABLE)
    common = _with_absolute_paths(common, root)
    spoken = _with_includes_from(_with_absolute_paths(options, cwd), cwd, root)
    _check_rivals(common, lambda key: f"{TABLE}.{key}")
    _check_rivals(spoken, lambda key: f"--{key}")
    layers = {}
    for name, value in bundle_tables.items():
        where = f"{TABLE}.{BUNDLES}.{name}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ConfigError(f"{where}: a bundle's name has letters, digits, '.', '_' and '-' only.")
        layer = _with_absolute_paths(_checked_layer(_mapping(value, where), where), root)
        _check_rivals(layer, lambda key, where=where: f"{where}.{key}")  # type: ignore[misc]
        layers[name] = layer
    for name in bundles:
        if name not in layers:
            raise ConfigError(_unknown_bundle(name, layers))
    chosen = list(dict.fromkeys(bundles)) or list(layers)
    if not chosen:
        return (_config(None, _merged(common, spoken)),)
    return tuple(_config(name, _merged(common, layers[name], spoken)) for name in chosen)


def misnamed_tables(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a warning for each table of pyproject.toml that was likely meant to be this plugin's."""
    for where, tables in (("", document), ("tool.", document.get("tool", {}))):
        for name, value in tables.items():
            if f"{where}{name}" != TABLE and isinstance(value, Mapping) and _resembles_ours(name, value):
                words = f"[{where}{name}] in pyproject.toml is ignored: the table's name is [{TABLE}]."
                yield Finding("table-ignored", words, f"{where}{name}")


def hint_below_poetry(words: str) -> str:
    """Return a line to follow Poetry's words where it refuses a table that was meant to be this plugin's.

    Below [tool.poetry] Poetry allows no table but its own.
    """
    names = map(canonicalize_name, re.findall(r"'([^']+)' was unexpected", words))
    is_ours = any(name in SHORT_TABLES or _is_near_ours(name) for name in names)
    return f"\nThis plugin's table is [{TABLE}]." if is_ours else ""


def _resembles_ours(name: str, table: Mapping[str, object]) -> bool:
    plain = canonicalize_name(name)
    if plain in SHORT_TABLES:
        return any(key in READERS or key == BUNDLES for key in table)
    return _is_near_ours(plain)


def _is_near_ours(name: str) -> bool:
    # names of other plugins come as near as 0.91; two wrong letters are 0.95
    return bool(get_close_matches(name, NEAR_TABLES, n=1, cutoff=0.93))


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


def source_date_epoch(environment: Mapping[str, str]) -> int | None:
    """Return SOURCE_DATE_EPOCH in seconds (reproducible-builds.org/specs), None where it is not set."""
    text = environment.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    if not re.fullmatch(r"\s*-?\d{1,100}\s*", text, re.ASCII):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {text!r}, not a number of seconds since 1970. "
            "Correct the variable or unset it."
        )
    return int(text)


def parse_include(text: str, where: str) -> Include:
    """Read PATH or PATH:TO; the drive of a Windows path is no PATH."""
    drive = 2 if re.match(r"[A-Za-z]:[\\/]", text) else 0
    path, colon, to = text[drive:].partition(":")
    return _include(text[:drive] + path, to if colon else None, where)


def _include(path: str, to: str | None, where: str) -> Include:
    if not path:
        raise ConfigError(f"{where}: the path is empty.")
    if to is not None:
        destination = PurePosixPath(to)
        if "\\" in to or destination.is_absolute() or ".." in destination.parts:
            raise ConfigError(f"{where}: {to!r} is not a path inside the bundle.")
        to = str(destination) + ("/" if to.endswith("/") and destination.parts else "")
    return Include(path, to)


def _string(value: object, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigError(f"{where} must be a non-empty string, not {_type_name(value)}.")


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{where} must be true or false, not {_type_name(value)}.")


def _strings(value: object, where: str) -> tuple[str, ...]:
    """Take one string or several."""
    values = value if isinstance(value, list | tuple) else [value]
    for item in values:
        if not isinstance(item, str) or not item:
            raise ConfigError(f"{where} must be a list of strings; it has {_type_name(item)}.")
    return tuple(values)


def _includes(value: object, where: str) -> tuple[Include, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_one_include(item, f"{where}[{index}]") for index, item in enumerate(values))


def _one_include(value: object, where: str) -> Include:
    if isinstance(value, Include):
        return value
    if isinstance(value, str):
        return parse_include(value, where)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a string or a table with path and to, not {_type_name(value)}.")
    for key in value:
        if key not in ("path", "to"):
            raise ConfigError(_unknown(f"key {where}.{key}", str(key), ("path", "to"), where))
    to = value.get("to")
    path = _string(value.get("path"), f"{where}.path")
    return _include(path, None if to is None else _string(to, f"{where}.to"), where)


def _package_names(value: object, where: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonicalize_name(name) for name in _strings(value, where)))


def _patterns(value: object, where: str) -> tuple[str, ...]:
    patterns = _strings(value, where)
    with _named(where):
        check_patterns(patterns)
    return patterns


def _layer_path(value: object, where: str) -> str:
    if value not in LAYER_PATHS:
        raise ConfigError(f"{where} must be {' or '.join(map(repr, LAYER_PATHS))}, not {_type_name(value)}.")
    return str(value)


def _size(value: object, where: str) -> int:
    """Read bytes, a number with KB, MB or GB (of 1,024 MB, as AWS counts), or NONE."""
    if value == NONE:
        return NO_LIMIT
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|KB|MB|GB)", str(value).strip(), re.IGNORECASE)
    if match is None or isinstance(value, bool):
        given = value if isinstance(value, int | float) else _type_name(value)
        raise ConfigError(f"{where} must be a size such as 262144000 or '250 MB', or 'none', not {given}.")
    return int(Decimal(match[1]) * {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[match[2].upper()])


def _bytecode(value: object, where: str) -> BytecodeMode:
    for mode in MODES:
        if value == mode:
            return mode
    raise ConfigError(f"{where} must be {' or '.join(MODES)}, not {_type_name(value)}.")


def _optimization(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in OPTIMIZATIONS:
        return int(value)
    raise ConfigError(f"{where} must be 0, 1 or 2, as PYTHONOPTIMIZE, not {_type_name(value)}.")


def _handler(value: object, where: str) -> str:
    """Read a handler as the runtime does (awslambdaric, `_get_handler`)."""
    handler = _string(value, where)
    module, dot, function = handler.rpartition(".")
    reason = None
    if ":" in handler:
        reason = f"a dot stands before the function, as in {handler.replace(':', '.')!r}"
    elif not (module.strip("./") and dot and function):
        reason = "it must be MODULE.FUNCTION, as in 'my_package.my_module.handler'"
    elif re.search(r"\s", handler) or len(handler) > MAX_HANDLER:
        reason = f"Lambda takes at most {MAX_HANDLER} characters, and no space"
    elif "\\" in handler or module[0] in "./":
        right = handler.replace("\\", "/").lstrip("./")
        reason = f"write the path from the root of the ZIP with dots or slashes, as in {right!r}"
    elif "/" in function or not function.isidentifier():
        reason = f"{function!r} is no name of a function"
    elif re.split(r"[./]", module)[0] in BUILT_IN_MODULES:
        reason = "Lambda refuses a module with the name of one that is built into Python"
    if reason is not None:
        raise ConfigError(f"{where} is {handler!r}: {reason}.")
    return handler


def _modules(value: object, where: str) -> tuple[str, ...] | None:
    if value in (ALL, [ALL]):
        return None
    modules = _strings(value, where)
    if not modules:
        raise ConfigError(f"{where} is empty. Leave it out for all modules, or set no-root for none.")
    return modules


def _runtime(value: object, where: str) -> SetRuntime:
    name = _string(value, where)
    with _named(where):
        return SetRuntime(find_runtime(name), where)


def _architectures(value: object, where: str) -> tuple[Architecture, ...]:
    names = _strings(value, where)
    with _named(where):
        architectures = tuple(dict.fromkeys(find_architecture(name) for name in names))
    if not architectures:
        raise ConfigError(f"{where} is empty. Leave it out for {DEFAULT_ARCHITECTURE}.")
    return architectures


READERS: Mapping[str, Callable[[object, str], object]] = {
    "runtime": _runtime,
    "architecture": _architectures,
    "output": _string,
    "with": _strings,
    "without": _strings,
    "only": _strings,
    "extras": _strings,
    "all-extras": _boolean,
    "no-root": _boolean,
    "only-root": _boolean,
    "include": _includes,
    "exclude": _patterns,
    "exclude-packages": _package_names,
    "exclude-runtime-packages": _boolean,
    "exclude-layers": _strings,
    "botocore-services": _strings,
    "layer": _boolean,
    "layer-path": _layer_path,
    "max-size": _size,
    "bytecode": _bytecode,
    "bytecode-exclude": _patterns,
    "optimize": _optimization,
    "handler": _handler,
    "modules": _modules,
    "scripts": _boolean,
    "strict": _boolean,
}
"""How each key is read; options of the same name are read alike."""

OPTION_NAMES = {"exclude-packages": "exclude-package"}
"""Options whose names differ from their keys, since they are given once for each value."""


def checked_options(options: Layer) -> Layer:
    """Check what was typed as a table's values are checked, and name the option in errors."""
    return {key: READERS[key](value, f"--{OPTION_NAMES.get(key, key)}") for key, value in options.items()}


def _checked_layer(table: Mapping[str, object], where: str) -> Layer:
    layer = {}
    for key, value in table.items():
        reader = READERS.get(key)
        if reader is None:
            raise ConfigError(_unknown_key(key, value, where))
        layer[key] = reader(value, f"{where}.{key}")
    return layer


def _unknown_key(key: str, value: object, where: str) -> str:
    if where == TABLE and isinstance(value, Mapping):
        # [….bundle.api] or [….api] for [….bundles.api]: a bundle's own table holds no other
        inner = next((name for name, item in value.items() if isinstance(item, Mapping)), None)
        written = f"{key}.{inner}" if inner else key
        return f"Unknown table [{where}.{written}]. Did you mean [{where}.{BUNDLES}.{inner or key}]?"
    known = {*READERS, BUNDLES} if where == TABLE else READERS
    return _unknown(f"key {where}.{key}", key, known, f"[{where}]")


def _check_rivals(layer: Layer, spelled: Callable[[str], str]) -> None:
    for one, other in RIVALS:
        if layer.get(one) and layer.get(other):
            raise ContradictionError(f"{spelled(one)} and {spelled(other)} can't be used together. Drop one.")
    both = sorted({*layer.get("with", ())} & {*layer.get("without", ())})
    if both:
        raise ContradictionError(
            f"{spelled('with')} and {spelled('without')} both name {both[0]!r}. Drop one."
        )


def _merged(*layers: Layer) -> Layer:
    """Let later layers win, also over keys of earlier ones that contradict theirs."""
    values: dict[str, Any] = {}
    for layer in layers:
        for key in layer:
            for rival in _rivals_of(key):
                if layer[key] and rival not in layer:
                    values.pop(rival, None)
        for one, other in (("with", "without"), ("without", "with")):
            if one in layer and other in values:
                values[other] = tuple(name for name in values[other] if name not in layer[one])
        values.update(layer)
    return values


def _rivals_of(key: str) -> Iterator[str]:
    for one, other in RIVALS:
        if key == one:
            yield other
        elif key == other:
            yield one


def _config(name: str | None, values: Layer) -> BundleConfig:
    runtime, set_by = values.get("runtime", (None, None))
    return BundleConfig(
        bundle=name,
        runtime=runtime,
        runtime_set_by=set_by,
        architectures=values.get("architecture", (DEFAULT_ARCHITECTURE,)),
        output=values.get("output"),
        selection=Selection(
            with_=values.get("with", ()),
            without=values.get("without", ()),
            only=values.get("only", ()),
            extras=values.get("extras", ()),
            all_extras=values.get("all-extras", False),
        ),
        no_root=values.get("no-root", False),
        only_root=values.get("only-root", False),
        include=values.get("include", ()),
        exclude=values.get("exclude", ()),
        exclude_packages=values.get("exclude-packages", ()),
        exclude_runtime_packages=values.get("exclude-runtime-packages", False),
        exclude_layers=values.get("exclude-layers", ()),
        botocore_services=values.get("botocore-services"),
        layer=values.get("layer", False),
        layer_path=values.get("layer-path", "python"),
        max_size=values.get("max-size"),
        bytecode=values.get("bytecode"),
        bytecode_exclude=values.get("bytecode-exclude", ()),
        optimize=values.get("optimize", 0),
        handler=values.get("handler"),
        modules=values.get("modules"),
        scripts=values.get("scripts", False),
        strict=values.get("strict", False),
    )


def _with_includes_from(layer: Layer, cwd: Path, root: Path) -> Layer:
    """Let what was typed in another folder mean that folder's files, as it does for the output."""
    if "include" not in layer or cwd == root:
        return layer
    # os.path, since pathlib has no relative path upwards before Python 3.12
    below = Path(os.path.relpath(cwd, root))
    return {**layer, "include": tuple(Include(str(below / i.path), i.to) for i in layer["include"])}


def _with_absolute_paths(layer: Layer, base: Path) -> Layer:
    """Let relative outputs and layers be relative to `base`."""
    absolute: dict[str, Any] = {}
    if "output" in layer:
        output = layer["output"]
        # a folder, to be made where it does not exist
        output += "{bundle}.zip" if output.endswith(("/", os.sep)) else ""
        absolute["output"] = _expanded(output, _literal(base))
    if "exclude-layers" in layer:
        absolute["exclude-layers"] = tuple(_expanded(path, base) for path in layer["exclude-layers"])
    return {**layer, **absolute}


def _expanded(path: str, base: Path) -> Path:
    try:
        return base / type(base)(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"The path {path!r} can't be understood: {error}") from None


def _literal(folder: Path) -> Path:
    """Keep the braces of a folder's own name from being taken for placeholders."""
    return type(folder)(str(folder).replace("{", "{{").replace("}", "}}"))


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Let an error say which key or option it is about."""
    try:
        yield
    except LambdaBundleError as error:
        raise ConfigError(f"{where}: {error}") from error


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    raise ConfigError(f"{where} must be a table, not {_type_name(value)}.")


def _unknown_bundle(name: str, known: Collection[str]) -> str:
    # `.bundle.api`, as in the table's name, means api
    last = name.rpartition(".")[2]
    meant = last if last in known or not nearest(name, known) else name
    return _unknown(f"bundle {name!r}", meant, known, f"[{TABLE}.{BUNDLES}]")


def _unknown(what: str, name: str, known: Collection[str], where: str) -> str:
    meant = name.replace("_", "-")
    return f"Unknown {what}.{hint(meant, known)} {listing(meant, known, where)}"


def _type_name(value: object) -> str:
    if value is None:
        return "nothing"
    if value == "":
        return "an empty string"
    names = {bool: "a boolean", int | float: "a number", list: "a list", Mapping: "a table"}
    # not by exact type: Poetry hands over tomlkit's subclasses
    return next((name for kind, name in names.items() if isinstance(value, kind)), f"{value!r}")
