"""Bad input: one clear paragraph on standard error, exit code 1, and nothing written or changed."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.sources.building import missing_for_build
from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


STALE = (
    "pyproject.toml changed significantly since poetry.lock was last generated. "
    "Run `poetry lock` to fix the lock file."
)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder, folders too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refusal(project: Project, *arguments: str) -> str:
    """Run into an error, check what holds for every one, and return it as one line."""
    before = tree(project.folder.parent)
    outcome = bundle(*arguments)
    assert outcome.exit_code == 1
    told = " ".join(json.loads(outcome.output)["error"].split()) if outcome.output else outcome.message
    assert (bool(outcome.output), told) == (any("json" in a for a in arguments), outcome.message)
    assert "Traceback" not in outcome.error
    assert "\n\n" not in outcome.error.strip()
    assert tree(project.folder.parent) == before
    return outcome.message


@pytest.fixture
def simple_project(project: Project) -> Project:
    """A locked project with one module and an old bundle."""
    project.pyproject()
    project.write({"my_fn.py": "", "dist/my-fn.zip": EMPTY_ZIP})
    project.lock()
    return project


def test_no_pyproject(project: Project) -> None:
    """Poetry's own words say that there is no project."""
    message = refusal(project)

    assert "could not find a pyproject.toml file in" in message
    assert str(project.folder) in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[project\n", "pyproject.toml", id="not-toml"),
        pytest.param(b"\xff\xfe\x00", "", id="binary"),
        pytest.param("", "", id="empty"),
        pytest.param("[tool.poetry]\nname = 5\n", "", id="wrong-types"),
        pytest.param('[project]\nname = "x"\nversion = "not a version"\n', "", id="bad-version"),
        pytest.param(
            '[project]\nname = "x"\nversion = "1"\n[tool.poetry]\nrequires-poetry = ">=99"\n',
            "requires Poetry",
            id="other-poetry",
        ),
        pytest.param('tool = 5\n[project]\nname = "x"\nversion = "1"\n', "", id="tool-is-no-table"),
        pytest.param('[project]\nname = "x"\nversion = "1"\ndependencies = 5\n', "", id="dependencies"),
        pytest.param('[project]\nname = "x"\nversion = "1"\ndependencies = ["==="]\n', "", id="dependency"),
        pytest.param(
            '[project]\nname = "x"\nversion = "1"\nrequires-python = "three"\n', "", id="requires-python"
        ),
    ],
)
def test_unusable_pyproject(simple_project: Project, text: str | bytes, words: str) -> None:
    """What Poetry refuses to read is refused in its words."""
    simple_project.write({"pyproject.toml": text})

    message = refusal(simple_project)

    assert words in message
    assert message


def test_no_lock(simple_project: Project) -> None:
    """Without poetry.lock the message says how to make one."""
    (simple_project.folder / "poetry.lock").unlink()

    assert refusal(simple_project) == (
        f"There is no poetry.lock in {simple_project.folder}. Run `poetry lock` to make one, and commit it."
    )


@pytest.mark.parametrize(
    "lock",
    [
        pytest.param(b"\x00\xff\x12garbage", id="binary"),
        pytest.param("this is no TOML", id="not-toml"),
        pytest.param("<<<<<<< HEAD\n", id="merge-conflict"),
        pytest.param("", id="empty"),
        pytest.param("package = []\n", id="no-metadata"),
        pytest.param("package = []\n[metadata]\n", id="empty-metadata"),
        pytest.param('metadata = "x"\n', id="metadata-is-no-table"),
        pytest.param('package = []\n[metadata]\nlock-version = "2.1"\n', id="no-hash"),
        pytest.param('package = []\n[metadata]\nlock-version = "9.0"\ncontent-hash = "x"\n', id="too-new"),
        pytest.param('package = []\n[metadata]\nlock-version = "x"\ncontent-hash = "x"\n', id="odd-version"),
    ],
)
def test_unreadable_lock(simple_project: Project, lock: str | bytes) -> None:
    """A lock that is no lock is named, and `poetry lock` is the remedy."""
    simple_project.write({"poetry.lock": lock})

    message = refusal(simple_project)

    assert "poetry.lock" in message
    assert "poetry lock" in message or "upgrade Poetry" in message or "regenerate" in message


@pytest.mark.parametrize(
    ("line", "replacement"),
    [
        pytest.param('name = "greeting"', "", id="no-name"),
        pytest.param('version = "1.0"', "", id="no-version"),
        pytest.param('version = "1.0"', 'version = "one"', id="bad-version"),
        pytest.param('version = "1.0"', "version = 1.0", id="number"),
        pytest.param('groups = ["main"]', "groups = 5", id="groups"),
        pytest.param('groups = ["main"]', 'groups = ["main"]\nmarkers = "((("', id="marker"),
        pytest.param('groups = ["main"]', 'groups = ["main"]\nmarkers = 5', id="marker-type"),
        pytest.param("files = [", "files = 5 #", id="files"),
        pytest.param("files = [", 'files = ["x"] #', id="file-is-no-table"),
        pytest.param("files = [", 'files = [{file = "greeting-1.0-py3-none-any.whl"}] #', id="no-hash"),
    ],
)
def test_damaged_package_in_lock(locked_project: Project, line: str, replacement: str) -> None:
    """A package that makes no sense makes the lock unreadable, not the command crash."""
    lock = locked_project.folder / "poetry.lock"
    text = lock.read_text()
    assert line in text
    lock.write_text(text.replace(line, replacement))

    message = refusal(locked_project)

    assert message.startswith(f"{lock} can't be read: ")
    assert message.endswith("Restore it from version control, or run `poetry lock` to make it anew.")


def test_stale_lock(simple_project: Project) -> None:
    """A lock older than pyproject.toml is refused in Poetry's own words."""
    simple_project.pyproject(dependencies=["other"])

    assert refusal(simple_project) == STALE


def test_stale_lock_of_a_newer_poetry(simple_project: Project) -> None:
    """Another reason is told than a change of pyproject.toml: newer releases count more of it."""
    lock = simple_project.folder / "poetry.lock"
    first = "# This file is automatically @generated by Poetry 99.1.0 and should not be changed by hand."
    lock.write_text("\n".join([first, *lock.read_text().splitlines()[1:]]))
    simple_project.pyproject(dependencies=["other"])

    assert refusal(simple_project) == (
        f"{STALE} Poetry 99.1.0 made it, and this is {version('poetry')}: "
        "an update of Poetry may be all it takes."
    )


def test_content_hash_decides_what_is_stale(simple_project: Project) -> None:
    """What `poetry check` would complain of is no concern; the content hash is."""
    simple_project.pyproject(project='description = "new"\nclassifiers = ["No :: Such"]\nreadme = "gone.md"')

    assert bundle().exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--with", "dve"],
            "The project has no dependency group 'dve'. Did you mean dev? It has dev, main.",
            id="with",
        ),
        pytest.param(
            ["--without", "test"],
            "The project has no dependency group 'test'. It has dev, main.",
            id="without",
        ),
        pytest.param(
            ["--only", "Maine"],
            "The project has no dependency group 'Maine'. Did you mean main? It has dev, main.",
            id="only",
        ),
        pytest.param(
            ["-E", "sped"],
            "The project has no extra 'sped'. Did you mean speed? It has patience, speed.",
            id="extra",
        ),
    ],
)
def test_unknown_name(project: Project, arguments: list[str], message: str) -> None:
    """An unknown group or extra is named with those that exist."""
    project.pyproject(
        project='[project.optional-dependencies]\nspeed = ["fast"]\npatience = ["slow"]',
        tool='[tool.poetry.group.dev.dependencies]\ntool = "*"',
    )
    project.write({"my_fn.py": ""})
    project.lock()

    assert refusal(project, *arguments) == message


def test_unknown_extra_without_any(simple_project: Project) -> None:
    """A project without extras says so."""
    assert refusal(simple_project, "-E", "x") == "The project has no extra 'x'. It has none."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--only", "main", "--with", "dev"],
            "--only and --with can't be used together. Drop one.",
            id="only",
        ),
        pytest.param(
            ["--no-root", "--only-root"],
            "--only-root and --no-root can't be used together. Drop one.",
            id="root",
        ),
        pytest.param(
            ["--all-extras", "-E", "x"],
            "--extras and --all-extras can't be used together. Drop one.",
            id="extras",
        ),
        pytest.param(
            ["--with", "a,b", "--without", "b"], "--with and --without both name 'b'. Drop one.", id="group"
        ),
        pytest.param(["--format", "xml"], "--format must be text, json or markdown, not 'xml'.", id="format"),
        pytest.param(["-o", ""], "--output must be a non-empty string, not an empty string.", id="output"),
        pytest.param(
            ["--include", "a:../b"], "--include[0]: '../b' is not a path inside the bundle.", id="to"
        ),
        pytest.param(
            ["nope"], "Unknown bundle 'nope'. [tool.poetry-lambda-plugin.bundles] has none.", id="bundle"
        ),
        pytest.param(
            ["--architecture", "aarch64"],
            "--architecture: 'aarch64' is not a Lambda architecture. Lambda calls it arm64. "
            "Choose x86_64 or arm64.",
            id="architecture",
        ),
        pytest.param(
            ["--runtime", "python3.7", "--architecture", "arm64"],
            "Lambda's python3.7 (set by --runtime) exists for x86_64 only, not for arm64. "
            "Choose a newer runtime, or leave arm64 out.",
            id="no-such-target",
        ),
    ],
)
def test_wrong_options(simple_project: Project, arguments: list[str], message: str) -> None:
    """Options that contradict each other, or make no sense, are refused."""
    assert refusal(simple_project, *arguments) == message


def test_unknown_runtime(simple_project: Project) -> None:
    """Nonsense is refused with all runtimes."""
    message = refusal(simple_project, "--runtime", "python313")

    assert message.startswith(
        "--runtime: 'python313' is not a Lambda Python runtime. Did you mean python3.13? Known"
    )
    assert "python3.6, python3.7, python3.8" in message


def test_runtime_outside_the_constraint(simple_project: Project) -> None:
    """A runtime that the project rules out is refused."""
    message = refusal(simple_project, "--runtime", "python3.8")

    assert message.startswith(
        "The project's Python constraint '>=3.9' rules out python3.8 (set by --runtime), which runs Python"
    )


@pytest.mark.parametrize(
    ("config", "start"),
    [
        pytest.param(
            "runtimes = 'python3.12'",
            "Unknown key tool.poetry-lambda-plugin.runtimes. Did you mean runtime?",
            id="key",
        ),
        pytest.param(
            "strict = 'yes'", "tool.poetry-lambda-plugin.strict must be true or false, not 'yes'.", id="type"
        ),
        pytest.param(
            "[tool.poetry-lambda-plugin.bundles.api]\nhandlr = 1",
            "Unknown key tool.poetry-lambda-plugin.bundles.api.handlr. Did you mean handler?",
            id="bundle-key",
        ),
        pytest.param(
            "only = ['main']\nwith = ['dev']",
            "tool.poetry-lambda-plugin.only and tool.poetry-lambda-plugin.with can't be used together.",
            id="contradiction",
        ),
        pytest.param("output = '{nam}.zip'", "The output '", id="placeholder"),
    ],
)
def test_wrong_configuration(simple_project: Project, config: str, start: str) -> None:
    """A mistake in the table is named by its dotted key."""
    simple_project.pyproject(config=config)

    assert refusal(simple_project).startswith(start)


def test_table_of_the_wrong_type(simple_project: Project) -> None:
    """The whole table may be of the wrong type."""
    simple_project.pyproject(tool="[tool]\npoetry-lambda-plugin = 5")

    assert refusal(simple_project) == "tool.poetry-lambda-plugin must be a table, not a number."


def test_malformed_source_date_epoch(simple_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable must be a number."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    assert refusal(simple_project) == (
        "SOURCE_DATE_EPOCH is 'yesterday', not a number of seconds since 1970. "
        "Correct the variable or unset it."
    )


def test_output_is_a_folder(simple_project: Project) -> None:
    """A folder can't be overwritten by a file."""
    folder = simple_project.folder / "dist"

    assert refusal(simple_project, "-o", "dist") == (
        f"The bundle can't be written to {folder}: it is a folder (end it with a slash for a ZIP in it). "
        "Choose another --output."
    )


def test_output_below_a_file(simple_project: Project) -> None:
    """A file has nothing below it."""
    path = simple_project.folder / "my_fn.py/out/a.zip"

    assert refusal(simple_project, "-o", "my_fn.py/out/a.zip") == (
        f"The bundle can't be written to {path}: {simple_project.folder / 'my_fn.py'} is not a folder. "
        "Choose another --output."
    )


def test_output_in_a_folder_that_is_not_writable(
    simple_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without permission is named before any work."""
    folder = simple_project.folder / "locked"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):
        # root may write everywhere, so the kernel's answer to other users is put in its mouth
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))

    assert refusal(simple_project, "-o", "locked/new/a.zip") == (
        f"The bundle can't be written to {folder / 'new/a.zip'}: {folder} is not writable. "
        "Choose another --output."
    )


def test_output_with_a_name_too_long(simple_project: Project) -> None:
    """What the file system can't hold is reported in its words."""
    message = refusal(simple_project, "-o", f"{'a' * 300}.zip")

    assert message.endswith("File name too long. Choose another --output.")


def test_output_with_a_name_too_long_in_a_new_folder(simple_project: Project) -> None:
    """Folders made for a ZIP that could not be written are gone again."""
    outcome = bundle("-o", f"new/folder/{'a' * 300}.zip")

    assert outcome.exit_code == 1
    assert outcome.message.endswith("File name too long. Choose another --output.")
    assert not (simple_project.folder / "new").exists()


def test_no_place_for_temporary_files(
    simple_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing temporary can be written, the message says what decides where that is."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    message = refusal(simple_project)

    assert message.startswith("There is no place for temporary files: [Errno 2] No such file or directory: '")
    assert message.endswith("'. Set TMPDIR to a folder that can be written to.")


def test_two_bundles_with_one_output(simple_project: Project) -> None:
    """Two bundles must not overwrite each other."""
    arguments = ("--architecture", "arm64", "--architecture", "x86_64", "-o", "a.zip")

    assert refusal(simple_project, *arguments) == (
        f"Two bundles would be written to {simple_project.folder / 'a.zip'}: my-fn for python3.14 on arm64 "
        "and my-fn for python3.14 on x86_64. Tell them apart in --output with {architecture}."
    )


def test_two_named_bundles_with_one_output(simple_project: Project) -> None:
    """Bundles of the table that would overwrite each other are both named."""
    simple_project.pyproject(
        config=(
            "output = 'a.zip'\nruntime = 'python3.13'\n"
            "[tool.poetry-lambda-plugin.bundles.api]\n[tool.poetry-lambda-plugin.bundles.job]"
        )
    )

    assert refusal(simple_project) == (
        f"Two bundles would be written to {simple_project.folder / 'a.zip'}: api for python3.13 on x86_64 "
        "and job for python3.13 on x86_64. Tell them apart in --output with {bundle}."
    )


@pytest.fixture
def unfit_project(project: Project, index: Index) -> Project:
    """A project of which three dependencies have no wheel for the default target."""
    locked = [
        Locked.of(make_wheel("fine")),
        Locked.of(make_wheel("for-arm", tag="cp313-cp313-manylinux2014_aarch64")),
        Locked.of(
            make_wheel("for-mac", tag="cp313-cp313-macosx_11_0_arm64"),
            make_wheel("for-mac", tag="cp312-abi3-manylinux_2_28_aarch64"),
        ),
        Locked.of(
            make_wheel("for-musl", tag="cp313-cp313-musllinux_1_2_x86_64"),
            make_wheel("for-musl", tag="cp313-cp313-manylinux_2_34_aarch64"),
        ),
    ]
    project.pyproject(dependencies=[package.name for package in locked], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock(locked, source=index.url)
    return project


def test_no_file_for_the_target(unfit_project: Project, index: Index) -> None:
    """All packages without a wheel come in one message, with their files and a target that would work."""
    message = refusal(unfit_project, "--runtime", "python3.13")

    assert message.startswith("3 packages have no wheel for python3.13 on x86_64:")
    assert "- for-arm (1.0): the lock has for_arm-1.0-cp313-cp313-manylinux2014_aarch64.whl" in message
    assert (
        "- for-mac (1.0): the lock has for_mac-1.0-cp313-cp313-macosx_11_0_arm64.whl, "
        "for_mac-1.0-cp312-abi3-manylinux_2_28_aarch64.whl"
    ) in message
    assert "- for-musl (1.0): the lock has" in message
    assert "fine (1.0)" not in message
    assert (
        "For python3.13 on arm64 the lock has wheels of them. Choose that with --architecture arm64, or"
    ) in message
    assert index.requests == []


@pytest.fixture
def compiled_project(project: Project, index: Index) -> Project:
    """A project with a dependency that is compiled, whose lock has an sdist and a wheel for Windows."""
    wheel = make_wheel("fast", tag="cp313-cp313-win_amd64")
    project.pyproject(dependencies=["fast"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, MadeFile("fast-1.0.tar.gz", b""))], source=index.url)
    return project


def test_names_the_architecture_that_compiling_needs(
    compiled_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an sdist can't be compiled since this machine is another one, that is the reason."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    assert (
        "fast-1.0.tar.gz could only be compiled on Linux for arm64 with Python 3.13, "
        "and this machine is riscv64"
    ) in refusal(compiled_project, "--runtime", "python3.13", "--architecture", "arm64")


def test_names_the_python_that_compiling_needs(
    compiled_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an sdist can't be compiled since no such Python is here, that is the reason."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    assert (
        "fast-1.0.tar.gz could only be compiled on Linux for x86_64 with Python 3.16, "
        "and no Python 3.16 is found here"
    ) in refusal(compiled_project, "--runtime", "python3.16")


def test_names_the_system_that_compiling_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this is no Linux, nothing else is looked at."""
    monkeypatch.setattr(sys, "platform", "darwin")

    assert missing_for_build(Target(find_runtime("python3.13"), "arm64"), False) == "this is no Linux"


def test_suggests_no_runtime_that_the_project_rules_out(project: Project, index: Index) -> None:
    """A runtime outside the project's constraint is no remedy, even where the lock has wheels for it."""
    wheel = make_wheel("old-one", tag="cp39-cp39-manylinux2014_x86_64")
    project.pyproject(python=">=3.11", dependencies=["old-one"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    message = refusal(project, "--runtime", "python3.13")

    assert "python3.9" not in message
    assert "No other runtime that the project allows" in message


def test_dry_run_knows_of_missing_files(unfit_project: Project) -> None:
    """Choosing files needs no network, so a dry run finds the same problem."""
    assert refusal(unfit_project, "--dry-run", "--runtime", "python3.13").startswith("3 packages have")


def test_path_that_is_file_and_folder(locked_project: Project) -> None:
    """Two files of which one would have to be the other's folder are refused."""
    locked_project.write({"extra": "x"})

    message = refusal_with_cache(locked_project, "--include", "extra:greeting")

    assert "'greeting' to be a file and a folder" in message


def refusal_with_cache(project: Project, *arguments: str) -> str:
    """Run into an error that shows only when the wheels are here."""
    outcome = bundle(*arguments)
    assert (outcome.exit_code, "Traceback" in outcome.error) == (1, False)
    assert not (project.folder / "dist").exists()
    return outcome.message


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--runtime", "python313"], id="option"),
        pytest.param(["--with", "nobody"], id="group"),
    ],
)
def test_debug_shows_the_traceback(simple_project: Project, arguments: list[str]) -> None:
    """-vvv shows where an error comes from; without it there is no stack."""
    plain, debug = bundle(*arguments), bundle("-vvv", *arguments)

    assert "Traceback" not in plain.error
    assert "Traceback (most recent call last):" in debug.error
    assert debug.exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(["-q"], id="quiet"), pytest.param(["--format", "json"], id="json")],
)
def test_error_is_on_standard_error_in_every_form(simple_project: Project, arguments: list[str]) -> None:
    """Neither -q nor JSON swallow an error and its exit code."""
    outcome = bundle("--runtime", "python313", *arguments)

    assert outcome.exit_code == 1
    assert outcome.message.startswith("--runtime")


def test_text_with_angle_brackets_is_shown_as_it_is(simple_project: Project) -> None:
    """What a user typed is never taken for a style tag."""
    assert refusal(simple_project, "--include", "<info>x</info>").startswith("include names '<info>x</info>'")


def test_error_of_one_bundle_stops_no_other(simple_project: Project) -> None:
    """A mistake in the second bundle is told with its name, and the first is written."""
    simple_project.pyproject(
        config=(
            "[tool.poetry-lambda-plugin.bundles.one]\n"
            "[tool.poetry-lambda-plugin.bundles.two]\ninclude = ['gone.txt']"
        )
    )

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.startswith("two for x86_64 could not be made: include names 'gone.txt'")
    assert (simple_project.folder / "dist/one.zip").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--runtme", "python3.13"], "There is no option --runtme. Did you mean --runtime?", id="typo"
        ),
        pytest.param(
            ["--arch", "arm64"], "There is no option --arch. Did you mean --architecture?", id="prefix"
        ),
        pytest.param(["--No_Root"], "There is no option --No_Root. Did you mean --no-root?", id="underscore"),
        pytest.param(
            ["--no-cahce"], "There is no option --no-cahce. Did you mean --no-cache?", id="poetrys-own"
        ),
        pytest.param(
            ["--exclude-packages", "x"],
            "There is no option --exclude-packages. Did you mean --exclude-package?",
            id="key-with-another-option",
        ),
        pytest.param(
            ["--handler", "my_fn.handler"],
            "--handler is a key of [tool.poetry-lambda-plugin], not an option: write `handler = …` there, "
            "in pyproject.toml.",
            id="key",
        ),
        pytest.param(
            ["--botocore_services=s3"],
            "--botocore_services is a key of [tool.poetry-lambda-plugin], not an option: "
            "write `botocore-services = …` there, in pyproject.toml.",
            id="key-with-underscore",
        ),
        pytest.param(
            ["--scriptz"],
            "There is no option --scriptz. "
            "Did you mean the key scripts of [tool.poetry-lambda-plugin] in pyproject.toml?",
            id="near-a-key",
        ),
        pytest.param(
            ["--qqqq"], "There is no option --qqqq. `poetry lambda-bundle --help` lists all.", id="far"
        ),
        pytest.param(
            ["--bundle", "api"],
            "There is no option --bundle. Name bundles without one: `poetry lambda-bundle NAME`.",
            id="argument",
        ),
        pytest.param(["-x"], "There is no option -x. `poetry lambda-bundle --help` lists all.", id="short"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--format=json"], ["-q"]], ids=["text", "json", "quiet"])
def test_unknown_option(simple_project: Project, arguments: list[str], message: str, more: list[str]) -> None:
    """An option that does not exist is answered with the nearest one, or with the key that is meant."""
    assert refusal(simple_project, *more, *arguments) == message


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("tool.poetry-lambda-bundle", id="command"),
        pytest.param("tool.poetry_lambda_plugin", id="underscores"),
        pytest.param("tool.Poetry-Lambda-Plugin", id="capitals"),
        pytest.param("tool.poetry-lamda-plugin", id="typo"),
        pytest.param("tool.poetry-lambda-plugins", id="plural"),
        pytest.param("tool.lambda-bundle", id="short-command"),
        pytest.param("tool.lambda_plugin", id="short"),
        pytest.param("poetry-lambda-plugin", id="without-tool"),
    ],
)
def test_warns_of_a_misnamed_table(simple_project: Project, table: str) -> None:
    """A table that was meant for the plugin is not ignored in silence, and an error with --strict."""
    simple_project.pyproject(tool=f"[{table}]\nruntime = 'python3.12'\n")
    simple_project.lock()
    warning = f"[{table}] in pyproject.toml is ignored: the table's name is [tool.poetry-lambda-plugin]."

    assert refusal(simple_project, "--strict") == f"{warning} (--strict makes this an error.)"
    assert bundle("--format", "json").report["warnings"] == [warning]
    outcome = bundle("--architecture", "arm64", "--architecture", "x86_64")
    assert (outcome.exit_code, outcome.message) == (0, f"Warning: {warning}")


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("tool.poetry-plugin-lambda-build", id="plugin-lambda-build"),
        pytest.param("tool.poetry-aws-lambda-plugin", id="aws-lambda-plugin"),
        pytest.param("tool.poetry-dynamic-versioning", id="dynamic-versioning"),
        pytest.param("tool.poetry-plugin-export", id="plugin-export"),
        pytest.param("tool.lambda-bundler", id="bundler"),
        pytest.param("tool.poetry.plugins.lambda-plugin", id="entry-points"),
    ],
)
def test_other_tables_are_of_no_concern(simple_project: Project, table: str) -> None:
    """Tables of other tools, however near their names, are not taken for ours."""
    simple_project.pyproject(tool=f"[{table}]\nruntime = 'python3.12'\n")
    simple_project.lock()

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.message) == (0, "")


def test_short_table_of_another_tool(simple_project: Project) -> None:
    """A name that others may have is taken for ours by its keys only."""
    simple_project.pyproject(tool="[tool.lambda-bundle]\ntarget = 'x'\n")

    assert (bundle("--strict").exit_code, bundle("--strict").message) == (0, "")


def test_misnamed_table_explains_an_error(simple_project: Project) -> None:
    """What is not read may be why a bundle is not known, so the warning comes before the error."""
    simple_project.pyproject(tool="[tool.poetry_lambda_plugin.bundles.api]\nhandler = 'my_fn.handler'\n")

    outcome = bundle("api")

    assert outcome.exit_code == 1
    assert outcome.message == (
        "Warning: [tool.poetry_lambda_plugin] in pyproject.toml is ignored: the table's name is "
        "[tool.poetry-lambda-plugin]. "
        "Unknown bundle 'api'. [tool.poetry-lambda-plugin.bundles] has none."
    )


@pytest.mark.parametrize("name", ["lambda-plugin", "lambda_bundle", "poetry-lambda-plugin"])
def test_table_below_poetrys(simple_project: Project, name: str) -> None:
    """Poetry refuses a table below its own in words that don't help; ours follow."""
    simple_project.pyproject(tool=f"[tool.poetry.{name}]\nruntime = 'python3.12'\n")

    assert refusal(simple_project) == (
        "The Poetry configuration is invalid: - Additional properties are not allowed "
        f"('{name}' was unexpected) This plugin's table is [tool.poetry-lambda-plugin]."
    )


def test_other_table_below_poetrys(simple_project: Project) -> None:
    """What is refused for another reason is refused in Poetry's words alone."""
    simple_project.pyproject(tool="[tool.poetry.other]\nruntime = 'python3.12'\n")

    assert refusal(simple_project).endswith("('other' was unexpected)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(
            "runtimes = 1",
            "Unknown key tool.poetry-lambda-plugin.runtimes. Did you mean runtime? "
            "[tool.poetry-lambda-plugin] has runtime, ",
            id="near",
        ),
        pytest.param(
            "arch = 1",
            "Unknown key tool.poetry-lambda-plugin.arch. Did you mean architecture? "
            "[tool.poetry-lambda-plugin] has architecture, ",
            id="beginning",
        ),
        pytest.param(
            "bundle = 1",
            "Unknown key tool.poetry-lambda-plugin.bundle. Did you mean bundles? "
            "[tool.poetry-lambda-plugin] has bundles, ",
            id="bundles",
        ),
        pytest.param(
            "qqqq = 1",
            "Unknown key tool.poetry-lambda-plugin.qqqq. [tool.poetry-lambda-plugin] has ",
            id="far",
        ),
    ],
)
def test_unknown_key_lists_five(simple_project: Project, line: str, message: str) -> None:
    """An unknown key comes with the one that is meant and the five nearest of all."""
    simple_project.pyproject(config=line)

    refused = refusal(simple_project)

    assert refused.startswith(message)
    listed = refused.rpartition(" has ")[2].partition(" and ")[0].split(", ")
    assert len(listed) == 5
    assert refused.endswith(f" and {len(KEYS) + 1 - 5} more.")


@pytest.mark.parametrize(
    ("table", "right"),
    [
        pytest.param("bundle.api", "bundles.api", id="singular"),
        pytest.param("bundel.api", "bundles.api", id="typo"),
        pytest.param("api", "bundles.api", id="without"),
    ],
)
def test_misplaced_table_of_a_bundle(simple_project: Project, table: str, right: str) -> None:
    """A bundle's table in the wrong place is named with the right one."""
    simple_project.pyproject(config=f"[tool.poetry-lambda-plugin.{table}]\nhandler = 'my_fn.handler'")

    assert refusal(simple_project) == (
        f"Unknown table [tool.poetry-lambda-plugin.{table}]. "
        f"Did you mean [tool.poetry-lambda-plugin.{right}]?"
    )


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(".bundle.api", id="suffix"),
        pytest.param("bundles.api", id="key"),
        pytest.param("tool.poetry-lambda-plugin.bundles.api", id="table"),
        pytest.param("apo", id="typo"),
    ],
)
def test_misspelled_bundle(simple_project: Project, typed: str) -> None:
    """A bundle named as its table is written, or nearly so, is answered with its name."""
    simple_project.pyproject(
        config="[tool.poetry-lambda-plugin.bundles.api]\n[tool.poetry-lambda-plugin.bundles.job]"
    )

    assert refusal(simple_project, typed) == (
        f"Unknown bundle {typed!r}. Did you mean api? [tool.poetry-lambda-plugin.bundles] has api, job."
    )


def test_unknown_bundle_among_many(simple_project: Project) -> None:
    """Of many names the five nearest are listed, the nearest first."""
    names = ["mail", "main", "mailer", "orders", "users", "admin", "reports"]
    simple_project.pyproject(
        config="\n".join(f"[tool.poetry-lambda-plugin.bundles.{name}]" for name in names)
    )

    assert refusal(simple_project, "mial") == (
        "Unknown bundle 'mial'. Did you mean mail? "
        "[tool.poetry-lambda-plugin.bundles] has mail, mailer, main, admin, users and 2 more."
    )


@pytest.mark.parametrize(
    ("config", "arguments", "where"),
    [
        pytest.param("runtime = '{}'", [], "tool.poetry-lambda-plugin.runtime", id="key"),
        pytest.param(
            "[tool.poetry-lambda-plugin.bundles.api]\nruntime = '{}'",
            [],
            "tool.poetry-lambda-plugin.bundles.api.runtime",
            id="key-of-a-bundle",
        ),
        pytest.param("runtime = 'python3.12'", ["--runtime", "{}"], "--runtime", id="option"),
    ],
)
def test_runtime_is_refused_where_it_was_set(
    simple_project: Project, config: str, arguments: list[str], where: str
) -> None:
    """A runtime that is unknown or ruled out comes with the key or option that names it."""

    def refused(runtime: str) -> str:
        simple_project.pyproject(config=config.replace("{}", runtime))
        return refusal(simple_project, *(argument.replace("{}", runtime) for argument in arguments))

    assert refused("python313").startswith(f"{where}: 'python313' is not a Lambda Python runtime. Did you")
    assert refused("python3.8") == (
        f"The project's Python constraint '>=3.9' rules out python3.8 (set by {where}), which runs Python "
        "3.8.20. Choose another runtime, or change requires-python in pyproject.toml and lock again."
    )


PINNED = (
    "AWS moves the last number without notice, so let requires-python in pyproject.toml allow all of 3.12, "
    'as "==3.12.*" does, and lock again.'
)


def test_python_pinned_to_one_version(project: Project) -> None:
    """A pin of one micro version never fits; what Lambda runs is said, and what would fit."""
    project.pyproject(python="==3.12.1")
    project.write({"my_fn.py": ""})
    project.lock()

    assert refusal(project) == (
        "No Lambda runtime satisfies the project's Python constraint '==3.12.1'. "
        f"Lambda's python3.12 runs Python 3.12.13. {PINNED}"
    )
    assert refusal(project, "--runtime", "python3.12") == (
        "The project's Python constraint '==3.12.1' rules out python3.12 (set by --runtime), which runs "
        f"Python 3.12.13. {PINNED}"
    )


def test_python_that_only_a_preview_has(project: Project) -> None:
    """A preview is not chosen for anybody, but named with the option that takes it."""
    project.pyproject(python=">=3.15")
    project.write({"my_fn.py": ""})
    project.lock()

    assert refusal(project) == (
        "No Lambda runtime satisfies the project's Python constraint '>=3.15'. "
        "python3.15 would, but it is a preview: take it with --runtime python3.15."
    )
    assert bundle("--runtime", "python3.15").exit_code == 0
