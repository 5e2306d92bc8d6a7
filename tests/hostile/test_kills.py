"""`kill -9` at any moment: the output is the old one or the new one whole, and the next run is like any."""

from __future__ import annotations

import random
import re
import shutil
import sys

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.hostile.support_processes import RUNTIME
from tests.hostile.support_processes import Scene
from tests.hostile.support_processes import change
from tests.hostile.support_processes import project_with_git
from tests.hostile.support_processes import project_with_wheels
from tests.support.index import Index
from tests.support.index import downloads


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

TWO_BUNDLES = """
bytecode = "unchecked-hash"
runtime = "{runtime}"
[tool.poetry-lambda-plugin.bundles.one]
[tool.poetry-lambda-plugin.bundles.two]
exclude = ["/alpha/"]
"""


FOLDER = f"""
runtime = "{RUNTIME}"
unpacked = "out/fn"
sbom = "out/"
"""


def first_run(root: Path, index: Index) -> Scene:
    """No output yet, and a cold cache."""
    return project_with_wheels(root, index)


def changed_project(root: Path, index: Index) -> Scene:
    """An old output, a warm cache, and a project that was edited since."""
    scene = project_with_wheels(root, index)
    bundle_before(scene)
    change(scene)
    return scene


def lost_cache(root: Path, index: Index) -> Scene:
    """An old output, a cold cache, and sources that are no wheels."""
    scene = project_with_git(root, index)
    bundle_before(scene)
    shutil.rmtree(root / "now/cache")
    change(scene)
    return scene


def two_bundles(root: Path, index: Index) -> Scene:
    """Two old outputs with bytecode that is to be made anew."""
    outputs = ("dist/one.zip", "dist/two.zip")
    scene = project_with_wheels(root, index, TWO_BUNDLES.format(runtime=RUNTIME), outputs)
    bundle_before(scene)
    change(scene)
    return scene


def folder_and_sbom(root: Path, index: Index) -> Scene:
    """An old folder, of which some files stay, some change and some go, and an old SBOM."""
    scene = project_with_wheels(root, index, FOLDER, ("out/fn", "out/my-fn.cdx.json"))
    scene.project.write({"old/__init__.py": ""})
    bundle_before(scene)
    change(scene)
    shutil.rmtree(scene.project.folder / "old")
    return scene


SCENES = (first_run, changed_project, lost_cache, two_bundles, folder_and_sbom)
EACH = 50
MOMENTS = [(scene, number) for scene in SCENES for number in range(EACH)]
CHOSEN = random.Random(16).sample(range(len(MOMENTS)), 30)
"""The moments that each run tries; `-m faults` tries them all."""


@dataclass(frozen=True)
class Stage:
    """A scene with what it comes to when nobody disturbs it."""

    scene: Scene
    moments: int
    old: dict[str, bytes | None]
    new: dict[str, bytes | None]
    files: set[str]


def bundle_before(scene: Scene) -> None:
    with pytest.MonkeyPatch.context() as patch:
        isolate(scene, patch)
        outcome = scene.run()
    assert outcome.exit_code == 0, outcome.error


def isolate(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    """Do for fixtures of a module what the one of a test does, and enter the scene."""
    patch.setenv("POETRY_CONFIG_DIR", str(scene.root / "config"))
    patch.setenv("POETRY_KEYRING_ENABLED", "false")
    patch.setenv("NO_PROXY", "127.0.0.1")
    patch.setenv("GIT_CONFIG_GLOBAL", str(scene.root / "gitconfig"))
    scene.enter(patch)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Scenes that were set once; filled as they are asked for."""
    index = Index()
    found: dict[str, Stage] = {}

    class Stages(dict[str, Stage]):
        def __missing__(self, name: str) -> Stage:
            make = next(scene for scene in SCENES if scene.__name__ == name)
            scene = make(tmp_path_factory.mktemp(name), index)
            self[name] = stage = staged(scene)
            return stage

    found = Stages()
    yield found
    index.close()


def staged(scene: Scene) -> Stage:
    with pytest.MonkeyPatch.context() as patch:
        isolate(scene, patch)
        scene.keep()
        old = scene.made()
        moments = scene.moments()
        return Stage(scene, moments, old, scene.made(), scene.files())


def case(number: int) -> object:
    scene, part = MOMENTS[number]
    marks = () if number in CHOSEN else pytest.mark.faults
    return pytest.param(scene.__name__, part, id=f"{scene.__name__}-{part}", marks=marks)


@pytest.mark.parametrize(("name", "part"), [case(number) for number in range(len(MOMENTS))])
def test_killed(stages: dict[str, Stage], monkeypatch: pytest.MonkeyPatch, name: str, part: int) -> None:
    """Each output is old or new, the next run gives the right bytes, and the one after needs no network."""
    stage = stages[name]
    scene = stage.scene
    scene.reset()
    isolate(scene, monkeypatch)

    code = scene.kill(1 + part * stage.moments // EACH)

    # threads make some runs a moment shorter
    assert code == -9 or (code == 0 and part > EACH - 3)
    for output, data in scene.made().items():
        assert data in (stage.old[output], stage.new[output]), output
    outcome = scene.run()
    assert outcome.exit_code == 0, outcome.error
    assert scene.made() == stage.new
    scene.index.requests.clear()
    assert scene.run().exit_code == 0
    assert downloads(scene.index.requests) == []
    assert scene.made() == stage.new
    assert strays(stage) == set()


POETRYS = (r"cache/artifacts/.*/tmp\w{8}", r"tmp/(tmp)?\w{8}")
"""Downloads of Poetry's and Python's trials of the temporary folder, which are not ours to sweep."""


def strays(stage: Stage) -> set[str]:
    """Return files that an undisturbed run leaves none of."""
    found = stage.scene.files() - stage.files
    return {path for path in found if not re.fullmatch("|".join(POETRYS), path)}


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        pytest.param("changed_project", r"os\.rename:.*/dist/.*\.tmp", id="beside-the-output"),
        pytest.param("two_bundles", r"os\.rename:.*/cache/.*\.tmp", id="bytecode-in-the-cache"),
        pytest.param("first_run", r"os\.rename:.*/_lambda_bundle_/.*", id="note-in-the-cache"),
        pytest.param("lost_cache", r"os\.rename:.*/_git_/lambda-bundle-[^/]*", id="tree-in-the-cache"),
        pytest.param("lost_cache", r"os\.mkdir:.*/tmp/lambda-bundle-[^/]*/[^/]+", id="temporary-folder"),
    ],
)
def test_next_run_sweeps_strays(
    stages: dict[str, Stage], monkeypatch: pytest.MonkeyPatch, name: str, moment: str
) -> None:
    """Nothing that a killed run left behind outlives the next run."""
    scene = stages[name].scene
    scene.reset()
    isolate(scene, monkeypatch)
    folder = scene.root / "now"
    before = sorted((folder / "tmp").iterdir())
    if scene.kill(moment) != -9 or scene.run().exit_code != 0:
        pytest.fail("it was not killed, or did not heal", pytrace=False)

    assert strays(stages[name]) == set()
    assert sorted((folder / "tmp").iterdir()) == before


def test_git_cache_heals(stages: dict[str, Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before a tree takes its place, the next run clones once more, and the one after not."""
    scene = stages["lost_cache"].scene
    scene.reset()
    isolate(scene, monkeypatch)
    repository, away = scene.root / "repository", scene.root / "away"
    if scene.kill(r"os\.rename:.*/_git_/lambda-bundle-[^/]*") != -9 or scene.run().exit_code != 0:
        pytest.fail("it was not killed, or did not heal", pytrace=False)
    repository.rename(away)
    try:
        assert scene.run().exit_code == 0
    finally:
        away.rename(repository)
