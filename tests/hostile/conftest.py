from __future__ import annotations

import sys

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.support_index import HostileServer
    from tests.hostile.support_index import Site
    from tests.support.projects import Project

OLD = b"PK\5\6" + bytes(18)
"""A ZIP without files, which a refusal leaves as it is."""

if sys.platform == "win32":
    collect_ignore_glob = ["test_index_answers.py", "test_configurations.py", "test_trees.py", "test_output*"]
    """They need fork, links, pipes and limits."""


@pytest.fixture(scope="session")
def hostile_server() -> Iterator[HostileServer]:
    """One server for all that indexes may answer."""
    from tests.hostile.support_index import HostileServer

    served = HostileServer()
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def site(hostile_server: HostileServer) -> Site:
    """An index that is sound until it is told otherwise."""
    return hostile_server.site()


@pytest.fixture
def served_project(project: Project, site: Site) -> Project:
    """A project with one module and one dependency from the site, and an old bundle."""
    from tests.hostile.support_index import WHEEL
    from tests.support.projects import Locked

    project.pyproject(dependencies=["greeting"], source=site.url, config='runtime = "python3.13"')
    project.write({"my_fn.py": "", "dist/my-fn.zip": OLD})
    project.lock([Locked.of(WHEEL)], source=site.url)
    return project
