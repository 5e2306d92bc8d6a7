"""A bundle, its layers and the runtime's packages as folders whose files can't be changed."""

from __future__ import annotations

import os

from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.output import NoRoomError
from poetry_lambda_plugin.strays import remove_folder


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from poetry_lambda_plugin.archive.content import Entry


ELF = {62: "x86_64", 183: "arm64"}
"""Lambda's architectures by ELF's number of the machine (elf.h)."""

PASSWD = "sbx_user1051:x:{}:{}::/home/sbx_user1051:/sbin/nologin\n"
"""What Lambda's own list of users says of the one that functions run as."""


class Folders(NamedTuple):
    """What is to be mounted or named, and what reports go to."""

    top: Path

    @property
    def task(self) -> Path:
        """The bundle: `/var/task`."""
        return self.top / "task"

    @property
    def layers(self) -> Path:
        """All layers: `/opt`."""
        return self.top / "opt"

    @property
    def runtime(self) -> Path:
        """What the runtime brings along: `/var/runtime`."""
        return self.top / "runtime"

    @property
    def root(self) -> Path:
        """An empty folder."""
        return self.top / "root"

    @property
    def passwd(self) -> Path:
        """The list of users."""
        return self.top / "passwd"


@contextmanager
def laid_out(
    temporary: Path, bundle: Iterable[Entry], layers: Iterable[Iterable[Entry]], runtime: Iterable[Entry]
) -> Iterator[tuple[Folders, frozenset[str]]]:
    """Lend folders with a function's files, and the architectures that compiled files among them are for.

    Raises NoRoomError.
    """
    folders = Folders(Path(mkdtemp(dir=temporary)))
    try:
        try:
            machines = _filled(folders, bundle, layers, runtime)
        except OSError as error:
            raise NoRoomError(error) from error
        yield folders, machines
    finally:
        remove_folder(folders.top)


def _filled(
    folders: Folders, bundle: Iterable[Entry], layers: Iterable[Iterable[Entry]], runtime: Iterable[Entry]
) -> frozenset[str]:
    for folder in (folders.task, folders.layers, folders.runtime, folders.root):
        folder.mkdir()
    if hasattr(os, "getuid"):
        folders.passwd.write_text(PASSWD.format(os.getuid(), os.getgid()), encoding="ascii")
    machines = unpack(bundle, folders.task)
    # Lambda unpacks layers over each other in their order
    machines |= unpack(_of_layers(layers), folders.layers)
    machines |= unpack(runtime, folders.runtime)
    for top in (folders.task, folders.layers, folders.runtime):
        for path, _, _ in os.walk(top):
            os.chmod(path, 0o555)  # noqa: PTH101 - one for each of thousands
    return machines


def _of_layers(layers: Iterable[Iterable[Entry]]) -> Iterable[Entry]:
    return {entry.path: entry for layer in layers for entry in layer}.values()


def unpack(entries: Iterable[Entry], folder: Path) -> frozenset[str]:
    """Write files that can't be written to; return the architectures that compiled ones are for."""
    made, machines = {str(folder)}, set()
    for entry in entries:
        path = os.path.join(folder, *entry.path.split("/"))  # noqa: PTH118
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            made.add(parent)
        head = _write(path, entry)
        if head.startswith(b"\x7fELF"):
            machines.add(ELF.get(int.from_bytes(head[18:20], "little"), "another"))
    return frozenset(machines)


def _write(path: str, entry: Entry) -> bytes:
    """Write one file, and return how it begins."""
    head = b""
    mode = 0o555 if entry.executable else 0o444
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "wb", buffering=0) as file:
        for chunk in entry.content.chunks():
            head = head or chunk[:20]
            file.write(chunk)
    return head
