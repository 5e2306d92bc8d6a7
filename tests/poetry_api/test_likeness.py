"""Targets that a lock can't tell apart get the same packages."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from poetry.factory import Factory

from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.poetry_api.lock import Lock
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence


TARGETS = [Target(runtime, a) for runtime in RUNTIMES for a in runtime.architectures]
NEW = [t for t in TARGETS if t.runtime.python >= (3, 9)]


def alike(lock: Lock, targets: Sequence[Target]) -> list[list[Target]]:
    """Return the groups of neighbours that the lock can't tell apart."""
    return [list(group) for _, group in groupby(targets, key=lock.likeness)]


def opened(project: Project, markers: Mapping[str, str | None], version: str) -> Lock:
    """Lock a package with each of some markers, by name; in old locks its parent's dependency has them."""
    packages = [Locked.of(make_wheel(n), markers=m if version == "2.1" else None) for n, m in markers.items()]
    needed = {n: {"version": "*", "markers": m} if m else "*" for n, m in markers.items()}
    parent = Locked.of(make_wheel("parent"), dependencies=needed)
    project.pyproject(dependencies=["parent"])
    project.lock([parent, *packages], version=version)
    return Lock(Factory().create_poetry(project.folder))


@pytest.mark.parametrize("version", ["2.1", "2.0", "1.1"])
@pytest.mark.parametrize(
    "marker",
    [
        pytest.param('python_version >= "3.12"', id="python"),
        pytest.param('platform_machine == "aarch64"', id="architecture"),
        pytest.param('python_full_version < "3.11.4" or sys_platform == "win32"', id="micro"),
        pytest.param('(python_version < "3.13" and platform_machine == "x86_64")', id="both"),
        pytest.param('sys_platform == "win32"', id="none"),
    ],
)
def test_those_alike_get_the_same(project: Project, marker: str, version: str) -> None:
    """Whatever tells the packages apart tells the targets apart too."""
    lock = opened(project, {"child": marker, "other": None}, version)
    key = {target: lock.likeness(target) for target in NEW}
    names = {t: tuple(p.name for p in lock.packages(t, Selection())) for t in NEW}

    assert len({(key[t], names[t]) for t in NEW}) == len(set(key.values()))


def test_lock_without_markers_tells_none_apart(project: Project) -> None:
    """One selection then does for all."""
    assert alike(opened(project, {"child": None}, "2.1"), NEW) == [NEW]


def test_dependencies_of_the_project_count(project: Project) -> None:
    """Their markers stand in pyproject.toml alone where the lock is old."""
    project.pyproject(dependencies=['child; python_version >= "3.12"'])
    project.lock([Locked.of(make_wheel("child"))], version="2.0")

    groups = alike(Lock(Factory().create_poetry(project.folder)), NEW)

    assert [group[0].runtime.name for group in groups] == ["python3.9", "python3.12"]


def test_extras_do_not_hide_what_is_beside_them(project: Project) -> None:
    """A target has no extras, but the rest of such a marker still tells targets apart."""
    marker = '(extra == "a" and python_version < "3.11") or (extra == "b" and python_version >= "3.11")'
    groups = alike(opened(project, {"child": marker}, "2.0"), NEW)

    assert [group[0].runtime.name for group in groups] == ["python3.9", "python3.11"]


@pytest.mark.parametrize("name", ["small", "medium", "large"])
def test_real_locks(name: str) -> None:
    """The benchmark's locks, target by target."""
    folder = Path(__file__).parents[1] / "benchmarks/projects" / name
    poetry = Factory().create_poetry(folder)
    lock = Lock(poetry)
    first: dict[object, object] = {}
    for target in TARGETS:
        if target.runtime.python in ((3, 11), (3, 12), (3, 13)):
            packages = lock.packages(target, Selection())
            assert first.setdefault(lock.likeness(target), packages) == packages
