"""Git trees, folders and sdists of others: they run nothing, and reach for nothing of the host."""

from __future__ import annotations

import os
import sys
import tarfile

from functools import cache
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile.support_index import WHEEL
from tests.hostile.support_marks import rows
from tests.hostile.support_runs import SECONDS
from tests.hostile.support_runs import Limits
from tests.hostile.support_runs import bundle
from tests.hostile.support_runs import faults
from tests.hostile.support_trees import BACKEND
from tests.hostile.support_trees import BUILT
from tests.hostile.support_trees import HOST
from tests.hostile.support_trees import MARKER
from tests.hostile.support_trees import NAME
from tests.hostile.support_trees import PACKAGE
from tests.hostile.support_trees import SECRET
from tests.hostile.support_trees import Tree
from tests.hostile.support_trees import World
from tests.hostile.support_trees import commit_raw
from tests.hostile.support_trees import hash_object
from tests.hostile.support_trees import hostile_repository
from tests.hostile.support_trees import in_the_way
from tests.hostile.support_trees import link
from tests.hostile.support_trees import lock_git
from tests.support.runner import contents
from tests.support.sources import commit_all
from tests.support.sources import git
from tests.support.sources import wheel_of_installed
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from tests.hostile.support_index import Site
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


TOUCH = f"touch {MARKER}"

harmless = partial(Tree, exit_code=0, words=())


def replace_sdist() -> None:
    """Let another sdist lie in the cache's place from when Poetry begins to build."""
    from poetry.installation.chef import Chef

    prepare = Chef.prepare

    def replaced(self: Chef, archive: Path, *arguments: object, **options: object) -> Path:
        for cached in Path(os.environ["POETRY_CACHE_DIR"]).rglob(f"{PACKAGE}-1.0.tar.gz"):
            cached.write_bytes(Path("../other.tar.gz").read_bytes())
        return prepare(self, archive, *arguments, **options)  # type: ignore[arg-type]

    Chef.prepare = replaced  # type: ignore[method-assign]


TREES = [
    # --- commands
    harmless(name="repository at the root", files=hostile_repository(TOUCH)),
    harmless(name="repository below the root", subdirectory="python", files=hostile_repository(TOUCH)),
    harmless(name="repository in the package", files=hostile_repository(TOUCH, PACKAGE)),
    harmless(name="repository in a folder", way="folder", files=hostile_repository(TOUCH)),
    harmless(
        name="repository in a folder, dry",
        way="folder",
        files=hostile_repository(TOUCH),
        arguments=("--dry-run",),
    ),
    harmless(
        name="repository of another name",
        way="folder",
        files={**hostile_repository(TOUCH, "data", tree=".."), ".git": "gitdir: data\n"},
    ),
    harmless(name="bare repository in an sdist", way="sdist", files=hostile_repository(TOUCH)),
    harmless(name="repository in an sdist", way="sdist", files=hostile_repository(TOUCH, ".git", tree="..")),
    harmless(
        name="hooks and filters",
        files={
            **hostile_repository("false", hooksPath="hooks", pager=TOUCH, sshCommand=TOUCH, editor=TOUCH),
            "hooks/post-checkout": f"#!/bin/sh\n{TOUCH}\n",
            "hooks/post-index-change": f"#!/bin/sh\n{TOUCH}\n",
            ".gitattributes": "* filter=evil\n",
        },
    ),
    harmless(
        name="repository in the package of a folder",
        way="folder",
        files=hostile_repository(TOUCH, f"{PACKAGE}/.git", tree=".."),
    ),
    harmless(
        name="repository in a folder, that fetches",
        way="folder",
        files={
            **hostile_repository("false", ".git", tree="..", sshCommand=TOUCH, gitProxy=TOUCH),
            ".git/config": (
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n"
                f'[remote "origin"]\n\turl = ext::{TOUCH}\n\tuploadpack = {TOUCH}\n\tpromisor = true\n'
            ),
        },
    ),
    Tree(
        name="repository whose configuration is broken",
        way="folder",
        files={**hostile_repository("false", ".git", tree=".."), ".git/config": "[core\n"},
        words=(NAME, "bad config", "Mend the repository"),
    ),
    # --- files of the host
    Tree(name="pyproject.toml of the host", links={"pyproject.toml": f"{HOST}/pyproject.toml"}),
    Tree(name="pyproject.toml without end", links={"pyproject.toml": "/dev/zero"}),
    Tree(
        name="pyproject.toml that is a pipe",
        way="folder",
        pipes=("pyproject.toml",),
        words=("pyproject.toml",),
    ),
    Tree(
        name="pyproject.toml that is a loop",
        links={"pyproject.toml": "pyproject.toml"},
        words=("pyproject.toml",),
    ),
    Tree(name="module of the host", links={f"{PACKAGE}/m.py": f"{HOST}/secret.py"}),
    Tree(name="folder of the host", links={f"{PACKAGE}/m": HOST}),
    Tree(name="package of the host", links={PACKAGE + "/again": f"{HOST}/package"}),
    harmless(name="licence of the host", extra=f'license = {{file = "{HOST}/secret.txt"}}'),
    harmless(name="licence that climbs", extra='license = {file = "../../../../../etc/hostname"}'),
    harmless(name="licence by a link", links={"LICENSE": f"{HOST}/secret.txt"}),
    harmless(name="readme of the host", extra=f'readme = "{HOST}/secret.txt"'),
    harmless(name="readme by a link", extra='readme = "R.md"', links={"R.md": f"{HOST}/secret.txt"}),
    Tree(
        name="packages from the host",
        extra=f'[tool.poetry]\npackages = [{{include = "package", from = "{HOST}"}}]',
    ),
    Tree(
        name="packages from far above",
        extra='[tool.poetry]\npackages = [{include = "hostname", from = "../../../../../../../../../etc"}]',
        words=(NAME, "outside its repository"),
    ),
    Tree(
        name="packages that climb",
        extra='[tool.poetry]\npackages = [{include = "../../../../../../../../../etc/hostname"}]',
    ),
    Tree(
        name="packages by a link and up",
        subdirectory="python",
        extra='[tool.poetry]\npackages = [{include = "private/package", from = "d/../.."}]',
        links={"python/d": ".."},
        words=(NAME, "outside its repository"),
    ),
    Tree(name="link by a link", links={f"{PACKAGE}/m": "../l", "l": HOST}, words=(NAME, "outside its repo")),
    harmless(name="link to the host that nobody needs", links={"docs": HOST, "tests/x": HOST}),
    Tree(
        name="link of a project without package",
        extra="[tool.poetry]\npackage-mode = false",
        links={"docs": HOST, "m.py": f"{HOST}/secret.py"},
        words=(NAME, "outside its repository"),
    ),
    Tree(
        name="include of the host",
        extra=f'[tool.poetry]\ninclude = [{{path = "{HOST}/secret.txt", format = "wheel"}}]',
    ),
    harmless(name="exclude of the host", extra=f'[tool.poetry]\nexclude = ["{HOST}/**/*"]'),
    harmless(
        name="exclude that climbs",
        extra='[tool.poetry]\nexclude = ["../../../../../../../../../../etc/*"]',
    ),
    Tree(name="script of the host", extra=f'[tool.poetry]\nbuild = "{HOST}/secret.py"'),
    harmless(name="folder that holds itself", links={f"{PACKAGE}/again": "."}),
    harmless(name="pipe in the package", way="folder", pipes=(f"{PACKAGE}/pipe",)),
    Tree(
        name="subdirectory by a link",
        subdirectory="python",
        links={"python/pyproject.toml": f"{HOST}/pyproject.toml"},
    ),
    # --- names
    Tree(name="name that is no UTF-8", names=(b"\xff.txt",), words=(NAME, "UTF-8")),
    harmless(name="name with an escape", names=(b"\x1b[31m.txt",), arguments=("-vvv",)),
    harmless(
        name="name with new lines",
        names=(b"\n::error::forged",),
        unseen=("\n::error::",),
        arguments=("-vvv", "--explain"),
    ),
    harmless(
        name="names that differ in case",
        names=(b"Data.txt", b"data.txt"),
        words=("Data.txt", "data.txt"),
    ),
    harmless(
        name="names that differ in form",
        names=("\u00e9.txt".encode(), "e\u0301.txt".encode()),
        words=("\u00e9.txt", "e\u0301.txt"),
    ),
    harmless(
        name="version with an escape",
        way="folder",
        files={
            **BUILT,
            "backend.py": BACKEND.replace('VERSION = "1.0"', 'VERSION = "1.0\\x1b]0;forged\\x07"'),
        },
        arguments=("--ansi", "-v", "--explain"),
    ),
    # --- sdists
    harmless(
        name="sdist that is another when it is built",
        way="sdist",
        files=BUILT,
        before=replace_sdist,
    ),
    Tree(
        name="sdist that climbs",
        way="sdist",
        files=BUILT,
        members=(tarfile.TarInfo("../../../../" + MARKER),),
    ),
    harmless(
        name="sdist with an absolute path",
        since="2.5",
        way="sdist",
        files=BUILT,
        members=(tarfile.TarInfo(MARKER),),
    ),
    Tree(name="sdist with a link out", way="sdist", files=BUILT, members=(link("from_others-1.0/l", HOST),)),
    Tree(
        name="sdist that writes through a link",
        way="sdist",
        files=BUILT,
        members=(
            link("from_others-1.0/l", ".."),
            link("from_others-1.0/l/l", "../.."),
            tarfile.TarInfo("from_others-1.0/l/l/marker"),
        ),
    ),
    Tree(
        name="sdist with a hard link out",
        way="sdist",
        files=BUILT,
        members=(link("from_others-1.0/l", f"{HOST}/secret.txt", tarfile.LNKTYPE),),
    ),
    Tree(
        name="sdist with a device",
        way="sdist",
        files=BUILT,
        members=(link("from_others-1.0/d", "", tarfile.CHRTYPE),),
    ),
    Tree(
        name="sdist with a pipe",
        way="sdist",
        files=BUILT,
        members=(link("from_others-1.0/p", "", tarfile.FIFOTYPE),),
    ),
]


@cache
def poetry_core() -> MadeFile:
    """Pack the backend that sdists of Poetry's want."""
    return wheel_of_installed("poetry-core")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """What is private, and what must not appear."""
    return World(tmp_path)


@pytest.mark.parametrize("row", rows(TREES))
def test_tree(row: Tree, world: World, project: Project, site: Site) -> None:
    """Whatever a tree holds, no command of it runs, and nothing outside it is opened, listed or bundled."""
    world.depend(row, project, site)
    if row.way == "sdist":
        site.offer("poetry-core", poetry_core())
        world.write_other_sdist()
    limits = Limits(watched=world.private, before=row.before, seconds=2 * SECONDS)

    outcome = bundle(*row.arguments, limits=limits)

    found = faults(
        outcome, row.words, (SECRET, *row.unseen), row.exit_code, decorated="--ansi" in row.arguments
    )
    found += [f"touches {what}" for what in outcome.touched]
    if world.marker.exists():
        found.append("runs a command, or writes outside")
    output = project.folder / "dist/my-fn.zip"
    if row.exit_code and output.exists():
        found.append("writes a bundle")
    files = contents(output) if output.exists() else {}
    found += [f"bundles {path}" for path, data in files.items() if SECRET.encode() in data]
    assert not found, "\n".join((*found, outcome.shown))
    if files:
        assert files[f"{PACKAGE}/__init__.py"] == f"NAME = '{NAME}'\n".encode()


# --- trees of names that git itself would not commit

RAW_NAMES = [b"..", b".git", b".GIT", b"git~1", b"a/b", b"../../marker", b"/marker", b"a\\..\\b"]


@pytest.mark.parametrize("name", RAW_NAMES)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_raw_tree(name: bytes, kind: str, world: World, project: Project) -> None:
    """A tree with names that lead out of it, or into git's own folder, writes neither there nor elsewhere."""
    folder = write_tree(world.root / "from-others", {"README": ""})
    commit_all(folder)
    pyproject = hash_object(folder, "blob", BUILT["pyproject.toml"].replace("backend", "b").encode())
    evil = hash_object(folder, "blob", b"EVIL = True\n")
    inner = hash_object(folder, "tree", b"100644 marker\0" + bytes.fromhex(evil))
    entry = ("100644", evil) if kind == "file" else ("40000", inner)
    revision = commit_raw(folder, {b"pyproject.toml": ("100644", pyproject), name: entry})
    before = {path for path in world.root.rglob("*") if "marker" in path.name}

    _depend_on(project, folder, revision)
    outcome = bundle()

    after = {path for path in world.root.rglob("*") if "marker" in path.name and ".git" not in path.parts}
    assert after - before == set()
    assert faults(outcome, (NAME,)) == [], outcome.shown


def _depend_on(project: Project, folder: Path, revision: str) -> None:
    locked, dependency = lock_git(folder, revision)
    tool = f"[tool.poetry.dependencies]\n{NAME} = {dependency}\n"
    project.pyproject(dependencies=[NAME], tool=tool, config='runtime = "python3.13"')
    project.write({"my_fn.py": ""})
    project.lock([locked])


# --- submodules

SUBMODULES = {
    "path that climbs": ("sub", "../../../marker", None),
    "absolute path": ("sub", MARKER, None),
    "name that climbs": ("../../../marker", "sub", None),
    "address that is a command": ("sub", "sub", f"ext::touch {MARKER}"),
    "address that is an option": ("sub", "sub", f"--upload-pack=touch {MARKER}"),
    "address that is an option of ssh": ("sub", "sub", f"ssh://-oProxyCommand=touch {MARKER}/x"),
}
"""Name, path and address in .gitmodules; the address of a sound repository where None."""


@pytest.mark.parametrize("case", SUBMODULES)
@pytest.mark.parametrize("client", ["dulwich", "git"])
def test_submodule(
    case: str, client: str, world: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submodule is not cloned outside its repository, and its address runs nothing."""
    monkeypatch.setenv("POETRY_SYSTEM_GIT_CLIENT", str(client == "git").lower())
    (world.root / "gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    vendored = write_tree(world.root / "vendored", {"v.py": ""})
    commit_all(vendored)
    folder = world.root / "from-others"
    folder.mkdir()
    world.write(Tree(name=case), folder)
    commit_all(folder)
    git(folder, "submodule", "add", "-q", vendored.as_uri(), "sub")
    name, path, url = SUBMODULES[case]
    modules = f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url or vendored.as_uri()}\n'
    (folder / ".gitmodules").write_text(world.named(modules))

    _depend_on(project, folder, commit_all(folder))
    outcome = bundle(limits=Limits(seconds=30))

    assert not world.marker.exists()
    assert [path for path in world.root.glob("**/marker*") if "from-others" not in path.parts] == []
    assert faults(outcome, exit_code=outcome.exit_code) == [], outcome.shown


# --- what stays in the cache


def _with_submodule(world: World, project: Project) -> Path:
    vendored = write_tree(world.root / "vendored", {"v.py": ""})
    commit_all(vendored)
    folder = world.root / "from-others"
    folder.mkdir()
    world.write(Tree(name=""), folder)
    commit_all(folder)
    git(folder, "submodule", "add", "-q", vendored.as_uri(), f"{PACKAGE}/sub")
    _depend_on(project, folder, commit_all(folder))
    return folder


def test_cache_keeps_no_configuration_of_git(world: World, project: Project) -> None:
    """Addresses of submodules, which may hold tokens, do not stay in the cache."""
    _with_submodule(world, project)

    assert bundle().exit_code == 0

    assert list((world.root / "cache").rglob(".git")) == []


def test_cache_is_the_users_alone(world: World, project: Project) -> None:
    """What comes from a repository that may be private can be read by nobody else."""
    _with_submodule(world, project)

    assert bundle().exit_code == 0

    kept = (world.root / "cache/cache/repositories/lambda-bundle").rglob("*")
    assert [path for path in kept if not path.is_symlink() and path.stat().st_mode & 0o077] == []


def test_branch_is_not_kept(world: World, project: Project) -> None:
    """Where a lock has no revision, what the branch has now is bundled, not what it once had."""
    folder = world.root / "from-others"
    folder.mkdir()
    world.write(Tree(name=""), folder)
    commit_all(folder)
    _depend_on(project, folder, "")
    assert bundle().exit_code == 0
    (folder / PACKAGE / "new.py").write_text("")
    commit_all(folder)

    assert bundle().exit_code == 0

    assert f"{PACKAGE}/new.py" in contents(project.folder / "dist/my-fn.zip")
    assert list((world.root / "cache").rglob(PACKAGE)) == []


def test_cache_inside_the_checkout(world: World, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's own .gitignore names is in a git dependency all the same, cold and warm."""
    monkeypatch.setenv("POETRY_CACHE_DIR", str(project.folder / ".cache"))
    folder = world.root / "from-others"
    folder.mkdir()
    world.write(Tree(name="", files={f"{PACKAGE}/data.bin": "tracked"}), folder)
    _depend_on(project, folder, commit_all(folder))
    project.write({".gitignore": "*.bin\n"})
    commit_all(project.folder)

    outcomes = [bundle("-o", name) for name in ("cold.zip", "warm.zip")]

    assert [outcome.exit_code for outcome in outcomes] == [0, 0]
    assert f"{PACKAGE}/data.bin" in contents(project.folder / "cold.zip")
    assert (project.folder / "cold.zip").read_bytes() == (project.folder / "warm.zip").read_bytes()


def test_half_kept_tree_is_kept_again(world: World, project: Project) -> None:
    """A tree in the cache that a crash left without its digest does not make every run clone."""
    folder = world.root / "from-others"
    folder.mkdir()
    world.write(Tree(name=""), folder)
    _depend_on(project, folder, commit_all(folder))
    assert bundle().exit_code == 0
    for digest in (world.root / "cache").rglob("*.sha256"):
        digest.unlink()
    assert bundle().exit_code == 0

    folder.rename(world.root / "gone")

    assert bundle().exit_code == 0


# --- things in the way

OBSTACLES = [
    (what, how, SECONDS)
    for what in ("artifact", "note", "bytecode")
    for how in ("folder", "loop", "nowhere", "pipe", "link")
]

PLACES = {"artifact": f"**/{WHEEL.filename}", "note": "**/sha256-*", "bytecode": "**/_bytecode_/**/*"}


@pytest.mark.parametrize(("what", "how", "seconds"), OBSTACLES)
def test_obstacle_in_the_cache(
    what: str, how: str, seconds: float, world: World, served_project: Project, site: Site
) -> None:
    """What lies in a file's place in the cache is replaced; nothing hangs, or is written through a link."""
    arguments = ("--runtime", f"python3.{sys.version_info.minor}", "--bytecode", "checked-hash")
    secret = (world.private / "secret.txt").read_bytes()
    assert bundle(*arguments, "-o", "first.zip").exit_code == 0
    places = [path for path in (world.root / "cache").glob(PLACES[what]) if path.is_file()]
    assert places
    for path in places:
        in_the_way(path, how, world)

    outcome = bundle(*arguments, "-o", "second.zip", limits=Limits(seconds=seconds))

    assert faults(outcome, exit_code=0) == [], outcome.shown
    assert (world.private / "secret.txt").read_bytes() == secret
    assert not (world.root / "nowhere").exists()
    second = (served_project.folder / "second.zip").read_bytes()
    assert second == (served_project.folder / "first.zip").read_bytes()
