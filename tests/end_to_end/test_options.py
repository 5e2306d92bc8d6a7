"""What each option of `poetry lambda-bundle` changes in the bundle."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING

import pytest

from tests.support.index import downloads
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


ZIP = "dist/my-fn.zip"


def files(project: Project, zip_path: str = ZIP) -> set[str]:
    """Return the bundle's paths without any dist-info."""
    return {path for path in contents(project.folder / zip_path) if ".dist-info/" not in path}


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def native_project(project: Project, index: Index) -> Project:
    """A project whose one dependency differs between runtimes and architectures."""
    wheels = [
        make_wheel(
            "native", files={"native.py": f"TAG = '{python}-{machine}'\n"}, tag=f"{python}-{python}-{machine}"
        )
        for python in ("cp312", "cp313")
        for machine in ("manylinux2014_x86_64", "manylinux2014_aarch64")
    ]
    index.add(*wheels)
    project.pyproject(dependencies=["native"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(*wheels)], source=index.url)
    return project


def native(project: Project, zip_path: str = ZIP) -> str:
    return contents(project.folder / zip_path)["native.py"].decode().split("'")[1]


@pytest.mark.parametrize(
    "runtime", [pytest.param("python3.12", id="3.12"), pytest.param("python3.13", id="3.13")]
)
def test_runtime_decides_the_wheel(native_project: Project, runtime: str) -> None:
    """--runtime takes the wheel of that Python."""
    outcome = bundle("--runtime", runtime)

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert native(native_project) == f"{runtime.replace('python3.', 'cp3')}-manylinux2014_x86_64"


def test_architecture_decides_the_wheel(native_project: Project) -> None:
    """--architecture takes the wheel of that machine."""
    bundle("--runtime", "python3.13", "--architecture", "arm64")

    assert native(native_project) == "cp313-manylinux2014_aarch64"


def test_two_architectures_make_two_bundles(native_project: Project) -> None:
    """--architecture twice writes one ZIP for each, told apart by name."""
    outcome = bundle("--runtime", "python3.13", "--architecture", "arm64", "--architecture", "x86_64")

    assert outcome.exit_code == 0
    assert sorted(tree(native_project.folder / "dist")) == ["my-fn-arm64.zip", "my-fn-x86_64.zip"]
    assert native(native_project, "dist/my-fn-arm64.zip") == "cp313-manylinux2014_aarch64"
    assert native(native_project, "dist/my-fn-x86_64.zip") == "cp313-manylinux2014_x86_64"


def test_default_runtime_is_the_newest_in_production(locked_project: Project) -> None:
    """Without --runtime the newest one that is no preview is taken, and printed."""
    outcome = bundle()

    assert "Bundling my-fn (0.1.0) for python3.14 on x86_64" in outcome.output


def test_default_runtime_obeys_the_project(project: Project) -> None:
    """Without --runtime the newest one that the Python constraint allows is taken."""
    project.pyproject(python=">=3.9,<3.12")
    project.write({"my_fn.py": ""})
    project.lock()

    assert bundle("--format", "json").report["runtime"] == "python3.11"


@pytest.mark.parametrize(
    ("python", "runtime"),
    [
        pytest.param("^3.10.15", "python3.10", id="caret-micro"),
        pytest.param(">=3.11.9,<3.12", "python3.11", id="micro-range"),
    ],
)
def test_micro_version_is_judged_as_on_lambda(project: Project, python: str, runtime: str) -> None:
    """A constraint on the micro version is held against the patched runtime."""
    project.write(
        {
            "pyproject.toml": (
                '[tool.poetry]\nname = "my-fn"\nversion = "0.1.0"\ndescription = ""\nauthors = []\n'
                f'[tool.poetry.dependencies]\npython = "{python}"\n'
            ),
            "my_fn.py": "",
        }
    )
    project.lock()

    assert bundle("--runtime", runtime, "--format", "json").report["runtime"] == runtime


@pytest.mark.parametrize(
    ("runtime", "warning"),
    [
        pytest.param("python3.16", "Warning: python3.16 is not known to this version", id="unknown"),
        pytest.param("python3.15", "Warning: python3.15 is a preview on Lambda", id="preview"),
        pytest.param(
            "python3.9", "Warning: python3.9 is deprecated by AWS since 2025-12-15", id="deprecated"
        ),
    ],
)
def test_doubtful_runtime_warns(locked_project: Project, runtime: str, warning: str) -> None:
    """A runtime that is unknown, a preview or deprecated is bundled for with a warning on stderr."""
    outcome = bundle("--runtime", runtime)

    assert outcome.exit_code == 0
    assert outcome.message.startswith(warning)
    assert (locked_project.folder / ZIP).exists()


def test_output_fills_in_placeholders(locked_project: Project) -> None:
    """-o names the ZIP, below the current folder, with what is known of it."""
    outcome = bundle(
        "-o", "out/{bundle}/{name}-{version}-{runtime}-{architecture}.zip", "--runtime", "python3.13"
    )

    assert outcome.exit_code == 0
    assert list(tree(locked_project.folder / "out")) == ["my-fn/my-fn-0.1.0-python3.13-x86_64.zip"]


def test_output_option_is_relative_to_the_current_folder(
    locked_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -P the project is elsewhere, and --output stays where the user is."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    outcome = run("-P", str(locked_project.folder), "lambda-bundle", "-o", "a.zip")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert list(tree(tmp_path / "elsewhere")) == ["a.zip"]


def test_output_option_follows_the_working_directory(
    locked_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -C Poetry changes the current folder, which --output then is relative to."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    run("-C", str(locked_project.folder), "lambda-bundle", "-o", "a.zip")

    assert (locked_project.folder / "a.zip").is_file()


@pytest.mark.parametrize("option", [pytest.param("-P", id="project"), pytest.param("-C", id="directory")])
def test_output_key_is_relative_to_the_project(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """The key means the same from wherever the command is called."""
    project.pyproject(config='output = "out/a.zip"')
    project.write({"my_fn.py": ""})
    project.lock()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    outcome = run(option, str(project.folder), "lambda-bundle")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert (project.folder / "out/a.zip").is_file()


def test_no_root_leaves_the_project_out(locked_project: Project) -> None:
    """--no-root bundles the dependencies alone."""
    bundle("--no-root")

    assert not [p for p in contents(locked_project.folder / ZIP) if p.startswith("my_fn")]
    assert files(locked_project) == {"greeting/__init__.py"}


def test_only_root_leaves_dependencies_out(locked_project: Project, index: Index) -> None:
    """--only-root bundles the project alone, and asks the index for nothing."""
    bundle("--only-root")

    assert files(locked_project) == {"my_fn.py"}
    assert index.requests == []


@pytest.fixture
def including_project(project: Project) -> Project:
    """A project with a module, and files that no wheel would have."""
    project.pyproject()
    project.write(
        {
            "my_fn.py": "",
            "extra.py": "",
            "config.toml": "",
            "data/a.json": "{}",
            "data/deep/b.json": "{}",
            "data/c.txt": "",
            "../common/shared.py": "",
            "../common/more/x.py": "",
        }
    )
    project.lock()
    return project


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        pytest.param("extra.py", {"extra.py"}, id="file"),
        pytest.param("config.toml:conf.toml", {"conf.toml"}, id="file-renamed"),
        pytest.param("config.toml:conf/", {"conf/config.toml"}, id="file-into-folder"),
        pytest.param("data/a.json:.", {"a.json"}, id="file-to-the-root"),
        pytest.param("data", {"data/a.json", "data/deep/b.json", "data/c.txt"}, id="folder"),
        pytest.param("data/", {"data/a.json", "data/deep/b.json", "data/c.txt"}, id="folder-slash"),
        pytest.param("data:.", {"a.json", "deep/b.json", "c.txt"}, id="folder-to-the-root"),
        pytest.param("data:x/y", {"x/y/a.json", "x/y/deep/b.json", "x/y/c.txt"}, id="folder-elsewhere"),
        pytest.param("data/*.json", {"data/a.json"}, id="glob"),
        pytest.param("data/**/*.json", {"data/a.json", "data/deep/b.json"}, id="deep-glob"),
        pytest.param("data/*.json:conf", {"conf/a.json"}, id="glob-elsewhere"),
        pytest.param("../common", {"common/shared.py", "common/more/x.py"}, id="outside"),
        pytest.param("../common:lib", {"lib/shared.py", "lib/more/x.py"}, id="outside-elsewhere"),
        pytest.param("../common/shared.py", {"shared.py"}, id="file-outside"),
        pytest.param("../common/*.py", {"shared.py"}, id="glob-outside"),
    ],
)
def test_include_adds_files(including_project: Project, include: str, expected: set[str]) -> None:
    """--include brings files to their own path, or to the one asked for."""
    outcome = bundle("--include", include)

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert files(including_project) == {"my_fn.py", *expected}


def test_include_takes_absolute_paths(including_project: Project) -> None:
    """An absolute path and an absolute glob are taken as files from outside, or inside."""
    root = including_project.folder

    bundle("--include", f"{root}/config.toml", "--include", f"{root.parent}/common/*.py:lib")

    assert files(including_project) == {"my_fn.py", "config.toml", "lib/shared.py"}


def test_include_key_takes_tables(including_project: Project) -> None:
    """`include` of the table takes strings and tables with `path` and `to`."""
    including_project.pyproject(
        config='include = ["config.toml", {path = "data/*.json", to = "conf"}, "../common:lib"]'
    )
    including_project.lock()

    bundle()

    assert files(including_project) == {
        "my_fn.py",
        "config.toml",
        "conf/a.json",
        "lib/shared.py",
        "lib/more/x.py",
    }


@pytest.mark.parametrize(
    "include",
    [
        pytest.param("nothing.py", id="file"),
        pytest.param("data/*.yaml", id="glob"),
        pytest.param("/nowhere/*.py", id="absolute-glob"),
        pytest.param("data/**x", id="pattern-refused"),
    ],
)
def test_include_of_nothing_is_an_error(including_project: Project, include: str) -> None:
    """An include that finds no file names itself."""
    outcome = bundle("--include", include)

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"include names {include!r}, but {including_project.folder} has no such file or folder."
    )
    assert not (including_project.folder / "dist").exists()


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        pytest.param(["*.json"], {"my_fn.py", "data/c.txt"}, id="name"),
        pytest.param(["data/*.json"], {"my_fn.py", "data/c.txt", "data/deep/b.json"}, id="anchored"),
        pytest.param(["data/"], {"my_fn.py"}, id="folder"),
        pytest.param(["*.json", "!a.json"], {"my_fn.py", "data/c.txt", "data/a.json"}, id="negated"),
    ],
)
def test_exclude_leaves_files_out(
    including_project: Project, patterns: list[str], expected: set[str]
) -> None:
    """--exclude has the rules of gitignore on bundle paths."""
    bundle("--include", "data", *[part for p in patterns for part in ("--exclude", p)])

    assert files(including_project) == expected


def test_exclude_reaches_dependencies(locked_project: Project) -> None:
    """A dependency's files can be left out, and its RECORD tells the truth."""
    bundle("--exclude", "greeting/__init__.py")

    inside = contents(locked_project.folder / ZIP)
    assert "greeting/__init__.py" not in inside
    assert b"greeting/__init__.py" not in inside["greeting-1.0.dist-info/RECORD"]


def test_exclude_of_everything_is_an_error(including_project: Project) -> None:
    """A bundle without any file is refused; its heading and list were written by then."""
    outcome = bundle("--exclude", "*", "--runtime", "python3.13")

    heading = "Bundling my-fn (0.1.0) for python3.13 on x86_64"
    assert (outcome.exit_code, outcome.output) == (1, f"{heading}\n\n  - Bundling my-fn (0.1.0)\n")
    assert outcome.message == (
        "There is nothing to bundle: exclude leaves out every file. Drop one of its patterns."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="plain"),
        pytest.param(("--runtime", "python3.9"), id="warnings"),
        pytest.param(("--dry-run",), id="dry-run"),
        pytest.param(("-v",), id="verbose"),
        pytest.param(("-vvv",), id="debug"),
        pytest.param(("--architecture", "arm64", "--architecture", "x86_64"), id="two-bundles"),
    ],
)
def test_json_is_all_of_standard_output(locked_project: Project, arguments: tuple[str, ...]) -> None:
    """With --format json standard output is one JSON document, whatever else is asked."""
    outcome = bundle("--format", "json", *arguments)

    assert outcome.exit_code == 0
    assert len(json.loads(outcome.output)["bundles"]) == max(1, arguments.count("--architecture"))


def test_strict_turns_a_warning_of_the_target_into_an_error(locked_project: Project, index: Index) -> None:
    """A deprecated runtime is refused with --strict before anything is fetched."""
    outcome = bundle("--strict", "--runtime", "python3.9")

    assert (outcome.exit_code, outcome.output) == (1, "")
    assert "python3.9 is deprecated" in outcome.message
    assert outcome.message.endswith("(--strict makes this an error.)")
    assert index.requests == []
    assert not (locked_project.folder / "dist").exists()


def test_strict_turns_a_conflict_into_an_error(locked_project: Project) -> None:
    """Two different files for one path are refused with --strict, and the old ZIP stays."""
    bundle()
    before = (locked_project.folder / ZIP).read_bytes()
    locked_project.write({"other.py": ""})

    outcome = bundle("--strict", "--include", "other.py:greeting/__init__.py")

    assert outcome.exit_code == 1
    assert outcome.message.startswith("greeting/__init__.py is in my-fn and in greeting with other bytes:")
    assert tree(locked_project.folder / "dist") == {"my-fn.zip": before}


def test_conflict_without_strict_is_a_warning(locked_project: Project) -> None:
    """Without --strict the project's file wins with a warning."""
    locked_project.write({"other.py": "WORD = 'mine'\n"})

    outcome = bundle("--include", "other.py:greeting/__init__.py")

    assert outcome.exit_code == 0
    assert outcome.message == (
        "Warning: greeting/__init__.py is in my-fn and in greeting with other bytes: "
        "the one of my-fn is bundled."
    )
    assert contents(locked_project.folder / ZIP)["greeting/__init__.py"] == b"WORD = 'mine'\n"


def test_strict_is_content_without_warnings(locked_project: Project) -> None:
    """--strict changes nothing where there is nothing to warn of."""
    assert bundle("--strict").exit_code == 0


def test_dry_run_with_cold_cache_asks_nobody(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """Without the files at hand --dry-run writes nothing, asks no index and says what it can't know."""
    before = tree(tmp_path)

    outcome = bundle("--dry-run")

    assert outcome.exit_code == 0
    assert index.requests == []
    assert tree(tmp_path) == before
    assert "Bundling greeting (1.0)" in outcome.output
    assert "so sizes and digest are unknown" in outcome.output


def test_dry_run_with_warm_cache_knows_the_digest(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """With the files at hand --dry-run tells the digest that the ZIP has, and still asks nobody."""
    made = bundle("--format", "json").report
    (locked_project.folder / ZIP).unlink()
    before, requests = tree(tmp_path), list(index.requests)

    planned = bundle("--dry-run", "--format", "json").report

    assert planned == {**made, "status": "planned"}
    assert index.requests == requests
    assert tree(tmp_path) == before


def test_dry_run_keeps_the_old_bundle(locked_project: Project) -> None:
    """--dry-run leaves a ZIP that is there as it is."""
    locked_project.write({ZIP: b"old"})

    bundle("--dry-run")

    assert (locked_project.folder / ZIP).read_bytes() == b"old"


def test_two_bundles_fetch_a_file_once(locked_project: Project, index: Index) -> None:
    """A wheel that suits both architectures is fetched once."""
    bundle("--architecture", "arm64", "--architecture", "x86_64")

    assert downloads(index.requests) == ["greeting-1.0-py3-none-any.whl"]


def test_output_with_a_slash_is_a_folder(locked_project: Project) -> None:
    """An output that ends with a slash is a folder, to be made where it does not exist."""
    assert bundle("-o", "build/zips/").exit_code == 0
    assert (locked_project.folder / "build/zips/my-fn.zip").is_file()


def test_quiet_errors_are_shown(locked_project: Project) -> None:
    """With -q nothing is printed but what stopped the run."""
    good, bad = bundle("-q"), bundle("-q", "--runtime", "python9")

    assert (good.output, good.error) == ("", "")
    assert "'python9' is not a Lambda Python runtime" in bad.message


def test_quiet_json_is_shown(locked_project: Project) -> None:
    """Who asks for JSON gets it, with -q too."""
    assert bundle("-q", "--format", "json").report["status"] == "written"
