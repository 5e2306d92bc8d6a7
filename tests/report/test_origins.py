"""What a package URL says of where a package came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_lambda_plugin.report.origins import origin_of
from poetry_lambda_plugin.report.origins import qualifiers
from poetry_lambda_plugin.selection.locked import LockedPackage


ROOT = Path("/home/ada/my fn").absolute()
REVISION = "1" * 40


def locked(kind: str, url: str | Path | None, **more: str) -> LockedPackage:
    return LockedPackage(
        name="shared",
        version="1.0",
        files=(),
        source_type=kind,
        source_reference=more.get("reference"),
        source_url=str(url) if url else None,
        source_revision=more.get("revision"),
        source_subdirectory=more.get("subdirectory"),
    )


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        pytest.param(locked("", None), {}, id="default-index"),
        pytest.param(
            locked("legacy", "https://me:secret@files.example/simple?token=1"),
            {"repository_url": "https://files.example/simple"},
            id="index",
        ),
        pytest.param(
            locked("url", "https://me@files.example/shared-1.0.zip?sig=secret#sha256=1"),
            {"download_url": "https://files.example/shared-1.0.zip"},
            id="url",
        ),
        pytest.param(
            locked("git", "https://token@git.example/us/shared.git", revision=REVISION, subdirectory="lib"),
            {"vcs_url": f"git+https://git.example/us/shared.git@{REVISION}#lib"},
            id="git",
        ),
        pytest.param(
            locked("git", "git@git.example:us/shared.git", reference="main"),
            {"vcs_url": "git+ssh://git@git.example/us/shared.git@main"},
            id="git-scp",
        ),
        pytest.param(
            locked("git", "ssh://git@git.example/us/shared.git", revision=REVISION),
            {"vcs_url": f"git+ssh://git@git.example/us/shared.git@{REVISION}"},
            id="git-ssh",
        ),
        pytest.param(
            locked("git", "ssh://me:secret@git.example/us/shared.git", revision=REVISION),
            {"vcs_url": f"git+ssh://git.example/us/shared.git@{REVISION}"},
            id="git-password",
        ),
        pytest.param(
            locked("git", "file://None/srv/shared", revision=REVISION),
            {"vcs_url": f"git+file:///srv/shared@{REVISION}"},
            id="git-file",
        ),
        pytest.param(
            locked("directory", ROOT.parent / "our lib"), {"download_url": "file:../our%20lib"}, id="folder"
        ),
        pytest.param(
            locked("file", ROOT / "lib/shared-1.0-py3-none-any.whl"),
            {"download_url": "file:lib/shared-1.0-py3-none-any.whl"},
            id="file",
        ),
    ],
)
def test_qualifiers(package: LockedPackage, expected: dict[str, str]) -> None:
    """Each kind of origin has its own, none has a credential or a path of this host."""
    assert qualifiers(package, ROOT) == expected


def test_origin() -> None:
    """All indexes are of one kind."""
    assert [origin_of(locked(kind, None)) for kind in ("", "legacy", "git")] == ["index", "index", "git"]
