"""Where packages can run, on names of files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.selection.choice import BinaryPolicy
from poetry_lambda_plugin.selection.coverage import Move
from poetry_lambda_plugin.selection.coverage import PackageCoverage
from poetry_lambda_plugin.selection.coverage import cover
from poetry_lambda_plugin.selection.coverage import moves
from tests.support.values import package
from tests.support.values import target


if TYPE_CHECKING:
    from poetry_lambda_plugin.runtime.platform import Target


ANY = BinaryPolicy(frozenset(), frozenset())
PURE = "numbers-1.0-py3-none-any.whl"
SDIST = "numbers-1.0.tar.gz"
X86 = "manylinux_2_17_x86_64"
ARM = "manylinux_2_17_aarch64"


def compiled(python: int = 13, platform: str = X86, name: str = "numbers") -> str:
    return f"{name}-1.0-cp3{python}-cp3{python}-{platform}.whl"


def covered(*files: str, policy: BinaryPolicy = ANY, runtime: str = "python3.13") -> PackageCoverage:
    """Judge one package with some files."""
    coverage = cover([package("numbers", "1.0", *files)], target(runtime), policy)
    assert coverage.packages is not None
    return coverage.packages[0]


@pytest.mark.parametrize(
    ("files", "state", "reason"),
    [
        pytest.param((PURE, SDIST), "wheel", None, id="pure"),
        pytest.param((compiled(), SDIST), "wheel", None, id="compiled"),
        pytest.param((SDIST,), "build", None, id="sdist-that-never-had-wheels"),
        pytest.param((PURE.replace("1.0", "2.0"), SDIST), "build", None, id="wheel-of-another-version"),
        pytest.param((compiled(12), SDIST), "sdist", "no wheel for this Python", id="other-python"),
        pytest.param((compiled(12),), "nothing", "no wheel for this Python", id="and-no-sdist"),
        pytest.param(
            (compiled(13, ARM), SDIST), "sdist", "no wheel for this architecture", id="other-architecture"
        ),
        pytest.param(
            (compiled(13, "win_amd64"), compiled(13, "musllinux_1_2_x86_64")),
            "nothing",
            "no wheel for Linux with glibc",
            id="other-systems",
        ),
        pytest.param(
            (compiled(13, "manylinux_2_39_x86_64"), compiled(13, "manylinux_2_36_x86_64"), SDIST),
            "sdist",
            "wheels need glibc 2.36",
            id="newer-glibc",
        ),
        pytest.param(("numbers-1.0-py2-none-any.whl",), "nothing", "no wheel for this Python", id="python2"),
        pytest.param(("numbers-1.0.exe",), "nothing", "no wheel", id="no-wheel-at-all"),
        pytest.param((), "nothing", "no file in the lock", id="no-file"),
    ],
)
def test_state_of_a_package(files: tuple[str, ...], state: str, reason: str | None) -> None:
    """What the lock has of it, and what its wheels lack where none fits."""
    coverage = covered(*files)

    assert (coverage.state, coverage.reason) == (state, reason)
    assert coverage.is_lacking == (reason is not None)


def test_policy_that_refuses_wheels_is_the_reason() -> None:
    """`installer.no-binary` counts as it does for a bundle."""
    policy = BinaryPolicy(frozenset({"numbers"}), frozenset())

    assert covered(compiled(), policy=policy).reason == "wheels refused by installer.no-binary"
    assert covered(compiled(), SDIST, policy=policy).state == "sdist"


@pytest.mark.parametrize("source_type", ["directory", "git"])
def test_folders_and_revisions_are_built(source_type: str) -> None:
    """They have no file in the lock, and lack none."""
    locked = package("numbers", source_type=source_type, source_url="/numbers")

    assert [p.state for p in cover([locked], target(), ANY).packages or ()] == ["build"]


@pytest.mark.parametrize(
    ("names", "status"),
    [
        pytest.param((), "ok", id="nothing-to-run"),
        pytest.param((PURE, SDIST), "ok", id="wheels-and-pure-sources"),
        pytest.param((compiled(), compiled(12)), "nothing", id="the-worst"),
    ],
)
def test_status_is_that_of_the_worst_package(names: tuple[str, ...], status: str) -> None:
    """One package without a file is enough."""
    packages = [package("numbers", "1.0", name) for name in names]

    assert cover(packages, target(), ANY).status == status


def test_ruled_out_target_has_no_packages() -> None:
    """The lock says nothing of it."""
    coverage = cover(None, target(), ANY)

    assert (coverage.status, coverage.packages, coverage.lacking) == ("ruled-out", None, ())


def test_glibc_is_the_newest_that_a_chosen_wheel_needs() -> None:
    """Of a wheel with several tags the oldest counts, and of several packages the newest."""
    packages = [
        package("a", "1.0", "a-1.0-py3-none-any.whl"),
        package("b", "1.0", "b-1.0-cp313-cp313-manylinux2014_x86_64.manylinux_2_28_x86_64.whl"),
        package("c", "1.0", "c-1.0-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"),
    ]

    assert cover(packages, target(), ANY).glibc == (2, 27)
    assert cover(packages[:2], target(), ANY).glibc == (2, 17)
    assert cover(packages[:1], target(), ANY).glibc is None


def told(asked: list[Target], allowed: list[Target], others: tuple[Target, ...] = ()) -> list[Move]:
    """Return the moves of a package with wheels for python3.13 on both architectures, and python3.12's."""
    files = [compiled(13, X86), compiled(13, ARM), compiled(12, X86), SDIST]
    locked = [package("numbers", "1.0", *files), package("pure", "1.0", "pure-1.0-py3-none-any.whl")]
    return list(moves(asked, {**dict.fromkeys(allowed, locked), **dict.fromkeys(others)}, ANY))


def words(found: list[Move]) -> list[tuple[str, bool, list[str]]]:
    return [(move.to, move.is_allowed, [str(package) for package in move.update]) for move in found]


def test_moves_to_the_newest_runtime_and_the_other_architecture() -> None:
    """Each names what has no wheel there, by the packages that are selected there."""
    targets = [target(runtime, a) for runtime in ("python3.12", "python3.13") for a in ("x86_64", "arm64")]

    assert words(told([targets[0]], targets)) == [
        ("python3.13", True, []),
        ("arm64", True, ["numbers 1.0"]),
    ]


def test_move_to_what_the_project_rules_out_is_judged_by_the_packages_of_today() -> None:
    """What the lock would select there nobody knows."""
    assert words(told([target()], [target()], (target("python3.14"),))) == [
        ("python3.14", False, ["numbers 1.0"])
    ]


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param([target()], id="nothing-else-is-told-of"),
        pytest.param([target(), target("python3.15")], id="preview"),
        pytest.param([target(), target("python3.12")], id="older"),
    ],
)
def test_no_move_where_there_is_nothing_to_gain(targets: list[Target]) -> None:
    """Neither to a preview nor back."""
    assert told([target()], targets) == []


def test_no_move_from_what_is_ruled_out() -> None:
    """Where one is has to be known first."""
    assert told([target("python3.12")], [target()], (target("python3.12"),)) == []
