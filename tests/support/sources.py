"""Source trees, sdists, git repositories, and wheels of what is installed here."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import subprocess
import tarfile

from typing import TYPE_CHECKING

from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def poetry_project(name: str, files: Mapping[str, str] | None = None, *, extra: str = "") -> dict[str, str]:
    """Return the files of a project that poetry-core builds."""
    stem = name.replace("-", "_")
    pyproject = (
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.9"\n{extra}\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    return {"pyproject.toml": pyproject, **(files or {f"{stem}/__init__.py": f"NAME = '{name}'\n"})}


def make_sdist(name: str, files: Mapping[str, str], version: str = "1.0") -> MadeFile:
    """Pack a source tree as build backends do: one folder, gzipped."""
    stem = name.replace("-", "_")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(f"{stem}-{version}/{path}")
            member.size = len(data)
            member.mtime = 1_600_000_000
            archive.addfile(member, io.BytesIO(data))
    return MadeFile(f"{stem}-{version}.tar.gz", buffer.getvalue())


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def commit_all(folder: Path) -> str:
    """Commit everything in a folder, made a repository where it is none; return the revision."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a commit")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    identity = (
        "-c",
        "user.name=tests",
        "-c",
        "user.email=tests@example.org",
        "-c",
        "protocol.file.allow=always",
    )
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def wheel_of_installed(name: str) -> MadeFile:
    """Pack an installed pure distribution as a wheel again, so that an index can offer it offline."""
    distribution = importlib.metadata.distribution(name)
    files: dict[str, bytes | str] = {}
    for path in distribution.files or ():
        text = path.as_posix()
        if text.startswith("..") or "__pycache__" in text or ".dist-info/" in text:
            continue
        files[text] = path.read_binary()
    requires = tuple(r for r in distribution.requires or () if "extra ==" not in r)
    entry_points = distribution.read_text("entry_points.txt") or ""
    return make_wheel(
        distribution.metadata["Name"].replace("_", "-"),
        distribution.version,
        files,
        requires=requires,
        entry_points=entry_points,
    )


def record_hash(data: bytes) -> str:
    """Return a hash as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
