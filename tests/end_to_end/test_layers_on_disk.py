"""Layers named by their paths: what can't run is refused, what is only old is told, all else believed."""

from __future__ import annotations

import subprocess
import sys
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


X86_64, ARM64 = 62, 183
FAST = "fast/_core.cpython-312-x86_64-linux-gnu.so"
TAG = "cp312-cp312-manylinux_2_17_x86_64"
INFO = "fast-1.0.dist-info"
CONFIG = 'runtime = "python3.12"\nexclude-layers = ["layer.zip"]'


def elf(machine: int) -> bytes:
    """Return the start of a shared object."""
    return b"\x7fELF\2\1\1" + bytes(9) + b"\3\0" + machine.to_bytes(2, "little") + bytes(44)


def fast(tag: str = TAG, **files: bytes | str) -> dict[str, bytes | str]:
    """Return the files of a wheel with compiled code."""
    return {"fast/__init__.py": "WORD = 1\n", FAST: elf(X86_64), "fast/tests/test_it.py": "", **files}


@pytest.fixture
def compiled(project: Project, index: Index) -> Project:
    """A project with a compiled dependency and a folder beside it, locked."""
    wheels = [
        make_wheel("fast", files=fast(), tag=TAG, entry_points="[console_scripts]\nfast = fast:main\n"),
        make_wheel("fast", files=fast(), tag="cp312-cp312-manylinux_2_17_aarch64"),
    ]
    index.add(*wheels)
    project.write(
        {
            "../shared/pyproject.toml": '[project]\nname = "shared"\nversion = "1.0"\n'
            '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n',
            "../shared/shared/__init__.py": "WORD = 1\n",
            "../shared/shared/tests/test_it.py": "",
            "my_fn.py": "import fast, shared\n",
        }
    )
    project.pyproject(dependencies=["fast", "shared"], source=index.url, config=CONFIG)
    source = {"type": "directory", "url": "../shared"}
    project.lock([Locked.of(*wheels), Locked("shared", source=source, develop=True)], source=index.url)
    return project


def layer(project: Project, files: Mapping[str, bytes]) -> None:
    """Write a layer by hand, its paths below python/."""
    project.write({"layer.zip": zip_bytes([Raw(f"python/{path}", data) for path, data in files.items()])})


def own_layer(project: Project, *arguments: str) -> dict[str, bytes]:
    """Make the layer with the plugin, and return its files without python/."""
    outcome = bundle("--layer", "--no-root", "-o", "layer.zip", *arguments)
    # what leaves out the old layer is not what makes it
    assert outcome.exit_code == 0, outcome.error
    files = contents(project.folder / "layer.zip")
    return {path.removeprefix("python/"): data for path, data in files.items()}


@pytest.fixture
def made(compiled: Project) -> dict[str, bytes]:
    """The layer's files as the plugin writes them, the layer beside the project."""
    text = (compiled.folder / "pyproject.toml").read_text()
    compiled.write({"pyproject.toml": text.replace('exclude-layers = ["layer.zip"]', "")})
    files = own_layer(compiled)
    compiled.write({"pyproject.toml": text})
    return files


def told(*arguments: str) -> str:
    """Return what is said of a function that is made."""
    outcome = bundle("-o", "function.zip", *arguments)
    assert outcome.exit_code == 0, outcome.error
    return outcome.message


def test_fitting_layer_is_believed(compiled: Project, made: dict[str, bytes]) -> None:
    """Nothing is said, and what it holds is left out; so for a layer that lacks tests on purpose."""
    assert told("--strict") == ""
    assert [*contents(compiled.folder / "function.zip")][-1:] == ["my_fn.py"]

    layer(compiled, {path: data for path, data in made.items() if "/tests/" not in path})
    assert told("--strict") == ""


def test_layers_of_other_tools(compiled: Project, index: Index, tmp_path: Path) -> None:
    """Pip writes INSTALLER, scripts, bytecode and METADATA of its own: none of it makes a layer old."""
    wheel = make_wheel("fast", files=fast(), tag=TAG, entry_points="[console_scripts]\nfast = fast:main\n")
    # for this Python, whatever it is
    anywhere = tmp_path / "fast-1.0-py3-none-any.whl"
    anywhere.write_bytes(wheel.data)
    shared = make_wheel("shared", files={"shared/__init__.py": "WORD = 1\n", "shared/tests/test_it.py": ""})
    (tmp_path / shared.filename).write_bytes(shared.data)
    target = tmp_path / "layer/python"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "-t", str(target)]
    done = subprocess.run([*command, anywhere, tmp_path / shared.filename], capture_output=True, text=True)
    if "No module named pip" in done.stderr:
        pytest.skip("needs pip")
    assert done.returncode == 0, done.stderr
    files = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert {f"{INFO}/INSTALLER", f"{INFO}/direct_url.json", "bin/fast"} <= files.keys()
    assert any(path.endswith(".pyc") for path in files)

    layer(compiled, files)

    assert told("--strict") == ""
    assert "fast/__init__.py" not in contents(compiled.folder / "function.zip")


def test_warns_of_other_contents(compiled: Project, made: dict[str, bytes]) -> None:
    """Also where RECORD was altered with the file."""
    record = made[f"{INFO}/RECORD"].replace(b"__init__.py,", b"__init__.py,x")
    layer(compiled, {**made, "fast/__init__.py": b"WORD = 2\n", f"{INFO}/RECORD": record})

    assert told() == (
        "Warning: The layer layer.zip holds fast 1.0 with other files than its locked wheel "
        f"fast-1.0-{TAG}.whl: fast/__init__.py. Make the layer again."
    )
    strict = bundle("--strict")
    assert (strict.exit_code, "(--strict makes this an error.)" in strict.message) == (1, True)
    text = (compiled.folder / "pyproject.toml").read_text()
    compiled.write({"pyproject.toml": text.replace(CONFIG, f'{CONFIG}\nignore = ["layer-stale:fast"]')})
    assert told("--strict") == ""


@pytest.mark.parametrize(
    ("path", "data", "is_told"),
    [
        pytest.param("shared/__init__.py", "WORD = 2\n", True, id="changed"),
        pytest.param("shared/new.py", "", True, id="new"),
        pytest.param("shared/tests/test_new.py", "", False, id="new-test"),
        pytest.param("shared/README.md", "", False, id="new-document"),
        pytest.param("shared/data/__init__.py", "", False, id="folder-that-may-be-left-out"),
    ],
)
def test_warns_of_an_older_path_dependency(
    compiled: Project, made: dict[str, bytes], path: str, data: str, is_told: bool
) -> None:
    """What its folder gives now is not what the layer has."""
    compiled.write({f"../shared/{path}": data})

    words = (
        f"Warning: The layer layer.zip holds shared 1.0 with other files than "
        f"{compiled.folder.parent / 'shared'} now: {path}. Make the layer again."
    )
    assert told() == (words if is_told else "")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param(
            {f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\n"},
            "it holds a wheel for cp311-cp311-manylinux_2_17_x86_64 (of fast 1.0)",
            id="other-python",
        ),
        pytest.param(
            {f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: cp312-cp312-macosx_11_0_arm64\n"},
            "it holds a wheel for cp312-cp312-macosx_11_0_arm64 (of fast 1.0)",
            id="other-system",
        ),
        pytest.param({FAST: elf(ARM64)}, f"{FAST} is compiled for arm64 (of fast 1.0)", id="other-machine"),
        pytest.param({FAST: elf(8)}, f"{FAST} is compiled for machine 8 (of fast 1.0)", id="no-such-machine"),
        pytest.param({"lib.so.1": elf(ARM64)}, "lib.so.1 is compiled for arm64", id="beside-all-packages"),
        pytest.param(
            {f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: cp312-cp312-linux_x86_64\n"}, None, id="built-there"
        ),
        pytest.param(
            {f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: cp311-abi3-manylinux_2_28_x86_64\n"},
            None,
            id="stable-abi",
        ),
        pytest.param({"lib/x.so": elf(ARM64), "lib/y.so": elf(X86_64)}, None, id="for-both-machines"),
        pytest.param({FAST: elf(X86_64) + b"stripped"}, None, id="stripped"),
        pytest.param(
            {
                "other-1.0.dist-info/METADATA": b"",
                "other-1.0.dist-info/RECORD": b"o.so,,\n",
                "o.so": elf(ARM64),
            },
            None,
            id="of-a-package-that-nobody-needs",
        ),
        pytest.param({"notes.so": b"no shared object"}, None, id="no-elf"),
    ],
)
def test_layer_that_can_not_run(
    compiled: Project, made: dict[str, bytes], changed: dict[str, bytes], words: str | None
) -> None:
    """Where a needed package or a file of nobody is for another Python or machine; else nothing is said."""
    layer(compiled, {**made, **changed})

    outcome = bundle("-o", "function.zip")

    expected = f"exclude-layers: {compiled.folder / 'layer.zip'} can't run on python3.12 on x86_64: {words}."
    told = f"{expected} Make the layer for python3.12 on x86_64, or name another one." if words else ""
    assert (outcome.exit_code, outcome.message) == (1 if words else 0, told)


def test_layer_for_the_other_architecture(compiled: Project, made: dict[str, bytes]) -> None:
    """The whole layer of a run for x86_64 is none for arm64; the function for x86_64 is made."""
    outcome = bundle("--architecture", "arm64", "--architecture", "x86_64")

    assert outcome.exit_code == 1
    assert outcome.message.startswith("my-fn for arm64 could not be made: exclude-layers: ")
    assert f"it holds a wheel for {TAG} (of fast 1.0)" in outcome.message
    assert [path.name for path in (compiled.folder / "dist").iterdir()] == ["my-fn-x86_64.zip"]


def test_layer_without_metadata(compiled: Project, made: dict[str, bytes]) -> None:
    """Of what has no `.dist-info` only the machine and the Python can be known, and nothing is left out."""
    bare = {path: data for path, data in made.items() if ".dist-info/" not in path}
    layer(compiled, bare)
    assert told() == "Warning: The layer layer.zip holds no distribution where the runtime looks for one."
    assert "fast/__init__.py" in contents(compiled.folder / "function.zip")

    renamed = {path.replace("cpython-312", "cpython-311"): data for path, data in bare.items()}
    layer(compiled, renamed)
    assert "_core.cpython-311-x86_64-linux-gnu.so is compiled for Python 3.11. Make" in bundle().message
    layer(compiled, {**renamed, **bare})
    assert bundle().exit_code == 0


def test_another_wheel_of_the_release(compiled: Project, made: dict[str, bytes]) -> None:
    """Its files may differ from those of the locked wheel, as configuration of the build does."""
    wheel = b"Wheel-Version: 1.0\nTag: cp312-cp312-manylinux_2_28_x86_64\n"
    layer(compiled, {**made, f"{INFO}/WHEEL": wheel, "fast/__init__.py": b"BUILT = 2\n"})

    assert told("--strict") == ""


def test_what_is_not_at_hand_is_not_compared(
    compiled: Project, made: dict[str, bytes], index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the locked wheels the function is made all the same, and a note says so."""
    layer(compiled, {**made, "fast/__init__.py": b"WORD = 2\n"})
    monkeypatch.setenv("POETRY_CACHE_DIR", str(tmp_path / "new-cache"))
    note = "What the layers hold of fast is not compared, since what is locked is not at hand.\n"

    assert note in bundle("--dry-run").output
    assert told().startswith("Warning: The layer layer.zip holds fast 1.0 with other files")
    monkeypatch.setenv("POETRY_CACHE_DIR", str(tmp_path / "newer-cache"))
    index.close()
    outcome = bundle("-o", "function.zip")
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert note in outcome.output


def test_layer_that_lacks_what_its_bundle_excludes(compiled: Project, made: dict[str, bytes]) -> None:
    """A pattern of any bundle may be that of the layer."""
    compiled.write({"../shared/shared/cli.py": ""})
    table = "tool.poetry-lambda-plugin.bundles"
    text = (compiled.folder / "pyproject.toml").read_text().replace('exclude-layers = ["layer.zip"]', "")
    tables = f'[{table}.l]\nlayer = true\nexclude = ["cli.py"]\n[{table}.f]\nexclude-layers = "layer.zip"\n'
    compiled.write({"pyproject.toml": text + tables})

    assert told("f", "--strict") == ""
    compiled.write({"pyproject.toml": text + tables.replace('exclude = ["cli.py"]', "")})
    assert "other files than" in told("f")


def test_path_of_two_distributions(project: Project, index: Index) -> None:
    """The layer has one of the two files, and is not old for that."""
    wheels = [make_wheel(n, files={f"{n}.py": "", "tests/__init__.py": f"OF = {n!r}\n"}) for n in ("a", "b")]
    index.add(*wheels)
    project.write({"my_fn.py": ""})
    project.pyproject(dependencies=["a", "b"], source=index.url, config='runtime = "python3.12"')
    project.lock([Locked.of(wheel) for wheel in wheels], source=index.url)
    bundle("--layer", "--no-root", "-o", "layer.zip")
    text = (project.folder / "pyproject.toml").read_text()
    project.write(
        {"pyproject.toml": text.replace('"python3.12"', '"python3.12"\nexclude-layers = "layer.zip"')}
    )

    assert told("--strict") == ""


def test_damaged_metadata(compiled: Project, made: dict[str, bytes]) -> None:
    """A layer whose records can't be read is refused with its path."""
    layer(compiled, {**made, f"{INFO}/RECORD": b"x" * 200_000})

    assert bundle().message.startswith(
        f"exclude-layers: {compiled.folder / 'layer.zip'} is no layer that Lambda could unpack: "
    )


def test_zip_of_the_standard_library(compiled: Project, made: dict[str, bytes]) -> None:
    """A layer that Python's own `zipfile` wrote, stored and compressed, is read alike."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(compiled.folder / "layer.zip", "w", method) as archive:
            for path, data in {**made, FAST: elf(ARM64)}.items():
                archive.writestr(f"python/{path}", data)
        assert "is compiled for arm64" in bundle().message
