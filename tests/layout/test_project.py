"""The project as a distribution, with metadata that shows no tool's version."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin.layout.own_files import ProjectFile
from poetry_lambda_plugin.layout.own_files import ProjectSource
from poetry_lambda_plugin.layout.project import UnreadableFileError
from poetry_lambda_plugin.layout.project import project_distribution


if TYPE_CHECKING:
    from pathlib import Path


def source(**fields: Any) -> ProjectSource:
    plain: dict[str, Any] = {
        "name": "my-fn",
        "pretty_name": "My.Fn",
        "version": "0.1.0",
        "summary": "",
        "files": (),
        "licences": (),
        "entry_points": {},
        "is_distribution": True,
    }
    return ProjectSource(**{**plain, **fields})


def file(folder: Path, name: str, data: bytes = b"", mode: int = 0o644) -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path


def contents(project: ProjectSource, interpreter: str | None = None) -> dict[str, bytes]:
    entries = project_distribution(project, interpreter).entries
    return {entry.path: entry.read() for entry in entries}


def test_metadata_is_in_one_fixed_form(tmp_path: Path) -> None:
    """The dist-info holds what every release of Poetry agrees on."""
    project = source(
        summary="Says hello.",
        licences=(ProjectFile("LICENSE", file(tmp_path, "LICENSE", b"MIT")),),
        entry_points={"b.group": {"y": "pkg : obj", "x": "pkg"}, "a.group": {"z": "pkg:z"}},
        core_metadata=(("License-Expression", "MIT"), ("Requires-Dist", "a>=1"), ("Provides-Extra", "x")),
    )

    assert contents(project) == {
        "my_fn-0.1.0.dist-info/METADATA": (
            b"Metadata-Version: 2.4\nName: My.Fn\nVersion: 0.1.0\nSummary: Says hello.\n"
            b"License-Expression: MIT\nLicense-File: LICENSE\nRequires-Dist: a>=1\nProvides-Extra: x\n"
        ),
        "my_fn-0.1.0.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: poetry-lambda-plugin\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "my_fn-0.1.0.dist-info/entry_points.txt": b"[a.group]\nz=pkg:z\n\n[b.group]\nx=pkg\ny=pkg:obj\n",
        "my_fn-0.1.0.dist-info/licenses/LICENSE": b"MIT",
    }


def test_project_without_metadata(tmp_path: Path) -> None:
    """With `package-mode = false` there are files and nothing else."""
    project = source(is_distribution=False, files=(ProjectFile("x.py", file(tmp_path, "x.py", b"1")),))

    distribution = project_distribution(project)

    assert contents(project) == {"x.py": b"1"}
    assert distribution.record_path is None
    assert distribution.is_project


def test_first_file_of_a_path_is_meant(tmp_path: Path) -> None:
    """What the user includes explicitly comes first and wins over the package's file."""
    one, other = file(tmp_path, "one", b"1"), file(tmp_path, "other", b"2")
    project = source(is_distribution=False, files=(ProjectFile("x", one), ProjectFile("x", other)))

    assert contents(project) == {"x": b"1"}


def test_scripts_only_with_an_interpreter() -> None:
    """Entry points become scripts of the target where scripts are asked for."""
    project = source(entry_points={"console_scripts": {"hello": "my_fn:main"}})

    assert "bin/hello" not in contents(project)
    assert contents(project, "/var/lang/bin/python3.12")["bin/hello"] == (
        b"#!/var/lang/bin/python3.12\nimport sys\n\nfrom my_fn import main\n\nsys.exit(main())\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize(
    ("mode", "executable"), [(0o755, True), (0o744, True), (0o644, False), (0o655, False)]
)
def test_owners_right_to_execute_decides(tmp_path: Path, mode: int, executable: bool) -> None:
    """Of a file's mode, the owner's executable bit is kept, whatever the umask made of the rest."""
    project = source(is_distribution=False, files=(ProjectFile("x", file(tmp_path, "x", mode=mode)),))

    assert project_distribution(project).entries[0].executable is executable


def test_refuses_file_that_is_gone(tmp_path: Path) -> None:
    """A file that vanished since it was found is named."""
    project = source(files=(ProjectFile("x.py", tmp_path / "x.py"),))

    with pytest.raises(UnreadableFileError, match=r"x\.py can't be read: No such file or directory\."):
        project_distribution(project)
