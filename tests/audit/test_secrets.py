"""Which files likely hold a secret, and which only look as if they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.audit.secrets import secrets
from poetry_lambda_plugin.layout.plan import BundlePlan


if TYPE_CHECKING:
    from pathlib import Path


KEY = b"-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


def found(path: str, data: bytes = b"A=1", owner: str = "my-fn") -> list[str | None]:
    entry = Entry(path, BytesContent(data), owner=owner)
    plan = BundlePlan(entries=(entry,), distributions=(), findings=())
    return [finding.where for finding in secrets(plan, "my-fn")]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (".env", b"A=1"),
        ("my_fn/.env", b"A=1"),
        (".env.local", b"A=1"),
        (".env.production", b"A=1"),
        (".envrc", b"export A=1"),
        (".ENV", b"A=1"),
        ("keys/id_rsa", b"..."),
        ("id_ed25519", b"..."),
        ("id_ecdsa_sk", b"..."),
        ("id_deploy", KEY),
        ("server.pem", KEY),
        ("chain.crt", CERTIFICATE + KEY),
        ("server.key", KEY.replace(b"\n", b"\r\n")),
        ("rsa.pem", KEY.replace(b"PRIVATE", b"RSA PRIVATE")),
        ("ssh.pem", KEY.replace(b"PRIVATE", b"OPENSSH PRIVATE")),
        ("locked.pem", KEY.replace(b"PRIVATE", b"ENCRYPTED PRIVATE")),
        ("pgp.key", KEY.replace(b"KEY", b"KEY BLOCK")),
        ("putty.ppk", b"PuTTY-User-Key-File-3: ssh-ed25519\r\n"),
        (".aws/credentials", b"[default]"),
        ("home/.aws/credentials", b"[default]"),
        (".netrc", b"machine a login b password c"),
        ("_netrc", b"machine a login b password c"),
        (".pypirc", b"[pypi]\npassword = x"),
        (".npmrc", b"//registry.example.org/:_authToken=abc\n"),
        (".npmrc", b"_auth = YTpi"),
        (".git-credentials", b"https://a:b@example.org"),
        (".gitconfig", b"[user]"),
        (".git/config", b"[core]"),
        (".gitmodules", b"[submodule]\n\turl = https://oauth2:TOKEN@example.org/a.git"),
    ],
)
def test_likely_a_secret(path: str, data: bytes) -> None:
    """What is named or looks like a secret is told, at its path."""
    assert found(path, data) == [path]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (".env", b""),
        (".env.example", b"A="),
        (".env.sample", b"A="),
        (".env-template", b"A="),
        (".env.local.example", b"A="),
        (".env.vault", b"A=encrypted"),
        (".environment", b"A=1"),
        ("env", b"A=1"),
        ("my.env.py", b"A=1"),
        (".env/readme", b"a folder"),
        ("id_rsa.pub", b"ssh-rsa AAAA"),
        ("id_map.json", b"{}"),
        ("id_generator.py", b"import uuid"),
        ("my_id_rsa.txt", b"..."),
        ("cacert.pem", CERTIFICATE),
        ("public.pem", CERTIFICATE.replace(b"CERTIFICATE", b"PUBLIC KEY")),
        ("slides.key", b"\x00\x01PRIVATE KEY"),
        ("tests/broken.pem", b"BEGIN PRIVATE KEY"),
        ("keys.py", KEY),
        ("aws/credentials", b"[default]"),
        (".aws/config", b"[default]\nregion = eu-central-1"),
        (".npmrc", b"registry=https://example.org/\n"),
        (".npmrc", b"//example.org/:_authToken=${NPM_TOKEN}\n# _authToken=abc\n"),
        (".gitkeep", b""),
        (".gitkeep", b"kept"),
        (".gitignore", b"*.pyc"),
        (".gitattributes", b"* text=auto"),
        (".gitmodules", b"[submodule]\n\turl = ssh://git@example.org:22/a.git"),
        (".github/workflows/ci.yml", b"on: push"),
    ],
)
def test_nothing_of_the_kind(path: str, data: bytes) -> None:
    """Examples, public keys, certificates and what git needs in the open are no secrets."""
    assert found(path, data) == []


def test_wheels_are_not_looked_at(tmp_path: Path) -> None:
    """What a dependency ships is in the open already; what lies in a folder of the user's is not."""
    file = tmp_path / ".env"
    file.write_bytes(b"A=1")
    entry = Entry("lib/.env", FileContent(file, 3), owner="lib")
    plan = BundlePlan(entries=(entry,), distributions=(), findings=())

    assert found("lib/.env", owner="lib") == []
    assert [finding.where for finding in secrets(plan, "my-fn")] == ["lib/.env"]


def test_message_says_what_to_write() -> None:
    """Both ways out are written as they go into the table; a layer's folder is not seen."""
    entry = Entry("python/.env", BytesContent(b"A=1"), owner="my-fn")
    plan = BundlePlan(entries=(entry,), distributions=(), findings=(), prefix="python/")

    (finding,) = secrets(plan, "my-fn")

    assert finding.where == ".env"
    assert finding.message == (
        "'.env' holds the environment's variables, by all appearances, for all who may read the function's "
        "code. Leave it out with exclude = ['/.env'], or, where it is meant to be there, write "
        "ignore = ['secret:.env']."
    )
