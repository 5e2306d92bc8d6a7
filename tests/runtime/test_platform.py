"""What wheels and markers see on Lambda, held against LAMBDA.md's table."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig

from datetime import date
from typing import TYPE_CHECKING

import pytest

from packaging.markers import Marker
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from poetry_lambda_plugin.runtime.platform import Target
from poetry_lambda_plugin.runtime.platform import UnknownArchitectureError
from poetry_lambda_plugin.runtime.platform import UnknownRuntimeError
from poetry_lambda_plugin.runtime.platform import UnsuitableRuntimeError
from poetry_lambda_plugin.runtime.platform import allowed_runtimes
from poetry_lambda_plugin.runtime.platform import find_architecture
from poetry_lambda_plugin.runtime.platform import find_runtime
from poetry_lambda_plugin.runtime.platform import runtime_warnings
from poetry_lambda_plugin.runtime.platform import target_for
from poetry_lambda_plugin.runtime.runtimes import RUNTIMES
from tests.support.values import messages


if TYPE_CHECKING:
    from collections.abc import Callable

    from poetry_lambda_plugin.runtime.runtimes import Architecture


TODAY = date(2026, 11, 22)

NEW_X86 = [f"manylinux_2_{minor}" for minor in range(34, 26, -1)]
OLD_X86 = [
    *[f"manylinux_2_{minor}" for minor in range(26, 16, -1)],
    "manylinux2014",
    *[f"manylinux_2_{minor}" for minor in range(16, 11, -1)],
    "manylinux2010",
    *[f"manylinux_2_{minor}" for minor in range(11, 4, -1)],
    "manylinux1",
    "linux",
]
OLDEST_X86 = OLD_X86[OLD_X86.index("manylinux_2_17") :]
OLD_ARM = [*OLD_X86[: OLD_X86.index("manylinux2014") + 1], "linux"]

TABLE = [
    *[(f"python3.{minor}", "x86_64", OLDEST_X86) for minor in (6, 7)],
    *[(f"python3.{minor}", "x86_64", OLD_X86) for minor in (8, 9, 10, 11)],
    *[(f"python3.{minor}", "arm64", OLD_ARM) for minor in (8, 9, 10, 11)],
    *[(f"python3.{minor}", "x86_64", NEW_X86 + OLD_X86) for minor in (12, 13, 14, 15)],
    *[(f"python3.{minor}", "arm64", NEW_X86 + OLD_ARM) for minor in (12, 13, 14, 15)],
]
"""Runtime, architecture and platforms in order, as LAMBDA.md lists them."""

each_target = pytest.mark.parametrize(
    ("runtime", "architecture", "platforms"),
    [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in TABLE],
)


def target(runtime: str = "python3.13", architecture: Architecture = "x86_64") -> Target:
    return Target(find_runtime(runtime), architecture)


def allowing(constraint: str) -> Callable[[str], bool]:
    return SpecifierSet(constraint).contains


def names(of: Target) -> list[str]:
    return [str(tag) for tag in of.supported_tags]


def best(of: Target, *wheels: str) -> str:
    ranked = [(rank, wheel) for wheel in wheels if (rank := of.wheel_rank(wheel)) is not None]
    return min(ranked)[1]


def test_table_of_this_test_has_every_target() -> None:
    """No runtime or architecture goes untested."""
    assert {(r, a) for r, a, _ in TABLE} == {(r.name, a) for r in RUNTIMES for a in r.architectures}


@each_target
def test_lists_every_tag_in_order(runtime: str, architecture: Architecture, platforms: list[str]) -> None:
    """The list is that of CPython on such a machine: own ABI, abi3, none, older abi3, pure."""
    minor = int(runtime.removeprefix("python3."))
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    full = [f"{name}_{machine}" for name in platforms]
    own = f"cp3{minor}"
    abi = f"{own}m" if minor < 8 else own
    older = [f"cp3{m}" for m in range(minor - 1, 1, -1)]
    pure = [f"py3{minor}", "py3", *(f"py3{m}" for m in range(minor - 1, -1, -1))]

    assert names(target(runtime, architecture)) == [
        *(f"{own}-{kind}-{p}" for kind in (abi, "abi3", "none") for p in full),
        *(f"{interpreter}-abi3-{p}" for interpreter in older for p in full),
        *(f"{version}-none-{p}" for version in pure for p in full),
        f"{own}-none-any",
        *(f"{version}-none-any" for version in pure),
    ]


@each_target
def test_lists_nothing_that_cannot_run(
    runtime: str, architecture: Architecture, platforms: list[str]
) -> None:
    """musllinux, other systems and the other architecture never come in."""
    other = {"x86_64": "aarch64", "arm64": "x86_64"}[architecture]

    assert not [
        name
        for name in names(target(runtime, architecture))
        if any(word in name for word in ("musllinux", "macosx", "win", other, "arm64", "i686"))
    ]


@pytest.mark.parametrize(
    ("alias", "policy"),
    [
        pytest.param("manylinux2014", "manylinux_2_17", id="2014"),
        pytest.param("manylinux2010", "manylinux_2_12", id="2010"),
        pytest.param("manylinux1", "manylinux_2_5", id="1"),
    ],
)
def test_legacy_alias_follows_its_policy(alias: str, policy: str) -> None:
    """An alias of PEP 600 stands right behind the tag that it means."""
    tags = names(target("python3.12"))

    assert tags.index(f"cp312-cp312-{alias}_x86_64") == tags.index(f"cp312-cp312-{policy}_x86_64") + 1


@pytest.mark.parametrize(
    ("wheel", "runtime", "runs"),
    [
        pytest.param("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", "python3.11", False, id="2_28-on-al2"),
        pytest.param("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", "python3.12", True, id="2_28-on-al2023"),
        pytest.param("a-1-cp313-cp313-manylinux_2_35_x86_64.whl", "python3.13", False, id="too-new"),
        pytest.param("a-1-cp313-cp313-manylinux_2_34_x86_64.whl", "python3.13", True, id="newest"),
        pytest.param("a-1-cp311-cp311-manylinux2014_x86_64.whl", "python3.11", True, id="2014"),
        pytest.param(
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "python3.11",
            True,
            id="compressed",
        ),
        pytest.param("a-1-cp32-abi3-linux_x86_64.whl", "python3.14", True, id="oldest-abi3"),
        pytest.param("a-1-cp314-abi3-linux_x86_64.whl", "python3.13", False, id="newer-abi3"),
        pytest.param("a-1-cp313-cp313t-manylinux_2_17_x86_64.whl", "python3.13", False, id="free-threaded"),
        pytest.param("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "python3.13", False, id="musllinux"),
        pytest.param("a-1-py2.py3-none-any.whl", "python3.13", True, id="universal"),
        pytest.param("a-1-py2-none-any.whl", "python3.13", False, id="python2"),
        pytest.param("a-1-cp37-cp37m-manylinux1_x86_64.whl", "python3.7", True, id="pymalloc"),
        pytest.param("a-1.tar.gz", "python3.13", False, id="sdist"),
        pytest.param("a-1.whl", "python3.13", False, id="no-tags"),
    ],
)
def test_tells_what_runs(wheel: str, runtime: str, runs: bool) -> None:
    """A file name alone says whether a wheel runs on a target."""
    assert (target(runtime).wheel_rank(wheel) is not None) is runs


@pytest.mark.parametrize(
    ("wheels", "expected"),
    [
        pytest.param(
            ["a-1-py3-none-any.whl", "a-1-cp313-cp313-manylinux1_x86_64.whl"],
            "a-1-cp313-cp313-manylinux1_x86_64.whl",
            id="binary-before-pure",
        ),
        pytest.param(
            ["a-1-cp313-abi3-manylinux_2_34_x86_64.whl", "a-1-cp313-cp313-manylinux1_x86_64.whl"],
            "a-1-cp313-cp313-manylinux1_x86_64.whl",
            id="own-abi-before-abi3",
        ),
        pytest.param(
            ["a-1-cp38-abi3-manylinux_2_28_x86_64.whl", "a-1-cp39-abi3-manylinux2014_x86_64.whl"],
            "a-1-cp39-abi3-manylinux2014_x86_64.whl",
            id="newer-abi3",
        ),
        pytest.param(
            [
                "a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "a-1-cp313-cp313-manylinux_2_28_x86_64.whl",
                "a-1-cp313-cp313-manylinux1_x86_64.whl",
            ],
            "a-1-cp313-cp313-manylinux_2_28_x86_64.whl",
            id="newest-policy",
        ),
        pytest.param(
            ["a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1-py3-none-any.whl"],
            "a-1-10-py3-none-any.whl",
            id="highest-build",
        ),
        pytest.param(
            ["a-1-py3-none-any.whl", "a-1-0-py3-none-any.whl"], "a-1-0-py3-none-any.whl", id="build-0"
        ),
        pytest.param(
            ["a-1-9-py3-none-any.whl", "a-1-1-cp313-none-any.whl"], "a-1-1-cp313-none-any.whl", id="tag-first"
        ),
    ],
)
def test_ranks_wheels(wheels: list[str], expected: str) -> None:
    """The most specific tag wins, then the highest build number, whatever the order."""
    assert best(target(), *wheels) == expected
    assert best(target(), *reversed(wheels)) == expected


@pytest.mark.parametrize(
    ("architecture", "machine"),
    [pytest.param("x86_64", "x86_64", id="x86_64"), pytest.param("arm64", "aarch64", id="arm64")],
)
def test_answers_every_marker(architecture: Architecture, machine: str) -> None:
    """Each variable of PEP 508 has the value that the function would see."""
    assert target("python3.12", architecture).marker_environment == {
        "implementation_name": "cpython",
        "implementation_version": "3.12.13",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_release": "5.10.0",
        "platform_system": "Linux",
        "platform_version": "#1 SMP",
        "platform_python_implementation": "CPython",
        "python_full_version": "3.12.13",
        "python_version": "3.12",
        "sys_platform": "linux",
    }


def test_marker_environment_is_complete() -> None:
    """`packaging` knows no variable that is missing here."""
    assert target().marker_environment.keys() == default_environment().keys()


@pytest.mark.parametrize("runtime", [pytest.param(r.name, id=r.name) for r in RUNTIMES])
def test_versions_in_markers_agree(runtime: str) -> None:
    """Short and full version are those of the runtime's own name."""
    environment = target(runtime).marker_environment

    assert environment["python_version"] == runtime.removeprefix("python")
    assert environment["python_full_version"].startswith(f"{environment['python_version']}.")


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        pytest.param('python_full_version <= "3.11.2"', False, id="past-micro"),
        pytest.param('python_full_version >= "3.11.10"', True, id="recent-micro"),
        pytest.param('python_version < "3.11"', False, id="older-minor"),
        pytest.param('python_version < "3.12"', True, id="newer-minor"),
        pytest.param('sys_platform == "win32"', False, id="windows"),
        pytest.param('platform_machine == "aarch64"', False, id="machine"),
    ],
)
def test_judges_markers_as_on_lambda_today(marker: str, holds: bool) -> None:
    """Micro versions are those of the patched runtime, not 3.11.0."""
    environment = target("python3.11").marker_environment

    assert Marker(marker).evaluate(dict(environment)) is holds


def test_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags and markers are the same on another system, machine and Python."""
    here = {r.name: (names(Target(r, "x86_64")), Target(r, "x86_64").marker_environment) for r in RUNTIMES}

    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        patch.setattr(sys, "version_info", (3, 99, 1, "final", 0))
        patch.setattr(os, "name", "nt")
        patch.setattr(platform, "machine", lambda: "ARM64")
        patch.setattr(platform, "system", lambda: "Windows")
        patch.setattr(platform, "release", lambda: "11")
        patch.setattr(platform, "version", lambda: "10.0.22631")
        patch.setattr(platform, "python_version", lambda: "3.99.1")
        patch.setattr(platform, "python_implementation", lambda: "PyPy")
        patch.setattr(platform, "libc_ver", lambda *_: ("musl", "1.2"))
        patch.setattr(sysconfig, "get_platform", lambda: "win-arm64")
        patch.setattr(sysconfig, "get_config_var", lambda _: None)
        there = {
            r.name: (names(Target(r, "x86_64")), Target(r, "x86_64").marker_environment) for r in RUNTIMES
        }

    assert there == here


@pytest.mark.parametrize("name", [pytest.param(r.name, id=r.name) for r in RUNTIMES])
def test_finds_every_managed_runtime(name: str) -> None:
    """Each identifier of AWS's table is known."""
    runtime = find_runtime(name)

    assert (runtime.name, runtime.known) == (name, True)


def test_takes_a_runtime_that_aws_may_announce() -> None:
    """An unknown but well-formed runtime has the newest known facts and a warning."""
    runtime = find_runtime("python3.16")

    assert names(Target(runtime, "arm64"))[0] == "cp316-cp316-manylinux_2_34_aarch64"
    assert Target(runtime, "arm64").marker_environment["python_full_version"] == "3.16.0"
    (warning,) = messages(runtime_warnings(runtime, allowing(">=3.9"), ">=3.9", TODAY))
    assert warning == (
        "python3.16 is not known to this version of the plugin: "
        "the facts of python3.15 are assumed (glibc 2.34)."
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("python313", " Did you mean python3.13?", id="no-dot"),
        pytest.param("python3.1", " Did you mean python3.15?", id="short"),
        pytest.param("Python3.12", " Did you mean python3.12?", id="case"),
        pytest.param("3.12", " Did you mean python3.12?", id="version"),
        pytest.param("nodejs22.x", "", id="other-language"),
        pytest.param("python2.7", None, id="python2"),
        pytest.param("python3.5", None, id="never-had"),
        pytest.param("python3.016", None, id="leading-zero"),
        pytest.param("python3.160", None, id="too-far"),
        pytest.param("python3.16\n", None, id="newline"),
    ],
)
def test_refuses_nonsense_with_the_list(name: str, hint: str | None) -> None:
    """What AWS can't have is refused; the message has all runtimes and the nearest one."""
    with pytest.raises(UnknownRuntimeError) as caught:
        find_runtime(name)

    message = str(caught.value)
    assert repr(name) in message
    assert message.endswith(f"Known runtimes: {', '.join(r.name for r in RUNTIMES)}.")
    if hint is not None:
        assert message.startswith(f"{name!r} is not a Lambda Python runtime.{hint} Known")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("aarch64", " Lambda calls it arm64.", id="aarch64"),
        pytest.param("AMD64", " Lambda calls it x86_64.", id="amd64"),
        pytest.param("riscv64", "", id="other"),
    ],
)
def test_refuses_unknown_architecture(name: str, hint: str) -> None:
    """The message names both architectures, and Lambda's word for a common other one."""
    with pytest.raises(UnknownArchitectureError) as caught:
        find_architecture(name)

    assert str(caught.value) == f"{name!r} is not a Lambda architecture.{hint} Choose x86_64 or arm64."


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        pytest.param(">=3.9", "python3.14", id="newest-in-production"),
        pytest.param(">=3.9,<3.13", "python3.12", id="upper-bound"),
        pytest.param("==3.11.*", "python3.11", id="one-minor"),
        pytest.param(">=3.10.15,<3.11", "python3.10", id="micro"),
        pytest.param(">=3.10,<3.11.5", "python3.10", id="patched-past-the-bound"),
    ],
)
def test_defaults_to_allowed_runtimes_allowed(constraint: str, expected: str) -> None:
    """Previews aside, the newest runtime that the project's Python constraint allows is the default."""
    assert allowed_runtimes(allowing(constraint), constraint, ["x86_64"])[0].name == expected


def test_refuses_constraint_that_no_runtime_satisfies() -> None:
    """Without any runtime the message has the constraint and what Lambda offers."""
    with pytest.raises(UnsuitableRuntimeError) as caught:
        allowed_runtimes(allowing(">=3.99"), ">=3.99", ["x86_64"])

    assert "satisfies the project's Python constraint '>=3.99'" in str(caught.value)
    assert "python3.12 (3.12.13)" in str(caught.value)


@pytest.mark.parametrize(
    ("constraint", "runtime"),
    [
        pytest.param(">=3.12", "python3.11", id="too-old"),
        pytest.param("<3.12", "python3.13", id="too-new"),
        pytest.param(">=3.10,<3.11.5", "python3.11", id="patched-past-the-bound"),
    ],
)
def test_refuses_runtime_outside_the_constraint(constraint: str, runtime: str) -> None:
    """A runtime that the project rules out is refused with both versions."""
    with pytest.raises(UnsuitableRuntimeError) as caught:
        target_for(find_runtime(runtime), "x86_64", allowing(constraint), constraint)

    full = find_runtime(runtime).python_full_version
    assert str(caught.value).startswith(
        f"The project's Python constraint {constraint!r} rules out {runtime}, which runs Python {full}."
    )


def test_takes_constraint_that_waits_for_a_newer_micro() -> None:
    """AWS moves micro versions without notice, so a newer one than known is a warning, no error."""
    runtime, allows = find_runtime("python3.13"), allowing(">=3.13.20")

    assert target_for(runtime, "x86_64", allows, ">=3.13.20").runtime is runtime
    (warning,) = messages(runtime_warnings(runtime, allows, ">=3.13.20", TODAY))
    assert warning == (
        "The project's Python constraint '>=3.13.20' asks for a newer Python than 3.13.12, "
        "the newest one known on Lambda's python3.13."
    )


@pytest.mark.parametrize("name", [pytest.param("python3.6", id="3.6"), pytest.param("python3.7", id="3.7")])
def test_refuses_arm_where_aws_has_none(name: str) -> None:
    """Runtimes on Amazon Linux 1 exist for x86_64 only."""
    with pytest.raises(UnsuitableRuntimeError) as caught:
        target_for(find_runtime(name), "arm64", allowing(">=3.6"), ">=3.6")

    assert str(caught.value) == (
        f"Lambda's {name} exists for x86_64 only, not for arm64. Choose a newer runtime, or leave arm64 out."
    )


@pytest.mark.parametrize(
    ("name", "today", "warned"),
    [
        pytest.param("python3.10", date(2026, 10, 30), False, id="day-before"),
        pytest.param("python3.10", date(2026, 10, 31), True, id="first-day"),
        pytest.param("python3.8", TODAY, True, id="long-past"),
        pytest.param("python3.13", TODAY, False, id="supported"),
        pytest.param("python3.13", date(2029, 7, 1), True, id="future"),
    ],
)
def test_warns_of_deprecation(name: str, today: date, warned: bool) -> None:
    """From the day of deprecation on, a runtime warns."""
    warnings = messages(runtime_warnings(find_runtime(name), allowing(">=3.6"), ">=3.6", today))

    assert [w.startswith(f"{name} is deprecated by AWS since 20") for w in warnings] == [True] * warned


def test_warns_of_preview() -> None:
    """A preview runtime is taken and warned of."""
    warnings = messages(runtime_warnings(find_runtime("python3.15"), allowing(">=3.6"), ">=3.6", TODAY))

    assert warnings == ["python3.15 is a preview on Lambda, not meant for production."]


def test_target_reads_well() -> None:
    """A target's text is what reports and errors say."""
    assert str(target("python3.12", "arm64")) == "python3.12 on arm64"


@pytest.mark.parametrize(
    ("filename", "architecture", "glibc"),
    [
        pytest.param("a-1-py3-none-any.whl", "x86_64", None, id="pure"),
        pytest.param("a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "x86_64", (2, 28), id="one-tag"),
        pytest.param("a-1-cp313-cp313-manylinux1_x86_64.whl", "x86_64", (2, 5), id="alias"),
        pytest.param(
            "a-1-cp313-cp313-manylinux_2_28_x86_64.manylinux2014_x86_64.whl", "x86_64", (2, 17), id="oldest"
        ),
        pytest.param("a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "arm64", None, id="other-architecture"),
        pytest.param("a-1-cp313-cp313-linux_x86_64.whl", "x86_64", None, id="says-nothing"),
        pytest.param("a-1.tar.gz", "x86_64", None, id="no-wheel"),
    ],
)
def test_wheel_names_the_glibc_it_needs(
    filename: str, architecture: str, glibc: tuple[int, int] | None
) -> None:
    """The oldest of its tags for the architecture promises most."""
    assert Target(find_runtime("python3.13"), find_architecture(architecture)).glibc_needed(filename) == glibc
