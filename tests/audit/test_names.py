"""Names that some systems take for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import BytesContent
from poetry_lambda_plugin.archive.content import Entry
from poetry_lambda_plugin.audit.names import colliding_names
from poetry_lambda_plugin.layout.plan import BundlePlan


if TYPE_CHECKING:
    from poetry_lambda_plugin.findings import Finding


def found(*paths: str, prefix: str = "") -> list[Finding]:
    entries = tuple(Entry(path, BytesContent(b"")) for path in paths)
    return list(colliding_names(BundlePlan(entries=entries, distributions=(), findings=(), prefix=prefix)))


def test_case() -> None:
    """All that differ in case only are named once."""
    (finding,) = found("python/a/Mail.py", "python/a/mail.py", "python/b/mail.py", prefix="python/")

    assert (finding.code, finding.where) == ("names-collide", "a/Mail.py")
    assert finding.message == (
        "'a/Mail.py' and 'a/mail.py' differ only in case or in how a letter is encoded: Lambda tells them "
        "apart, but where macOS or Windows unpacks the bundle, only one is left. Rename one, or leave it out "
        "with --exclude."
    )


def test_normal_form() -> None:
    """Letters that look the same are written so that they don't."""
    (finding,) = found("\u00e9.py", "e\u0301.py", "E\u0301.py")

    assert r"('\xe9.py')" in finding.message
    assert r"('e\u0301.py')" in finding.message
    assert r"and 'E" in finding.message


def test_names_apart() -> None:
    """Neither other letters nor other folders collide."""
    assert found("a.py", "b.py", "\u00e9.py", "A/a.py", "B/a.py") == []
