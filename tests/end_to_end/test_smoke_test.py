"""`--smoke-test`: the handler is imported as on Lambda, and only then does the bundle take its place."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import time
import zipfile

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.trial import process
from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import start_apart
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
"""The runtime that this Python can try."""

VERSION = ".".join(map(str, sys.version_info[:3]))
HANDLER = "\ndef handler(event, context):\n    return 'hello'\n"

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces, seccomp and Landlock are Linux's")


@pytest.fixture(
    params=[*(pytest.param(name, marks=on_linux) for name in ("namespaces", "landlock")), "audit-hook"]
)
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each isolation by itself."""
    monkeypatch.setattr(process, "ISOLATIONS", (request.param,))
    return str(request.param)


def write(project: Project, code: str, config: str = "", **files: str | bytes) -> None:
    """Write and lock a project without dependencies, which nothing is known of before it is tried."""
    given = f'runtime = "{PYTHON}"\nhandler = "my_fn.handler"\naudit = false\n{config}'
    project.pyproject(config=given)
    project.write({"my_fn.py": code, **{path.replace("__", "/"): data for path, data in files.items()}})
    project.lock()


def failure(project: Project, *arguments: str) -> str:
    """Return the error of a run that leaves the old bundle in its place, and nothing else behind."""
    (project.folder / "dist").mkdir(exist_ok=True)
    (project.folder / "dist" / "my-fn.zip").write_bytes(EMPTY_ZIP)
    outcome = bundle("--smoke-test", *arguments)
    assert outcome.exit_code == 1
    assert [path.name for path in (project.folder / "dist").iterdir()] == ["my-fn.zip"]
    assert (project.folder / "dist" / "my-fn.zip").read_bytes() == EMPTY_ZIP
    return outcome.message


LOOK = """
import errno, json, os, socket, subprocess, sys

def refused(action):
    try:
        action()
    except OSError as error:
        return "name" if isinstance(error, socket.gaierror) else errno.errorcode[error.errno]

def udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))

def written():
    with open("/tmp/lambda-smoke-test", "w") as file:
        file.write("x")
    os.remove("/tmp/lambda-smoke-test")

PAIR = socket.socketpair()
child = os.fork()
if not child:
    os._exit(3)
print(json.dumps({
    "connect": refused(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    "resolve": refused(lambda: socket.getaddrinfo("example.invalid", 80)),
    "udp": refused(udp),
    "pair": refused(lambda: PAIR[0].sendall(b"x")),
    "task": [refused(lambda: open("new.txt", "w")), refused(lambda: os.mkdir("new")),
             refused(lambda: open(__file__, "a")), refused(lambda: os.remove(__file__))],
    "host": refused(lambda: open(HOST, "w")),
    "tmp": refused(written),
    "null": refused(lambda: open(os.devnull, "w")),
    "fork": os.waitpid(child, 0)[1] >> 8,
    "program": subprocess.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE).stdout.decode(),
    "root": os.environ["LAMBDA_TASK_ROOT"] == os.getcwd() == sys.path[0],
    "secret": os.environ.get("MY_SECRET"),
    "stage": os.environ.get("STAGE"),
    "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
    "exit": [type(exit).__name__, type(quit).__name__],
}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_handler_is_apart_from_the_host(
    project: Project, isolation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network, no file of the host, /tmp as on Lambda, the function's variables and no other."""
    monkeypatch.setenv("MY_SECRET", "of the user")
    # where no isolation lets it write, and yet not in /tmp, which two of them share with the host
    host = os.path.expanduser(f"~{os.environ.get('USER', 'root')}")  # noqa: PTH111
    write(project, f"HOST = {host + '/lambda-smoke-test'!r}\n" + LOOK + HANDLER)

    outcome = bundle("--smoke-test", "--env", "STAGE=a=b", "--format", "json")

    assert (outcome.exit_code, outcome.error) == (0, "")
    test = outcome.report["smoke_test"]
    assert (test["status"], test["isolation"], test["refused_isolations"]) == ("passed", isolation, [])
    read_only = {"namespaces": {"EROFS", "EACCES"}, "landlock": {"EACCES"}, "audit-hook": {"EROFS", "EACCES"}}
    seen = json.loads(test["output"][-1])
    assert {*seen.pop("task"), seen.pop("host")} <= read_only[isolation]
    assert seen == {
        "connect": "ENETUNREACH",
        "resolve": "name",
        "udp": "ENETUNREACH",
        "pair": None,
        "tmp": None,
        "null": None,
        "fork": 3,
        "program": "1\n",
        "root": True,
        "secret": None,
        "stage": "a=b",
        "name": "my-fn",
        "exit": ["Quitter", "Quitter"],
    }


def test_passes(locked_project: Project, isolation: str) -> None:
    """The summary says what held, how long it took and what took longest; a bundle's bytes stay the same."""
    write_handler = f'runtime = "{PYTHON}"\nhandler = "my_fn.handler"'
    pyproject = (locked_project.folder / "pyproject.toml").read_text()
    locked_project.write({"pyproject.toml": f"{pyproject}\n[tool.poetry-lambda-plugin]\n{write_handler}\n"})
    plain = bundle("--format", "json").report

    outcome = bundle("--smoke-test")

    assert (outcome.exit_code, outcome.error) == (0, "")
    told = {
        "namespaces": "isolated by namespaces",
        "landlock": "isolated by seccomp and Landlock",
        "audit-hook": "isolated by an audit hook, which C code and other programs pass",
    }
    (line,) = [line for line in outcome.output.splitlines() if line.startswith("  Smoke test  ")]
    assert line.startswith("  Smoke test  passed: imported in 0.")
    assert line.endswith(f" s by CPython {VERSION}, {told[isolation]}")
    assert f"  - Trying my_fn.handler with CPython {VERSION}\n" in outcome.output
    assert "  Slowest modules" in outcome.output
    report = bundle("--smoke-test", "--format", "json").report
    assert (report["status"], report["code_sha256"]) == ("unchanged", plain["code_sha256"])
    modules = {module["name"]: module for module in report["smoke_test"]["modules"]}
    assert list(modules) == ["greeting", "my_fn"]
    assert modules["greeting"]["bytes"] == len("WORD = 'hello'\n")
    assert (
        modules["my_fn"]["seconds"]
        >= modules["greeting"]["seconds"]
        >= modules["greeting"]["own_seconds"]
        > 0
    )


WHAT = "The import of the handler 'my_fn.handler'"
ON_LAMBDA = "on Lambda that ends the function before it is called."
VARIABLES = "If it needs environment variables that the function has, give them with --env NAME=VALUE."


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            "import my_own.part\n",
            f"{WHAT} fails with ModuleNotFoundError: No module named 'absent' (my_fn.py:1 → "
            "my_own/part.py:2). Nothing in the bundle has it: add the package that does with `poetry add`, "
            "or name the layer that has it in exclude-layers.",
            id="module",
        ),
        pytest.param(
            "import greeting.loud\n",
            f"{WHAT} fails with ModuleNotFoundError: No module named 'greeting.loud'; 'greeting' is not "
            "a package (my_fn.py:1). The bundle has greeting, but not that part of it: is its version the "
            "right one?",
            id="submodule",
        ),
        pytest.param(
            "import extra_thing\n",
            f"{WHAT} fails with ModuleNotFoundError: No module named 'extra_thing' (my_fn.py:1). poetry.lock "
            "has extra-thing, but in no group or extra of this bundle: choose it with --with or --extras, or "
            "move it to the main dependencies.",
            id="other group",
        ),
        pytest.param(
            "from greeting import LOUD\n",
            f"{WHAT} fails with ImportError: cannot import name 'LOUD' from 'greeting' "
            "(/var/task/greeting.py) (my_fn.py:1). On Lambda it would fail alike.",
            id="name",
        ),
        pytest.param(
            "import os\nTABLE = os.environ['TABLE_NAME']\n",
            f"{WHAT} needs the environment variable TABLE_NAME (my_fn.py:2). Lambda has it from the "
            "function's configuration: give it to the smoke test with --env TABLE_NAME=…",
            id="variable",
        ),
        pytest.param(
            "import os\nLIMIT = int(os.getenv('LIMIT', ''))\n",
            f"{WHAT} fails with ValueError: invalid literal for int() with base 10: '' (my_fn.py:2). It "
            "asked for environment variables that are not set: --env LIMIT=… would give them.",
            id="variable that may be missing",
        ),
        pytest.param(
            "{}['key']\n", f"{WHAT} fails with KeyError: key (my_fn.py:1). {VARIABLES}", id="another key"
        ),
        pytest.param(
            "open('cache.txt', 'w')\n",
            f"{WHAT} fails with OSError: [Errno 30] Read-only file system: 'cache.txt' (my_fn.py:1). On "
            "Lambda, too, nothing but /tmp can be written to.",
            id="file",
        ),
        pytest.param(
            "import my_own.odd\n",
            f"{WHAT} fails with SyntaxError: invalid syntax (odd.py, line 1) (my_fn.py:1). It is in "
            "my_own/odd.py:1.",
            id="syntax",
        ),
        pytest.param(
            "import sys\nsys.exit(4)\n",
            f"{WHAT} ends Python with exit code 4 (my_fn.py:2): {ON_LAMBDA} Call exit below "
            "`if __name__ == '__main__':` only.",
            id="exit",
        ),
        pytest.param(
            "import os\nos._exit(5)\n",
            f"{WHAT} ends the process with exit code 5, as os._exit does: {ON_LAMBDA} "
            "Take it out of the module.",
            id="sudden end",
        ),
        pytest.param(
            "import ctypes\ndef crash():\n    ctypes.string_at(0)\ncrash()\n",
            f"{WHAT} crashes Python with SIGSEGV (my_fn.py:3). Lambda's would crash too.",
            id="crash",
        ),
        pytest.param(
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
            f"{WHAT} crashes Python with SIGKILL. Lambda's would crash too.",
            id="kill",
        ),
        pytest.param(
            "def handler(event, context):\n    pass\ndel globals()['handler']\n",
            "The handler 'my_fn.handler' names 'handler', which my_fn does not have once it is imported. "
            "Correct `handler`, or the module.",
            id="no handler",
        ),
        pytest.param(
            "handler = {'a': 1}\n",
            "The handler 'my_fn.handler' names 'handler', which is no function: Lambda would fail at each "
            "call. Correct `handler`, or the module.",
            id="no function",
        ),
    ],
)
@on_linux
def test_failure_is_told_by_its_cause(project: Project, index: Index, code: str, message: str) -> None:
    """What is wrong, where in the bundle, and what to do; nothing is written."""
    wheels = [make_wheel("greeting"), make_wheel("extra-thing")]
    index.add(*wheels)
    project.pyproject(
        dependencies=["greeting"],
        tool="[tool.poetry.group.other.dependencies]\nextra-thing = '*'\n",
        config=f'runtime = "{PYTHON}"\nhandler = "my_fn.handler"',
        source=index.url,
    )
    own = {"__init__.py": "", "part.py": "\nimport absent\n", "odd.py": "=\n"}
    has_handler = "handler" in code
    project.write(
        {"my_fn.py": code if has_handler else code + HANDLER, **{f"my_own/{n}": t for n, t in own.items()}}
    )
    locked = [Locked.of(wheels[0]), Locked.of(wheels[1], groups=["other"])]
    project.lock(locked, source=index.url)

    # which tells most of it before
    assert failure(project, "--no-audit") == f"{message} Nothing was written."


def test_is_past_what_is_told(project: Project) -> None:
    """What looks like each of these and is none does no harm."""
    write(
        project,
        "import os, sys\n"
        "os.environ.get('TABLE_NAME'), os.getenv('STAGE', 'test')\n"
        "try:\n    import absent\nexcept ImportError:\n    absent = None\n"
        "try:\n    sys.exit(4)\nexcept SystemExit:\n    pass\n"
        "try:\n    open('cache.txt', 'w')\nexcept OSError:\n    pass\n"
        "try:\n    os.environ['TABLE_NAME']\nexcept KeyError:\n    pass\n"
        "class Called:\n    def __call__(self, event, context):\n        pass\n"
        "handler = Called()\n",
    )

    outcome = bundle("--smoke-test")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "  Smoke test  passed: " in outcome.output


def test_variable_is_given(project: Project) -> None:
    """`--env` may be repeated, and beats what Lambda would set."""
    write(project, "import os\nassert os.environ['A'] + os.environ['AWS_REGION'] == '1eu-west-1'\n" + HANDLER)

    outcome = bundle("--smoke-test", "--env", "A=1", "--env", "AWS_REGION=eu-west-1")

    assert (outcome.exit_code, outcome.error) == (0, "")


def test_output_is_shown_with_a_failure(project: Project) -> None:
    """The last lines are below the error, also what goes round Python, and in a field of the JSON."""
    write(project, "import os\nprint('one')\nos.system('echo two')\nraise RuntimeError('three')\n" + HANDLER)
    message = f"{WHAT} fails with RuntimeError: three (my_fn.py:4). {VARIABLES}"

    assert failure(project) == f"{message} Its last output: one two Nothing was written."
    outcome = bundle("--smoke-test", "--format", "json")

    document = json.loads(outcome.output)
    (report,) = document["bundles"]
    assert document["error"].startswith(message)
    assert (report["status"], report["changed"]) == ("failed", False)
    test = report["smoke_test"]
    assert (test["status"], test["message"], test["chain"]) == ("failed", message, ["my_fn.py:4"])
    assert test["output"] == ["one", "two"]


def test_output_is_shown_when_asked_for(project: Project) -> None:
    """`-v` shows what was written, and which isolations the host refused."""
    write(project, "print('<b>hello</b>')\n" + HANDLER)

    assert "smoke test: <b>hello</b>\n" in bundle("--smoke-test", "-v").output
    assert "hello" not in bundle("--smoke-test").output


def test_handler_that_never_returns(project: Project, isolation: str) -> None:
    """A limit ends it, and says where it was."""
    write(project, "import time\nfrom my_own import wait\nwait()\n" + HANDLER, my_own__py="")
    project.write({"my_own.py": "import time\ndef wait():\n    while True:\n        time.sleep(1)\n"})
    started = time.monotonic()

    message = failure(project, "--timeout", "0.3")

    assert message == (
        f"{WHAT} has not come to an end within its time (my_fn.py:3 → my_own.py:4). On Lambda the function "
        "would not be called. If it only needs longer, give it more with --timeout SECONDS. "
        "Nothing was written."
    )
    assert time.monotonic() - started < 10


@on_linux
def test_no_process_is_left(project: Project, isolation: str, tmp_path: Path) -> None:
    """What the handler starts, and hides from its parent, ends with the test."""
    mark = f"lambda-smoke-test-{os.getpid()}-{isolation}"
    command = f"[sys.executable, '-c', 'import time; time.sleep(60)', {mark!r}]"
    code = f"import subprocess, sys\nsubprocess.Popen({command}, start_new_session=True)\n"
    write(project, code + HANDLER)

    assert bundle("--smoke-test").exit_code == 0
    assert mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_interrupt_ends_all(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, and even the end of Poetry itself, ends the handler; nothing is written."""
    mark = f"lambda-smoke-test-{os.getpid()}-{number}"
    write(project, f"import os, time\nos.system('sleep 61 # {mark}')\n" + HANDLER)
    # a shell lets what runs behind it ignore Ctrl-C
    hook = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    running = start_apart(tmp_path / "hook", "lambda-bundle", "--smoke-test", hook=hook, TMPDIR=str(tmp_path))

    def lives() -> bool:
        return mark in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout

    deadline = time.monotonic() + 60
    while not lives() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lives()
    running.send_signal(number)
    running.communicate(timeout=60)
    while lives() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lives()
    assert not (project.folder / "dist").exists() or number == signal.SIGKILL
    if number == signal.SIGINT:
        assert running.returncode == 130
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("lambda-bundle-")] == []


NETWORK = "a smoke test has none: whether it succeeds on Lambda, and what is imported then, is not known."


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)\n",
            f"{WHAT} was tried up to OSError: [Errno 101] Network is unreachable (my_fn.py:2). It asks the "
            f"network (192.0.2.1), and {NETWORK}",
            id="address",
        ),
        pytest.param(
            "import urllib.request\nurllib.request.urlopen('https://example.invalid/')\n",
            f"{WHAT} was tried up to urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in "
            f"name resolution> (my_fn.py:2). It asks the network (example.invalid), and {NETWORK}",
            id="name",
        ),
        pytest.param(
            "raise RuntimeError('could not translate host name \"db\" to address')\n",
            f'{WHAT} was tried up to RuntimeError: could not translate host name "db" to address '
            f"(my_fn.py:1). It asks the network, and {NETWORK}",
            id="library in C",
        ),
        pytest.param(
            "import boto3\n",
            f"{WHAT} was tried up to ModuleNotFoundError: No module named 'boto3' (my_fn.py:1). The runtime "
            "brings boto3 along, and it is not here: with boto3 in any group of poetry.lock the rest could "
            "be tried.",
            id="runtime",
        ),
        pytest.param(
            "raise ImportError('libz.so.1: cannot open shared object file: No such file or directory')\n",
            f"{WHAT} was tried up to ImportError: libz.so.1: cannot open shared object file: No such file or "
            "directory (my_fn.py:1). Lambda has libz.so.1, and this machine lacks it.",
            id="library",
        ),
    ],
)
@on_linux
def test_what_lambda_alone_has_is_a_warning(
    project: Project, isolation: str, code: str, message: str
) -> None:
    """What only Lambda has is no fault of the bundle, and no pass: a warning with a code."""
    write(project, code + HANDLER)

    outcome = bundle("--smoke-test", "--format", "json")

    assert (outcome.exit_code, outcome.message) == (0, f"Warning: {message}")
    assert outcome.report["smoke_test"]["status"] == "unclear"
    assert outcome.report["findings"] == [
        {
            "code": "smoke-test-unclear",
            "message": message,
            "where": "my_fn.handler",
            "severity": "warning",
            "about": None,
        }
    ]
    assert bundle("--smoke-test", "--strict").message == f"{message} (--strict makes this an error.)"
    write(project, code + HANDLER, config='ignore = ["smoke-test-unclear"]')
    assert (bundle("--smoke-test").error, bundle().error) == ("", "")


def library_that_lambda_lacks() -> str | None:
    """Return the name of a shared library that this machine has and Python's own modules do not use."""
    for name in ("libpq.so.5", "libgomp.so.1", "libX11.so.6", "libpng16.so.16"):
        with suppress(OSError):
            ctypes.CDLL(name)
            return name
    return None


@pytest.mark.parametrize("isolation", ["namespaces"], indirect=True)
@on_linux
def test_libraries_of_this_machine_are_no_help(project: Project, isolation: str) -> None:
    """What passes only since this machine has a library fails; what does without one is fine."""
    name = library_that_lambda_lacks()
    if name is None:
        pytest.skip("this machine has none")
    load = f"ctypes.CDLL('{name}')"
    write(project, f"import ctypes\n{load}\n" + HANDLER)

    message = bundle("--smoke-test").message

    assert message.startswith(f"{WHAT} passes only with shared libraries of this machine: {name}")
    assert " Without, it fails with OSError: " in message
    write(project, f"import ctypes\ntry:\n    {load}\nexcept OSError:\n    pass\n" + HANDLER)
    assert bundle("--smoke-test").error == ""


@pytest.mark.parametrize("group", ["main", "dev"])
def test_runtime_packages_come_from_the_lock(project: Project, index: Index, group: str) -> None:
    """What the runtime has is imported from the locked wheels, whatever group has them, and not bundled."""
    wheels = [
        make_wheel("boto3", files={"boto3.py": "import botocore\n"}, requires=("botocore",)),
        make_wheel("botocore", files={"botocore.py": ""}),
    ]
    index.add(*wheels)
    main = group == "main"
    project.pyproject(
        dependencies=["boto3"] if main else [],
        tool="" if main else "[tool.poetry.group.dev.dependencies]\nboto3 = '*'\n",
        config=f'runtime = "{PYTHON}"\nhandler = "my_fn.handler"\nexclude-runtime-packages = true',
        source=index.url,
    )
    project.write({"my_fn.py": "import boto3\nassert 'task' not in boto3.__file__\n" + HANDLER})
    boto3 = Locked.of(wheels[0], groups=[group], dependencies={"botocore": "*"})
    project.lock([boto3, Locked.of(wheels[1], groups=[group])], source=index.url)

    report = bundle("--smoke-test", "--format", "json").report

    assert report["smoke_test"]["status"] == "passed"
    assert [module["name"] for module in report["smoke_test"]["modules"]] == ["botocore", "boto3", "my_fn"]
    assert [package["name"] for package in report["packages"]] == ["my-fn"]


def test_layers_are_where_lambda_has_them(project: Project, index: Index, isolation: str) -> None:
    """A function finds what its layers hold, the version-specific folder first, and is tried with several."""
    wheel = make_wheel("greeting", files={"greeting.py": "WORD = 'hello'\n"})
    index.add(wheel)
    project.pyproject(
        dependencies=["greeting"],
        source=index.url,
        tool=f'[tool.poetry-lambda-plugin]\nruntime = "{PYTHON}"\n'
        "[tool.poetry-lambda-plugin.bundles.deps]\nlayer = true\nno-root = true\n"
        "[tool.poetry-lambda-plugin.bundles.api]\nhandler = 'my_fn.handler'\n"
        "exclude-layers = ['deps.zip']\n",
    )
    project.write({"my_fn.py": "import greeting, sys\nassert sys.path[2] in greeting.__file__\n" + HANDLER})
    project.lock([Locked.of(wheel)], source=index.url)

    assert bundle("deps", "-o", "deps.zip").exit_code == 0
    outcome = bundle("--smoke-test", "--format", "json")

    assert (outcome.exit_code, outcome.error) == (0, "")
    found = {report["bundle"]: report for report in json.loads(outcome.output)["bundles"]}
    assert found["api"]["smoke_test"]["status"] == "passed"
    assert found["deps"]["smoke_test"]["status"] == "untried"
    assert found["deps"]["notes"] == [
        (
            "The smoke test passed over it. A layer has no handler: try a function that has the layer in "
            "exclude-layers."
        )
    ]


def elf(machine: int) -> bytes:
    """Return how a compiled file for a machine begins."""
    return b"\x7fELF\2\1\1" + bytes(9) + b"\3\0" + machine.to_bytes(2, "little") + bytes(44)


def other_architecture() -> tuple[str, int]:
    """Return the architecture that this machine does not have, with ELF's number of it."""
    return ("x86_64", 62) if platform.machine() in ("aarch64", "arm64") else ("arm64", 183)


def test_other_architecture(project: Project) -> None:
    """Compiled code for another machine can't be tried; pure Python can, and so can the other bundle."""
    name, machine = other_architecture()
    write(project, HANDLER)
    assert bundle("--smoke-test", "--architecture", name).exit_code == 0

    project.write({"my_own.so": elf(machine)})
    message = failure(project, "--architecture", name, "--include", "my_own.so")

    assert message.startswith(
        f"The bundle holds code that is compiled for Linux with glibc on {name}, and this is "
    )
    assert message.endswith(", or without --smoke-test. Nothing was written.")
    both = bundle("--smoke-test", "--include", "my_own.so", "--format", "json", *ARCHITECTURES)
    assert both.exit_code == 0
    assert f"Warning: my-fn-{name}.zip: The bundle holds code that is compiled for " in both.error
    statuses = {b["architecture"]: b["smoke_test"]["status"] for b in json.loads(both.output)["bundles"]}
    assert statuses.pop(name) == "untried"
    assert [*statuses.values()] == ["passed"]


ARCHITECTURES = ("--architecture", "x86_64", "--architecture", "arm64")


def test_several_failures_are_told_together(project: Project) -> None:
    """Each bundle is tried, and each failure named; only what passes takes its place."""
    write(
        project,
        HANDLER,
        config="\n".join(
            f"[tool.poetry-lambda-plugin.bundles.{name}]\nhandler = '{name}.handler'"
            for name in ("a", "b", "c")
        ),
    )
    project.write({"a.py": "import x\n" + HANDLER, "b.py": HANDLER, "c.py": "import y\n" + HANDLER})

    outcome = bundle("--smoke-test", "--format", "json")

    assert outcome.exit_code == 1
    a, c = (line for line in outcome.error.splitlines() if "fails with" in line)
    assert a.startswith(
        f"a for {PYTHON} on x86_64 could not be made: The import of the handler 'a.handler' fails with "
        "ModuleNotFoundError: No module"
    )
    assert c.startswith(
        f"c for {PYTHON} on x86_64 could not be made: The import of the handler 'c.handler' fails with "
        "ModuleNotFoundError: No module"
    )
    tests = [report["smoke_test"]["status"] for report in json.loads(outcome.output)["bundles"]]
    assert tests == ["failed", "passed", "failed"]
    assert [path.name for path in (project.folder / "dist").iterdir()] == ["b.zip"]


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        pytest.param(
            "",
            [],
            "--smoke-test imports the function's handler, and none is named. Set `handler` in "
            "[tool.poetry-lambda-plugin], as in 'package.module.function'.",
            id="no handler",
        ),
        pytest.param(
            "",
            ["--layer"],
            "--smoke-test has nothing to try. A layer has no handler: try a function that has the layer in "
            "exclude-layers.",
            id="layer",
        ),
        pytest.param(
            "",
            ["--dry-run"],
            "--smoke-test tries what has been written, and --dry-run writes nothing. Drop one of the two.",
            id="dry run",
        ),
        pytest.param(
            "",
            ["--timeout", "0"],
            "--timeout takes seconds, more than 0 and at most 900, not '0'.",
            id="no time",
        ),
        pytest.param(
            "",
            ["--timeout", "soon"],
            "--timeout takes seconds, more than 0 and at most 900, not 'soon'.",
            id="no number",
        ),
        pytest.param(
            "",
            ["--env", "hunter2"],
            "--env takes NAME=VALUE, with a name of letters, digits and underscores.",
            id="no name",
        ),
        pytest.param(
            "",
            ["--env", "_HANDLER=x"],
            "--env can't set _HANDLER, which Lambda sets itself and no function can change.",
            id="reserved",
        ),
    ],
)
def test_what_can_not_be_tried_is_refused(
    project: Project, config: str, arguments: list[str], message: str
) -> None:
    """Before any work, with what to do."""
    project.pyproject(config=f'runtime = "{PYTHON}"\n{config}')
    project.write({"my_fn.py": HANDLER})
    project.lock()

    outcome = bundle("--smoke-test", *arguments)

    assert (outcome.exit_code, outcome.message) == (1, message)
    assert not (project.folder / "dist").exists()


@pytest.mark.parametrize("arguments", [["--env", "A=b"], ["--timeout", "3"]], ids=["env", "timeout"])
def test_options_of_the_smoke_test_need_it(project: Project, arguments: list[str]) -> None:
    """What would have no effect is refused."""
    write(project, HANDLER)

    assert bundle(*arguments).message == f"{arguments[0]} is for --smoke-test: add that too."


def test_no_interpreter(project: Project) -> None:
    """Without a Python of the runtime's version the error says how to get one, before any work."""
    project.pyproject(
        config='runtime = "python3.15"\nhandler = "my_fn.handler"\nignore = ["runtime-preview"]'
    )
    project.write({"my_fn.py": HANDLER})
    project.lock()

    outcome = bundle("--smoke-test")

    assert outcome.exit_code == 1
    assert outcome.message == (
        "Only CPython 3.15 can try a handler for Python 3.15, and none is found: not as python3.15 on PATH, "
        "nor by Poetry or pyenv, nor in the project's environment. Get one with `poetry python install 3.15` "
        "or `pyenv install 3.15`, or bundle without --smoke-test."
    )


def change_program(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Let one of the programs that are started be another one."""
    whole = process._program
    program = whole(name)
    assert old in program
    changed = {name: program.replace(old, new, 1)}
    monkeypatch.setattr(process, "_program", lambda name: changed.get(name) or whole(name))


FUTURE = "from __future__ import annotations\n"
REFUSAL = """
import ctypes

class Refusing(ctypes.CDLL):
    def unshare(self, flags):
        ctypes.set_errno(1)
        return -1

ctypes.CDLL = Refusing
"""


@on_linux
@pytest.mark.parametrize(
    ("old", "new", "isolation", "refused"),
    [
        pytest.param(
            FUTURE,
            FUTURE + REFUSAL,
            "seccomp and Landlock",
            ["no namespaces: unshare: Operation not permitted"],
            id="container",
        ),
        pytest.param(
            FUTURE,
            FUTURE + "import sys\nsys.modules['ctypes'] = None\n",
            "an audit hook, which C code and other programs pass",
            [
                "no namespaces: this Python has no ctypes: import of ctypes halted; None in sys.modules",
                "no landlock: this Python has no ctypes: import of ctypes halted; None in sys.modules",
            ],
            id="no ctypes",
        ),
        pytest.param("0x8000, -100", "0x4, -100", "namespaces", [], id="old kernel"),
        pytest.param(
            'os.chdir("/")\n    make_read_only("/")',
            'os.chdir("/")\n    make_read_only("/")\n    os.chroot("/var/task")',
            "seccomp and Landlock",
            ["no namespaces: mount at /tmp: No such file or directory"],
            id="half-way",
        ),
    ],
)
def test_falls_back_to_what_the_host_allows(
    project: Project, monkeypatch: pytest.MonkeyPatch, old: str, new: str, isolation: str, refused: list[str]
) -> None:
    """Where the host refuses one isolation, as Docker does, the next one is taken, and `-v` says why."""
    write(project, "try:\n    open('new.txt', 'w')\nexcept OSError:\n    print('closed')\n" + HANDLER)
    change_program(monkeypatch, "isolating.py", old, new)

    outcome = bundle("--smoke-test", "-v")

    assert f", isolated by {isolation}\n" in outcome.output
    told = [line for line in outcome.output.splitlines() if line.startswith("  smoke test: no ")]
    assert len(told) == len(refused)
    assert all(line.startswith(f"  smoke test: {words}") for line, words in zip(told, refused, strict=True))
    assert "smoke test: closed\n" in outcome.output


@on_linux
def test_python_that_does_not_start_is_no_fault_of_the_bundle(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said of the handler before it is the handler's turn."""
    write(project, HANDLER)
    change_program(monkeypatch, "importing.py", FUTURE, FUTURE + "import os\nos._exit(7)\n")

    words = "Python does not start there (exit code 7)"
    assert failure(project) == (
        f"{WHAT} could not be tried: namespaces: {words}; landlock: {words}; audit-hook: {words}. "
        "Nothing was written."
    )


def test_notes_a_long_import(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be too long for Lambda's init phase is told, since it was measured here and not there."""
    write(project, HANDLER)
    change_program(monkeypatch, "importing.py", "seconds = time.perf_counter() - start", "seconds = 12.34")

    assert bundle("--smoke-test", "--format", "json").report["notes"][-1] == (
        "The import of the handler took 12.3 s here. Lambda gives the start of a function 10 s, then it "
        "begins again within the function's own timeout."
    )


@pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric has wheels for Linux only"
)
@pytest.mark.parametrize(
    ("code", "passes"),
    [
        pytest.param(HANDLER, True, id="function"),
        pytest.param("import my_own.part as part\nhandler = part.other\n", True, id="from elsewhere"),
        pytest.param(
            "import typing, enum\nassert 'own' not in typing.__dict__\n" + HANDLER, False, id="shadow"
        ),
        pytest.param(
            "import json, enum\nassert 'own' not in json.__dict__\n" + HANDLER, True, id="no shadow"
        ),
        pytest.param("import pth_was_here\n" + HANDLER, True, id="path file"),
        pytest.param("import absent\n" + HANDLER, False, id="module"),
        pytest.param("import os\nos.environ['LAMBDA_TASK_ROOT']\n" + HANDLER, True, id="variable"),
        pytest.param("import os\nos.environ['HOME']\n" + HANDLER, False, id="other variable"),
        pytest.param("import os\nassert os.path.isfile('my_fn.py')\n" + HANDLER, True, id="folder"),
        pytest.param("if not exit or not quit:\n    raise SystemExit\n" + HANDLER, True, id="site"),
        pytest.param("raise SystemExit\n" + HANDLER, False, id="exit"),
    ],
)
def test_tells_what_lambdas_client_would(
    project: Project, code: str, *, passes: bool, tmp_path: Path
) -> None:
    """AWS's own client imports what passes, and does not what fails."""
    project.pyproject(
        tool='[tool.poetry]\npackages = [{ include = "*.py" }, { include = "my_own" }]\ninclude = ["*.pth"]',
        config=f'runtime = "{PYTHON}"\nhandler = "my_fn.handler"',
    )
    project.write(
        {
            "my_fn.py": code,
            "my_own/__init__.py": "",
            "my_own/part.py": "def other(event, context):\n    return 'hello'\n",
            "typing.py": "own = True\n",
            "json.py": "own = True\n",
            "extra.pth": "hidden\n",
            "hidden/pth_was_here.py": "",
        }
    )
    project.lock()
    include = ("--include", "extra.pth", "--include", "hidden/pth_was_here.py", "-o", "out.zip", "--no-audit")
    assert bundle(*include).exit_code == 0
    task = tmp_path / "task"
    with zipfile.ZipFile(project.folder / "out.zip") as archive:
        archive.extractall(task)

    try:
        answer = invoke(task, "my_fn.handler", {}).kind
    except (AssertionError, ValueError):
        # it ended without a word
        answer = "none"
    assert (bundle("--smoke-test", *include).exit_code == 0, answer == "response") == (passes, passes)
