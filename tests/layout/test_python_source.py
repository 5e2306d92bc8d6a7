"""What sources import, and the AWS services that they ask clients for."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.layout.botocore import service_use
from poetry_lambda_plugin.layout.python_source import imported_modules


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        pytest.param("import requests", {"requests"}, id="import"),
        pytest.param("import a.b as c, d", {"a", "d"}, id="several"),
        pytest.param("from a.b import c", {"a"}, id="from"),
        pytest.param("from . import a\nfrom .b import c", set(), id="relative"),
        pytest.param("def f():\n    import late", {"late"}, id="inside-a-function"),
        pytest.param("# import no\n'import no'", set(), id="comment-and-string"),
    ],
)
def test_imported_modules(source: str, modules: set[str]) -> None:
    """The first part of every absolute import counts, wherever it is."""
    assert imported_modules([("a.py", source.encode())]) == modules


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"def f(:", id="syntax"),
        pytest.param(b"import a\0", id="null-byte"),
        pytest.param(b"# coding: nonsense\nimport a", id="encoding"),
        pytest.param(b"-" * 10_000 + b"1", id="too-deep"),
    ],
)
def test_unreadable_source_says_nothing(source: bytes) -> None:
    """Code for another Python, or none at all, is passed over; the next file is read."""
    assert imported_modules([("a.py", source), ("b.py", b"import six")]) == {"six"}


def test_warnings_of_the_compiler_are_silent() -> None:
    """A doubtful escape in somebody's source is not our user's concern."""
    assert imported_modules([("a.py", b"import a\nx = '\\d'")]) == {"a"}


@pytest.mark.parametrize(
    ("source", "services"),
    [
        pytest.param("boto3.client('s3')", {"s3"}, id="client"),
        pytest.param("boto3.resource('dynamodb')", {"dynamodb"}, id="resource"),
        pytest.param("boto3.client(service_name='sqs')", {"sqs"}, id="keyword"),
        pytest.param("boto3.client('s3', region_name=r)", {"s3"}, id="other-arguments"),
        pytest.param("boto3.Session().client('sns')", {"sns"}, id="session"),
        pytest.param("self.aws.client('ses')", {"ses"}, id="unknown-object"),
        pytest.param("get_session().create_client('kms')", {"kms"}, id="botocore"),
        pytest.param("async def f():\n    async with s.client('iot') as c: pass", {"iot"}, id="async"),
        pytest.param("client('s3')", set(), id="plain-function"),
        pytest.param("boto3.client", set(), id="no-call"),
    ],
)
def test_finds_literal_services(source: str, services: set[str]) -> None:
    """A literal first argument of a client or resource method is a service, whatever the object."""
    use = service_use([("a.py", source.encode())])

    assert use.services == services
    assert use.unclear == ()


@pytest.mark.parametrize(
    ("call", "unclear"),
    [
        pytest.param("boto3.client(name)", ("a.py:2",), id="variable"),
        pytest.param("boto3.client(f'{x}')", ("a.py:2",), id="f-string"),
        pytest.param("boto3.client(**options)", ("a.py:2",), id="keywords"),
        pytest.param("boto3.session.Session(p).resource(x)", ("a.py:2",), id="session"),
        pytest.param("self._session.client(x)", ("a.py:2",), id="attribute"),
        pytest.param("docker.client(x)", (), id="not-of-aws"),
    ],
)
def test_tells_where_a_service_is_computed(call: str, unclear: tuple[str, ...]) -> None:
    """A call on what looks like boto3 or a session, without a literal, is told by its line."""
    assert service_use([("a.py", f"import boto3\n{call}\n".encode())]).unclear == unclear
