"""Whether the handler that the user names is in the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_lambda_plugin.exceptions import LambdaBundleError


if TYPE_CHECKING:
    from collections.abc import Collection


class ExcludedHandlerError(LambdaBundleError):
    """A pattern that leaves out the handler's module."""


def check_handler(handler: str | None, bundled: Collection[str], left_out: Collection[str]) -> None:
    """Raise ExcludedHandlerError where the handler's module was found, and then left out.

    A handler is `module.function`, its folders apart by dots or slashes (AWS page "Define Lambda function
    handler in Python").
    """
    if handler is None:
        return
    module = handler.rpartition(".")[0].replace(".", "/")
    candidates = (f"{module}.py", f"{module}/__init__.py")
    if any(path in bundled for path in candidates):
        return
    for path in candidates:
        if path in left_out:
            raise ExcludedHandlerError(
                f"exclude leaves out {path}, which the handler {handler!r} needs. "
                f"Change the pattern, or add '!{path}' after it."
            )
