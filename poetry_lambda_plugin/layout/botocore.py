"""The service models of botocore: most of its size, and all but a few of no use to a function."""

from __future__ import annotations

import ast

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.layout.python_source import parsed
from poetry_lambda_plugin.wording import hint
from poetry_lambda_plugin.wording import listing


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator


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


SERVICE_METHODS = frozenset({"client", "resource", "create_client"})
"""Methods of boto3, its sessions and botocore's whose first argument is a service."""


SESSION_WORDS = ("boto3", "session", "botocore")
"""Words in an expression that is likely one of those objects."""


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """The AWS services that sources ask clients for."""

    services: frozenset[str]
    unclear: tuple[str, ...]
    """Where a service is computed, as `path:line`."""


def service_use(sources: Iterable[tuple[str, bytes]]) -> ServiceUse:
    """Return the literal services in calls such as `boto3.client("s3")`, and the calls that have none."""
    services: set[str] = set()
    unclear: list[str] = []
    for path, tree in _trees(sources):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = call.func
            if not isinstance(function, ast.Attribute) or function.attr not in SERVICE_METHODS:
                continue
            service = _first_argument(call)
            if isinstance(service, ast.Constant) and isinstance(service.value, str):
                services.add(service.value)
            elif _is_session(function.value):
                unclear.append(f"{path}:{call.lineno}")
    return ServiceUse(frozenset(services), tuple(unclear))


def _is_session(expression: ast.expr) -> bool:
    """Tell whether an expression names what is likely a session or client."""
    names = (getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(expression))
    return any(word in name.lower() for name in names for word in SESSION_WORDS)


def _first_argument(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "service_name"), None)


def _trees(sources: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, ast.Module]]:
    """Parse what this Python can; sources for another one say nothing."""
    for path, source in sources:
        tree = parsed(source)
        if tree is not None:
            yield path, tree
