"""The table written into files that hold much else."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_lambda_plugin.configuration.written import UnwritableTableError
from poetry_lambda_plugin.configuration.written import with_table


TABLE = {"runtime": "python3.13", "bundles": {"api": {"handler": "a.b"}}}

ADDED = (
    '[tool.poetry-lambda-plugin]\nruntime = "python3.13"\n\n'
    '[tool.poetry-lambda-plugin.bundles.api]\nhandler = "a.b"\n'
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("", ADDED, id="empty"),
        pytest.param("[a]\nb=1 # c\n", f"[a]\nb=1 # c\n\n{ADDED}", id="comment"),
        pytest.param("[a]\nb = 1", f"[a]\nb = 1\n\n{ADDED}", id="without-an-end"),
        pytest.param("[a]\n\n\n", f"[a]\n\n{ADDED}", id="blank-lines"),
        pytest.param("[a]\r\nb  =  1\r\n", f"[a]\r\nb  =  1\r\n\r\n{ADDED}".replace("\n", "\r\n"), id="crlf"),
        pytest.param("[tool]\n[b]\n[tool.x]\n", f"[tool]\n[b]\n[tool.x]\n\n{ADDED}", id="out-of-order"),
        pytest.param("tool.x.y = 1\n", f"tool.x.y = 1\n\n{ADDED}", id="dotted"),
    ],
)
def test_adds_the_table_and_changes_nothing_else(text: str, written: str) -> None:
    """What is there stays byte for byte, with its ends of lines; the table comes last."""
    assert with_table(Path("p.toml"), text, TABLE) == written.replace("\r\r\n", "\r\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tool = {x = {y = 1}}\n", id="braces"),
        pytest.param("tool = 1\n", id="no-table"),
    ],
)
def test_hands_over_the_lines_where_they_have_no_place(text: str) -> None:
    """What TOML does not allow is left to the user, with all that is to be written."""
    with pytest.raises(UnwritableTableError) as error:
        with_table(Path("p.toml"), text, {"runtime": "python3.13"})

    assert str(error.value).startswith("p.toml can't be added to: ")
    assert str(error.value).endswith(
        'Write these lines yourself:\n[tool.poetry-lambda-plugin]\nruntime = "python3.13"'
    )
