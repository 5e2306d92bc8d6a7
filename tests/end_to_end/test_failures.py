"""One bundle of several that can't be made: the others are, and each failed one is told."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.limits import few_handles
from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project


TABLE = "tool.poetry-lambda-plugin.bundles"
GROUP = '[tool.poetry.group.jobs.dependencies]\nbeta = "*"\n'
JOB = f'[{TABLE}.job]\nwith = ["jobs"]\n'
API = f"[{TABLE}.api]\n"
WEB = f"[{TABLE}.web]\n"


@pytest.fixture
def service(project: Project, index: Index) -> Project:
    """A project that depends on alpha, and on beta for jobs."""
    wheels = [make_wheel("alpha"), make_wheel("beta")]
    index.add(*wheels)
    return locked(project, index, wheels)


def locked(project: Project, index: Index, wheels: list[MadeFile]) -> Project:
    alpha, beta = wheels
    project.write({"my_fn.py": "def handler(event, context):\n    return 1\n"})
    project.pyproject(dependencies=["alpha"], source=index.url, tool=GROUP)
    project.lock([Locked.of(alpha), Locked.of(beta, groups=["jobs"])], source=index.url)
    return project


def configure(project: Project, *tables: str) -> None:
    """Replace the project's own configuration, which the lock does not mind."""
    text = (project.folder / "pyproject.toml").read_text().partition("\n[tool.poetry-lambda-plugin]")[0]
    config = '\n[tool.poetry-lambda-plugin]\nruntime = "python3.12"\n' + "".join(tables)
    project.write({"pyproject.toml": text + config})


def document(*arguments: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the JSON document of a run that fails, and its bundles by name."""
    outcome = bundle("--format", "json", *arguments)
    assert outcome.exit_code == 1
    read = json.loads(outcome.output)
    assert outcome.error.strip().endswith(read["error"])
    return read, {made["bundle"]: made for made in read["bundles"]}


def zips(project: Project) -> list[str]:
    return sorted(path.name for path in (project.folder / "dist").iterdir())


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param(
            f'{API}handlr = "a.b"\n', f"api could not be made: Unknown key {TABLE}.api.handlr. Did", id="key"
        ),
        pytest.param(
            f'{API}scripts = "yes"\n',
            f"api could not be made: {TABLE}.api.scripts must be true or false, not 'yes'.",
            id="value",
        ),
        pytest.param(
            f'{API}with = ["job"]\n',
            "api for x86_64 could not be made: The project has no dependency group 'job'. Did you mean jobs?",
            id="group",
        ),
        pytest.param(
            f'{API}runtime = "python3.8"\n',
            "api for x86_64 could not be made: The project's Python constraint '>=3.9' rules out python3.8",
            id="runtime",
        ),
        pytest.param(
            f'{API}exclude-packages = ["gamma"]\n',
            "api for x86_64 could not be made: exclude-packages: poetry.lock has no package 'gamma'.",
            id="package",
        ),
        pytest.param(
            f'{API}handler = "my_fn.main"\n',
            "api for python3.12 on x86_64 could not be made: The handler 'my_fn.main'",
            id="handler",
        ),
        pytest.param(
            f"{API}max-size = 100\n",
            "api for python3.12 on x86_64 could not be made: Unzipped, api.zip has 0.",
            id="size",
        ),
        pytest.param(
            f'{API}exclude = ["nothing"]\nstrict = true\n',
            "api for python3.12 on x86_64 could not be made: exclude: 'nothing' matches nothing in the "
            "bundle. (--strict makes this an error.)",
            id="strict",
        ),
        pytest.param(
            f'{API}output = "my_fn.py/x.zip"\n',
            "api for x86_64 could not be made: The bundle can't",
            id="output",
        ),
    ],
)
def test_error_of_one_bundle(service: Project, table: str, words: str) -> None:
    """The others are written, the failed one is named with its error, and its old ZIP stays."""
    configure(service, API, JOB)
    assert bundle().exit_code == 0
    before = (service.folder / "dist/api.zip").read_bytes()
    (service.folder / "dist/job.zip").unlink()

    configure(service, table, JOB, f"[{TABLE}.new]\n")
    outcome = bundle()

    assert outcome.exit_code == 1
    assert words in outcome.message
    assert "could not be made" not in outcome.message.replace(words, "")
    assert zips(service) == ["api.zip", "job.zip", "new.zip"]
    assert (service.folder / "dist/api.zip").read_bytes() == before
    assert outcome.output.count(" is written\n") == 2
    # the only bundle of a run has its error alone
    alone = bundle("api")
    assert (alone.exit_code, "could not be made" in alone.message) == (1, False)
    _, made = document("--dry-run")
    assert {name: report["status"] for name, report in made.items()} == {
        "api": "failed",
        "job": "planned",
        "new": "planned",
    }
    assert words.partition("made: ")[2] in " ".join(made["api"]["error"].split())


def test_document_has_the_same_fields(service: Project) -> None:
    """A failed bundle has them all, null where nothing is known; the top has all errors together."""
    configure(
        service, f'{API}handler = "my_fn.main"\n', JOB, f"{WEB}max-size = 1\n", f"[{TABLE}.bad]\nx = 1\n"
    )

    read, made = document()

    assert list(made) == ["api", "job", "web", "bad"]
    assert len({frozenset(report) for report in made.values()}) == 1
    assert {name: report["status"] for name, report in made.items()} == {
        **dict.fromkeys(made, "failed"),
        "job": "written",
    }
    assert (made["job"]["error"], made["api"]["code_sha256"]) == (None, None)
    assert (made["api"]["runtime"], made["api"]["handler"]) == ("python3.12", "my_fn.main")
    assert made["api"]["output"] == str(service.folder / "dist/api.zip")
    assert made["web"]["unzipped_bytes"] > 1
    assert (made["bad"]["architecture"], made["bad"]["output"]) == (None, None)
    assert [line.partition(" could")[0] for line in read["error"].splitlines()] == [
        "bad",
        "api for python3.12 on x86_64",
        "web for python3.12 on x86_64",
    ]


def test_layer_that_fails_takes_its_functions_along(service: Project) -> None:
    """They say so; what does without it is made."""
    layer = f'[{TABLE}.deps]\nlayer = true\nno-root = true\nexclude = ["/alpha.py"]\nmax-size = 10\n'
    configure(service, layer, f'{API}exclude-layers = ["deps"]\n', WEB)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.error.endswith(
        "\napi for python3.12 on x86_64 could not be made: Its layer deps could not be made.\n"
    )
    assert zips(service) == ["web.zip"]
    configure(service, layer.replace("max-size", "max-sise"), f'{API}exclude-layers = ["deps"]\n', WEB)
    assert bundle().error.endswith("\napi could not be made: Its layer deps could not be made.\n")


def test_function_that_fails_leaves_its_layer(service: Project) -> None:
    """The layer is made for the others."""
    configure(
        service,
        f'{API}handler = "my_fn.main"\n{WEB}[{TABLE}.deps]\nlayer = true\nshared-by = "all"\n',
    )

    assert bundle().exit_code == 1
    assert zips(service) == ["deps.zip", "web.zip"]


@pytest.mark.parametrize("wrong", ['with = ["nobody"]', "x = 1"], ids=["selection", "table"])
@pytest.mark.parametrize("shared_by", ['"all"', '["api", "web"]'], ids=["all", "named"])
def test_layer_without_a_function_that_fails(service: Project, wrong: str, shared_by: str) -> None:
    """What the others share is still what they do without."""
    layer = f"[{TABLE}.deps]\nlayer = true\nshared-by = {shared_by}\n"
    configure(service, layer, WEB, f"{API}{wrong}\n")

    assert bundle().message.count("could not be made") == 1
    assert zips(service) == ["deps.zip", "web.zip"]
    assert "alpha.py" not in contents(service.folder / "dist/web.zip")
    configure(service, layer.replace("all", "api").replace(', "web"', ""), WEB, f"{API}{wrong}\n")
    assert "deps" in bundle().message
    assert zips(service) == ["deps.zip", "web.zip"]


def test_architectures_with_one_error_are_one_paragraph(service: Project) -> None:
    """Of one bundle for two architectures too."""
    configure(service, 'architecture = ["x86_64", "arm64"]\nhandler = "my_fn.main"\n')

    outcome = bundle()

    assert outcome.error.count("could not be made") == 1
    assert outcome.message.startswith(
        "my-fn for python3.12 on x86_64 and python3.12 on arm64 could not be made: The handler 'my_fn.main'"
    )


@pytest.mark.parametrize(
    "broken",
    [pytest.param("hash", id="hash"), pytest.param("gone", id="gone"), pytest.param("zip", id="zip")],
)
def test_package_that_can_not_be_had(project: Project, index: Index, broken: str) -> None:
    """The bundles that need it fail; the others are made, and need no second try."""
    alpha, beta = make_wheel("alpha"), make_wheel("beta")
    bad = MadeFile(beta.filename, b"PK no ZIP" if broken == "zip" else beta.data + b"x")
    index.add(alpha, *([] if broken == "gone" else [bad]))
    locked(project, index, [alpha, bad if broken == "zip" else beta])
    configure(project, JOB, API, WEB)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.startswith("job for python3.12 on x86_64 could not be made: ")
    assert "beta" in outcome.message
    assert outcome.message.count("could not be made") == 1
    assert zips(project) == ["api.zip", "web.zip"]
    assert "alpha.py" in contents(project.folder / "dist/api.zip")


def test_what_is_wrong_with_all_is_told_once(service: Project) -> None:
    """A lock that is older than pyproject.toml, and two bundles with one output."""
    configure(service, JOB, API, WEB)
    text = (service.folder / "pyproject.toml").read_text()
    service.write({"pyproject.toml": text.replace('["alpha"]', '["alpha", "beta"]')})
    assert bundle().message.startswith("pyproject.toml changed significantly")

    service.write({"pyproject.toml": text + 'output = "x.zip"\n' + f'[{TABLE}.zoo]\noutput = "x.zip"\n'})
    assert bundle().message.startswith("Two bundles would be written to ")
    assert not (service.folder / "dist").exists()


def test_broken_table_of_a_bundle_that_is_not_made(service: Project) -> None:
    """It is told before anything is made, as ever."""
    configure(service, JOB, API, f"{WEB}x = 1\n")

    outcome = bundle("api", "job")

    assert outcome.message.startswith(f"Unknown key {TABLE}.web.x.")
    assert not (service.folder / "dist").exists()


def test_each_failing_output_lets_go_of_its_file(service: Project) -> None:
    """However many bundles fail where they are written, no handle is kept."""
    tables = "".join(f'[{TABLE}.b{n}]\nmax-size = 1\noutput = "dist/b{n}.zip"\n' for n in range(60))
    configure(service, tables, WEB)
    bundle("web")

    with few_handles(32):
        outcome = bundle()

    assert outcome.error.count("could not be made: Unzipped") == 60
    assert zips(service) == ["web.zip"]
