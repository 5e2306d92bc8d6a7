"""One project, one digest, whatever the machine is like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry import __version__ as poetry_version
from poetry.repositories.pypi_repository import PyPiRepository

from tests.support.index import downloads
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from tests.support.index import Index
    from tests.support.wheels import MadeFile


PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
"""Looked up before the tests change the home folder."""

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheels() -> tuple[MadeFile, ...]:
    """Wheels that take every way through the plugin: raw copies, moved files, new RECORDs, conflicts."""
    return (
        make_wheel(
            "alpha",
            files={
                "alpha/__init__.py": "import os\n" * 500,
                "alpha/tool": "#!/bin/sh\n",
                "alpha/größe.txt": "groß\n",
                "common/words.txt": "of alpha\n",
            },
            executable=("alpha/tool",),
        ),
        make_wheel(
            "beta",
            files={
                "beta-1.0.data/purelib/beta.py": "NAME = 'beta'\n",
                "beta-1.0.data/scripts/beta": "#!python\n",
                "common/words.txt": "of beta\n",
                "data.bin": bytes(range(256)) * 400,
            },
            entry_points="[console_scripts]\nbeta-run = beta:main\n",
        ),
        make_wheel("gamma", files={"gamma.py": "x = 1\n" * 900}, compression=zipfile.ZIP_LZMA),
        make_wheel("delta", files={"delta.py": ""}, compression=zipfile.ZIP_STORED),
    )


def write(project: Project, wheels: Sequence[MadeFile], url: str | None) -> Project:
    """Write and lock the project of these tests; without `url`, from the default index."""
    project.pyproject(
        dependencies=["alpha", "beta", "gamma", "delta"],
        project='[project.scripts]\nrun = "my_fn.main:handler"\n',
        config='handler = "my_fn.main.handler"\nscripts = true\nexclude = ["alpha/größe.txt"]\n',
        source=url,
    )
    project.write(
        {
            "my_fn/__init__.py": "",
            "my_fn/main.py": "def handler(event, context):\n    return 1\n" * 300,
            "my_fn/Zebra.py": "",
            "my_fn/zoë/data.json": '{"a": 1}',
            "my_fn/sub/__init__.py": "",
            "LICENSE": "MIT\n",
        }
    )
    project.lock([Locked.of(wheel) for wheel in wheels], source=url)
    return project


@pytest.fixture
def rich(project: Project, index: Index, wheels: tuple[MadeFile, ...]) -> Project:
    """The project of these tests, its dependencies served by the index."""
    index.add(*wheels)
    return write(project, wheels, index.url)


def digest(*arguments: str) -> str:
    """Bundle the project in the current folder anew, and return the digest."""
    shutil.rmtree("dist", ignore_errors=True)
    outcome = bundle("--format", "json", *arguments)
    assert outcome.exit_code == 0, outcome.error
    report = outcome.report
    assert report["status"] == "written"
    return str(report["sha256"])


def digest_in_subprocess(
    environment: Mapping[str, str], python: str = sys.executable, options: Sequence[str] = ()
) -> str:
    """Bundle the project in the current folder with an interpreter of its own."""
    shutil.rmtree("dist", ignore_errors=True)
    done = subprocess.run(
        [python, *options, "-m", "poetry", "lambda-bundle", "--format", "json"],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["bundles"]
    return str(report["sha256"])


# --- the machine


def test_other_folder(rich: Project, tmp_path: Path) -> None:
    """Where the project lies is not in the bytes."""
    before = digest()
    other = tmp_path / "a folder/of another name"
    other.parent.mkdir()
    rich.folder.rename(other)
    os.chdir(other)

    assert digest() == before


def test_other_times(rich: Project) -> None:
    """When the files were changed is not in the bytes."""
    before = digest()
    for number, path in enumerate(sorted(rich.folder.rglob("*"))):
        os.utime(path, (number * 86_400 * 365, number * 86_400 * 365))

    assert digest() == before


def test_other_umask(rich: Project, index: Index, wheels: tuple[MadeFile, ...], tmp_path: Path) -> None:
    """A umask that hides files from others leaves their modes in the bundle alone."""
    before = digest()
    shutil.rmtree(rich.folder)
    previous = os.umask(0o077)
    try:
        rich.folder.mkdir()
        os.chdir(rich.folder)
        write(rich, wheels, index.url)
        after = digest("--no-cache")
    finally:
        os.umask(previous)

    assert after == before
    assert oct((rich.folder / "my_fn/main.py").stat().st_mode) == "0o100600"
    with zipfile.ZipFile("dist/my-fn.zip") as archive:
        modes = {oct(member.external_attr >> 16) for member in archive.infolist()}
    assert modes == {"0o100644", "0o100755"}


def test_other_order_on_disk(rich: Project, wheels: tuple[MadeFile, ...], index: Index) -> None:
    """The order in which the file system lists files is not in the bytes."""
    before = digest()
    files = {
        path.relative_to(rich.folder).as_posix(): path.read_bytes()
        for path in rich.folder.rglob("*")
        if path.is_file() and "dist" not in path.parts
    }
    for child in rich.folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    rich.write(dict(sorted(files.items(), reverse=True)))

    assert digest() == before


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "0"}, id="east"),
        pytest.param({"TZ": "America/St_Johns", "PYTHONHASHSEED": "4294967295"}, id="west"),
        pytest.param({"LC_ALL": "C", "LANG": "C"}, id="C-locale"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="ascii-file-names"),
        pytest.param({"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "COLUMNS": "20"}, id="turkish"),
        pytest.param({"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"}, id="optimised"),
    ],
)
def test_other_environment(rich: Project, environment: dict[str, str]) -> None:
    """Time zone, language and hash seed are not in the bytes."""
    assert digest_in_subprocess(environment) == digest()


def test_other_time_zone_in_one_process(rich: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH means UTC wherever the machine is."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    digests = set()
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        digests.add(digest())
    monkeypatch.undo()
    time.tzset()

    assert len(digests) == 1


# --- the lock and the index


def test_other_order_in_the_lock(rich: Project, index: Index, wheels: tuple[MadeFile, ...]) -> None:
    """The order of packages and of files in the lock is not in the bytes."""
    before = digest()

    rich.lock([Locked.of(wheel) for wheel in reversed(wheels)], source=index.url)

    assert digest() == before


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_other_lock_version(rich: Project, index: Index, wheels: tuple[MadeFile, ...], version: str) -> None:
    """Locks of older Poetry releases with the same packages give the same bytes."""
    before = digest()

    rich.lock([Locked.of(wheel) for wheel in wheels], source=index.url, version=version)

    assert digest() == before


def test_cold_and_warm_cache(rich: Project, index: Index) -> None:
    """What the cache holds is not in the bytes, nor whether there is one."""
    cold = digest()
    assert len(downloads(index.requests)) == 4

    index.requests.clear()
    warm = digest()
    assert index.requests == []

    assert warm == cold
    assert digest("--no-cache") == cold


@pytest.mark.parametrize("html", [pytest.param(True, id="html"), pytest.param(False, id="json")])
def test_kind_of_page(rich: Project, index: Index, html: bool, tmp_path: Path) -> None:
    """The form in which an index answers is not in the bytes."""
    before = digest()
    shutil.rmtree(tmp_path / "cache")
    index.html = html
    index.page_hashes = not html

    assert digest() == before


@pytest.mark.parametrize("version_json", [pytest.param(True, id="there"), pytest.param(False, id="missing")])
def test_json_of_releases(
    rich: Project,
    index: Index,
    wheels: tuple[MadeFile, ...],
    monkeypatch: pytest.MonkeyPatch,
    version_json: bool,
) -> None:
    """A named source and a default index, with and without the JSON of releases, give the same bytes."""
    named = digest()
    monkeypatch.setattr(PyPiRepository.__init__, "__defaults__", (index.root,))
    index.version_json = version_json
    write(rich, wheels, None)

    assert digest() == named


# --- who bundles


def other_pythons() -> dict[str, str]:
    """Return the interpreters of other minor versions on this machine."""
    found = {}
    for minor in range(10, 15):
        name = f"3.{minor}"
        candidates = [*sorted(PYENV.glob(f"{name}.*/bin/python")), shutil.which(f"python{name}")]
        if minor != sys.version_info.minor and candidates[0]:
            found[name] = os.fspath(candidates[0])
    return found


def borrowed_libraries(folder: Path) -> str:
    """Return a PYTHONPATH with the libraries of this environment, of which most run on any Python."""
    # 3.10 has no tomllib; this interpreter's own is the same code under another name
    if sys.version_info >= (3, 11):
        import tomllib

        shutil.copytree(Path(tomllib.__file__).parent, folder / "tomli")
    site_packages = Path(poetry_version.__file__).parents[1]
    return os.pathsep.join(map(str, (REPOSITORY, site_packages, folder)))


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_other_python(rich: Project, tmp_path: Path, version: str) -> None:
    """The Python that runs Poetry, and its zlib, are not in the bytes."""
    if version == f"3.{sys.version_info.minor}":
        pytest.skip("this Python runs the other tests")
    python = other_pythons().get(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    environment = {
        "PYTHONPATH": borrowed_libraries(tmp_path / "borrowed"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYENV_VERSION": "",
    }
    probe = subprocess.run(
        [python, "-m", "poetry", "lambda-bundle", "--help"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if probe.returncode:
        pytest.skip(f"Python {version} can't use this environment's libraries: {probe.stderr.strip()[-200:]}")

    assert digest_in_subprocess(environment, python) == digest()


# --- the bytes


def test_source_date_epoch_changes_dates_only(rich: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH is the time of every file, and nothing else differs."""
    digest()
    before = Path("dist/my-fn.zip").read_bytes()
    fields = member_fields(Path("dist/my-fn.zip"))
    assert {moment for moment, _ in fields.values()} == {(1980, 1, 1, 0, 0, 0)}

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    digest()

    dated = member_fields(Path("dist/my-fn.zip"))
    assert {moment for moment, _ in dated.values()} == {(2023, 11, 14, 22, 13, 20)}
    assert {path: rest for path, (_, rest) in dated.items()} == {
        path: rest for path, (_, rest) in fields.items()
    }
    after = Path("dist/my-fn.zip").read_bytes()
    assert len(after) == len(before)
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    assert 0 < changed <= 8 * len(fields)


def member_fields(path: Path) -> dict[str, tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Return the time of each member, and all else that its headers say."""
    with zipfile.ZipFile(path) as archive:
        return {
            member.filename: (
                member.date_time,
                (
                    member.compress_type,
                    member.flag_bits,
                    member.external_attr,
                    member.CRC,
                    member.compress_size,
                    member.header_offset,
                    member.extra,
                    archive.read(member),
                ),
            )
            for member in archive.infolist()
        }


def test_no_path_of_the_machine(rich: Project, tmp_path: Path, index: Index) -> None:
    """Neither compressed nor unpacked bytes know the project's folder, the cache, the home or the index."""
    folder = tmp_path / "folder-of-the-project"
    rich.folder.rename(folder)
    os.chdir(folder)
    digest()

    output = folder / "dist/my-fn.zip"
    haystack = output.read_bytes() + b"".join(path.encode() + data for path, data in contents(output).items())
    secrets = {
        "project": "folder-of-the-project",
        "temporary folder": os.fspath(tmp_path),
        "cache": os.environ["POETRY_CACHE_DIR"],
        "home": os.environ["HOME"],
        "repository": os.fspath(REPOSITORY),
        "interpreter": sys.executable,
        "index": index.root.split("/")[2],
    }
    assert {name for name, secret in secrets.items() if secret.encode() in haystack} == set()


def test_no_trace_of_the_tools_versions(rich: Project) -> None:
    """What we write ourselves does not show which Poetry or Python wrote it."""
    digest()

    own = {path: data for path, data in contents(Path("dist/my-fn.zip")).items() if "my_fn" in path}
    assert own["my_fn-0.1.0.dist-info/WHEEL"].decode().splitlines()[1] == "Generator: poetry-lambda-plugin"
    versions = (poetry_version.__version__, ".".join(map(str, sys.version_info[:3])))
    assert [path for path, data in own.items() for version in versions if version.encode() in data] == []


def test_times_are_not_those_of_the_wheels(rich: Project) -> None:
    """The dates, flags and systems that wheels were made with do not come through."""
    digest()

    with zipfile.ZipFile("dist/my-fn.zip") as archive:
        members = archive.infolist()
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {member.create_system for member in members} == {3}
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    assert [member.filename for member in members] == sorted(member.filename for member in members)
