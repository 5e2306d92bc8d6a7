"""What two installations of one distribution may differ in."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.audit.packaging import is_made_script
from poetry_lambda_plugin.audit.packaging import is_same_script
from poetry_lambda_plugin.audit.packaging import same_entry_points
from poetry_lambda_plugin.audit.packaging import same_metadata
from poetry_lambda_plugin.audit.packaging import same_wheel_file


METADATA = (
    b"Metadata-Version: 2.4\nName: my-fn\nVersion: 1.0\nRequires-Python: >=3.9,<4\n"
    b"Requires-Dist: a[x] (>=1,<2) ; python_version < '3.12'\nRequires-Dist: b @ file:///build/b\n"
)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(METADATA.replace(b"2.4", b"2.1") + b"Author: A\n\nWords", True, id="words"),
        pytest.param(METADATA.replace(b"my-fn", b"My_Fn"), True, id="spelling"),
        pytest.param(METADATA.replace(b"1.0", b"1"), True, id="version written otherwise"),
        pytest.param(METADATA.replace(b">=3.9,<4", b"<4, >=3.9"), True, id="order"),
        pytest.param(METADATA.replace(b"(>=1,<2)", b"<2,>=1").replace(b"'", b'"'), True, id="form"),
        pytest.param(METADATA.replace(b"b @ file:///build/b", b"b"), True, id="path"),
        pytest.param(METADATA.replace(b"1.0", b"1.1"), False, id="version"),
        pytest.param(METADATA.replace(b"<2", b"<3"), False, id="requirement"),
        pytest.param(METADATA.replace(b"3.12", b"3.13"), False, id="marker"),
        pytest.param(METADATA.replace(b"a[x]", b"a"), False, id="extra of a requirement"),
        pytest.param(METADATA + b"Provides-Extra: y\n", False, id="extra"),
        pytest.param(METADATA + b"Requires-Dist: c\n", False, id="more"),
        pytest.param(b"\xff", False, id="no metadata"),
    ],
)
def test_metadata(other: bytes, same: bool) -> None:
    """What pip goes by counts, what a reader reads does not."""
    assert same_metadata(METADATA, other) is same


def test_wheel_file() -> None:
    """Who made it does not count, nor the order of its tags; the tags do."""
    one = b"Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
    lines = one.replace(b"Generator: a", b"Generator: b").splitlines(keepends=True)

    assert same_wheel_file(one, b"".join(reversed(lines)))
    assert not same_wheel_file(one, one.replace(b"py2", b"cp2"))


def test_entry_points() -> None:
    """White space and order mean nothing, names and what they stand for do."""
    one = b"[console_scripts]\na = m:f\nB = m:g [x]\n\n[plugins]\nc = n\n"

    assert same_entry_points(one, b"[plugins]\nc=n\n[console_scripts]\nB=m:g[x]\n\n# words\na=m:f\n")
    assert not same_entry_points(one, one.replace(b"B", b"b"))
    assert not same_entry_points(one, one.replace(b"m:f", b"m:h"))
    assert not same_entry_points(one, one + b"d = evil\n")
    assert not same_entry_points(b"no section", b"no section")
    assert not same_entry_points(b"\xff", b"\xff")


CALL = "from m.n import A\nsys.exit(A.f())\n"


@pytest.mark.parametrize(
    ("script", "is_made"),
    [
        pytest.param(f"#!/usr/bin/python\nimport sys\n{CALL}", True, id="ours"),
        pytest.param(
            "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom m.n import A\n"
            "if __name__ == '__main__':\n"
            "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(A.f())\n",
            True,
            id="pip",
        ),
        pytest.param(
            "#!/usr/bin/python\nimport sys\nfrom m.n import A\nif __name__ == '__main__':\n"
            '    if sys.argv[0].endswith("-script.pyw"):\n        sys.argv[0] = sys.argv[0][:-11]\n'
            '    elif sys.argv[0].endswith(".exe"):\n        sys.argv[0] = sys.argv[0][:-4]\n'
            "    sys.exit(A.f())\n",
            True,
            id="uv",
        ),
        pytest.param(f"import sys\n{CALL.replace('A.f', 'A.g')}", False, id="another function"),
        pytest.param(f"import sys\nimport evil\n{CALL}", False, id="more"),
        pytest.param(f"import sys\n'''exec' /evil; /x \"$0\" \"$@\"\n' '''\n{CALL}", False, id="shell"),
        pytest.param("import sys\nfrom m.n import A\n", False, id="less"),
        pytest.param("import sys\n)", False, id="no Python"),
    ],
)
def test_made_script(script: str, is_made: bool) -> None:
    """It calls the entry point, and does nothing else."""
    assert is_made_script(script.encode(), "m.n", "A.f") is is_made


def test_script_of_a_wheel() -> None:
    """Its first line alone is the installer's."""
    assert is_same_script(b"#!/usr/bin/python3\nprint(1)\n", b"#!python\nprint(1)\n")
    assert not is_same_script(b"#!/usr/bin/python3\nprint(2)\n", b"#!python\nprint(1)\n")
    assert not is_same_script(b"#!/bin/evil\n", b"#!/bin/sh\n")
