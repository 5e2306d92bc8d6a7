"""What `modules = "reachable"` takes of the project's own code, its path dependencies included."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.handler import has_module
from poetry_lambda_plugin.configuration.values import REACHABLE
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.modules import handler_module
from poetry_lambda_plugin.layout.modules import matches
from poetry_lambda_plugin.layout.modules import module_names
from poetry_lambda_plugin.layout.modules import raise_first
from poetry_lambda_plugin.layout.modules import unknown_modules
from poetry_lambda_plugin.layout.modules import without
from poetry_lambda_plugin.layout.reach import reach
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.stages.selected import is_folder
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.layout.distribution import Distribution
    from poetry_lambda_plugin.layout.reach import Reached
    from poetry_lambda_plugin.layout.reach import Unclear
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.stages.selected import Selected


REASON = "not reached from the handler"

SCRIPTS = frozenset({"console_scripts", "gui_scripts"})
"""Groups of entry points that installers make scripts of; others are loaded by those who know the group."""

SECTION = re.compile(r"^[ \t]*\[[ \t]*(?P<group>[^]\n]+?)[ \t]*\]", re.MULTILINE)
POINT = re.compile(r"^[ \t]*[^\s#;\[=][^=\n]*=[ \t]*(?P<module>[\w.]+)", re.MULTILINE)


class ForeignHandlerError(LambdaBundleError):
    """A handler that does not lead to the project's own modules."""

    def __init__(self, handler: str, owner: str, table: str) -> None:
        super().__init__(
            f"modules is {REACHABLE!r}, but the handler {handler!r} is in {owner}, and how that comes to the "
            f"project's own modules can't be seen. Name what it calls: `modules = [\"{REACHABLE}\", "
            f'"MODULE"]` in [{table}].'
        )


def needed_elsewhere(selected: Selected) -> frozenset[str]:
    """Return the path dependencies that packages from elsewhere need: nobody knows what of them."""
    own = {choice.package.name for choice in selected.choices if is_folder(choice)}
    if not own or len(own) == len(selected.choices):
        return frozenset()
    needs = selected.graph().needs
    others = (choice.package.name for choice in selected.choices if choice.package.name not in own)
    return frozenset().union(*(own & needs.get(name, frozenset()) for name in others))


def own_of_layers(selected: Selected) -> list[Choice]:
    """Return the path dependencies that a function has in its layers: they are whole, and passed through."""
    bundles = (layer.selected for layer in selected.layers if isinstance(layer, LayerBundle))
    held = (*selected.held, *(choice for bundle in bundles for choice in bundle.choices))
    return [choice for choice in held if is_folder(choice)]


def only_reached(
    selected: Selected,
    distributions: Sequence[Distribution],
    passed: Iterable[Distribution],
    layers: Collection[str],
) -> tuple[list[Distribution], tuple[Finding, ...]]:
    """Leave out of a bundle's own distributions what its handler does not lead to.

    `passed` are own distributions that its layers hold, `layers` all of the layers' files. Raises
    ForeignHandlerError and UnknownModuleError.
    """
    names = {choice.package.name for choice in selected.choices if is_folder(choice)}
    own = [d for d in distributions if d.is_project or d.name in names]
    known = sorted(own, key=lambda d: not d.is_project) + list(passed)
    files = {e.path: e.read for d in reversed(known) for e in d.entries if ".dist-info/" not in e.path}
    points = {module for d in known for module in _points_of(d, with_scripts=selected.config.scripts)}
    whole = needed_elsewhere(selected)
    kept = frozenset().union(*(_paths(d) for d in known if d.name in whole and not d.is_project))
    reached = reached_files(selected, files, points, kept)
    if reached is None:
        _check_owner(selected, [d for d in distributions if d not in own], layers)
        return list(distributions), ()
    trimmed = [
        without(d, _paths(d) - reached.paths, REASON) if d.is_project or d.name in names else d
        for d in distributions
    ]
    return trimmed, tuple(map(_finding, reached.unclear)) if selected.config.audit else ()


def reached_files(
    selected: Selected,
    files: Mapping[str, Callable[[], bytes]],
    points: Iterable[str],
    kept: Collection[str],
) -> Reached | None:
    """Return what a function needs of its own files, each given with what reads it.

    `points` are modules that are loaded too, and `kept` files that stay, with what they need.
    None where the handler is not among them and nothing else is named. Raises UnknownModuleError.
    """
    config, modules = selected.config, module_names(files)
    starts = [handler_module(str(config.handler)).replace("/", ".")]
    named = [pattern for pattern in config.modules or () if pattern != REACHABLE]
    raise_first(unknown_modules(named, files))
    if starts[0] not in modules and not named:
        return None
    chosen = {path for path in files if any(matches(pattern, path) for pattern in named)}
    included = selected.project.included if selected.project else frozenset()
    return reach(files, (*starts, *points), chosen.union(included, kept))


def _check_owner(selected: Selected, others: Iterable[Distribution], layers: Collection[str]) -> None:
    """Raise ForeignHandlerError for a handler of a dependency's; one that is nowhere is told of elsewhere."""
    config = selected.config
    for distribution in others:
        if has_module(str(config.handler), _paths(distribution)):
            raise ForeignHandlerError(str(config.handler), distribution.name, config.table)
    if has_module(str(config.handler), layers):
        raise ForeignHandlerError(str(config.handler), "a layer", config.table)


def _paths(distribution: Distribution) -> frozenset[str]:
    return frozenset(entry.path for entry in distribution.entries if ".dist-info/" not in entry.path)


def _points_of(distribution: Distribution, *, with_scripts: bool) -> Iterator[str]:
    """Yield the modules that entry points name, those of scripts where these are bundled."""
    for entry in distribution.entries:
        if entry.path.endswith(".dist-info/entry_points.txt"):
            parts = SECTION.split(entry.read().decode("utf-8", "replace"))
            for group, points in zip(parts[1::2], parts[2::2], strict=True):
                if with_scripts or group not in SCRIPTS:
                    yield from (match["module"] for match in POINT.finditer(points))


def _finding(unclear: Unclear) -> Finding:
    """Say what the user can do about an import that nobody can follow."""
    where = f"{unclear.path}:{unclear.line}"
    silence = f"ignore = ['import-dynamic:{unclear.path}']"
    if unclear.candidates:
        words = (
            f"{where} imports a module whose name is made when it runs, so all that it may be is taken: "
            f"{listed(unclear.candidates)}. If that is what the function needs, write {silence}."
        )
    else:
        words = (
            f"{where} imports a module whose name is made when it runs, so modules = {REACHABLE!r} can't "
            f'tell whether it is one of the project\'s. Name what it may be, as in modules = ["{REACHABLE}", '
            f'"plugins.*"], and write {silence}.'
        )
    return Finding("import-dynamic", words, where)
