"""What is told of a handler that did not pass, on literal values."""

from __future__ import annotations

import re
import sys

from pathlib import Path
from typing import Any

import pytest

from poetry_lambda_plugin.trial import process
from poetry_lambda_plugin.trial.judgement import Case
from poetry_lambda_plugin.trial.judgement import judged
from poetry_lambda_plugin.trial.judgement import judged_without
from poetry_lambda_plugin.trial.judgement import lent_libraries
from poetry_lambda_plugin.trial.process import Ran
from tests.support.values import target


CASE = Case(
    handler="my_fn.handler",
    target=target("python3.12"),
    places={"/var/task": "", "/opt": "/opt/"},
    own={"my_fn.py"},
    held={"my_fn", "pandas"},
    left_out={"numpy": "in the layer old.zip"},
    locked={"numpy", "boto3"},
)
WHAT = "The import of the handler 'my_fn.handler'"


def ran(**changes: Any) -> Ran:
    """Return a process that was stopped by an exception."""
    told = {
        "outcome": "raised",
        "type": "ImportError",
        "bases": ["ImportError", "Exception"],
        "message": "",
        "name": None,
        "key": None,
        "frames": [["/var/task/my_fn.py", 1, "<module>"]],
        "causes": [],
        **changes.pop("told", {}),
    }
    values: dict[str, Any] = {
        "isolation": "namespaces",
        "refused": (),
        "status": 0,
        "timed_out": False,
        "told": told,
        "stack": (),
        "output": (),
    }
    return Ran(**{**values, **changes})


def verdict(**changes: Any) -> tuple[str, str]:
    """Return the status of a process and what is said after the steps that led to it."""
    test = judged(ran(**changes), "3.12.1", CASE)
    return test.status, str(test.message).rpartition("). ")[2]


@pytest.mark.parametrize(
    ("message", "status", "reason"),
    [
        pytest.param(
            "libpq.so.5: cannot open shared object file: No such file or directory",
            "failed",
            "Neither bundle nor layers have libpq.so.5, and Lambda does not have it either, as far as is "
            "known: use a wheel that brings it along, or a layer with it in lib/.",
            id="library that Lambda lacks",
        ),
        pytest.param(
            "libstdc++.so.6: cannot open shared object file: No such file or directory",
            "unclear",
            "Lambda has libstdc++.so.6, and this machine lacks it.",
            id="library that this machine lacks",
        ),
        pytest.param(
            "/lib64/libc.so.6: version `GLIBC_2.38' not found (required by /var/task/a.so)",
            "failed",
            "python3.12 has glibc 2.34: use an older release of the package.",
            id="glibc that Lambda lacks",
        ),
        pytest.param(
            "/lib64/libc.so.6: version `GLIBC_2.34' not found (required by /var/task/a.so)",
            "unclear",
            "This machine's C or C++ library is too old for it. Try it on a newer one.",
            id="glibc that this machine lacks",
        ),
        pytest.param(
            "cannot import name 'x' from 'pandas'",
            "failed",
            "On Lambda it would fail alike.",
            id="another import error",
        ),
    ],
)
def test_import_errors_of_libraries(message: str, status: str, reason: str) -> None:
    assert verdict(told={"message": message}) == (status, reason)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("numpy.core", "failed", "numpy is left out of the bundle (in the layer old.zip)."),
        (
            "pandas.absent",
            "failed",
            "The bundle has pandas, but not that part of it: is its version the right one?",
        ),
        (
            "dateutil",
            "unclear",
            (
                "The runtime brings dateutil along, and it is not here: with python-dateutil in any group "
                "of poetry.lock the rest could be tried."
            ),
        ),
        (
            "aws_durable_execution_sdk_python",
            "failed",
            (
                "Nothing in the bundle has it: add the package that does with `poetry add`, or name the "
                "layer that has it in exclude-layers."
            ),
        ),
    ],
)
def test_missing_modules(name: str, status: str, reason: str) -> None:
    """The last one comes with newer runtimes only."""
    told = {"type": "ModuleNotFoundError", "bases": ["ModuleNotFoundError", "ImportError"], "name": name}

    assert verdict(told=told) == (status, reason)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        pytest.param({"causes": [[["gaierror", "OSError"], -2]]}, "unclear", id="name"),
        pytest.param({"causes": [[["OSError"], 101]]}, "unclear", id="no way"),
        pytest.param({"causes": [[["OSError"], 111]]}, "failed", id="refused by nobody that was asked"),
        pytest.param({"causes": [[["OSError"], 111]], "network": "localhost"}, "unclear", id="refused"),
        pytest.param({"causes": [[["TimeoutError"], None]]}, "failed", id="late without network"),
        pytest.param({"causes": [[["ReadTimeout"], None]], "network": "10.0.0.1"}, "unclear", id="late"),
        pytest.param({"causes": [[["ValueError"], None]], "network": "10.0.0.1"}, "failed", id="another"),
    ],
)
def test_network_is_told_by_the_cause(told: dict[str, Any], status: str) -> None:
    assert judged(ran(told={**told, "type": "x.E", "bases": ["E"]}), "3.12.1", CASE).status == status


def test_steps_are_those_of_the_function() -> None:
    """Other people's files are left out, several steps in one file are one, and of many the ends are told."""
    files = ["/usr/lib/a.py", *(f"/var/task/m{n}.py" for n in (1, 1, 2, 3, 4, 5, 6)), "/opt/python/n.py"]
    frames = [[file, line, "f"] for line, file in enumerate(files)]

    test = judged(ran(told={"frames": frames, "message": "x"}), "3.12.1", CASE)

    assert test.chain[:2] == ("m1.py:1", "m1.py:2")
    shown = "m1.py:2 → m2.py:3 → m3.py:4 → … → m5.py:6 → m6.py:7 → /opt/python/n.py:8"
    assert test.message == f"{WHAT} fails with ImportError: x ({shown}). On Lambda it would fail alike."


def test_folder_of_lambda_that_only_one_isolation_has() -> None:
    told = {"type": "FileNotFoundError", "bases": ["FileNotFoundError"], "message": "'/var/task/a.txt'"}

    assert judged(ran(told=told), "3.12.1", CASE).status == "failed"
    assert judged(ran(told=told, isolation="landlock"), "3.12.1", CASE).status == "unclear"


def test_late_while_it_asks_the_network() -> None:
    """Attempts that are made again and again are no fault of the bundle."""
    late = ran(timed_out=True, status=-9, told={"outcome": None, "network": "db"})

    assert judged(late, "3.12.1", CASE).message == (
        f"{WHAT} has not come to an end within its time (my_fn.py:1). It asks the network (db), and a smoke "
        "test has none: whether it succeeds on Lambda, and what is imported then, is not known."
    )


def test_no_isolation() -> None:
    """A host that allows none says why."""
    refused = (("namespaces", "unshare: Operation not permitted"), ("audit-hook", "no Python"))

    test = judged(ran(isolation=None, refused=refused, told={"outcome": None}), "3.12.1", CASE)

    assert (test.status, test.message) == (
        "failed",
        f"{WHAT} could not be tried: namespaces: unshare: Operation not permitted; audit-hook: no Python.",
    )


@pytest.mark.parametrize(
    ("libraries", "lent"),
    [
        pytest.param([], [], id="none"),
        pytest.param(
            ["ld-2.31.so", "libm-2.31.so", "libstdc++.so.6.0.30", "libz.so.1.2.13", "libssl.so.3"],
            [],
            id="those that Lambda has, by the names of their files",
        ),
        pytest.param(["libc.so.6", "libpq.so.5.15"], ["libpq.so.5.15"], id="one that it lacks"),
    ],
)
def test_finds_help_from_this_machine(libraries: list[str], lent: list[str]) -> None:
    """Libraries that Lambda has as well are no help, whatever their files are called here."""
    told = {"outcome": "passed", "libraries": [f"/usr/lib/{name}" for name in libraries]}

    assert lent_libraries(ran(told=told), CASE.target) == [f"/usr/lib/{name}" for name in lent]
    assert lent_libraries(ran(told={**told, "outcome": "raised"}), CASE.target) == []


def test_an_import_that_needs_such_help_fails() -> None:
    """What fails once the libraries are kept from it is told with them; what passes without has passed."""
    failing = judged_without(["/usr/lib/libpq.so.5.15"], ran(told={"message": "no pq"}), "3.12.1", CASE)
    passing = judged_without(["/usr/lib/libpq.so.5.15"], ran(told={"outcome": "passed"}), "3.12.1", CASE)

    assert failing.status == "failed"
    assert failing.message == (
        f"{WHAT} passes only with shared libraries of this machine: libpq.so.5.15. Without, it fails with "
        "ImportError: no pq (my_fn.py:1). Neither bundle nor layers have them, nor does Lambda, as far as "
        "is known: use a package that brings them along, or a layer with them in lib/."
    )
    assert (passing.status, passing.message) == ("passed", None)


@pytest.mark.parametrize("system", ["darwin", "linux", "win32"])
def test_refused_connection_is_what_the_system_calls_so(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is the host's, by which Python chooses what a handler can catch."""
    program = Path(process.__file__).with_name("importing.py").read_text(encoding="utf-8")
    (line,) = re.findall(r"^UNREACHABLE, REFUSED = .*$", program, re.MULTILINE)
    monkeypatch.setattr(sys, "platform", system)

    names: dict[str, Any] = {"sys": sys}
    exec(line, names)

    assert names["REFUSED"] == {"darwin": 61, "linux": 111, "win32": 10061}[system]
