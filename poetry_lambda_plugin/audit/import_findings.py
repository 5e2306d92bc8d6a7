"""What is said of an import that fails on Lambda: where it stands, who leads there, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.whereabouts import Whereabouts
from poetry_lambda_plugin.findings import Finding


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.audit.import_audit import ImportAudit
    from poetry_lambda_plugin.audit.import_run import ImportFailure
    from poetry_lambda_plugin.audit.import_run import Problem
    from poetry_lambda_plugin.audit.whereabouts import Surroundings


SHOWN_STEPS = 3
"""Modules that a message names of the way to an import."""


def import_findings(audit: ImportAudit, surroundings: Surroundings) -> Iterator[Finding]:
    """Yield an error for what the handler needs and Lambda lacks; a warning where no handler is set."""
    for failure, is_certain in audit.failures():
        if failure.problem == "missing":
            whereabouts = Whereabouts(failure, audit, surroundings)
            if not whereabouts.is_in_layer and (is_certain or not whereabouts.is_meant_elsewhere):
                yield _told(_missing(failure, audit, whereabouts), is_certain=is_certain)
        else:
            yield _told(WORDS[failure.problem](failure, audit), is_certain=is_certain)


def _told(finding: Finding, *, is_certain: bool) -> Finding:
    return finding._replace(severity="error" if is_certain else "warning")


def _missing(failure: ImportFailure, audit: ImportAudit, whereabouts: Whereabouts) -> Finding:
    place, about = failure.place, failure.about
    words = f"{place} imports {about}, which is not in the bundle{_way(failure, audit)}."
    words += f" {whereabouts.remedy()}"
    return Finding("import-missing", words, str(place), about=about)


def _circular(failure: ImportFailure, audit: ImportAudit) -> Finding:
    place, (module, _, name) = failure.place, failure.about.rpartition(".")
    words = (
        f"{place} imports {name!r} from {module}, which is still being imported then, and has not bound "
        f"it yet{_way(failure, audit)}: a circle. Import it in the function that uses it, or move what both "
        "need into a module of its own."
    )
    return Finding("import-circular", words, str(place), about=module)


def _syntax(failure: ImportFailure, audit: ImportAudit) -> Finding:
    place, python = failure.place, audit.target.runtime.name
    reason = failure.detail or "invalid syntax"
    words = f"{place} is no source that {python} understands ({reason}){_way(failure, audit)}."
    return Finding("syntax-error", words, str(place))


def _relative(failure: ImportFailure, audit: ImportAudit) -> Finding:
    place, about = failure.place, failure.about
    words = (
        f"{place} imports {about}, but is in no package that has so many above it{_way(failure, audit)}. "
        f"Write {about.lstrip('.') or 'the module'} without the dots, or put both into a package and name it "
        "in the handler."
    )
    return Finding("import-failing", words, str(place), about=about)


def _raised(failure: ImportFailure, audit: ImportAudit) -> Finding:
    place = failure.place
    words = f"{place} raises {failure.about} when it is imported{_way(failure, audit)}."
    return Finding("import-failing", words, str(place))


def _name(failure: ImportFailure, audit: ImportAudit) -> Finding:
    place, (module, _, name) = failure.place, failure.about.rpartition(".")
    words = (
        f"{place} imports {name!r} from {module}, which neither binds it nor has such a submodule"
        f"{_way(failure, audit)}. {_name_hint(failure, audit)}"
    )
    return Finding("import-failing", words, str(place), about=failure.about)


WORDS: Mapping[Problem, Callable[[ImportFailure, ImportAudit], Finding]] = {
    "circular": _circular,
    "syntax": _syntax,
    "relative": _relative,
    "raised": _raised,
    "name": _name,
}


def _way(failure: ImportFailure, audit: ImportAudit) -> str:
    """Name the imports that lead to the one that fails."""
    steps = [str(step) for step in failure.chain if step != failure.place]
    if not steps:
        return ""
    if len(steps) > SHOWN_STEPS:
        steps = [*steps[: SHOWN_STEPS - 1], "…", steps[-1]]
    start = "the handler imports it" if audit.handler is not None else "it is imported"
    return f" ({start} by way of {', '.join(steps)})"


def _name_hint(failure: ImportFailure, audit: ImportAudit) -> str:
    """Say whose versions may not fit together, where a name is missing in a dependency."""
    module = failure.about.rpartition(".")[0].replace(".", "/")
    owners = [
        audit.entries[path].owner
        for path in (failure.place.path, f"{module}.py", f"{module}/__init__.py")
        if path in audit.entries
    ]
    if len(owners) < 2 or audit.project in owners[1:]:
        return "Correct the name."
    if owners[0] in (owners[1], audit.project):
        return f"Look into what the locked {owners[1]} has."
    return f"The locked versions of {owners[0]} and {owners[1]} don't fit together: update one of them."
