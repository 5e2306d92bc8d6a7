"""Wheels from a package index and from Poetry's cache, sound or not."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry.core.packages.utils.link import Link
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.cache import ArtifactCache

from tests.support.index import downloads
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.runner import Outcome


WHEEL = "greeting-1.0-py3-none-any.whl"


@pytest.fixture
def default_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """The loopback index in the place of Poetry's default one."""
    monkeypatch.setattr(PyPiRepository.__init__, "__defaults__", (index.root,))
    return index


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Poetry's session try again at once."""
    monkeypatch.setattr("poetry.utils.authenticator.time.sleep", lambda _: None)


@pytest.fixture
def _unclosed_response() -> Iterator[None]:
    """Collect what Poetry's session leaves open when a download's status is an error."""
    yield
    gc.collect()


leaves_response_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def default_project(project: Project, *wheels: MadeFile) -> None:
    """Write and lock a project whose dependencies come from the default index."""
    locked = [Locked.of(wheel) for wheel in wheels]
    project.pyproject(dependencies=[package.name for package in locked])
    project.write({"my_fn.py": ""})
    project.lock(locked)


def cached_wheel(tmp_path: Path, name: str = WHEEL) -> Path:
    """Return the only file of that name in Poetry's artifact cache."""
    (path,) = (tmp_path / "cache/artifacts").rglob(name)
    return path


def notes(tmp_path: Path) -> list[Path]:
    """Return the notes on files in Poetry's artifact cache."""
    found = (tmp_path / "cache").rglob("sha256-*")
    return [path for path in found if path.is_file() and "_lambda_bundle_" in path.parts]


def assert_bundled(outcome: Outcome, project: Project) -> None:
    """Check that a run went well and that its ZIP holds the dependency."""
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert contents(project.folder / "dist/my-fn.zip")["greeting/__init__.py"] == b"WORD = 'hello'\n"


# --- where files come from


def test_default_index_without_version_json(project: Project, default_index: Index) -> None:
    """A mirror of the default index that lacks the JSON of releases is asked for its page."""
    wheel = make_wheel("greeting")
    default_index.add(wheel, make_wheel("greeting", "2.0"))
    default_project(project, wheel)

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert default_index.requests == [
        "/pypi/greeting/1.0/json",
        "/simple/greeting/",
        f"/files/{wheel.filename}",
    ]


def test_default_index_with_version_json(project: Project, default_index: Index) -> None:
    """The JSON of a release is enough where the default index has it."""
    wheel = make_wheel("greeting")
    default_index.add(wheel)
    default_index.version_json = True
    default_project(project, wheel)

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert default_index.requests == ["/pypi/greeting/1.0/json", f"/files/{wheel.filename}"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("text/html", b"<html>Welcome to our mirror</html>", id="a-web-page"),
        pytest.param("application/json", b'{"info": {"name": "greeting"}}', id="json-without-files"),
        pytest.param("application/json", b'{"urls": []}', id="json-with-no-files"),
    ],
)
def test_default_index_with_odd_version_json(
    project: Project, default_index: Index, kind: str, body: bytes
) -> None:
    """A mirror that answers the address of the JSON with something else is asked for its page."""
    wheel = make_wheel("greeting")
    default_index.add(wheel)
    default_index.answers["/pypi/greeting/1.0/json"] = (200, kind, body)
    default_project(project, wheel)

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert downloads(default_index.requests) == [wheel.filename]


@pytest.mark.parametrize("html", [pytest.param(True, id="html"), pytest.param(False, id="json")])
@pytest.mark.parametrize("hashes", [pytest.param(True, id="hashes"), pytest.param(False, id="no-hashes")])
def test_reads_every_kind_of_page(locked_project: Project, index: Index, html: bool, hashes: bool) -> None:
    """Pages of PEP 503 and of PEP 691 lead to the file, with and without hashes on them."""
    index.html, index.page_hashes = html, hashes

    outcome = bundle()

    assert_bundled(outcome, locked_project)
    assert downloads(index.requests) == [WHEEL]


def test_takes_locked_file_among_many(project: Project, index: Index) -> None:
    """Of all that the index offers, only the best of the locked files is fetched."""
    locked = [
        make_wheel("many", tag="cp312-cp312-manylinux2014_x86_64"),
        make_wheel("many", tag="cp313-cp313-manylinux2014_x86_64"),
        make_wheel("many"),
    ]
    index.add(*locked, make_wheel("many", tag="cp312-cp312-manylinux_2_28_x86_64"), make_wheel("many", "1.1"))
    project.pyproject(dependencies=["many"], source=index.url)
    project.lock([Locked.of(*locked)], source=index.url)

    bundle("--runtime", "python3.12")

    assert downloads(index.requests) == [locked[0].filename]


def test_shared_file_is_fetched_once_for_two_architectures(locked_project: Project, index: Index) -> None:
    """Two bundles of one run that need the same wheel download it once."""
    outcome = bundle("--architecture", "x86_64", "--architecture", "arm64", "-o", "{architecture}.zip")

    assert outcome.exit_code == 0
    assert downloads(index.requests) == [WHEEL]


# --- the cache


def test_warm_run_asks_nothing(locked_project: Project, index: Index) -> None:
    """A second run makes no request at all."""
    bundle()
    index.requests.clear()

    assert_bundled(bundle("-o", "dist/my-fn.zip"), locked_project)

    assert index.requests == []


def test_warm_run_needs_no_index(locked_project: Project, index: Index) -> None:
    """A second run works while the index is down."""
    bundle()
    (locked_project.folder / "dist/my-fn.zip").unlink()
    index.close()

    assert_bundled(bundle(), locked_project)


def test_warm_run_serves_another_project(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """What one project has fetched, another one with the same locked file need not ask for."""
    bundle()
    other = tmp_path / "other"
    locked_project.folder.rename(other)
    os.chdir(other)
    index.close()

    assert bundle("-o", "other.zip").exit_code == 0


def test_damaged_cached_file_is_replaced(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """A cached wheel with other bytes than the locked ones is fetched again, and the cache is sound after."""
    bundle()
    cached = cached_wheel(tmp_path)
    sound = cached.read_bytes()
    cached.write_bytes(sound[:-7] + b"damaged")
    index.requests.clear()

    assert_bundled(bundle(), locked_project)

    assert downloads(index.requests) == [WHEEL]
    assert cached.read_bytes() == sound
    index.requests.clear()
    bundle()
    assert index.requests == []


@leaves_response_open
@pytest.mark.usefixtures("_unclosed_response")
def test_damage_is_found_before_anything_is_used(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """Without an index, a damaged cached wheel is an error, never part of a bundle."""
    bundle()
    output = locked_project.folder / "dist/my-fn.zip"
    before = output.read_bytes()
    cached = cached_wheel(tmp_path)
    cached.write_bytes(cached.read_bytes()[:-7] + b"damaged")
    index.gone.add(WHEEL)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert WHEEL in outcome.message or "greeting (1.0)" in outcome.message
    assert output.read_bytes() == before


def test_deleted_cached_file_is_fetched_again(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """A wheel that vanished from the cache is fetched again."""
    bundle()
    cached_wheel(tmp_path).unlink()
    index.requests.clear()

    assert_bundled(bundle(), locked_project)

    assert downloads(index.requests) == [WHEEL]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"\xff\xfe\0", id="no-text"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'{"verified": true}', id="no-path"),
        pytest.param(b'{"path": 1, "verified": true}', id="path-is-a-number"),
        pytest.param(b'{"path": "a\\u0000b", "verified": true}', id="path-with-nul"),
        pytest.param(b'{"path": "../../project/pyproject.toml", "verified": true}', id="path-elsewhere"),
        pytest.param(b'{"path": "", "verified": true}', id="path-is-empty"),
    ],
)
def test_damaged_note_costs_only_a_look(
    locked_project: Project, index: Index, tmp_path: Path, damage: bytes
) -> None:
    """A damaged note on a cached file is as good as none, and is made anew."""
    bundle()
    (note,) = notes(tmp_path)
    sound = note.read_bytes()
    note.write_bytes(damage)
    index.requests.clear()

    assert_bundled(bundle(), locked_project)

    assert index.requests == []
    assert note.read_bytes() == sound


def test_notes_that_cannot_be_written_cost_nothing(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """A file where the notes' folder should be does not stop a run."""
    blocked = tmp_path / "cache/cache/repositories/tests/_lambda_bundle_"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("")

    assert_bundled(bundle(), locked_project)
    assert_bundled(bundle(), locked_project)


def test_cache_clear_forgets(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """After `poetry cache clear` no note is left, and without the file the index is asked again."""
    bundle()
    index.requests.clear()

    cleared = run("cache", "clear", "tests", "--all", "--no-interaction")
    assert (cleared.exit_code, cleared.error) == (0, "")
    assert notes(tmp_path) == []
    cached_wheel(tmp_path).unlink()
    assert_bundled(bundle(), locked_project)

    assert index.requests[0] == "/simple/greeting/"


def test_cache_clear_of_default_index_forgets(project: Project, default_index: Index, tmp_path: Path) -> None:
    """`poetry cache clear` clears the notes on the default index too, under the name that Poetry gives it."""
    wheel = make_wheel("greeting")
    default_index.add(wheel)
    default_project(project, wheel)
    bundle()
    default_index.requests.clear()

    cleared = run("cache", "clear", "PyPI", "--all", "--no-interaction")
    assert (cleared.exit_code, cleared.error) == (0, "")
    assert notes(tmp_path) == []
    cached_wheel(tmp_path).unlink()
    bundle()

    assert default_index.requests[0] == "/pypi/greeting/1.0/json"


def test_no_cache_asks_the_index(locked_project: Project, index: Index) -> None:
    """With `--no-cache` nothing that was noted before is believed."""
    bundle()
    index.requests.clear()

    assert_bundled(bundle("--no-cache"), locked_project)

    assert "/simple/greeting/" in index.requests


def test_interrupted_download_leaves_no_part_in_the_cache(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """A download that ends too early is an error, and the next run starts it afresh."""
    index.sent[WHEEL] = index.files[WHEEL].data[:100]
    assert bundle().exit_code == 1
    assert list((tmp_path / "cache/artifacts").rglob(f"*{WHEEL}*")) == []
    index.sent.clear()

    assert_bundled(bundle(), locked_project)


# --- what `poetry install` has left


def install(wheel: MadeFile, index: Index, tmp_path: Path) -> Path:
    """Put a wheel where Poetry keeps what it installs, by Poetry's own hand, and return where."""

    def download(_: str, path: Path) -> None:
        path.write_bytes(wheel.data)

    link = Link(f"{index.root}files/{wheel.filename}#sha256={wheel.sha256}")
    cache = ArtifactCache(cache_dir=tmp_path / "cache/artifacts")
    return cache.get_cached_archive_for_link(link, strict=True, download_func=download)


def strange_entries(tmp_path: Path, folder: Path) -> None:
    """Write what does not belong in an artifact cache beside and above a folder of it."""
    artifacts = tmp_path / "cache/artifacts"
    (artifacts / WHEEL).write_bytes(b"not at its depth")
    (folder / "folder" / WHEEL).mkdir(parents=True)
    (artifacts / "aa/bb/cc/dd" / WHEEL).mkdir(parents=True)
    (artifacts / "aa/bb/cc/ee").symlink_to(tmp_path / "nowhere")
    (artifacts / "aa/bb/up").symlink_to(artifacts)
    os.mkfifo(artifacts / "aa/bb/cc" / WHEEL)


def test_installed_project_needs_no_index(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """What Poetry has cached by itself is found by its name and hash, then remembered."""
    install(index.files[WHEEL], index, tmp_path)
    index.close()

    assert_bundled(bundle(), locked_project)

    assert index.requests == []
    (note,) = notes(tmp_path)
    assert json.loads(note.read_bytes())["verified"] is True


def test_second_run_does_not_search_the_cache(
    locked_project: Project, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is walked once in a run, and not at all where a note knows the files."""
    artifacts = os.fspath(tmp_path / "cache/artifacts")
    listed: list[str] = []
    scandir = os.scandir

    def listing(path: str) -> Any:
        listed.append(os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listing)
    install(index.files[WHEEL], index, tmp_path)

    bundle()
    assert listed.count(artifacts) == 1
    bundle()

    assert listed.count(artifacts) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes")
def test_takes_the_cached_file_with_the_right_hash(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """Of several files of one name the locked one is taken, whatever else lies in the cache."""
    wheel = index.files[WHEEL]
    others = [
        make_wheel("greeting", files={"greeting/__init__.py": f"WORD = {number}\n"}) for number in range(8)
    ]
    folders = [install(file, index, tmp_path).parent for file in (*others[:4], wheel, *others[4:])]
    strange_entries(tmp_path, folders[0])
    index.close()

    assert_bundled(bundle(), locked_project)


def test_cached_files_of_other_bytes_are_left_aside(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """Where none has the right bytes, the file is fetched, and the others stay as they are."""
    other = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'other'\n"})
    cached = install(other, index, tmp_path)

    assert_bundled(bundle(), locked_project)

    assert downloads(index.requests) == [WHEEL]
    assert cached.read_bytes() == other.data


def test_dry_run_finds_what_is_installed(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """A dry run knows the sizes of what Poetry has cached, and writes not even a note."""
    install(index.files[WHEEL], index, tmp_path)
    index.close()

    report = bundle("--dry-run", "--format", "json").report

    assert report["zipped_bytes"] > 0
    assert notes(tmp_path) == []


def test_no_cache_takes_nothing_that_is_installed(
    locked_project: Project, index: Index, tmp_path: Path
) -> None:
    """With `--no-cache` the index is asked whatever Poetry has cached."""
    install(index.files[WHEEL], index, tmp_path)

    assert_bundled(bundle("--no-cache"), locked_project)

    assert "/simple/greeting/" in index.requests


# --- hashes


def test_other_bytes_are_refused(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """A file whose bytes are not the locked ones is named with both hashes, and kept nowhere."""
    expected = index.files[WHEEL].hash
    evil = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'evil'\n"})
    index.sent[WHEEL] = evil.data

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"{WHEEL} of greeting (1.0) is not the file that was locked: expected {expected}, found {evil.hash}. "
        "It was not kept. If the source is right, run `poetry lock`; if not, the file has been changed."
    )
    assert list((tmp_path / "cache/artifacts").rglob("*.whl")) == []
    assert list((tmp_path / "cache").rglob("sha256-*")) == []
    assert not (locked_project.folder / "dist").exists()


def test_other_bytes_are_refused_without_hash_on_the_page(locked_project: Project, index: Index) -> None:
    """The lock's hash decides also where the index names none."""
    index.page_hashes = False
    index.sent[WHEEL] = make_wheel("greeting", files={"evil.py": ""}).data

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "is not the file that was locked" in outcome.message


def test_other_hash_on_the_page_is_refused(locked_project: Project, index: Index, tmp_path: Path) -> None:
    """A page that names another hash for a locked file is refused before anything is downloaded."""
    expected = index.files[WHEEL].hash
    changed = make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'changed'\n"})
    assert changed.filename == WHEEL
    index.add(changed)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert f"expected {expected}, found {changed.hash}" in outcome.message
    assert downloads(index.requests) == []
    assert list((tmp_path / "cache/artifacts").rglob("*.whl")) == []


# --- what an index may answer besides


def test_file_that_is_no_longer_listed(locked_project: Project, index: Index) -> None:
    """A locked file that the page lacks is named, with what the page offers."""
    index.files.clear()
    index.add(make_wheel("greeting", build="2"), make_wheel("greeting", "2.0"))

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"{WHEEL} of greeting (1.0) is locked, but the index 'tests' does not offer it any more; "
        "it offers greeting-1.0-2-py3-none-any.whl. Run `poetry lock` to lock what is there."
    )


def test_package_that_is_no_longer_listed(locked_project: Project, index: Index) -> None:
    """A package that the index has no page of is named."""
    index.files.clear()

    outcome = bundle()

    assert outcome.exit_code == 1
    assert f"{WHEEL} of greeting (1.0) is locked, but the index 'tests' does not offer it" in outcome.message


@leaves_response_open
@pytest.mark.usefixtures("_unclosed_response")
def test_file_that_is_gone(locked_project: Project, index: Index) -> None:
    """A file that is listed but not there is an error that says so."""
    index.gone.add(WHEEL)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "The file of greeting (1.0) can't be fetched from the index 'tests' (127.0.0.1)" in outcome.message
    assert "404" in outcome.message


@pytest.mark.usefixtures("_no_waiting")
def test_index_unreachable(locked_project: Project, index: Index) -> None:
    """An index that does not answer is named, without its address."""
    index.close()

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message == (
        "The file of greeting (1.0) can't be fetched from the index 'tests' (127.0.0.1): it does not answer. "
        "Check your connection and the source's URL, then run the command again."
    )
    assert not (locked_project.folder / "dist").exists()


@pytest.mark.usefixtures("_no_waiting")
def test_default_index_unreachable(project: Project, default_index: Index) -> None:
    """The default index is no exception."""
    default_project(project, make_wheel("greeting"))
    default_index.close()

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "can't be fetched from the index 'PyPI' (127.0.0.1): it does not answer." in outcome.message


@pytest.mark.usefixtures("_no_waiting")
def test_index_out_of_order(locked_project: Project, index: Index) -> None:
    """An index that answers with an error of its own is named with the status."""
    index.answers["/simple/greeting/"] = (503, "text/plain", b"come back later")

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "'tests' (127.0.0.1): it answered with status 503." in outcome.message


def test_first_error_is_told_whoever_is_faster(project: Project, index: Index) -> None:
    """With several broken packages, one run tells of one of them, and writes nothing."""
    wheels = [make_wheel(name) for name in ("one", "two", "three", "four")]
    index.add(*wheels)
    for wheel in wheels:
        index.sent[wheel.filename] = b"not a wheel"
    project.pyproject(dependencies=["one", "two", "three", "four"], source=index.url)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.count("is not the file that was locked") == 1
    assert not (project.folder / "dist").exists()


# --- credentials


USERNAME, PASSWORD = "user-of-tests", "s3cr3t/of:tests"


@pytest.fixture
def guarded(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index that wants to know who asks."""
    index.credentials = (USERNAME, PASSWORD)
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_USERNAME", USERNAME)
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_PASSWORD", PASSWORD)
    return index


def secrets_in(outcome: Outcome) -> list[str]:
    """Return which credentials a run has printed, as they are or quoted for a URL."""
    printed = outcome.output + outcome.error
    return [word for word in (USERNAME, PASSWORD, "s3cr3t", "czNjcjN0") if word in printed]


@pytest.mark.parametrize("verbosity", ["-q", "-n", "-v", "-vvv"])
def test_credentials_are_used_and_never_shown(
    locked_project: Project, guarded: Index, verbosity: str
) -> None:
    """A guarded index works with Poetry's own credentials, which neither output nor bundle shows."""
    outcome = bundle(verbosity)

    assert outcome.exit_code == 0
    assert secrets_in(outcome) == []
    raw = (locked_project.folder / "dist/my-fn.zip").read_bytes()
    unpacked = b"".join(contents(locked_project.folder / "dist/my-fn.zip").values())
    for data in (raw, unpacked):
        assert USERNAME.encode() not in data
        assert b"s3cr3t" not in data


@leaves_response_open
@pytest.mark.usefixtures("_unclosed_response")
@pytest.mark.parametrize("verbosity", ["-n", "-vvv"])
def test_failure_shows_no_credentials(locked_project: Project, guarded: Index, verbosity: str) -> None:
    """Errors of a guarded index show no credentials either, not even with their traceback."""
    guarded.gone.add(WHEEL)

    outcome = bundle(verbosity)

    assert outcome.exit_code == 1
    assert "404" in outcome.message
    assert secrets_in(outcome) == []


@pytest.mark.parametrize("verbosity", ["-n", "-vvv"])
def test_wrong_credentials(locked_project: Project, guarded: Index, verbosity: str) -> None:
    """A refused password is an error that speaks of the index's credentials, and does not show them."""
    guarded.credentials = (USERNAME, "another")

    outcome = bundle(verbosity)

    assert outcome.exit_code == 1
    assert "credentials" in outcome.message
    assert secrets_in(outcome) == []


@leaves_response_open
@pytest.mark.usefixtures("_unclosed_response")
def test_credentials_in_the_url_are_never_shown(project: Project, index: Index) -> None:
    """Credentials that someone has put in the source's URL are not in our messages."""
    wheel = make_wheel("greeting")
    index.add(wheel)
    index.credentials = (USERNAME, "s3cr3t")
    index.gone.add(wheel.filename)
    url = index.url.replace("http://", f"http://{USERNAME}:s3cr3t@")
    project.pyproject(dependencies=["greeting"], source=url)
    project.lock([Locked.of(wheel)], source=index.url)

    # with -vvv Poetry itself prints the URL of every source
    outcome = bundle("-v")

    assert outcome.exit_code == 1
    assert "can't be fetched from the index 'tests' (127.0.0.1)" in outcome.message
    assert secrets_in(outcome) == []


# --- Poetry's policies


@pytest.mark.parametrize("policy", [":all:", "greeting"])
def test_no_binary_refuses_wheels(
    locked_project: Project, index: Index, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """Where Poetry's configuration wants no wheel of a package, none is taken, and it says why."""
    monkeypatch.setenv("POETRY_INSTALLER_NO_BINARY", policy)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "your `installer.no-binary` refuses its wheels" in outcome.message
    assert "poetry config installer.no-binary" in outcome.message
    assert index.requests == []


@pytest.mark.parametrize(
    ("no_binary", "only_binary"),
    [
        pytest.param("another", "", id="of-another-package"),
        pytest.param(":none:", "", id="none"),
        pytest.param(":all:", "greeting", id="overruled-by-only-binary"),
    ],
)
def test_no_binary_allows_wheels(
    locked_project: Project, monkeypatch: pytest.MonkeyPatch, no_binary: str, only_binary: str
) -> None:
    """A policy that does not concern a package leaves its wheel alone."""
    monkeypatch.setenv("POETRY_INSTALLER_NO_BINARY", no_binary)
    if only_binary:
        monkeypatch.setenv("POETRY_INSTALLER_ONLY_BINARY", only_binary)

    assert_bundled(bundle(), locked_project)


# --- several at once


def test_eight_at_once_over_one_cache(project: Project, index: Index) -> None:
    """Eight processes that start with one empty cache all succeed, with one digest."""
    wheels = [
        make_wheel(name, files={f"{name}.bin": os.urandom(300_000), f"{name}.py": "WORD = 1\n" * 5_000})
        for name in ("one", "two", "three")
    ]
    index.add(*wheels)
    project.pyproject(dependencies=["one", "two", "three"], source=index.url)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    command = [sys.executable, "-m", "poetry", "lambda-bundle", "-o"]
    processes = [
        subprocess.Popen(
            [*command, f"{number}.zip"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for number in range(8)
    ]
    outputs = [process.communicate()[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 8, outputs
    assert len({(project.folder / f"{number}.zip").read_bytes() for number in range(8)}) == 1


def test_eight_at_once_to_one_output(locked_project: Project) -> None:
    """Eight processes with one output leave one whole ZIP and nothing beside it."""
    bundle("-o", "alone/function.zip")

    command = [sys.executable, "-m", "poetry", "lambda-bundle", "-q", "-o", "shared/function.zip"]
    processes = [subprocess.Popen(command) for _ in range(8)]

    assert [process.wait() for process in processes] == [0] * 8
    assert [path.name for path in (locked_project.folder / "shared").iterdir()] == ["function.zip"]
    assert contents(locked_project.folder / "shared/function.zip") == contents(
        locked_project.folder / "alone/function.zip"
    )


@pytest.mark.skipif(not hasattr(Link, "size"), reason="this Poetry does not read sizes from an index")
def test_downloads_the_largest_files_first(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longest begins first, as far as the index says how large its files are."""
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "1")
    sizes = {"small": 10, "large": 300_000, "middle": 50_000}
    wheels = [make_wheel(name, files={f"{name}.bin": os.urandom(size)}) for name, size in sizes.items()]
    index.add(*wheels)
    project.pyproject(dependencies=list(sizes), source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    assert bundle().exit_code == 0

    assert [name.partition("-")[0] for name in downloads(index.requests)] == ["large", "middle", "small"]


def test_download_does_not_wait_for_other_pages(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is asked for as soon as its own page is here, whatever becomes of the other pages."""
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "2")
    wheels = [make_wheel(name) for name in ("quick", "slow")]
    index.add(*wheels)
    index.held["/simple/slow/"] = f"/files/{wheels[0].filename}"
    project.pyproject(dependencies=["quick", "slow"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert downloads(index.requests) == [wheel.filename for wheel in wheels]
    # one that waited too long is not there, and would be asked for again
    assert index.requests.count("/simple/slow/") == 1


@pytest.mark.skipif(not hasattr(Link, "size"), reason="this Poetry does not read sizes from an index")
def test_one_worker_asks_all_pages_before_it_downloads(
    project: Project, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does one thing at a time loses nothing by knowing all sizes first."""
    monkeypatch.setenv("POETRY_INSTALLER_PARALLEL", "false")
    wheels = [
        make_wheel(name, files={f"{name}.bin": os.urandom(size)}) for name, size in (("a", 9), ("b", 99))
    ]
    index.add(*wheels)
    project.pyproject(dependencies=["a", "b"], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    assert bundle().exit_code == 0

    files = [f"/files/{wheel.filename}" for wheel in reversed(wheels)]
    assert index.requests == ["/simple/a/", "/simple/b/", *files]


def test_missing_version_json_is_asked_for_once(
    project: Project, default_index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that lacks the JSON of one release is not asked for that of the next."""
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "1")
    wheels = [make_wheel(name) for name in ("a", "b", "c")]
    default_index.add(*wheels)
    default_project(project, *wheels)

    outcome = bundle()

    assert (outcome.exit_code, outcome.error) == (0, "")
    asked = [path for path in default_index.requests if not path.startswith("/files/")]
    assert asked == ["/pypi/a/1.0/json", "/simple/a/", "/simple/b/", "/simple/c/"]


def test_connections_are_kept(project: Project, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker has at most one connection for pages and one for files."""
    monkeypatch.setenv("POETRY_INSTALLER_MAX_WORKERS", "2")
    wheels = [make_wheel(f"package-{number}") for number in range(12)]
    index.add(*wheels)
    project.pyproject(dependencies=[f"package-{number}" for number in range(12)], source=index.url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)

    assert bundle().exit_code == 0

    assert len(index.requests) == 24
    assert len(index.connections) <= 4
