"""A comment for a pull request, alone on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import EMPTY_ZIP
from tests.support.runner import bundle
from tests.support.runner import run


if TYPE_CHECKING:
    from tests.support.projects import Project


@pytest.fixture
def project_with_old(locked_project: Project) -> Project:
    """A project with a bundle to compare with, and something to warn of."""
    text = (locked_project.folder / "pyproject.toml").read_text()
    table = '[tool.poetry-lambda-plugin]\nruntime = "python3.13"\nexclude = ["*.pdf"]\n'
    locked_project.write({"pyproject.toml": text + table, "old.zip": EMPTY_ZIP})
    return locked_project


def test_comment_with_a_difference(project_with_old: Project) -> None:
    """The whole document; words for a person go elsewhere, and its tags are not the console's."""
    outcome = bundle("--format", "markdown", "--diff", "old.zip")

    digest = bundle("--format", "json").report["code_sha256"]
    warning = "exclude: '\\*.pdf' matches nothing in the bundle."
    assert outcome.exit_code == 0
    assert outcome.error == "Warning: exclude: '*.pdf' matches nothing in the bundle.\n"
    assert (
        outcome.output
        == f"""\
<!-- poetry lambda-bundle -->

> [!WARNING]
> `pattern-unused`: {warning}

| Bundle | Runtime | Zipped | Unzipped | Files | CodeSha256 |
| --- | --- | --: | --: | --: | --- |
| `my-fn` | python3.13 on x86\\_64 | 1.8 KB of 50 MB (+1.7 KB) | 0.9 KB of 250 MB (+0.9 KB) | 8 | `{digest}` |

| Changed | Version | Zipped | Unzipped |
| --- | --- | --: | --: |
| `my-fn` | new → 0.1.0 | +0.9 KB | +0.5 KB |
| `greeting` | new → 1.0 | +0.8 KB | +0.4 KB |

<details><summary>Packages</summary>

| Package | Zipped | Unzipped | Share |
| --- | --: | --: | --: |
| `my-fn` 0.1.0 | 0.9 KB | 0.5 KB | 55.5 % |
| `greeting` 1.0 | 0.8 KB | 0.4 KB | 44.5 % |

</details>
"""
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param(["--runtime", "python9"], "--runtime: ", id="value"),
        pytest.param(["--list"], "--list and --format markdown can't be used together. Drop one.", id="list"),
        pytest.param(["--explian"], "There is no option --explian. Did you mean --explain?", id="option"),
        pytest.param(
            ["--strict"], "exclude: '\\*.pdf' matches nothing in the bundle. (--strict makes", id="strict"
        ),
    ],
)
@pytest.mark.parametrize("form", [["--format", "markdown"], ["--format=markdown"]], ids=["apart", "joined"])
def test_comment_on_an_error(
    project_with_old: Project, form: list[str], options: list[str], error: str
) -> None:
    """What went wrong is all that it tells, and the job fails."""
    outcome = bundle(*form, *options)

    assert outcome.exit_code == 1
    assert outcome.output.startswith(f"<!-- poetry lambda-bundle -->\n\n> [!CAUTION]\n> {error}")
    assert outcome.error != ""


def test_check_has_no_markdown(locked_project: Project) -> None:
    """A command that has no such report says which it has."""
    outcome = run("lambda-check", "--format", "markdown")

    assert outcome.exit_code == 1
    assert outcome.output == ""
    assert outcome.message == "--format must be text or json, not 'markdown'."
