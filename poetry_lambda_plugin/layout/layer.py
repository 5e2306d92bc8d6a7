"""What a Lambda layer holds, so that a function can leave it out.

Paths are those of the AWS page "Packaging your layer content".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import release_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poetry_lambda_plugin.runtime.runtimes import Runtime


LAYER_ROOT = "/opt/"
"""Where Lambda unpacks layers."""


class LayerError(LambdaBundleError):
    """A layer that can't be read."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's distributions and size."""

    path: Path
    versions: Mapping[str, str]
    """Version by normalised name of each distribution."""
    unzipped: int
    """Bytes once unpacked."""
    files: frozenset[str] = frozenset()
    """Paths of what lies where the runtime would import it from, as it would see them."""
    libraries: frozenset[str] = frozenset()
    """Names of the files in `lib/`, where the loader looks for shared libraries."""


def layer_prefix(runtime: Runtime, *, version_specific: bool) -> str:
    """Return the folder of a layer that the runtime has on its path."""
    return f"python/lib/{runtime.name}/site-packages/" if version_specific else "python/"


def read_layer(path: Path, runtime: Runtime) -> Layer:
    """Read a layer's `.dist-info` folders where the runtime would see them; raises LayerError."""
    try:
        members = read_members(path)
    except InvalidArchiveError as error:
        raise LayerError(
            f"exclude-layers: {path} is no layer that Lambda could unpack: {error.detail}."
        ) from error
    except OSError as error:
        raise LayerError(
            f"exclude-layers: {path} can't be read: {error.strerror}. Make the layer before the function."
        ) from error
    prefixes = [layer_prefix(runtime, version_specific=specific) for specific in (False, True)]
    seen = [m.name.removeprefix(p) for p in prefixes for m in members if m.name.startswith(p)]
    versions: dict[str, str] = {}
    for file in seen:
        folder, _, base = file.partition("/")
        if base == "METADATA" and (release := release_of(folder)):
            versions[release.name] = release.version
    libraries = frozenset(m.name.removeprefix("lib/") for m in members if m.name.startswith("lib/"))
    return Layer(path, versions, sum(member.size for member in members), frozenset(seen), libraries)
