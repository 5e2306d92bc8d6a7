"""Projects, locks and options that make no sense, or more than they should."""

from __future__ import annotations

import os

from dataclasses import dataclass
from dataclasses import field
from hashlib import md5
from hashlib import sha1
from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.hostile.support_index import WHEEL
from tests.hostile.support_marks import rows
from tests.hostile.support_runs import HANGING
from tests.hostile.support_runs import SECONDS
from tests.hostile.support_runs import Limits
from tests.hostile.support_runs import bundle
from tests.hostile.support_runs import faults
from tests.hostile.support_runs import tree
from tests.support.projects import Locked


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.hostile.support_index import Site
    from tests.support.projects import Project


MD5, SHA1 = md5(WHEEL.data).hexdigest(), sha1(WHEEL.data).hexdigest()

MARKER = "MARKER"
"""Stands for a file that no run may write."""

TABLE = "tool.poetry-lambda-plugin"
HEAD = '[project]\nname = "my-fn"\nversion = "0.1.0"\n'


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One project that is not what it should be."""

    name: str
    pyproject: str | bytes = ""
    """All of pyproject.toml."""
    config: str | None = None
    """Lines of the plugin's table."""
    tool: str = ""
    """Tables beside it."""
    locked: Locked = field(default_factory=lambda: Locked.of(WHEEL))
    lock: tuple[str, str] = ("", "")
    """A text of the lock, and what is there instead."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    pipes: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    exit_code: int = 1
    gets_through: str = ""
    """The point of issue 16 that it is, as long as it is not mended."""
    since: str = ""
    """The first Poetry that ends it in this way."""


def project(name: str, text: str | bytes, **fields: Any) -> Configuration:
    """Describe a whole pyproject.toml."""
    return Configuration(name=name, pyproject=text, **fields)


def table(name: str, config: str, *words: str, **fields: Any) -> Configuration:
    """Describe lines of the plugin's table."""
    return Configuration(name=name, config=config, words=words, **fields)


def lock(name: str, old: str, new: str, *words: str, **fields: Any) -> Configuration:
    """Describe a change to the lock."""
    return Configuration(name=name, lock=(old, new), words=words, **fields)


def option(name: str, *arguments: str, **fields: Any) -> Configuration:
    """Describe a command line."""
    return Configuration(name=name, arguments=arguments, **fields)


def hashed(name: str, value: str, *words: str, **fields: Any) -> Configuration:
    """Describe another hash of the locked file."""
    return lock(name, f'hash = "{WHEEL.hash}"', f"hash = {value}", *words, **fields)


def from_source(kind: str, url: str) -> Locked:
    """Lock the wheel from another source than the index."""
    reference = {"reference": "main", "resolved_reference": "0" * 40} if kind == "git" else {}
    return Locked("greeting", "1.0", [WHEEL], source={"type": kind, "url": url, **reference})


def origin(name: str, kind: str, url: str, *words: str, **fields: Any) -> Configuration:
    """Describe a package that is locked from elsewhere than the index."""
    return Configuration(name=name, locked=from_source(kind, url), words=words, **fields)


URL = f"ROOT/files/{WHEEL.filename}"
LOCK_ERROR = ("poetry.lock can't be read",)
FILE = (WHEEL.filename, "greeting (1.0)")

CONFIGURATIONS = [
    # --- pyproject.toml as a whole
    project("project is a number", "project = 5\n", gets_through="D26"),
    project("project is a list", "project = []\n", gets_through="D26"),
    project("name is a number", "[project]\nname = 5\nversion = '1'\n", gets_through="D26"),
    project("name is empty", "[project]\nname = ''\nversion = '1'\n"),
    project("version is a number", "[project]\nname = 'x'\nversion = 5\n"),
    project("tool is text", f'tool = "x"\n{HEAD}', gets_through="D26"),
    project("tool is a list", f"tool = [5]\n{HEAD}", gets_through="D26"),
    project("table of Poetry is a number", f"{HEAD}[tool]\npoetry = 5\n", gets_through="D26"),
    project("table of Poetry is a list", f"{HEAD}[[tool.poetry]]\n", gets_through="D26"),
    project("build-system is a number", f"build-system = 5\n{HEAD}"),
    project("build-backend is a number", f"{HEAD}[build-system]\nbuild-backend = 5\nrequires = []\n"),
    project("groups are a number", f"dependency-groups = 5\n{HEAD}", gets_through="D26", since="2.2"),
    project("group is a number", f"{HEAD}[dependency-groups]\ndev = 5\n", gets_through="D26", since="2.2"),
    project("source without a name", f"{HEAD}[[tool.poetry.source]]\nurl = 'https://example.org'\n"),
    project("sources are a number", f"{HEAD}[tool.poetry]\nsource = 5\n"),
    project("address of a source is a number", f"{HEAD}[[tool.poetry.source]]\nname = 'x'\nurl = 5\n"),
    project("packages is a number", f"{HEAD}[tool.poetry]\npackages = 5\n"),
    project("package is a number", f"{HEAD}[tool.poetry]\npackages = [5]\n"),
    project("package without anything", f"{HEAD}[tool.poetry]\npackages = [{{}}]\n"),
    project("include is a number", f"{HEAD}[tool.poetry]\ninclude = 5\n"),
    project("exclude is a number", f"{HEAD}[tool.poetry]\nexclude = 5\n"),
    project("scripts is a number", f"{HEAD}scripts = 5\n"),
    project("script is a number", f"{HEAD}[project.scripts]\nx = 5\n"),
    project("licence is a number", f"{HEAD}license = 5\n"),
    project("licence file is a number", f"{HEAD}license = {{file = 5}}\n"),
    project("nested deeply", f"{HEAD}x = {'[' * 20_000}\n", since="2.5"),
    project("one key of twenty thousand parts", f"{HEAD}{'.'.join('x' * 20_000)} = 1\n", since="2.5"),
    project("a number with too many digits", f"{HEAD}x = {'9' * 10_000}\n", since="2.5"),
    project("UTF-16", f"{HEAD}".encode("utf-16"), gets_through="D26"),
    project("NUL", f"{HEAD}\0".encode(), since="2.5"),
    project("a device", "", links={"pyproject.toml": "/dev/zero"}, gets_through="A6"),
    project("name with markup", HEAD.replace("my-fn", "<info>x</info>")),
    project("name with an escape", HEAD.replace("my-fn", "\\u001b[31mx")),
    # --- the plugin's table
    table("table is a list", "", f"{TABLE} must be a table", tool="[[tool.poetry-lambda-plugin]]"),
    table("bundles is a number", "bundles = 5", f"{TABLE}.bundles must be"),
    table("bundles is a list", "bundles = ['api']", f"{TABLE}.bundles must be"),
    table("bundle is a number", "bundles.api = 5", f"{TABLE}.bundles.api must be"),
    table("bundle with a path for a name", "[tool.poetry-lambda-plugin.bundles.'../../up']", "../../up"),
    table(
        "bundle with new lines for a name",
        '[tool.poetry-lambda-plugin.bundles."a\\n::error::forged"]\nstrict = 5',
        unseen=("\n::error::",),
        gets_through="A10",
    ),
    table(
        "bundle with markup for a name",
        "[tool.poetry-lambda-plugin.bundles.'<info>x</info>']\nstrict = 5",
        "<info>x</info>",
    ),
    table("optimize = 3", "bytecode = 'checked-hash'\noptimize = 3", "not 3"),
    table("optimize without bytecode", "optimize = 1", "optimize", "bytecode"),
    table(
        "bytecode-exclude without bytecode",
        "bytecode-exclude = ['x']",
        "bytecode-exclude",
    ),
    table(
        "bytecode-exclude that is no pattern",
        "bytecode = 'checked-hash'\nbytecode-exclude = ['!']",
        "bytecode-exclude",
    ),
    table(
        "bytecode-exclude with a range backwards",
        "bytecode = 'checked-hash'\nbytecode-exclude = ['[z-a]']",
        "bytecode-exclude",
    ),
    table("exclude with a range backwards", "exclude = ['[z-a]']", "exclude"),
    table("exclude that is no pattern", "exclude = ['!']", "exclude"),
    table("include of a number", "include = [5]", "include"),
    table("include of nothing", "include = [{}]", "include"),
    table("include of a device", "include = ['/dev/zero']", "/dev/zero"),
    table("include of a pipe", "include = ['pipe']", "pipe", pipes=("pipe",)),
    table("include of a link to nowhere", "include = ['gone']", "gone", links={"gone": "nowhere"}),
    table("include of a folder that holds itself", "include = ['d']", exit_code=0, links={"d/again": "."}),
    table("include with a place outside", "include = [{path = 'my_fn.py', to = '/abs'}]", "/abs"),
    table(
        "link to nowhere in the package",
        "strict = false",
        "gone.py",
        files={"my_fn/__init__.py": ""},
        links={"my_fn/gone.py": "nowhere"},
        gets_through="B20",
    ),
    table("placeholder with an attribute", "output = '{name.__class__}.zip'", "{name.__class__}"),
    table("placeholder with a width", "output = '{name!r:>1000000000}.zip'", "output"),
    table("placeholder by number", "output = '{0}.zip'", "{0}"),
    table("half a placeholder", "output = '{name'", "{name"),
    table("output with NUL", "output = 'a\\u0000b'".replace("'", '"'), "output", gets_through="D26"),
    table("max-size without end", "max-size = '1e999MB'", "max-size"),
    table("max-size that is none", "max-size = 'NaNMB'", "max-size"),
    table("max-size below nothing", "max-size = '-1MB'", "max-size"),
    table("handler that climbs", "handler = '../../x.y'", "../../x.y"),
    table("handler with an escape", 'handler = "my_fn.\\u001b[31m"', "handler"),
    table("runtime with an escape", 'runtime = "python3.13\\u001b[31m"', "runtime"),
    table("modules outside", "modules = ['../../x']", "../../x"),
    table("layer is a device", "exclude-layers = ['/dev/zero']", "/dev/zero"),
    table("layer is a pipe", "exclude-layers = ['pipe']", "pipe", pipes=("pipe",)),
    table("layer is a folder", "exclude-layers = ['.']", "exclude-layers"),
    table(
        "script that is none",
        "scripts = true",
        "bad",
        tool="[project.scripts]\nbad = '!!bad!!'",
        gets_through="D26",
    ),
    table(
        "module with a deep expression",
        "handler = 'my_fn.handler'",
        exit_code=0,
        files={"my_fn.py": f"x = {'(' * 5_000}1{')' * 5_000}\ndef handler(e, c): ...\n"},
    ),
    table(
        "module with a long sum",
        "handler = 'my_fn.handler'",
        exit_code=0,
        files={"my_fn.py": f"x = {'1+' * 50_000}1\ndef handler(e, c): ...\n"},
    ),
    # --- the lock
    lock("package is a number in the lock", "[[package]]", "[a]", *LOCK_ERROR),
    lock(
        "dependencies is a number",
        "[package.source]",
        "dependencies = 5\n[package.source]",
        *LOCK_ERROR,
    ),
    lock("source is a number", "[package.source]", "source = 5\n[other]", *LOCK_ERROR),
    lock("source of an unknown kind", 'type = "legacy"', 'type = "bogus"', exit_code=0),
    lock("source without an address", "\nurl = ", "\nurn = ", exit_code=0),
    lock("content-hash is a number", 'content-hash = "', 'content-hash = 5 # "', "poetry lock"),
    lock(
        "lock-version is a number",
        'lock-version = "2.1"',
        "lock-version = 2.1",
        "poetry.lock",
    ),
    lock(
        "nested deeply in the lock",
        "[metadata]",
        f"x = {'[' * 20_000}\n[metadata]",
        "poetry.lock",
    ),
    lock("version with an escape", 'version = "1.0"', 'version = "1.0\\u001b[31m"', *LOCK_ERROR),
    lock(
        "name with markup in the lock",
        'name = "greeting"',
        'name = "<info>greeting</info>"',
        "<info>greeting</info> (1.0)",
    ),
    lock("file is a number", f'file = "{WHEEL.filename}"', "file = 5", *LOCK_ERROR),
    lock("file that climbs", f'file = "{WHEEL.filename}"', f'file = "../../../{WHEEL.filename}"', "greeting"),
    lock("file of the host", f'file = "{WHEEL.filename}"', f'file = "/etc/{WHEEL.filename}"', "greeting"),
    lock(
        "file with new lines",
        f'file = "{WHEEL.filename}"',
        'file = "greeting-1.0-py3-none-any\\n::error::forged.whl"',
        "greeting",
        unseen=("\n::error::",),
        gets_through="A10",
    ),
    hashed("hash is a number", "5", *LOCK_ERROR),
    hashed("hash is empty", '""', *FILE),
    hashed("hash without a value", '"sha256:"', WHEEL.filename),
    hashed("hash without an algorithm", f'"{WHEEL.sha256}"', WHEEL.filename),
    hashed("hash that is none", '"sha256:xyz"', WHEEL.filename),
    hashed("hash of an unknown algorithm", '"rot13:abc"', *FILE),
    hashed("md5 alone", f'"md5:{MD5}"', "Warning", *FILE, exit_code=0),
    hashed(
        "sha1 alone",
        f'"sha1:{SHA1}"',
        "Warning",
        *FILE,
        exit_code=0,
    ),
    hashed("md5 of another file", '"md5:d41d8cd98f00b204e9800998ecf8427e"', *FILE),
    lock("URL without a hash", f', hash = "{WHEEL.hash}"', "", *LOCK_ERROR, locked=from_source("url", URL)),
    lock("URL with an empty hash", WHEEL.hash, "", *FILE, locked=from_source("url", URL)),
    origin("path to a device", "file", "/dev/zero", "/dev/zero"),
    origin("path to a pipe", "file", "pipe", "pipe", pipes=("pipe",)),
    origin("path to a folder", "file", ".", "greeting"),
    origin("folder of devices", "directory", "/dev", "/dev"),
    origin("folder that is a device", "directory", "/dev/zero", "/dev/zero"),
    origin("git by a command", "git", "ext::touch MARKER", *LOCK_ERROR),
    origin("git by an option", "git", "--upload-pack=touch MARKER", *LOCK_ERROR),
    origin("git by an option of ssh", "git", "ssh://-oProxyCommand=touch MARKER/x", *LOCK_ERROR),
    origin(
        "git with a token",
        "git",
        "ssh://git:t0ken-of-a-user@127.0.0.1:1/x.git",
        "greeting (1.0)",
        unseen=("t0ken-of-a-user",),
        gets_through="A10",
    ),
    # --- options
    option(
        "exclude-package without a name",
        "--exclude-package",
        "",
        words=("--exclude-package",),
        unseen=("--exclude-packages",),
    ),
    option("exclude-package with markup", "--exclude-package", "<info>x</info>", words=("<info>x</info>",)),
    option("diff with a pipe", "--diff", "pipe", words=("pipe",), pipes=("pipe",)),
    option("diff with a device", "--diff", "/dev/zero", words=("/dev/zero",)),
    option("diff with a folder", "--diff", ".", words=("project",)),
    option("diff with a text", "--diff", "pyproject.toml", words=("pyproject.toml",)),
    option("include of an empty path", "--include", "", words=("--include",)),
    option(
        "include with new lines",
        "--include",
        "a\n::error::forged",
        unseen=("\n::error::",),
    ),
    option("group with an escape", "--with", "\x1b[31m", words=("dependency group",)),
    option("group with markup", "--with", "<error>x</error>", words=("<error>x</error>",)),
    option("bundle with markup", "<info>", words=("<info>",)),
]


@pytest.mark.parametrize("row", rows(CONFIGURATIONS))
def test_configuration(row: Configuration, served_project: Project, site: Site, tmp_path: Path) -> None:
    """Whatever is configured, nothing hangs or is done by halves, and the error says what is wrong."""
    marker = tmp_path / "marker"
    write(row, served_project, site, marker)
    before = tree(served_project.folder)

    seconds = HANGING if row.pipes and row.gets_through else SECONDS

    outcome = bundle(*row.arguments, limits=Limits(seconds=seconds))

    found = faults(outcome, row.words, row.unseen, row.exit_code)
    if marker.exists():
        found.append("runs a command")
    if row.exit_code and tree(served_project.folder) != before:
        found.append("changes the project")
    assert not found, "\n".join((*found, outcome.shown))


def write(row: Configuration, project: Project, site: Site, marker: Path) -> None:
    """Write a row's project into a folder that has a sound one."""
    project.write(row.files)
    if row.config is not None or row.locked.source is not None:
        config = 'runtime = "python3.13"' if row.config is None else row.config
        project.pyproject(dependencies=["greeting"], source=site.url, tool=row.tool, config=config)
        project.lock([row.locked], source=site.url)
    if row.pyproject:
        project.write({"pyproject.toml": row.pyproject})
    old, new = row.lock
    text = (project.folder / "poetry.lock").read_text()
    assert old in text
    text = text.replace(old, new, 1) if old else text
    project.write({"poetry.lock": text.replace("ROOT", site.root).replace("MARKER", str(marker))})
    for path, target in row.links.items():
        (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / path).unlink(missing_ok=True)
        (project.folder / path).symlink_to(target)
    for path in row.pipes:
        os.mkfifo(project.folder / path)
