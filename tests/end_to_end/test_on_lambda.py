"""Bundles unpacked as Lambda unpacks them, their handlers called by AWS's own `awslambdaric`."""

from __future__ import annotations

import importlib.util
import os
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runtime_api import Reply
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.wheels import MadeFile


pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric has wheels for Linux only"
)

NAMESPACE_PTH = (
    "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('spread',));"
    "m = sys.modules.setdefault('spread', types.ModuleType('spread'));"
    "mp = m.__dict__.setdefault('__path__', []);"
    "(p not in mp) and mp.append(p)\n"
)
"""What setuptools wrote for `namespace_packages`."""


def bundled(project: Project, *arguments: str) -> Path:
    """Bundle a project, and return the folder that its ZIP was unpacked to, which nobody may write to."""
    outcome = bundle("-o", "function.zip", *arguments)
    assert (outcome.exit_code, outcome.error) == (0, "")
    folder = project.folder.parent / "task"
    with zipfile.ZipFile(project.folder / "function.zip") as archive:
        for member in archive.infolist():
            file = folder / member.filename
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(member))
            file.chmod(member.external_attr >> 16 & 0o555)
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o555)  # noqa: PTH101
    return folder


def write_project(
    project: Project, index: Index, files: dict[str, str | bytes], wheels: Sequence[MadeFile] = ()
) -> None:
    """Write and lock a project that depends on `wheels`."""
    index.add(*wheels)
    locked = [Locked.of(wheel) for wheel in wheels]
    project.pyproject(dependencies=[package.name for package in locked], source=index.url)
    project.write(files)
    project.lock(locked, source=index.url)


def test_handler_answers(locked_project: Project) -> None:
    """What the handler returns, with a dependency's help, is what Lambda gets."""
    folder = bundled(locked_project)

    assert invoke(folder, "my_fn.handler", {}) == Reply("response", "hello")


def test_handler_gets_event_and_context(project: Project, index: Index) -> None:
    """Event and context reach a handler inside a package."""
    write_project(
        project,
        index,
        {
            "my_fn/__init__.py": "",
            "my_fn/api/__init__.py": "",
            "my_fn/api/main.py": (
                "from my_fn.words import greet\n\n"
                "def handler(event, context):\n"
                "    return {'text': greet(event['name']), 'function': context.function_name}\n"
            ),
            "my_fn/words.py": "def greet(name):\n    return f'hello {name}'\n",
        },
    )
    folder = bundled(project)

    assert invoke(folder, "my_fn.api.main.handler", {"name": "Zoë"}) == Reply(
        "response", {"text": "hello Zoë", "function": "f"}
    )


def test_handler_in_loose_module(project: Project, index: Index) -> None:
    """A module beside pyproject.toml, the commonest Lambda of all, is found at the root."""
    wheel = make_wheel("greeting", files={"greeting.py": "WORD = 'hello'\n"})
    code = "import greeting\n\ndef lambda_handler(event, context):\n    return greeting.WORD\n"
    write_project(project, index, {"lambda_function.py": code}, [wheel])

    folder = bundled(project)

    assert invoke(folder, "lambda_function.lambda_handler", {}) == Reply("response", "hello")


def test_missing_dependency_is_seen(project: Project, index: Index) -> None:
    """The client of these tests finds only what is in the bundle: left out means gone."""
    wheel = make_wheel("greeting", files={"greeting.py": "WORD = 'hello'\n"})
    write_project(project, index, {"my_fn.py": "import greeting\n"}, [wheel])

    folder = bundled(project, "--only-root")

    reply = invoke(folder, "my_fn.handler", {})
    assert reply.kind == "init/error"
    assert reply.body["errorType"] == "Runtime.ImportModuleError"
    assert reply.body["errorMessage"] == "Unable to import module 'my_fn': No module named 'greeting'"


def test_metadata_and_entry_points(project: Project, index: Index) -> None:
    """`importlib.metadata` knows the version and the entry points of dependency and project."""
    wheel = make_wheel(
        "some-plugin",
        "3.2.1",
        files={"some_plugin.py": "def speak():\n    return 'spoken'\n"},
        entry_points="[voices]\nloud = some_plugin:speak\n",
    )
    code = (
        "from importlib.metadata import entry_points, files, version\n\n"
        "def handler(event, context):\n"
        "    (voice,) = entry_points(group='voices')\n"
        "    recorded = sorted(str(file) for file in files('some-plugin'))\n"
        "    return [version('some-plugin'), version('my-fn'), voice.name, voice.load()(), recorded]\n"
    )
    write_project(project, index, {"my_fn.py": code}, [wheel])

    reply = invoke(bundled(project), "my_fn.handler", {})

    info = "some_plugin-3.2.1.dist-info"
    assert reply.body == [
        "3.2.1",
        "0.1.0",
        "loud",
        "spoken",
        [
            *(f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
            "some_plugin.py",
        ],
    ]


@pytest.mark.parametrize(
    "pth",
    [pytest.param(False, id="without-init"), pytest.param(True, id="nspkg-pth")],
)
def test_namespace_package_of_two_distributions(project: Project, index: Index, pth: bool) -> None:
    """A namespace that two distributions share is one package, also with setuptools' old `.pth` files."""
    wheels = [
        make_wheel(
            f"spread-{part}",
            files={
                f"spread/{part}/__init__.py": f"NAME = {part!r}\n",
                **({f"spread_{part}-1.0-nspkg.pth": NAMESPACE_PTH} if pth else {}),
            },
        )
        for part in ("one", "two")
    ]
    code = (
        "import spread.one, spread.two\n\n"
        "def handler(event, context):\n"
        "    return [spread.one.NAME, spread.two.NAME, type(spread.__path__).__name__]\n"
    )
    write_project(project, index, {"my_fn.py": code}, wheels)

    reply = invoke(bundled(project), "my_fn.handler", {})

    assert reply.body == ["one", "two", "list" if pth else "_NamespacePath"]


def test_data_files(project: Project, index: Index) -> None:
    """Data files of dependency and project are read through `importlib.resources`, byte for byte."""
    noise = bytes(range(256)) * 40
    wheel = make_wheel("with-data", files={"with_data/__init__.py": "", "with_data/deep/noise.bin": noise})
    code = (
        "from importlib.resources import files\n\n"
        "def handler(event, context):\n"
        "    noise = files('with_data').joinpath('deep', 'noise.bin').read_bytes()\n"
        "    return [noise.hex(), files('my_fn').joinpath('größe.txt').read_text('utf-8')]\n"
    )
    write_project(project, index, {"my_fn/__init__.py": code, "my_fn/größe.txt": "groß\n"}, [wheel])

    reply = invoke(bundled(project), "my_fn.handler", {})

    assert reply.body == [noise.hex(), "groß\n"]


def test_wheel_schemes_are_importable(project: Project, index: Index) -> None:
    """Modules that a wheel keeps in `.data/purelib` and `.data/platlib` are where Python looks."""
    wheel = make_wheel(
        "schemes",
        files={
            "schemes-1.0.data/purelib/pure.py": "NAME = 'pure'\n",
            "schemes-1.0.data/platlib/plat/__init__.py": "NAME = 'plat'\n",
            "schemes-1.0.data/data/share/word.txt": "shared",
        },
    )
    code = (
        "import pathlib, pure, plat\n\n"
        "def handler(event, context):\n"
        "    word = pathlib.Path('share/word.txt').read_text()\n"
        "    return [pure.NAME, plat.NAME, word]\n"
    )
    write_project(project, index, {"my_fn.py": code}, [wheel])

    assert invoke(bundled(project), "my_fn.handler", {}) == Reply("response", ["pure", "plat", "shared"])
