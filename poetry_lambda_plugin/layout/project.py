"""The project as a distribution: its files and a `.dist-info` that shows no tool's version.

Two people on different releases of Poetry must get the same bytes, so the metadata is written here, in one
fixed form (packaging.python.org, "Core metadata", 2.4).
"""

from __future__ import annotations

import os

from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.archive.format import SENTINEL_32
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.distribution import Distribution
from poetry_lambda_plugin.layout.wheel import InvalidScriptError
from poetry_lambda_plugin.layout.wheel import script_entries


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from poetry_lambda_plugin.layout.own_files import ProjectFile
    from poetry_lambda_plugin.layout.own_files import ProjectSource


WHEEL = b"Wheel-Version: 1.0\nGenerator: poetry-lambda-plugin\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


FIELDS = (
    "License",
    "License-Expression",
    "License-File",
    "Requires-Dist",
    "Requires-Python",
    "Provides-Extra",
)
"""The standard's order of what a project may have besides its name, version and summary."""


class UnusableScriptError(LambdaBundleError):
    """A script in pyproject.toml that names no function."""

    def __init__(self, project: str, name: str, reference: str) -> None:
        super().__init__(
            f"The script {name!r} of {project} is {reference!r}, which is no MODULE:FUNCTION, as in "
            "'my_package.cli:main'. Correct it in pyproject.toml, or do without scripts = true."
        )


class UnreadableFileError(LambdaBundleError):
    """A file of the project that can't be read."""


def project_distribution(
    project: ProjectSource, interpreter: str | None = None, *, is_project: bool = True
) -> Distribution:
    """Lay out a project's files; `interpreter` is that of its scripts, which are left out without it."""
    entries = {file.path: _file_entry(file.path, file, project.name) for file in reversed(project.files)}
    record_path = None
    if project.is_distribution:
        folder = f"{project.name.replace('-', '_')}-{project.version}.dist-info"
        record_path = f"{folder}/RECORD"
        entries.update((entry.path, entry) for entry in _metadata(project, folder))
        if interpreter is not None:
            entries.update((entry.path, entry) for entry in _scripts(project, interpreter))
    return Distribution(
        name=project.name,
        version=project.version,
        source=".",
        entries=tuple(entries.values()),
        record_path=record_path,
        is_project=is_project,
    )


def _metadata(project: ProjectSource, folder: str) -> Iterator[Entry]:
    metadata = "".join(f"{field}: {value}\n" for field, value in _core_metadata(project))
    yield Entry(f"{folder}/METADATA", BytesContent(metadata.encode()), owner=project.name)
    yield Entry(f"{folder}/WHEEL", BytesContent(WHEEL), owner=project.name)
    if project.entry_points:
        text = _entry_points_text(project.entry_points)
        yield Entry(f"{folder}/entry_points.txt", BytesContent(text.encode()), owner=project.name)
    for licence in project.licences:
        yield _file_entry(f"{folder}/licenses/{licence.path}", licence, project.name)


def _core_metadata(project: ProjectSource) -> Iterator[tuple[str, str]]:
    """Yield all fields in the standard's order."""
    yield "Metadata-Version", "2.4"
    yield "Name", project.pretty_name
    yield "Version", project.version
    if project.summary:
        yield "Summary", project.summary
    fields = [*project.core_metadata, *(("License-File", licence.path) for licence in project.licences)]
    yield from sorted(fields, key=lambda field: FIELDS.index(field[0]))


def _scripts(project: ProjectSource, interpreter: str) -> Iterator[Entry]:
    for group, points in project.entry_points.items():
        for name, reference in points.items():
            text = _entry_points_text({group: {name: reference}})
            try:
                yield from script_entries(text, interpreter, project.name)
            except InvalidScriptError:
                raise UnusableScriptError(project.name, name, reference) from None


def _entry_points_text(groups: Mapping[str, Mapping[str, str]]) -> str:
    """Write `entry_points.txt` (packaging.python.org, "Entry points specification")."""
    sections = []
    for group, points in sorted(groups.items()):
        # white space means nothing here, but a line break would begin another entry
        lines = [f"{' '.join(name.split())}={''.join(ref.split())}" for name, ref in sorted(points.items())]
        sections.append("\n".join((f"[{group}]", *lines, "")))
    return "\n".join(sections)


def _file_entry(path: str, file: ProjectFile, owner: str) -> Entry:
    try:
        status = file.file.stat()
        readable = os.access(file.file, os.R_OK)
    except OSError as error:
        raise UnreadableFileError(f"{file.file} can't be read: {error.strerror}.") from error
    if not readable:
        raise UnreadableFileError(f"{file.file} can't be read: permission denied.")
    if status.st_size >= SENTINEL_32:
        raise UnreadableFileError(f"{file.file} has {status.st_size:,} bytes, more than any Lambda takes.")
    executable = bool(status.st_mode & 0o100)
    return Entry(path, FileContent(file.file, status.st_size, status.st_mtime_ns), executable, owner)
