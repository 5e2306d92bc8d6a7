"""As much of the AWS CLI as the recipes for CI use, on boto3.

Started as `python -m tests.support.aws lambda OPERATION …`. The CLI itself pins a botocore of its own, which
the tests can't have beside boto3's.
"""

from __future__ import annotations

import sys

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import boto3
import jmespath


if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Call the operation and print what `--query` picks, as `--output text` does."""
    service, *words = arguments
    first_option = next(index for index, word in enumerate(words) if word.startswith("--"))
    operation, options = words[:first_option], words[first_option:]
    given = dict(zip(options[::2], options[1::2], strict=True))
    query = given.pop("--query", None)
    if given.pop("--output", "text") != "text":
        raise SystemExit("only text is printed here")
    client = boto3.client(service)
    parameters = {parameter(name): value(text) for name, text in given.items()}
    if operation[0] == "wait":
        client.get_waiter(operation[1].replace("-", "_")).wait(**parameters)
    else:
        answer = getattr(client, operation[0].replace("-", "_"))(**parameters)
        sys.stdout.write(as_text(jmespath.search(query, answer) if query else answer) + "\n")
    return 0


def parameter(option: str) -> str:
    """Return the API's name for an option."""
    return "".join(word.title() for word in option.removeprefix("--").split("-"))


def value(text: str) -> str | bytes:
    """Return an option's value, read from a file where `fileb://` says so."""
    return Path(text.removeprefix("fileb://")).read_bytes() if text.startswith("fileb://") else text


def as_text(answer: Any) -> str:
    """Return a scalar, or the scalars of a list with tabs between them."""
    return "\t".join(map(str, answer)) if isinstance(answer, list) else str(answer)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
