"""Indexes that want credentials or certificates, and indexes that are folders."""

from __future__ import annotations

import ssl

from typing import TYPE_CHECKING

import keyring
import pytest
import trustme

from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential
from keyring.errors import PasswordSetError

from tests.support.index import Index
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


USER, PASSWORD = "some-user", "s3cret-p4ssword"


@pytest.fixture
def wheel(index: Index) -> MadeFile:
    """A wheel on an index that wants credentials."""
    made = make_wheel("private", files={"private.py": "X = 1\n"})
    index.add(made)
    index.credentials = (USER, PASSWORD)
    return made


class Vault(KeyringBackend):
    """A keyring that knows one person."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return PASSWORD if service and username == USER else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError(f"{username} of {service} keeps the password ({len(password)} characters)")

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        return SimpleCredential(USER, PASSWORD) if service and username in (None, USER) else None


@pytest.fixture
def vault() -> Iterator[None]:
    """Make the vault the user's keyring."""
    previous = keyring.get_keyring()
    keyring.set_keyring(Vault())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(previous)


@pytest.fixture
def certificates(tmp_path: Path) -> Iterator[tuple[Index, Path, Path]]:
    """An index that shows a certificate and wants one; the authority's file and the client's."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    trusted, client = tmp_path / "authority.pem", tmp_path / "client.pem"
    authority.cert_pem.write_to_path(str(trusted))
    authority.issue_cert("developer@example.org").private_key_and_cert_chain_pem.write_to_path(str(client))
    served = Index(context)
    yield served, trusted, client
    served.close()


def lock(project: Project, wheel: MadeFile, url: str) -> None:
    project.pyproject(dependencies=["private"], source=url)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=url)


def with_credentials(url: str) -> str:
    return url.replace("://", f"://{USER}:{PASSWORD}@")


def test_masks_credentials_of_the_address(project: Project, index: Index, wheel: MadeFile) -> None:
    """Credentials in a source's URL work, and are in no output and not in the bundle."""
    index.html = True
    lock(project, wheel, with_credentials(index.url))

    outcome = run("lambda-bundle", "-vvv")

    assert outcome.exit_code == 0, outcome.error
    assert PASSWORD not in outcome.output + outcome.error
    for data in contents(project.folder / "dist/my-fn.zip").values():
        assert PASSWORD.encode() not in data


def test_masks_credentials_in_errors(project: Project, index: Index, wheel: MadeFile) -> None:
    """An index that can't be reached is named by its host alone, at any verbosity."""
    lock(project, wheel, with_credentials(index.url).replace("simple", "nowhere"))

    outcome = run("lambda-bundle", "-vvv")

    assert outcome.exit_code == 1
    assert "private-1.0-py3-none-any.whl of private (1.0) is locked" in outcome.message
    assert PASSWORD not in outcome.output + outcome.error


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(None, id="none"),
        pytest.param((USER, "wrong-one"), id="wrong"),
    ],
)
def test_says_that_credentials_are_missing(
    project: Project,
    index: Index,
    wheel: MadeFile,
    monkeypatch: pytest.MonkeyPatch,
    credentials: tuple[str, str] | None,
) -> None:
    """A source that denies access is not taken for one that lacks the file."""
    if credentials:
        monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_USERNAME", credentials[0])
        monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_PASSWORD", credentials[1])
    lock(project, wheel, index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.endswith(
        "it answered with status 401. It wants credentials: "
        "`poetry config http-basic.tests USER PASSWORD`, or the variables "
        "POETRY_HTTP_BASIC_TESTS_USERNAME and POETRY_HTTP_BASIC_TESTS_PASSWORD."
    )
    assert "wrong-one" not in outcome.error
    assert not (project.folder / "dist").exists()


@pytest.mark.parametrize("priority", ["supplemental", "explicit"])
def test_takes_each_package_from_its_own_source(
    project: Project, index: Index, wheel: MadeFile, monkeypatch: pytest.MonkeyPatch, priority: str
) -> None:
    """A package locked from a supplemental or explicit source is fetched from there."""
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_USERNAME", USER)
    monkeypatch.setenv("POETRY_HTTP_BASIC_TESTS_PASSWORD", PASSWORD)
    source = f'[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\npriority = "{priority}"\n'
    project.pyproject(dependencies=["private"], tool=source)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert "private.py" in contents(project.folder / "dist/my-fn.zip")


def test_reads_an_index_that_is_a_folder(project: Project) -> None:
    """A `file:` index has a folder and a page per project, with relative links."""
    wheel = make_wheel("private", files={"private.py": "X = 1\n"})
    page = f'<a href="../../wheels/{wheel.filename}">{wheel.filename}</a>'
    project.write({"index/simple/private/index.html": page, f"index/wheels/{wheel.filename}": wheel.data})
    lock(project, wheel, (project.folder / "index/simple").as_uri())

    outcome = bundle()

    assert outcome.exit_code == 0, outcome.error
    assert contents(project.folder / "dist/my-fn.zip")["private.py"] == b"X = 1\n"


def test_refuses_two_sources_of_one_name(project: Project, index: Index, wheel: MadeFile) -> None:
    """Two sources of one name are refused before anything is asked."""
    twice = f'[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\n' * 2
    project.pyproject(dependencies=["private"], tool=twice)
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert "tests" in outcome.message
    assert "already" in outcome.message
    assert index.requests == []


def test_names_a_source_that_is_not_defined(project: Project, index: Index, wheel: MadeFile) -> None:
    """A package locked from a source that pyproject.toml no longer has is named with it."""
    project.pyproject(dependencies=["private"])
    project.write({"my_fn.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert (
        "private (1.0) is locked from the source 'tests', which pyproject.toml does not define"
        in outcome.message
    )


@pytest.mark.usefixtures("vault")
def test_takes_credentials_from_the_keyring(
    project: Project, index: Index, wheel: MadeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that lies in the keyring alone opens the source."""
    monkeypatch.setenv("POETRY_KEYRING_ENABLED", "true")
    lock(project, wheel, index.url)

    outcome = run("lambda-bundle", "-vvv")

    assert outcome.exit_code == 0, outcome.error
    assert "private.py" in contents(project.folder / "dist/my-fn.zip")
    assert PASSWORD not in outcome.output + outcome.error


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(("CERT", "CLIENT_CERT"), 0, id="both"),
        pytest.param(("CERT",), 1, id="no client certificate"),
        pytest.param(("CLIENT_CERT",), 1, id="unknown authority"),
    ],
)
def test_shows_and_checks_certificates(
    project: Project,
    certificates: tuple[Index, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
    expected: int,
) -> None:
    """`certificates.NAME.cert` and `client-cert` hold for pages and files; without them nothing is taken."""
    monkeypatch.setattr("poetry.utils.authenticator.time.sleep", lambda _: None)
    secured, trusted, client = certificates
    wheel = make_wheel("private", files={"private.py": "X = 1\n"})
    secured.add(wheel)
    for setting, file in (("CERT", trusted), ("CLIENT_CERT", client)):
        if setting in settings:
            monkeypatch.setenv(f"POETRY_CERTIFICATES_TESTS_{setting}", str(file))
    lock(project, wheel, secured.url)

    outcome = bundle()

    assert outcome.exit_code == expected, outcome.error
    assert (project.folder / "dist/my-fn.zip").exists() is (expected == 0)
    if expected:
        assert "127.0.0.1" in outcome.message
        assert secured.requests == []


@pytest.mark.parametrize(
    ("host", "is_trusted", "expected"),
    [
        pytest.param("127.0.0.1", True, 0, id="right"),
        pytest.param("127.0.0.1", False, 1, id="unknown authority"),
        pytest.param("127.0.0.2", True, 1, id="another host's certificate"),
    ],
)
def test_checks_what_connections_share(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    is_trusted: bool,
    expected: int,
) -> None:
    """Connections that have the authorities in common check certificate and host as others do."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    trusted = tmp_path / "authority.pem"
    (authority if is_trusted else trustme.CA()).cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("POETRY_CERTIFICATES_TESTS_CERT", str(trusted))
    monkeypatch.setattr("poetry.utils.authenticator.time.sleep", lambda _: None)
    secured = Index(context)
    wheel = make_wheel("private", files={"private.py": "X = 1\n"})
    secured.add(wheel)
    lock(project, wheel, secured.url)

    outcome = bundle()
    secured.close()

    assert outcome.exit_code == expected, outcome.error
    assert bool(secured.requests) is (expected == 0)
