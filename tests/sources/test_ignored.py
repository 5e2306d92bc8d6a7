"""What git ignores, and what becomes of a repository that it can't tell it of."""

from __future__ import annotations

import os
import random
import sys

from collections.abc import Callable
from pathlib import Path

import pytest

from poetry_lambda_plugin.poetry_api.git import ignored_below
from poetry_lambda_plugin.sources.files import ExcludedPaths
from poetry_lambda_plugin.sources.ignored import BrokenRepositoryError
from tests.support.sources import commit_all
from tests.support.sources import git
from tests.support.sources import write_tree


Kept = Callable[..., list[str]]


@pytest.fixture(params=["git", "dulwich"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Tell what is bundled of a project, or of an element of it; with git, and where none is installed."""

    def found(root: Path, element: Path | None = None) -> list[str]:
        with monkeypatch.context() as patch:
            if request.param == "dulwich":
                patch.setenv("PATH", "")
            files = list(ExcludedPaths.of(root, ()).files_below(element or root))
        return [Path(os.path.relpath(file, root)).as_posix() for file in files]

    return found


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A project in a folder of a repository; `.gitignore` names secret.env, and a folder beside it."""
    files = {
        ".gitignore": "*.env\n/secrets/\n",
        "app/a.py": "",
        "app/tracked.env": "",
        "app/secret.env": "",
        "secrets/token.txt": "",
        "shared/secret.env": "",
        "shared/b/c.py": "",
    }
    root = write_tree(tmp_path / "repository", files)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-f", "app/tracked.env")
    commit_all(root)
    return root / "app"


def test_tracked_files_are_kept(kept: Kept, app: Path) -> None:
    """Others that `.gitignore` names are not."""
    assert kept(app) == ["a.py", "tracked.env"]


def test_outside_the_project(kept: Kept, app: Path) -> None:
    """A file that packages reach by `from = ".."` is left out too."""
    assert kept(app, app / "../shared") == ["../shared/b/c.py"]
    assert kept(app, app / "../secrets") == []


def test_through_links(kept: Kept, app: Path) -> None:
    """Both where a link lies and where it leads to count."""
    (app / "folder").symlink_to("../secrets")
    (app / "code").symlink_to("../shared")
    (app / "file.txt").symlink_to("secret.env")
    (app / "link.env").symlink_to("a.py")

    assert kept(app) == ["a.py", "code/b/c.py", "tracked.env"]


def test_repository_inside(kept: Kept, app: Path) -> None:
    """A submodule's own `.gitignore` counts."""
    write_tree(app / "sub", {".gitignore": "*.log\n", "a.log": "", "b.py": ""})
    git(app / "sub", "init", "-q")

    assert kept(app, app / "sub") == ["sub/.gitignore", "sub/b.py"]


def test_project_that_is_ignored(kept: Kept, app: Path) -> None:
    """A project in a folder that git ignores, or below one, is taken whole."""
    project = write_tree(app.parent / "secrets/app", {"x.env": ""})

    assert kept(project) == ["x.env"]
    assert kept(project.parent) == ["app/x.env", "token.txt"]


def test_users_own_excludes(kept: Kept, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.git/info/exclude` and the user's own file do not change a bundle."""
    (app.parent / ".git/info/exclude").write_text("*.py\n")
    (app.parent / "excludes").write_text("*.py\n")
    git(app, "config", "core.excludesFile", str(app.parent / "excludes"))
    monkeypatch.setenv("GIT_DIR", str(app / "elsewhere"))

    assert kept(app) == ["a.py", "tracked.env"]


@pytest.mark.skipif(sys.platform == "win32" or os.name != "posix", reason="needs owners of files")
def test_repository_of_another_user(kept: Kept, app: Path) -> None:
    """A checkout that belongs to another user, as in a container, is no obstacle."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    for path in (app.parent, app.parent / ".git", app):
        os.chown(path, 12345, 12345)

    assert kept(app) == ["a.py", "tracked.env"]


@pytest.mark.parametrize(
    "break_",
    [
        pytest.param(lambda top: (top / ".git/index").write_bytes(b"DIRC nonsense"), id="index"),
        pytest.param(lambda top: (top / ".git/config").write_text("[core\n"), id="configuration"),
        pytest.param(lambda top: (top / ".git/objects").rename(top / "objects"), id="no-objects"),
        pytest.param(
            lambda top: [(top / ".git").rename(top / "g"), (top / ".git").write_text("gitdir: gone\n")],
            id="gone",
        ),
    ],
)
def test_broken_repository(kept: Kept, app: Path, break_: Callable[[Path], object]) -> None:
    """What git can't tell is an error, never "nothing is ignored"."""
    break_(app.parent)

    with pytest.raises(BrokenRepositoryError, match=r"(?s)can't tell .*: .+\. Mend the repository"):
        kept(app)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(".git/HEADS", "", id="no-repository"),
        pytest.param("app/sub/.git", "gitdir: ../../.git/modules/sub\n", id="submodule-without-its-own"),
    ],
)
def test_what_is_no_repository(kept: Kept, tmp_path: Path, path: str, text: str) -> None:
    """Git passes over an empty folder `.git`; a submodule may be copied without its repository."""
    write_tree(tmp_path, {"app/.gitignore": "x\n", "app/sub/x": "", path: text})

    assert kept(tmp_path / "app") == [".gitignore", "sub/x"]


def test_bare_repository_is_none(kept: Kept, tmp_path: Path) -> None:
    """A folder that git would take for one is a folder, and its configuration is not even read."""
    git(tmp_path, "init", "-q", "--bare", "app")
    (tmp_path / "app/config").write_text("[core\n")

    assert "HEAD" in kept(tmp_path / "app")


PATTERNS = ["*.a", "/x", "x/", "y/*", "!y/b.a", "**/z", "x/**", "!*.b", "?.b", "[xy].a", "y/**/b.a", "/*/x/"]


@pytest.mark.parametrize("seed", range(40))
def test_dulwich_ignores_what_git_does(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no git is installed, nothing else is left out."""
    chance = random.Random(seed)
    folders = ["", "x/", "y/", "y/x/", "x/y/", "y/z/"]
    for folder in folders:
        write_tree(tmp_path, {f"{folder}{name}": "" for name in ("x.a", "b.a", "x.b")})
        if chance.random() < 0.4:
            patterns = chance.sample(PATTERNS, 3)
            (tmp_path / folder / ".gitignore").write_text("\n".join(patterns) + "\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", *(f"{folder}x.a" for folder in chance.sample(folders, 2)))
    below = tmp_path / chance.choice(folders)

    expected = _ignored(tmp_path, below)
    monkeypatch.setenv("PATH", "")

    assert _ignored(tmp_path, below) == expected


def _ignored(top: Path, folder: Path) -> set[str]:
    found = {path.rstrip("/") for path in ignored_below(top, folder)}
    return {"."} if "." in found else found
