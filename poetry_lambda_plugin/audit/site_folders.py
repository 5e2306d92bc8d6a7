"""What distributions expect of the folder that they are installed to, and Lambda gives or not (site module).

The runtime's bootstrap makes site folders of `/var/task` and `/opt/python`: `.pth` files at their roots are
read. But neither is below `sys.prefix`, where installers put what wheels have for the scheme `data`.
"""

from __future__ import annotations

import posixpath
import re

from typing import TYPE_CHECKING

from poetry_lambda_plugin.findings import Finding


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterator

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.plan import PlannedDistribution


MAX_SIZE = 1 << 16
"""Bytes of a file that is looked at."""

ON_LAMBDA = ("/var/", "/opt/", "/mnt/", "/tmp/")
"""Folders of a function's host that may hold what no bundle does, a file system that is mounted for one."""

POINTERS = frozenset({"path of the build machine", "editable stub"})
"""Why such a file, or what stands for one, is left out of a bundle."""

CODE = (".py", ".pyc", ".so")

DATA = re.compile(
    r"[^/]+\.data/data/(?!share/(?:man|doc|applications|icons|metainfo)/|bin/|lib/|etc/bash|include/)"
)
"""Members of a wheel that a package may look for below `sys.prefix`, unlike manuals."""

PREFIX = re.compile(rb"\bsys\.(?:exec_)?prefix\b|\bget_path\(\s*[\"']data[\"']")


def site_findings(plan: BundlePlan) -> Iterator[Finding]:
    """Yield what `.pth` files name that will not be on Lambda, and data that may be looked for elsewhere."""
    yield from _path_file_findings(plan)
    yield from _data_findings(plan)


def _path_file_findings(plan: BundlePlan) -> Iterator[Finding]:
    paths = [entry.path.removeprefix(plan.prefix) for entry in plan.entries]
    for entry, path in zip(plan.entries, paths, strict=True):
        if path.endswith(".pth") and "/" not in path and entry.content.size <= MAX_SIZE:
            for line in _missing(entry, paths):
                words = (
                    f"{path!r} of {entry.owner} adds {line!r} to Python's path, which will not be on Lambda: "
                    "it is no folder of the bundle. Add it with include, or leave the file out with exclude."
                )
                yield Finding("path-file", words, path)
    with_code = {entry.owner for entry in plan.entries if entry.path.endswith(CODE)}
    for distribution in plan.distributions:
        if distribution.name not in with_code:
            yield from _empty(distribution)


def _missing(entry: Entry, paths: Collection[str]) -> Iterator[str]:
    """Yield the lines that name a folder or an archive which is not there."""
    for line in entry.read().decode("utf-8", "replace").splitlines():
        name = line.rstrip()
        # what begins so is executed
        if not name or name.startswith(("#", "import ", "import\t", *ON_LAMBDA)):
            continue
        place = posixpath.normpath(name)
        if place != "." and not any(path == place or path.startswith(f"{place}/") for path in paths):
            yield name


def _empty(distribution: PlannedDistribution) -> Iterator[Finding]:
    """Yield a warning for a distribution that only points to code elsewhere, as editable installs do."""
    pointer = next((left.path for left in distribution.left_out if left.reason in POINTERS), None)
    if pointer is not None:
        words = (
            f"{distribution.name} ({distribution.version}) holds no code: {pointer} points to a folder of "
            f"the machine that it was built on, as editable installs do, and is left out. Build it anew as "
            f"an ordinary wheel."
        )
        yield Finding("path-file", words, distribution.name)


def _data_findings(plan: BundlePlan) -> Iterator[Finding]:
    """Yield a remark for each wheel that has files below `sys.prefix`, and code that looks there."""
    data: dict[str, str] = {}
    for entry in plan.entries:
        if DATA.match(entry.content.member_name):
            data.setdefault(entry.owner, entry.path)
    for owner, path in data.items():
        own = (entry for entry in plan.entries if entry.owner == owner and entry.path.endswith(".py"))
        if any(PREFIX.search(entry.read()) for entry in own):
            words = (
                f"{owner} looks for files below sys.prefix, which is /var/lang on Lambda; here they lie at "
                f"the root, as {path} does. Tell it where they are, if it lets you."
            )
            yield Finding("data-prefix", words, owner, "remark")
