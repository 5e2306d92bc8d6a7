"""Where bundles are written, and where earlier runs have written them."""

from __future__ import annotations

import os

from contextlib import suppress
from dataclasses import replace
from glob import escape
from glob import glob
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.output import UnwritableOutputError
from poetry_lambda_plugin.archive.output import check_writable
from poetry_lambda_plugin.configuration.bundles import output_path
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

    FileId: TypeAlias = tuple[int, int]
    """Device and inode: one for all links to a file."""


SIGNATURES = (b"PK\3\4", b"PK\5\6")
"""How a ZIP begins, and an empty one (APPNOTE 4.3.7, 4.3.16)."""

ANY_VERSION, ANY_RUNTIME = "\0", "\1"
WILDCARDS = str.maketrans({ANY_VERSION: "[0-9]*", ANY_RUNTIME: "python[0-9]*"})
"""Put in their places when all else of a path is kept from being taken for a pattern."""


def output_of(facts: ProjectFacts, config: BundleConfig, target: Target) -> Path:
    """Return where a bundle is to be written."""
    return _filled_in(facts, config, facts.version, target.runtime.name, target.architecture)


def place_of(path: Path) -> Path:
    """Return the file that a path means: the same for all links and detours to it."""
    return Path(os.path.normcase(os.path.realpath(path)))


def possible_outputs(facts: ProjectFacts, config: BundleConfig) -> frozenset[Path]:
    """Return the places where a bundle is written on any runtime."""
    targets = (Target(runtime, a) for runtime in RUNTIMES for a in config.architectures)
    return frozenset(place_of(output_of(facts, config, target)) for target in targets)


def written_before(facts: ProjectFacts, configs: Iterable[BundleConfig]) -> frozenset[FileId]:
    """Return the outputs that are there, of any version, runtime and architecture, whatever run made them."""
    patterns = set()
    # one architecture or two make a difference to the default
    for config, number, name in product(configs, (1, 2), ARCHITECTURES):
        with suppress(ConfigError):
            known = replace(config, architectures=ARCHITECTURES[:number])
            patterns.add(str(_filled_in(facts, known, ANY_VERSION, ANY_RUNTIME, name)))
    return frozenset(found for pattern in patterns for path in _matches(pattern) if (found := _id(path)))


def check_output(path: Path, own_files: Collection[ProjectFile]) -> None:
    """Raise UnwritableOutputError where a bundle can't be written, or would replace what is no bundle."""
    check_writable(path)
    if not path.is_file():
        return
    if not _is_zip(path):
        raise UnwritableOutputError(path, "it is there and no ZIP, and would be lost")
    # an empty file may be one that was made to be filled
    is_a_bundles = path.resolve().suffix == ".zip" or path.stat().st_size > 0
    if not is_a_bundles and _id(path) in {_id(file) for _, file in own_files}:
        raise UnwritableOutputError(path, "it is a file of the project, and would be lost")


def without_outputs(source: ProjectSource, outputs: Collection[FileId]) -> ProjectSource:
    """Return a project without bundles that runs have left in it, and without what is being written there."""
    kept = tuple(file for file in source.files if not _is_output(file.file, outputs))
    return source if len(kept) == len(source.files) else replace(source, files=kept)


def _is_output(file: Path, outputs: Collection[FileId]) -> bool:
    if is_ours(file.name) or is_page(file):
        return True
    return bool(outputs) and _id(file) in outputs and _is_zip(file)


def _filled_in(
    facts: ProjectFacts, config: BundleConfig, version: str, runtime: str, architecture: str
) -> Path:
    placeholders = {
        "name": facts.name,
        "version": version,
        "runtime": runtime,
        "architecture": architecture,
        "bundle": config.bundle or facts.name,
    }
    return output_path(config, facts.root / "dist", placeholders)


def _matches(pattern: str) -> list[str]:
    # pathlib's takes no pattern of an absolute path
    return glob(escape(pattern).translate(WILDCARDS))  # noqa: PTH207


def _id(path: Path | str) -> FileId | None:
    """Return what tells one file from all others; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for each file of a project
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_zip(path: Path) -> bool:
    """Tell whether a file is one, or empty."""
    with path.open("rb") as file:
        start = file.read(4)
    return not start or start in SIGNATURES
