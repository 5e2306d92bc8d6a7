"""Which of botocore's service models stay."""

from __future__ import annotations

import pytest

from poetry_lambda_plugin.layout.botocore import ServiceFilter
from poetry_lambda_plugin.layout.botocore import UnknownServiceError
from poetry_lambda_plugin.layout.botocore import check_services
from poetry_lambda_plugin.layout.botocore import known_services


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        pytest.param("botocore/data/s3/2006-03-01/service-2.json.gz", False, id="kept"),
        pytest.param("botocore/data/ec2/2016-11-15/service-2.json.gz", True, id="not-kept"),
        pytest.param("botocore/data/s3control/x.json", True, id="only-the-beginning-is-the-same"),
        pytest.param("boto3/data/s3/x/resources-1.json", False, id="resource-kept"),
        pytest.param("boto3/data/ec2/x/resources-1.json", True, id="resource-not-kept"),
        pytest.param("botocore/data/endpoints.json", False, id="shared-file"),
        pytest.param("botocore/data/sts/x.json", False, id="credentials-sts"),
        pytest.param("botocore/data/sso/x.json", False, id="credentials-sso"),
        pytest.param("botocore/data/sso-oidc/x.json", False, id="credentials-sso-oidc"),
        pytest.param("botocore/data/signin/x.json", False, id="credentials-signin"),
        pytest.param("botocore/client.py", False, id="code"),
        pytest.param("mine/botocore/data/ec2/x.json", False, id="elsewhere"),
    ],
)
def test_excludes(path: str, excluded: bool) -> None:
    """Only models of services that nobody asked for go, and never those that credentials need."""
    assert ServiceFilter(frozenset({"s3"})).excludes(path) is excluded


def test_knows_the_services_of_botocore() -> None:
    """A service is a folder of botocore's data; boto3's few say nothing."""
    paths = [
        "botocore/data/s3/a.json",
        "botocore/data/s3/b.json",
        "botocore/data/sqs/a.json",
        "botocore/data/endpoints.json",
        "boto3/data/ec2/a.json",
    ]

    assert known_services(paths) == {"s3", "sqs"}


@pytest.mark.parametrize(
    ("service", "hint"),
    [
        pytest.param("dynamo", " Did you mean dynamodb?", id="nearest"),
        pytest.param("xyzzy", "", id="nothing-near"),
    ],
)
def test_refuses_unknown_service(service: str, hint: str) -> None:
    """A service without a model is an error with the nearest name."""
    with pytest.raises(UnknownServiceError) as caught:
        check_services(["s3", service], {"s3", "dynamodb"})

    assert str(caught.value) == (
        f"botocore-services: the locked botocore has no service {service!r}.{hint} It has dynamodb, s3. "
        "The names are those of boto3.client()."
    )


def test_anything_goes_without_botocore() -> None:
    """Where botocore is not bundled, its services are not known."""
    check_services(["s3"], set())
