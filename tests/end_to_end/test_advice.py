"""What --explain asks and offers, and what it must not: savings that would break the function."""

from __future__ import annotations

import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.index import Index
    from tests.support.projects import Project


RUNTIME = 'runtime = "python3.12"'
RUNTIME_PACKAGES = "exclude-runtime-packages = true"
SERVICES = 'botocore-services = "auto"'
CODE = "import boto3\n\nS3 = boto3.client('s3')\n"
SDK = {
    "boto3": Locked("boto3", "1.34.131", dependencies={"botocore": ">=1.34.131,<1.35.0"}),
    "botocore": Locked("botocore", "1.34.131"),
}
MODELS = {
    "botocore": {"botocore/__init__.py": "", "botocore/data/ec2/s.json": "{}", "botocore/data/s3/s.json": ""}
}


def lock(
    project: Project,
    index: Index,
    direct: tuple[str, ...],
    packages: Mapping[str, Locked],
    files: Mapping[str, Mapping[str, str]] | None = None,
    *,
    entry_points: str = "",
    code: str = CODE,
) -> None:
    """Lock packages with made-up wheels; `entry_points` are those of the first one."""
    locked = []
    for number, package in enumerate(packages.values()):
        wheel = make_wheel(
            package.name,
            package.version,
            (files or {}).get(package.name),
            entry_points="" if number else entry_points,
            compression=zipfile.ZIP_STORED,
        )
        index.add(wheel)
        locked.append(Locked.of(wheel, dependencies=package.dependencies))
    project.write({"my_fn.py": code})
    project.pyproject(dependencies=direct, source=index.url, config=RUNTIME)
    project.lock(locked, source=index.url)


def with_sdk(project: Project, index: Index, user: Locked, module: str = "") -> None:
    """Lock the SDK and a package beside it that uses it."""
    files = {**MODELS, user.name: {f"{user.name}.py": module}}
    lock(project, index, ("boto3", user.name), {**SDK, user.name: user}, files)


def explanation(*arguments: str) -> dict[str, Any]:
    outcome = bundle("--format", "json", "--explain", *arguments)
    assert outcome.exit_code == 0, outcome.error
    found = outcome.report["explanation"]
    assert isinstance(found, dict)
    return found


def offered(*arguments: str) -> set[str]:
    return {saving["option"] for saving in explanation(*arguments)["savings"]}


@pytest.mark.parametrize(
    ("constraint", "pinned"),
    [
        pytest.param(">=1.34.70,<1.34.132", True, id="a-few-releases"),
        pytest.param("==1.34.131", True, id="one-release"),
        pytest.param(">=1.34.70,<1.35.0", True, id="one-minor-version"),
        pytest.param(">=1.20,<2.0", False, id="the-major-version"),
        pytest.param(">=1.20", False, id="open"),
        pytest.param("*", False, id="any"),
    ],
)
def test_pinned_sdk_is_bundled(project: Project, index: Index, constraint: str, pinned: bool) -> None:
    """Beside a package that allows a few releases of botocore, leaving it to the runtime is no advice."""
    with_sdk(project, index, Locked("aiobotocore", "2.13.1", dependencies={"botocore": constraint}))

    assert (RUNTIME_PACKAGES in offered()) is not pinned
    warned = bundle("--exclude-runtime-packages")
    strict = bundle("--exclude-runtime-packages", "--strict")

    assert (warned.exit_code, strict.exit_code) == (0, int(pinned))
    assert warned.message == (
        f"Warning: aiobotocore (2.13.1) allows botocore {constraint.lstrip('=')} only, while the runtime has "
        "the version that AWS chose. Do without exclude-runtime-packages."
        if pinned
        else ""
    )


def test_pin_that_a_layer_meets(project: Project, index: Index) -> None:
    """Where a layer has the SDK, the runtime's is not used, and nothing is warned of."""
    pinned = {"botocore": ">=1.34.70,<1.34.132"}
    with_sdk(project, index, Locked("aiobotocore", "2.13.1", dependencies=pinned))
    with zipfile.ZipFile("sdk.zip", "w") as layer:
        layer.writestr("python/botocore-1.34.131.dist-info/METADATA", "")
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace(RUNTIME, f'{RUNTIME}\nexclude-layers = ["sdk.zip"]')})

    assert bundle("--exclude-runtime-packages").message == ""


def test_clash_with_the_runtime_is_no_advice(project: Project, index: Index) -> None:
    """What a warning would follow is not offered: here a urllib3 that the runtime's botocore refuses."""
    needs = Locked("botocore", "1.34.131", dependencies={"urllib3": "*"})
    packages = {"botocore": needs, "urllib3": Locked("urllib3", "2.2.0")}
    lock(project, index, ("botocore", "urllib3"), packages, MODELS)

    assert RUNTIME_PACKAGES not in offered()


@pytest.mark.parametrize(
    ("module", "calls"),
    [
        pytest.param("import boto3\n", True, id="boto3"),
        pytest.param("from botocore.exceptions import ClientError\n", False, id="exceptions-only"),
    ],
)
def test_services_of_dependencies_count(project: Project, index: Index, module: str, calls: bool) -> None:
    """Beside a package that may call AWS, the project's own calls don't say which models are needed."""
    with_sdk(project, index, Locked("tool"), module)

    assert (SERVICES in offered()) is not calls


def test_services_that_are_computed_count(project: Project, index: Index) -> None:
    """Where the project computes a service, or is not there, nobody knows which models are needed."""
    with_sdk(project, index, Locked("tool"))
    assert SERVICES in offered()
    assert SERVICES not in offered("--no-root")

    project.write({"my_fn.py": "import boto3\n\nCLIENT = boto3.client(NAME)\n"})

    assert SERVICES not in offered()


def test_automatic_services_say_what_they_miss(project: Project, index: Index) -> None:
    """A note names the dependencies that need the SDK too; with services listed there is none."""
    with_sdk(project, index, Locked("s3fs", dependencies={"boto3": "*"}))
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace(RUNTIME, f"{RUNTIME}\n{SERVICES}")})

    noted = bundle("--strict")
    project.write({"pyproject.toml": text.replace(RUNTIME, f'{RUNTIME}\nbotocore-services = ["s3"]')})

    assert noted.exit_code == 0
    assert noted.output.endswith(
        "\nNote: botocore-services = 'auto' does not look into dependencies, and s3fs may call AWS too. "
        "List the services instead, should one be missing.\n"
    )
    assert "Note: " not in bundle().output


@pytest.mark.parametrize(
    ("code", "others", "asked"),
    [
        pytest.param("", "", True, id="nothing"),
        pytest.param("import thing.part\n", "", False, id="the-project"),
        pytest.param("", "from thing import x\n", False, id="a-package"),
    ],
)
def test_asks_for_what_nothing_imports(
    project: Project, index: Index, code: str, others: str, asked: bool
) -> None:
    """A direct dependency is asked for whose modules no file names, but for those of what it alone needs."""
    packages = {
        "the-thing": Locked("the-thing", dependencies={"part-of-it": "*"}),
        "part-of-it": Locked("part-of-it"),
        "tool": Locked("tool"),
    }
    files = {
        "the-thing": {"thing/__init__.py": "import thing\n"},
        "part-of-it": {"part.py": "import thing\n"},
        "tool": {"tool.py": others, "tool_tests/tests/x.py": "import thing\n"},
    }
    lock(project, index, ("the-thing", "tool"), packages, files, code=f"import tool\n{code}")

    output = bundle("--explain").output

    question = (
        "\n  Nothing else in the bundle imports the-thing: is it needed? "
        "(Plugins and drivers may be loaded by name.)\n"
    )
    assert (question in output, "imports" in output) == (asked, asked)
    assert explanation()["unimported_packages"] == (["the-thing"] if asked else [])


def test_does_not_ask_for_what_loads_itself(project: Project, index: Index) -> None:
    """Plugins are in nobody's imports."""
    packages, entry_points = {"the-thing": Locked("the-thing")}, "[pytest11]\nthing = thing\n"
    files = {"the-thing": {"thing.py": ""}}
    lock(project, index, ("the-thing",), packages, files, entry_points=entry_points, code="")

    assert explanation()["unimported_packages"] == []


def test_asks_for_nothing_where_imports_are_unknown(project: Project, index: Index) -> None:
    """The handler's module is needed; and of a bundle without the project nothing is known."""
    files = {"the-thing": {"thing.py": "def handler(event, context): ..."}}
    lock(project, index, ("the-thing",), {"the-thing": Locked("the-thing")}, files, code="")
    assert explanation()["unimported_packages"] == ["the-thing"]
    assert explanation("--no-root")["unimported_packages"] == []
    text = (project.folder / "pyproject.toml").read_text()

    project.write({"pyproject.toml": text.replace(RUNTIME, f'{RUNTIME}\nhandler = "thing.handler"')})

    assert explanation()["unimported_packages"] == []


def test_explains_in_numbers(project: Project, index: Index) -> None:
    """The ten largest files, and all savings together, which overlap."""
    files = {"tool": {f"tool/tests/{n}.pyi": "#" * n * 1000 for n in range(1, 12)}}
    lock(project, index, ("tool",), {"tool": Locked("tool")}, files, code="import tool\n")

    found = explanation("--layer")

    assert [file["path"] for file in found["largest_files"]] == [
        f"python/tool/tests/{n}.pyi" for n in range(11, 1, -1)
    ]
    assert [file["unzipped_bytes"] for file in found["largest_files"][:2]] == [11_000, 10_000]
    assert found["largest_files"][0]["zipped_bytes"] > 11_000
    savings = [*found["savings"], found["all_savings"]]
    assert [saving["unzipped_bytes"] for saving in savings] == [66_000, 66_000, 66_000]
