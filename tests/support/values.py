"""Values that unit tests state literally; what is built here changes in one place when its type does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.writer import ArchiveDigest
from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.layout.plan import BundlePlan
from poetry_lambda_plugin.layout.plan import PlannedDistribution
from poetry_lambda_plugin.report.bundle_report import BundleReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import find_architecture
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.selection.graph import DependencyGraph
from poetry_lambda_plugin.selection.locked import LockedFile
from poetry_lambda_plugin.selection.locked import LockedPackage


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping

    from poetry_lambda_plugin.findings import Finding
    from poetry_lambda_plugin.selection.choice import Choice


PROJECT = "my-fn"


def target(runtime: str = "python3.13", architecture: str = "x86_64") -> Target:
    return Target(find_runtime(runtime), find_architecture(architecture))


def package(
    name: str, version: str = "1.0", *files: str, source_type: str = "", source_url: str | None = None
) -> LockedPackage:
    """Lock a package with files of some names, whose hashes are of no concern."""
    return LockedPackage(
        name=name,
        version=version,
        files=tuple(LockedFile(file, f"sha256:{file}") for file in files),
        source_type=source_type,
        source_reference=None,
        source_url=source_url,
    )


def graph(direct: str, **needs: str) -> DependencyGraph:
    """Make a graph of words: `graph("a b", a="c d")`."""
    return DependencyGraph(
        frozenset(direct.split()), {name: frozenset(words.split()) for name, words in needs.items()}
    )


def wheel_choice(name: str) -> Choice:
    """Choose the wheel of a package that has one."""
    locked = package(name, "1.0", f"{name}-1.0-py3-none-any.whl")
    return LockedWheel(locked, locked.files[0])


def told(choice: Choice) -> str:
    """Say what is done with what: `take FILE`, `build FILE`, or `build` for a folder or a revision."""
    verb = "take" if isinstance(choice, LockedWheel) else "build"
    return f"{verb} {choice.file.name}" if choice.file else verb


def messages(findings: Iterable[Finding]) -> list[str]:
    """Return the words of findings."""
    return [finding.message for finding in findings]


def plan(files: Mapping[str, Mapping[str, str | bytes]], prefix: str = "") -> BundlePlan:
    """Plan a bundle of files by owner and path; the project is `PROJECT`."""
    entries = [
        Entry(prefix + path, BytesContent(data.encode() if isinstance(data, str) else data), owner=owner)
        for owner, owned in files.items()
        for path, data in owned.items()
    ]
    distributions = [
        PlannedDistribution(
            name=owner, version="1.0", source=f"{owner}.whl", left_out=(), is_project=owner == PROJECT
        )
        for owner in files
    ]
    return BundlePlan(
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        distributions=tuple(distributions),
        findings=(),
        prefix=prefix,
    )


def digest(total: Sizes, packed_sizes: Iterable[int] = ()) -> ArchiveDigest:
    return ArchiveDigest(sha256=bytes(32), total=total, packed_sizes=tuple(packed_sizes), by_owner={})


def package_report(name: str, sizes: tuple[int, int, int] | None, version: str = "1.0") -> PackageReport:
    """Report a package with its zipped bytes, unzipped bytes and files."""
    return PackageReport(
        name=name, version=version, file=f"{name}.whl", sizes=Sizes(*sizes) if sizes is not None else None
    )


def bundle_report(*packages: PackageReport, **fields: Any) -> BundleReport:
    """Report a bundle that was written without anything worth a word, but for the fields given."""
    usual: dict[str, Any] = {
        "project": PROJECT,
        "version": "0.1.0",
        "bundle": None,
        "target": target(),
        "runtime_chosen_by": "configuration",
        "handler": None,
        "output": Path("dist/my-fn.zip"),
        "is_folder": False,
        "sbom": None,
        "status": "written",
        "changed": True,
        "packages": packages,
        "left_out": (),
        "unzipped_limit": None,
        "layers": (),
        "digest": None,
        "bytecode": None,
        "explanation": None,
        "differences": None,
        "loose_files": (),
        "audit": True,
        "findings": (),
        "notes": (),
    }
    return BundleReport(**{**usual, **fields})
