"""One digest of all that a bundle is made of, told before it is made: equal ones stand for equal ZIPs."""

from __future__ import annotations

import hashlib
import json

from dataclasses import asdict
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING
from typing import Any

from poetry_lambda_plugin.archive.writer import EARLIEST
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.facts import is_built_by_poetry_core
from poetry_lambda_plugin.poetry_api.project import read_document
from poetry_lambda_plugin.selection.choice import LockedWheel
from poetry_lambda_plugin.sources.files import ProjectError
from poetry_lambda_plugin.sources.files import read_source
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.locked_projects import existing_folder
from poetry_lambda_plugin.sources.locked_projects import read_locked_project
from poetry_lambda_plugin.stages.outputs import without_outputs
from poetry_lambda_plugin.stages.reached import SCRIPTS
from poetry_lambda_plugin.stages.reached import needed_elsewhere
from poetry_lambda_plugin.stages.reached import own_of_layers
from poetry_lambda_plugin.stages.reached import reached_files


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection

    from poetry_lambda_plugin.configuration.values import BundleConfig
    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.layout.own_files import ProjectSource
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.stages.outputs import FileId
    from poetry_lambda_plugin.stages.selected import Selected


FORMAT = 1
"""Changes with what is put together here, and how."""

MAKERS = ("poetry-lambda-plugin", "deflate")
"""Distributions whose releases may write other bytes."""

NOT_IN_BYTES = frozenset(
    {
        *("bundle", "output", "ignore", "ignore_is_shared", "strict", "max_size"),
        *("runtime", "runtime_set_by", "architectures", "selection", "exclude_layers"),
    }
)
"""What a user says of a bundle that no byte of it shows, or nothing but what is selected by it."""


class UnknownBytesError(LambdaBundleError):
    """A bundle of which something is not there until it is built."""


def fingerprint(
    selected: Selected,
    source_date_epoch: int | None,
    interpreter: Callable[[tuple[int, int]], str],
    outputs: Collection[FileId],
) -> str:
    """Return a SHA-256 in hexadecimal; equal ones give equal ZIPs, on this host or another.

    `interpreter` tells all of what compiles bytecode for a version, `outputs` is what earlier runs have
    written. Raises UnknownBytesError where something has to be built, and other errors as a bundle would.
    """
    config, target = selected.config, selected.target
    if selected.build is not None:
        raise UnknownBytesError(f"{selected.name} has to be built.")
    sources = _reached(selected, _sources(selected, outputs), outputs)
    parts = {
        "format": FORMAT,
        "makers": [version(name) for name in MAKERS],
        "time": EARLIEST if source_date_epoch is None else source_date_epoch,
        "target": [target.runtime.name, target.architecture],
        "wishes": _wishes(config),
        "packages": [
            _project(sources[choice]) if choice in sources else _wheel(choice) for choice in selected.choices
        ],
        "project": _project(sources[None]) if None in sources else None,
        "compiler": interpreter(target.runtime.python) if config.bytecode else None,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _wishes(config: BundleConfig) -> dict[str, Any]:
    return {name: value for name, value in asdict(config).items() if name not in NOT_IN_BYTES}


def _sources(selected: Selected, outputs: Collection[FileId]) -> dict[Choice | None, ProjectSource]:
    """Return the path dependencies, and the project as None."""
    folders: dict[Choice | None, ProjectSource] = {
        choice: _source(choice, outputs) for choice in selected.choices if not isinstance(choice, LockedWheel)
    }
    return folders | ({None: selected.project} if selected.project else {})


def _source(choice: Choice, outputs: Collection[FileId]) -> ProjectSource:
    package = choice.package
    if package.source_type == "directory":
        folder = existing_folder(package)
        if is_built_by_poetry_core(read_document(folder)):
            return without_outputs(read_locked_project(package, folder), outputs)
    raise UnknownBytesError(f"{package} has to be built.")


def _reached(
    selected: Selected, sources: dict[Choice | None, ProjectSource], outputs: Collection[FileId]
) -> dict[Choice | None, ProjectSource]:
    """Leave out what the handler does not lead to, where that is wanted."""
    if not selected.config.begins_at_handler:
        return sources
    passed: dict[Choice | None, ProjectSource] = {
        choice: _source(choice, outputs) for choice in own_of_layers(selected)
    }
    known = passed | sources
    files = {file.path: partial(read_source, file.file) for s in known.values() for file in reversed(s.files)}
    groups = [group for s in known.values() for group in s.entry_points.items()]
    points = [
        reference.partition(":")[0].strip()
        for name, group in groups
        if selected.config.scripts or name not in SCRIPTS
        for reference in group.values()
    ]
    whole = needed_elsewhere(selected)
    kept = [file.path for choice, s in sources.items() if choice and s.name in whole for file in s.files]
    reached = reached_files(selected, files, points, kept)
    if reached is None:
        return sources
    return {
        choice: replace(source, files=tuple(file for file in source.files if file.path in reached.paths))
        for choice, source in sources.items()
    }


def _wheel(choice: Choice) -> Any:
    """Return what tells a wheel's files from all others."""
    if isinstance(choice, LockedWheel) and choice.file.algorithm:
        return [choice.package.name, choice.package.version, choice.file.name, choice.file.hash]
    raise UnknownBytesError(f"The lock has no hash of {choice.package.name}.")


def _project(source: ProjectSource) -> Any:
    """Return all that a project adds, its files by their digests."""
    return {
        "release": [source.name, source.pretty_name, source.version, source.summary],
        "files": [_file(file) for file in source.files],
        "licences": [_file(file) for file in source.licences],
        "entry_points": {group: dict(points) for group, points in source.entry_points.items()},
        "metadata": [source.is_distribution, *source.core_metadata],
    }


def _file(file: ProjectFile) -> tuple[str, str, bool]:
    try:
        is_executable = bool(file.file.stat().st_mode & 0o100)
        return file.path, digest(file.file, "sha256:"), is_executable
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"{file.file} can't be read: {getattr(error, 'strerror', None) or error}."
        ) from error
