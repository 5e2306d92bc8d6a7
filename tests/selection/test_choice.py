"""What is taken for a package, on names of files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.selection.choice import BinaryPolicy
from poetry_lambda_plugin.selection.choice import NoUsableFileError
from poetry_lambda_plugin.selection.choice import WrongPathFileError
from poetry_lambda_plugin.selection.choice import choose
from poetry_lambda_plugin.selection.choice import unserved
from tests.support.values import package
from tests.support.values import target
from tests.support.values import told


if TYPE_CHECKING:
    from collections.abc import Callable

    from poetry_lambda_plugin.runtime.platform import Target
    from poetry_lambda_plugin.selection.locked import LockedPackage


ANY = BinaryPolicy(frozenset(), frozenset())
PURE = "numbers-1.0-py3-none-any.whl"
SDIST = "numbers-1.0.tar.gz"


def compiled(python: int = 13, platform: str = "manylinux_2_17_x86_64") -> str:
    return f"numbers-1.0-cp3{python}-cp3{python}-{platform}.whl"


def nothing_missing(target: Target, wants_newer_glibc: bool) -> str | None:
    return None


def no_compiler(target: Target, wants_newer_glibc: bool) -> str | None:
    return "this is no Linux"


def chosen(
    *packages: LockedPackage,
    policy: BinaryPolicy = ANY,
    missing: Callable[[Target, bool], str | None] = nothing_missing,
    suits: Callable[[Target], bool] = lambda _: True,
) -> list[str]:
    return [told(choice) for choice in choose(packages, target(), policy, missing, suits)]


def refusal(
    *packages: LockedPackage,
    policy: BinaryPolicy = ANY,
    missing: Callable[[Target, bool], str | None] = no_compiler,
    suits: Callable[[Target], bool] = lambda _: True,
) -> str:
    with pytest.raises(NoUsableFileError) as raised:
        chosen(*packages, policy=policy, missing=missing, suits=suits)
    return str(raised.value)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param((PURE, compiled()), f"take {compiled()}", id="the-most-specific-wheel"),
        pytest.param((compiled(12), PURE), f"take {PURE}", id="a-wheel-that-fits"),
        pytest.param((SDIST, PURE), f"take {PURE}", id="a-wheel-before-an-sdist"),
        pytest.param((SDIST,), f"build {SDIST}", id="an-sdist-without-wheels"),
        pytest.param(("numbers-1.0.zip", SDIST), f"build {SDIST}", id="a-tar-before-a-zip"),
        pytest.param(("numbers-2.0-py3-none-any.whl", SDIST), f"build {SDIST}", id="the-locked-version"),
        pytest.param((compiled(12), SDIST), f"build {SDIST}", id="compiled-here-where-that-can-be"),
    ],
)
def test_of_the_locked_files_the_best_is_taken(files: tuple[str, ...], expected: str) -> None:
    """A wheel before an sdist, the one nearest to the target first, and never another version's."""
    assert chosen(package("numbers", "1.0", *files)) == [expected]


@pytest.mark.parametrize(
    ("no_binary", "only_binary", "expected"),
    [
        pytest.param("", "", f"take {PURE}", id="none"),
        pytest.param("numbers", "", f"build {SDIST}", id="no-wheel-of-it"),
        pytest.param("other", "", f"take {PURE}", id="no-wheel-of-another"),
        pytest.param(":all:", "", f"build {SDIST}", id="no-wheel-of-any"),
        pytest.param(":all:", "numbers", f"take {PURE}", id="its-own-name-beats-all"),
        pytest.param("numbers", ":all:", f"build {SDIST}", id="and-the-other-way-round"),
    ],
)
def test_policy_decides_between_wheel_and_sdist(no_binary: str, only_binary: str, expected: str) -> None:
    """Poetry's `no-binary` and `only-binary` mean what they mean to `poetry install`."""
    policy = BinaryPolicy(frozenset(no_binary.split()), frozenset(only_binary.split()))

    assert chosen(package("numbers", "1.0", PURE, SDIST), policy=policy) == [expected]


@pytest.mark.parametrize("source_type", ["directory", "git"])
def test_folders_and_revisions_are_built(source_type: str) -> None:
    """They have no file in the lock."""
    assert chosen(package("numbers", source_type=source_type, source_url="/numbers")) == ["build"]


@pytest.mark.parametrize(
    ("source_type", "url", "files", "expected"),
    [
        pytest.param("file", f"/wheels/{PURE}", (PURE,), f"take {PURE}", id="wheel"),
        pytest.param("file", f"/sdists/{SDIST}", (SDIST,), f"build {SDIST}", id="sdist"),
        pytest.param("url", f"https://a.test/{PURE}?x=1", (PURE,), f"take {PURE}", id="url-with-a-query"),
        pytest.param("url", f"https://a.test/{PURE}", (), f"take {PURE}", id="url-in-an-old-lock"),
    ],
)
def test_path_or_url_names_the_one_file(
    source_type: str, url: str, files: tuple[str, ...], expected: str
) -> None:
    """Whatever else there might be of the package."""
    locked = package("numbers", "1.0", *files, source_type=source_type, source_url=url)

    assert chosen(locked) == [expected]


def test_file_of_another_version_is_refused() -> None:
    """A path that has become another release is no longer what was locked."""
    locked = package("numbers", "2.0", PURE, source_type="file", source_url=f"/wheels/{PURE}")

    with pytest.raises(WrongPathFileError, match=r"is locked as numbers \(2\.0\), but its name says other"):
        chosen(locked)


def test_all_packages_without_a_file_come_in_one_error() -> None:
    """And none that has one."""
    message = refusal(package("a"), package("numbers", "1.0", PURE), package("odd", "1.0", "odd.exe"))

    assert message.splitlines()[:3] == [
        "2 packages have no wheel for python3.13 on x86_64:",
        "  - a (1.0): the lock has no files",
        "  - odd (1.0): the lock has odd.exe",
    ]


@pytest.mark.parametrize(
    ("wheel", "options"),
    [
        pytest.param(compiled(12), "--runtime python3.12", id="runtime"),
        pytest.param(compiled(13, "manylinux_2_17_aarch64"), "--architecture arm64", id="architecture"),
        pytest.param(
            compiled(12, "manylinux_2_17_aarch64"), "--runtime python3.12 --architecture arm64", id="both"
        ),
    ],
)
def test_error_says_how_to_choose_what_would_work(wheel: str, options: str) -> None:
    """The nearest target for which the lock has wheels comes with the options that choose it."""
    assert f"the lock has wheels of them. Choose that with {options}, or" in refusal(
        package("numbers", "1.0", wheel)
    )


def test_nearest_target_is_named() -> None:
    """The same architecture comes before the nearest Python, and of two as near the newer."""
    wheels = [compiled(10), compiled(12), compiled(14), compiled(13, "manylinux_2_17_aarch64")]

    assert "For python3.14 on x86_64 the lock" in refusal(package("numbers", "1.0", *wheels))


def test_target_that_the_project_rules_out_is_no_remedy() -> None:
    """What `suits` refuses is not named."""
    message = refusal(package("numbers", "1.0", compiled(12)), suits=lambda _: False)

    assert message.splitlines()[-2:] == [
        "No other runtime that the project allows has wheels of all of them. Lock versions that have.",
        "`poetry lambda-check` shows what the lock has for every runtime and architecture.",
    ]


@pytest.mark.parametrize("suits", [lambda _: True, lambda _: False])
def test_error_says_how_to_compile_an_sdist(suits: Callable[[Target], bool]) -> None:
    """With a line to type, beside another target that would do; it works for what has an sdist alone."""
    lines = refusal(package("numbers", "1.0", compiled(12), SDIST), suits=suits).splitlines()
    without = refusal(package("numbers", "1.0", compiled(12)), suits=suits)

    assert lines[-3] == "Or compile on AWS's own image, with this line in the project's folder:"
    assert lines[-2].startswith("  docker run --rm --platform linux/amd64 -v ")
    assert lines[-2].endswith(' && poetry lambda-bundle --runtime python3.13 --architecture x86_64"')
    assert "docker" not in without


def test_no_image_is_named_where_one_package_has_no_sdist() -> None:
    """The rest would be compiled in vain."""
    packages = package("numbers", "1.0", compiled(12), SDIST), package("odd", "1.0", "odd.exe")

    assert "docker" not in refusal(*packages)


def test_runtime_without_an_image_has_its_system_named() -> None:
    """AWS has no image for a preview."""
    locked = package("numbers", "1.0", compiled(12), SDIST)
    with pytest.raises(NoUsableFileError) as raised:
        choose([locked], target("python3.15"), ANY, no_compiler, lambda _: False)

    assert str(raised.value).splitlines()[-2] == "Or bundle on Amazon Linux for x86_64 with Python 3.15."


def test_policy_that_refuses_all_is_the_reason() -> None:
    """No target would help, so none is named."""
    message = refusal(package("numbers", "1.0", PURE), policy=BinaryPolicy(frozenset({":all:"}), frozenset()))

    assert (
        "the lock has numbers-1.0-py3-none-any.whl; your `installer.no-binary` refuses its wheels" in message
    )
    assert message.splitlines()[-2].endswith("see `poetry config installer.no-binary`.")


def test_sdist_that_cannot_be_compiled_has_its_reason() -> None:
    """A release with wheels for single platforms holds compiled code, which this host can't make."""
    assert (
        f"numbers (1.0): the lock has {compiled(12)}; {SDIST} could only be compiled on Linux for x86_64 "
        "with Python 3.13, and this is no Linux"
    ) in refusal(package("numbers", "1.0", compiled(12), SDIST))


def test_judge_is_told_of_a_newer_glibc() -> None:
    """A release whose wheels want a newer C library than the runtime's would be compiled against that too."""
    asked = []

    def judge(target: Target, wants_newer_glibc: bool) -> str:
        asked.append(wants_newer_glibc)
        return "it is too new"

    newer, other = compiled(13, "manylinux_2_98_x86_64"), compiled(12)
    message = refusal(package("numbers", "1.0", newer, SDIST), missing=judge)
    refusal(package("numbers", "1.0", other, SDIST), missing=judge)

    assert set(asked[:2]) == {True}
    assert set(asked[2:]) == {False}
    assert "with Python 3.13 and glibc 2.34 or older, and it is too new" in message


def test_judge_is_not_asked_of_pure_sdists() -> None:
    """A release that never had wheels for single platforms is tried in any case."""
    assert chosen(package("numbers", "1.0", SDIST), missing=no_compiler) == [f"build {SDIST}"]


def test_five_wheels_are_named_the_nearest_first() -> None:
    """Those of the target's architecture, then of its Python, then by name."""
    wheels = [compiled(python, "win_amd64") for python in (9, 10, 11, 12, 13)]

    message = refusal(package("numbers", "1.0", *wheels, compiled(12), compiled(13, "musllinux_1_2_x86_64")))

    listed = message.splitlines()[1].partition(" has ")[2]
    assert listed == (
        f"{compiled(13, 'musllinux_1_2_x86_64')}, {compiled(12)}, {compiled(13, 'win_amd64')}, "
        f"{compiled(10, 'win_amd64')}, {compiled(11, 'win_amd64')} and 2 more"
    )


def test_unserved_are_those_without_a_file() -> None:
    """The same judgement, without an error."""
    packages = [package("a"), package("numbers", "1.0", PURE)]

    assert unserved(packages, target(), ANY, nothing_missing) == (packages[0],)
