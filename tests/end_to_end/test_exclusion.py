"""Leaving out packages, sets of files and AWS services, seen in the ZIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.runner import Outcome


def lock(
    project: Project,
    index: Index,
    direct: Sequence[str],
    packages: Sequence[Locked],
    *,
    files: Mapping[str, Mapping[str, str]] | None = None,
    config: str = 'runtime = "python3.12"',
    optional: str = "",
) -> None:
    """Write and lock a project with made-up packages; `files` are those of their wheels."""
    made = []
    for package in packages:
        wheel = make_wheel(package.name, package.version, (files or {}).get(package.name))
        index.add(wheel)
        made.append(
            Locked(
                package.name,
                package.version,
                [wheel],
                dependencies=package.dependencies,
                optional=package.optional,
                extras=package.extras,
                markers=package.markers,
            )
        )
    project.pyproject(dependencies=direct, source=index.url, config=config, project=optional)
    if not (project.folder / "my_fn.py").exists():
        project.write({"my_fn.py": ""})
    project.lock(made, source=index.url, extras={"more": ["extra"]} if optional else None)


def needing(name: str, *needs: str, version: str = "1.0") -> Locked:
    return Locked(name, version, dependencies=dict.fromkeys(needs, "*"))


def bundled(outcome: Outcome) -> list[str]:
    """Return the names of the dependencies in a bundle."""
    assert outcome.exit_code == 0, outcome.error
    return [package["name"] for package in outcome.report["packages"] if package["file"] != "."]


def left_out(outcome: Outcome) -> dict[str, str]:
    return {package["name"]: package["reason"] for package in outcome.report["left_out_packages"]}


def exclude_package(*names: str) -> Outcome:
    options = [word for name in names for word in ("--exclude-package", name)]
    return bundle("--format", "json", *options)


def test_shared_dependency_stays(project: Project, index: Index) -> None:
    """Of a diamond, only what the excluded package alone needs goes; the ZIP has none of it."""
    lock(
        project,
        index,
        ["web", "db"],
        [
            needing("web", "shared", "only-web"),
            needing("db", "shared"),
            needing("shared"),
            needing("only-web"),
        ],
    )

    outcome = exclude_package("Web")

    assert bundled(outcome) == ["db", "shared"]
    assert left_out(outcome) == {"web": "excluded", "only-web": "needed by excluded packages only"}
    assert not [path for path in contents(project.folder / "dist/my-fn.zip") if "web" in path]


def extra_of_a_package(asked: str) -> list[Locked]:
    return [
        Locked("app", dependencies={"lib": {"version": "*", "extras": ["fast"]} if asked else "*"}),
        Locked(
            "lib",
            dependencies={"speedup": {"version": "*", "optional": True}},
            extras={"fast": ["speedup"]},
        ),
        needing("speedup"),
        needing("other", "speedup"),
    ]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        pytest.param("fast", ["app", "lib", "speedup"], id="asked-for"),
        pytest.param("", ["app", "lib"], id="not-asked-for"),
    ],
)
def test_extra_of_a_package_is_an_edge_where_asked_for(
    project: Project, index: Index, asked: str, left: list[str]
) -> None:
    """An optional dependency keeps a package only if somebody asks for its extra."""
    lock(project, index, ["app", "other"], extra_of_a_package(asked))

    assert bundled(exclude_package("other")) == left


EXTRA = '[project.optional-dependencies]\nmore = ["extra"]'


@pytest.mark.parametrize(
    ("options", "left"),
    [
        pytest.param((), [], id="without"),
        pytest.param(("--extras", "more"), ["extra", "shared"], id="with"),
    ],
)
def test_extra_of_the_project_is_an_edge_where_chosen(
    project: Project, index: Index, options: tuple[str, ...], left: list[str]
) -> None:
    """What an extra of the project needs counts when the extra is chosen."""
    packages = [
        needing("a", "shared"),
        Locked("extra", optional=True, dependencies={"shared": "*"}, markers='extra == "more"'),
        needing("shared"),
    ]
    lock(project, index, ["a"], packages, optional=EXTRA)

    assert bundled(bundle("--format", "json", "--exclude-package", "a", *options)) == left


@pytest.mark.parametrize(
    ("runtime", "left"),
    [
        pytest.param("python3.10", ["b", "shared"], id="holds"),
        pytest.param("python3.12", ["b"], id="does-not-hold"),
    ],
)
def test_marker_is_judged_for_the_target(
    project: Project, index: Index, runtime: str, left: list[str]
) -> None:
    """A dependency that the target's Python does not need keeps nothing."""
    old = {"version": "*", "markers": 'python_version < "3.11"'}
    packages = [needing("a", "shared"), Locked("b", dependencies={"shared": old}), needing("shared")]
    lock(project, index, ["a", "b"], packages, config=f'runtime = "{runtime}"')

    assert bundled(exclude_package("a")) == left


def test_refuses_unknown_package(locked_project: Project) -> None:
    """A name that the lock does not have is an error with the nearest one."""
    outcome = bundle("--exclude-package", "greetings")

    assert (outcome.exit_code, outcome.message) == (
        1,
        "exclude-packages: poetry.lock has no package 'greetings'. Did you mean greeting? It has greeting.",
    )


def test_warns_of_an_excluded_package_that_is_imported(locked_project: Project) -> None:
    """The project's own import of an excluded package is told, and --strict refuses it."""
    outcome = bundle("--exclude-package", "greeting")

    assert outcome.exit_code == 0
    assert outcome.message == (
        "Warning: greeting is excluded, but the project imports it. "
        "That works only where a layer or the runtime has it."
    )
    assert "  Left out    greeting (excluded)\n" in outcome.output
    assert bundle("--exclude-package", "greeting", "--strict").exit_code == 1


def aws(project: Project, index: Index, *, urllib3: str = "1.26.20", config: str = "") -> None:
    """Lock the AWS SDK with its dependencies, and requests, which shares one."""
    lock(
        project,
        index,
        ["boto3", "requests"],
        [
            needing("boto3", "botocore", "jmespath", "s3transfer"),
            needing("botocore", "jmespath", "python-dateutil", "urllib3"),
            needing("jmespath"),
            needing("python-dateutil", "six"),
            needing("requests", "urllib3"),
            needing("s3transfer", "botocore"),
            needing("six"),
            needing("urllib3", version=urllib3),
        ],
        config=config,
        files={
            "boto3": {"boto3/__init__.py": "", "boto3/data/ec2/r.json": "", "boto3/data/s3/r.json": ""},
            "botocore": {
                "botocore/__init__.py": "",
                "botocore/data/endpoints.json": "{}",
                **{f"botocore/data/{name}/2020/s.json": "{}" for name in ("ec2", "s3", "sqs", "sts")},
            },
        },
    )


def test_runtime_packages_go_with_what_only_they_need(project: Project, index: Index) -> None:
    """The SDK and its dependencies go, but not urllib3, which requests needs; the runtime allows it."""
    aws(project, index)

    outcome = bundle("--format", "json", "--exclude-runtime-packages")

    assert bundled(outcome) == ["requests", "urllib3"]
    assert left_out(outcome) == {
        "boto3": "on the runtime",
        "botocore": "on the runtime",
        "jmespath": "needed by excluded packages only",
        "python-dateutil": "needed by excluded packages only",
        "s3transfer": "on the runtime",
        "six": "needed by excluded packages only",
    }
    assert outcome.report["warnings"] == []


def test_runtime_packages_are_bundled_by_default(project: Project, index: Index) -> None:
    """As AWS advises."""
    aws(project, index)

    assert {"boto3", "botocore", "urllib3"} <= set(bundled(bundle("--format", "json")))


def test_warns_of_a_clash_with_the_runtime(project: Project, index: Index) -> None:
    """A shared dependency that the runtime's botocore does not allow is named, with who needs it."""
    aws(project, index, urllib3="2.2.3")

    outcome = bundle("--format", "json", "--exclude-runtime-packages", "--runtime", "python3.9")

    (clash,) = [warning for warning in outcome.report["warnings"] if "urllib3" in warning]
    assert clash == (
        "urllib3 (2.2.3) stays in the bundle, since requests needs it; but the runtime's botocore will "
        "import it too, and allows urllib3<1.27 only. Bundle boto3 as well, or lock a version that both "
        "allow."
    )
    assert bundled(outcome) == ["requests", "urllib3"]


def kept_services(project: Project) -> list[str]:
    paths = (path.split("/") for path in contents(project.folder / "dist/my-fn.zip"))
    return sorted({f"{p[0]}/{p[2]}" for p in paths if p[0] in ("boto3", "botocore") and p[1] == "data"})


def test_keeps_the_services_that_are_listed(project: Project, index: Index) -> None:
    """Models of other services go; shared files and what finds credentials stay, and RECORD is true."""
    aws(project, index, config='botocore-services = ["s3"]')

    outcome = bundle("--format", "json")

    assert outcome.error == ""
    assert kept_services(project) == [
        "boto3/s3",
        "botocore/endpoints.json",
        "botocore/s3",
        "botocore/sts",
    ]
    assert {left["reason"] for left in outcome.report["left_out"]} == {"AWS services not used"}
    record = contents(project.folder / "dist/my-fn.zip")["botocore-1.0.dist-info/RECORD"].decode()
    assert "botocore/data/s3/" in record
    assert "ec2" not in record


def test_finds_services_in_the_sources(project: Project, index: Index) -> None:
    """With "auto", literal calls decide, and a call that computes its service is warned of."""
    aws(project, index, config='botocore-services = "auto"')
    project.write({"my_fn.py": "import boto3\nS3 = boto3.resource('s3')\nX = boto3.client(NAME)\n"})

    outcome = bundle()

    assert kept_services(project) == ["boto3/s3", "botocore/endpoints.json", "botocore/s3", "botocore/sts"]
    assert outcome.message == (
        "Warning: my_fn.py:3 asks for an AWS service that is not written out, so botocore-services = 'auto' "
        "can't keep it. List the services instead."
    )


def test_finds_services_and_imports_in_a_built_project(project: Project, index: Index) -> None:
    """The sources of a project that has to be built are those of its wheel."""
    backend = (
        "import zipfile\n\n"
        "def get_requires_for_build_wheel(config_settings=None):\n    return []\n\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        "    info = 'my_fn-0.1.0.dist-info'\n"
        "    files = {\n"
        "        'my_fn.py': 'import boto3, requests\\nSQS = boto3.client(\"sqs\")\\n',\n"
        "        f'{info}/METADATA': 'Metadata-Version: 2.1\\nName: my-fn\\nVersion: 0.1.0\\n',\n"
        "        f'{info}/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',\n"
        "    }\n"
        "    files[f'{info}/RECORD'] = ''.join(f'{path},,\\n' for path in [*files, f'{info}/RECORD'])\n"
        "    with zipfile.ZipFile(f'{directory}/my_fn-0.1.0-py3-none-any.whl', 'w') as wheel:\n"
        "        for path, text in files.items():\n"
        "            wheel.writestr(path, text)\n"
        "    return 'my_fn-0.1.0-py3-none-any.whl'\n"
    )
    aws(project, index)
    text = (project.folder / "pyproject.toml").read_text().partition("[build-system]")[0]
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project.write({"pyproject.toml": text + system, "backend.py": backend})
    config = '[tool.poetry-lambda-plugin]\nbotocore-services = "auto"\n'
    project.write({"pyproject.toml": text + config + system})

    outcome = bundle("--exclude-package", "requests")

    assert kept_services(project) == ["botocore/endpoints.json", "botocore/sqs", "botocore/sts"]
    assert "Warning: requests is excluded, but the project imports it." in outcome.message


def thing(project: Project, index: Index) -> None:
    """Lock a package with tests, and with what is none."""
    lock(
        project,
        index,
        ["thing"],
        [needing("thing")],
        files={
            "thing": dict.fromkeys(
                (
                    "thing/__init__.py",
                    "thing/test/x.py",
                    "thing/testing.py",
                    "thing/tests/keep/x.py",
                    "thing/tests/x.py",
                    "thing-1.0.dist-info/tests/x.py",
                ),
                "x",
            )
        },
    )


@pytest.mark.parametrize(
    ("patterns", "gone"),
    [
        pytest.param(
            ["@tests"], ["thing/test/x.py", "thing/tests/keep/x.py", "thing/tests/x.py"], id="tests"
        ),
        pytest.param(["@tests", "!thing/tests/keep/"], ["thing/test/x.py", "thing/tests/x.py"], id="negated"),
    ],
)
def test_sets_leave_out_what_they_say(
    project: Project, index: Index, patterns: list[str], gone: list[str]
) -> None:
    """A set is its patterns, but never touches dist-info; a later negation keeps something of it."""
    thing(project, index)

    outcome = bundle("--format", "json", *(word for p in patterns for word in ("--exclude", p)))

    assert outcome.error == ""
    assert [left["path"] for left in outcome.report["left_out"]] == gone
    assert not contents(project.folder / "dist/my-fn.zip").keys() & set(gone)


def test_refuses_unknown_set(locked_project: Project) -> None:
    """A set that does not exist is an error with the nearest name."""
    outcome = bundle("--exclude", "@test")

    assert outcome.exit_code == 1
    assert outcome.message == (
        "--exclude: there is no set '@test'. Did you mean @tests? "
        "The sets are @tests, @type-stubs, @headers-and-sources, @docs."
    )


def test_warns_of_a_pattern_that_matches_nothing(locked_project: Project) -> None:
    """A pattern and a set without effect are told."""
    assert bundle("--exclude", "*.xyz", "--exclude", "@docs").message == (
        "Warning: exclude: '*.xyz' matches nothing in the bundle. "
        "Warning: exclude: '@docs' matches nothing in the bundle."
    )


def test_refuses_pattern_that_hits_the_handler(locked_project: Project) -> None:
    """A bundle without its handler is not written."""
    text = (locked_project.folder / "pyproject.toml").read_text()
    locked_project.write(
        {"pyproject.toml": f'{text}\n[tool.poetry-lambda-plugin]\nhandler = "my_fn.handler"\n'}
    )

    outcome = bundle("--exclude", "my_*.py")

    assert outcome.exit_code == 1
    assert outcome.message == (
        "The handler 'my_fn.handler' needs the module my_fn, which is not in the bundle. "
        "exclude leaves out my_fn.py: change the pattern, or add '!my_fn.py' after it."
    )
    assert not (locked_project.folder / "dist/my-fn.zip").exists()
    assert bundle("--exclude", "my_*.py", "--exclude", "!my_fn.py").exit_code == 0
