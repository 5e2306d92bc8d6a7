"""Which compiled code of a bundle is told of, and how loudly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.audit.binaries import Surroundings
from poetry_lambda_plugin.audit.binaries import binary_findings
from tests.support.elf import AARCH64
from tests.support.elf import I386
from tests.support.elf import make_elf
from tests.support.values import PROJECT
from tests.support.values import plan
from tests.support.values import target


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Mapping
    from typing import TypeAlias

    from poetry_lambda_plugin.findings import Finding

    Files: TypeAlias = Mapping[str, Mapping[str, str | bytes]]


X = "dep/_x.cpython-313-x86_64-linux-gnu.so"
GOOD = make_elf(module="_x")
LOST = make_elf(module="_x", needed=("libnone.so.1",))
HELD = make_elf(module="_x", needed=("liba.so",))
ON_ARM = make_elf(module="_x", machine=AARCH64)
MACH_O = b"\xcf\xfa\xed\xfe" + bytes(60)


def findings(
    files: Files,
    *,
    runtime: str = "python3.13",
    layers: frozenset[str] = frozenset(),
    is_layer: bool = False,
    needed: Callable[[Collection[str]], Collection[str]] | None = None,
) -> list[Finding]:
    where = Surroundings(target=target(runtime), project=PROJECT, layer_libraries=layers, is_layer=is_layer)
    return list(binary_findings(plan(files, "python/" if is_layer else ""), where, lambda *_: {}, needed))


def told(files: Mapping[str, str | bytes], owner: str = "dep") -> list[tuple[str, str]]:
    """Return severity and code of all findings of one distribution."""
    return [(finding.severity, finding.code) for finding in findings({owner: files})]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({X: GOOD}, [], id="fits"),
        pytest.param({"dep/_x.abi3.so": GOOD}, [], id="stable ABI"),
        pytest.param({"dep/_x.so": GOOD}, [], id="any name"),
        pytest.param({X: ON_ARM}, [("warning", "binary-architecture")], id="another machine"),
        pytest.param({X: make_elf(module="_x", bits=32)}, [("warning", "binary-architecture")], id="x32"),
        pytest.param({X: GOOD[:100]}, [("warning", "binary-damaged")], id="cut off"),
        pytest.param({X: LOST}, [("warning", "binary-library")], id="nowhere"),
        pytest.param({X: HELD, "dep.libs/liba.so": GOOD}, [], id="its package has loaded it"),
        pytest.param(
            {X: HELD, "dep.libs/liba.so": ON_ARM}, [("warning", "binary-library")], id="of another machine"
        ),
        pytest.param(
            {X: LOST, "dep/a/_y.so": make_elf(module="_y")}, [("warning", "binary-library")], id="half"
        ),
        pytest.param(
            {X: LOST, **{f"dep/_{n}.so": make_elf(module=f"_{n}") for n in "ab"}},
            [("remark", "binary-library")],
            id="one of three",
        ),
        pytest.param({X: GOOD, "dep/plugins/libp.so": make_elf(needed=("libGL.so.1",))}, [], id="a plugin"),
        pytest.param({X: GOOD, "dep/tests/_y.so": make_elf(module="_y", needed=("no",))}, [], id="for tests"),
        pytest.param(
            {"dep/libd.so": make_elf(needed=("libgomp.so.1",))},
            [("warning", "binary-library")],
            id="for ctypes",
        ),
        pytest.param(
            {
                "dep/bin/tool": make_elf(
                    interpreter="/lib/ld-musl-x86_64.so.1", needed=("libc.musl-x86_64.so.1",)
                )
            },
            [("warning", "binary-library")],
            id="program for musl",
        ),
        pytest.param({"dep/bin/tool": make_elf()}, [], id="static program"),
        pytest.param(
            {"dep/bin/tool": make_elf(machine=AARCH64)}, [("warning", "binary-architecture")], id="program"
        ),
        pytest.param(
            {"dep/arm/tool": make_elf(machine=AARCH64), "dep/x86/tool": make_elf(), "dep/mac/t.so": MACH_O},
            [],
            id="programs for all machines",
        ),
        pytest.param({"dep/d.so": MACH_O}, [("warning", "binary-architecture")], id="macOS alone"),
        pytest.param(
            {"dep/d.so": "INPUT(libd.so.1) and more text than an ELF file's header\n"}, [], id="text"
        ),
        pytest.param({"dep/data.bin": make_elf(machine=I386)[:52]}, [], id="data"),
        pytest.param({"dep/tool.exe": b"MZ" + bytes(60)}, [], id="program of Windows"),
        pytest.param({X: make_elf(module="_x", needed=("libssl.so.3",))}, [], id="Python's own"),
        pytest.param(
            {"dep/_x.cpython-312-x86_64-linux-gnu.so": GOOD}, [("warning", "binary-python")], id="Python 3.12"
        ),
        pytest.param(
            {"dep/_x.cpython-313-darwin.so": MACH_O},
            [("warning", "binary-architecture"), ("warning", "binary-python")],
            id="macOS",
        ),
        pytest.param(
            {"dep/_x.cpython-313-x86_64-linux-musl.so": GOOD}, [("warning", "binary-python")], id="musl"
        ),
        pytest.param(
            {"dep/_x.cp313-win_amd64.pyd": b"MZ" + bytes(60)}, [("warning", "binary-python")], id="Windows"
        ),
        pytest.param(
            {"dep/_x.cpython-312-x86_64-linux-gnu.so": GOOD, "dep/_x.py": ""}, [], id="in Python too"
        ),
        pytest.param({"dep/_x.cpython-312-x86_64-linux-gnu.so": GOOD, X: GOOD}, [], id="for both"),
    ],
)
def test_judges_what_python_or_ctypes_would_load(
    files: Mapping[str, str | bytes], expected: list[tuple[str, str]]
) -> None:
    """What a distribution can't do without is a warning, what it likely can a remark at most."""
    assert told(files) == expected


def test_judges_all_that_a_user_adds() -> None:
    """A file of the project's own is there on purpose."""
    files = {"a.so": GOOD, "b.so": GOOD, "c.so": LOST}

    assert told(files, PROJECT) == [("warning", "binary-library")]


def test_what_the_handler_reaches_is_an_error() -> None:
    """Of two broken modules, the one that is reached stops the run; what uses private symbols may work."""
    files: Files = {
        "dep": {X: LOST, "dep/_y.so": LOST},
        "two": {"two/_x.so": make_elf(module="_x", versions={"libc.so.6": ("GLIBC_PRIVATE",)})},
    }

    (error, warning) = findings(files, needed={X, "two/_x.so"}.intersection)

    assert (error.severity, error.where) == ("error", "dep")
    assert error.message == (
        f"{X} of dep can't be loaded on python3.13 on x86_64: it needs libnone.so.1, which is neither in the "
        "bundle nor on the runtime. Name a layer that has it in lib/ in exclude-layers, or put a copy made "
        "for "
        'Amazon Linux 2023 in lib/: include = ["libnone.so.1:lib/"].'
    )
    assert (warning.severity, warning.where) == ("warning", "two")
    assert warning.message.startswith(
        "two/_x.so of two may not load on python3.13 on x86_64: it uses what glibc keeps for itself, and may "
        "change (GLIBC_PRIVATE). Lock another version of two, or let Poetry compile it, with `poetry config "
        "--local installer.no-binary two`, on AWS's own image: docker run "
    )


def test_finds_libraries_of_layers_and_of_the_user() -> None:
    """The loader looks in a layer's `lib/` and in the bundle's; in no other folder of the user's."""
    files: Files = {"dep": {X: HELD}}
    placed: Files = {**files, PROJECT: {"lib/liba.so": make_elf()}}
    misplaced: Files = {**files, PROJECT: {"vendor/liba.so": make_elf()}}
    loaded: Files = {**files, PROJECT: {"vendor/liba.so": make_elf(), "a.py": "import ctypes\n"}}

    assert findings(files, layers=frozenset({"liba.so"})) == []
    assert findings(placed) == []
    assert findings(loaded) == []
    assert findings({**files, "other": {"other/liba.so": make_elf()}}) == []
    (finding,) = findings(misplaced)
    assert finding.message == (
        f"{X} of dep can't be loaded on python3.13 on x86_64: it needs liba.so, which is not where the "
        f"loader "
        'looks, but at vendor/liba.so. Put it in lib/, as include = ["PATH:lib/"] does.'
    )


def test_a_layers_root_is_not_looked_into() -> None:
    """Of a layer, LD_LIBRARY_PATH has `lib/` alone, beside `python/`."""
    files = {"dep": {X: make_elf(module="_x", needed=("liba.so",))}, PROJECT: {"lib/liba.so": make_elf()}}

    (finding,) = findings(files, is_layer=True)
    assert finding.message == (
        f"python/{X} of dep can't be loaded on python3.13 on x86_64: it needs liba.so, which is not where "
        f"the loader looks, but at python/lib/liba.so. The function, or another of its layers, has to have "
        f"it in lib/."
    )
    assert findings(files) == []


@pytest.mark.parametrize(
    ("owner", "files", "message"),
    [
        (
            "opencv-python",
            {"cv2/cv2.abi3.so": make_elf(module="cv2", needed=("libGL.so.1", "libxcb.so.1"))},
            (
                "cv2/cv2.abi3.so of opencv-python can't be loaded on python3.13 on x86_64: it needs "
                "libGL.so.1, libxcb.so.1, which are neither in the bundle nor on the runtime. Take "
                "opencv-python-headless instead: it has the same modules without that need."
            ),
        ),
        (
            "dep",
            {
                **{
                    f"dep/_{n}.so": make_elf(module=f"_{n}", needed=("liba.so",), rpath="$ORIGIN")
                    for n in "ab"
                },
                "dep/liba.so": make_elf(soname="liba.so", needed=("libb.so", "libc.so")),
            },
            (
                "dep/_a.so, dep/_b.so of dep can't be loaded on python3.13 on x86_64: dep/liba.so needs "
                "libb.so, libc.so, which are neither in the bundle nor on the runtime. Name a layer that "
                "has them in lib/ in exclude-layers, or put copies made for Amazon Linux 2023 in lib/."
            ),
        ),
        (
            "dep",
            {"dep/_x.so": make_elf(module="_x", needed=("libc.musl-x86_64.so.1",))},
            (
                "dep/_x.so of dep can't be loaded on python3.13 on x86_64: it needs libc.musl-x86_64.so.1, "
                "which is neither in the bundle nor on the runtime. That is the C library of Alpine Linux: "
                "take a build for glibc (manylinux) instead."
            ),
        ),
        (
            PROJECT,
            {"bin/tool": make_elf(machine=AARCH64)},
            (
                "bin/tool can't be loaded on python3.13 on x86_64: it is compiled for arm64. Compile it on "
                "Amazon Linux 2023 for x86_64, or leave it out with exclude."
            ),
        ),
        (
            PROJECT,
            {
                "_x.so": make_elf(
                    versions={"libc.so.6": ("GLIBC_2.38",), "libstdc++.so.6": ("GLIBCXX_3.4.32",)}
                )
            },
            (
                "_x.so can't be loaded on python3.13 on x86_64: it needs GLIBC_2.38 and GLIBCXX_3.4.32, "
                "and the runtime has glibc 2.34. Compile it on Amazon Linux 2023 for x86_64, or leave it "
                "out with exclude."
            ),
        ),
        (
            "dep",
            {"dep/libx.so": make_elf(versions={"libstdc++.so.6": ("GLIBCXX_3.4.32",)})},
            (
                "dep/libx.so of dep can't be loaded on python3.13 on x86_64: it needs GLIBCXX_3.4.32, and "
                "the runtime's libstdc++ has GLIBCXX_3.4.29. Lock another version of dep."
            ),
        ),
        (
            PROJECT,
            {"_x.cpython-313-darwin.so": b"text"},
            (
                "_x.cpython-313-darwin.so can't be imported on python3.13 on x86_64, which looks for names "
                "that end with .cpython-313-x86_64-linux-gnu.so. Compile it on Amazon Linux 2023 for "
                "x86_64, or leave it out with exclude."
            ),
        ),
        (
            "dep",
            {X: make_elf()[:130]},
            (
                f"{X} of dep can't be loaded on python3.13 on x86_64: it is damaged (expected 8, found 2). "
                f"Lock another version of dep."
            ),
        ),
    ],
)
def test_says_what_is_wrong_and_what_to_do(owner: str, files: Mapping[str, bytes], message: str) -> None:
    (finding,) = findings({owner: files})

    assert finding.message == message
    assert finding.where == owner
