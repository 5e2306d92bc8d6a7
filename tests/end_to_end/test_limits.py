"""Bundles past Lambda's limits or the user's own: refused, with what would make them fit."""

from __future__ import annotations

import re
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import EMPTY_ZIP
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


MB = 1 << 20
RUNTIME = 'runtime = "python3.12"'
OTHER_SERVICES = "If it is for another service than Lambda, name that one's limit as `max-size`."
CODE = "import boto3, lib\n\nS3 = boto3.client('s3')\n"

ROOM = {
    "lib": {
        "lib/__init__.py": b"#" * 200_000,
        "lib/tests/x.py": b"#" * 400_000,
        "lib/tests/y.pyi": b"#" * 100_000,
        "lib/x.pyi": b"#" * 100_000,
    },
    "boto3": {"boto3/__init__.py": b"#" * 50_000},
    "botocore": {"botocore/__init__.py": b"#" * 1000, "botocore/data/ec2/s.json": b"2" * 300_000},
}
"""Stubs among the tests, which two sets leave out; 1.1 MB in all."""


def lock(
    project: Project,
    index: Index,
    files: Mapping[str, Mapping[str, bytes | str]],
    needs: Mapping[str, Mapping[str, str]],
    config: str = RUNTIME,
    code: str = CODE,
) -> None:
    """Lock packages of which the project needs all."""
    wheels = {
        name: make_wheel(name, "1.0", dict(of_package), compression=zipfile.ZIP_STORED)
        for name, of_package in files.items()
    }
    index.add(*wheels.values())
    project.write({"my_fn.py": code})
    project.pyproject(dependencies=list(wheels), source=index.url, config=config)
    project.lock(
        [Locked.of(wheel, dependencies=needs.get(name, {})) for name, wheel in wheels.items()],
        source=index.url,
    )


@pytest.fixture
def roomy(project: Project, index: Index) -> Project:
    """A project of 1.1 MB to which four savings apply, two of which overlap."""
    lock(project, index, ROOM, {"boto3": {"botocore": "*"}})
    return project


def configure(project: Project, *lines: str) -> None:
    """Add lines to the table."""
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace(RUNTIME, "\n".join((RUNTIME, *lines)))})


def error(*arguments: str) -> str:
    """Return the last line of a run that fails, with nothing but the list on standard output."""
    outcome = bundle(*arguments)
    assert (outcome.exit_code, "CodeSha256" in outcome.output) == (1, False), outcome.error
    return outcome.error.splitlines()[-1]


def zip_path(project: Project) -> Path:
    return project.folder / "dist/my-fn.zip"


@pytest.fixture
def huge(project: Project, index: Index) -> Project:
    """A project whose only dependency takes all of 250 MB."""
    wheel = make_wheel("huge", files={"huge/__init__.py": "", "huge/x.bin": bytes(250 * MB)})
    index.add(wheel)
    project.write({"my_fn.py": "import huge\n"})
    project.pyproject(dependencies=["huge"], source=index.url, config=RUNTIME)
    project.lock([Locked.of(wheel)], source=index.url)
    return project


def test_refuses_what_lambda_refuses(huge: Project) -> None:
    """At 250 MB nothing is written; the error is the last to be seen, below what takes the room."""
    huge.write({"dist/my-fn.zip": EMPTY_ZIP})

    outcome = bundle()

    assert (outcome.exit_code, zip_path(huge).read_bytes()) == (1, EMPTY_ZIP)
    assert outcome.output == (
        "Bundling my-fn (0.1.0) for python3.12 on x86_64\n\n"
        "  - Bundling huge (1.0)\n  - Bundling my-fn (0.1.0)\n"
    )
    lines = outcome.error.splitlines()
    assert lines[1:3] == [
        "  Package      Zipped  Unzipped    Share  Why",
        "  huge 1.0     0.2 MB  250.0 MB  100.0 %  huge",
    ]
    assert lines[5:7] == [
        "  Largest files                   Zipped  Unzipped",
        "  huge/x.bin                      0.2 MB  250.0 MB",
    ]
    assert re.fullmatch(
        r"Unzipped, my-fn\.zip has 262,14\d,\d{3} bytes; Lambda refuses 262,144,000 bytes or more, layers "
        r"included\. No option makes it fit: all together leave 250\.0 MB\. Layers would not help, since "
        r"they count too: leave out packages with `exclude-packages`, or deploy a container image, which may "
        rf"have 10 GB\. {re.escape(OTHER_SERVICES)}",
        lines[-1],
    )


def test_dry_run_and_json_refuse_it_too(huge: Project) -> None:
    """A dry run foretells the error, and a program finds it in the document."""
    assert bundle("-q").error.startswith("\nUnzipped, my-fn.zip has ")

    dry, json = bundle("--dry-run"), bundle("--format", "json")

    assert (dry.exit_code, json.exit_code, json.report["status"]) == (1, 1, "planned")
    assert "would be" not in dry.output
    assert dry.error == json.error
    assert not zip_path(huge).exists()


@pytest.mark.parametrize("size", ["251 MB", "none"])
def test_max_size_raises_the_limit(huge: Project, size: str) -> None:
    """Where another service takes it, a bundle may have more; as an option and as a key."""
    assert bundle("--strict", "--max-size", size).error == ""
    configure(huge, f'max-size = "{size}"')
    assert bundle("--strict").error == ""
    assert bundle("--max-size", "250 MB").exit_code == 1


@pytest.mark.parametrize("size", ["big", "1 TB", "-5"])
def test_refuses_max_size(locked_project: Project, size: str) -> None:
    """What is no size is an error that names the option."""
    outcome = bundle(f"--max-size={size}")

    assert (outcome.exit_code, outcome.message) == (
        1,
        f"--max-size must be a size such as 262144000 or '250 MB', or 'none', not {size!r}.",
    )


FITTING = [
    pytest.param("1 MB", ('exclude = ["@type-stubs"]',), id="least-felt"),
    pytest.param("0.7 MB", ('exclude = ["@tests"]',), id="one-rather-than-two"),
    pytest.param("0.6 MB", ('exclude = ["@type-stubs", "@tests"]',), id="two-sets-in-one-key"),
    pytest.param("0.4 MB", ('exclude = ["@tests"]', 'botocore-services = "auto"'), id="two-keys"),
    pytest.param(
        "0.26 MB", ('exclude = ["@type-stubs", "@tests"]', 'botocore-services = "auto"'), id="overlapping"
    ),
    pytest.param(
        "0.22 MB",
        ('exclude = ["@type-stubs", "@tests"]', "exclude-runtime-packages = true"),
        id="last-resort",
    ),
]


@pytest.mark.parametrize(("size", "options"), FITTING)
def test_names_what_makes_it_fit(roomy: Project, size: str, options: tuple[str, ...]) -> None:
    """The least that is enough is named as it is pasted, with what the bundle then has."""
    message = error("--max-size", size)

    named = " and ".join(f"`{option}`" for option in options)
    verb = "makes" if len(options) == 1 else "together make"
    told = re.fullmatch(
        rf"Unzipped, my-fn\.zip has 1\.1 MB; max-size allows {float(size[:-3]):.1g} MB\. "
        rf"In \[tool\.poetry-lambda-plugin\], {re.escape(named)} {verb} it fit: ([\d.]+ [KM]B)\.",
        message,
    )
    assert told, message
    configure(roomy, *options)
    outcome = bundle("--max-size", size)
    assert (outcome.exit_code, outcome.error) == (0, "")
    # but for what RECORDs lose with each file
    assert float(told[1].split()[0]) == pytest.approx(unzipped(outcome.output), rel=0.02)


def unzipped(output: str) -> float:
    found = re.search(r"^  Unzipped +([\d.]+) ", output, re.MULTILINE)
    assert found
    return float(found[1])


def test_keeps_the_patterns_that_there_are(roomy: Project) -> None:
    """A set is named beside the bundle's patterns, and with its own table, whose keys replace others."""
    configure(roomy, "[tool.poetry-lambda-plugin.bundles.api]", 'exclude = ["lib/x.pyi"]')

    message = error("--max-size", "600 KB")

    assert message == (
        "Unzipped, api.zip has 1.0 MB; max-size allows 0.6 MB. In [tool.poetry-lambda-plugin.bundles.api], "
        '`exclude = ["lib/x.pyi", "@tests"]` makes it fit: 0.5 MB.'
    )


def test_says_where_nothing_makes_it_fit(roomy: Project) -> None:
    """A budget that no option meets is an error that says how far they come."""
    assert error("--max-size", "0.15 MB") == (
        "Unzipped, my-fn.zip has 1.1 MB; max-size allows 0.1 MB. No option makes it fit: all together leave "
        "0.2 MB. Leave out packages with `exclude-packages`, or files with `exclude`."
    )


def test_each_bundle_is_judged_for_itself(roomy: Project) -> None:
    """Each that is too large is named, below its own tables; the one that fits is made."""
    configure(
        roomy,
        'max-size = "0.4 MB"',
        "[tool.poetry-lambda-plugin.bundles.small]\nonly-root = true",
        "[tool.poetry-lambda-plugin.bundles.api]",
        "[tool.poetry-lambda-plugin.bundles.dependencies]\nlayer = true\nno-root = true",
    )

    outcome = bundle()

    assert outcome.exit_code == 1
    assert [path.name for path in (roomy.folder / "dist").iterdir()] == ["small.zip"]
    assert re.findall(r"^Bundling .*", outcome.error, re.MULTILINE) == [
        "Bundling my-fn (0.1.0) as api for python3.12 on x86_64",
        "Bundling my-fn (0.1.0) as dependencies for python3.12 on x86_64",
    ]
    assert outcome.error.count("  Largest files ") == 2
    # a layer alone does not tell which services its functions call
    assert outcome.error.endswith(
        "\napi for python3.12 on x86_64 could not be made: "
        "Unzipped, api.zip has 1.1 MB; max-size allows 0.4 MB. In [tool.poetry-lambda-plugin.bundles.api], "
        '`exclude = ["@tests"]` and `botocore-services = "auto"` together make it fit: 0.3 MB.\n'
        "dependencies for python3.12 on x86_64 could not be made: "
        "Unzipped, dependencies.zip has 1.1 MB; max-size allows 0.4 MB. In "
        '[tool.poetry-lambda-plugin.bundles.dependencies], `exclude = ["@tests"]` and '
        "`exclude-runtime-packages = true` together make it fit: 0.3 MB.\n"
    )
    assert "dist/small.zip is written" in outcome.output


def test_a_run_that_fails_leaves_the_old_bundle(roomy: Project) -> None:
    """Neither the run nor the dry run touches what is there."""
    bundle("--exclude", "@tests")
    before = zip_path(roomy).read_bytes()

    assert bundle("--max-size", "700 KB").exit_code == 1
    assert bundle("--max-size", "700 KB", "--dry-run").exit_code == 1
    assert zip_path(roomy).read_bytes() == before
    assert bundle("--max-size", "700 KB", "--exclude", "@tests").exit_code == 0
