"""Which bundle is whose layer: names resolved, contradictions told, and the order of making."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import ContradictionError
from poetry_lambda_plugin.configuration.readers import unknown
from poetry_lambda_plugin.configuration.values import ALL
from poetry_lambda_plugin.configuration.values import BUNDLES
from poetry_lambda_plugin.configuration.values import TABLE
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.runtime.runtimes import Architecture

    Given: TypeAlias = Mapping[str, Any]
    Merged: TypeAlias = Mapping[str | None, Given]


MAX_LAYERS = 5
"""Layers that a function may have (AWS page "Lambda quotas")."""

FOR_LAYERS_TOO = frozenset({"runtime", "architecture", "strict"})
"""Options that hold for a layer which is made only because a bundle needs it."""


class LayerFailedError(LambdaBundleError):
    """A bundle that can't be made because its layer can't, or the other way round."""

    def __init__(self, layer: str) -> None:
        self.layer = layer
        super().__init__(f"Its layer {layer} could not be made.")


class Layered(NamedTuple):
    """What the bundles are once each has its layers, and what is wrong with some."""

    merged: Merged
    broken: Mapping[str, LambdaBundleError]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A bundle that a run has to make."""

    config: BundleConfig
    architectures: tuple[Architecture, ...]
    """Of its own, those that are asked for or needed."""
    needed_by: tuple[str, ...] = ()
    """The bundles asked for that need it as a layer; empty for one that is asked for itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a run is asked for."""

    wanted: tuple[Wanted, ...]
    """Every layer before the bundles that need it."""
    broken: Mapping[str, LambdaBundleError]
    """What is wrong with the tables of others that were asked for, by name."""
    family: Sequence[BundleConfig]
    """All bundles of the project, those that are not to be made included."""
    plain: Sequence[BundleConfig]
    """The same where nobody asks for them: with the options of FOR_LAYERS_TOO alone."""
    earlier: Sequence[BundleConfig]
    """The same without any option, as earlier runs may have had none."""


def with_layers(merged: Merged, typed: Given, *, made: bool, broken: Collection[str]) -> Layered:
    """Give each function the layers that are shared by it; tell what can't be meant, by bundle.

    `broken` are bundles that are not among `merged`. Raises ConfigError for layers that need each other.
    """
    layered = {name: dict(given) for name, given in merged.items()}
    errors: dict[str, LambdaBundleError] = {}
    for name, given in merged.items():
        if not given.get("shared-by") or not given.get("layer"):
            continue
        try:
            functions = _functions(str(name), given["shared-by"], merged, typed, broken)
        except LambdaBundleError as error:
            errors[str(name)] = error
            continue
        only_root = {"only-root": True} if typed.get("only-root") else {}
        layered[name] = {**given, "shared-by": functions, "no-root": True, "only-root": False, **only_root}
        for function in functions:
            layers = layered[function].get("exclude-layers", ())
            if name not in layers:
                layered[function]["exclude-layers"] = (*layers, name)
    _check_cycles(layered)
    for name, given in layered.items():
        for problem in _problems(name, given, layered, broken) if made else ():
            errors.setdefault(str(name), problem)
    return Layered(layered, errors)


def _functions(
    name: str, shared_by: Sequence[str], merged: Merged, typed: Given, broken: Collection[str]
) -> tuple[str, ...]:
    """Return the functions that a layer is shared by; raises LambdaBundleError."""
    where = f"{TABLE}.{BUNDLES}.{name}.shared-by"
    candidates = [str(other) for other, given in merged.items() if other and not given.get("layer")]
    if tuple(shared_by) == (ALL,):
        # a function without dependencies would leave nothing to share
        functions = [f for f in candidates if typed.get("only-root") or not merged[f].get("only-root")]
        if not functions:
            raise ContradictionError(f"{where} is 'all', but no function has dependencies to share.")
        return tuple(functions)
    for other in dict.fromkeys(shared_by):
        if other in broken:
            continue
        if other not in merged:
            names = [function for function in candidates if function != name]
            raise ConfigError(unknown(f"bundle {other!r} in {where}", other, names, f"[{TABLE}.{BUNDLES}]"))
        if merged[other].get("layer"):
            raise ContradictionError(f"{where} names {other!r}, which is a layer itself. Name functions.")
        if merged[other].get("only-root") and not typed.get("only-root"):
            raise ContradictionError(
                f"{where} names {other!r}, which has only-root and so no dependency to share. Drop one."
            )
    found = tuple(other for other in dict.fromkeys(shared_by) if other in merged)
    if not found:
        raise LambdaBundleError(f"None of its functions could be made: {joined(shared_by)}.")
    return found


def _check_cycles(merged: Merged) -> None:
    """Raise ConfigError for layers of which each needs the next."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " → ".join((*path[path.index(name) :], name))
            raise ConfigError(
                f"{TABLE}.{BUNDLES}.{name}.exclude-layers: a bundle can't be a layer of its own layer "
                f"({cycle}). Drop one of the names."
            )
        if name not in done:
            for layer in _layers_of(merged.get(name, {})):
                visit(layer, (*path, name))
            done.add(name)

    for name in merged:
        visit(str(name), ())


def _problems(
    name: str | None, given: Given, merged: Merged, broken: Collection[str]
) -> Iterator[LambdaBundleError]:
    """Yield what keeps a bundle from having its layers, or from being one."""
    where = f"{TABLE}.{BUNDLES}.{name}" if name else TABLE
    for layer in _layers_of(given):
        if layer in broken:
            yield LayerFailedError(layer)
        elif not merged[layer].get("layer"):
            yield ContradictionError(
                f"{where}.exclude-layers names {layer!r}, which is no layer. "
                f"Set layer = true in [{TABLE}.{BUNDLES}.{layer}], or drop the name."
            )
    layers = given.get("exclude-layers", ())
    if len(layers) > MAX_LAYERS and not given.get("layer"):
        names = joined([str(layer) for layer in layers])
        yield ContradictionError(
            f"{where} has {len(layers)} layers ({names}), and Lambda takes {MAX_LAYERS} at most. "
            "Let one layer hold what several do."
        )


def _layers_of(given: Given) -> Iterator[str]:
    yield from (layer for layer in given.get("exclude-layers", ()) if isinstance(layer, str))


def _check_not_emptied(config: BundleConfig, own: BundleConfig | None, asked: Sequence[BundleConfig]) -> None:
    """Refuse `--only-root` for what is a layer by its table, where it is for the dependencies."""
    if own is None or not own.layer or own.only_root or not config.only_root:
        return
    functions = [str(other.bundle) for other in asked if other.bundle and not other.layer]
    raise ContradictionError(
        f"--only-root would leave the layer {config.bundle or own.table} without the "
        f"dependencies that it is for. Name functions instead: "
        f"`poetry lambda-bundle {' '.join(functions) or 'NAME'} --only-root`."
    )


def wanted_bundles(asked: Sequence[BundleConfig], family: Sequence[BundleConfig]) -> tuple[Wanted, ...]:
    """Return what a run has to make, every layer before the bundles that need it.

    `family` are all bundles of the project as they are where they are not asked for: with the options of
    FOR_LAYERS_TOO alone. Raises ContradictionError.
    """
    # what a common table ignores may be told of bundles that are not made
    others = {config.bundle: replace(config, ignore_is_shared=True) for config in family}
    for config in asked:
        _check_not_emptied(config, others.get(config.bundle), asked)
    configs = {**others, **{config.bundle: config for config in asked}}
    needs: dict[str | None, dict[Architecture, None]] = {c.bundle: {} for c in asked}
    needed_by: dict[str | None, dict[str, None]] = {}
    order: dict[str | None, None] = {}

    def visit(config: BundleConfig, architectures: Collection[Architecture], for_: BundleConfig) -> None:
        needs.setdefault(config.bundle, {}).update(dict.fromkeys(architectures))
        needed_by.setdefault(config.bundle, {})[for_.bundle or for_.table] = None
        for layer in config.layer_bundles:
            if layer in configs:
                visit(configs[layer], architectures, for_)
        order[config.bundle] = None

    for config in asked:
        visit(config, config.architectures, config)
    asked_for = {config.bundle for config in asked}
    return tuple(
        Wanted(
            config=configs[name],
            architectures=tuple(a for a in configs[name].architectures if a in needs[name]),
            needed_by=() if name in asked_for else tuple(needed_by[name]),
        )
        for name in order
    )
