"""AWS's table of managed Python runtimes: data only, nothing about the host.

Identifiers, operating systems and dates are those of the AWS page "Lambda runtimes"
(docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), read in November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal


Architecture = Literal["x86_64", "arm64"]
"""An instruction set as Lambda's API names it (arm64 is `aarch64` in wheel tags)."""

ARCHITECTURES: tuple[Architecture, ...] = ("x86_64", "arm64")
DEFAULT_ARCHITECTURE: Architecture = "x86_64"

MAX_ZIPPED_SIZE = 52_428_800
"""Bytes of a ZIP that Lambda's API accepts directly (AWS page "Lambda quotas")."""

MAX_UNZIPPED_SIZE = 262_144_000
"""Bytes of function and layers together, unpacked (AWS page "Lambda quotas")."""


RUNTIME_PACKAGES = frozenset(
    {"awslambdaric", "boto3", "botocore", "s3transfer", "simplejson", "snapshot-restore-py"}
)
"""Distributions of every managed runtime that a function may do without.

What else the runtimes hold (jmespath, python-dateutil, six, urllib3) they hold for these alone; it is left
out with them unless something else needs it (AWS page "Runtime-included SDK versions").
"""

SDK_CONSTRAINTS = {"jmespath": "<2", "python-dateutil": "<3", "six": "<2"}
"""What every runtime's botocore allows of the packages that a bundle may hold before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """One managed runtime."""

    name: str
    """AWS's identifier, as in `python3.13`."""
    python: tuple[int, int]
    """Major and minor version of its CPython."""
    newest_micro: int
    """Newest micro version known on Lambda; AWS moves it without notice."""
    glibc: tuple[int, int]
    """Version of its C library: the newest manylinux policy it satisfies (PEP 600)."""
    architectures: tuple[Architecture, ...] = ARCHITECTURES
    deprecation: date | None = None
    """First day without security patches."""
    preview: bool = False
    """Announced, but not for production."""
    known: bool = True
    """False where AWS has not announced it and its facts are those of the newest known runtime."""

    @property
    def sdk_constraints(self) -> dict[str, str]:
        """What the runtime's botocore allows of its dependencies; urllib3 2 since Python 3.10."""
        return {**SDK_CONSTRAINTS, "urllib3": "<1.27" if self.python < (3, 10) else "!=2.2.0,<3"}

    @property
    def python_version(self) -> str:
        """Major and minor version, as in `3.13`."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def glibc_version(self) -> str:
        """Version of its C library, as in `2.34`."""
        return f"{self.glibc[0]}.{self.glibc[1]}"

    @property
    def python_full_version(self) -> str:
        """The newest version known on Lambda, as in `3.13.12`."""
        return f"{self.python_version}.{self.newest_micro}"


AMAZON_LINUX_1 = (2, 17)
AMAZON_LINUX_2 = (2, 26)
AMAZON_LINUX_2023 = (2, 34)

# The micro versions of 3.12 and 3.14 were seen on Lambda in 2026. The last sightings of the others are
# over a year old, while Lambda takes a CPython release within months: theirs is the CPython release of
# spring 2026, or the last one before Lambda stopped patching the runtime.
RUNTIMES = (
    Runtime(
        name="python3.6",
        python=(3, 6),
        newest_micro=15,
        glibc=AMAZON_LINUX_1,
        architectures=("x86_64",),
        deprecation=date(2022, 7, 18),
    ),
    Runtime(
        name="python3.7",
        python=(3, 7),
        newest_micro=17,
        glibc=AMAZON_LINUX_1,
        architectures=("x86_64",),
        deprecation=date(2023, 12, 4),
    ),
    Runtime(
        name="python3.8",
        python=(3, 8),
        newest_micro=20,
        glibc=AMAZON_LINUX_2,
        deprecation=date(2024, 10, 14),
    ),
    Runtime(
        name="python3.9",
        python=(3, 9),
        newest_micro=25,
        glibc=AMAZON_LINUX_2,
        deprecation=date(2025, 12, 15),
    ),
    Runtime(
        name="python3.10",
        python=(3, 10),
        newest_micro=20,
        glibc=AMAZON_LINUX_2,
        deprecation=date(2026, 10, 31),
    ),
    Runtime(
        name="python3.11",
        python=(3, 11),
        newest_micro=15,
        glibc=AMAZON_LINUX_2,
        deprecation=date(2027, 6, 30),
    ),
    Runtime(
        name="python3.12",
        python=(3, 12),
        newest_micro=13,
        glibc=AMAZON_LINUX_2023,
        deprecation=date(2028, 10, 31),
    ),
    Runtime(
        name="python3.13",
        python=(3, 13),
        newest_micro=12,
        glibc=AMAZON_LINUX_2023,
        deprecation=date(2029, 6, 30),
    ),
    Runtime(
        name="python3.14",
        python=(3, 14),
        newest_micro=3,
        glibc=AMAZON_LINUX_2023,
        deprecation=date(2029, 6, 30),
    ),
    Runtime(
        name="python3.15",
        python=(3, 15),
        newest_micro=0,
        glibc=AMAZON_LINUX_2023,
        preview=True,
    ),
)
