"""Outputs that would destroy something, terminals that can't show what is said, broken checkouts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.hostile.conftest import OLD
from tests.hostile.support_marks import rows
from tests.hostile.support_runs import RAW_WORDS
from tests.hostile.support_runs import Limits
from tests.hostile.support_runs import bundle
from tests.hostile.support_runs import faults
from tests.hostile.support_runs import tree
from tests.support.runner import contents
from tests.support.sources import commit_all


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.hostile.support_index import Site
    from tests.support.projects import Project


TWO = (
    "[tool.poetry-lambda-plugin.bundles.one]\noutput = '{}'\n"
    "[tool.poetry-lambda-plugin.bundles.two]\noutput = '{}'\n"
)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One place that no bundle belongs in."""

    name: str
    output: str
    words: tuple[str, ...] = ()
    """What the error says; the output where there are none."""
    unseen: tuple[str, ...] = ()
    exit_code: int = 1
    config: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    pipes: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    gets_through: str = ""
    """The point of issue 16 that it is, as long as it is not mended."""
    since: str = ""
    """The first Poetry that ends it in this way."""


OUTPUTS = [
    Output(name="pyproject.toml", output="pyproject.toml"),
    Output(name="poetry.lock", output="poetry.lock"),
    Output(name="a source", output="my_fn.py"),
    Output(name="a source by a link", output="link.zip", links={"link.zip": "my_fn.py"}),
    Output(name="pyproject.toml by a way round", output="dist/../pyproject.toml"),
    Output(name="a file that is no ZIP", output="notes.txt", files={"notes.txt": "mine"}),
    Output(
        name="git's own folder",
        output=".git/config",
        files={".git/config": "[core]\n"},
    ),
    Output(name="a folder", output="dist"),
    Output(name="a link to a folder", output="out.zip", links={"out.zip": "dist"}),
    Output(name="a link that loops", output="out.zip", links={"out.zip": "out.zip"}, exit_code=0),
    Output(name="a link to nowhere", output="out.zip", links={"out.zip": "new/there.zip"}, exit_code=0),
    Output(name="a pipe", output="pipe", pipes=("pipe",)),
    Output(name="a full device", output="/dev/full"),
    Output(name="a device", output="/dev/null"),
    Output(name="below a device", output="/dev/null/x.zip"),
    Output(name="a name that is too long", output="x" * 252 + ".zip", words=("too long",)),
    Output(
        name="a name that is just not too long",
        output="x" * 245 + ".zip",
        exit_code=0,
    ),
    Output(
        name="a name that is no text",
        output="a\udcff.zip",
        words=(".zip",),
        exit_code=0,
    ),
    Output(
        name="a name with new lines",
        output="a\n::error::forged.zip",
        words=(),
        unseen=("\n::error::",),
        exit_code=0,
    ),
    Output(name="a name with an escape", output="a\x1b[31m.zip", exit_code=0, words=(".zip",)),
    Output(name="a name with markup", output="a<info>b.zip", exit_code=0),
    Output(name="a disk that is full", output="out.zip", limits=Limits(file=1000)),
    Output(
        name="a cache that is full",
        output="out.zip",
        words=("greeting (1.0)",),
        unseen=("Choose another --output",),
        limits=Limits(file=500),
    ),
    Output(
        name="one file by two names",
        output="",
        words=("one", "two"),
        config=TWO.format("dist/x.zip", "alias/x.zip"),
        links={"alias": "dist"},
    ),
    Output(
        name="one file by a way round",
        output="",
        words=("one", "two"),
        config=TWO.format("dist/x.zip", "dist/../dist/x.zip"),
    ),
    Output(
        name="a layer by a way round",
        output="",
        words=("exclude-layers",),
        config="[tool.poetry-lambda-plugin.bundles.layer]\noutput = 'dist/../dist/my-fn.zip'\nlayer = true\n"
        "[tool.poetry-lambda-plugin.bundles.api]\nexclude-layers = ['dist/my-fn.zip']\noutput = 'api.zip'\n",
    ),
    Output(
        name="a layer by a link",
        output="",
        words=("exclude-layers",),
        config="[tool.poetry-lambda-plugin.bundles.layer]\noutput = 'alias/my-fn.zip'\nlayer = true\n"
        "[tool.poetry-lambda-plugin.bundles.api]\nexclude-layers = ['dist/my-fn.zip']\noutput = 'api.zip'\n",
        links={"alias": "dist"},
    ),
]


@pytest.mark.parametrize("row", rows(OUTPUTS))
def test_output(row: Output, served_project: Project, site: Site) -> None:
    """Nothing but an old bundle is ever overwritten, and what is refused leaves all as it was."""
    write(row, served_project, site)
    before = tree(served_project.folder)
    arguments = ("-o", row.output) if row.output else ()

    outcome = bundle(*arguments, limits=row.limits)

    words = row.words or ((row.output,) if row.exit_code else ())
    found = faults(outcome, words if row.exit_code else (), row.unseen, row.exit_code)
    after = tree(served_project.folder)
    own = row.output if row.exit_code == 0 else ""
    found += [f"changes {path}" for path, what in before.items() if path != own and after.get(path) != what]
    if row.exit_code and after.keys() != before.keys():
        found.append(f"leaves {sorted(after.keys() - before.keys())}")
    assert not found, "\n".join((*found, outcome.shown))


def write(row: Output, project: Project, site: Site) -> None:
    """Write a row's project into a folder that has a sound one."""
    from tests.hostile.support_index import WHEEL
    from tests.support.projects import Locked

    if row.config:
        project.pyproject(
            dependencies=["greeting"], source=site.url, config=f'runtime = "python3.13"\n{row.config}'
        )
        project.lock([Locked.of(WHEEL)], source=site.url)
    project.write(row.files)
    for path, target in row.links.items():
        (project.folder / path).symlink_to(target)
    for path in row.pipes:
        os.mkfifo(project.folder / path)


# --- what is said where it can't be


def started(*arguments: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `poetry lambda-bundle` as a user does, its output as the shell leads it."""
    words = [sys.executable, "-m", "poetry", "lambda-bundle", *arguments]
    command = ["sh", "-c", f'"$@" {shell}', "sh", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


EXPLAINED = ("--explain", "--diff", "dist/my-fn.zip")
"""Shows arrows."""

ENCODINGS: list[Any] = [
    pytest.param("cp1252", EXPLAINED, id="cp1252"),
    pytest.param("ascii", EXPLAINED, id="ascii"),
    pytest.param("ascii", ("-v",), id="ascii, verbose"),
    pytest.param("ascii", ("-o", "\u00fcber.zip"), id="name beyond ascii"),
    pytest.param("ascii", ("--format", "json", "-o", "\u00fcber.zip"), id="JSON beyond ascii"),
]


@pytest.mark.parametrize(("encoding", "arguments"), ENCODINGS)
def test_encoding(encoding: str, arguments: tuple[str, ...], served_project: Project) -> None:
    """Where standard output can't take a sign, another one is shown, and the bundle is written."""
    outcome = bundle(*arguments, limits=Limits(encoding=encoding))

    assert faults(outcome, exit_code=0) == [], outcome.shown
    output = arguments[-1] if "-o" in arguments else "dist/my-fn.zip"
    assert contents(served_project.folder / output)["greeting/__init__.py"]


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        pytest.param(
            "",
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            id="no locale",
        ),
        pytest.param("", {"PYTHONOPTIMIZE": "2"}, id="no asserts"),
        pytest.param("<&-", {"COLUMNS": "0", "TERM": "\x1b]0;x\x07"}, id="no input and an odd terminal"),
    ],
)
def test_environment(shell: str, environment: dict[str, str], served_project: Project) -> None:
    """However the interpreter is started, the bundle is written and the report is whole."""
    done = started(*EXPLAINED, shell=shell, **environment)

    shown = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert (done.returncode, RAW_WORDS.findall(shown)) == (0, []), shown
    assert contents(served_project.folder / "dist/my-fn.zip")["greeting/__init__.py"]


@pytest.mark.parametrize(
    ("shell", "arguments"),
    [
        pytest.param(">/dev/full", (), id="full"),
        pytest.param(">/dev/full", ("--format", "json"), id="full, JSON"),
        pytest.param(">/dev/full 2>/dev/full", ("-v",), id="both full"),
        pytest.param(">&-", (), id="closed"),
        pytest.param("| true", (), id="nobody reads"),
        pytest.param("| true", ("--explain", "-v"), id="nobody reads much"),
    ],
)
def test_report_that_fails(shell: str, arguments: tuple[str, ...], served_project: Project) -> None:
    """A report that can't be written never says that nothing was changed, when the bundle is there."""
    done = started(*arguments, shell=shell)

    shown = (done.stdout + done.stderr).decode("utf-8", "replace")
    written = (served_project.folder / "dist/my-fn.zip").read_bytes() != OLD
    assert written
    assert "Nothing was changed" not in shown
    assert RAW_WORDS.findall(shown) == []


def test_second_bundle_is_not_missing(served_project: Project, site: Site) -> None:
    """A report that fails after the first bundle does not leave the second one unwritten."""
    write(Output(name="", output="", config=TWO.format("one.zip", "two.zip")), served_project, site)

    started(shell=">/dev/full")

    assert [(served_project.folder / name).exists() for name in ("one.zip", "two.zip")] == [True, True]


def fail_second_commit() -> None:
    """Let the file system refuse to put the second bundle into its place."""
    replace = os.replace

    def refusing(source: Any, target: Any, **options: Any) -> None:
        if Path(target).name == "two.zip":
            raise OSError(28, "No space left on device", str(target))
        replace(source, target, **options)

    os.replace = refusing  # type: ignore[assignment]
    Path.replace = refusing  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("arguments", [(), ("--format", "json")], ids=["text", "json"])
def test_says_which_bundles_are_written(
    arguments: tuple[str, ...], served_project: Project, site: Site
) -> None:
    """Where the second bundle can't take its place, the error says that the first one has."""
    write(Output(name="", output="", config=TWO.format("one.zip", "two.zip")), served_project, site)

    outcome = bundle(*arguments, limits=Limits(before=fail_second_commit))

    assert outcome.exit_code == 1
    shown = outcome.shown if arguments else outcome.error
    is_written = (served_project.folder / "one.zip").exists()
    assert "two.zip" in shown
    assert is_written == ("one.zip" in shown)
    assert not arguments or json.loads(outcome.output)["error"]


def test_many_bundles_with_few_open_files(served_project: Project, site: Site) -> None:
    """Bundles that are unchanged are not all held open."""
    bundles = [f"[tool.poetry-lambda-plugin.bundles.b{n}]\noutput = 'out/{n}.zip'\n" for n in range(100)]
    write(Output(name="", output="", config="".join(bundles)), served_project, site)
    assert bundle().exit_code == 0

    outcome = bundle(limits=Limits(open_files=128))

    assert faults(outcome, exit_code=0) == [], outcome.shown


JSONS = [
    pytest.param(
        ("-o", "a\\<b.zip"),
        0,
        id="markup in a path",
    ),
    pytest.param(
        ("-o", "a<info>b</info>.zip"),
        0,
        id="tags in a path",
    ),
    pytest.param(("-o", "a\nb.zip"), 0, id="new line in a path"),
    pytest.param(
        ("-o", "dist"),
        1,
        id="refused output",
    ),
    pytest.param(
        ("--runtime", "python2"),
        1,
        id="refused runtime",
    ),
    pytest.param(("-vvv",), 0, id="debug"),
    pytest.param(("--dry-run",), 0, id="dry"),
]


@pytest.mark.parametrize(("arguments", "exit_code"), JSONS)
def test_json_is_one_document(arguments: tuple[str, ...], exit_code: int, served_project: Project) -> None:
    """Standard output is one JSON document whatever happens, with paths as they are."""
    outcome = bundle("--format", "json", *arguments)

    assert outcome.exit_code == exit_code
    document = json.loads(outcome.output)
    if exit_code:
        assert document["error"]
    elif "-o" in arguments:
        assert document["bundles"][0]["output"].endswith(arguments[-1])


# --- what a run leaves


def test_output_keeps_its_mode(served_project: Project) -> None:
    """A bundle that only its owner may read stays so."""
    output = served_project.folder / "dist/my-fn.zip"
    output.chmod(0o600)

    assert bundle().exit_code == 0

    assert output.stat().st_mode & 0o777 == 0o600


def test_strays_are_swept(served_project: Project) -> None:
    """What a killed run left beside the output is gone after the next run; what is not ours stays."""
    stray = served_project.folder / "dist/.my-fn.zip.0123456789abcdef.tmp"
    other = served_project.folder / "dist/.my-fn.zip.tmp"
    for path in (stray, other):
        path.write_bytes(b"half")

    assert bundle().exit_code == 0

    assert (stray.exists(), other.exists()) == (False, True)


def test_dry_run_writes_nothing(served_project: Project, tmp_path: Path) -> None:
    """Neither beside the output nor in the cache, cold or warm."""
    assert bundle("-o", "first.zip").exit_code == 0
    before = tree(tmp_path)

    assert bundle("--dry-run").exit_code == 0

    assert tree(tmp_path) == before


def test_cold_dry_run_writes_nothing(served_project: Project, tmp_path: Path) -> None:
    """A dry run makes not even a folder."""
    before = tree(tmp_path)

    assert bundle("--dry-run").exit_code == 0

    assert tree(tmp_path) == before


def test_no_cache_leaves_nothing_of_ours(served_project: Project, tmp_path: Path) -> None:
    """With --no-cache no note and no bytecode of ours stays."""
    arguments = ("--bytecode", "checked-hash", "--runtime", f"python3.{sys.version_info.minor}")

    assert bundle("--no-cache", *arguments).exit_code == 0

    kept = [path.as_posix() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path for path in kept if "/artifacts/" not in path] == []


@pytest.mark.parametrize(
    ("include", "links", "output"),
    [
        pytest.param("data", {}, "data/out.zip", id="folder"),
        pytest.param(
            "data",
            {"alias": "data"},
            "alias/out.zip",
            id="output by a link",
        ),
        pytest.param(
            "alias",
            {"alias": "data"},
            "data/out.zip",
            id="folder by a link",
        ),
        pytest.param("data", {}, "data/../data/out.zip", id="a way round"),
    ],
)
def test_bundle_does_not_grow(
    include: str, links: dict[str, str], output: str, served_project: Project
) -> None:
    """The last bundle is no part of the next one, by whatever name the two are given."""
    served_project.write({"data/a.txt": "a"})
    for path, target in links.items():
        (served_project.folder / path).symlink_to(target)

    runs = [bundle("--include", include, "-o", output) for _ in range(3)]

    assert [run.exit_code for run in runs] == [0, 0, 0]
    assert [path for path in contents(served_project.folder / output) if path.endswith(".zip")] == []


def test_two_bundles_of_one_folder_do_not_grow(served_project: Project, site: Site) -> None:
    """Bundles of one run that lie in a folder which is bundled are left out of each other."""
    config = f"include = ['data']\n{TWO.format('data/one.zip', 'data/two.zip')}"
    write(Output(name="", output="", config=config, files={"data/a.txt": "a"}), served_project, site)

    assert [bundle().exit_code for _ in range(2)] == [0, 0]

    for name in ("one", "two"):
        files = contents(served_project.folder / f"data/{name}.zip")
        assert [path for path in files if path.endswith(".zip")] == []


# --- the user's own checkout

CHECKOUTS = [
    pytest.param({".git/index": "nonsense"}, "", 1, id="damaged index"),
    pytest.param({".git/config": "[core\n"}, "", 1, id="damaged configuration"),
    pytest.param({}, "another", 0, id="folder of another user"),
    pytest.param({".git/info/exclude": "*.txt\n"}, "", 0, id="excludes of one checkout"),
]


@pytest.mark.parametrize(("damage", "owner", "exit_code"), CHECKOUTS)
def test_checkout(damage: dict[str, str], owner: str, exit_code: int, served_project: Project) -> None:
    """Where git fails, nothing that it ignores is bundled: the run ends with git's words."""
    if owner and os.getuid():
        pytest.skip("only root can give a folder away")
    (served_project.folder / "my_fn.py").unlink()
    package = {"my_fn/__init__.py": "", "my_fn/notes.txt": "x", "my_fn/secret.env": "TOKEN=x"}
    served_project.write({**package, ".gitignore": "*.env\n"})
    commit_all(served_project.folder)
    served_project.write({"my_fn/new.txt": "x", **damage})
    if owner:
        os.chown(served_project.folder, 12345, 12345)

    outcome = bundle("-o", "out.zip")

    assert faults(outcome, ("git",) if exit_code else (), exit_code=exit_code) == [], outcome.shown
    if exit_code == 0:
        files = contents(served_project.folder / "out.zip")
        assert {"my_fn/notes.txt", "my_fn/new.txt"} <= files.keys()
        assert "my_fn/secret.env" not in files


def test_ignored_above_the_project(project: Project, tmp_path: Path) -> None:
    """What git ignores is left out also where a package comes from beside the project."""
    (tmp_path / ".gitignore").write_text("*.env\ncache\n")
    project.pyproject(tool="[tool.poetry]\npackages = [{include = 'shared', from = '..'}]")
    project.lock()
    for name in ("__init__.py", "secret.env"):
        (tmp_path / "shared").mkdir(exist_ok=True)
        (tmp_path / "shared" / name).write_text("")
    commit_all(tmp_path)

    assert bundle().exit_code == 0

    assert "shared/secret.env" not in contents(project.folder / "dist/my-fn.zip")


# --- secrets in the bundle

SECRETS = {
    ".env": "TOKEN=x",
    ".env.production": "TOKEN=x",
    "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    "id_ed25519": "x",
    "key.pem": "-----BEGIN RSA PRIVATE KEY-----\n",
    ".aws/credentials": "[default]\naws_secret_access_key = x\n",
    ".netrc": "machine example.org password x\n",
    ".pypirc": "[pypi]\npassword = x\n",
    ".npmrc": "//example.org/:_authToken=x\n",
    ".gitconfig": "[user]\n",
}


@pytest.mark.parametrize("path", SECRETS)
def test_secret(path: str, served_project: Project) -> None:
    """A file that should be in no bundle is named; an error with --strict, nothing where it is excluded."""
    (served_project.folder / "my_fn.py").unlink()
    served_project.write({"my_fn/__init__.py": "", f"my_fn/{path}": SECRETS[path]})

    plain = bundle()
    assert faults(plain, ("Warning", f"my_fn/{path}"), exit_code=0) == [], plain.shown
    strict = bundle("--strict")
    assert faults(strict, (f"my_fn/{path}",)) == [], strict.shown
    silenced = bundle("--strict", "--exclude", f"my_fn/{path}")
    assert faults(silenced, exit_code=0) == [], silenced.shown


def test_file_of_gigabytes(served_project: Project) -> None:
    """A file of the project that is larger than any function may be is named, and not read into memory."""
    with (served_project.folder / "data.bin").open("wb") as file:
        file.truncate(5 << 30)

    outcome = bundle("--include", "data.bin")

    assert faults(outcome, ("data.bin",)) == [], outcome.shown


def test_old_bundle_is_a_zip() -> None:
    """What refusals leave as it is could have been written by an earlier run."""
    import io

    assert zipfile.ZipFile(io.BytesIO(OLD)).namelist() == []
