"""Where a module is that a function lacks, and what to write for it to be in the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.import_names import distributions_of
from poetry_lambda_plugin.audit.missing_module import include_lines
from poetry_lambda_plugin.sources.code_places import places_to_include
from poetry_lambda_plugin.wording import joined
from poetry_lambda_plugin.wording import similar


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.audit.import_audit import ImportAudit
    from poetry_lambda_plugin.audit.import_run import ImportFailure
    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.selection.exclusion import LeftOutPackage
    from poetry_lambda_plugin.selection.outline import PackageOutline


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Where a module could be, if it is not in the bundle."""

    config: BundleConfig
    root: Path
    """Folder of pyproject.toml."""
    left_out: Sequence[LeftOutPackage]
    outlines: Callable[[], Mapping[str, PackageOutline]]


class Whereabouts:
    """Where a missing module is instead."""

    def __init__(self, failure: ImportFailure, audit: ImportAudit, surroundings: Surroundings) -> None:
        self._module = failure.about
        self._audit = audit
        self._around = surroundings
        self._outlines = surroundings.outlines()
        self._names = distributions_of(self._module, self._known())
        owner = audit.entries.get(failure.place.path)
        self._owner = owner.owner if owner is not None else ""

    @property
    def is_in_layer(self) -> bool:
        """Tell whether a layer says that it has the distribution."""
        return any(
            left.name in self._names and left.reason.startswith("in the layer")
            for left in self._around.left_out
        )

    @property
    def is_meant_elsewhere(self) -> bool:
        """Tell whether the user left a package out of this bundle by what is said of it alone.

        Then other bundles of the same code have it, and without a handler nobody knows which code is whose.
        """
        name = self._locked
        if name is None:
            return False
        if any(left.name == name and left.reason == "excluded" for left in self._around.left_out):
            # this is told of already
            return self._owner == self._audit.project
        return self._around.config.bundle is not None and bool(self._outlines[name].groups)

    def remedy(self) -> str:
        """Say where the module is, and what to do; the surest answer first."""
        answers = (
            self._left_out_file, self._left_out_package, self._not_selected, self._extra_of_dependency,
            self._former_standard, self._elsewhere_in_project,
        )  # fmt: skip
        return next(filter(None, (answer() for answer in answers)), None) or self._nowhere()

    def _known(self) -> frozenset[str]:
        extras = {name for o in self._outlines.values() for names in o.extras.values() for name in names}
        return frozenset(self._outlines) | extras

    @property
    def _locked(self) -> str | None:
        """The locked package that has the module, as far as its name tells."""
        return next((name for name in self._names if name in self._outlines), None)

    def _paths(self) -> tuple[str, str]:
        path = self._module.replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"

    def _left_out_file(self) -> str | None:
        for distribution in self._audit.plan.distributions:
            for left in distribution.left_out:
                if left.path in self._paths():
                    return self._left_out_reason(left.path, left.reason)
        return None

    def _left_out_reason(self, path: str, reason: str) -> str:
        if reason == "excluded":
            return f"exclude leaves out {path}: change the pattern, or add '!{path}' after it."
        if reason == "not in modules":
            return f"`modules` leaves it out: add {self._module!r} to it in [{self._around.config.table}]."
        return f"{path} is left out ({reason})."

    def _left_out_package(self) -> str | None:
        for left in self._around.left_out:
            if left.name in self._names:
                silence = f'`ignore = ["import-missing:{self._module.partition(".")[0]}"]`'
                if left.reason == "excluded":
                    how = f"exclude-packages leaves out {left.name}. Bundle it"
                elif left.reason.startswith("needed by excluded"):
                    how = f"{left.name} is left out with the excluded packages that need it. Bundle it"
                else:
                    how = f"{left.name} is left out ({left.reason}). Bundle it"
                return f"{how}, or write {silence} where a layer that only AWS knows has it."
        return None

    def _not_selected(self) -> str | None:
        name = self._locked
        if name is None or any(d.name == name for d in self._audit.plan.distributions):
            return None
        outline = self._outlines[name]
        if outline.project_extras:
            extra = outline.project_extras[0]
            return f"The project's extra {extra!r} has {name}: bundle with --extras {extra}."
        groups = [group for group in outline.groups if group != "main"]
        if groups and "main" not in outline.groups:
            which = f"the group {groups[0]}" if len(groups) == 1 else f"the groups {joined(groups)}"
            return (
                f"{name} is locked for {which} only: move it to the main dependencies with `poetry add`, or "
                f"bundle with --with {groups[0]}."
            )
        if "main" in outline.groups and not outline.optional:
            return f"{name} is locked, but its markers rule it out on {self._audit.target}."
        return (
            f"{name} is locked, but this bundle's groups and extras don't ask for it: "
            "`poetry add` makes it a main dependency."
        )

    def _extra_of_dependency(self) -> str | None:
        outline = self._outlines.get(self._owner)
        for extra, names in outline.extras.items() if outline else ():
            wanted = next((name for name in self._names if name in names), None)
            if wanted is not None:
                return (
                    f"{self._owner} has it in its extra {extra!r}: "
                    f"`poetry add '{self._owner}[{extra}]'` locks {wanted}."
                )
        return None

    def _former_standard(self) -> str | None:
        python = self._audit.target.runtime.python
        last = next((p for p in _older(python) if self._audit.finder.was_standard(self._module, p)), None)
        if last is None:
            return None
        whose = "the module" if self._owner == self._audit.project else self._owner
        return (
            f"Python {last[0]}.{last[1]} was the last to have it: update {whose}, or bundle for "
            f"python{last[0]}.{last[1]}."
        )

    def _elsewhere_in_project(self) -> str | None:
        if self._owner != self._audit.project:
            return None
        places = places_to_include(self._around.root, self._module.replace(".", "/"))
        if not places:
            return self._other_own_module()
        present = [i.path if i.to is None else f"{i.path}:{i.to}" for i in self._around.config.include]
        return include_lines(places, present, self._around.config.table)

    def _other_own_module(self) -> str | None:
        """Name a module of the bundle that has the same name in a folder, or nearly the same."""
        own = [path for path in self._audit.entries if self._audit.is_own(path) and path.endswith(".py")]
        ends = tuple(f"/{path}" for path in self._paths())
        deeper = next((path for path in own if path.endswith(ends)), None)
        if deeper is None:
            return None
        module = deeper.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"{deeper} is there: import {module}, for Python looks from the bundle's root."

    def _nowhere(self) -> str:
        top = self._module.partition(".")[0]
        own = {
            path.partition("/")[0].removesuffix(".py")
            for path in filter(self._audit.is_own, self._audit.entries)
        }
        if self._locked is not None:
            return f"The locked {self._locked} has no such module."
        if top in own:
            nearest = similar(self._module, sorted(self._own_modules()))
            return f"Did you mean {nearest}?" if nearest else "No file of the project is it."
        name = self._names[0] if self._names else top
        whose = f" {self._owner} does not say that it needs it." if self._owner != self._audit.project else ""
        return f"No locked package has it:{whose} `poetry add {name}`, if that is its name."

    def _own_modules(self) -> Collection[str]:
        paths = (path for path in self._audit.entries if self._audit.is_own(path) and path.endswith(".py"))
        return {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths}


def _older(python: tuple[int, int]) -> Iterator[tuple[int, int]]:
    yield from ((python[0], minor) for minor in range(python[1] - 1, 8, -1))
