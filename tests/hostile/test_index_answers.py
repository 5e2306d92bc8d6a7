"""Indexes that answer what no sound one would: refused in one paragraph, within limits, and nothing kept."""

from __future__ import annotations

import gzip
import json
import zlib

from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.hostile.support_index import HTML
from tests.hostile.support_index import JSON
from tests.hostile.support_index import PAGE
from tests.hostile.support_index import WHEEL
from tests.hostile.support_index import Reply
from tests.hostile.support_index import listed
from tests.hostile.support_index import page
from tests.hostile.support_marks import rows
from tests.hostile.support_runs import Limits
from tests.hostile.support_runs import bundle
from tests.hostile.support_runs import faults
from tests.support.runner import contents


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.hostile.support_index import Site
    from tests.support.projects import Project


USER, SECRET = "some-user", "s3cret-p4ssword"
FILE = f"/files/{WHEEL.filename}"

JSON_OF_ALL = "2.3"
"""The first Poetry that reads JSON pages of every index; of those alone it knows sizes."""

PACKAGE = "greeting (1.0)"
INDEX = "'tests'"

MOST_SENT = 4 << 20
"""Bytes that a client may take of what has no end; sockets hold some that nobody reads."""

MOST_OF_PAGE = Limits(file=128 << 20)
"""A page may be large, and is kept."""


def _be_impatient() -> None:
    from poetry_lambda_plugin.poetry_api import connections

    connections.PATIENCE = 2


HUGE = b"\0" * (1 << 20)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One way in which an index is not what it should be."""

    name: str
    replies: Mapping[str, Reply | list[Reply]]
    """By path; the rest is sound."""
    words: tuple[str, ...] | None = None
    """What the error says; the package and the index where None."""
    exit_code: int = 1
    """0 where the lie changes nothing that is bundled."""
    most_sent: int = MOST_SENT
    unseen: tuple[str, ...] = ()
    """What nobody may see besides credentials."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    gets_through: str = ""
    """The point of issue 16 that it is, as long as it is not mended."""
    since: str = ""
    """The first Poetry that ends it in this way."""
    limits: Limits = field(default_factory=Limits)


def json_page(body: object) -> Mapping[str, Reply]:
    """Answer any JSON in the place of the page."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {PAGE: Reply(data, kind=JSON)}


def html_page(body: str) -> Mapping[str, Reply]:
    """Answer a page of PEP 503 with this in its body."""
    return {PAGE: Reply(f"<!DOCTYPE html><html><body>{body}</body></html>".encode(), kind=HTML)}


json_answer = partial(Answer, since=JSON_OF_ALL)

ANSWERS = [
    # --- pages in JSON
    json_answer(name="page is a list", replies=json_page([])),
    json_answer(name="page is null", replies=json_page(None)),
    json_answer(name="page is a string", replies=json_page("files")),
    json_answer(name="page without files", replies=json_page({})),
    json_answer(name="files is null", replies=json_page({"files": None})),
    json_answer(name="files is a number", replies=json_page({"files": 5})),
    json_answer(name="file is a number", replies=json_page({"files": [1]})),
    json_answer(name="file is null", replies=json_page({"files": [None]})),
    json_answer(name="file without a name", replies=json_page({"files": [{}]})),
    json_answer(name="name is a number", replies={PAGE: page(listed(filename=5))}),
    json_answer(name="file without a URL", replies=json_page({"files": [{"filename": WHEEL.filename}]})),
    json_answer(name="URL is a number", replies={PAGE: page(listed(url=5))}),
    json_answer(name="hashes is a list", replies={PAGE: page(listed(hashes=["sha256"]))}),
    json_answer(name="cut off", replies=json_page(b'{"files": [{"filename": "greet')),
    json_answer(name="no UTF-8", replies=json_page(b'{"files": "\xff\xfe"}')),
    json_answer(name="nested deeply", replies=json_page(b"[" * 100_000)),
    json_answer(
        name="a number with too many digits", replies=json_page(b'{"files": ' + b"9" * 10_000 + b"}")
    ),
    json_answer(name="files is empty", replies=json_page({"files": []})),
    json_answer(name="files is a table", replies=json_page({"files": {}})),
    json_answer(
        name="hash is a number",
        replies={PAGE: page(listed(hashes={"sha256": 5}))},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    json_answer(name="size is text", replies={PAGE: page(listed(size="828"))}),
    json_answer(name="size is negative", replies={PAGE: page(listed(size=-1))}, exit_code=0),
    json_answer(name="size is endless", replies={PAGE: page(listed(size=1e999))}),
    json_answer(name="name of another project", replies={PAGE: page(listed(), name="farewell")}, exit_code=0),
    json_answer(
        name="other version's file under the locked name",
        replies={PAGE: page(listed(url="ROOT/files/greeting-2.0-py3-none-any.whl"))}
        | {"/files/greeting-2.0-py3-none-any.whl": Reply(WHEEL.data[:-1] + b"x")},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    json_answer(
        name="names with escapes",
        replies={PAGE: page(listed(filename="greeting-1.0-\x1b[31m-none-any.whl"))},
    ),
    json_answer(
        name="names with new lines",
        replies={PAGE: page(listed(filename="greeting-1.0-\n::error::forged\n-none-any.whl"))},
        unseen=("\n::error::",),
    ),
    json_answer(
        name="names with markup",
        replies={PAGE: page(listed(filename="greeting-1.0-<info>x</info>-none-any.whl"))},
    ),
    json_answer(
        name="path that climbs",
        replies={PAGE: page(listed(url=f"ROOT/files/..%2f..%2f..%2f..%2f..%2f{WHEEL.filename}"))},
    ),
    json_answer(
        name="link to a file of the host",
        replies={PAGE: page(listed(url="file:///etc/hostname"))},
        words=(PACKAGE, "names a file of this machine"),
    ),
    json_answer(
        name="link of no known scheme",
        replies={PAGE: page(listed(url=f"gopher://127.0.0.1{FILE}"))},
    ),
    json_answer(name="link without a host", replies={PAGE: page(listed(url=f"http://{FILE}"))}),
    json_answer(
        name="link to a port that is none",
        replies={PAGE: page(listed(url=f"http://h:99999999{FILE}"))},
    ),
    json_answer(
        name="link to another host",
        replies={PAGE: page(listed(url=f"ELSEWHERE{FILE}"))},
        exit_code=0,
    ),
    json_answer(
        name="token in the link",
        replies={PAGE: page(listed(url=f"ROOT{FILE}?token=t0ken-of-a-user")), FILE: Reply(status=404)},
        unseen=("t0ken-of-a-user",),
        arguments=("-vvv",),
    ),
    json_answer(
        name="token in the fragment",
        replies={PAGE: page(listed(url=f"ROOT{FILE}#token=t0ken-of-a-user")), FILE: Reply(status=404)},
        unseen=("t0ken-of-a-user",),
        arguments=("-v",),
    ),
    # --- pages in HTML
    Answer(name="HTML that is none", replies={PAGE: Reply(HUGE, kind=HTML)}),
    Answer(name="HTML with half a tag", replies=html_page("<a href=")),
    Answer(name="HTML of a login", replies=html_page("<form action='/login'>")),
    Answer(name="HTML of a hundred thousand tags", replies=html_page("<p><a>" * 100_000)),
    Answer(
        name="HTML with a base elsewhere",
        replies=html_page(f'<base href="ELSEWHERE/files/"><a href="{WHEEL.filename}">{WHEEL.filename}</a>'),
        exit_code=0,
    ),
    Answer(
        name="HTML with a link to the host",
        replies=html_page(f'<a href="file:///tmp/{WHEEL.filename}">{WHEEL.filename}</a>'),
        words=(PACKAGE, "names a file of this machine"),
    ),
    Answer(name="HTML with a link to nowhere", since="2.5", replies=html_page('<a href="http://[">x</a>')),
    Answer(
        name="HTML in an unknown encoding",
        replies={PAGE: Reply(b"\x80\x81", kind="text/html; charset=martian")},
    ),
    Answer(name="an image", replies={PAGE: Reply(b"\x89PNG", kind="image/png")}),
    Answer(name="no content", replies={PAGE: Reply(status=204)}),
    # --- without end
    Answer(
        name="HTML without end",
        replies={PAGE: Reply(b"<p>more</p>\n", kind=HTML, length=-1, endless=True)},
        limits=MOST_OF_PAGE,
        most_sent=80 << 20,
    ),
    json_answer(
        name="JSON without end",
        replies={PAGE: Reply(b'{"files": [], ', kind=JSON, length=-1, endless=True)},
        limits=MOST_OF_PAGE,
        most_sent=80 << 20,
    ),
    json_answer(
        name="page packed a thousandfold",
        replies={PAGE: Reply(gzip.compress(HUGE * 400), kind=JSON, headers={"Content-Encoding": "gzip"})},
    ),
    json_answer(
        name="file without end",
        replies={FILE: Reply(b"more", length=-1, endless=True)},
    ),
    json_answer(
        name="file without end in chunks",
        replies={
            FILE: Reply(
                b"10000\r\n" + bytes(1 << 16) + b"\r\n",
                length=-1,
                headers={"Transfer-Encoding": "chunked"},
                endless=True,
            )
        },
    ),
    json_answer(
        name="file packed a thousandfold",
        replies={FILE: Reply(zlib.compress(HUGE * 400), headers={"Content-Encoding": "deflate"})},
    ),
    json_answer(
        name="file of a terabyte by its head",
        replies={FILE: Reply(b"more", length=1 << 40, endless=True)},
    ),
    Answer(
        name="file in single bytes",
        replies={FILE: Reply(WHEEL.data, pause=0.1)},
        limits=Limits(seconds=30, before=_be_impatient),
    ),
    *(
        Answer(
            name=f"head of {what} in single bytes",
            replies={path: Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99, pause=0.1)},
            words=(PACKAGE, INDEX, "its answer has not begun"),
            limits=Limits(seconds=30, before=_be_impatient),
        )
        for what, path in (("a page", PAGE), ("a file", FILE))
    ),
    Answer(
        name="page in single bytes",
        replies={PAGE: Reply(b"<p>more</p>" * 99, kind=HTML, pause=0.1)},
        words=(PACKAGE, INDEX, "it sends less than 100 bytes a second"),
        limits=Limits(seconds=30, before=_be_impatient),
    ),
    Answer(
        name="head without end",
        replies={FILE: Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000)},
    ),
    Answer(
        name="head of a thousand lines",
        replies={FILE: Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)},
    ),
    # --- files
    Answer(
        name="other file than the locked one",
        replies={FILE: Reply(b"PK\5\6" + bytes(18))},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="page of a login in the place of the file",
        replies={FILE: Reply(b"<html>Who are you?</html>", kind=HTML)},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="empty file",
        replies={FILE: Reply()},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="file with more behind it",
        replies={FILE: Reply(WHEEL.data + b"more")},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="file longer than its head says",
        replies={FILE: Reply(WHEEL.data + b"more", length=len(WHEEL.data))},
        exit_code=0,
    ),
    Answer(
        name="length that is no number",
        replies={FILE: Reply(WHEEL.data, headers={"Content-Length": "abc"})},
        exit_code=0,
    ),
    Answer(name="no HTTP", replies={FILE: Reply(raw=b"\0\1\2\3\r\n\r\n")}),
    Answer(
        name="chunks that are none",
        replies={FILE: Reply(b"zz", length=-1, headers={"Transfer-Encoding": "chunked"})},
    ),
    Answer(
        name="packing that is none",
        replies={FILE: Reply(b"zz", headers={"Content-Encoding": "gzip"})},
    ),
    Answer(
        name="drop in the middle, once",
        replies={FILE: [Reply(WHEEL.data[:99], length=len(WHEEL.data)), Reply(WHEEL.data)]},
        environment={"POETRY_REQUESTS_MAX_RETRIES": "2"},
        exit_code=0,
    ),
    Answer(
        name="drop in the middle, always",
        replies={FILE: Reply(WHEEL.data[:99], length=len(WHEEL.data))},
    ),
    # --- redirects
    Answer(
        name="page that leads to itself",
        replies={PAGE: Reply(status=302, headers={"Location": f"ROOT{PAGE}"})},
    ),
    Answer(
        name="file that leads to itself",
        replies={FILE: Reply(status=302, headers={"Location": f"ROOT{FILE}"})},
    ),
    Answer(
        name="file that leads to the host",
        replies={FILE: Reply(status=302, headers={"Location": "file:///etc/hostname"})},
    ),
    Answer(
        name="file that leads to another host",
        replies={
            FILE: Reply(status=302, headers={"Location": "ELSEWHERE/other"}),
            "/other": Reply(WHEEL.data),
        },
        exit_code=0,
    ),
    Answer(
        name="page that leads to another host",
        replies={
            PAGE: Reply(status=302, headers={"Location": "ELSEWHERE/other"}),
            "/other": page(listed()),
        },
        exit_code=0,
        since=JSON_OF_ALL,
    ),
    Answer(
        name="redirect to nowhere",
        replies={FILE: Reply(status=302, headers={"Location": "http://["})},
    ),
    # --- refusals
    Answer(
        name="too many, a hundred million seconds",
        replies={FILE: Reply(status=429, headers={"Retry-After": "100000000"})},
    ),
    Answer(
        name="out of order until a date",
        replies={PAGE: Reply(status=503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})},
    ),
    Answer(
        name="out of order for nonsense",
        replies={FILE: Reply(status=503, headers={"Retry-After": "soon"})},
    ),
    Answer(
        name="out of order for less than no time",
        replies={FILE: Reply(status=503, headers={"Retry-After": "-1"})},
    ),
    Answer(
        name="out of order for ever",
        replies={FILE: Reply(status=503, headers={"Retry-After": "inf"})},
    ),
    *(
        Answer(name=f"file with status {status}", replies={FILE: Reply(b"\x1b[31mno", status)})
        for status in (400, 404, 418, 451, 500, 599)
    ),
    Answer(
        name="file with status 999",
        replies={FILE: Reply(b"\x1b[31mno", 999)},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="file not changed",
        replies={FILE: Reply(status=304)},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    Answer(
        name="a part nobody asked for",
        replies={FILE: Reply(WHEEL.data[9:], 206, headers={"Content-Range": "bytes 9-827/828"})},
        words=(f"{WHEEL.filename} of {PACKAGE} is not the file that was locked",),
    ),
    *(
        Answer(name=f"page with status {status}", replies={PAGE: Reply(b"no", status)})
        for status in (400, 410, 500)
    ),
]


@pytest.mark.parametrize("answer", rows(ANSWERS))
def test_answer(
    answer: Answer, served_project: Project, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an index answers, nothing hangs, leaks or is kept, and the error says whose fault it is."""
    for name, value in (("USERNAME", USER), ("PASSWORD", SECRET)):
        monkeypatch.setenv(f"POETRY_HTTP_BASIC_TESTS_{name}", value)
    monkeypatch.setenv("POETRY_REQUESTS_TIMEOUT", "2")
    for name, value in answer.environment.items():
        monkeypatch.setenv(name, value)
    for path, replies in answer.replies.items():
        site.replies[path] = replies if isinstance(replies, list) else [replies]
    output = served_project.folder / "dist/my-fn.zip"
    before = output.read_bytes()

    outcome = bundle(*answer.arguments, limits=answer.limits)

    words = (PACKAGE, INDEX) if answer.words is None and answer.exit_code else answer.words or ()
    hidden = (USER, SECRET, "does not answer", *answer.unseen)
    found = faults(outcome, words, hidden, answer.exit_code, is_debug="-vvv" in answer.arguments)
    if site.sent > answer.most_sent:
        found.append(f"takes {site.sent} bytes")
    if any("localhost" in head and "Authorization" in head for _, head in site.requests):
        found.append("gives the credentials to another host")
    assert not found, "\n".join((*found, outcome.shown))
    if answer.exit_code == 0:
        assert contents(output)["greeting/__init__.py"] == b"WORD = 'hello'\n"
        return
    assert output.read_bytes() == before
    kept = [path for path in tmp_path.rglob("*") if WHEEL.filename in path.name]
    assert kept == []
