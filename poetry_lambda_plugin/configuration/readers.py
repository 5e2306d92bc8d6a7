"""How each value is read: checked, normalised, and told apart in the words of an error."""

from __future__ import annotations

import re

from base64 import b64decode
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from decimal import Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.configuration.values import ALL
from poetry_lambda_plugin.configuration.values import LAYER_PATHS
from poetry_lambda_plugin.configuration.values import MODES
from poetry_lambda_plugin.configuration.values import NO_LIMIT
from poetry_lambda_plugin.configuration.values import NONE
from poetry_lambda_plugin.configuration.values import OPTIMIZATIONS
from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import CODES
from poetry_lambda_plugin.layout.filters import check_patterns
from poetry_lambda_plugin.runtime.platform import find_architecture
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.runtime.runtimes import DEFAULT_ARCHITECTURE
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator

    from poetry_lambda_plugin.configuration.values import BytecodeMode
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime


MAX_HANDLER = 128
"""Characters of a handler (AWS page "CreateFunction")."""

BUILT_IN_MODULES = frozenset(
    {"sys", "builtins", "marshal", "posix", "errno", "gc", "itertools", "atexit", "time", "pwd"}
    | {"_abc", "_codecs", "_collections", "_functools", "_imp", "_io", "_locale", "_operator", "_signal"}
    | {"_sre", "_stat", "_symtable", "_thread", "_warnings", "_weakref"}
)
"""Modules that are built into every CPython, which the runtime lets no handler shadow."""


SHA256_SIZE = 32
"""Bytes of a digest."""


class ConfigError(LambdaBundleError):
    """A key, an option or an environment variable that can't be understood."""


class ContradictionError(LambdaBundleError):
    """Keys or options that can't both be meant."""


class SetRuntime(NamedTuple):
    """A runtime, and the option or the dotted key that names it."""

    runtime: Runtime
    runtime_set_by: str


def string(value: object, where: str) -> str:
    """Take a string that is not empty."""
    if isinstance(value, str) and value:
        return _without_nul(value, where)
    raise ConfigError(f"{where} must be a non-empty string, not {_type_name(value)}.")


def boolean(value: object, where: str) -> bool:
    """Take true or false."""
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{where} must be true or false, not {_type_name(value)}.")


def strings(value: object, where: str) -> tuple[str, ...]:
    """Take one string or several."""
    values = value if isinstance(value, list | tuple) else [value]
    for item in values:
        if not isinstance(item, str) or not item:
            raise ConfigError(f"{where} must be a list of strings; it has {_type_name(item)}.")
        _without_nul(item, where)
    return tuple(values)


def package_names(value: object, where: str) -> tuple[str, ...]:
    """Take names in any spelling, and normalise them."""
    return tuple(dict.fromkeys(canonicalize_name(name) for name in strings(value, where)))


def patterns(value: object, where: str) -> tuple[str, ...]:
    """Take patterns that gitignore understands, and sets of them."""
    patterns = strings(value, where)
    with _named(where):
        check_patterns(patterns)
    return patterns


def ignored(value: object, where: str) -> tuple[str, ...]:
    """Take codes of findings, each alone or with a place after a colon."""
    items = strings(value, where)
    for item in items:
        code, colon, place = item.partition(":")
        if code not in CODES:
            raise ConfigError(unknown(f"code {code!r} in {where}", code, CODES, "The plugin"))
        if colon and not place:
            raise ConfigError(
                f"{where}: no place follows the colon of {item!r}. Write {code!r} for all places."
            )
    return items


def includes(value: object, where: str) -> tuple[Include, ...]:
    """Take PATH, PATH:TO, or a table with path and to; one or several."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_one_include(item, f"{where}[{index}]") for index, item in enumerate(values))


def _one_include(value: object, where: str) -> Include:
    if isinstance(value, str):
        return parse_include(_without_nul(value, where), where)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a string or a table with path and to, not {_type_name(value)}.")
    for key in value:
        if key not in ("path", "to"):
            raise ConfigError(unknown(f"key {where}.{key}", str(key), ("path", "to"), where))
    to = value.get("to")
    path = string(value.get("path"), f"{where}.path")
    return _include(path, None if to is None else string(to, f"{where}.to"), where)


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


def runtime(value: object, where: str) -> SetRuntime:
    """Take a runtime that AWS has or may have."""
    name = string(value, where)
    with _named(where):
        return SetRuntime(find_runtime(name), where)


def architectures(value: object, where: str) -> tuple[Architecture, ...]:
    """Take one architecture or several, each once."""
    names = strings(value, where)
    with _named(where):
        architectures = tuple(dict.fromkeys(find_architecture(name) for name in names))
    if not architectures:
        raise ConfigError(f"{where} is empty. Leave it out for {DEFAULT_ARCHITECTURE}.")
    return architectures


def layer_path(value: object, where: str) -> str:
    """Take one of the places that Lambda looks in."""
    if value not in LAYER_PATHS:
        raise ConfigError(f"{where} must be {' or '.join(map(repr, LAYER_PATHS))}, not {_type_name(value)}.")
    return str(value)


def size(value: object, where: str) -> int:
    """Read bytes, a number with KB, MB or GB (of 1,024 MB, as AWS counts), or NONE."""
    if value == NONE:
        return NO_LIMIT
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|KB|MB|GB)", str(value).strip(), re.IGNORECASE)
    if match is None or isinstance(value, bool):
        raise ConfigError(
            f"{where} must be a size such as 262144000 or '250 MB', or 'none', not {_given(value)}."
        )
    return int(Decimal(match[1]) * {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[match[2].upper()])


def bytecode(value: object, where: str) -> BytecodeMode:
    """Take a mode of bytecode."""
    for mode in MODES:
        if value == mode:
            return mode
    raise ConfigError(f"{where} must be {' or '.join(MODES)}, not {_type_name(value)}.")


def optimization(value: object, where: str) -> int:
    """Take a level of PYTHONOPTIMIZE."""
    if isinstance(value, int) and not isinstance(value, bool) and value in OPTIMIZATIONS:
        return int(value)
    raise ConfigError(f"{where} must be 0, 1 or 2, as PYTHONOPTIMIZE, not {_given(value)}.")


def handler(value: object, where: str) -> str:
    """Read a handler as the runtime does (awslambdaric, `_get_handler`)."""
    handler = string(value, where)
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


def modules(value: object, where: str) -> tuple[str, ...] | None:
    """Take modules, REACHABLE among them or alone, or ALL, which is None."""
    if value in (ALL, [ALL]):
        return None
    modules = strings(value, where)
    if not modules:
        raise ConfigError(f"{where} is empty. Leave it out for all modules, or set no-root for none.")
    return modules


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


def mapping(value: object, where: str) -> Mapping[str, object]:
    """Take a table."""
    if isinstance(value, Mapping):
        return value
    raise ConfigError(f"{where} must be a table, not {_type_name(value)}.")


def unknown(what: str, name: str, known: Collection[str], where: str) -> str:
    """Say that a place has no such name, which one is meant, and which there are."""
    meant = name.replace("_", "-")
    return f"Unknown {what}.{hint(meant, known)} {listing(meant, known, where)}"


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Let an error say which key or option it is about."""
    try:
        yield
    except LambdaBundleError as error:
        raise ConfigError(f"{where}: {error}") from error


def _without_nul(text: str, where: str) -> str:
    """Refuse the one character that no path, name or argument can have."""
    if "\0" in text:
        raise ConfigError(f"{where} has a NUL character. Write it without.")
    return text


def _given(value: object) -> str:
    """Name a value where numbers are expected."""
    return str(value) if type(value) is not bool and isinstance(value, int | float) else _type_name(value)


def _type_name(value: object) -> str:
    if value is None:
        return "nothing"
    if value == "":
        return "an empty string"
    names = {bool: "a boolean", int | float: "a number", list: "a list", Mapping: "a table"}
    # not by exact type: Poetry hands over tomlkit's subclasses
    return next((name for kind, name in names.items() if isinstance(value, kind)), f"{value!r}")


def code_sha256(value: object, where: str) -> bytes:
    """Take a SHA-256 as Lambda's API reports it, in base64, or in hexadecimal digits."""
    text = string(value, where).strip().strip("\"'")
    with suppress(ValueError):
        digest = bytes.fromhex(text) if len(text) == 2 * SHA256_SIZE else b64decode(text, validate=True)
        if len(digest) == SHA256_SIZE:
            return digest
    raise ConfigError(
        f"{where} must be the CodeSha256 that Lambda reports, 44 characters of base64, not {text!r}."
    )
