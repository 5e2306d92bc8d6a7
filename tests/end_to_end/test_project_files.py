"""The project's own files: what `poetry build` would put in a wheel, and what can't be built at all."""

from __future__ import annotations

import subprocess
import zipfile

from typing import TYPE_CHECKING

import pytest

from poetry.core.factory import Factory
from poetry.core.masonry.builders.wheel import WheelBuilder

from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.sources import commit_all
from tests.support.wheels import record


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.projects import Project
    from tests.support.runner import Outcome


ZIP = "dist/my-fn.zip"
INFO = "my_fn-0.1.0.dist-info"


def made(project: Project, *arguments: str) -> dict[str, bytes]:
    """Bundle without complaint and return what the ZIP holds."""
    outcome = bundle(*arguments)
    assert (outcome.exit_code, outcome.error) == (0, "")
    return contents(project.folder / ZIP)


def own_files(members: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in members.items() if ".dist-info/" not in path}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_takes_the_module_beside_pyproject(project: Project) -> None:
    """A module with the project's name is the package, and brings the project's metadata."""
    project.pyproject(project='description = "Says  hello"')
    project.write({"my_fn.py": "X = 1\n", "other.py": "", "README.md": ""})
    project.lock()

    members = made(project)

    recorded = members.pop(f"{INFO}/RECORD")
    assert members == {
        f"{INFO}/METADATA": (
            b"Metadata-Version: 2.4\nName: my-fn\nVersion: 0.1.0\nSummary: Says hello\n"
            b"Requires-Python: >=3.9\n"
        ),
        f"{INFO}/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: poetry-lambda-plugin\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "my_fn.py": b"X = 1\n",
    }
    assert recorded.splitlines() == sorted(record(members, INFO).splitlines())


LAYOUTS = [
    pytest.param("", {"my_fn.py": "1"}, id="module"),
    pytest.param(
        "",
        {"my_fn/__init__.py": "1", "my_fn/data/a.json": "{}", "my_fn/__pycache__/x.pyc": "", "other.py": ""},
        id="package",
    ),
    pytest.param("", {"src/my_fn/__init__.py": "1", "src/other.py": ""}, id="src-package"),
    pytest.param("", {"src/my_fn.py": "1"}, id="src-module"),
    pytest.param(
        'packages = [{include = "one"}, {include = "two"}]',
        {"one/__init__.py": "", "two/a.py": "", "two/sub/b.py": "", "three/c.py": ""},
        id="two-packages",
    ),
    pytest.param(
        'packages = [{include = "one", from = "lib"}]', {"lib/one/__init__.py": "", "lib/x.py": ""}, id="from"
    ),
    pytest.param(
        'packages = [{include = "one", to = "space"}]', {"one/__init__.py": "", "one/a.txt": ""}, id="to"
    ),
    pytest.param(
        'packages = [{include = "one", from = "lib", to = "space/deep"}]',
        {"lib/one/__init__.py": ""},
        id="from-and-to",
    ),
    pytest.param(
        'packages = [{include = "one/**/*.py"}]',
        {"one/__init__.py": "", "one/a.txt": "", "one/sub/b.py": "", "one/sub/c.txt": ""},
        id="glob",
    ),
    pytest.param(
        'packages = [{include = "one"}, {include = "two", format = "sdist"}]',
        {"one/__init__.py": "", "two/__init__.py": ""},
        id="format-sdist",
    ),
    pytest.param(
        'packages = [{include = "one"}, {include = "two", format = ["sdist", "wheel"]}]',
        {"one/__init__.py": "", "two/__init__.py": ""},
        id="format-both",
    ),
    pytest.param(
        'packages = [{include = "handler.py"}]', {"handler.py": "", "other.py": ""}, id="module-by-name"
    ),
    pytest.param(
        (
            'include = [{path = "conf", format = "wheel"}, "b.txt", '
            '{path = "a.txt", format = ["sdist", "wheel"]}]'
        ),
        {"my_fn.py": "", "conf/x.toml": "", "conf/deep/y.toml": "", "a.txt": "", "b.txt": ""},
        id="include",
    ),
    pytest.param(
        'include = [{path = "conf/**/*.toml", format = "wheel"}]',
        {"my_fn.py": "", "conf/x.toml": "", "conf/deep/y.toml": "", "conf/z.txt": ""},
        id="include-glob",
    ),
    pytest.param(
        'exclude = ["my_fn/secret.py", "my_fn/big", "**/*.csv"]',
        {
            "my_fn/__init__.py": "",
            "my_fn/secret.py": "",
            "my_fn/big/a.py": "",
            "my_fn/sub/b.csv": "",
            "my_fn/sub/b.py": "",
        },
        id="exclude",
    ),
    pytest.param(
        'exclude = ["my_fn/*.json"]\ninclude = [{path = "my_fn/a.json", format = "wheel"}]',
        {"my_fn/__init__.py": "", "my_fn/a.json": "", "my_fn/b.json": ""},
        id="include-beats-exclude",
    ),
    pytest.param(
        "", {"my_fn/__init__.py": "", "my_fn/.hidden": "", "my_fn/.d/x": ""}, id="hidden-in-package"
    ),
    pytest.param("", {"my_fn/__init__.py": "", "my_fn/py.typed": "", "my_fn/__init__.pyi": ""}, id="typed"),
]


def built(project: Project, folder: Path) -> dict[str, bytes]:
    """Return what poetry-core itself puts into a wheel."""
    name = WheelBuilder.make_in(Factory().create_poetry(project.folder), directory=folder)
    with zipfile.ZipFile(folder / name) as wheel:
        return {member: wheel.read(member) for member in wheel.namelist()}


@pytest.mark.parametrize("under_git", [pytest.param(False, id="plain"), pytest.param(True, id="git")])
@pytest.mark.parametrize(("tool", "files"), LAYOUTS)
def test_takes_what_poetry_builds(
    project: Project, tmp_path: Path, tool: str, files: Mapping[str, str], under_git: bool
) -> None:
    """For each layout the files are those of a wheel made by poetry-core."""
    project.pyproject(tool=f"[tool.poetry]\n{tool}")
    project.write(files)
    project.lock()
    if under_git:
        git(project.folder, "init", "-q")
    wheel = built(project, tmp_path)

    assert own_files(made(project)) == own_files(wheel)
    assert own_files(wheel)


def test_takes_what_poetry_builds_from_a_git_checkout(project: Project, tmp_path: Path) -> None:
    """Files that git ignores stay out, unless [tool.poetry] includes them."""
    project.pyproject(tool='[tool.poetry]\ninclude = [{path = "my_fn/made.json", format = "wheel"}]')
    project.write(
        {
            ".gitignore": "*.log\n/my_fn/made.json\nlocal/\n",
            "my_fn/__init__.py": "",
            "my_fn/made.json": "{}",
            "my_fn/run.log": "",
            "my_fn/local/x.py": "",
            "my_fn/untracked.py": "",
        }
    )
    project.lock()
    git(project.folder, "init", "-q")
    git(project.folder, "add", "my_fn/__init__.py")

    members = own_files(made(project))

    assert list(members) == ["my_fn/__init__.py", "my_fn/made.json", "my_fn/untracked.py"]
    assert members == own_files(built(project, tmp_path))


def test_folder_ignored_by_git_is_bundled_whole(project: Project) -> None:
    """A project in a folder that git ignores, such as a build folder, keeps its files."""
    git(project.folder.parent, "init", "-q")
    (project.folder.parent / ".gitignore").write_text("project/\n")
    project.pyproject()
    project.write({"my_fn.py": ""})
    project.lock()

    assert "my_fn.py" in made(project)


def test_entry_points_are_in_the_metadata(project: Project, tmp_path: Path) -> None:
    """importlib.metadata finds the project's entry points, as in a wheel."""
    project.pyproject(
        project=(
            '[project.scripts]\nrun-it = "my_fn:main"\n'
            '[project.gui-scripts]\nshow-it = "my_fn:show"\n'
            '[project.entry-points."some.group"]\nb = "my_fn:b"\na = "my_fn"\n'
        )
    )
    project.write({"my_fn.py": ""})
    project.lock()

    text = made(project)[f"{INFO}/entry_points.txt"]

    assert text == (
        b"[console_scripts]\nrun-it=my_fn:main\n\n[gui_scripts]\nshow-it=my_fn:show\n\n"
        b"[some.group]\na=my_fn\nb=my_fn:b\n"
    )
    assert text.strip() == built(project, tmp_path)[f"{INFO}/entry_points.txt"].strip()


def test_licence_files_are_in_the_metadata(project: Project) -> None:
    """Licence files go where a wheel has them."""
    project.pyproject()
    project.write({"my_fn.py": "", "LICENSE": "MIT", "AUTHORS.md": "me", "LICENSES/deep/BSD.txt": "BSD"})
    project.lock()

    members = made(project)

    assert {p: d for p, d in members.items() if "/licenses/" in p} == {
        f"{INFO}/licenses/LICENSE": b"MIT",
        f"{INFO}/licenses/AUTHORS.md": b"me",
        f"{INFO}/licenses/LICENSES/deep/BSD.txt": b"BSD",
    }
    assert b"licenses/LICENSE,sha256=" in members[f"{INFO}/RECORD"]


def test_no_metadata_shows_poetrys_version(project: Project) -> None:
    """Nothing in the project's metadata depends on who made it."""
    project.pyproject()
    project.write({"my_fn.py": ""})
    project.lock()

    metadata = b"".join(d for p, d in made(project).items() if p.startswith(INFO))

    assert b"poetry-core" not in metadata
    assert b"Generator: poetry-lambda-plugin\n" in metadata


LOOSE = {
    "lambda_function.py": "",
    "helpers.py": "",
    "lib/__init__.py": "",
    "lib/deep/data.json": "{}",
    "lib/.hidden": "",
    "lib/__pycache__/a.pyc": "",
    "not_a_package/a.txt": "",
    "test_it.py": "",
    "it_test.py": "",
    "conftest.py": "",
    "tests/__init__.py": "",
    "test/__init__.py": "",
    ".hidden.py": "",
    ".cache/__init__.py": "",
    "venv/__init__.py": "",
    "venv/pyvenv.cfg": "",
    ".venv/pyvenv.cfg": "",
    ".venv/lib/x.py": "",
    "README.md": "",
}
TAKEN = ["helpers.py", "lambda_function.py", "lib/__init__.py", "lib/deep/data.json"]
NOTE = (
    "Note: The project has no package to build, so what is beside pyproject.toml is bundled: "
    "helpers.py, lambda_function.py, lib. `modules` chooses, `include` adds."
)


@pytest.fixture(params=["no-package", "package-mode-false", "nameless"])
def loose_project(request: pytest.FixtureRequest, project: Project) -> Project:
    """A project whose handlers are loose modules, of each kind that can't be built."""
    if request.param == "nameless":
        text = '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.9"\n'
        project.write({"pyproject.toml": text})
    else:
        mode = "[tool.poetry]\npackage-mode = false" if request.param == "package-mode-false" else ""
        project.pyproject("loose", tool=mode)
    project.write(LOOSE)
    project.lock()
    return project


def only_zip(project: Project) -> dict[str, bytes]:
    (path,) = (project.folder / "dist").iterdir()
    return own_files(contents(path))


def test_takes_loose_modules(loose_project: Project) -> None:
    """Without a package the modules and packages beside pyproject.toml are taken, and a note says so."""
    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert list(only_zip(loose_project)) == TAKEN
    assert NOTE in outcome.output
    assert "taken from the project's root" not in outcome.output


def test_verbose_lists_loose_modules(loose_project: Project) -> None:
    """-v says what was taken from the root."""
    lines = bundle("-v").output.splitlines()

    assert [line.strip() for line in lines if "project's root" in line] == [
        f"taken from the project's root: {name}" for name in ("helpers.py", "lambda_function.py", "lib")
    ]


def test_include_only_adds(loose_project: Project) -> None:
    """What is included comes beside the modules that are taken anyway."""
    outcome = bundle("--include", "helpers.py", "--include", "lib/deep:conf")

    assert list(only_zip(loose_project)) == sorted(["conf/data.json", *TAKEN])
    assert NOTE in outcome.output


def test_warns_of_a_project_without_code(locked_project: Project) -> None:
    """A project whose code is not found is no dependency bundle, unless the user says so."""
    (locked_project.folder / "my_fn.py").unlink()
    locked_project.write({"docs/conf.py": "", "data/x.json": ""})

    outcome = bundle()

    assert outcome.exit_code == 0
    assert "Warning: The project itself adds no file to the bundle" in outcome.message
    assert bundle("--strict").exit_code == 1
    assert bundle("--strict", "--no-root").exit_code == 0


def test_json_has_the_note(loose_project: Project) -> None:
    """The note is part of the JSON report."""
    assert NOTE.removeprefix("Note: ") in bundle("--format", "json").report["notes"]


def test_package_mode_false_has_no_metadata(project: Project) -> None:
    """What is no distribution gets no dist-info."""
    project.pyproject(tool="[tool.poetry]\npackage-mode = false")
    project.write({"a.py": ""})
    project.lock()

    assert list(made(project)) == ["a.py"]


def test_nameless_project_is_named_after_its_folder(project: Project) -> None:
    """A project without a name is called as its folder is."""
    project.write(
        {
            "pyproject.toml": (
                '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.9"\n'
            ),
            "a.py": "",
        }
    )
    project.lock()

    report = bundle("--format", "json").report

    assert report["project"] == {"name": "project", "version": "0"}
    assert (project.folder / "dist/project.zip").is_file()


def test_package_mode_false_obeys_packages(project: Project) -> None:
    """`packages` counts where nothing can be built, too."""
    project.pyproject(
        tool='[tool.poetry]\npackage-mode = false\npackages = [{include = "app", from = "source"}]'
    )
    project.write({"source/app/__init__.py": "", "loose.py": ""})
    project.lock()

    assert list(made(project)) == ["app/__init__.py"]


def test_loose_modules_ignored_by_git_stay_out(project: Project) -> None:
    """What git ignores is no part of the project."""
    project.pyproject("loose")
    project.write({".gitignore": "local_*.py\n", "a.py": "", "local_settings.py": ""})
    project.lock()
    git(project.folder, "init", "-q")

    bundle()

    assert list(only_zip(project)) == ["a.py"]


def test_packages_may_reach_outside_the_root(project: Project) -> None:
    """A monorepo's shared package is bundled where `include` and `to` say."""
    project.pyproject(
        tool=(
            '[tool.poetry]\npackages = [{include = "shared", from = "../../common"}, {include = "my_fn"}, '
            '{include = "extra", from = "../../common", to = "vendored"}]'
        )
    )
    project.write(
        {
            "my_fn/__init__.py": "",
            "../../common/shared/__init__.py": "S = 1\n",
            "../../common/shared/deep/x.json": "{}",
            "../../common/extra/__init__.py": "",
            "../../common/unwanted.py": "",
        }
    )
    project.lock()

    assert list(own_files(made(project))) == [
        "my_fn/__init__.py",
        "shared/__init__.py",
        "shared/deep/x.json",
        "vendored/extra/__init__.py",
    ]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        pytest.param(
            'packages = [{include = "../common"}]',
            "packages: '../common' leaves",
            id="packages",
        ),
        pytest.param(
            'include = [{path = "../common/*.py", format = "wheel"}]',
            "include in [tool.poetry] names '../common/*.py', which leaves",
            id="include",
        ),
    ],
)
def test_refuses_paths_outside_the_bundle(project: Project, tool: str, words: str) -> None:
    """A file whose path would lead out of the bundle is an error."""
    project.pyproject(tool=f"[tool.poetry]\n{tool}")
    project.write({"my_fn.py": "", "../common/a.py": ""})
    project.lock()

    outcome = bundle()

    assert (outcome.exit_code, outcome.output) == (1, "")
    assert outcome.message.startswith(words)


def test_refuses_missing_package(project: Project) -> None:
    """`packages` that names nothing is an error that says where it looked."""
    project.pyproject(tool='[tool.poetry]\npackages = [{include = "gone", from = "lib"}]')
    project.lock()

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"packages in pyproject.toml names 'gone', but {project.folder / 'lib'} has no such file or folder."
    )


HARMLESS = [
    pytest.param('readme = "README.md"', "", {}, id="missing-readme"),
    pytest.param('readme = {file = "R.rst", content-type = "text/x-rst"}', "", {}, id="readme-table"),
    pytest.param('license = {file = "LICENCE.txt"}', "", {}, id="missing-licence-table"),
    pytest.param('license-files = ["LICENCE.txt"]', "", {}, id="missing-licence-files"),
    pytest.param('license = "MIT"', "", {}, id="missing-licence"),
    pytest.param('classifiers = ["No :: Such", "Private :: Do Not Upload"]', "", {}, id="unknown-classifier"),
    pytest.param("", "", {".python-version": "3.99.99\n"}, id="python-version-file"),
    pytest.param(
        "", "", {"poetry.toml": "[virtualenvs]\nin-project = true\ncreate = true\n"}, id="poetry-toml"
    ),
    pytest.param("", "[tool.poetry]\nreadme = 'gone.md'", {}, id="tool-readme"),
    pytest.param("", "[tool.poetry]\nclassifiers = ['No :: Such']", {}, id="tool-classifier"),
]


@pytest.mark.parametrize(("metadata", "tool", "files"), HARMLESS)
def test_bundles_what_poetry_would_not_build(
    project: Project, metadata: str, tool: str, files: Mapping[str, str]
) -> None:
    """What matters to no Lambda stops no bundle, and no environment is made."""
    project.pyproject(project=metadata, tool=tool)
    project.write({"my_fn.py": "", **files})
    project.lock()

    assert list(own_files(made(project))) == ["my_fn.py"]
    assert not (project.folder / ".venv").exists()
    assert not list(project.folder.parent.rglob("pyvenv.cfg"))


def test_follows_links_inside_packages(project: Project) -> None:
    """Linked files and folders are bundled as what they lead to; a loop ends."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "", "shared/a.py": "A = 1\n", "one.txt": "1"})
    (project.folder / "my_fn/linked").symlink_to("../shared", target_is_directory=True)
    (project.folder / "my_fn/one.txt").symlink_to("../one.txt")
    (project.folder / "my_fn/loop").symlink_to(".", target_is_directory=True)
    project.lock()

    assert own_files(made(project)) == {
        "my_fn/__init__.py": b"",
        "my_fn/linked/a.py": b"A = 1\n",
        "my_fn/one.txt": b"1",
    }


@pytest.mark.parametrize(
    ("link", "arguments"),
    [
        pytest.param("my_fn/broken", (), id="in-the-package"),
        pytest.param("my_fn/data/broken.txt", (), id="in-a-folder"),
        pytest.param("handler.py", (), id="handler-beside"),
        pytest.param("imported.py", (), id="imported"),
        pytest.param("assets/broken", ("--include", "assets"), id="included-folder"),
        pytest.param("broken", ("--include", "broken"), id="included"),
        pytest.param("broken", ("--include", "bro*"), id="included-by-a-glob"),
    ],
)
def test_link_to_nowhere_is_an_error(project: Project, link: str, arguments: tuple[str, ...]) -> None:
    """What would be missing on Lambda is told, as by `poetry build`."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "import imported\n", "my_fn/data/a": "", "assets/a": ""})
    (project.folder / link).symlink_to("nowhere")
    project.lock()

    outcome = bundle(*arguments)

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"{project.folder / link} is a link to nowhere, which is not there. Restore that, or remove the link."
    )


@pytest.mark.parametrize("link", ["beside", "my_fn/left.out", "tests/test_fn.py"])
def test_link_to_nowhere_that_is_not_bundled_is_no_concern(project: Project, link: str) -> None:
    """What git ignores, and what nobody asks for, may lead where it will."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "", "tests/a": "", ".gitignore": "*.out\n"})
    (project.folder / link).symlink_to("nowhere")
    commit_all(project.folder)
    project.lock()

    assert own_files(made(project)) == {"my_fn/__init__.py": b""}


def empty_project_error(outcome: Outcome, project: Project) -> None:
    assert (outcome.exit_code, outcome.output) == (1, "")
    assert outcome.message == (
        f"There is nothing to bundle: no dependency is selected, and {project.folder} has no module, package "
        "or included file. Add a dependency, a module beside pyproject.toml, or files with --include."
    )


@pytest.mark.parametrize("mode", [pytest.param("true", id="package"), pytest.param("false", id="no-package")])
def test_project_without_anything_is_an_error(project: Project, mode: str) -> None:
    """Neither files nor dependencies: the error says so."""
    project.pyproject(tool=f"[tool.poetry]\npackage-mode = {mode}")
    project.write({"README.md": "", "tests/__init__.py": ""})
    project.lock()

    empty_project_error(bundle(), project)
    assert not (project.folder / "dist").exists()


def test_no_root_without_dependencies_is_an_error(project: Project) -> None:
    """--no-root leaves nothing where there are no dependencies."""
    project.pyproject()
    project.write({"my_fn.py": ""})
    project.lock()

    assert bundle("--no-root").exit_code == 1


def test_included_files_are_enough(project: Project) -> None:
    """A project may consist of included files alone."""
    project.pyproject(tool="[tool.poetry]\npackage-mode = false")
    project.write({"data/x.json": "{}"})
    project.lock()

    assert list(made(project, "--include", "data")) == ["data/x.json"]


def test_executable_files_stay_executable(project: Project) -> None:
    """Modes are 0755 where the owner may execute a file, else 0644."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "", "my_fn/run.sh": "#!/bin/sh\n"})
    (project.folder / "my_fn/run.sh").chmod(0o700)
    (project.folder / "my_fn/__init__.py").chmod(0o666)
    project.lock()
    bundle()

    with zipfile.ZipFile(project.folder / ZIP) as archive:
        modes = {m.filename: oct(m.external_attr >> 16) for m in archive.infolist()}
    assert modes["my_fn/run.sh"] == "0o100755"
    assert modes["my_fn/__init__.py"] == "0o100644"


def test_leaves_out_what_git_keeps_for_itself(project: Project) -> None:
    """Neither a submodule's link to its repository nor, in an included folder, a repository is bundled."""
    project.pyproject()
    project.write(
        {
            "my_fn/__init__.py": "",
            "my_fn/vendored/parser.py": "",
            "my_fn/vendored/.git": "gitdir: ../../.git/modules/vendored\n",
            "assets/logo.svg": "<svg/>",
            "assets/.git/config": "url = https://user:secret@127.0.0.1/\n",
            "assets/.gitignore": "*.tmp\n",
        }
    )
    project.lock([])

    outcome = bundle("--include", "assets")

    assert outcome.exit_code == 0, outcome.error
    bundled = contents(project.folder / "dist/my-fn.zip")
    assert {"my_fn/vendored/parser.py", "assets/logo.svg", "assets/.gitignore"} <= bundled.keys()
    assert not [path for path in bundled if ".git" in path.split("/")]
