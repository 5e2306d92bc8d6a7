"""Files of a user's own, rather than of a wheel, that likely hold a secret."""

from __future__ import annotations

import re

from itertools import islice
from typing import TYPE_CHECKING

from poetry_lambda_plugin.archive.content import FileContent
from poetry_lambda_plugin.findings import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from poetry_lambda_plugin.archive.content import Entry
    from poetry_lambda_plugin.layout.plan import BundlePlan


MAX_KEY = 1 << 20
"""Bytes of a file that are searched for a key; a chain of certificates with its key has some thousand."""

BY_NAME = re.compile(
    r"(?:.*/)?(?:"
    r"(?P<environment>\.env(?:rc|[._-].*)?)"
    r"|(?P<key>id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?)"
    r"|(?P<credentials>\.aws/credentials|\.git-credentials|[._]netrc|\.pypirc)"
    r"|(?P<repository>\.gitconfig|\.git/.*)"
    r")",
    re.IGNORECASE | re.DOTALL,
)
"""Names that nothing else has."""

EXAMPLE = re.compile(
    r"[._-](?:example|sample|template|tmpl|tpl|dist|defaults?|schema|vault)(?![^._-])", re.IGNORECASE
)
"""Marks a file of variables that is to be filled in, or encrypted."""

BY_CONTENT = {
    "a private key": (
        re.compile(r"(?:.*/)?(?:id_[^/]*|[^/]*\.(?:pem|key|pk8|p8|ppk|crt|cer|cert))", re.IGNORECASE),
        re.compile(
            rb"^-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}|^PuTTY-User-Key-File-", re.MULTILINE
        ),
    ),
    # a variable in braces is filled in where npm runs
    "a token": (
        re.compile(r"(?:.*/)?\.npmrc", re.IGNORECASE),
        re.compile(rb"^[^#;\n]*_(?:authToken|auth|password)\s*=\s*[\"']?(?!\$\{)[^\s\"']", re.MULTILINE),
    ),
    "a password": (
        re.compile(r"(?:.*/)?\.git[^/]*", re.IGNORECASE),
        re.compile(rb"://[^/\s:@]*:[^/\s@]+@"),
    ),
}
"""What a file may hold: which names can, and how it looks."""

KINDS = {
    "environment": "the environment's variables",
    "key": "a private key",
    "credentials": "credentials",
    "repository": "a repository's configuration",
}


def secrets(plan: BundlePlan, project: str) -> Iterator[Finding]:
    """Yield a warning for each file that the project or `include` adds and that likely holds a secret.

    `project` is its normalised name. Dependencies that are bundled from a folder are looked at too.
    """
    for entry in plan.entries:
        if entry.owner == project or isinstance(entry.content, FileContent):
            path = entry.path.removeprefix(plan.prefix)
            kind = _kind(path, entry) if entry.content.size else None
            if kind is not None:
                yield Finding(
                    "secret",
                    f"{path!r} holds {kind}, by all appearances, for all who may read the function's code. "
                    f"Leave it out with exclude = [{'/' + path!r}], or, where it is meant to be there, "
                    f"write ignore = [{'secret:' + path!r}].",
                    path,
                )


def _kind(path: str, entry: Entry) -> str | None:
    """Return what a file likely holds that is not for others; None for nothing of the kind."""
    named = BY_NAME.fullmatch(path)
    if named is not None and named.lastgroup is not None and not EXAMPLE.search(named[0].rpartition("/")[2]):
        return KINDS[named.lastgroup]
    for kind, (names, sign) in BY_CONTENT.items():
        if names.fullmatch(path) and sign.search(_beginning(entry)):
            return kind
    return None


def _beginning(entry: Entry) -> bytes:
    """Return what a key would be in."""
    return b"".join(islice(entry.content.chunks(), 1))[:MAX_KEY]
