"""Packages without a wheel: sdists, other build backends, compiled code."""

from __future__ import annotations

import platform
import socket
import sys
import sysconfig

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.poetry_api.interpreters import find_interpreter
from poetry_lambda_plugin.poetry_api.interpreters import named_interpreter
from tests.support.index import downloads
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.sources import commit_all
from tests.support.sources import git
from tests.support.sources import make_sdist
from tests.support.sources import poetry_project
from tests.support.sources import wheel_of_installed
from tests.support.sources import write_tree
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


RUNTIME = f"python3.{sys.version_info.minor}"

BACKENDS = {
    "with-setuptools": ("setuptools.build_meta", "setuptools"),
    "with-hatchling": ("hatchling.build", "hatchling"),
    "with-flit": ("flit_core.buildapi", "flit_core"),
    "with-pdm": ("pdm.backend", "pdm-backend"),
}

EXTENSION = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "compiled", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_compiled(void) { return PyModule_Create(&definition); }
"""

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="compiles for Lambda's x86_64"
)


@pytest.fixture(scope="session")
def build_requirements() -> list[MadeFile]:
    """Wheels of the build backends installed here."""
    names = ["setuptools", "hatchling", "flit_core", "pdm-backend"]
    names += ["packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"]
    if sys.version_info < (3, 11):
        names.append("tomli")
    return [wheel_of_installed(name) for name in names]


@pytest.fixture
def build_index(index: Index, build_requirements: list[MadeFile]) -> Index:
    """The index, with the build backends on it."""
    index.add(*build_requirements)
    return index


def backend_project(name: str, backend: str, requirement: str) -> dict[str, str]:
    stem = name.replace("-", "_")
    pyproject = (
        f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = "x"\n'
        f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{backend}"\n'
    )
    return {"pyproject.toml": pyproject, f"{stem}/__init__.py": f"NAME = '{name}'\n"}


def compiled_project(libraries: str = "[]") -> dict[str, str]:
    setup = (
        "from setuptools import Extension, setup\n"
        f'setup(ext_modules=[Extension("compiled", ["compiled.c"], libraries={libraries})])\n'
    )
    files = backend_project("compiled", "setuptools.build_meta", "setuptools")
    files["pyproject.toml"] += "[tool.setuptools]\npy-modules = []\n"
    del files["compiled/__init__.py"]
    return {**files, "setup.py": setup, "compiled.c": EXTENSION}


def test_build_leaves_a_folder_as_it_was(project: Project, build_index: Index, tmp_path: Path) -> None:
    """What setuptools makes there goes again, what was there stays, and no module comes back from it."""
    stale = {"build/lib/own/gone.py": "", "build/notes.txt": "", "old.egg-info/PKG-INFO": ""}
    files = backend_project("own", "setuptools.build_meta", "setuptools")
    files["pyproject.toml"] += '[tool.setuptools]\npackages = ["own"]\n'
    folders = {name: write_tree(tmp_path / name, files) for name in ("clean", "stale")}
    write_tree(folders["stale"], stale)
    for name, folder in folders.items():
        table = f'[tool.poetry.dependencies]\nown = {{path = "../{name}"}}\n'
        project.pyproject(dependencies=["own"], tool=table, source=build_index.url)
        project.write({"my_fn.py": ""})
        project.lock([Locked("own", source={"type": "directory", "url": f"../{name}"}, develop=False)])

        outcome = bundle("--runtime", RUNTIME, "-o", f"{name}.zip")

        assert outcome.exit_code == 0, outcome.error
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert there == files.keys() | (stale.keys() if name == "stale" else set())
    assert (project.folder / "clean.zip").read_bytes() == (project.folder / "stale.zip").read_bytes()


def test_build_sees_the_repository(project: Project, index: Index, tmp_path: Path) -> None:
    """A folder is built in its place, since versions may come from a repository above it."""
    backend = (
        "import subprocess, zipfile\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    run = lambda *a: subprocess.check_output(['git', *a], text=True).strip()\n"
        "    version = run('describe', '--tags')\n"
        "    info, name = f'own-{version}.dist-info/', f'own-{version}-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as archive:\n"
        "        archive.writestr('own.py', run('rev-parse', '--show-prefix'))\n"
        "        metadata = f'Metadata-Version: 2.1\\nName: own\\nVersion: {version}\\n'\n"
        "        archive.writestr(info + 'METADATA', metadata)\n"
        "        archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\n')\n"
        "        archive.writestr(info + 'RECORD', '')\n"
        "    return name\n"
    )
    pyproject = '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    write_tree(tmp_path / "repository/own", {"pyproject.toml": pyproject, "b.py": backend})
    commit_all(tmp_path / "repository")
    git(tmp_path / "repository", "tag", "1.0")
    table = '[tool.poetry.dependencies]\nown = {path = "../repository/own"}\n'
    project.pyproject(dependencies=["own"], tool=table, source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked("own", source={"type": "directory", "url": "../repository/own"}, develop=False)])

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == 0, outcome.error
    assert contents(project.folder / "dist/my-fn.zip")["own.py"] == b"own/"


def test_builds_folders_of_other_backends(project: Project, build_index: Index, tmp_path: Path) -> None:
    """Path dependencies of four backends are built in isolation, with requirements from the index."""
    table = "[tool.poetry.dependencies]\n"
    for name, (backend, requirement) in BACKENDS.items():
        write_tree(tmp_path / name, backend_project(name, backend, requirement))
        table += f'{name} = {{path = "../{name}"}}\n'
    project.pyproject(dependencies=list(BACKENDS), tool=table, source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock(
        [Locked(name, source={"type": "directory", "url": f"../{name}"}, develop=True) for name in BACKENDS]
    )

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == 0, outcome.error
    files = contents(project.folder / "dist/my-fn.zip")
    for name in BACKENDS:
        stem = name.replace("-", "_")
        assert files[f"{stem}/__init__.py"].decode() == f"NAME = '{name}'\n"
        assert f"{stem}-1.0.dist-info/METADATA" in files
    assert not [path for path, data in files.items() if str(tmp_path).encode() in data]


def test_builds_sdists_of_five_backends(project: Project, build_index: Index) -> None:
    """Sdists are built whatever their backend, poetry-core among them."""
    backends = {**BACKENDS, "with-poetry": ("poetry.core.masonry.api", "poetry-core")}
    sdists = [make_sdist(name, backend_project(name, *backend)) for name, backend in backends.items()]
    build_index.add(*sdists, wheel_of_installed("poetry-core"))
    project.pyproject(dependencies=list(backends), source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist) for sdist in sdists], source=build_index.url)

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == 0, outcome.error
    modules = {name.replace("-", "_") + "/__init__.py" for name in backends}
    assert modules <= contents(project.folder / "dist/my-fn.zip").keys()


def test_builds_an_sdist_once(project: Project, build_index: Index) -> None:
    """A package with no wheel is built from its sdist; the second run builds and asks nothing."""
    sdist = make_sdist("only-source", backend_project("only-source", "flit_core.buildapi", "flit_core"))
    build_index.add(sdist)
    project.pyproject(dependencies=["only-source"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)

    first = bundle("--format", "json")
    requests = len(build_index.requests)
    second = bundle("--format", "json")

    assert first.exit_code == 0, first.error
    assert "only_source/__init__.py" in contents(project.folder / "dist/my-fn.zip")
    assert sdist.filename in downloads(build_index.requests)
    assert second.report["status"] == "unchanged"
    assert len(build_index.requests) == requests


def built_in_cache(tmp_path: Path) -> Path:
    (wheel,) = (tmp_path / "cache/cache/repositories/lambda-bundle/_built_").rglob("*.whl")
    return wheel


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize("trouble", ["link", "folder", "full"])
def test_builds_where_the_cache_takes_nothing(
    project: Project, build_index: Index, tmp_path: Path, trouble: str
) -> None:
    """A built wheel replaces a link, not what it leads to; where it can't be kept, it is bundled too."""
    sdist = make_sdist("only-source", backend_project("only-source", "flit_core.buildapi", "flit_core"))
    build_index.add(sdist)
    project.pyproject(dependencies=["only-source"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)
    bundle("-o", "one.zip")
    wheel, mine = built_in_cache(tmp_path), tmp_path / "mine.txt"
    mine.write_bytes(b"mine")
    wheel.unlink()
    if trouble == "link":
        wheel.symlink_to(mine)
    elif trouble == "folder":
        wheel.mkdir()
    else:
        # no folder can be made there, as on a disk that is full
        wheel.parent.rmdir()
        wheel.parent.parent.rmdir()
        wheel.parent.parent.write_bytes(b"")

    outcome = bundle("-o", "two.zip")

    assert (outcome.exit_code, outcome.error) == (0, "")
    one, two = (project.folder / name for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()
    assert mine.read_bytes() == b"mine"
    assert trouble != "link" or not wheel.is_symlink()


def test_builds_the_project_itself(project: Project, build_index: Index) -> None:
    """A root project of another backend is built too, and what is included comes beside it."""
    files = backend_project("my-fn", "hatchling.build", "hatchling")
    files["pyproject.toml"] += f'[[tool.poetry.source]]\nname = "tests"\nurl = "{build_index.url}"\n'
    project.write({**files, "config.toml": "x = 1\n"})
    project.lock()

    outcome = bundle("--include", "config.toml", "--format", "json")

    assert outcome.exit_code == 0, outcome.error
    (package,) = outcome.report["packages"]
    assert (package["name"], package["files"]) == ("my-fn", outcome.report["files"])
    bundled = contents(project.folder / "dist/my-fn.zip")
    assert bundled["my_fn/__init__.py"] == b"NAME = 'my-fn'\n"
    assert bundled["config.toml"] == b"x = 1\n"


@pytest.mark.parametrize(
    ("build", "built"),
    [
        pytest.param("[tool.poetry.build]\ngenerate-setup-file = true", False, id="setup file alone"),
        pytest.param("[tool.poetry.build]", False, id="empty"),
        pytest.param('[tool.poetry.build]\nscript = "build.py"', True, id="script"),
        pytest.param('[tool.poetry]\nbuild = "build.py"', True, id="string"),
    ],
)
def test_builds_only_what_has_a_script(project: Project, build_index: Index, build: str, built: bool) -> None:
    """What `build` of [tool.poetry] says beside a script needs no environment and no index."""
    build_index.add(wheel_of_installed("poetry-core"))
    project.pyproject(tool=build, source=build_index.url)
    script = "open('my_fn/made.py', 'w').close()\n"
    project.write({"my_fn/__init__.py": "", "build.py": script})
    project.lock()

    outcome = bundle("--runtime", RUNTIME)

    assert bool(build_index.requests) is built
    # poetry-core 2.1 gives what a script has made the tag of this host, which may be newer than Lambda
    assert outcome.exit_code == 0 or (built and "the build made my_fn-0.1.0-" in outcome.message)
    if outcome.exit_code == 0:
        assert ("my_fn/made.py" in contents(project.folder / "dist/my-fn.zip")) is built


@needs_compiler
def test_bundles_compiled_code_for_this_python(project: Project, build_index: Index) -> None:
    """A C extension compiled here is bundled for the same Python on the same architecture."""
    sdist = make_sdist("compiled", compiled_project())
    build_index.add(sdist)
    project.pyproject(dependencies=["compiled"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == 0, outcome.error
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert f"compiled{suffix}" in contents(project.folder / "dist/my-fn.zip")


@needs_compiler
def test_refuses_compiled_code_for_another_architecture(project: Project, build_index: Index) -> None:
    """What was compiled here for x86_64 is refused for arm64, with the remedies."""
    sdist = make_sdist("compiled", compiled_project())
    build_index.add(sdist)
    project.pyproject(dependencies=["compiled"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)

    outcome = bundle("--runtime", RUNTIME, "--architecture", "arm64")

    assert outcome.exit_code == 1
    assert f"had to be built here, and the result does not run on {RUNTIME} on arm64" in outcome.message
    assert "- compiled (1.0): the build made compiled-1.0-" in outcome.message
    assert "Amazon Linux" in outcome.message
    assert not (project.folder / "dist").exists()


@needs_compiler
def test_refuses_a_library_that_lambda_lacks(
    project: Project, build_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiled module that links a library of the build host is refused by the library's name."""
    # what the extra `native` installs is not there
    monkeypatch.setitem(sys.modules, "auditwheel", None)
    monkeypatch.setenv("LDFLAGS", "-Wl,--no-as-needed")
    sdist = make_sdist("compiled", compiled_project('["crypt"]'))
    build_index.add(sdist)
    project.pyproject(dependencies=["compiled"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == 1
    assert "links libcrypt.so.1, which Lambda lacks" in outcome.message


def test_shows_the_end_of_a_failed_build(project: Project, build_index: Index) -> None:
    """A build that fails names the package and its last lines; -v shows all of them."""
    setup = "for line in range(40):\n    print('line', line)\nraise SystemExit('no luck today')\n"
    files = backend_project("broken", "setuptools.build_meta", "setuptools")
    sdist = make_sdist("broken", {**files, "setup.py": setup})
    build_index.add(sdist)
    project.pyproject(dependencies=["broken"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(sdist)], source=build_index.url)

    outcome, verbose = bundle(), bundle("-v")

    assert outcome.exit_code == 1
    assert "broken (1.0) has no wheel for the target, and building one failed" in outcome.message
    assert "no luck today" in outcome.message
    assert "line 0 " not in outcome.message
    assert "line 0 " in verbose.message
    assert not (project.folder / "dist").exists()


def test_does_not_try_a_hopeless_build(project: Project, index: Index) -> None:
    """A release with wheels for other platforms only is refused at once where it can't be compiled."""
    sdist = make_sdist("native", backend_project("native", "setuptools.build_meta", "setuptools"))
    wheel = make_wheel("native", tag="cp313-cp313-manylinux_2_17_x86_64")
    index.add(sdist, wheel)
    project.pyproject(dependencies=["native"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, sdist)], source=index.url)

    outcome = bundle("--runtime", "python3.9", "--architecture", "arm64")

    assert outcome.exit_code == 1
    assert "For python3.13 on x86_64 the lock has wheels of them" in outcome.message
    assert index.requests == []


@pytest.fixture
def recorders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with the names of the interpreters that were started, of 33 on PATH that all fail."""
    folder, started = tmp_path / "bin", tmp_path / "started.txt"
    folder.mkdir()
    started.touch()
    for name in ("python", "python3", *(f"python3.{minor}" for minor in (6, 9, *range(15, 44)))):
        command = folder / name
        command.write_text(f"#!/bin/sh\necho {name} >> '{started}'\nexit 1\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for variable in ("PYENV_ROOT", "ASDF_DATA_DIR", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    # neither what a test before found elsewhere counts here, nor what is found here for those after
    _forget_interpreters()
    yield started
    _forget_interpreters()


def _forget_interpreters() -> None:
    find_interpreter.cache_clear()
    named_interpreter.cache_clear()


@needs_compiler
@pytest.mark.parametrize("minor", [pytest.param(9, id="found"), pytest.param(8, id="not found")])
def test_refusal_starts_no_other_interpreter(
    project: Project, index: Index, recorders: Path, minor: int
) -> None:
    """Whether a Python is here that could compile is told by names: none of another version is started."""
    sdist = make_sdist("native", backend_project("native", "setuptools.build_meta", "setuptools"))
    wheel = make_wheel("native", tag="cp313-cp313-manylinux_2_17_aarch64")
    project.pyproject(python=">=3.8", dependencies=["native"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, sdist)], source=index.url)

    outcome = bundle("--runtime", f"python3.{minor}")

    assert outcome.exit_code == 1
    assert f"native (1.0): the lock has {wheel.filename}; native-1.0.tar.gz" in outcome.message
    assert set(recorders.read_text().split()) <= {f"python3.{minor}"}
    assert index.requests == []


@needs_compiler
@pytest.mark.parametrize(
    ("host", "platform_tag", "refused_for"),
    [
        pytest.param(("glibc", "2.99"), "manylinux_2_98_x86_64", " and glibc 2.", id="as new as its wheels"),
        pytest.param(("glibc", "2.17"), "manylinux_2_98_x86_64", None, id="old host"),
        pytest.param(("glibc", "2.99"), "manylinux_2_98_aarch64", None, id="wheels of another machine"),
        pytest.param(("glibc", "2.99"), "macosx_11_0_arm64", None, id="no Linux wheels"),
        pytest.param(
            ("", ""), "macosx_11_0_arm64", ", and this Linux has another C library than glibc", id="musl"
        ),
    ],
)
def test_does_not_compile_what_glibc_rules_out(
    project: Project,
    build_index: Index,
    monkeypatch: pytest.MonkeyPatch,
    host: tuple[str, str],
    platform_tag: str,
    refused_for: str | None,
) -> None:
    """What would want a newer C library than the runtime's, or another, is refused before it is compiled."""
    monkeypatch.setattr(platform, "libc_ver", lambda: host)
    sdist = make_sdist("compiled", compiled_project())
    python = f"cp3{sys.version_info.minor}"
    wheel = make_wheel("compiled", tag=f"{python}-{python}-{platform_tag}")
    build_index.add(sdist)
    project.pyproject(dependencies=["compiled"], source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, sdist)], source=build_index.url)

    outcome = bundle("--runtime", RUNTIME)

    assert outcome.exit_code == (1 if refused_for else 0), outcome.error
    assert bool(build_index.requests) is (refused_for is None)
    if refused_for:
        version = f"3.{sys.version_info.minor}"
        assert (
            f"could only be compiled on Linux for x86_64 with Python {version}{refused_for}"
            in outcome.message
        )


def git_dependency(url: str, revision: str, **source: str) -> Locked:
    origin = {"type": "git", "url": url, "reference": "main", "resolved_reference": revision, **source}
    return Locked("from-git", source=origin, develop=False)


def test_bundles_a_git_revision(project: Project, tmp_path: Path) -> None:
    """A git dependency is bundled at its locked revision; a warm run needs no repository."""
    repository = write_tree(tmp_path / "repository", poetry_project("from-git"))
    revision = commit_all(repository)
    (repository / "from_git/__init__.py").write_text("LATER = True\n")
    commit_all(repository)
    project.pyproject(
        dependencies=["from-git"],
        tool=f'[tool.poetry.dependencies]\nfrom-git = {{git = "{repository.as_uri()}", branch = "main"}}\n',
    )
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(repository.as_uri(), revision)])

    first = bundle("--format", "json")
    repository.rename(tmp_path / "gone")
    second = bundle("--format", "json")

    assert first.exit_code == 0, first.error
    files = contents(project.folder / "dist/my-fn.zip")
    assert files["from_git/__init__.py"] == b"NAME = 'from-git'\n"
    assert not [path for path in files if ".git/" in path]
    assert second.report["status"] == "unchanged"


def test_bundles_a_subdirectory_of_a_repository(project: Project, tmp_path: Path) -> None:
    """A project below the root of a repository is found there."""
    repository = tmp_path / "repository"
    write_tree(repository / "python/lib", poetry_project("from-git"))
    revision = commit_all(repository)
    url = repository.as_uri()
    tool = f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}", subdirectory = "python/lib"}}\n'
    project.pyproject(dependencies=["from-git"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(url, revision, subdirectory="python/lib")])

    assert bundle().exit_code == 0
    assert "from_git/__init__.py" in contents(project.folder / "dist/my-fn.zip")


def test_builds_a_git_revision_of_another_backend(
    project: Project, build_index: Index, tmp_path: Path
) -> None:
    """A git dependency of another backend is built, and found again by the next run."""
    files = backend_project("from-git", "flit_core.buildapi", "flit_core")
    repository = write_tree(tmp_path / "repository", files)
    revision = commit_all(repository)
    url = repository.as_uri()
    tool = f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}"}}\n'
    project.pyproject(dependencies=["from-git"], tool=tool, source=build_index.url)
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(url, revision)])

    first = bundle("--format", "json")
    repository.rename(tmp_path / "gone")
    second = bundle("--format", "json")

    assert first.exit_code == 0, first.error
    assert "from_git/__init__.py" in contents(project.folder / "dist/my-fn.zip")
    assert second.report["status"] == "unchanged"


def test_names_a_git_revision_that_is_gone(project: Project, tmp_path: Path) -> None:
    """A revision that the repository lacks is named, without a credential of its address."""
    repository = write_tree(tmp_path / "repository", poetry_project("from-git"))
    commit_all(repository)
    url = repository.as_uri()
    tool = f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}"}}\n'
    project.pyproject(dependencies=["from-git"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(url, "0" * 40)])

    outcome = bundle()

    assert outcome.exit_code == 1
    assert f"Revision {'0' * 40} of from-git (1.0) can't be had from" in outcome.message


def declare_git(project: Project, url: str, revision: str) -> None:
    """Write a project that depends on a git revision."""
    tool = f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}"}}\n'
    project.pyproject(dependencies=["from-git"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(url, revision)])


def repository_with_submodule(folder: Path, submodule: str) -> tuple[str, str]:
    """Make a repository with a submodule at an address; return its own address and its revision."""
    vendored = write_tree(folder / "vendored", {"parser.py": ""})
    commit_all(vendored)
    repository = write_tree(folder / "repository", poetry_project("from-git"))
    commit_all(repository)
    git(repository, "submodule", "add", "-q", vendored.as_uri(), "from_git/vendored")
    modules = repository / ".gitmodules"
    modules.write_text(modules.read_text().replace(vendored.as_uri(), submodule))
    return repository.as_uri(), commit_all(repository)


@pytest.fixture
def closed_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_names_a_git_host_that_does_not_answer(project: Project, closed_port: int) -> None:
    """A host that can't be reached is named, and no credential of its address is."""
    declare_git(project, f"http://user:secret@127.0.0.1:{closed_port}/team/from-git.git", "0" * 40)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"Revision {'0' * 40} of from-git (1.0) can't be had from "
        f"http://127.0.0.1:{closed_port}/team/from-git.git: 127.0.0.1:{closed_port} can't be reached. "
        "Check your connection and the address, then run the command again."
    )


def test_names_a_submodule_that_is_gone(project: Project, tmp_path: Path) -> None:
    """Where a submodule can't be had, its address is named, not that of the repository which has it."""
    gone = (tmp_path / "gone").as_uri()
    url, revision = repository_with_submodule(tmp_path, gone)
    declare_git(project, url, revision)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"Revision {revision} of from-git (1.0) has a submodule that can't be had from {gone} "
        "(NotGitRepository). Check that it is still there and that you may read it, or run "
        "`poetry update from-git` to lock another one."
    )


def test_names_the_host_of_a_submodule(project: Project, tmp_path: Path, closed_port: int) -> None:
    """Where a submodule's host can't be reached, that host is named."""
    url, revision = repository_with_submodule(tmp_path, f"http://127.0.0.1:{closed_port}/vendored.git")
    declare_git(project, url, revision)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"Revision {revision} of from-git (1.0) has a submodule that can't be had from "
        f"http://127.0.0.1:{closed_port}/vendored.git: 127.0.0.1:{closed_port} can't be reached. "
        "Check your connection and the address, then run the command again."
    )


def test_names_a_submodule_that_the_git_command_can_not_clone(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Poetry's `system-git-client` the git command tells which submodule it is."""
    monkeypatch.setenv("POETRY_SYSTEM_GIT_CLIENT", "true")
    monkeypatch.setenv("LC_ALL", "C")
    # git clones submodules from folders only where it is told to
    (tmp_path / "gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    gone = (tmp_path / "gone").as_uri()
    url, revision = repository_with_submodule(tmp_path, gone)
    declare_git(project, url, revision)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert f"of from-git (1.0) has a submodule that can't be had from {gone} (" in outcome.message


def test_bundles_a_url(project: Project, index: Index) -> None:
    """A wheel at a URL is fetched, held against its hash, and found again without network."""
    wheel = make_wheel("from-url", files={"from_url.py": "X = 1\n"})
    index.add(wheel)
    url = f"{index.root}files/{wheel.filename}"
    tool = f'[tool.poetry.dependencies]\nfrom-url = {{url = "{url}"}}\n'
    project.pyproject(dependencies=["from-url"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel, source={"type": "url", "url": url})])

    first = bundle("--format", "json")
    requests = len(index.requests)
    second = bundle("--format", "json")

    assert first.exit_code == 0, first.error
    assert contents(project.folder / "dist/my-fn.zip")["from_url.py"] == b"X = 1\n"
    assert second.report["status"] == "unchanged"
    assert len(index.requests) == requests


def test_bundles_a_submodule(project: Project, tmp_path: Path) -> None:
    """What a repository has from another one is bundled with it, without git's own files, cold and warm."""
    vendored = write_tree(tmp_path / "vendored", {"parser.py": "PARSED = 1\n"})
    commit_all(vendored)
    repository = write_tree(tmp_path / "repository", poetry_project("from-git"))
    commit_all(repository)
    git(repository, "submodule", "add", "-q", vendored.as_uri(), "from_git/vendored")
    revision = commit_all(repository)
    url = repository.as_uri()
    tool = f'[tool.poetry.dependencies]\nfrom-git = {{git = "{url}"}}\n'
    project.pyproject(dependencies=["from-git"], tool=tool)
    project.write({"my_fn.py": ""})
    project.lock([git_dependency(url, revision)])

    first = bundle("--format", "json")
    second = bundle("--format", "json")

    assert first.exit_code == 0, first.error
    files = contents(project.folder / "dist/my-fn.zip")
    assert files["from_git/vendored/parser.py"] == b"PARSED = 1\n"
    assert not [path for path in files if ".git" in path.split("/")]
    assert second.report["status"] == "unchanged"
