"""What a project that says nothing yet would likely say, going by its lock and its modules."""

from __future__ import annotations

import re

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import handler as read_handler
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.layout.handlers import NAMES
from poetry_lambda_plugin.layout.handlers import candidates
from poetry_lambda_plugin.runtime.runtimes import ARCHITECTURES
from poetry_lambda_plugin.sources.own_code import handler_of_dockerfile
from poetry_lambda_plugin.sources.own_modules import own_modules
from poetry_lambda_plugin.stages.checked import Narrowing
from poetry_lambda_plugin.stages.checked import check_bundles


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from datetime import date

    from poetry_lambda_plugin.layout.handlers import Candidate
    from poetry_lambda_plugin.layout.handlers import Kind
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.runtimes import Architecture
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.sources.own_modules import OwnModule
    from poetry_lambda_plugin.stages.checked import BundleCheck


USUAL_MODULES = frozenset({"lambda_function", "handler", "handlers", "app", "main", "__init__"})
"""What modules are called that hold nothing but a handler; no names for a bundle."""

USUAL_FOLDERS = frozenset({"src", "apps", "functions", "lambdas", "handlers", "services", "lambda"})

TIERS: tuple[tuple[Kind, ...], ...] = (("function", "adapter", "named"), ("resolver",), ("imported",))
"""Kinds of candidates; the later ones count only where there is none of the earlier."""


class HandlerCandidate(NamedTuple):
    """What Lambda may be told to call."""

    handler: str
    rank: tuple[int, ...]
    """The smaller, the likelier; two of one rank are two functions."""
    include: str | None = None
    """What has to be included for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What there is to choose from; the first of each is proposed."""

    project: str
    version: str
    packages: int | None
    """In a bundle for the proposed target; None where the lock can't be used for it."""
    runtimes: tuple[Runtime, ...]
    architectures: Mapping[Runtime, tuple[Architecture, ...]]
    handlers: tuple[HandlerCandidate, ...]

    @property
    def alike(self) -> tuple[HandlerCandidate, ...]:
        """The likeliest handlers, between which nothing decides."""
        return tuple(found for found in self.handlers if found.rank == self.handlers[0].rank)


def propose(project: OpenProject, today: date) -> Proposal:
    """Look at a project's lock and modules; raises LambdaBundleError."""
    check = _checked(project)
    target = check.asked[0]
    served = {t.target: t for t in check.targets if t.status == "ok"}
    runtimes = {t.runtime for t in served if _is_for_production(t.runtime, today)} - {target.runtime}
    ordered = (target.runtime, *sorted(runtimes, key=lambda runtime: runtime.python, reverse=True))
    packages = next(t.packages for t in check.targets if t.target == target)
    return Proposal(
        project=check.project,
        version=check.version,
        packages=None if packages is None else len(packages),
        runtimes=ordered,
        architectures={
            r: tuple(t.architecture for t in served if t.runtime == r) or r.architectures for r in ordered
        },
        handlers=tuple(_handlers(project)),
    )


def _checked(project: OpenProject) -> BundleCheck:
    """Check for the usual architecture, or where no runtime has it for the lock, for the other one."""
    checks = []
    for architecture in ARCHITECTURES:
        config = replace(BundleConfig(), architectures=(architecture,))
        (check,) = check_bundles(project, [config], [config], Narrowing())
        if not check.refusals:
            return check
        checks.append(check)
    return checks[0]


def _is_for_production(runtime: Runtime, today: date) -> bool:
    is_maintained = runtime.deprecation is None or today < runtime.deprecation
    return is_maintained and runtime.known and not runtime.preview


def _handlers(project: OpenProject) -> list[HandlerCandidate]:
    """Return what Lambda may call, the likeliest first."""
    named = handler_of_dockerfile(project.facts.root)
    modules = own_modules(project.facts, project.lock.readable_names)
    found = [(module, candidate) for module in modules for candidate in candidates(module.source)]
    tier = next((tier for tier in TIERS if any(c.kind in tier for _, c in found)), ())
    made = (_candidate(module, c, named) for module, c in found if c.kind in tier)
    return sorted({m.handler: m for m in made if m is not None}.values(), key=lambda m: (m.rank, m.handler))


def _candidate(module: OwnModule, candidate: Candidate, named: str | None) -> HandlerCandidate | None:
    """Return a candidate; None for one that Lambda does not take."""
    path = module.path.removesuffix(".py").removesuffix("/__init__")
    handler = f"{path.replace('/', '.')}.{candidate.name}"
    try:
        read_handler(handler, "handler")
    except ConfigError:
        return None
    if "." in path:
        return None
    rank = (
        handler != named,
        candidate.name not in NAMES,
        module.path.removesuffix(".py").rpartition("/")[2] not in USUAL_MODULES,
    )
    return HandlerCandidate(handler, tuple(map(int, rank)), module.include)


def bundle_names(handlers: Sequence[HandlerCandidate]) -> tuple[str, ...]:
    """Return a name for a bundle of each handler, as short as tells them apart."""
    words = [tuple(_words(found)) for found in handlers]
    return tuple(_name(own, [other for other in words if other is not own]) for own in words)


def _words(found: HandlerCandidate) -> Iterator[str]:
    """Yield the words of a handler, and of its folder, that say what it is for, the last of them first."""
    *modules, function = found.handler.split(".")
    folders = found.include.removesuffix(":.").split("/") if found.include else []
    if function not in NAMES:
        yield function
    for word in reversed([*folders, *modules]):
        if word not in USUAL_MODULES | USUAL_FOLDERS:
            yield word
    yield from reversed([*folders, *modules])


def _name(words: Sequence[str], others: Sequence[Sequence[str]]) -> str:
    count = 1
    while count < len(words) and any(tuple(other[:count]) == tuple(words[:count]) for other in others):
        count += 1
    joined = "-".join(dict.fromkeys(reversed(words[:count])))
    return re.sub(r"[^A-Za-z0-9.-]+", "-", joined.replace("_", "-")).strip("-.") or "function"
