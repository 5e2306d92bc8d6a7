"""`--unpacked`: a bundle as a folder, whole or as before, without a loss for anybody's files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.archive import output_folder
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.runner import run_apart
from tests.support.sources import poetry_project
from tests.support.sources import write_tree
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Callable

    from poetry_lambda_plugin.archive.content import Entry
    from tests.support.index import Index


links = pytest.mark.skipif(sys.platform == "win32", reason="Windows wants rights for links")

Shot = dict[str, tuple[int, ...]]

FAIL_AT_WRITE = """
import os, sys
def fail(event, arguments):
    if event == "open" and str(arguments[0]).endswith({name!r}) and ".lambda-bundle-" in str(arguments[0]):
        raise OSError(28, "No space left on device")
sys.addaudithook(fail)
"""


@pytest.fixture
def function(project: Project, index: Index) -> Project:
    """A project with a package, data and an executable, and two dependencies."""
    wheels = [
        make_wheel(
            name,
            files={f"{name}/__init__.py": f"NAME = '{name}'\n", f"{name}/lib/tool": "x" * 1000},
            executable=(f"{name}/lib/tool",),
        )
        for name in ("alpha", "beta")
    ]
    index.add(*wheels)
    project.pyproject(dependencies=["alpha", "beta"], source=index.url, config='runtime = "python3.13"')
    project.write({"my_fn/__init__.py": "from alpha import NAME\n", "my_fn/data.txt": "data"})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    return project


def files(folder: Path) -> dict[str, bytes]:
    """Return what a folder holds, by path."""
    found = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def shot(folder: Path) -> Shot:
    """Return what changes when a file is touched, by path."""
    found = ((path, path.lstat()) for path in folder.rglob("*") if not path.is_dir())
    return {p.relative_to(folder).as_posix(): (s.st_ino, s.st_mtime_ns, s.st_mode) for p, s in found}


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*lambda-bundle*")]


@pytest.mark.parametrize(
    ("epoch", "moment"),
    [
        pytest.param(None, (1980, 1, 1, 0, 0, 0), id="usual"),
        pytest.param("1000000001", (2001, 9, 9, 1, 46, 40), id="odd"),
        pytest.param("-1", (1980, 1, 1, 0, 0, 0), id="early"),
    ],
)
def test_holds_what_the_zip_holds(
    function: Project, monkeypatch: pytest.MonkeyPatch, epoch: str | None, moment: tuple[int, ...]
) -> None:
    """The same files with the same bytes, modes and times, whatever the umask."""
    if epoch:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    before = os.umask(0o077)
    try:
        outcome = bundle("--unpacked", "build/fn")
    finally:
        os.umask(before)
    assert bundle().exit_code == 0

    folder, archive = function.folder / "build/fn", function.folder / "dist/my-fn.zip"
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert files(folder) == contents(archive)
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            status = (folder / member.filename).stat()
            assert member.date_time == moment
            assert time.gmtime(status.st_mtime)[:6] == moment
            if sys.platform != "win32":
                assert status.st_mode == member.external_attr >> 16
    if sys.platform != "win32":
        folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o755}
    assert litter(function.folder) == []


def test_report(function: Project) -> None:
    """Sizes and files are told; a digest, the limit of a ZIP and how to upload one are not."""
    function.write({"my_fn/large.bin": os.urandom(1 << 10)})
    text = bundle("--unpacked", "out")
    report = bundle("--unpacked", "out", "--format", "json").report
    zipped = bundle("--format", "json").report

    assert text.output.split("my-fn (0.1.0)\n")[-1].splitlines()[1:] == [
        f"{function.folder / 'out'} is written",
        "  Unzipped    4.5 KB of 250 MB",
        "  Files       16",
        "  Largest     my-fn 1.6 KB, alpha 1.4 KB, beta 1.4 KB",
    ]
    assert report["unpacked"]
    assert not zipped["unpacked"]
    assert (report["output"], report["status"]) == (str(function.folder / "out"), "unchanged")
    assert report["code_sha256"] is report["sha256"] is None
    same = ("files", "unzipped_bytes", "zipped_bytes", "packages", "runtime", "left_out")
    assert [report[key] for key in same] == [zipped[key] for key in same]


def test_second_run_touches_nothing(function: Project) -> None:
    """What is as it should be is not even moved."""
    bundle("--unpacked", "out")
    before = shot(function.folder / "out")

    report = bundle("--unpacked", "out", "--format", "json").report

    assert (report["status"], report["changed"]) == ("unchanged", False)
    assert shot(function.folder / "out") == before


ALL_WAYS = ["exchanged", "singly", "mounted"]


@pytest.fixture(params=ALL_WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a folder is brought up to date: at once, or file by file where the system can't or it is fixed."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(22, "Invalid argument")

    if request.param == "singly":
        monkeypatch.setattr(output_folder, "swapper", lambda: refuse)
    if request.param == "mounted":
        monkeypatch.setattr(os.path, "ismount", lambda path: str(path).endswith("out"))
    return str(request.param)


def test_touches_only_what_changed(function: Project, index: Index, way: str) -> None:
    """Files that stay are the very same ones; what a run wrote and none needs any more is gone."""
    function.write({"my_fn/old/deep/x.py": "", "my_fn/was_file": "", "my_fn/was_folder/a/b": ""})
    bundle("--unpacked", "out")
    out = function.folder / "out"
    before = shot(out)
    (function.folder / "my_fn/was_file").unlink()
    shutil.rmtree(function.folder / "my_fn/was_folder")
    shutil.rmtree(function.folder / "my_fn/old")
    function.write({"my_fn/was_file/now": "", "my_fn/was_folder": "", "my_fn/data.txt": "new"})

    report = bundle("--unpacked", "out", "--format", "json").report

    after = shot(out)
    assert (report["status"], report["changed"]) == ("written", True)
    assert bundle().exit_code == 0
    assert files(out) == contents(function.folder / "dist/my-fn.zip")
    assert {path for path in after if after[path] != before.get(path)} == {
        "my_fn/data.txt",
        "my_fn/was_file/now",
        "my_fn/was_folder",
        "my_fn-0.1.0.dist-info/RECORD",
    }
    assert not (out / "my_fn/old").exists()
    assert {path.stat().st_mtime for path in out.rglob("*")} == {315_532_800.0}
    assert litter(function.folder) == []
    # and once more without a dependency
    function.pyproject(dependencies=["alpha"], source=index.url, config='runtime = "python3.13"')
    function.lock([Locked.of(make_wheel("gamma"))], source=index.url)
    index.add(make_wheel("gamma"))
    assert bundle("--unpacked", "out").exit_code == 0
    assert {path.partition("/")[0] for path in files(out)} == {
        *("gamma.py", "gamma-1.0.dist-info", "my_fn", "my_fn-0.1.0.dist-info")
    }


def test_what_a_person_changed_is_written_again(function: Project, way: str) -> None:
    """Bytes, mode, time and absence are all noticed, in files that a run has written."""
    bundle("--unpacked", "out")
    out = function.folder / "out"
    expected = shot(out), files(out)
    (out / "my_fn/__init__.py").write_text("edited = 1\n")
    (out / "alpha/lib/tool").write_text("y" * 1000)
    os.utime(out / "alpha/lib/tool", (315_532_800, 315_532_800))
    (out / "beta/lib/tool").chmod(0o600)
    (out / "beta/__init__.py").touch()
    (out / "my_fn/data.txt").unlink()

    assert bundle("--unpacked", "out", "--dry-run", "--format", "json").report["changed"]
    assert (out / "my_fn/__init__.py").read_text() == "edited = 1\n"
    assert bundle("--unpacked", "out", "--format", "json").report["status"] == "written"

    assert files(out) == expected[1]
    assert {p: s[1:] for p, s in shot(out).items()} == {p: s[1:] for p, s in expected[0].items()}


FOREIGN = (
    "The bundle can't be unpacked to {out}: {names} there, which no run has written, and would be lost. "
    "Move {them}, remove the folder if it is an old bundle, or choose another --unpacked."
)


def add_file(out: Path) -> str:
    (out / "notes.txt").write_text("mine")
    return "notes.txt is"


def add_files(out: Path) -> str:
    (out / "my_fn/sub").mkdir()
    (out / "my_fn/sub/b.py").write_text("mine")
    (out / ".env").write_text("mine")
    return ".env, my_fn/sub/b.py are"


def add_link(out: Path) -> str:
    (out.parent / "elsewhere").mkdir()
    (out.parent / "elsewhere/x.py").write_text("mine")
    (out / "link").symlink_to(out.parent / "elsewhere")
    return "link is"


def replace_by_link(out: Path) -> str:
    (out.parent / "elsewhere.txt").write_text("data")
    (out / "my_fn/data.txt").unlink()
    (out / "my_fn/data.txt").symlink_to(out.parent / "elsewhere.txt")
    return "my_fn/data.txt is"


def replace_folder_by_link(out: Path) -> str:
    (out / "alpha").rename(out.parent / "elsewhere")
    (out / "alpha").symlink_to(out.parent / "elsewhere")
    return "alpha is"


def add_module_beside_bytecode(out: Path) -> str:
    (out / "__pycache__").mkdir()
    (out / "__pycache__/other.cpython-313.pyc").write_bytes(b"")
    return "__pycache__/other.cpython-313.pyc is"


@links
@pytest.mark.parametrize(
    "spoil",
    [
        add_file,
        add_files,
        add_link,
        replace_by_link,
        replace_folder_by_link,
        add_module_beside_bytecode,
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["", "dry-run"])
def test_files_of_others_stay(function: Project, spoil: Callable[[Path], str], more: list[str]) -> None:
    """They are named, no link is followed, and nothing is written or removed."""
    bundle("--unpacked", "out")
    out = function.folder / "out"
    names = spoil(out)
    function.write({"my_fn/new.py": "", "my_fn/data.txt": "changed"})
    before = {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in function.folder.rglob("*")}

    outcome = bundle("--unpacked", "out", *more)

    assert outcome.exit_code == 1
    them = "them" if names.endswith("are") else "it"
    assert outcome.message == FOREIGN.format(out=out, names=names, them=them)
    found = {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in function.folder.rglob("*")}
    assert found == before


def test_other_bytes_in_a_files_place_stay(function: Project) -> None:
    """What nobody here has written is not overwritten either."""
    function.write({"out/my_fn/data.txt": "data", "out/my_fn/__init__.py": "mine\n"})

    outcome = bundle("--unpacked", "out")

    out = function.folder / "out"
    assert outcome.message == FOREIGN.format(out=out, names="my_fn/__init__.py is", them="it")
    assert files(out) == {"my_fn/data.txt": b"data", "my_fn/__init__.py": b"mine\n"}


def test_old_file_that_is_another_now_stays(function: Project) -> None:
    """What was recorded, is needed no more and has been changed since is not removed."""
    function.write({"my_fn/old.py": "old"})
    bundle("--unpacked", "out")
    (function.folder / "my_fn/old.py").unlink()
    (function.folder / "out/my_fn/old.py").write_text("mine")

    outcome = bundle("--unpacked", "out")

    assert outcome.message == FOREIGN.format(out=function.folder / "out", names="my_fn/old.py is", them="it")


def empty(out: Path) -> None:
    out.mkdir()


def empty_folders(out: Path) -> None:
    (out / "my_fn/x/y").mkdir(parents=True)


def unzipped(out: Path) -> None:
    with zipfile.ZipFile(out.parent / "dist/my-fn.zip") as archive:
        archive.extractall(out)


def some_of_it(out: Path) -> None:
    unzipped(out)
    shutil.rmtree(out / "alpha")


@pytest.mark.parametrize("prepare", [empty, empty_folders, unzipped, some_of_it])
def test_folder_that_is_there(function: Project, prepare: Callable[[Path], None], way: str) -> None:
    """An empty one will do, and one whose every file the bundle has; no record is needed."""
    bundle()
    out = function.folder / "out"
    prepare(out)
    if sys.platform != "win32":
        out.chmod(0o700)

    outcome = bundle("--unpacked", "out")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert files(out) == contents(function.folder / "dist/my-fn.zip")
    assert {path.stat().st_mtime for path in out.rglob("*") if path.is_file()} == {315_532_800.0}
    # its own mode is the user's
    assert sys.platform == "win32" or stat.S_IMODE(out.stat().st_mode) == 0o700
    assert litter(function.folder) == []


def test_python_may_have_run_in_it(function: Project) -> None:
    """A handler that was tried leaves bytecode, which is nobody's loss."""
    bundle("--unpacked", "out")
    out = function.folder / "out"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    tried = subprocess.run(
        [sys.executable, "-c", "import my_fn; print(my_fn.NAME)"],
        cwd=out,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (tried.stdout, len(list(out.rglob("*.pyc")))) == ("alpha\n", 2)

    assert bundle("--unpacked", "out").exit_code == 0
    assert list(out.rglob("__pycache__")) == []


@links
def test_link_to_the_folder(function: Project, tmp_path: Path) -> None:
    """The link stays one, and what it means is the folder."""
    (tmp_path / "real").mkdir()
    (function.folder / "out").symlink_to(tmp_path / "real")

    for _ in range(2):
        assert bundle("--unpacked", "out").exit_code == 0

    assert (function.folder / "out").is_symlink()
    assert "my_fn/data.txt" in files(tmp_path / "real")


def test_current_folder(function: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is in the folder stays there."""
    (function.folder / "out").mkdir()
    monkeypatch.chdir("out")
    for data in ("data", "changed"):
        function.write({"my_fn/data.txt": data})
        assert run("-P", "..", "lambda-bundle", "--unpacked", ".").exit_code == 0
        assert Path("my_fn/data.txt").read_text() == data
    assert litter(function.folder) == []


def test_is_not_bundled(function: Project) -> None:
    """A folder among the project's own files is not in the next bundle, be it a ZIP or a folder."""
    function.pyproject(dependencies=["alpha", "beta"], config='unpacked = "my_fn/{version}/out"')
    function.lock()
    for _ in range(2):
        report = bundle("--format", "json").report
    zipped = bundle("-o", "a.zip", "--format", "json").report

    assert report["status"] == "unchanged"
    assert not [path for path in contents(function.folder / "a.zip") if "out/" in path]
    assert report["files"] == zipped["files"]


def test_in_a_path_dependency(project: Project, tmp_path: Path) -> None:
    """Neither is one in a folder that is bundled too; but its own folder is not to be mixed up with it."""
    write_tree(tmp_path / "shared", poetry_project("shared"))
    project.pyproject(dependencies=["shared"])
    project.write({"my_fn.py": ""})
    project.lock([Locked("shared", source={"type": "directory", "url": "../shared"}, develop=True)])
    inside = tmp_path / "shared/shared/out"

    runs = [bundle("--unpacked", str(inside), "--format", "json").report for _ in range(2)]
    refused = bundle("--unpacked", str(inside.parent))

    assert [run["status"] for run in runs] == ["written", "unchanged"]
    assert refused.message == (
        f"The bundle can't be unpacked to {inside.parent}: {inside.parent / '__init__.py'} is bundled from "
        "there. Choose another --unpacked, or remove the folder if it is an old bundle."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--unpacked", "."],
            "The bundle can't be written to {root}: the project lies in it. Choose another --unpacked.",
            id="project",
        ),
        pytest.param(
            ["--unpacked", ".."],
            "The bundle can't be written to {root.parent}: the project lies in it. "
            "Choose another --unpacked.",
            id="above",
        ),
        pytest.param(
            ["--unpacked", "my_fn"],
            "The bundle can't be unpacked to {root}/my_fn: {root}/my_fn/__init__.py is bundled from there. "
            "Choose another --unpacked, or remove the folder if it is an old bundle.",
            id="source",
        ),
        pytest.param(
            ["--unpacked", "pyproject.toml"],
            "The bundle can't be written to {root}/pyproject.toml: it is not a folder. "
            "Choose another --unpacked.",
            id="file",
        ),
        pytest.param(
            ["--unpacked", "poetry.lock/out"],
            "The bundle can't be written to {root}/poetry.lock/out: {root}/poetry.lock is not a folder. "
            "Choose another --unpacked.",
            id="below-a-file",
        ),
        pytest.param(
            ["--unpacked", "out", "-o", "x.zip"],
            "--unpacked and --output can't be used together. Drop one.",
            id="rivals",
        ),
        pytest.param(
            ["--unpacked", "{{sha256}}"],
            "The unpacked '{root}/{{sha256}}' has an unknown placeholder {{sha256}}. Known: {{name}}, "
            "{{version}}, {{runtime}}, {{architecture}}, {{bundle}}.",
            id="digest",
        ),
        pytest.param(
            ["--unpacked", "out", "--architecture", "arm64", "--architecture", "x86_64"],
            "Two bundles would be written to {root}/out: my-fn for python3.13 on arm64 and my-fn for "
            "python3.13 on x86_64. Tell them apart in --unpacked with {{architecture}}.",
            id="architectures",
        ),
        pytest.param(
            ["--unpacked", "out", "--sbom", "out/bom.json"],
            "{root}/out/bom.json would lie in {root}/out, which is to hold the files of my-fn for python3.13 "
            "on x86_64 and no others. Choose another --sbom.",
            id="sbom",
        ),
    ],
)
def test_refuses(function: Project, arguments: list[str], message: str) -> None:
    """What can't be meant is an error, and nothing is written."""
    before = files(function.folder)

    outcome = bundle(*[argument.format() for argument in arguments])

    assert outcome.exit_code == 1
    assert outcome.message == message.format(root=function.folder)
    assert files(function.folder) == before


def test_refuses_a_folder_in_another_bundles(function: Project, index: Index) -> None:
    """Two bundles, one of whose folders lies in the other's."""
    function.pyproject(
        dependencies=["alpha", "beta"],
        source=index.url,
        config='runtime = "python3.13"\n[tool.poetry-lambda-plugin.bundles.one]\nunpacked = "out"\n'
        '[tool.poetry-lambda-plugin.bundles.two]\noutput = "out/x/two.zip"\n',
    )
    outcome = bundle()

    out = function.folder / "out"
    assert outcome.message == (
        f"{out / 'x/two.zip'} would lie in {out}, which is to hold the files of one for python3.13 on x86_64 "
        "and no others. Choose another --output."
    )


def test_option_beats_the_other_key(function: Project, index: Index) -> None:
    """What is typed decides whether it is a ZIP or a folder."""
    for key, arguments in (("output", ["--unpacked", "out"]), ("unpacked", ["-o", "out.zip"])):
        config = f'runtime = "python3.13"\n{key} = "other"'
        function.pyproject(dependencies=["alpha", "beta"], source=index.url, config=config)
        assert bundle(*arguments).exit_code == 0
    assert (function.folder / "out").is_dir()
    assert (function.folder / "out.zip").is_file()
    assert not (function.folder / "other").exists()


def test_with_other_options(function: Project) -> None:
    """What is known of a bundle is known of a folder too."""
    bundle("-o", "old.zip")
    function.write({"my_fn/data.txt": "more data"})

    outcome = bundle("--unpacked", "out", "--sbom", "bom.json", "--diff", "old.zip", "--explain", "--strict")
    too_large = bundle("--unpacked", "new", "--max-size", "1KB")
    planned = bundle("--unpacked", "new", "--dry-run")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "Largest files" in outcome.output
    assert "my-fn 0.1.0" in outcome.output.split("Changed")[1]
    component = json.loads((function.folder / "bom.json").read_text())["metadata"]["component"]
    assert component["name"] == "my-fn"
    assert "hashes" not in component
    assert too_large.exit_code == 1
    assert "Unzipped, new has 3.4 KB; max-size allows 1 KB." in too_large.message
    assert f"{function.folder / 'new'} would be written" in planned.output
    assert not (function.folder / "new").exists()


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "old"])
def test_full_disk(function: Project, tmp_path: Path, is_there: bool) -> None:
    """What is there stays as it was, whole, and nothing else is left."""
    if is_there:
        bundle("--unpacked", "a/out")
        function.write({"my_fn/new.py": "", "my_fn/data.txt": "changed"})
    before = shot(function.folder)

    hook = FAIL_AT_WRITE.format(name="my_fn/data.txt")
    outcome = run_apart(tmp_path / "hook", "lambda-bundle", "--unpacked", "a/out", hook=hook)

    out = function.folder / "a/out"
    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The bundle can't be written to {out}: No space left on device. Choose another --unpacked."
    )
    assert shot(function.folder) == before
    assert out.parent.exists() == is_there


def test_file_that_comes_meanwhile(function: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody puts there while the bundle is unpacked is not lost."""
    bundle("--unpacked", "out")
    out = function.folder / "out"
    function.write({"my_fn/data.txt": "changed"})
    unpack_all = output_folder._unpack_all

    def unpack_and_add(*arguments: object) -> None:
        unpack_all(*arguments)  # type: ignore[arg-type]
        (out / "mine.txt").write_text("mine")

    monkeypatch.setattr(output_folder, "_unpack_all", unpack_and_add)
    outcome = bundle("--unpacked", "out")

    assert outcome.exit_code == 1
    assert outcome.message == FOREIGN.format(out=out, names="mine.txt is", them="it")
    assert ((out / "mine.txt").read_text(), (out / "my_fn/data.txt").read_text()) == ("mine", "data")
    assert litter(function.folder) == []


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        pytest.param([], 0, "", id="same"),
        pytest.param(
            ["--exclude", "beta/lib/"],
            1,
            "{out} changed while it was written. Run the command again.",
            id="other",
        ),
    ],
)
def test_another_run_meanwhile(
    function: Project, monkeypatch: pytest.MonkeyPatch, more: list[str], code: int, message: str
) -> None:
    """The same bundle from another run is as good as one's own; another one is not mixed with it."""
    bundle("--unpacked", "out")
    function.write({"my_fn/data.txt": "changed"})
    unpack_all = output_folder._unpack_all

    def unpack_while_another_run_does(*arguments: object) -> None:
        monkeypatch.setattr(output_folder, "_unpack_all", unpack_all)
        assert bundle("--unpacked", "out", *more).exit_code == 0
        unpack_all(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(output_folder, "_unpack_all", unpack_while_another_run_does)
    outcome = bundle("--unpacked", "out")

    out = function.folder / "out"
    assert (outcome.exit_code, outcome.message) == (code, message.format(out=out))
    assert (out / "beta/lib/tool").exists() == (not more)
    assert (out / "my_fn/data.txt").read_text() == "changed"
    assert litter(function.folder) == []


def test_interrupt_waits_for_the_last_file(function: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files are moved one by one, a folder is not left between old and new."""
    bundle("--unpacked", "out")
    function.write({"my_fn/data.txt": "changed", "my_fn/new.py": ""})
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path).endswith("out"))
    replace, moved = Path.replace, list[Path]()

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "data.txt" and not moved:
            moved.append(path)
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    outcome = bundle("--unpacked", "out", "--format", "json")

    out = function.folder / "out"
    assert (outcome.exit_code, outcome.message) == (130, f"Interrupted. In place already: {out}.")
    assert outcome.report["status"] == "written"
    assert bundle().exit_code == 0
    assert files(out) == contents(function.folder / "dist/my-fn.zip")
    assert litter(function.folder) == []


def test_names_that_a_disk_takes_for_one(function: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost in silence where a disk does not tell capitals from small letters."""
    function.write({"my_fn/README": "one", "my_fn/readme": "other"})
    unpack_batch = output_folder._unpack_batch

    def unpack_to_such_a_disk(entries: list[Entry], folder: Path, modified: int) -> None:
        unpack_batch([e._replace(path=e.path.replace("README", "readme")) for e in entries], folder, modified)

    monkeypatch.setattr(output_folder, "_unpack_batch", unpack_to_such_a_disk)
    outcome = bundle("--unpacked", "out")

    assert outcome.exit_code == 1
    assert outcome.message == (
        "The bundle has my_fn/readme and a file that this disk does not tell from it. Unpack it on one that "
        "does, as Lambda's, or leave one of them out with --exclude."
    )
    assert not (function.folder / "out").exists()


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        pytest.param("my_fn/con.txt.", "my_fn/con.txt", id="Windows drops a dot at the end"),
        pytest.param("my_fn/a:b", "my_fn/a", id="Windows keeps it in another file"),
        pytest.param("My_fn/x.py", "my_fn/x.py", id="folders that are one"),
    ],
)
def test_names_that_a_disk_does_not_keep(
    path: str, kept: str, function: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is called written that is not there under its own name."""
    unpack_batch = output_folder._unpack_batch

    def unpack_to_such_a_disk(entries: list[Entry], folder: Path, modified: int) -> None:
        (folder / kept).parent.mkdir(exist_ok=True)
        unpack_batch([e._replace(path=kept if e.path == path else e.path) for e in entries], folder, modified)

    assert bundle("--unpacked", "out").exit_code == 0
    before = files(function.folder / "out")
    monkeypatch.setattr(output_folder, "_unpack_batch", unpack_to_such_a_disk)
    function.write({path: ""})
    outcome = bundle("--unpacked", "out", "--include", path.replace(":", "?"))

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The bundle has {path}, which this disk does not keep under that name. Unpack it on one that does, "
        "as Lambda's, or leave the file out with --exclude."
    )
    assert files(function.folder / "out") == before


def test_new_file_in_the_place_of_one_that_stays(
    function: Project, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a disk takes a new file for an old one, the old one stays and the error names the new."""
    function.write({"my_fn/README": "one"})
    assert bundle("--unpacked", "out").exit_code == 0
    before = files(function.folder / "out")
    function.write({"my_fn/readme": "other"})
    link, lstat = os.link, os.lstat

    def link_on_such_a_disk(old: str, new: str) -> None:
        link(old, new.replace("README", "readme"))

    def lstat_on_such_a_disk(path: Any, **options: Any) -> os.stat_result:
        is_there = str(path).endswith("out/my_fn/readme")
        return lstat(function.folder / "out/my_fn/README" if is_there else path, **options)

    monkeypatch.setattr(os, "link", link_on_such_a_disk)
    monkeypatch.setattr(os, "lstat", lstat_on_such_a_disk)
    outcome = bundle("--unpacked", "out")

    assert outcome.exit_code == 1
    name = "readme" if way == "mounted" else "README"
    assert outcome.message == (
        f"The bundle has my_fn/{name} and a file that this disk does not tell from it. Unpack it on one that "
        "does, as Lambda's, or leave one of them out with --exclude."
    )
    assert files(function.folder / "out") == before


@pytest.mark.parametrize("name", ["out", "note.txt"])
def test_what_windows_refuses_for_a_moment(
    name: str, function: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virus scanner that looks at a new file, or into the new folder, does not end the run."""
    replace = Path.replace
    refused: list[Path] = []

    def replace_on_windows(path: Path, place: Path) -> Path:
        if place.name == name and not refused:
            error = PermissionError(13, "The process cannot access the file")
            error.winerror = 32  # type: ignore[attr-defined, unused-ignore]
            refused.append(place)
            raise error
        return replace(path, place)

    def nothing() -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(Path, "replace", replace_on_windows)
    monkeypatch.setattr(output_folder, "swapper", nothing)
    function.write({"my_fn/note.txt": "one"})
    first = bundle("--unpacked", "out")
    function.write({"my_fn/note.txt": "other"})
    second = bundle("--unpacked", "out")

    assert [first.exit_code, second.exit_code, len(refused)] == [0, 0, 1]
    assert (function.folder / "out/my_fn/note.txt").read_text() == "other"


def test_without_a_place_for_the_record(function: Project, tmp_path: Path) -> None:
    """Where it can't be kept the folder is written all the same; what changes then is asked about."""
    bundle()
    (tmp_path / "cache/cache/repositories/lambda-bundle").mkdir(parents=True, exist_ok=True)
    blocked = next((tmp_path / "cache").rglob("lambda-bundle")) / "_unpacked_"
    blocked.write_text("")

    first, same = (bundle("--unpacked", "out") for _ in range(2))
    function.write({"my_fn/data.txt": "changed"})
    changed = bundle("--unpacked", "out")

    assert [first.exit_code, same.exit_code] == [0, 0]
    assert changed.message.startswith(f"The bundle can't be unpacked to {function.folder / 'out'}: my_fn")


def test_records_of_folders_that_are_gone_go_too(function: Project, tmp_path: Path) -> None:
    """Temporary folders, such as those of CDK, leave nothing in the cache for long."""
    for name in ("one", "two"):
        assert bundle("--unpacked", name, "--no-cache").exit_code == 0
    records = next((tmp_path / "cache").rglob("_unpacked_"))
    assert len(list(records.iterdir())) == 2
    shutil.rmtree(function.folder / "one")
    (records / "other").write_text("no record")

    assert bundle("--unpacked", "three").exit_code == 0

    kept = {json.loads(path.read_text().splitlines()[0]) for path in records.glob("*.json")}
    assert kept == {str(function.folder / name) for name in ("two", "three")}


def test_damaged_record(function: Project, tmp_path: Path) -> None:
    """It is as if there were none."""
    bundle("--unpacked", "out")
    (record,) = next((tmp_path / "cache").rglob("_unpacked_")).iterdir()
    for damage in ("", "x", '"a"\n{"b": 1}\n', '"a"\n[]\n'):
        record.write_text(damage)
        assert bundle("--unpacked", "out", "--format", "json").report["status"] == "unchanged"
