"""What is taken for each package: decided from the lock alone, before any network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import TypeAlias
from urllib.parse import unquote
from urllib.parse import urlsplit

from packaging.utils import InvalidSdistFilename
from packaging.utils import InvalidWheelFilename
from packaging.utils import parse_sdist_filename
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion
from packaging.version import Version

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.runtime.build_image import build_command
from poetry_lambda_plugin.runtime.platform import WHEEL_ARCHITECTURES
from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from poetry_lambda_plugin.selection.locked import STRONG_HASHES
from poetry_lambda_plugin.selection.locked import WEAK_HASHES
from poetry_lambda_plugin.selection.locked import LockedFile
from poetry_lambda_plugin.wording import listed


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence

    from poetry_lambda_plugin.selection.locked import LockedPackage


BuildJudge: TypeAlias = "Callable[[Target, bool], str | None]"
"""Says what keeps compiled code for a target, maybe one that wants a newer glibc, from being made here."""

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


class NoUsableFileError(LambdaBundleError):
    """Packages that the lock has nothing usable of for the target."""

    def __init__(self, target: Target, reasons: Mapping[LockedPackage, str], remedy: Sequence[str]) -> None:
        self.target = target
        self.packages = tuple(reasons)
        count = "1 package has" if len(reasons) == 1 else f"{len(reasons)} packages have"
        lines = (f"  - {package}: {reason}" for package, reason in reasons.items())
        more = "`poetry lambda-check` shows what the lock has for every runtime and architecture."
        super().__init__(f"{count} no wheel for {target}:", *lines, *remedy, more)


class WrongPathFileError(LambdaBundleError):
    """A file dependency that is another project or version than the lock says."""

    def __init__(self, package: LockedPackage, filename: str) -> None:
        self.package = package
        super().__init__(
            f"{package.source_url} is locked as {package}, but its name says otherwise ({filename}). "
            "Put the right file there, or run `poetry lock`."
        )


class NoHashError(LambdaBundleError):
    """A locked file that nothing can be held against."""

    def __init__(self, package: LockedPackage, file: LockedFile) -> None:
        self.package = package
        self.file = file
        problem = f"the hash {file.hash!r}, which no known algorithm makes" if file.hash else "no hash"
        super().__init__(
            f"{file.name} of {package} has {problem}, in poetry.lock: whatever came in its place would be "
            "bundled. Run `poetry lock` to lock it anew."
        )


@dataclass(frozen=True, slots=True)
class LockedWheel:
    """A wheel that is taken as it is."""

    package: LockedPackage
    file: LockedFile

    @property
    def source(self) -> str:
        """What is taken, in a report's words."""
        return self.file.name

    @property
    def version(self) -> str:
        """The version that the wheel must have."""
        return self.package.version


@dataclass(frozen=True, slots=True)
class WheelBuild:
    """A wheel that is built here, or would be, were the files of the project not all there is to it."""

    package: LockedPackage
    target: Target
    file: LockedFile | None
    """An sdist; None for a folder or a git revision."""

    @property
    def source(self) -> str:
        """What it is built from, in a report's words."""
        return self.file.name if self.file else self.package.source_type

    @property
    def version(self) -> str:
        """Empty, for any: what is built here may have another version than the one locked, as folders do."""
        return ""


Choice: TypeAlias = LockedWheel | WheelBuild
"""What a package will be made of."""


@dataclass(frozen=True, slots=True)
class BinaryPolicy:
    """Poetry's `installer.no-binary` and `installer.only-binary`: names, `:all:` or `:none:`."""

    no_binary: frozenset[str]
    only_binary: frozenset[str]

    def allows_wheel(self, name: str) -> bool:
        """Tell whether a wheel may be taken; a package's own name beats `:all:`."""
        return name not in self.no_binary and (":all:" not in self.no_binary or name in self.only_binary)

    def allows_sdist(self, name: str) -> bool:
        """Tell whether an sdist may be taken; a package's own name beats `:all:`."""
        return name not in self.only_binary and (":all:" not in self.only_binary or name in self.no_binary)


def choose(
    packages: Sequence[LockedPackage],
    target: Target,
    policy: BinaryPolicy,
    missing_for_build: BuildJudge,
    suits: Callable[[Target], bool],
) -> tuple[Choice, ...]:
    """Choose the best wheel of each package, else its sdist; folders and git revisions are built.

    `missing_for_build` says what keeps compiled code for a target from being made here, maybe of a release
    whose wheels want a newer glibc: an sdist whose release also has wheels for some platforms is not even
    tried there. `suits` tells which other targets the project allows. Raises NoUsableFileError for all
    packages at once, WrongPathFileError and NoHashError.
    """
    choices = [choice_of(package, target, policy, missing_for_build) for package in packages]
    if missing := [package for package, choice in zip(packages, choices, strict=True) if choice is None]:
        reasons = {package: _reason(package, target, policy, missing_for_build) for package in missing}
        raise NoUsableFileError(target, reasons, remedy(missing, target, policy, suits))
    chosen = tuple(choice for choice in choices if choice is not None)
    for choice in chosen:
        file = choice.file
        if file and file in choice.package.files and file.algorithm not in STRONG_HASHES | WEAK_HASHES:
            raise NoHashError(choice.package, file)
    return chosen


def hash_findings(choices: Iterable[Choice]) -> Iterator[Finding]:
    """Yield a warning for each file of which the lock does not say enough to know it again."""
    for choice in choices:
        package, file = choice.package, choice.file
        if file is None or file.algorithm in STRONG_HASHES or package.source_type == "file":
            continue
        problem = (
            f"by its {file.algorithm.upper()} alone, which others can forge"
            if file.hash
            else "without a hash"
        )
        message = (
            f"{file.name} of {package} is locked {problem}: a file that someone put in its place would be "
            "bundled. Run `poetry lock` to lock it anew, from an index that names SHA-256."
        )
        yield Finding("hash-weak", message, package.name)


def unserved(
    packages: Sequence[LockedPackage],
    target: Target,
    policy: BinaryPolicy,
    missing_for_build: BuildJudge,
) -> tuple[LockedPackage, ...]:
    """Return the packages that have nothing usable for a target; judged as `choose` does."""
    return tuple(
        package for package in packages if choice_of(package, target, policy, missing_for_build) is None
    )


@cache
def best_wheel(package: LockedPackage, target: Target) -> LockedFile | None:
    """Return the locked wheel that fits a target best: the most specific tag first."""
    ranked = [
        (rank, file)
        for file in package.files
        if (rank := target.wheel_rank(file.name)) is not None and is_of_version(file.name, package.version)
    ]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def choice_of(
    package: LockedPackage, target: Target, policy: BinaryPolicy, missing_for_build: BuildJudge
) -> Choice | None:
    """Return what one package will be made of, judged as `choose` does; None where nothing will do."""
    if package.source_type in ("directory", "git"):
        return WheelBuild(package, target, None)
    if package.source_type in ("file", "url"):
        return _choice_of_one_file(package, target)
    wheel = best_wheel(package, target) if policy.allows_wheel(package.name) else None
    if wheel is not None:
        return LockedWheel(package, wheel)
    sdist = _sdist(package) if policy.allows_sdist(package.name) else None
    if sdist is None:
        return None
    if _has_platform_wheels(package) and missing_for_build(target, wants_newer_glibc(package, target)):
        return None
    return WheelBuild(package, target, sdist)


def _choice_of_one_file(package: LockedPackage, target: Target) -> Choice | None:
    """Take the file that a path or a URL names, if it can run on the target."""
    url = package.source_url or ""
    name = PurePosixPath(unquote(urlsplit(url).path) if package.source_type == "url" else url).name
    if not is_of_version(name, package.version) and package.source_type == "file":
        raise WrongPathFileError(package, name)
    file = next((file for file in package.files if file.name == name), None)
    if file is None and package.files:
        raise WrongPathFileError(package, name)
    # locks before 2.0 have no files for a URL, and so no hash
    file = file or LockedFile(name, "")
    if not name.endswith(".whl"):
        return WheelBuild(package, target, file)
    return LockedWheel(package, file) if target.wheel_rank(name) is not None else None


def _sdist(package: LockedPackage) -> LockedFile | None:
    for suffix in SDIST_SUFFIXES:
        for file in package.files:
            if file.name.endswith(suffix) and is_of_version(file.name, package.version):
                return file
    return None


def _has_platform_wheels(package: LockedPackage) -> bool:
    """Tell whether a release holds compiled code, going by its wheels for single platforms."""
    wheels = [
        f.name for f in package.files if f.name.endswith(".whl") and is_of_version(f.name, package.version)
    ]
    return any(not name.endswith("-any.whl") for name in wheels)


def wants_newer_glibc(package: LockedPackage, target: Target) -> bool:
    """Tell whether a release has wheels for a target but for its glibc, which all of them want newer."""
    return best_wheel(package, target) is None and best_wheel(package, target.with_any_glibc) is not None


@cache
def is_of_version(filename: str, version: str) -> bool:
    """Tell whether a file is of a version; locks before 2.0 list the files of all versions together."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1] == Version(version)
        return parse_sdist_filename(filename)[1] == Version(version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return True


def remedy(
    missing: Sequence[LockedPackage], target: Target, policy: BinaryPolicy, suits: Callable[[Target], bool]
) -> Sequence[str]:
    """Say in lines what would work: another target that the project allows, other versions, or a compiler.

    `missing` are the packages that `choose` or `unserved` finds nothing usable of.
    """
    if not any(policy.allows_wheel(package.name) for package in missing):
        return ["Your Poetry configuration refuses wheels of them: see `poetry config installer.no-binary`."]
    compiler = _compiler(missing, target, policy)
    for other in _nearest_targets(target):
        if suits(other) and all(best_wheel(package, other) for package in missing):
            words = (
                f"For {other} the lock has wheels of them. Choose that with {_options(other, target)}, "
                "or lock versions that have wheels for this target."
            )
            return [words, *compiler]
    words = "No other runtime that the project allows has wheels of all of them. Lock versions that have."
    return [words, *compiler]


def _compiler(missing: Sequence[LockedPackage], target: Target, policy: BinaryPolicy) -> Sequence[str]:
    """Say where packages can be compiled, if all have an sdist."""
    if any(choice_of(package, target, policy, lambda *_: None) is None for package in missing):
        return []
    command = build_command(target)
    if command is None:
        python = target.runtime.python_version
        return [f"Or bundle on Amazon Linux for {target.architecture} with Python {python}."]
    return ["Or compile on AWS's own image, with this line in the project's folder:", f"  {command}"]


def _options(other: Target, target: Target) -> str:
    """Return what to type for another target."""
    options = []
    if other.runtime != target.runtime:
        options.append(f"--runtime {other.runtime.name}")
    if other.architecture != target.architecture:
        options.append(f"--architecture {other.architecture}")
    return " ".join(options)


def _nearest_targets(target: Target) -> Iterator[Target]:
    """Yield all other targets: the same architecture first, then the nearest Python."""
    targets = [Target(runtime, a) for runtime in RUNTIMES for a in runtime.architectures]

    def distance(other: Target) -> tuple[bool, int, int]:
        minor = other.runtime.python[1]
        return (
            other.architecture != target.architecture,
            abs(minor - target.runtime.python[1]),
            -minor,
        )

    return iter(sorted((t for t in targets if t != target), key=distance))


def _reason(
    package: LockedPackage,
    target: Target,
    policy: BinaryPolicy,
    missing_for_build: BuildJudge,
) -> str:
    """Say what the lock has of a package, and why none of it will do."""
    reasons = [f"the lock has {_listing(package, target)}"]
    if not policy.allows_wheel(package.name):
        reasons.append("your `installer.no-binary` refuses its wheels")
    sdist = _sdist(package)
    if sdist is not None and not policy.allows_sdist(package.name):
        reasons.append(f"your `installer.only-binary` refuses {sdist.name}")
    elif sdist is not None:
        newer = wants_newer_glibc(package, target)
        glibc = f" and glibc {target.runtime.glibc_version} or older" if newer else ""
        reasons.append(
            f"{sdist.name} could only be compiled on Linux for {target.architecture} with "
            f"Python {target.runtime.python_version}{glibc}, and {missing_for_build(target, newer)}"
        )
    return "; ".join(reasons)


def _listing(package: LockedPackage, target: Target) -> str:
    """Name a package's wheels, those nearest to the target first, or its other files."""
    names = [file.name for file in package.files if is_of_version(file.name, package.version)]
    wheels = [name for name in names if name.endswith(".whl")]
    machine = WHEEL_ARCHITECTURES[target.architecture]
    python = "".join(map(str, target.runtime.python))
    ordered = sorted(
        wheels or names,
        key=lambda n: ("linux" not in n or machine not in n, f"cp{python}-" not in n, "musl" in n, n),
    )
    return listed(ordered) or "no files"
