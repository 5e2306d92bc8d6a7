"""Which distribution a module is likely of, going by names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name


if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping


DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "Crypto": ("pycryptodome", "pycrypto"),
    "Cryptodome": ("pycryptodomex",),
    "MySQLdb": ("mysqlclient",),
    "OpenSSL": ("pyopenssl",),
    "PIL": ("pillow",),
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python-headless", "opencv-python"),
    "dateutil": ("python-dateutil",),
    "discord": ("discord-py",),
    "dns": ("dnspython",),
    "docx": ("python-docx",),
    "dotenv": ("python-dotenv",),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "github": ("pygithub",),
    "google.protobuf": ("protobuf",),
    "grpc": ("grpcio",),
    "jose": ("python-jose",),
    "jwt": ("pyjwt",),
    "ldap": ("python-ldap",),
    "ldap3": ("ldap3",),
    "magic": ("python-magic",),
    "multipart": ("python-multipart",),
    "nacl": ("pynacl",),
    "opentelemetry": ("opentelemetry-api",),
    "pkg_resources": ("setuptools",),
    "pptx": ("python-pptx",),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "psycopg_binary": ("psycopg-binary",),
    "pythonjsonlogger": ("python-json-logger",),
    "rest_framework": ("djangorestframework",),
    "ruamel.yaml": ("ruamel-yaml",),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "slugify": ("python-slugify",),
    "snowflake.connector": ("snowflake-connector-python",),
    "socks": ("pysocks",),
    "telegram": ("python-telegram-bot",),
    "yaml": ("pyyaml",),
    "zmq": ("pyzmq",),
    "aws_lambda_powertools": ("aws-lambda-powertools",),
}
"""Distributions whose name their module does not tell, the one to add first."""


def distributions_of(module: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """Return normalised names of distributions that may have a dotted module, the likeliest first.

    Of `known` distributions each may be one whose name begins with the module's, or has Python in it.
    """
    parts = module.split(".")
    found: list[str] = []
    for count in range(len(parts), 0, -1):
        name = canonicalize_name("-".join(parts[:count]))
        found += DISTRIBUTIONS.get(".".join(parts[:count]), ())
        usual = (name, f"python-{name}", f"{name}-python", f"py{name}")
        found += [name for name in usual if name in known] or ([name] if count == 1 and not found else [])
    return tuple(dict.fromkeys(name for name in found if name))
