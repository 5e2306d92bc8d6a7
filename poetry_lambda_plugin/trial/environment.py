"""The variables that Lambda sets itself (AWS page "Working with Lambda environment variables")."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from poetry_lambda_plugin.stages.selected import Selected


REGION = "us-east-1"
NO_KEY = "smoke-test"
"""Stands for the credentials of the function's role, without which SDKs ask the network for some."""

X_RAY = ("169.254.79.129", "2000")


def lambda_environment(bundle: Selected) -> dict[str, str]:
    """Return the variables of a function but for those that are paths."""
    runtime, name = bundle.target.runtime, bundle.config.bundle or bundle.name
    return {
        "_HANDLER": str(bundle.config.handler),
        "AWS_ACCESS_KEY_ID": NO_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime.name}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "1980/01/01/[$LATEST]smoke-test",
        "AWS_LAMBDA_RUNTIME_API": "169.254.100.1:9001",
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": NO_KEY,
        "AWS_SESSION_TOKEN": NO_KEY,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": ":".join(X_RAY),
        "_AWS_XRAY_DAEMON_ADDRESS": X_RAY[0],
        "_AWS_XRAY_DAEMON_PORT": X_RAY[1],
        "LANG": "en_US.UTF-8",
        "SHLVL": "0",
        "TZ": ":UTC",
        **({"LC_CTYPE": "C.UTF-8"} if runtime.python >= (3, 12) else {}),
        # what such bytecode is for
        **({"PYTHONOPTIMIZE": str(bundle.config.optimize)} if bundle.config.optimize else {}),
    }
