"""Trees that others wrote, on the ways by which they come: a git repository, a folder, an sdist."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile

from copy import copy
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from tests.support.projects import Locked
from tests.support.sources import commit_all
from tests.support.sources import git
from tests.support.wheels import MadeFile


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from tests.hostile.support_index import Site
    from tests.support.projects import Project


MARKER = "MARKER"
"""Stands for a file that no tree may have written."""

HOST = "HOST"
"""Stands for a folder of the host that is nobody's business."""

SECRET = "s3cret-of-the-host"

NAME = "from-others"
PACKAGE = "from_others"

PYPROJECT = (
    f'[project]\nname = "{NAME}"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
    'EXTRA\n[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
)

BACKEND = """
import os
import zipfile

VERSION = "1.0"
MEMBERS = {"from_others/__init__.py": "NAME = 'from-others'\\n"}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = f"from_others-{VERSION}.dist-info"
    members = {
        **MEMBERS,
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: from-others\\nVersion: {VERSION}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    members[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*members, f"{info}/RECORD"])
    name = "from_others-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in members.items():
            archive.writestr(path, text)
    return name
"""
"""Builds a wheel without any requirement."""

BUILT = {
    "pyproject.toml": f'[project]\nname = "{NAME}"\nversion = "1.0"\n'
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": BACKEND,
}
"""A tree that is built by a backend of its own."""

Way = Literal["git", "folder", "sdist"]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A tree that reaches for what is not its own."""

    name: str
    way: Way = "git"
    extra: str = ""
    """More of pyproject.toml."""
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    pipes: tuple[str, ...] = ()
    members: tuple[tarfile.TarInfo, ...] = ()
    """More of an sdist."""
    names: tuple[bytes, ...] = ()
    """Files that are named by bytes, in the package."""
    subdirectory: str = ""
    arguments: tuple[str, ...] = ()
    words: tuple[str, ...] = (NAME,)
    unseen: tuple[str, ...] = ()
    exit_code: int = 1
    before: Callable[[], None] | None = None
    """Is called in the process of the run."""
    gets_through: str = ""
    """The point of issue 16 that it is, as long as it is not mended."""
    since: str = ""
    """The first Poetry that ends it in this way."""


def hostile_repository(command: str, below: str = "", tree: str = ".", **settings: str) -> dict[str, str]:
    """Return what git takes for a repository, whose configuration runs a command."""
    prefix = f"{below}/" if below else ""
    core = {"repositoryformatversion": "0", "bare": "false", "worktree": tree}
    core |= {"fsmonitor": f'"{command}; false"', **settings}
    return {
        f"{prefix}HEAD": "ref: refs/heads/main\n",
        f"{prefix}objects/.keep": "",
        f"{prefix}refs/.keep": "",
        f"{prefix}config": "[core]\n" + "".join(f"\t{name} = {value}\n" for name, value in core.items()),
    }


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a link, or another member without data, of an sdist."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


class World:
    """The folders of one test: what is private, and what must not appear."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.private = root / "private"
        self.marker = root / "marker"
        for path in ("secret.py", "secret.txt", "package/__init__.py", "pyproject.toml"):
            (self.private / path).parent.mkdir(parents=True, exist_ok=True)
            (self.private / path).write_text(f"'{SECRET}'\n")

    def named(self, text: str) -> str:
        """Put paths in the place of what stands for them."""
        return text.replace(MARKER, str(self.marker)).replace(HOST, str(self.private))

    def write(self, row: Tree, folder: Path) -> None:
        """Write a row's tree."""
        base = {"pyproject.toml": PYPROJECT, f"{PACKAGE}/__init__.py": f"NAME = '{NAME}'\n"}
        for path, text in {**base, **row.files}.items():
            file = folder / row.subdirectory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.named(text.replace("EXTRA", row.extra)))
        for path, target in row.links.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).unlink(missing_ok=True)
            (folder / path).symlink_to(self.named(target))
        for path in row.pipes:
            (folder / path).unlink(missing_ok=True)
            os.mkfifo(folder / path)
        for name in row.names:
            Path(os.fsdecode(os.fsencode(folder / row.subdirectory / PACKAGE) + b"/" + name)).write_text("x")

    def depend(self, row: Tree, project: Project, site: Site) -> None:
        """Lock a project that depends on a row's tree."""
        folder = self.root / "from-others"
        folder.mkdir()
        self.write(row, folder)
        locked, dependency = getattr(self, f"_{row.way}")(row, folder, site)
        tool = f"[tool.poetry.dependencies]\n{NAME} = {dependency}\n"
        project.pyproject(dependencies=[NAME], tool=tool, source=site.url, config='runtime = "python3.13"')
        project.write({"my_fn.py": ""})
        project.lock([locked], source=site.url)

    def _git(self, row: Tree, folder: Path, _: Site) -> tuple[Locked, str]:
        return lock_git(folder, commit_all(folder), row.subdirectory)

    def _folder(self, _: Tree, folder: Path, __: Site) -> tuple[Locked, str]:
        source = {"type": "directory", "url": f"../{folder.name}"}
        return Locked(NAME, source=source, develop=False), f'{{path = "../{folder.name}"}}'

    def _sdist(self, row: Tree, folder: Path, site: Site) -> tuple[Locked, str]:
        made = MadeFile(f"{PACKAGE}-1.0.tar.gz", self._packed(row, folder))
        site.offer(NAME, made)
        return Locked.of(made), '"*"'

    def write_other_sdist(self) -> None:
        """Write an sdist of the same name with other code in it."""
        folder = self.root / "other"
        folder.mkdir()
        self.write(Tree(name="", files={**BUILT, "backend.py": BACKEND.replace("NAME =", "EVIL =")}), folder)
        (self.root / "other.tar.gz").write_bytes(self._packed(Tree(name=""), folder))

    def _packed(self, row: Tree, folder: Path) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(folder, f"{PACKAGE}-1.0")
            for member in row.members:
                named = copy(member)
                named.name, named.linkname = self.named(member.name), self.named(member.linkname)
                archive.addfile(named, io.BytesIO(bytes(named.size)))
        return buffer.getvalue()


def lock_git(folder: Path, revision: str, subdirectory: str = "") -> tuple[Locked, str]:
    """Lock a revision of a repository; return the package and the dependency's TOML."""
    url = folder.as_uri()
    source = {"type": "git", "url": url, "reference": "main"}
    if revision:
        source["resolved_reference"] = revision
    if subdirectory:
        source["subdirectory"] = subdirectory
    return Locked(NAME, source=source, develop=False), f'{{git = "{url}"}}'


def commit_raw(folder: Path, entries: Mapping[bytes, tuple[str, str]]) -> str:
    """Commit names that git itself would refuse, each with mode and object; return the revision."""
    tree = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha)
        for name, (mode, sha) in sorted(entries.items())
    )
    sha = hash_object(folder, "tree", tree)
    revision = git(folder, "commit-tree", sha, "-m", "raw").strip()
    git(folder, "update-ref", "refs/heads/main", revision)
    return revision


def hash_object(folder: Path, kind: str, data: bytes) -> str:
    """Store an object, however wrong it is, and return its hash."""
    command = ["git", "hash-object", "--literally", "-t", kind, "-w", "--stdin"]
    done = subprocess.run(command, cwd=folder, input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


def in_the_way(path: Path, how: str, world: World) -> None:
    """Put something in the place of a file: a folder, a pipe, a link that loops, or one to the host."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    ways: dict[str, Callable[[], Any]] = {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path.name),
        "nowhere": lambda: path.symlink_to(world.root / "nowhere"),
        "link": lambda: path.symlink_to(world.private / "secret.txt"),
    }
    ways[how]()
