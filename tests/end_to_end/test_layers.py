"""Bundles laid out as layers, and functions that leave out what their layers hold."""

from __future__ import annotations

import importlib.util
import sys
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runtime_api import Reply
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


HOST = f"python{sys.version_info[0]}.{sys.version_info[1]}"
"""The runtime whose layers this Python looks into."""
LAYER = ("--layer", "--no-root", "--runtime", HOST, "-o", "layer.zip")
FUNCTION = ("--runtime", HOST, "-o", "function.zip")

PLACES = [
    pytest.param("", "python/", id="python"),
    pytest.param(
        'layer-path = "version-specific"', f"python/lib/{HOST}/site-packages/", id="version-specific"
    ),
]


@pytest.fixture
def configured(project: Project, index: Index) -> Project:
    """A project with two dependencies, locked; the handler needs both."""
    wheels = [
        make_wheel("greeting", files={"greeting/__init__.py": "WORD = 'hello'\n", "greeting/tests/x.py": ""}),
        make_wheel("name", files={"name.py": "NAME = 'Zoë'\n"}, requires=("greeting",)),
    ]
    index.add(*wheels)
    code = (
        "import greeting, name\nfrom importlib.metadata import version\n\n"
        "def handler(event, context):\n"
        "    return [greeting.WORD, name.NAME, version('greeting'), version('my-fn')]\n"
    )
    project.write({"my_fn.py": code})
    project.pyproject(dependencies=["greeting", "name"], source=index.url)
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    return project


def configure(project: Project, config: str) -> None:
    """Add keys to the project's table, which the lock does not mind."""
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": f"{text}\n[tool.poetry-lambda-plugin]\n{config}\n"})


def made(*arguments: str) -> None:
    outcome = bundle(*arguments)
    assert (outcome.exit_code, outcome.error) == (0, "")


def unpacked(path: Path, folder: Path) -> Path:
    """Unpack as Lambda does, over what other layers left there."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize(("config", "prefix"), PLACES)
def test_layer_is_the_bundle_in_another_place(configured: Project, config: str, prefix: str) -> None:
    """Each file of a layer is that of the function, below the folder where Lambda looks."""
    made("--no-root", *FUNCTION)
    configure(configured, config)
    made(*LAYER)

    function = contents(configured.folder / "function.zip")
    layer = contents(configured.folder / "layer.zip")
    assert layer == {f"{prefix}{path}": data for path, data in function.items()}


def test_layer_may_be_a_key(configured: Project) -> None:
    """`layer = true` is the option, and the output has a name of its own."""
    configure(configured, "layer = true\nno-root = true")

    made()

    assert "python/name.py" in contents(configured.folder / "dist/my-fn-layer.zip")


def test_patterns_speak_of_paths_in_the_layer(configured: Project) -> None:
    """The same patterns hold for a layer as for a function."""
    made(*LAYER, "--exclude", "/greeting/tests/")

    assert "python/greeting/__init__.py" in contents(configured.folder / "layer.zip")
    assert "python/greeting/tests/x.py" not in contents(configured.folder / "layer.zip")


@pytest.mark.parametrize(
    "function",
    [
        pytest.param("only-root = true", id="only-root"),
        pytest.param('exclude-layers = ["layer.zip"]', id="exclude-layers"),
    ],
)
@pytest.mark.parametrize(("config", "prefix"), PLACES)
@pytest.mark.skipif(importlib.util.find_spec("awslambdaric") is None, reason="needs awslambdaric")
def test_function_and_layer_are_the_single_bundle(
    configured: Project, tmp_path: Path, config: str, prefix: str, function: str
) -> None:
    """Unpacked where Lambda puts them they hold just what one bundle holds, and the handler runs so."""
    made("--runtime", HOST, "-o", "single.zip")
    bundles = f"[tool.poetry-lambda-plugin.bundles.function]\n{function}\n"
    configure(configured, f"{config}\n{bundles}\n[tool.poetry-lambda-plugin.bundles.layer]")
    made("layer", *LAYER)
    made("function", *FUNCTION)

    task = unpacked(configured.folder / "function.zip", tmp_path / "task")
    opt = unpacked(configured.folder / "layer.zip", tmp_path / "opt")

    assert files(task).keys().isdisjoint(files(opt / prefix))
    assert {**files(opt / prefix), **files(task)} == contents(configured.folder / "single.zip")
    expected = ["hello", "Zoë", "1.0", "0.1.0"]
    assert invoke(task, "my_fn.handler", {}, opt) == Reply("response", expected)
    assert invoke(task, "my_fn.handler", {}).kind == "init/error"


def layer_of(project: Project, *paths: str, path: str = "layer.zip") -> None:
    """Write a layer by hand whose files hold ten bytes each."""
    project.write({path: zip_bytes([Raw(name, b"0123456789") for name in paths])})


def test_leaves_out_what_layers_hold(configured: Project) -> None:
    """Distributions of any of the layers go, with the layer's name for a reason; the others stay."""
    layer_of(configured, "python/greeting-1.0.dist-info/METADATA", path="layers/one.zip")
    layer_of(configured, "python/x/y.py", "python/other-2.dist-info/METADATA", path="two.zip")
    configure(configured, 'runtime = "python3.12"\nexclude-layers = ["layers/one.zip", "two.zip"]')

    outcome = bundle("--format", "json")

    assert outcome.error == ""
    assert [package["name"] for package in outcome.report["packages"]] == ["name", "my-fn"]
    assert outcome.report["left_out_packages"] == [
        {"name": "greeting", "version": "1.0", "reason": "in the layer one.zip"}
    ]
    assert outcome.report["layers_unzipped_bytes"] == 30


def test_text_names_the_layers_packages_and_size(configured: Project) -> None:
    """A person reads what the layer has."""
    layer_of(configured, "python/greeting-1.0.dist-info/METADATA")
    configure(configured, 'runtime = "python3.12"\nexclude-layers = ["layer.zip"]')

    output = bundle().output

    assert "  Left out    greeting (in the layer layer.zip)\n" in output
    assert " of 250 MB, and 0.0 KB in layers\n" in output


def test_warns_of_another_version_in_the_layer(configured: Project) -> None:
    """The warning names both versions; the layer's is used all the same."""
    layer_of(configured, "python/greeting-0.9.dist-info/METADATA")
    configure(configured, 'runtime = "python3.12"\nexclude-layers = ["layer.zip"]')

    outcome = bundle()

    assert outcome.message == (
        "Warning: The layer layer.zip holds greeting 0.9, but 1.0 is locked: make the layer again."
    )
    assert "greeting/__init__.py" not in contents(configured.folder / "dist/my-fn.zip")
    assert bundle("--strict").exit_code == 1


def test_warns_of_a_layer_for_another_runtime(configured: Project) -> None:
    """A layer whose distributions the runtime would not find is told, and nothing is left out for it."""
    layer_of(configured, "python/lib/python3.11/site-packages/greeting-1.0.dist-info/METADATA")
    configure(configured, 'runtime = "python3.12"\nexclude-layers = ["layer.zip"]')

    outcome = bundle()

    assert outcome.message == (
        "Warning: The layer layer.zip holds no distribution where the runtime looks for one."
    )
    assert "greeting/__init__.py" in contents(configured.folder / "dist/my-fn.zip")


def test_layers_count_against_the_limit(configured: Project) -> None:
    """Function and layers share 250 MB."""
    big = zip_bytes([Raw("python/huge.bin", bytes(262_143_000)), Raw("python/a-1.dist-info/METADATA")])
    configured.write({"layer.zip": big})
    configure(configured, 'runtime = "python3.12"\nexclude-layers = ["layer.zip"]')

    outcome = bundle()

    assert outcome.exit_code == 1
    assert not (configured.folder / "dist").exists()
    assert (
        " bytes and its layer layer.zip has 262,143,000 bytes; Lambda refuses 262,144,000 bytes or more"
        in outcome.message
    )
    assert "; max-size allows 262,143,500 bytes. " in bundle("--max-size", "262143500").message
    assert bundle("--max-size", "251 MB").exit_code == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(None, "can't be read: No such file or directory. Make the layer", id="missing"),
        pytest.param(b"", "is no layer that Lambda could unpack: ", id="empty"),
        pytest.param(
            b"PK\3\4 but nothing more of a ZIP", "is no layer that Lambda could unpack: ", id="no-zip"
        ),
    ],
)
def test_refuses_layer(configured: Project, data: bytes | None, words: str) -> None:
    """A layer that can't be read is an error with its path before anything is fetched."""
    if data is not None:
        configured.write({"layer.zip": data})
    configure(configured, 'exclude-layers = ["layer.zip"]')

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.output == ""
    assert f"exclude-layers: {configured.folder / 'layer.zip'} {words}" in outcome.message


def test_refuses_unknown_layer_path(configured: Project) -> None:
    """The places that there are are named."""
    configure(configured, 'layer-path = "opt"')

    assert bundle("--layer").message == (
        "tool.poetry-lambda-plugin.layer-path must be 'python' or 'version-specific', not 'opt'."
    )


def test_refuses_layer_of_the_same_run(configured: Project) -> None:
    """A function can't be told by a layer that the same run is about to replace."""
    layer = "[tool.poetry-lambda-plugin.bundles.layer]\nlayer = true\nno-root = true\n"
    function = '[tool.poetry-lambda-plugin.bundles.api]\nexclude-layers = ["dist/layer.zip"]\n'
    configure(configured, f'runtime = "python3.12"\n{layer}{function}')

    assert "Make the layer before the function, or name its bundle" in bundle().message
    made("layer")
    assert bundle().message == (
        f"exclude-layers: {configured.folder / 'dist/layer.zip'} would be written by this very run. "
        'Name the bundle instead of the file: exclude-layers = ["layer"].'
    )
    made("api")


def test_handler_of_a_layer_is_found(configured: Project) -> None:
    """A handler in a layer is not taken for left out because of its folder."""
    configure(configured, 'handler = "my_fn.handler"\nexclude = ["greeting/tests/"]')

    made("--layer", "--runtime", "python3.12")
