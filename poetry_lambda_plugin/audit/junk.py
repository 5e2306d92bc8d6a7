"""What the user's own files bring along that no function needs, and that nobody means to deploy."""

from __future__ import annotations

import re

from collections import defaultdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from typing import NamedTuple

from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.reader import InvalidArchiveError
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.layout.distribution import release_of
from poetry_lambda_plugin.wording import counted
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.findings import Severity
    from poetry_lambda_plugin.layout.plan import BundlePlan


class Kind(NamedTuple):
    """Files of one kind."""

    what: str
    severity: Severity = "warning"


FOLDERS = {
    "node_modules": Kind("packages of Node.js"),
    ".tox": Kind("environments of tox"),
    ".nox": Kind("environments of nox"),
    ".mypy_cache": Kind("a cache of mypy"),
    ".pytest_cache": Kind("a cache of pytest"),
    ".ruff_cache": Kind("a cache of ruff"),
    ".hypothesis": Kind("a cache of Hypothesis"),
    ".ipynb_checkpoints": Kind("copies that Jupyter made"),
    ".idea": Kind("settings of an editor"),
    ".vscode": Kind("settings of an editor"),
    ".hg": Kind("a repository of Mercurial"),
    ".svn": Kind("a working copy of Subversion"),
    ".terraform": Kind("what Terraform downloaded"),
    ".aws-sam": Kind("what AWS SAM built"),
    ".serverless": Kind("what the Serverless Framework built"),
    "cdk.out": Kind("what AWS CDK built"),
    "tests": Kind("tests", "remark"),
}
"""What lies in a folder, by its name."""

FILES = (
    (
        re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini", re.IGNORECASE),
        Kind("what a file manager left"),
    ),
    (re.compile(r"\..+\.sw[a-p]|#.+#|\.#.+|.+~"), Kind("what an editor left")),
    (re.compile(r".*\.tfstate(?:\.\d+)?(?:\.backup)?"), Kind("the state of Terraform, with its secrets")),
    (re.compile(r"\.coverage(?:\.[^/]+)?"), Kind("measurements of Coverage.py")),
    (re.compile(r".+\.ipynb"), Kind("a notebook", "remark")),
)
"""Files by their names."""

FORMER = Kind("a former bundle of this project")


def junk(plan: BundlePlan, project: str, included: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each folder, and each kind of file, that was likely bundled by accident.

    `project` is its normalised name. What the user names in one of the paths `included` is meant.
    """
    named = {part for path in included for part in path.split("/")} - {"*", "**"}
    found: dict[tuple[str, Kind], list[Entry]] = defaultdict(list)
    for entry in plan.entries:
        if entry.owner == project or isinstance(entry.content, FileContent):
            path = entry.path.removeprefix(plan.prefix)
            folder = _folder(path, named)
            kind = FOLDERS[folder.rpartition("/")[2]] if folder else _file_kind(path, entry, project, named)
            if kind is not None:
                found[(folder, kind)].append(entry)
    for (folder, kind), entries in found.items():
        yield _finding(folder, kind, [entry.path.removeprefix(plan.prefix) for entry in entries], entries)


def _folder(path: str, named: Iterable[str]) -> str:
    """Return the outermost folder on the way to a file that nobody means to deploy; nothing without one."""
    parts = path.split("/")
    for count, part in enumerate(parts[:-1], 1):
        if part in FOLDERS and not _is_named(part, named):
            return "/".join(parts[:count])
    return ""


def _file_kind(path: str, entry: Entry, project: str, named: Iterable[str]) -> Kind | None:
    name = path.rpartition("/")[2]
    kind = next((kind for pattern, kind in FILES if pattern.fullmatch(name)), None)
    if kind is None and name.endswith(".zip") and _is_bundle_of(project, entry):
        kind = FORMER
    return None if kind is not None and _is_named(name, named) else kind


def _is_named(name: str, named: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in named)


def _is_bundle_of(project: str, entry: Entry) -> bool:
    """Tell whether a ZIP holds a project as it lies in a bundle."""
    if not isinstance(entry.content, FileContent):
        return False
    try:
        members = read_members(entry.content.source)
    except (InvalidArchiveError, OSError):
        return False
    folders = (
        member.name.split("/")[-2] for member in members if member.name.endswith(".dist-info/METADATA")
    )
    return any(release is not None and release.name == project for release in map(release_of, folders))


def _finding(folder: str, kind: Kind, paths: Sequence[str], entries: Sequence[Entry]) -> Finding:
    total = size(sum(entry.content.size for entry in entries))
    place = f"{folder}/" if folder else paths[0]
    more = "" if folder or len(paths) == 1 else f" and {counted(len(paths) - 1, 'more file')}"
    count = f"{counted(len(paths), 'file')}, " if folder else ""
    words = (
        f"{place!r}{more} {'are' if more else 'is'} {kind.what} ({count}{total}), and no function needs "
        f"that, by all appearances. Leave it out with exclude = [{'/' + place!r}], or, where it is meant "
        f"to be there, write ignore = [{'junk:' + place!r}]."
    )
    return Finding("junk", words, place, kind.severity)
