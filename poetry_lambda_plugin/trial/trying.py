"""Trying the handler of a bundle that is written and not yet in its place."""

from __future__ import annotations

import os
import platform
import sys

from functools import partial
from typing import TYPE_CHECKING
from typing import Protocol

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.bytecode.interpreters import Interpreters
from poetry_lambda_plugin.bytecode.interpreters import NoInterpreterError
from poetry_lambda_plugin.bytecode.interpreters import nowhere_found
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.layer import layer_prefix
from poetry_lambda_plugin.runtime.build_image import DOCKER_PLATFORMS
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.stages.layers import LayerBundle
from poetry_lambda_plugin.trial.environment import lambda_environment
from poetry_lambda_plugin.trial.folders import laid_out
from poetry_lambda_plugin.trial.judgement import RUNTIME_MODULES
from poetry_lambda_plugin.trial.judgement import Case
from poetry_lambda_plugin.trial.judgement import judged
from poetry_lambda_plugin.trial.judgement import judged_without
from poetry_lambda_plugin.trial.judgement import lent_libraries
from poetry_lambda_plugin.trial.outcome import SmokeTest
from poetry_lambda_plugin.trial.process import run


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.bytecode.interpreters import Interpreter
    from poetry_lambda_plugin.layout.layer import Layer
    from poetry_lambda_plugin.poetry_api.project import OpenProject
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.stages.failures import Unit
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written
    from poetry_lambda_plugin.trial.folders import Folders
    from poetry_lambda_plugin.trial.process import Ran
    from poetry_lambda_plugin.trial.wishes import TrialWishes

    RuntimePackages = Callable[[Selected], Sequence[Entry]]


class NoHandlerError(LambdaBundleError):
    """Nothing that could be tried."""


class NoInterpreterToTryError(LambdaBundleError):
    """No Python that could import the handler."""

    def __init__(self, error: NoInterpreterError) -> None:
        version = f"{error.python[0]}.{error.python[1]}"
        super().__init__(
            *nowhere_found(f"Only CPython {version} can try a handler for Python {version}", error),
            f"Get one with `poetry python install {version}` or `pyenv install {version}`, "
            "or bundle without --smoke-test.",
        )


class TrialObserver(Protocol):
    """Is told what happens."""

    def trying(self, handler: str, version: str) -> None:
        """Take note that a handler is being imported, which can take a while."""

    def tried(self) -> None:
        """Take note that it was."""


class Trier:
    """Tries the handlers of one run's bundles."""

    def __init__(
        self,
        project: OpenProject,
        wishes: TrialWishes,
        observer: TrialObserver,
        temporary: Path,
        runtime_packages: RuntimePackages,
    ) -> None:
        """`runtime_packages` gives the locked files of what the runtime brings along."""
        self._locked = partial(getattr, project.lock, "names")
        self._interpreters = Interpreters(project)
        self._wishes = wishes
        self._observer = observer
        self._temporary = temporary
        self._runtime_packages = runtime_packages

    def check(self, bundles: Sequence[Selected]) -> None:
        """Refuse before any work what can't be tried.

        Raises NoHandlerError and NoInterpreterToTryError.
        """
        for bundle in bundles:
            if bundle.config.handler is None and not bundle.config.layer:
                raise NoHandlerError(
                    f"--smoke-test imports the function's handler, and none is named. Set `handler` in "
                    f"[{bundle.config.table}], as in 'package.module.function'."
                )
        functions = [bundle for bundle in bundles if _without_handler(bundle) is None]
        if not functions:
            raise NoHandlerError(f"--smoke-test has nothing to try. {_without_handler(bundles[0])}")
        for bundle in functions:
            self._interpreter(bundle)

    def tried(self, bundle: Written, made: Mapping[Unit, Written]) -> SmokeTest:
        """Import the handler of a bundle that is written, as Lambda would.

        Its layers are among those `made`.
        """
        selected = bundle.selected
        if (reason := _without_handler(selected)) is not None:
            return SmokeTest(status="untried", message=reason)
        interpreter = self._interpreter(selected)
        self._observer.trying(str(selected.config.handler), interpreter.version)
        known = any(left.name in RUNTIME_MODULES.values() for left in selected.left_out)
        layers = [_layer_files(layer, made) for layer in selected.layers]
        try_with = partial(self._try, bundle, layers, interpreter)
        try:
            result, sought = try_with(self._runtime_packages(selected) if known else ())
            if not known and sought and (packages := self._runtime_packages(selected)):
                # what Lambda has, too, decides what a module does that can do without it
                result, _ = try_with(packages)
        finally:
            self._observer.tried()
        return result

    def _try(
        self,
        bundle: Written,
        layers: Sequence[Sequence[Entry]],
        interpreter: Interpreter,
        packages: Sequence[Entry],
    ) -> tuple[SmokeTest, frozenset[str]]:
        """Return what came of it, and modules of the runtime that were sought in vain."""
        selected, python = bundle.selected, bundle.selected.target.runtime
        with laid_out(self._temporary, bundle.plan.entries, layers, packages) as (folders, machines):
            if (reason := _foreign(selected.target, machines)) is not None:
                return SmokeTest(status="untried", message=reason), frozenset()
            attempt = partial(
                run,
                interpreter.path,
                folders,
                str(selected.config.handler),
                [layer_prefix(python, version_specific=specific).rstrip("/") for specific in (True, False)],
                {**lambda_environment(selected), **self._wishes.environment},
                self._wishes.limit,
            )
            ran = attempt()
            lent = lent_libraries(ran, selected.target) if ran.isolation == "namespaces" else ()
            ran = attempt(without=lent) if lent else ran
        case = self._case(bundle, ran, folders, packages, layers)
        sought = {name.partition(".")[0] for name in ran.told.get("sought", ())}
        judge = partial(judged_without, lent) if lent else judged
        test = judge(ran, interpreter.version, case)
        return test, frozenset(sought & RUNTIME_MODULES.keys() - case.held)

    def _case(
        self,
        bundle: Written,
        ran: Ran,
        folders: Folders,
        packages: Iterable[Entry],
        layers: Iterable[Iterable[Entry]],
    ) -> Case:
        selected = bundle.selected
        held = [entry.path for entry in (*bundle.plan.entries, *packages)]
        held += _importable((entry.path for layer in layers for entry in layer), selected.target.runtime)
        return Case(
            handler=str(selected.config.handler),
            target=selected.target,
            places=_places(ran, folders),
            own={entry.path for entry in bundle.plan.entries if entry.owner == selected.name},
            held={path.partition("/")[0].partition(".")[0] for path in held},
            left_out={left.name: left.reason for left in selected.left_out},
            locked=self._locked(),
        )

    def _interpreter(self, bundle: Selected) -> Interpreter:
        try:
            return self._interpreters.answering(bundle.target.runtime.python)
        except NoInterpreterError as error:
            raise NoInterpreterToTryError(error) from error


def _layer_files(layer: Layer | LayerBundle, made: Mapping[Unit, Written]) -> list[Entry]:
    if isinstance(layer, LayerBundle):
        return [*made[layer.selected.unit].plan.entries]
    return [Entry(m.name, WheelContent(layer.path, m)) for m in read_members(layer.path)]


def _importable(paths: Iterable[str], runtime: Runtime) -> Iterator[str]:
    """Yield where the runtime sees what layers have on its path."""
    prefixes = [layer_prefix(runtime, version_specific=specific) for specific in (True, False)]
    for path in paths:
        if (prefix := next(filter(path.startswith, prefixes), None)) is not None:
            yield path.removeprefix(prefix)


def _places(ran: Ran, folders: Folders) -> dict[str, str]:
    if ran.isolation == "namespaces":
        return {"/var/task": "", "/opt": "/opt/", "/var/runtime": "/var/runtime/"}
    # as files are named once links are followed, and before
    named = {folders.task: "", folders.layers: "/opt/", folders.runtime: "/var/runtime/"}
    return {path: name for place, name in named.items() for path in (str(place), os.path.realpath(place))}


def _without_handler(bundle: Selected) -> str | None:
    """Say why a bundle has no handler of its own; None for one that has."""
    if bundle.config.layer:
        return "A layer has no handler: try a function that has the layer in exclude-layers."
    if bundle.config.no_root:
        return "no-root leaves out the project, and its handler with it."
    return None


def _foreign(target: Target, machines: frozenset[str]) -> str | None:
    """Say why compiled code can't be loaded here; None where it can, or where there is none."""
    if target.architecture not in machines:
        return None
    host = f"{platform.system()} on {platform.machine()}"
    is_glibc = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    if is_glibc and platform.machine() == WHEEL_ARCHITECTURES[target.architecture]:
        return None
    place = f"Linux with glibc on {target.architecture}"
    return (
        f"The bundle holds code that is compiled for {place}, and this is {host}: its handler can't be tried "
        f"here. Run the command there, as by `docker run --platform {DOCKER_PLATFORMS[target.architecture]}` "
        f"with the image public.ecr.aws/sam/build-{target.runtime.name}, or without --smoke-test."
    )
