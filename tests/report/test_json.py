"""The JSON document, where a whole run would be needed for what is null and what is not."""

from __future__ import annotations

import json

from typing import Any

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.audit.savings import Savings
from poetry_lambda_plugin.layout.distribution import LeftOut
from poetry_lambda_plugin.report.bundle_report import BytecodeReport
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.bundle_report import Explanation
from poetry_lambda_plugin.report.bundle_report import FileReport
from poetry_lambda_plugin.report.bundle_report import PackageReport
from poetry_lambda_plugin.report.json import json_document
from tests.support.values import bundle_report
from tests.support.values import digest
from tests.support.values import package_report


def document(*packages: PackageReport, **fields: Any) -> dict[str, Any]:
    """Return the only bundle of a document."""
    (bundle,) = json.loads(json_document([bundle_report(*packages, **fields)]))["bundles"]
    assert isinstance(bundle, dict)
    return bundle


def test_bundles_are_in_their_order() -> None:
    """Below the version of the schema."""
    made = json.loads(json_document([bundle_report(bundle="b"), bundle_report(bundle="a")]))

    assert made["schema_version"] == 1
    assert [bundle["bundle"] for bundle in made["bundles"]] == ["b", "a"]


def test_digest_is_told_as_lambda_and_as_tools_have_it() -> None:
    """Base64 and hexadecimal, with the sizes of the whole."""
    made = document(digest=digest(Sizes(10, 30, 2)))

    assert made["sha256"] == "00" * 32
    assert made["code_sha256"] == "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert (made["zipped_bytes"], made["unzipped_bytes"], made["files"]) == (10, 30, 2)


def test_what_is_not_known_is_null() -> None:
    """Not missing, and not zero."""
    made = document(package_report("a", None), changed=None)

    unknown = ("code_sha256", "sha256", "zipped_bytes", "unzipped_bytes", "files", "changed")
    assert {made[name] for name in (*unknown, "bytecode", "explanation", "differences")} == {None}
    assert made["packages"] == [
        {
            "name": "a",
            "version": "1.0",
            "file": "a.whl",
            "zipped_bytes": None,
            "unzipped_bytes": None,
            "files": None,
        }
    ]


def test_files_left_out_are_listed_with_their_package() -> None:
    """Each with its reason."""
    package = PackageReport(
        name="a", version="1.0", file="a.whl", sizes=None, left_out=(LeftOut("a/x.h", "excluded"),)
    )

    assert document(package)["left_out"] == [{"package": "a", "path": "a/x.h", "reason": "excluded"}]


def test_bytecode_without_sizes_has_its_mode() -> None:
    """A dry run knows what is wanted, if not what it takes."""
    bytecode = BytecodeReport(mode="checked-hash", version=None, sizes=None, skipped=None)

    assert document(bytecode=bytecode)["bytecode"] == {
        "mode": "checked-hash",
        "python": None,
        "files": None,
        "skipped": None,
        "zipped_bytes": None,
        "unzipped_bytes": None,
    }


def test_explanation_is_told_in_numbers() -> None:
    """Paths by name, each saving, and all of them together, which may overlap."""
    savings = Savings({frozenset({"x"}): (1, 10), frozenset({"x", "y"}): (2, 20)})
    explanation = Explanation(
        paths={"b": ("a", "b"), "a": ("a",)},
        savings=savings,
        largest_files=(FileReport("a.py", 3, 30),),
        unimported=("a",),
    )

    made = document(explanation=explanation)["explanation"]

    assert list(made["paths"].items()) == [("a", ["a"]), ("b", ["a", "b"])]
    assert made["savings"] == [
        {"option": "x", "zipped_bytes": 3, "unzipped_bytes": 30},
        {"option": "y", "zipped_bytes": 2, "unzipped_bytes": 20},
    ]
    assert made["all_savings"] == {"zipped_bytes": 3, "unzipped_bytes": 30}
    assert made["largest_files"] == [{"path": "a.py", "zipped_bytes": 3, "unzipped_bytes": 30}]
    assert made["unimported_packages"] == ["a"]


def test_no_difference_is_not_null() -> None:
    """An empty list says that there was a comparison."""
    assert document(differences=())["differences"] == []
    assert document(differences=(Difference("a", None, "1.0", 1, 2),))["differences"] == [
        {"name": "a", "old_version": None, "new_version": "1.0", "zipped_bytes": 1, "unzipped_bytes": 2}
    ]
