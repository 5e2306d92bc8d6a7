"""What `.pth` files and data of wheels come to on Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.archive.content import WheelContent
from poetry_lambda_plugin.archive.reader import read_members
from poetry_lambda_plugin.audit.site_folders import site_findings
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.layout.plan import BundlePlan
from poetry_lambda_plugin.layout.plan import PlannedDistribution
from tests.support.values import messages
from tests.support.values import plan
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "line",
    [
        "vendor",
        "./vendor/",
        "vendor/inner",
        "old.egg",
        "# gone",
        "",
        "import gone",
        "/opt/python/more",
        "/mnt/efs",
        ".",
    ],
)
def test_path_file_that_works(line: str) -> None:
    """What is there, what is executed, and what may be mounted is fine."""
    assert list(site_findings(plan({"dep": {"a.pth": line, "vendor/inner/a.py": "", "old.egg": ""}}))) == []


@pytest.mark.parametrize("prefix", ["", "python/"])
def test_path_file_that_names_nothing(prefix: str) -> None:
    """At the root alone it is read."""
    files = {"dep": {"a.pth": "gone\n../src\n", "dep/model.pth": "gone"}}

    assert messages(site_findings(plan(files, prefix))) == [
        f"'a.pth' of dep adds {line!r} to Python's path, which will not be on Lambda: it is no folder of the "
        "bundle. Add it with include, or leave the file out with exclude."
        for line in ("gone", "../src")
    ]


@pytest.mark.parametrize("reason", ["path of the build machine", "editable stub", "bytecode"])
def test_distribution_without_code(reason: str) -> None:
    """One that only points to code elsewhere is told; one that has code, or none at all, is not."""
    left_out = (LeftOut("a.pth", reason),)
    pointing = PlannedDistribution(
        name="a", version="1.0", source="a.whl", left_out=left_out, is_project=False
    )
    coded = PlannedDistribution(name="b", version="1.0", source="b.whl", left_out=left_out, is_project=False)
    bundle = BundlePlan(
        entries=(Entry("b.py", BytesContent(b""), owner="b"),), distributions=(pointing, coded), findings=()
    )

    assert messages(site_findings(bundle)) == (
        []
        if reason == "bytecode"
        else [
            (
                "a (1.0) holds no code: a.pth points to a folder of the machine that it was built on, as "
                "editable installs do, and is left out. Build it anew as an ordinary wheel."
            )
        ]
    )


@pytest.mark.parametrize(
    ("member", "code", "is_told"),
    [
        ("dep-1.0.data/data/share/dep/a.json", "open(sys.prefix + '/share/dep/a.json')", True),
        ("dep-1.0.data/data/share/man/man1/dep.1", "sys.prefix", False),
        ("dep-1.0.data/data/share/dep/a.json", "open(__file__)", False),
        ("dep/share/dep/a.json", "sys.prefix", False),
    ],
)
def test_data_below_the_prefix(member: str, code: str, is_told: bool, tmp_path: Path) -> None:
    """A remark names what a wheel may look for in vain."""
    made = make_wheel("dep", files={"dep.py": code, member: "{}"})
    wheel = tmp_path / made.filename
    wheel.write_bytes(made.data)
    entries = tuple(
        Entry(m.name.rpartition("/data/")[2], WheelContent(wheel, m), owner="dep")
        for m in read_members(wheel)
    )

    found = list(site_findings(BundlePlan(entries=entries, distributions=(), findings=())))

    assert [finding.severity for finding in found] == ["remark"] * is_told
    assert (
        messages(found)
        == [
            (
                "dep looks for files below sys.prefix, which is /var/lang on Lambda; here they lie at the "
                "root, as share/dep/a.json does. Tell it where they are, if it lets you."
            )
        ]
        * is_told
    )
