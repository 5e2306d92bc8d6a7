"""What Python itself brings on a runtime, by the top-level names of its modules, whatever the host's has."""

from __future__ import annotations

import importlib

from functools import cache


OLDEST_MINOR = 8

ELSEWHERE = frozenset(
    {
        "_msi", "_overlapped", "_scproxy", "_winapi", "_winreg", "_wmi", "msilib", "msvcrt", "nt",
        "winreg", "winsound",
    }
)  # fmt: skip
"""Modules of the standard library on other systems than Linux."""

LOADED_FIRST = frozenset(
    {
        "__future__", "_abc", "_codecs", "_collections", "_collections_abc", "_decimal", "_frozen_importlib",
        "_frozen_importlib_external", "_functools", "_imp", "_io", "_json", "_operator", "_signal",
        "_sitebuiltins", "_sre", "_stat", "_string", "_thread", "_tokenize", "_warnings", "_weakref",
        "_weakrefset", "abc", "atexit", "builtins", "codecs", "collections", "contextlib", "copyreg",
        "decimal", "encodings", "enum", "functools", "genericpath", "importlib", "io", "itertools", "json",
        "keyword", "linecache", "logging", "marshal", "math", "numbers", "operator", "os", "posix",
        "posixpath", "re", "reprlib", "site", "stat", "string", "sys", "textwrap", "threading", "time",
        "token", "tokenize", "traceback", "types", "warnings", "weakref", "zipimport",
    }
)  # fmt: skip
"""What the runtime client has imported before `/var/task` is on the path (awslambdaric 4.2.2, measured).

A module of the bundle that is named so is never imported.
"""

COMMON = frozenset(
    {
        "argparse", "array", "ast", "asyncio", "base64", "binascii", "bisect", "bz2", "calendar",
        "concurrent", "configparser", "contextvars", "copy", "csv", "ctypes", "dataclasses",
        "datetime", "difflib", "dis", "email", "errno", "fcntl", "fnmatch", "fractions", "getpass",
        "gettext", "glob", "grp", "gzip", "hashlib", "heapq", "hmac", "html", "http", "inspect",
        "ipaddress", "locale", "lzma", "mimetypes", "multiprocessing", "netrc", "ntpath", "opcode",
        "pathlib", "pickle", "pkgutil", "platform", "pprint", "pwd", "pyexpat", "queue", "quopri",
        "random", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket",
        "socketserver", "sqlite3", "ssl", "statistics", "stringprep", "struct", "subprocess",
        "sysconfig", "tarfile", "tempfile", "typing", "unicodedata", "unittest", "urllib", "uuid",
        "xml", "zipfile", "zlib", "zoneinfo",
    }
)  # fmt: skip
"""What else modules of the standard library itself import, and most packages."""

CLIENT = frozenset({"awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"})
"""Modules of the runtime client, which it has imported by then too."""

SDK = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
"""Modules of the SDK that every runtime holds, and of what it holds for it alone."""

INSTALLERS = frozenset({"_distutils_hack", "pkg_resources", "setuptools"})
"""Modules that Python installed beside itself until 3.11."""


@cache
def standard_modules(python: tuple[int, int]) -> frozenset[str]:
    """Return the top-level modules of a Python's standard library on Linux, private ones included.

    Of a Python that is too new to be known, they are those of the newest that is.
    """
    try:
        names: frozenset[str] = importlib.import_module(f"stdlibs.py{python[0]}{python[1]}").module_names
    except ModuleNotFoundError:
        return standard_modules((python[0], python[1] - 1)) if python[1] > OLDEST_MINOR else frozenset()
    return names - ELSEWHERE


@cache
def runtime_modules(python: tuple[int, int]) -> frozenset[str]:
    """Return the top-level modules that a managed runtime holds beside the standard library."""
    return CLIENT | SDK | {"pip"} | (INSTALLERS if python < (3, 12) else frozenset())
