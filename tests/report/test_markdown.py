"""The report as a comment on a pull request."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_lambda_plugin.archive.writer import Sizes
from poetry_lambda_plugin.findings import Finding
from poetry_lambda_plugin.report.bundle_report import BundleReport
from poetry_lambda_plugin.report.bundle_report import Difference
from poetry_lambda_plugin.report.bundle_report import FailedReport
from poetry_lambda_plugin.report.bundle_report import LayerReport
from poetry_lambda_plugin.report.markdown import MAX_COMMENT
from poetry_lambda_plugin.report.markdown import code
from poetry_lambda_plugin.report.markdown import markdown_document
from poetry_lambda_plugin.report.markdown import prose
from tests.support.values import bundle_report
from tests.support.values import digest
from tests.support.values import package_report
from tests.support.values import target


MB = 1 << 20
SHA = "A" * 43 + "="


def report(**fields: object) -> BundleReport:
    packages = (package_report("pandas", (MB, 3 * MB, 4), "2.0"), package_report("six", (9, 1024, 1)))
    usual = {"digest": digest(Sizes(4 * MB, 5 * MB, 4000)), "unzipped_limit": 250 * MB}
    return bundle_report(*packages, **{**usual, **fields})


PACKAGES = """\
| Package | Zipped | Unzipped | Share |
| --- | --: | --: | --: |
| `pandas` 2.0 | 1.0 MB | 3.0 MB | 60.0 % |
| `six` 1.0 | 0.0 KB | 1.0 KB | 0.0 % |

</details>"""


def test_one_bundle_with_what_changed() -> None:
    """The whole comment: warnings, sizes with what they have gained, changes, and the packages folded."""
    differences = (
        Difference("pandas", "1.0", "2.0", MB, 2 * MB),
        Difference("six", "1.0", "1.0", -9, -9),
        Difference("numpy", "1.0", None, -MB, -3 * MB),
    )
    finding = Finding("secret", "@tests/key.pem likely holds a secret: `exclude` it.", "@tests/key.pem")

    assert markdown_document([report(differences=differences, findings=(finding,))]) == (
        "<!-- poetry lambda-bundle -->\n\n"
        "> [!WARNING]\n"
        "> `secret`: @<!-- -->tests/key.pem likely holds a secret: `exclude` it.\n\n"
        "| Bundle | Runtime | Zipped | Unzipped | Files | CodeSha256 |\n"
        "| --- | --- | --: | --: | --: | --- |\n"
        "| `my-fn` | python3.13 on x86\\_64 | 4.0 MB of 50 MB (-0.0 KB) | 5.0 MB of 250 MB (-1.0 MB) | 4,000 "
        f"| `{SHA}` |\n\n"
        "| Changed | Version | Zipped | Unzipped |\n"
        "| --- | --- | --: | --: |\n"
        "| `numpy` | 1.0 → gone | -1.0 MB | -3.0 MB |\n"
        "| `pandas` | 1.0 → 2.0 | +1.0 MB | +2.0 MB |\n"
        "| `six` | 1.0 | -0.0 KB | -0.0 KB |\n\n"
        f"<details><summary>Packages</summary>\n\n{PACKAGES}"
    )


def test_several_bundles_of_which_one_is_too_large() -> None:
    """A row for each, in bold what is not below its limit, with layers; then each under its own head."""
    layer = LayerReport("deps", Path("deps.zip"), 245 * MB)
    large = report(bundle="api", status="failed", layers=(layer,), target=target("python3.12", "arm64"))
    unknown = report(bundle="worker", status="planned", changed=None, digest=None)
    folder = report(bundle="web", is_folder=True)
    failed = FailedReport(
        project="my-fn",
        version="1",
        bundle="cron",
        architecture="arm64",
        target=None,
        handler=None,
        output=None,
        error="It is",
    )

    text = markdown_document([large, unknown, folder, failed], "It is\n - <too> large.\n2. Really")

    assert text == (
        "<!-- poetry lambda-bundle -->\n\n"
        "> [!CAUTION]\n> It is\n>\n> \\- \\<too\\> large.\n>\n> 2\\. Really\n\n"
        "| Bundle | Runtime | Zipped | Unzipped | Files | CodeSha256 |\n"
        "| --- | --- | --: | --: | --: | --- |\n"
        "| `api` is **not** written | python3.12 on arm64 | 4.0 MB of 50 MB | **5.0 MB of 250 MB** | 4,000 "
        f"| `{SHA}` |\n"
        "| `worker` would be written | python3.13 on x86\\_64 | ? | ? | ? |  |\n"
        "| `web` | python3.13 on x86\\_64 |  | 5.0 MB of 250 MB | 4,000 |  |\n"
        "| `cron` is **not** written | arm64 | ? | ? | ? |  |\n\n"
        "#### `api` for python3.12 on arm64\n\n"
        f"<details><summary>Packages</summary>\n\n{PACKAGES}\n\n"
        "#### `worker` for python3.13 on x86\\_64\n\n"
        "Sizes and digest are unknown, since not all files are at hand.\n\n"
        "#### `web` for python3.13 on x86\\_64\n\n"
        f"<details><summary>Packages</summary>\n\n{PACKAGES}"
    )


def test_much_is_folded_or_left_out() -> None:
    """The changes that matter are seen first, the largest packages only, and no comment is too long."""
    differences = tuple(Difference(f"p{n:02}", "1", "2", n, n) for n in range(20))
    packages = [package_report(f"p{n:02}", (n, n, 1)) for n in range(20)]
    one = bundle_report(*packages, digest=digest(Sizes(1, 190, 20)), differences=differences)

    text = markdown_document([one])
    many = markdown_document([one] * 200)

    shown, _, folded = text.partition("<details><summary>5 more changes</summary>")
    assert [n for n in range(20) if f"`p{n:02}` | 1 → 2" in shown] == list(range(5, 20))
    assert [n for n in range(20) if f"`p{n:02}` | 1 → 2" in folded] == list(range(5))
    assert [n for n in range(20) if f"`p{n:02}` 1.0" in folded] == list(range(10, 20))
    assert "<summary>Largest packages: 10 of 20</summary>" in text
    assert many.count("| `my-fn` |") == 200
    assert len(many) < MAX_COMMENT + 100
    left = 200 - many.count("#### ")
    assert many.endswith(f"\n\nA comment has no room for the packages of {left} bundles more.")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        pytest.param("a_b *c* [d](e) ~f~ $g$ \\", r"a\_b \*c\* \[d\](e) \~f\~ \$g\$ \\", id="marks"),
        pytest.param("<img> &lt;", r"\<img\> \&lt;", id="html"),
        pytest.param("@me #12 @", "@<!-- -->me #<!-- -->12 @", id="mentions"),
        pytest.param("http://x www.y", "http:<!-- -->//x www<!-- -->.y", id="addresses"),
        pytest.param("say `a_b` and `c`", r"say `a_b` and `c`", id="code"),
        pytest.param("one ` alone", r"one \` alone", id="backquote"),
        pytest.param("a\nb \u202ec\x1b", "a b ?c?", id="controls"),
    ],
)
def test_foreign_text_is_no_markup(words: str, written: str) -> None:
    """It looks as it is, calls nobody and links to nothing."""
    assert prose(words) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        pytest.param("a_b", "`a_b`", id="plain"),
        pytest.param("a`b", "``a`b``", id="backquote"),
        pytest.param("`a``", "``` `a`` ```", id="at-its-ends"),
    ],
)
def test_code_holds_any_name(name: str, written: str) -> None:
    """A backquote in a name does not end it."""
    assert code(name) == written


def test_bar_makes_no_column() -> None:
    """A name with a bar stays in its cell."""
    text = markdown_document([bundle_report(package_report("a|b", (1, 1, 1)), digest=digest(Sizes(1, 1, 1)))])

    assert "| `a\\|b` 1.0 | 0.0 KB | 0.0 KB | 100.0 % |" in text
