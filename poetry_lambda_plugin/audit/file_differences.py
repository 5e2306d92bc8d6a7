"""What is the matter with each file of a bundle that is not as expected, and whether it counts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.audit import packaging
from poetry_lambda_plugin.audit.matching import is_link
from poetry_lambda_plugin.audit.matching import same_version
from poetry_lambda_plugin.audit.verdicts import FileDifference
from poetry_lambda_plugin.bytecode.holding import compiled_of
from poetry_lambda_plugin.layout.distribution import release_of
from poetry_lambda_plugin.layout.wheel import MAX_METADATA


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from typing import TypeAlias

    from poetry_lambda_plugin.archive.held import HeldBundle
    from poetry_lambda_plugin.audit.matching import Matches
    from poetry_lambda_plugin.audit.verdicts import Expectation
    from poetry_lambda_plugin.audit.verdicts import Verdict
    from poetry_lambda_plugin.bytecode.holding import Compiled
    from poetry_lambda_plugin.bytecode.holding import Judgement
    from poetry_lambda_plugin.layout.wheel import Wheel

    Reader: TypeAlias = Callable[[str, int], bytes | None]
    BytecodeJudge: TypeAlias = Callable[[Mapping[str, Compiled], Reader], Mapping[str, Judgement]]


HARMLESS = frozenset({"C headers", "editable stub", "installer metadata", "path of the build machine"})
"""Reasons for which files of wheels are in no bundle, though other tools leave them where they are."""

OTHERS_CAN_READ = 0o004
EXECUTABLE = 0o100
PERMISSIONS = 0o777

MAX_BINARY = 1 << 30
"""Bytes of a compiled file that is looked at closely."""


def file_differences(
    expected: Expectation, held: HeldBundle, matches: Matches, judge: BytecodeJudge
) -> Iterator[FileDifference]:
    """Yield every file that differs; raises UnreadableBundleError."""
    found = dict(_bytecode(expected, matches))
    files = _Files(expected, held, matches, judge({p: c for p, c in found.items() if c}, held.read))
    for path, entry in matches.same.items():
        yield from files.of_same_bytes(path, entry)
    for path in found:
        yield files.bytecode(path)
    for path, entry in matches.altered.items():
        if path not in found:
            yield files.altered(path, entry)
    for path in matches.extra:
        if path not in found:
            yield files.extra(path)
    for entry in matches.missing:
        yield files.missing(entry)


def _bytecode(expected: Expectation, matches: Matches) -> Iterator[tuple[str, Compiled | None]]:
    """Yield each `.pyc` that is not as expected, and which expected source it would be of."""
    sources = {entry.path for entry in expected.plan.entries if entry.path.endswith(".py")}
    for path in (*matches.altered, *matches.extra):
        if path.endswith(".pyc"):
            compiled = compiled_of(path, expected.python)
            yield path, compiled if compiled and compiled.source in sources else None


class _Files:
    """Judges single files."""

    def __init__(
        self,
        expected: Expectation,
        held: HeldBundle,
        matches: Matches,
        judgements: Mapping[str, Judgement],
    ) -> None:
        self._expected = expected
        self._held = held
        self._matches = matches
        self._judgements = judgements
        self._prefix = expected.plan.prefix

    def of_same_bytes(self, path: str, entry: Entry) -> Iterator[FileDifference]:
        """Yield what is the matter with the mode of a file whose bytes are right."""
        rights = self._held.files[path].mode & PERMISSIONS
        if self._held.is_folder or not rights:
            return
        if not rights & OTHERS_CAN_READ:
            detail = f"mode {rights:04o} lets its owner alone read it, and Lambda is another user"
            yield FileDifference(path, "changed", "unreadable", detail)
        elif bool(rights & EXECUTABLE) != entry.executable:
            yield FileDifference(path, "packaging", "mode", f"mode {rights:04o}")

    def bytecode(self, path: str) -> FileDifference:
        """Say what is the matter with a `.pyc`."""
        judgement = self._judgements.get(path)
        if judgement is None:
            return self._bytecode_of_nothing(path)
        if judgement.verified is not None:
            verdict: Verdict = "packaging" if judgement.verified else "changed"
            return FileDifference(path, verdict, "bytecode", judgement.reason)
        if "__pycache__" not in path and path[:-1] not in self._held.files:
            return FileDifference(
                path, "changed", "bytecode", f"it runs without its source, and {judgement.reason}"
            )
        return FileDifference(path, "unverified", "bytecode", judgement.reason)

    def altered(self, path: str, entry: Entry) -> FileDifference:
        """Say what is the matter with a file that has other bytes than expected."""
        if is_link(self._held.files[path]):
            return FileDifference(path, "changed", "link")
        owner, base = self._info(path)
        if base and self._is_other_packaging(owner, base, path, entry):
            return FileDifference(path, "packaging", "installer" if base == "RECORD" else "metadata")
        if self._is_script(path):
            return FileDifference(path, "packaging", "script")
        if self._is_stripped(path, entry):
            return FileDifference(path, "changed", "stripped")
        _, other = self._left_out.get(path.removeprefix(self._prefix), ("", None))
        whose = f"the one of {other.owner}" if other and self._has_bytes_of(path, other) else ""
        return FileDifference(path, "changed", "altered", whose)

    def extra(self, path: str) -> FileDifference:
        """Say what is the matter with a file that nothing is expected for."""
        if is_link(self._held.files[path]):
            return FileDifference(path, "changed", "link")
        owner, base = self._info(path)
        if base in packaging.INSTALLERS_OWN or self._is_builders_own(owner, base):
            return FileDifference(path, "packaging", "installer")
        if path == self._prefix + packaging.LOCK and not self._held.files[path].size:
            return FileDifference(path, "packaging", "installer")
        if self._is_script(path):
            return FileDifference(path, "packaging", "script")
        reason, whole = self._left_out.get(self._left_out_path(path), ("", None))
        if reason in HARMLESS and whole is not None and self._has_bytes_of(path, whole):
            return FileDifference(path, "packaging", "left-out", reason)
        return FileDifference(path, "changed", "extra", reason and f"left out: {reason}")

    def missing(self, entry: Entry) -> FileDifference:
        """Say what is the matter with a file that is not there."""
        owner, base = self._info(entry.path)
        if entry.path.endswith(".pyc") and compiled_of(entry.path, self._expected.python):
            return FileDifference(entry.path, "packaging", "bytecode", "not compiled")
        if base == "RECORD" or self._is_builders_own(owner, base):
            return FileDifference(entry.path, "packaging", "installer", "not there")
        return FileDifference(entry.path, "changed", "missing")

    def _bytecode_of_nothing(self, path: str) -> FileDifference:
        """Say what is the matter with a `.pyc` that no source is expected for."""
        if path in self._matches.altered:
            return FileDifference(path, "changed", "altered")
        compiled = compiled_of(path, self._expected.python)
        if compiled is None:
            return FileDifference(path, "unverified", "bytecode", "CPython makes no file of this name")
        has_source = compiled.source in self._held.files
        if has_source and self._is_script(compiled.source):
            return FileDifference(
                path, "unverified", "bytecode", "it is of a script, which is not compiled here"
            )
        runs = "__pycache__" not in path and not has_source
        return FileDifference(path, "changed", "extra", "it runs without a source" if runs else "")

    def _info(self, path: str) -> tuple[str, str]:
        """Return in whose `.dist-info` a file lies, as far as it is expected, and its path there."""
        folder, _, base = path[len(self._prefix) :].partition("/")
        release = release_of(folder) if path.startswith(self._prefix) else None
        package = self._expected.packages.get(release.name) if release else None
        if release is None or package is None or not same_version(package.version, release.version):
            return "", ""
        return release.name, base

    def _is_other_packaging(self, owner: str, base: str, path: str, entry: Entry) -> bool:
        if base == "RECORD" or self._is_builders_own(owner, base):
            return True
        found = self._held.read(path, MAX_METADATA)
        if found is None:
            return False
        if base == "WHEEL":
            return packaging.same_wheel_file(found, entry.read())
        if base == "entry_points.txt":
            return packaging.same_entry_points(found, entry.read())
        # what is built here, others may build with other words for a reader
        is_locked = self._expected.packages[owner].is_locked
        return base == "METADATA" and not is_locked and packaging.same_metadata(found, entry.read())

    def _is_builders_own(self, owner: str, base: str) -> bool:
        is_made = bool(owner) and not self._expected.packages[owner].is_locked
        return is_made and base.lower().startswith(packaging.BUILDERS_OWN)

    def _is_script(self, path: str) -> bool:
        """Tell whether a file is a script that an installer makes of a wheel, with another interpreter."""
        name = path.removeprefix(f"{self._prefix}bin/")
        known = name in self._scripts or name in self._wheel_scripts
        text = self._held.read(path, MAX_METADATA) if known and name != path else None
        if text is None:
            return False
        if name in self._scripts and packaging.is_made_script(text, *self._scripts[name]):
            return True
        wheels = self._wheel_scripts.get(name)
        return wheels is not None and packaging.is_same_script(text, wheels.read())

    def _is_stripped(self, path: str, entry: Entry) -> bool:
        if ".so" not in path.rpartition("/")[2] and not entry.executable:
            return False
        if self._held.files[path].size >= entry.content.size or entry.content.size > MAX_BINARY:
            return False
        from poetry_lambda_plugin.audit.stripped import is_stripped

        return is_stripped(b"".join(self._held.chunks(path)), entry.read())

    def _has_bytes_of(self, path: str, whole: Entry) -> bool:
        if self._held.files[path].size != whole.content.size:
            return False
        return self._held.fingerprints([path])[path].sha256 == whole.digest()

    def _left_out_path(self, path: str) -> str:
        """Return what a file is left out as; pip puts C headers into a folder of each distribution."""
        path = path.removeprefix(self._prefix)
        parts = path.split("/")
        if parts[0] != "include":
            return path
        known = (f"include//{'/'.join(parts[number:])}" for number in range(1, len(parts)))
        return next((place for place in known if place in self._left_out), path)

    @cached_property
    def _scripts(self) -> Mapping[str, tuple[str, str]]:
        """What each script calls that an installer would make."""
        entries = (e for e in self._expected.plan.entries if e.path.endswith(".dist-info/entry_points.txt"))
        return {name: call for e in entries for name, call in packaging.console_scripts(e.read()).items()}

    @cached_property
    def _wheel_scripts(self) -> Mapping[str, Entry]:
        return {
            path.removeprefix("bin/"): entry
            for path, (_, entry) in self._left_out.items()
            if path.startswith("bin/") and entry is not None
        }

    @cached_property
    def _left_out(self) -> Mapping[str, tuple[str, Entry | None]]:
        """Why files are in no bundle, by the paths where other tools put them, and what they are."""
        found: dict[str, tuple[str, Entry | None]] = {}
        for distribution in self._expected.plan.distributions:
            package = self._expected.packages.get(distribution.name)
            wheel = package.wheel if package else None
            members = {member.name: member for member in wheel.members} if wheel else {}
            for left in distribution.left_out:
                entry = None
                if wheel is not None and left.path in members:
                    content = WheelContent(wheel.path, members[left.path])
                    entry = Entry(left.path, content, owner=distribution.name)
                found[_place(left.path, wheel)] = left.reason, entry
        return found


def _place(path: str, wheel: Wheel | None) -> str:
    """Return where other tools put a member that is left out."""
    data = f"{wheel.dist_info.removesuffix('.dist-info')}.data/" if wheel else "\0"
    if not path.startswith(data):
        return path
    scheme, _, rest = path[len(data) :].partition("/")
    return {"scripts": "bin/", "headers": "include//"}.get(scheme, "") + rest
