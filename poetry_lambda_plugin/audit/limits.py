"""A bundle's size against Lambda's limits and the user's own (AWS page "Lambda quotas")."""

from __future__ import annotations

import json
import shlex

from typing import TYPE_CHECKING

from poetry_lambda_plugin.audit.savings import SET_OPTIONS
from poetry_lambda_plugin.configuration.values import NO_LIMIT
from poetry_lambda_plugin.runtime.runtimes import MAX_UNZIPPED_SIZE
from poetry_lambda_plugin.runtime.runtimes import MAX_ZIPPED_SIZE
from poetry_lambda_plugin.wording import joined
from poetry_lambda_plugin.wording import round_size
from poetry_lambda_plugin.wording import size


if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from poetry_lambda_plugin.archive.writer import Sizes
    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.configuration.values import BundleConfig


WAYS_OUT = {
    True: "Layers would not help, since they count too: leave out packages with `exclude-packages`, or "
    "deploy a container image, which may have 10 GB.",
    False: "Leave out packages with `exclude-packages`, or files with `exclude`.",
}
"""What is left to do where no option helps, by whether the limit is Lambda's."""

OTHER_SERVICES = "If it is for another service than Lambda, name that one's limit as `max-size`."


def zipped_notes(total: Sizes, output: Path, *, layer: bool) -> Iterator[str]:
    """Say how a ZIP is deployed that is too large to be sent to Lambda's API."""
    if total.zipped < MAX_ZIPPED_SIZE:
        return
    name = shlex.quote(output.name)
    deploy = (
        f"publish-layer-version --layer-name NAME --content S3Bucket=BUCKET,S3Key={name}"
        if layer
        else f"update-function-code --function-name NAME --s3-bucket BUCKET --s3-key {name}"
    )
    yield (
        f"The ZIP has {size(total.zipped)}; Lambda's API takes less than {round_size(MAX_ZIPPED_SIZE)} "
        "directly, but any through S3: "
        f"`aws s3 cp {shlex.quote(str(output))} s3://BUCKET/ && aws lambda {deploy}`"
    )


def unzipped_limit(config: BundleConfig) -> int | None:
    """Return the bytes that a bundle and its layers must not reach, Lambda's where the user names none."""
    if config.max_size is None:
        return MAX_UNZIPPED_SIZE
    return None if config.max_size == NO_LIMIT else config.max_size + 1


def excess(unzipped: int, config: BundleConfig) -> int:
    """Return by how many bytes a bundle and its layers are too large, 0 or less where they fit."""
    # Lambda's limit must be undercut, the user's own may be reached
    return unzipped - (MAX_UNZIPPED_SIZE - 1 if config.max_size is None else config.max_size)


def too_large(
    name: str, bundle: int, layers: Mapping[str, int], config: BundleConfig, savings: Savings
) -> str:
    """Say by what a ZIP is too large, and the least that makes it fit; sizes are unzipped bytes.

    `layers` are the sizes of its layers by their names.
    """
    total = bundle + sum(layers.values())
    limit = MAX_UNZIPPED_SIZE if config.max_size is None else config.max_size
    exact = size(total) == size(limit)
    having = f"has {_told(bundle, exact=exact)}"
    for layer, unzipped in layers.items():
        having += f" and its layer {layer} has {_told(unzipped, exact=exact)}"
    told = f"{limit:,} bytes" if exact else round_size(limit)
    rule = f"max-size allows {told}"
    if config.max_size is None:
        rule = f"Lambda refuses {told} or more, layers included"
    return f"Unzipped, {name} {having}; {rule}. {_remedy(total, config, savings)}"


def _remedy(unzipped: int, config: BundleConfig, savings: Savings) -> str:
    """Name the options that make it fit, with what is left then, layers included; or say what else would."""
    lambdas_own = config.max_size is None
    options, saved = savings.enough(excess(unzipped, config))
    if options:
        lines = _lines(options, config.exclude)
        verb = "makes" if len(lines) == 1 else "together make"
        remedy = f"In [{config.table}], {joined(lines)} {verb} it fit: {size(unzipped - saved)}."
    else:
        left = size(unzipped - savings.together.unzipped)
        remedy = f"No option makes it fit: all together leave {left}. {WAYS_OUT[lambdas_own]}"
    return f"{remedy} {OTHER_SERVICES}" if lambdas_own else remedy


def _lines(options: Sequence[str], excluded: Sequence[str]) -> list[str]:
    """Write options as they stand in the configuration, where all patterns are one key's."""
    sets = [SET_OPTIONS[option] for option in options if option in SET_OPTIONS]
    lines = [f"exclude = {json.dumps([*excluded, *sets], ensure_ascii=False)}"] if sets else []
    return [f"`{line}`" for line in (*lines, *(option for option in options if option not in SET_OPTIONS))]


def _told(count: int, *, exact: bool) -> str:
    return f"{count:,} bytes" if exact else size(count)
