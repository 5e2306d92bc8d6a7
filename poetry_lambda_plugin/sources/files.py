"""Files of a project: which there are below a folder, which are left out, and their names in a bundle."""

from __future__ import annotations

import os

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from pathlib import PurePath
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.layout.python_source import MAX_SOURCE
from poetry_lambda_plugin.poetry_api.git import GIT
from poetry_lambda_plugin.sources.ignored import IgnoredByGit
from poetry_lambda_plugin.sources.ignored import Place


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence


class ProjectError(LambdaBundleError):
    """A project whose own files can't be told or found."""


class DanglingLinkError(ProjectError):
    """A link to nowhere that would be bundled."""

    def __init__(self, path: str, link: Path) -> None:
        self.path = path
        self.target = os.fspath(link.readlink())
        super().__init__(
            f"{link} is a link to {self.target}, which is not there. Restore that, or remove the link."
        )


@dataclass(frozen=True, slots=True)
class ExcludedPaths:
    """What `exclude` of [tool.poetry] or git leaves out of a project."""

    root: Path
    paths: frozenset[str]
    """Files and folders that `exclude` names, relative to the root."""
    ignored: IgnoredByGit | None = None
    """None where git is not asked."""

    @classmethod
    def of(cls, root: Path, patterns: Iterable[str], *, asks_git: bool = True) -> ExcludedPaths:
        """Find what patterns of [tool.poetry] name below a project's root; what leaves it means nothing."""
        inner = [pattern for pattern in patterns if not leaves(pattern)]
        found = (path for pattern in inner for path in matching(root, pattern))
        paths = frozenset(Path(os.path.relpath(path, root)).as_posix() for path in found)
        return cls(root, paths, IgnoredByGit(root) if asks_git else None)

    def has(self, path: Path) -> bool:
        """Tell whether a file or folder, or a folder above it, is left out."""
        return self._is_named(path) or self._is_ignored(_first_step(path, self.root))

    def files_below(self, element: Path) -> Iterator[Path]:
        """Yield what is not left out of a file or of all files of a folder."""
        for step in _walked(_first_step(element, self.root)):
            if not self._is_named(step.file) and not self._is_ignored(step):
                yield step.file

    def _is_ignored(self, step: _Step) -> bool:
        ignored = self.ignored
        return ignored is not None and any(map(ignored.has, (step.place, *step.links)))

    def _is_named(self, path: Path) -> bool:
        if not self.paths or self.root not in path.parents:
            return False
        relative = path.relative_to(self.root)
        return any(above.as_posix() in self.paths for above in (relative, *relative.parents))


def leaves(*parts: str, depth: int = 0) -> bool:
    """Tell whether a path or glob, joined of parts, might lead out of a folder so many levels above.

    It may where it goes up after it came down, for there may be a link on its way down.
    """
    names = [name for part in parts for name in PurePath(part).parts]
    climbed = next((count for count, name in enumerate(names) if name != ".."), len(names))
    is_absolute = any(PurePath(part).anchor for part in parts)
    return is_absolute or climbed > depth or ".." in names[climbed:]


def matching(root: Path, pattern: str) -> Sequence[Path]:
    """Return what matches a glob, sorted, in the same way on every Python and every host.

    `**` stands for any folders, links aside, or at the end for all that is in them. What is no glob matches
    nothing.
    """
    path = PurePath(pattern)
    parts = path.parts[1:] if path.anchor else path.parts
    if not parts or any("**" in part and part != "**" for part in parts):
        return ()
    ending = ("*",) if parts[-1] == "**" else ()
    return sorted(set(_expanded(root / path.anchor, (*parts, *ending))))


def _expanded(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from (path for inner in _folders(folder) for path in _expanded(inner, rest))
    elif not set(part) & set("*?["):
        yield from _continued(folder / part, rest)
    else:
        found = (path for path in children(folder) if fnmatchcase(path.name, part))
        yield from (path for child in found for path in _continued(child, rest))


def _continued(path: Path, rest: tuple[str, ...]) -> Iterator[Path]:
    if rest and is_folder(path):
        yield from _expanded(path, rest)
    elif not rest and os.path.lexists(path):
        yield path


def _folders(folder: Path) -> Iterator[Path]:
    """Yield a folder and all below it; links are not followed."""
    yield folder
    inner = (path for path in children(folder) if not path.is_symlink() and is_folder(path))
    yield from (path for child in inner for path in _folders(child))


def files_below(element: Path) -> Iterator[Path]:
    """Yield a file, or all files of a folder but those of virtual environments in it.

    Links are followed, each folder once on its path; one to nowhere counts as a file, which can't be bundled.
    """
    return (step.file for step in _walked(_first_step(element, element)))


class _Step(NamedTuple):
    """Where a walk is."""

    file: Path
    place: Place
    links: tuple[Place, ...] = ()
    """Where the links lie that it came through."""

    def to(self, child: Path) -> _Step:
        """Return the step to what lies in this folder."""
        inner = Place(self.place.path / child.name, self.place.start)
        if not child.is_symlink():
            return _Step(child, inner, self.links)
        target = _place(child)
        start = inner.start if inner.start in target.path.parents else target.start
        return _Step(child, Place(target.path, start), (*self.links, inner))


def _first_step(path: Path, root: Path) -> _Step:
    """Return the step to a path, through the links on the way to it from a root."""
    depth = len(root.parts) if root in path.parents else len(path.parts) - 1
    on_way = (folder for folder in (path, *path.parents) if len(folder.parts) > depth)
    links = [(_place(link.parent).path, link.name) for link in on_way if link.is_symlink()]
    return _Step(path, _place(path), tuple(Place(folder / name, folder) for folder, name in links))


def _place(path: Path) -> Place:
    real = Path(os.path.realpath(path))
    return Place(real, real if is_folder(real) else real.parent)


def _walked(step: _Step) -> Iterator[_Step]:
    if not step.file.is_file() and not is_dangling(step.file):
        yield from _walk(step, frozenset())
    elif step.file.suffix != ".pyc":
        yield step


def _walk(step: _Step, above: frozenset[Path]) -> Iterator[_Step]:
    folder, real = step.file, step.place.path
    if folder.name in ("__pycache__", GIT) or real in above:
        return
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise ProjectError(f"{folder} can't be read: {error.strerror}.") from error
    for child in inside:
        if child.is_dir():
            if not is_environment(child):
                yield from _walk(step.to(child), above | {real})
        elif _is_taken(child):
            yield step.to(child)


def _is_taken(child: Path) -> bool:
    return child.suffix != ".pyc" and child.name != GIT and (child.is_file() or is_dangling(child))


def is_dangling(path: Path) -> bool:
    """Tell whether a path is a link to nowhere."""
    return path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - Path's raises PermissionError


def read_source(path: Path) -> bytes:
    """Return a file that is looked at as text; nothing where it can't be read or is no such file.

    Who bundles it will say so.
    """
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            text = file.read(MAX_SOURCE + 1)
    except OSError:
        return b""
    return text if len(text) <= MAX_SOURCE else b""


def is_environment(folder: Path) -> bool:
    """Tell whether a folder is a virtual environment (PEP 405)."""
    return os.path.isfile(folder / "pyvenv.cfg")  # noqa: PTH113 - Path's raises PermissionError


def project_file(path: str, file: Path) -> ProjectFile:
    """Give a file its name in the bundle, which is UTF-8 whatever the locale of this host.

    Raises ProjectError for a name that is not, and for a link to nowhere.
    """
    if is_dangling(file):
        raise DanglingLinkError(path, file)
    try:
        return ProjectFile(os.fsencode(path).decode("utf-8"), file)
    except UnicodeDecodeError:
        raise ProjectError(f"The name of {os.fsencode(path)!r} is not UTF-8. Rename the file.") from None


def is_file(path: Path) -> bool:
    """Tell whether there is a file, as far as this user may know."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's raises PermissionError


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder, as far as this user may know."""
    return os.path.isdir(path)  # noqa: PTH112 - Path's raises PermissionError


def children(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; nothing where it can't be looked into."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
