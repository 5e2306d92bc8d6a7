"""Where bundles are written, and where earlier runs have written them."""

from __future__ import annotations

import os
import re

from contextlib import suppress
from dataclasses import replace
from functools import cache
from glob import escape
from glob import glob
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import check_writable
from poetry_lambda_plugin.configuration.bundles import output_path
from poetry_lambda_plugin.configuration.bundles import sbom_path
from poetry_lambda_plugin.configuration.placeholders import LATER
from poetry_lambda_plugin.configuration.placeholders import OPEN_DIGEST
from poetry_lambda_plugin.configuration.placeholders import PLACEHOLDERS
from poetry_lambda_plugin.configuration.placeholders import readable
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.runtimes import ARCHITECTURES
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.stages.pages import is_page
from poetry_lambda_plugin.strays import is_ours


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from typing import TypeAlias

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.poetry_api.facts import ProjectFacts
    from poetry_lambda_plugin.poetry_api.project import OpenProject

    FileId: TypeAlias = tuple[int, int]
    """Device and inode: one for all links to a file."""


RECORDS = "_unpacked_"
"""Below the cache for what comes from no index: it is told there what was written to folders."""

SIGNATURES = (b"PK\3\4", b"PK\5\6")
"""How a ZIP begins, and an empty one (APPNOTE 4.3.7, 4.3.16)."""

SBOM = re.compile(rb'\s*\{[^}]*"bomFormat"\s*:\s*"CycloneDX"')
"""How a document of CycloneDX begins, whoever wrote it."""
SBOM_HEAD = 4096
"""Bytes that it is looked for in."""

ANY_VERSION, ANY_RUNTIME = "\0", "\1"
WILDCARDS = str.maketrans({ANY_VERSION: "[0-9]*", ANY_RUNTIME: "python[0-9]*"})
"""Put in their places when all else of a path is kept from being taken for a pattern."""


def output_of(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path:
    """Return where a bundle is to be written, maybe with its digest left open."""
    values = _placeholders(facts, config, facts.version, target.runtime.name, target.architecture)
    return output_path(config, facts.root / "dist", values)


def sbom_of(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path | None:
    """Return where a bundle's SBOM is to be written, as `output_of` does; None without one."""
    values = _placeholders(facts, config, facts.version, target.runtime.name, target.architecture)
    return sbom_path(config, values)


def place_of(path: Path) -> Path:
    """Return the file that a path means: the same for all links and detours to it."""
    return Path(os.path.normcase(os.path.realpath(path)))


def possible_outputs(facts: ProjectFacts, config: BundleConfig) -> frozenset[Path]:
    """Return the places where a bundle is written on any runtime."""
    targets = (Target(runtime, a) for runtime in RUNTIMES for a in config.architectures)
    return frozenset(place_of(output_of(facts, config, target)) for target in targets)


def written_before(facts: ProjectFacts, configs: Iterable[BundleConfig], records: Path) -> frozenset[FileId]:
    """Return the outputs that are there, of any version, runtime and architecture, whatever run made them.

    Of folders, those that have a record.
    """
    patterns = set()
    # one architecture or two make a difference to the default
    for config, number, name in product(configs, (1, 2), ARCHITECTURES):
        with suppress(ConfigError):
            known = replace(config, architectures=ARCHITECTURES[:number])
            values = _placeholders(facts, known, ANY_VERSION, ANY_RUNTIME, name)
            patterns.add(str(output_path(known, facts.root / "dist", values)))
            patterns.add(str(sbom_path(known, values) or ""))
    there = (Path(path) for pattern in patterns for path in _matches(pattern))
    ours = (path for path in there if not path.is_dir() or record_place(records, path).exists())
    return frozenset(found for path in ours if (found := file_id(path)))


def records_of(project: OpenProject) -> Path:
    """Return where it is kept what earlier runs have written to folders."""
    return project.settings.own_cache / RECORDS


def record_place(records: Path, folder: Path) -> Path:
    """Return where the record of what was written to a folder is kept."""
    return records / f"{sha256(os.fsencode(place_of(folder))).hexdigest()}.json"


def check_folder(path: Path, root: Path) -> None:
    """Raise UnwritableOutputError where a bundle can't be unpacked, or would be mixed with the project."""
    check_writable(path, "unpacked")
    place = place_of(path)
    if place in (place_of(root), *place_of(root).parents):
        raise UnwritableOutputError(path, "the project lies in it", "unpacked")


def check_output(path: Path, own_files: Collection[ProjectFile]) -> None:
    """Raise UnwritableOutputError where a bundle can't be written, or would replace what is no bundle."""
    check_writable(readable(path))
    if not path.is_file():
        return
    if not _is_zip(path):
        raise UnwritableOutputError(path, "it is there and no ZIP, and would be lost")
    # an empty file may be one that was made to be filled
    is_a_bundles = path.resolve().suffix == ".zip" or path.stat().st_size > 0
    if not is_a_bundles and _is_among(own_files, path):
        raise UnwritableOutputError(path, "it is a file of the project, and would be lost")


def check_sbom(path: Path, own_files: Collection[ProjectFile]) -> None:
    """Raise UnwritableOutputError where an SBOM can't be written, or would replace what is none."""
    check_writable(readable(path), "sbom")
    if not path.is_file() or _is_sbom(path):
        return
    if path.stat().st_size:
        raise UnwritableOutputError(path, "it is there and no SBOM, and would be lost", "sbom")
    if _is_among(own_files, path):
        raise UnwritableOutputError(path, "it is a file of the project, and would be lost", "sbom")


def without_outputs(source: ProjectSource, outputs: Collection[FileId]) -> ProjectSource:
    """Return a project without bundles that runs have left in it, and without what is being written there."""

    @cache
    def is_below(folder: Path) -> bool:
        return file_id(folder) in outputs or (folder != folder.parent and is_below(folder.parent))

    kept = tuple(
        file
        for file in source.files
        if not (_is_output(file.file, outputs) or (outputs and is_below(file.file.parent)))
    )
    return source if len(kept) == len(source.files) else replace(source, files=kept)


def _is_output(file: Path, outputs: Collection[FileId]) -> bool:
    if is_ours(file.name) or is_page(file):
        return True
    return bool(outputs) and file_id(file) in outputs and _is_written(file)


def _is_among(own_files: Collection[ProjectFile], path: Path) -> bool:
    return file_id(path) in {file_id(file) for _, file in own_files}


def _placeholders(
    facts: ProjectFacts, config: BundleConfig, version: str, runtime: str, architecture: str
) -> dict[str, str]:
    values = (facts.name, version, runtime, architecture, config.bundle or facts.name, LATER)
    return dict(zip(PLACEHOLDERS, values, strict=True))


def _matches(pattern: str) -> list[str]:
    names = OPEN_DIGEST.sub(lambda match: "[0-9a-f]" * int(match[1]), escape(pattern).translate(WILDCARDS))
    # pathlib's takes no pattern of an absolute path
    return glob(names)  # noqa: PTH207


def file_id(path: Path | str) -> FileId | None:
    """Return what tells one file from all others; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for each file of a project
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_written(path: Path) -> bool:
    """Tell whether a file is of a kind that is written here, or empty."""
    return _is_zip(path) or _is_sbom(path)


def _is_sbom(path: Path) -> bool:
    with path.open("rb") as file:
        return SBOM.match(file.read(SBOM_HEAD)) is not None


def _is_zip(path: Path) -> bool:
    """Tell whether a file is one, or empty."""
    with path.open("rb") as file:
        start = file.read(4)
    return not start or start in SIGNATURES
