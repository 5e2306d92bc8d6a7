"""A server that answers as AWS does, for the tests that deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator


ACCOUNT = {
    "region_name": "us-east-1",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}
TRUST = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """Address of a server that knows Lambda and IAM."""
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def role(aws: str) -> str:
    """The ARN of a role for functions."""
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("iam", endpoint_url=aws, **ACCOUNT)
    created = client.create_role(RoleName="functions", AssumeRolePolicyDocument=TRUST)
    return str(created["Role"]["Arn"])


@pytest.fixture
def client(aws: str) -> Any:
    """A client of Lambda's API."""
    return pytest.importorskip("boto3").client("lambda", endpoint_url=aws, **ACCOUNT)
