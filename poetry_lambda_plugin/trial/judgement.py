"""What became of a handler: the bundle's fault told apart from what Lambda alone has."""

from __future__ import annotations

import re
import signal

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.utils import canonicalize_name

from poetry_lambda_plugin.exceptions import one_line
from poetry_lambda_plugin.runtime.libraries import has_library
from poetry_lambda_plugin.runtime.libraries import may_have_library
from poetry_lambda_plugin.trial.outcome import SmokeTest
from poetry_lambda_plugin.wording import joined


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.runtime.runtimes import Runtime
    from poetry_lambda_plugin.trial.outcome import Status
    from poetry_lambda_plugin.trial.process import Ran

    Verdict = tuple[Status, str]


DURABLE, DURABLE_SINCE = "aws_durable_execution_sdk_python", (3, 13)
"""What not all runtimes have (AWS page "Supported runtimes for durable functions")."""

RUNTIME_MODULES: Mapping[str, str] = {
    **{name: name for name in ("awslambdaric", "boto3", "botocore", "jmespath", "s3transfer", "simplejson")},
    "dateutil": "python-dateutil",
    "six": "six",
    "urllib3": "urllib3",
    "runtime_client": "awslambdaric",
    "snapshot_restore_py": "snapshot-restore-py",
    DURABLE: "aws-durable-execution-sdk-python",
}
"""Modules that a runtime may bring along, with their distributions."""

NO_NETWORK = frozenset((50, 51, 64, 65, 100, 101, 112, 113, 10050, 10051, 10064, 10065))
"""ENETDOWN, ENETUNREACH, EHOSTDOWN and EHOSTUNREACH on macOS, Linux and Windows."""

NO_ANSWER = frozenset((61, 111, 10061))
"""ECONNREFUSED there: on Lambda an extension may answer on the same host."""

NO_NETWORK_WORDS = re.compile(
    r"name resolution|Name or service not known|could not translate host name|nodename nor servname"
    r"|Network is unreachable|Failed to resolve|getaddrinfo failed|Could not connect to the endpoint"
    r"|connection to server (at|on) |could not connect to server|Can't connect to (MySQL )?server",
    re.IGNORECASE,
)
"""How libraries in C, and those that hide their causes, say that there is no network."""

LACKS_LIBRARY = re.compile(r"(?P<library>[^\s/:]+\.so[.\d]*): cannot open shared object file")
LACKS_VERSION = re.compile(r"version [`'](?P<name>GLIBC|GLIBCXX|CXXABI)_(?P<version>[\d.]+)' not found")
"""The dynamic linker's words (ld.so(8))."""

GLIBC_FILE = re.compile(r"(?:ld|lib\w+)-2\.\d+\.so")
"""How files of glibc were named before 2.34."""

ONLY_ON_LAMBDA = re.compile(r"/var/task\b|/var/runtime\b|/opt/")

READ_ONLY = frozenset((13, 30))
"""EACCES and EROFS."""

MAX_WORDS = 500
"""Characters of an exception's words that a message has."""

MAX_STEPS = 6
"""Steps that a message names."""


class Case(NamedTuple):
    """What a judgement depends on."""

    handler: str
    target: Target
    places: Mapping[str, str]
    """What stands for each folder that the files of the function lie in; empty for the bundle itself."""
    own: Collection[str]
    """Paths of the project's own files in the bundle."""
    held: Collection[str]
    """What lies at the top of bundle, layers and runtime: modules that are not missing as a whole."""
    left_out: Mapping[str, str]
    """Why a distribution was left out, by name."""
    locked: Collection[str]
    """Names of all locked distributions."""


def judged(ran: Ran, version: str, case: Case) -> SmokeTest:
    """Say what came of a process."""
    steps = ran.told.get("frames") or ran.stack
    chain = tuple(_steps(steps, case))
    status, message = _verdict(ran, case, f" ({_shown(chain)})" if chain else "")
    finished = ran.told.get("outcome") == "passed"
    return SmokeTest(
        status=status,
        message=message or None,
        python=version,
        isolation=ran.isolation,
        refused=ran.refused,
        seconds=ran.told.get("seconds") if finished else None,
        modules=ran.modules,
        chain=() if finished else chain,
        output=ran.output,
    )


def _steps(frames: Sequence[Sequence[object]], case: Case) -> Iterator[str]:
    """Yield the steps in the function's own files, each as `path:line`."""
    for file, line, *_ in frames:
        for folder, name in case.places.items():
            if str(file).startswith(folder + "/") or str(file).startswith(folder + "\\"):
                path = str(file)[len(folder) + 1 :].replace("\\", "/")
                yield f"{name}{path}:{line}"
                break


def _shown(chain: Sequence[str]) -> str:
    """Write the steps from file to file; of many the first and the last ones."""
    files = [step.rpartition(":")[0] for step in chain]
    ends = [s for s, this, then in zip(chain, files, [*files[1:], ""], strict=True) if this != then]
    if len(ends) > MAX_STEPS:
        ends = [*ends[: MAX_STEPS // 2], "…", *ends[-MAX_STEPS // 2 :]]
    return " → ".join(ends)


def _verdict(ran: Ran, case: Case, where: str) -> Verdict:
    what = f"The import of the handler {case.handler!r}"
    outcome = ran.told.get("outcome")
    if ran.isolation is None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in ran.refused) or "it can't be started"
        return "failed", f"{what} could not be tried: {reasons}."
    if outcome == "passed":
        return "passed", ""
    if outcome == "missing" or outcome == "no function":
        return "failed", _no_function(case, missing=outcome == "missing")
    if outcome == "raised":
        return _raised(ran, case, what, where)
    if ran.timed_out:
        return _late(ran, what, where)
    if ran.status is not None and ran.status < 0:
        return (
            "failed",
            f"{what} crashes Python with {_signal(-ran.status)}{where}. Lambda's would crash too.",
        )
    return "failed", (
        f"{what} ends the process with exit code {ran.status}{where}, as os._exit does: on Lambda that ends "
        "the function before it is called. Take it out of the module."
    )


def lent_libraries(ran: Ran, target: Target) -> Sequence[str]:
    """Return the paths of this machine's libraries that an import passed with, and Lambda lacks."""
    libraries = ran.told.get("libraries", ()) if ran.told.get("outcome") == "passed" else ()
    return [path for path in libraries if not _is_on_lambda(path.rpartition("/")[2], target)]


def judged_without(libraries: Sequence[str], ran: Ran, version: str, case: Case) -> SmokeTest:
    """Say what came of a process from which libraries were kept that Lambda lacks."""
    if ran.told.get("outcome") != "raised":
        return judged(ran, version, case)
    names = joined([one_line(path.rpartition("/")[2]) for path in libraries])
    chain = tuple(_steps(ran.told.get("frames") or (), case))
    where = f" ({_shown(chain)})" if chain else ""
    message = (
        f"The import of the handler {case.handler!r} passes only with shared libraries of this machine: "
        f"{names}. Without, it fails with {_error(ran)}{where}. Neither bundle nor layers "
        "have them, nor does Lambda, as far as is known: use a package that brings them along, or a layer "
        "with them in lib/."
    )
    return replace(judged(ran, version, case), status="failed", message=message)


def _is_on_lambda(file: str, target: Target) -> bool:
    """Tell whether Lambda has, or may have, the library that a file is, whose name may be more exact."""
    name = file
    while name.partition(".so")[2]:
        if has_library(target, name) or may_have_library(name):
            return True
        name = name.rpartition(".")[0]
    return may_have_library(name) or GLIBC_FILE.fullmatch(file) is not None


def _no_function(case: Case, *, missing: bool) -> str:
    module, _, name = case.handler.replace("/", ".").rpartition(".")
    if missing:
        return (
            f"The handler {case.handler!r} names {name!r}, which {module} does not have once it is imported. "
            "Correct `handler`, or the module."
        )
    return (
        f"The handler {case.handler!r} names {name!r}, which is no function: Lambda would fail at each call. "
        "Correct `handler`, or the module."
    )


def _late(ran: Ran, what: str, where: str) -> Verdict:
    words = f"{what} has not come to an end within its time{where}."
    if "network" in ran.told:
        return "unclear", f"{words} {_asks_network(ran)}"
    return "failed", (
        f"{words} On Lambda the function would not be called. If it only needs longer, give it more with "
        "--timeout SECONDS."
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _asks_network(ran: Ran) -> str:
    address = one_line(str(ran.told.get("network") or ""))
    asked = f" ({address})" if address else ""
    return (
        f"It asks the network{asked}, and a smoke test has none: whether it succeeds on Lambda, and what "
        "is imported then, is not known."
    )


def _raised(ran: Ran, case: Case, what: str, where: str) -> Verdict:
    told = ran.told
    if _is_network(ran):
        return "unclear", f"{what} was tried up to {_error(ran)}{where}. {_asks_network(ran)}"
    if told["key"] is not None:
        name = one_line(told["key"])
        return "failed", (
            f"{what} needs the environment variable {name}{where}. Lambda has it from the function's "
            f"configuration: give it to the smoke test with --env {name}=…"
        )
    if "SystemExit" in told["bases"]:
        return "failed", (
            f"{what} ends Python with exit code {one_line(told['message']) or 0}{where}: on Lambda that ends "
            "the function before it is called. Call exit below `if __name__ == '__main__':` only."
        )
    if ran.isolation != "namespaces" and ONLY_ON_LAMBDA.search(told["message"]):
        return "unclear", (
            f"{what} was tried up to {_error(ran)}{where}. It names a folder that bundles or layers have on "
            "Lambda alone, and this host lets no process have one of its own there."
        )
    if "ImportError" in told["bases"]:
        status, reason = _import_failure(told, case)
        verb = "fails" if status == "failed" else "was tried"
        link = " with" if status == "failed" else " up to"
        return status, f"{what} {verb}{link} {_error(ran)}{where}. {reason}"
    return "failed", f"{what} fails with {_error(ran)}{where}.{_hint(ran, case)}"


def _error(ran: Ran) -> str:
    """Write an exception as Python does, without the point at the end of a sentence."""
    name, words = str(ran.told["type"]), one_line(str(ran.told["message"])).strip().rstrip(".")
    words = words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}…"
    return f"{name}: {words}" if words else name


def _is_network(ran: Ran) -> bool:
    """Tell whether an exception, or one that led to it, says that there is no network."""
    told = ran.told
    for bases, number in told["causes"]:
        if {"gaierror", "herror"} & {*bases} or ("OSError" in bases and number in NO_NETWORK):
            return True
        is_late = any(base.endswith(("TimeoutError", "Timeout")) for base in bases)
        if "network" in told and (is_late or ("OSError" in bases and number in NO_ANSWER)):
            return True
    return NO_NETWORK_WORDS.search(told["message"]) is not None


def _import_failure(told: Mapping[str, object], case: Case) -> Verdict:
    message, name = str(told["message"]), str(told["name"] or "")
    if match := LACKS_LIBRARY.search(message):
        return _library(match["library"], case.target)
    if match := LACKS_VERSION.search(message):
        return _library_version(match["name"], match["version"], case.target.runtime)
    if "ModuleNotFoundError" in told["bases"] and name:  # type: ignore[operator]
        return _missing_module(name, case)
    return "failed", "On Lambda it would fail alike."


def _missing_module(name: str, case: Case) -> Verdict:
    top = name.partition(".")[0]
    if top in case.held:
        return "failed", f"The bundle has {top}, but not that part of it: is its version the right one?"
    if top in RUNTIME_MODULES and (top != DURABLE or case.target.runtime.python >= DURABLE_SINCE):
        return "unclear", (
            f"The runtime brings {top} along, and it is not here: with {RUNTIME_MODULES[top]} in any "
            "group of poetry.lock the rest could be tried."
        )
    distribution = canonicalize_name(top)
    if distribution in case.left_out:
        return "failed", f"{distribution} is left out of the bundle ({case.left_out[distribution]})."
    if distribution in case.locked:
        return "failed", (
            f"poetry.lock has {distribution}, but in no group or extra of this bundle: choose it with --with "
            "or --extras, or move it to the main dependencies."
        )
    return "failed", (
        "Nothing in the bundle has it: add the package that does with `poetry add`, or name the layer that "
        "has it in exclude-layers."
    )


def _library(library: str, target: Target) -> Verdict:
    if has_library(target, library) or may_have_library(library):
        return "unclear", f"Lambda has {library}, and this machine lacks it."
    return "failed", (
        f"Neither bundle nor layers have {library}, and Lambda does not have it either, as far as is known: "
        "use a wheel that brings it along, or a layer with it in lib/."
    )


def _library_version(name: str, version: str, runtime: Runtime) -> Verdict:
    wanted = tuple(int(part) for part in version.split(".") if part)
    if name != "GLIBC" or wanted <= runtime.glibc:
        return "unclear", "This machine's C or C++ library is too old for it. Try it on a newer one."
    return "failed", f"{runtime.name} has glibc {runtime.glibc_version}: use an older release of the package."


def _hint(ran: Ran, case: Case) -> str:
    """Say what may explain an exception on this machine and not on Lambda."""
    told = ran.told
    if any("OSError" in bases and number in READ_ONLY for bases, number in told["causes"]):
        return " On Lambda, too, nothing but /tmp can be written to."
    is_own = partial(_is_own, case=case)
    if names := [name for name, file in told.get("variables", {}).items() if is_own(file)]:
        options = joined([f"--env {one_line(name)}=…" for name in sorted(names)])
        return f" It asked for environment variables that are not set: {options} would give them."
    if "SyntaxError" in told["bases"]:
        line = f":{told['line']}" if told["line"] else ""
        at = [*_steps([(told["file"], told["line"])], case)]
        return f" It is in {at[0]}." if at else f" It is in {one_line(told['file'])}{line}."
    return " If it needs environment variables that the function has, give them with --env NAME=VALUE."


def _is_own(file: str, case: Case) -> bool:
    path: Callable[[str], str] = partial(_inside, places=case.places)
    return path(file) in case.own


def _inside(file: str, places: Mapping[str, str]) -> str:
    for folder, name in places.items():
        if not name and file.startswith(folder):
            return file[len(folder) + 1 :].replace("\\", "/")
    return file
