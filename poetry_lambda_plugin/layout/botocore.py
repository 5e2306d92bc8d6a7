"""The service models of botocore: most of its size, and all but a few of no use to a function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.nearest import hint
from poetry_lambda_plugin.nearest import listing


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable


DATA_FOLDERS = ("botocore/data/", "boto3/data/")
"""Folders with one folder for each service, and files that all of them share."""

CREDENTIAL_SERVICES = frozenset({"sts", "sso", "sso-oidc", "signin"})
"""What botocore calls itself to find credentials."""


class UnknownServiceError(LambdaBundleError):
    """A service that the locked botocore has no model of."""


@dataclass(frozen=True, slots=True)
class ServiceFilter:
    """Keeps the models of some services only."""

    services: frozenset[str]

    def excludes(self, path: str) -> bool:
        """Tell whether a file belongs to a service that is not kept."""
        service = _service(path)
        return service is not None and service not in self.services | CREDENTIAL_SERVICES


def known_services(paths: Iterable[str]) -> frozenset[str]:
    """Return the services that botocore's files are for."""
    services = (_service(path) for path in paths if path.startswith(DATA_FOLDERS[0]))
    return frozenset(service for service in services if service is not None)


def check_services(services: Iterable[str], known: Collection[str]) -> None:
    """Raise UnknownServiceError for a service without a model."""
    for service in services:
        if known and service not in known:
            raise UnknownServiceError(
                f"botocore-services: the locked botocore has no service {service!r}.{hint(service, known)} "
                f"{listing(service, known, 'It')} The names are those of boto3.client()."
            )


def _service(path: str) -> str | None:
    for folder in DATA_FOLDERS:
        if path.startswith(folder):
            service, slash, _ = path[len(folder) :].partition("/")
            return service if slash else None
    return None
