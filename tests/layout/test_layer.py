"""What a layer's ZIP says it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.layout.layer import LayerError
from poetry_lambda_plugin.layout.layer import layer_prefix
from poetry_lambda_plugin.layout.layer import read_layer
from poetry_lambda_plugin.runtime.platform import find_runtime
from tests.support.zips import STORED
from tests.support.zips import Raw
from tests.support.zips import zip_bytes


if TYPE_CHECKING:
    from pathlib import Path


RUNTIME = find_runtime("python3.12")
SPECIFIC = "python/lib/python3.12/site-packages"


def layer(folder: Path, *paths: str) -> Path:
    """Write a layer in which each file holds its own path."""
    path = folder / "layer.zip"
    path.write_bytes(zip_bytes([Raw(name, name.encode()) for name in paths]))
    return path


@pytest.mark.parametrize(
    ("paths", "versions"),
    [
        pytest.param(["python/six-1.17.0.dist-info/METADATA"], {"six": "1.17.0"}, id="python"),
        pytest.param([f"{SPECIFIC}/six-1.17.0.dist-info/METADATA"], {"six": "1.17.0"}, id="specific"),
        pytest.param(
            ["python/Zope.Interface-5.0.dist-info/METADATA"], {"zope-interface": "5.0"}, id="normalised"
        ),
        pytest.param(
            ["python/typing_extensions-4.0.dist-info/METADATA"], {"typing-extensions": "4.0"}, id="underscore"
        ),
        pytest.param(
            ["python/Zope-Interface-5.0.dist-info/METADATA"], {"zope-interface": "5.0"}, id="dash-in-name"
        ),
        pytest.param(["python/six.dist-info/METADATA"], {}, id="no-version"),
        pytest.param(
            [f"{SPECIFIC}/six-2.dist-info/METADATA", "python/six-1.dist-info/METADATA"],
            {"six": "2"},
            id="specific-is-searched-first",
        ),
        pytest.param(["python/lib/python3.11/site-packages/six-1.dist-info/METADATA"], {}, id="other-python"),
        pytest.param(["six-1.17.0.dist-info/METADATA"], {}, id="not-below-python"),
        pytest.param(["python/a/six-1.17.0.dist-info/METADATA"], {}, id="vendored"),
        pytest.param(["python/six-1.17.0.dist-info/licenses/METADATA"], {}, id="not-the-metadata"),
        pytest.param(["python/six.py"], {}, id="no-metadata"),
    ],
)
def test_finds_distributions(tmp_path: Path, paths: list[str], versions: dict[str, str]) -> None:
    """Distributions count where the runtime has the layer on its path, by their normalised names."""
    assert read_layer(layer(tmp_path, *paths), RUNTIME).versions == versions


def test_refuses_a_bomb_and_names_it(tmp_path: Path) -> None:
    """A member that states more than Lambda would unpack is named."""
    path = tmp_path / "layer.zip"
    path.write_bytes(zip_bytes([Raw("python/a.py"), Raw("python/b", zip64=True, stated={"size": 32 << 30})]))

    with pytest.raises(LayerError) as caught:
        read_layer(path, RUNTIME)

    assert str(caught.value) == (
        f"exclude-layers: {path} is no layer that Lambda could unpack: member 'python/b': "
        "with it there are 34,359,738,368 bytes to unpack, too many for any bundle."
    )


def test_counts_every_byte(tmp_path: Path) -> None:
    """The size is that of all files, wherever they lie."""
    paths = ("python/six.py", "bin/tool", "lib/libx.so")

    assert read_layer(layer(tmp_path, *paths), RUNTIME).unzipped == sum(map(len, paths))


def test_prefix() -> None:
    """The two folders are those of AWS's page."""
    assert layer_prefix(RUNTIME, version_specific=False) == "python/"
    assert layer_prefix(RUNTIME, version_specific=True) == f"{SPECIFIC}/"


def test_refuses_what_is_no_zip(tmp_path: Path) -> None:
    """The message has the key, the path and the reason."""
    path = tmp_path / "layer.zip"
    path.write_bytes(b"no ZIP at all, but long enough to look at")

    with pytest.raises(LayerError) as caught:
        read_layer(path, RUNTIME)

    assert str(caught.value).startswith(f"exclude-layers: {path} is no layer that Lambda could unpack: ")


def test_refuses_missing_layer(tmp_path: Path) -> None:
    """A layer that is not there yet is to be made first."""
    path = tmp_path / "layer.zip"

    with pytest.raises(LayerError) as caught:
        read_layer(path, RUNTIME)

    assert str(caught.value) == (
        f"exclude-layers: {path} can't be read: No such file or directory. "
        "Make the layer before the function, or name its bundle instead of its path."
    )


def test_tells_what_a_layer_is_made_for(tmp_path: Path) -> None:
    """The tags that WHEEL states, what RECORD lists, and the machine of each shared object."""
    info = "python/fast-1.0.dist-info"
    x86_64, arm64 = (b"\x7fELF" + bytes(14) + number.to_bytes(2, "little") for number in (62, 183))
    path = tmp_path / "layer.zip"
    members = [
        Raw(f"{info}/METADATA"),
        Raw(f"{info}/WHEEL", b"Wheel-Version: 1.0\r\nTag: cp312-abi3-any\r\nTag: nonsense\r\n"),
        Raw(f"{info}/RECORD", b"fast.so,,\nfast.py,sha256=x,1\n"),
        Raw("python/fast.so", x86_64 + bytes(1000)),
        Raw("python/other.so.1.2", arm64, method=STORED),
        Raw("python/short.so", b"\x7fELF"),
        Raw("lib/outside.so", arm64),
    ]
    path.write_bytes(zip_bytes(members))

    read = read_layer(path, RUNTIME)

    held = read.distributions["fast"]
    assert {str(tag) for tag in held.tags} == {"cp312-abi3-any"}
    assert held.files == {"fast.so", "fast.py"}
    assert read.machines == {"fast.so": "x86_64", "other.so.1.2": "arm64"}
