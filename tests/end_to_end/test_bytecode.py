"""Bundles with bytecode: what it is, what it does, who makes it, and what may be wrong with them."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.end_to_end.test_on_lambda import bundled
from tests.support.projects import Locked
from tests.support.runner import Outcome
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.runner import run_apart
from tests.support.runner import start_apart
from tests.support.runtime_api import Reply
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


MINOR = sys.version_info[1]
RUNTIME = f"python3.{MINOR}"
TAG = f"cpython-3{MINOR}"
BUNDLED = [f"__pycache__/my_fn.{TAG}.pyc", f"greeting/__pycache__/__init__.{TAG}.pyc"]

ABSENT = "python3.15"
"""A runtime whose Python is not on the machines that run these tests."""

posix = pytest.mark.skipif(os.name != "posix", reason="interpreters are made of scripts and links")
without_absent = pytest.mark.skipif(MINOR == 15, reason="the tests run with the Python that is to be missing")


def compiled(mode: str = "checked-hash", *arguments: str, output: str = "function.zip") -> Outcome:
    """Bundle with bytecode for the Python of these tests."""
    outcome = bundle("--runtime", RUNTIME, "--bytecode", mode, "-o", output, *arguments)
    assert outcome.exit_code == 0, outcome.error
    return outcome


COMPILED = ("lambda-bundle", "--runtime", RUNTIME, "--bytecode", "checked-hash")

NO_FORK = "import os\nvars(os).pop('fork', None)\n"
"""Makes a process like one of a system that can't fork."""


def pycs(path: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(path).items() if name.endswith(".pyc")}


def configure(project: Project, config: str) -> None:
    file = project.folder / "pyproject.toml"
    file.write_text(f"{file.read_text()}\n[tool.poetry-lambda-plugin]\n{config}\n")


def depend_on(project: Project, index: Index, files: dict[str, str | bytes], name: str = "library") -> None:
    """Lock a project with one module and one dependency, which has `files`."""
    wheel = make_wheel(name, files=files)
    index.add(wheel)
    project.pyproject(dependencies=[name], source=index.url)
    project.write({"my_fn.py": f"import {name}\n"})
    project.lock([Locked.of(wheel)], source=index.url)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all programs that are started from now on."""
    names: list[str] = []

    class Recorder(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, command: Any, *arguments: Any, **options: Any) -> None:
            names.append(os.path.basename(command[0]))  # noqa: PTH119
            super().__init__(command, *arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", Recorder)
    return names


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        pytest.param("checked-hash", 0b11, id="checked"),
        pytest.param("unchecked-hash", 0b01, id="unchecked"),
    ],
)
def test_headers(locked_project: Project, mode: str, flags: int) -> None:
    """Each header has the magic number, the flags of PEP 552 and the hash of the source beside it."""
    compiled(mode)

    files = contents(locked_project.folder / "function.zip")
    sources = {path: files["my_fn.py" if "my_fn" in path else "greeting/__init__.py"] for path in BUNDLED}
    assert {path: data[:16] for path, data in files.items() if path.endswith(".pyc")} == {
        path: importlib.util.MAGIC_NUMBER + flags.to_bytes(4, "little") + importlib.util.source_hash(source)
        for path, source in sources.items()
    }


def test_no_bytecode_by_default(locked_project: Project) -> None:
    """Who asks for none gets none."""
    bundle("-o", "function.zip")

    assert pycs(locked_project.folder / "function.zip") == {}


def test_record_stays_as_it_was(locked_project: Project) -> None:
    """RECORD need not list bytecode, so the wheel's own is copied."""
    bundle("-o", "plain.zip", "--runtime", RUNTIME)
    compiled()

    plain = contents(locked_project.folder / "plain.zip")
    files = contents(locked_project.folder / "function.zip")
    assert {path: data for path, data in files.items() if path not in BUNDLED} == plain


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        pytest.param("checked-hash", "edited", id="checked-takes-the-new-source"),
        pytest.param("unchecked-hash", "hello", id="unchecked-stays-with-the-old"),
    ],
)
def test_changed_source(locked_project: Project, tmp_path: Path, mode: str, word: str) -> None:
    """An edit in the deployed function counts with checked hashes only."""
    compiled(mode)
    with zipfile.ZipFile(locked_project.folder / "function.zip") as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "task/greeting/__init__.py").write_text("WORD = 'edited'\n")

    code = "import my_fn; print(my_fn.handler(None, None))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path / "task", capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{word}\n"


@pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric has wheels for Linux only"
)
def test_lambda_runs_bytecode(locked_project: Project) -> None:
    """AWS's client imports the bytecode: a source that would fail is not even compiled."""
    folder = bundled(locked_project, "--runtime", RUNTIME, "--bytecode", "unchecked-hash")
    for name in ("my_fn.py", "greeting/__init__.py"):
        (folder / name).chmod(0o644)
        (folder / name).write_text("raise SystemExit\n")

    assert invoke(folder, "my_fn.handler", {}) == Reply("response", "hello")


@pytest.mark.parametrize(
    ("arguments", "root", "prefix"),
    [
        pytest.param((), "/var/task/", "", id="function"),
        pytest.param(("--layer",), "/opt/python/", "python/", id="layer"),
    ],
)
def test_tracebacks_name_the_place_on_lambda(
    locked_project: Project, arguments: tuple[str, ...], root: str, prefix: str
) -> None:
    """A code object knows its path on Lambda."""
    compiled("checked-hash", *arguments)

    data = pycs(locked_project.folder / "function.zip")[prefix + BUNDLED[1]]
    assert marshal.loads(data[16:]).co_filename == f"{root}greeting/__init__.py"


def test_no_path_of_the_host(locked_project: Project, tmp_path: Path) -> None:
    """No bytecode names a folder of the machine that made it."""
    compiled()

    for data in pycs(locked_project.folder / "function.zip").values():
        assert not any(os.fsencode(path) in data for path in (tmp_path, sys.prefix, sys.base_prefix))


def test_same_bytes_everywhere(
    project: Project, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the processors, nor the platform's processes, folder, hash seed or cache change a byte."""
    module = "def f(x):\n    return x in {'one', 'two', 'three', 'four', b'five', None}\n"
    files: dict[str, str | bytes] = {f"library/m{i}.py": f"{module}# {'x' * 500_000}\n" for i in range(6)}
    depend_on(project, index, {**files, "library/__init__.py": ""})
    made = []
    for turn, (processors, cache) in enumerate([(1, ("--no-cache",)), (2, ()), (8, ("--no-cache",))]):
        monkeypatch.setattr(os, "cpu_count", lambda processors=processors: processors)
        monkeypatch.setenv("PYTHONHASHSEED", str(turn))
        folder = tmp_path / f"folder-{turn}"
        shutil.copytree(project.folder, folder)
        monkeypatch.chdir(folder)
        compiled("checked-hash", *cache)
        made.append((folder / "function.zip").read_bytes())
    forkless = run_apart(tmp_path / "hook", *COMPILED, "--no-cache", "-o", "forkless.zip", hook=NO_FORK)

    assert forkless.exit_code == 0, forkless.error
    assert {*made, (folder / "forkless.zip").read_bytes()} == {made[0]}


def test_second_run_starts_no_interpreter(locked_project: Project, started: list[str]) -> None:
    """What is in the cache needs no process, not even to learn the version."""
    compiled(output="one.zip")
    first = list(started)
    started.clear()

    compiled(output="two.zip")

    assert any(name.startswith("python") for name in first)
    assert {*started} <= {"git"}
    one, two = (locked_project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()


def test_changed_project_alone_is_compiled(locked_project: Project, started: list[str]) -> None:
    """An edit of the project compiles the project, and nothing of its dependencies."""
    compiled()
    source = "def handler(event, context):\n    return 'new'\n"
    locked_project.write({"my_fn.py": source})

    outcome = compiled("checked-hash")

    assert "Compiling 1 file with CPython" in outcome.output
    data = pycs(locked_project.folder / "function.zip")[BUNDLED[0]]
    assert data[8:16] == importlib.util.source_hash(source.encode())


def test_no_cache_compiles_again(locked_project: Project) -> None:
    """`--no-cache` takes nothing from the last run."""
    compiled()

    assert "Compiling 2 files" in compiled("checked-hash", "--no-cache", output="again.zip").output


def test_poetry_clears_the_cache(locked_project: Project) -> None:
    """`poetry cache clear` forgets the bytecode too."""
    compiled()
    run("cache", "clear", "lambda-bundle", "--all", "--no-interaction")

    assert "Compiling 2 files" in compiled(output="again.zip").output


def test_damaged_cache_heals(locked_project: Project, tmp_path: Path) -> None:
    """An archive that is not what it was is made anew."""
    compiled(output="one.zip")
    archives = list((tmp_path / "cache/cache/repositories/lambda-bundle/_bytecode_").rglob("*.zip"))
    for archive in archives:
        archive.write_bytes(archive.read_bytes()[:-30] + b"damaged")

    compiled(output="two.zip")

    assert len(archives) == 2
    one, two = (locked_project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize("damaged", [True, False], ids=["other-bytes", "same-bytes"])
def test_cache_follows_no_links(locked_project: Project, tmp_path: Path, damaged: bool) -> None:
    """What lies outside the cache is never written to, wherever a link in the cache leads."""
    compiled(output="one.zip")
    archives = list((tmp_path / "cache/cache/repositories/lambda-bundle/_bytecode_").rglob("*.zip"))
    outside = [tmp_path / archive.name for archive in archives]
    for archive, target in zip(archives, outside, strict=True):
        target.write_bytes(b"mine" if damaged else archive.read_bytes())
        archive.unlink()
        archive.symlink_to(target)
    before = [(target.read_bytes(), target.stat().st_ino) for target in outside]

    compiled("checked-hash", output="two.zip")

    assert [(target.read_bytes(), target.stat().st_ino) for target in outside] == before
    assert [archive.is_symlink() for archive in archives] == [not damaged] * 2
    one, two = (locked_project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("what", ["full", "folder"])
def test_compiles_without_a_cache(locked_project: Project, tmp_path: Path, what: str) -> None:
    """A cache that takes nothing costs time, nothing else."""
    compiled(output="one.zip")
    kept = tmp_path / "cache/cache/repositories/lambda-bundle/_bytecode_"
    archives = list(kept.rglob("*.zip"))
    for archive in archives:
        archive.unlink()
        archive.mkdir()
    if what == "full":
        shutil.rmtree(kept)
        # no folder can be made there, as on a disk that is full
        kept.write_bytes(b"")

    outcome = compiled(output="two.zip")

    assert (outcome.exit_code, outcome.error) == (0, "")
    one, two = (locked_project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()


def test_modes_do_not_mix_in_the_cache(locked_project: Project) -> None:
    """Bytecode of one mode is never taken for the other's."""
    compiled("checked-hash", output="one.zip")
    compiled("unchecked-hash", output="two.zip")

    assert {data[4] for data in pycs(locked_project.folder / "two.zip").values()} == {0b01}


def test_foreign_sources_are_skipped_and_counted(project: Project, index: Index) -> None:
    """What this Python does not understand is bundled without bytecode."""
    bad: dict[str, str | bytes] = {
        "library/python2.py": "print 'hello'\n",
        "library/encoding.py": "# coding: klingon\nX = 1\n",
        "library/not_utf8.py": b"X = '\xff'\n",
        "library/null.py": b"X = 1\0\n",
        "library/template.py": "class {{ name }}:\n    pass\n",
        "library/deep.py": f"X = {'(' * 1000}{')' * 1000}\n",
    }
    good: dict[str, str | bytes] = {
        "library/__init__.py": "",
        "library/latin1.py": "# coding: latin-1\nX = 'ü'\n".encode("latin-1"),
        "library/bom.py": b"\xef\xbb\xbfX = 1\r\n",
        "library/literals.py": "".join(f"X{i} = '{'x' * 10_000}'\n" for i in range(1_000)),
        "library/warned.py": "X = '\\d'\n",
    }
    depend_on(project, index, {**bad, **good})

    report = json.loads(compiled("checked-hash", "--format", "json").output)["bundles"][0]["bytecode"]

    assert (report["files"], report["skipped"]) == (len(good) + 1, len(bad))
    found = pycs(project.folder / "function.zip")
    assert sorted(path.rpartition("/")[2].partition(".")[0] for path in found) == [
        "__init__",
        "bom",
        "latin1",
        "literals",
        "my_fn",
        "warned",
    ]
    assert marshal.loads(found[f"library/__pycache__/latin1.{TAG}.pyc"][16:]).co_consts[0] == "ü"


def test_nothing_to_compile(project: Project, index: Index) -> None:
    """A wheel of which nothing compiles makes no trouble, now or from the cache."""
    depend_on(project, index, {"library.py": "print 'hello'\n"})

    for output in ("one.zip", "two.zip"):
        compiled(output=output)
        assert list(pycs(project.folder / output)) == [BUNDLED[0]]


def test_foreign_bytecode(project: Project, index: Index) -> None:
    """A wheel's own `__pycache__` gives way to ours; a `.pyc` without a source is a module and stays."""
    module = b"bytecode of another machine"
    depend_on(
        project,
        index,
        {
            "library/__init__.py": "",
            f"library/__pycache__/__init__.{TAG}.pyc": b"stale",
            "library/secret.pyc": module,
        },
    )

    compiled()

    found = pycs(project.folder / "function.zip")
    assert found["library/secret.pyc"] == module
    assert found[f"library/__pycache__/__init__.{TAG}.pyc"] != b"stale"
    assert len(found) == 3


@pytest.mark.parametrize("level", [1, 2])
def test_optimized(locked_project: Project, level: int, tmp_path: Path) -> None:
    """`optimize` makes the files that Python looks for under that PYTHONOPTIMIZE."""
    source = '"""Words."""\nassert False\nDOC = __doc__\n'
    locked_project.write({"my_fn.py": source})
    configure(locked_project, f"optimize = {level}")

    compiled("unchecked-hash")

    name = f"__pycache__/my_fn.{TAG}.opt-{level}.pyc"
    assert name in pycs(locked_project.folder / "function.zip")
    with zipfile.ZipFile(locked_project.folder / "function.zip") as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "task/my_fn.py").write_text("raise SystemExit\n")
    done = subprocess.run(
        [sys.executable, "-B", "-c", "import my_fn; print(my_fn.DOC)"],
        cwd=tmp_path / "task",
        env={**os.environ, "PYTHONOPTIMIZE": str(level)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ("Words.\n" if level == 1 else "None\n")


def test_exclude(locked_project: Project) -> None:
    """`bytecode-exclude` leaves sources without bytecode, and `exclude` leaves nothing to compile."""
    configure(locked_project, 'bytecode-exclude = ["greeting/"]')
    compiled(output="one.zip")
    outcome = compiled("checked-hash", "--exclude", "my_fn.py", output="two.zip")

    files = contents(locked_project.folder / "one.zip")
    assert "greeting/__init__.py" in files
    assert [path for path in files if path.endswith(".pyc")] == BUNDLED[:1]
    assert pycs(locked_project.folder / "two.zip") == {}
    assert "Compiling" not in outcome.output


def test_bundle_has_its_own_bytecode(locked_project: Project) -> None:
    """A bundle's table may ask for what others go without."""
    configure(
        locked_project,
        f'runtime = "{RUNTIME}"\n[tool.poetry-lambda-plugin.bundles.fast]\nbytecode = "unchecked-hash"\n'
        "[tool.poetry-lambda-plugin.bundles.small]\n",
    )

    bundle()

    assert list(pycs(locked_project.folder / "dist/fast.zip")) == BUNDLED
    assert pycs(locked_project.folder / "dist/small.zip") == {}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            'bytecode = "yes"',
            "tool.poetry-lambda-plugin.bytecode must be checked-hash or unchecked-hash, not 'yes'.",
            id="mode",
        ),
        pytest.param(
            "optimize = 3",
            "tool.poetry-lambda-plugin.optimize must be 0, 1 or 2, as PYTHONOPTIMIZE, not 3.",
            id="optimize",
        ),
        pytest.param(
            "optimize = true",
            "tool.poetry-lambda-plugin.optimize must be 0, 1 or 2, as PYTHONOPTIMIZE, not a boolean.",
            id="optimize-boolean",
        ),
    ],
)
def test_wrong_value(locked_project: Project, config: str, message: str) -> None:
    """A value that means nothing is an error that lists those that do."""
    configure(locked_project, config)

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (1, message)


def test_report(locked_project: Project) -> None:
    """What bytecode costs is told in bytes, and counts in the totals."""
    plain = bundle("--runtime", RUNTIME, "-o", "plain.zip", "--format", "json").report
    report = json.loads(compiled("checked-hash", "--format", "json").output)["bundles"][0]

    added = pycs(locked_project.folder / "function.zip")
    bytecode = report["bytecode"]
    assert plain["bytecode"] is None
    assert bytecode == {
        "mode": "checked-hash",
        "python": ".".join(map(str, sys.version_info[:3])),
        "files": 2,
        "skipped": 0,
        "zipped_bytes": report["zipped_bytes"] - plain["zipped_bytes"],
        "unzipped_bytes": sum(map(len, added.values())),
    }
    assert sum(package["unzipped_bytes"] for package in report["packages"]) == report["unzipped_bytes"]


def test_max_size_counts_bytecode(locked_project: Project) -> None:
    """A bundle that is just small enough has no room for bytecode."""
    size = bundle("--runtime", RUNTIME, "--format", "json").report["unzipped_bytes"]
    limited = ("--runtime", RUNTIME, "--max-size", str(size))

    assert bundle(*limited).exit_code == 0
    outcome = bundle(*limited, "--bytecode", "checked-hash")

    assert outcome.exit_code == 1
    assert "; max-size allows 0.9 KB. " in outcome.message


def test_text_report(locked_project: Project) -> None:
    """A person reads the same in one line."""
    output = compiled().output

    (line,) = [line for line in output.splitlines() if line.startswith("  Bytecode")]
    assert line.endswith("unzipped (2 files, 0 skipped)")
    assert line.startswith("  Bytecode    0.")


def test_dry_run_compiles_nothing(locked_project: Project) -> None:
    """A dry run takes the bytecode of the last run, and without one does not know the sizes."""
    bundle("--runtime", RUNTIME)
    arguments = ("--runtime", RUNTIME, "--bytecode", "checked-hash", "--dry-run", "--format", "json")

    before = bundle(*arguments).report
    compiled()
    after = bundle(*arguments).report

    assert (before["zipped_bytes"], before["bytecode"]["files"]) == (None, None)
    (note,) = before["notes"]
    assert note == (
        "Some files or their bytecode are not in Poetry's cache and a dry run neither asks the network nor "
        "compiles, so sizes and digest are unknown."
    )
    size = (locked_project.folder / "function.zip").stat().st_size
    assert (after["zipped_bytes"], after["bytecode"]["files"]) == (size, 2)


def test_too_old_a_python(project: Project) -> None:
    """A Python without hash-based bytecode is told before anything is fetched."""
    project.pyproject(python=">=3.6")
    project.write({"my_fn.py": ""})
    project.lock()

    outcome = bundle("--runtime", "python3.6", "--bytecode", "checked-hash")

    assert outcome.exit_code == 1
    assert "Python 3.6 has no hash-based bytecode (PEP 552)" in outcome.message


@pytest.fixture
def only_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for variable in ("PYENV_ROOT", "ASDF_DATA_DIR", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def script(text: str) -> Callable[[Path], None]:
    """Return what makes an interpreter of a script."""

    def make(path: Path) -> None:
        path.write_text(text)
        path.chmod(0o755)

    return make


def answering(build: str) -> Callable[[Path], None]:
    """Return what makes an interpreter that claims to be something else."""
    frame = len(build).to_bytes(4, "little") + build.encode()
    return script(f"#!{sys.executable}\nimport sys\nsys.stdout.buffer.write({frame!r})\n")


@without_absent
@pytest.mark.usefixtures("only_path")
def test_no_interpreter(locked_project: Project, index: Index) -> None:
    """Without a Python of the target's version the error says where it was looked for, and how to get one."""
    outcome = bundle("--runtime", ABSENT, "--bytecode", "checked-hash")

    assert outcome.exit_code == 1
    assert outcome.message.endswith(
        "Only CPython 3.15 can compile bytecode for Python 3.15, and none is found: not as python3.15 on "
        "PATH, nor by Poetry or pyenv, nor in the project's environment. Get one with "
        "`poetry python install 3.15` or `pyenv install 3.15`, or bundle without bytecode."
    )
    assert index.requests == []
    assert not (locked_project.folder / "dist").exists()


@posix
@without_absent
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(
            lambda path: path.symlink_to(sys.executable),
            f"is cpython 3.{MINOR}.{sys.version_info[2]}",
            id="another-minor",
        ),
        pytest.param(answering("pypy 3.15.0final0  00000000"), "is pypy 3.15.0", id="pypy"),
        pytest.param(
            answering("cpython 3.150.0final0  00"), "is cpython 3.150.0", id="minor-that-begins-alike"
        ),
        pytest.param(
            script("#!/bin/sh\necho 3.15.0\n"), "is broken (exit code 0)", id="writes-something-else"
        ),
        pytest.param(
            script("#!/bin/sh\necho no such library >&2; exit 127\n"),
            "is broken (exit code 127): no such library",
            id="fails",
        ),
        pytest.param(script("\0\1\2"), "can't be started: Exec format error", id="no-program"),
        pytest.param(answering("garbage"), "is garbage", id="garbage"),
    ],
)
@pytest.mark.usefixtures("locked_project")
def test_wrong_interpreter(only_path: Path, make: Callable[[Path], None], reason: str) -> None:
    """What is called python3.15 and is not a CPython 3.15 that works is refused, with the reason."""
    make(only_path / ABSENT)

    outcome = bundle("--runtime", ABSENT, "--bytecode", "checked-hash")

    assert outcome.exit_code == 1
    assert f"- {only_path / ABSENT} {reason} Get one with" in outcome.message


LAST_WORDS = "os.write(2, b'first\\nlast words\\n'); os._exit(7)"


def dying(death: str) -> Callable[[Path], None]:
    """Return what makes an interpreter that calls itself 3.15, and ends while it compiles `my_fn.py`."""
    return script(
        f"#!{sys.executable}\n"
        "import builtins, os, sys\n"
        "*_, program, mode = sys.argv\n"
        "sys.argv[1:] = [mode]\n"
        "sys.version_info = (3, 15, 0, 'final', 0)\n"
        "compiles = compile\n"
        "def dies(source, name, *arguments, **options):\n"
        "    if name.endswith('my_fn.py'):\n"
        f"        {death}\n"
        "    return compiles(source, name, *arguments, **options)\n"
        "builtins.compile = dies\n"
        "exec(program)\n"
    )


@posix
@without_absent
@pytest.mark.parametrize(
    ("death", "how"),
    [
        pytest.param("os.kill(os.getpid(), 11)", "ended with exit code -11", id="signal"),
        pytest.param(LAST_WORDS, "ended with exit code 7 (last words)", id="exit"),
    ],
)
def test_interpreter_that_crashes(locked_project: Project, only_path: Path, death: str, how: str) -> None:
    """A source that ends the interpreter is named, and no bundle is left."""
    dying(death)(only_path / ABSENT)

    outcome = bundle("--runtime", ABSENT, "--bytecode", "checked-hash")

    assert outcome.exit_code == 1
    assert f"{only_path / ABSENT} {how} while it compiled my_fn.py of my-fn." in outcome.message
    assert "bytecode-exclude" in outcome.message
    assert not (locked_project.folder / "dist").exists()


@posix
@without_absent
@pytest.mark.usefixtures("locked_project")
def test_interpreter_that_crashes_without_a_fork(only_path: Path, tmp_path: Path) -> None:
    """A system that can't fork names the source just so."""
    dying(LAST_WORDS)(only_path / ABSENT)

    arguments = ("lambda-bundle", "--runtime", ABSENT, "--bytecode", "checked-hash")
    outcome = run_apart(tmp_path / "hook", *arguments, hook=NO_FORK)

    assert outcome.exit_code == 1
    words = "ended with exit code 7 (last words) while it compiled my_fn.py of my-fn."
    assert f"{only_path / ABSENT} {words}" in outcome.message


def bundled_for(minor: int | None, *arguments: str) -> None:
    """Bundle for another Python of this machine; without one, skip the test."""
    if minor is None:
        pytest.skip("there is no other Python here")
    outcome = bundle("--runtime", f"python3.{minor}", "--bytecode", "checked-hash", *arguments)
    if f"Only CPython 3.{minor} can compile" in outcome.message:
        pytest.skip(f"python3.{minor} does not work here")
    assert outcome.exit_code == 0, outcome.error


OTHERS = [minor for minor in range(9, 16) if minor != MINOR and shutil.which(f"python3.{minor}")]


@pytest.mark.parametrize("minor", OTHERS or [None])
def test_interpreter_of_another_minor(locked_project: Project, minor: int | None) -> None:
    """Another Python of this machine compiles for its own version, whatever runs Poetry."""
    bundled_for(minor, "-o", "function.zip")

    found = pycs(locked_project.folder / "function.zip")
    assert list(found) == [path.replace(TAG, f"cpython-3{minor}") for path in BUNDLED]
    assert {data[:4] for data in found.values()} != {importlib.util.MAGIC_NUMBER}


@pytest.mark.parametrize("minor", OTHERS or [None])
def test_sets_are_written_in_one_order(locked_project: Project, minor: int | None) -> None:
    """The sets of old Pythons, whose order may depend on addresses, change no byte from run to run."""
    names = ", ".join(repr(f"name{i}") for i in range(20))
    locked_project.write(
        {
            "my_fn.py": f"def f(x):\n    return x in {{{names}}}\n",
            "my_fn_2.py": f"def f(x):\n    return x in {{None, ..., (None, 1), {names}}}\n",
        }
    )
    for output in ("one.zip", "two.zip"):
        bundled_for(minor, "--no-cache", "--include", "my_fn_2.py", "-o", output)

    one, two = (locked_project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()
    assert f"__pycache__/my_fn.cpython-3{minor}.pyc" in pycs(one)


@posix
@without_absent
@pytest.mark.usefixtures("only_path")
def test_interpreter_of_the_project_environment(locked_project: Project) -> None:
    """Where all else fails, the environment in the project's folder is read, and not changed."""
    build = b"cpython 3.15.0final0  00"
    frame = len(build).to_bytes(4, "little") + build
    locked_project.write({".venv/pyvenv.cfg": "home = /\n", ".venv/bin/python": ""})
    script(
        f"#!{sys.executable}\nimport marshal, os, sys\n"
        "if sys.argv[1] != '-s':\n    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
        f"os.write(1, {frame!r})\n"
        "while sys.stdin.buffer.peek():\n"
        "    for _ in marshal.load(sys.stdin.buffer)[2]:\n        os.write(1, bytes([2, 0, 0, 0, 7, 7]))\n"
    )(locked_project.folder / ".venv/bin/python")
    before = sorted(locked_project.folder.rglob(".venv/**"))

    outcome = bundle("--runtime", ABSENT, "--bytecode", "checked-hash", "-o", "function.zip")

    assert outcome.exit_code == 0, outcome.error
    assert set(pycs(locked_project.folder / "function.zip").values()) == {bytes([7, 7])}
    assert sorted(locked_project.folder.rglob(".venv/**")) == before


def is_held(path: Path) -> bool:
    """Tell whether a process that locked a file still runs; a killed one may take a moment to let go."""
    import fcntl

    with path.open("rb") as file:
        for _ in range(500):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            time.sleep(0.01)
    return True


@posix
@without_absent
def test_interrupt_ends_the_processes(locked_project: Project, only_path: Path, tmp_path: Path) -> None:
    """A run stopped while it compiles ends at once, and with it its processes and their children."""
    build = b"cpython 3.15.0final0  00"
    frame = len(build).to_bytes(4, "little") + build
    script(
        f"#!{sys.executable}\nimport fcntl, marshal, os, pathlib, sys, time\n"
        f"os.write(1, {frame!r})\n"
        "job = marshal.load(sys.stdin.buffer)\n"
        f"folder = pathlib.Path({os.fspath(tmp_path)!r})\n"
        "if job[2]:\n"
        "    os.fork()\n"
        "    held = open(folder / f'{os.getpid()}.lock', 'w')\n"
        "    fcntl.flock(held, fcntl.LOCK_EX)\n"
        "    time.sleep(600)\n"
    )(only_path / ABSENT)
    (tmp_path / "tmp").mkdir()
    arguments = ("lambda-bundle", "--runtime", ABSENT, "--bytecode", "checked-hash")
    process = start_apart(tmp_path / "hook", *arguments, TMPDIR=str(tmp_path / "tmp"))
    # one for each of the two distributions, each with a child
    processes = 2 * min(os.cpu_count() or 1, 2)
    for _ in range(3000):
        if process.poll() is not None or len(list(tmp_path.glob("*.lock"))) >= processes:
            break
        time.sleep(0.01)
    locks = list(tmp_path.glob("*.lock"))

    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)

    assert len(locks) == processes, "the processes that are to be ended never started"
    assert process.returncode == 130, error
    assert "Interrupted" in error
    assert not any(is_held(lock) for lock in locks)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (locked_project.folder / "dist").exists()
