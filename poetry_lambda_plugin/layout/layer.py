"""What a Lambda layer holds, so that a function can leave it out.

Paths are those of the AWS page "Packaging your layer content".
"""

from __future__ import annotations

import re
import zlib

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import NamedTuple

from packaging.tags import parse_tag

from poetry_lambda_plugin.archive.format import DEFLATED
from poetry_lambda_plugin.archive.format import STORED
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.archive.reader import read_raw
from poetry_lambda_plugin.archive.reader import read_whole
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import record_rows
from poetry_lambda_plugin.layout.distribution import release_of


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from poetry_lambda_plugin.archive.reader import Member
    from poetry_lambda_plugin.runtime.runtimes import Runtime


LAYER_ROOT = "/opt/"
"""Where Lambda unpacks layers."""

SHARED_OBJECT = re.compile(r"\.so(?:\.\d+)*$")

ELF_START = 20
"""Bytes of an ELF file up to the end of `e_machine` (elf(5))."""

MACHINES = {62: "x86_64", 183: "arm64"}
"""`e_machine` of the architectures (elf.h)."""

MAX_WHEEL_FILE = 1 << 20
"""Bytes that a WHEEL file may have."""


class LayerError(LambdaBundleError):
    """A layer that can't be read."""


class HeldDistribution(NamedTuple):
    """A distribution in a layer, as far as its `.dist-info` folder tells."""

    version: str
    tags: frozenset[Tag] = frozenset()
    """Those of the wheel that it was installed from; none where no WHEEL tells."""
    files: frozenset[str] = frozenset()
    """What RECORD lists."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer's distributions and size."""

    path: Path
    distributions: Mapping[str, HeldDistribution]
    """By normalised name."""
    unzipped: int
    """Bytes once unpacked."""
    files: Mapping[str, Member] = field(default_factory=dict)
    """What lies where the runtime would import it from, by its path as the runtime would see it."""
    machines: Mapping[str, str] = field(default_factory=dict)
    """Architecture by path of each shared object; another name than Lambda's for one that it has not."""
    libraries: frozenset[str] = frozenset()
    """Names of the files in `lib/`, where the loader looks for shared libraries."""

    @property
    def name(self) -> str:
        """Its file's."""
        return self.path.name

    @property
    def versions(self) -> Mapping[str, str]:
        """Version by normalised name of each distribution."""
        return {name: held.version for name, held in self.distributions.items()}


def layer_prefix(runtime: Runtime, *, version_specific: bool) -> str:
    """Return the folder of a layer that the runtime has on its path."""
    return f"python/lib/{runtime.name}/site-packages/" if version_specific else "python/"


def read_layer(path: Path, runtime: Runtime) -> Layer:
    """Read a layer's `.dist-info` folders where the runtime would see them; raises LayerError."""
    try:
        members = read_members(path)
        files = _seen(members, runtime)
        distributions = dict(_distributions(path, files))
        machines = dict(_machines(path, files))
    except InvalidArchiveError as error:
        raise LayerError(
            f"exclude-layers: {path} is no layer that Lambda could unpack: {error.detail}."
        ) from error
    except OSError as error:
        raise LayerError(
            f"exclude-layers: {path} can't be read: {error.strerror}. Make the layer before the function, or "
            "name its bundle instead of its path."
        ) from error
    libraries = frozenset(m.name.removeprefix("lib/") for m in members if m.name.startswith("lib/"))
    size = sum(member.size for member in members)
    return Layer(path, distributions, size, files, machines, libraries)


def _seen(members: tuple[Member, ...], runtime: Runtime) -> dict[str, Member]:
    """Return the files that the runtime can import; the folder that is searched first wins."""
    found: dict[str, Member] = {}
    for specific in (True, False):
        prefix = layer_prefix(runtime, version_specific=specific)
        for member in members:
            if member.name.startswith(prefix):
                found.setdefault(member.name.removeprefix(prefix), member)
    return found


def _distributions(path: Path, files: Mapping[str, Member]) -> Iterator[tuple[str, HeldDistribution]]:
    found: set[str] = set()
    for file in files:
        folder, _, base = file.partition("/")
        if base != "METADATA" or not (release := release_of(folder)) or release.name in found:
            continue
        found.add(release.name)
        wheel, record = files.get(f"{folder}/WHEEL"), files.get(f"{folder}/RECORD")
        listed = frozenset(row[0] for row in record_rows(path, record) if row) if record else frozenset()
        yield release.name, HeldDistribution(release.version, _tags(path, wheel), listed)


def _tags(path: Path, wheel: Member | None) -> frozenset[Tag]:
    """Return the tags that a WHEEL states (PEP 427)."""
    if wheel is None:
        return frozenset()
    text = read_whole(path, wheel, MAX_WHEEL_FILE).decode("utf-8", "replace")
    written = re.findall(r"(?m)^Tag:[ \t]*([^\s-]+-[^\s-]+-[^\s-]+)[ \t\r]*$", text)
    return frozenset(tag for one in written for tag in parse_tag(one))


def _machines(path: Path, files: Mapping[str, Member]) -> Iterator[tuple[str, str]]:
    """Yield the architecture of each shared object."""
    objects = {name: member for name, member in files.items() if SHARED_OBJECT.search(name)}
    if not objects:
        return
    with path.open("rb") as archive:
        for name, member in objects.items():
            start = b"".join(_start(next(read_raw(archive, member, path.name), b""), member))
            if start.startswith(b"\x7fELF") and len(start) == ELF_START:
                number = int.from_bytes(start[18:], "little")
                yield name, MACHINES.get(number, f"machine {number}")


def _start(raw: bytes, member: Member) -> Iterator[bytes]:
    """Yield the first bytes of a file, nothing for what they can't be told of."""
    if member.method == STORED:
        yield raw[:ELF_START]
    elif member.method == DEFLATED:
        try:
            yield zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, ELF_START)
        except zlib.error:
            return
