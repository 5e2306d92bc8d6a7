"""Layers that are bundles of the same project: made in the run of their functions, which do without."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from tests.support.index import Index
    from tests.support.projects import Project
    from tests.support.runner import Outcome


TABLE = "tool.poetry-lambda-plugin.bundles"
DEPS = f"[{TABLE}.deps]\nlayer = true\nno-root = true\n"
API = f'[{TABLE}.api]\nexclude-layers = ["deps"]\n'
GROUPS = (
    '[tool.poetry.group.jobs.dependencies]\nbeta = "*"\ngamma = "*"\n'
    '[tool.poetry.group.mails.dependencies]\nbeta = "*"\ndelta = "*"\n'
)
FUNCTIONS = (
    f'[{TABLE}.job]\nwith = ["jobs"]\n[{TABLE}.mail]\nwith = ["mails"]\n'
    f'[{TABLE}.common]\nlayer = true\nshared-by = ["job", "mail"]\n'
)


@pytest.fixture
def repository(project: Project, index: Index) -> Project:
    """A project that depends on alpha, with one group for jobs and one for mails."""
    wheels = {name: make_wheel(name) for name in ("alpha", "beta", "gamma", "delta")}
    groups = {"alpha": ["main"], "beta": ["jobs", "mails"], "gamma": ["jobs"], "delta": ["mails"]}
    index.add(*wheels.values())
    project.write({"my_fn.py": "def handler(event, context):\n    return 1\n"})
    project.pyproject(dependencies=["alpha"], source=index.url, tool=GROUPS)
    project.lock([Locked.of(wheels[name], groups=of) for name, of in groups.items()], source=index.url)
    return project


def configure(project: Project, *tables: str) -> None:
    """Replace the project's own configuration, which the lock does not mind."""
    text = (project.folder / "pyproject.toml").read_text().partition("\n[tool.poetry-lambda-plugin]")[0]
    config = '\n[tool.poetry-lambda-plugin]\nruntime = "python3.12"\n' + "".join(tables)
    project.write({"pyproject.toml": text + config})


def reports(*arguments: str) -> dict[str, dict[str, Any]]:
    """Return each bundle's report by its name and architecture, in their order."""
    outcome = bundle("--format", "json", *arguments)
    assert (outcome.exit_code, outcome.error) == (0, "")
    made = json.loads(outcome.output)["bundles"]
    return {f"{report['bundle']} {report['architecture']}": report for report in made}


def packages(report: dict[str, Any]) -> list[str]:
    return [package["name"] for package in report["packages"]]


def modules(project: Project, name: str) -> set[str]:
    """Return the names of a bundle's modules, wherever they lie."""
    paths = contents(project.folder / f"dist/{name}.zip")
    return {path.rpartition("/")[2].removesuffix(".py") for path in paths if path.endswith(".py")}


def test_layer_is_made_before_its_function(repository: Project) -> None:
    """Whatever the order of the tables; the function has what the layer lacks, and its report names it."""
    configure(repository, API, DEPS)

    made = reports()

    assert list(made) == ["deps x86_64", "api x86_64"]
    assert (modules(repository, "deps"), modules(repository, "api")) == ({"alpha"}, {"my_fn"})
    layer, function = made.values()
    assert function["layers"] == [
        {"bundle": "deps", "path": layer["output"], "unzipped_bytes": layer["unzipped_bytes"]}
    ]
    assert function["layers_unzipped_bytes"] == layer["unzipped_bytes"] > 0
    assert function["left_out_packages"] == [
        {"name": "alpha", "version": "1.0", "reason": "in the layer deps"}
    ]


def test_one_function_makes_what_it_needs(repository: Project) -> None:
    """And says so; of the layer only the architecture that is needed, under the name that it always has."""
    both = DEPS + 'architecture = ["x86_64", "arm64"]\n'
    configure(repository, both, API, f"[{TABLE}.other]\n")

    outcome = bundle("api")

    assert outcome.exit_code == 0
    assert "Note: deps is made too, since api needs it as a layer.\n" in outcome.output
    assert "  Left out    alpha (in the layer deps)\n" in outcome.output
    assert sorted(path.name for path in (repository.folder / "dist").iterdir()) == [
        "api.zip",
        "deps-x86_64.zip",
    ]
    before = contents(repository.folder / "dist/deps-x86_64.zip")
    assert list(reports()) == ["deps x86_64", "deps arm64", "api x86_64", "other x86_64"]
    assert contents(repository.folder / "dist/deps-x86_64.zip") == before


def test_options_of_a_function_do_not_change_its_layer(repository: Project) -> None:
    """Only where it runs and how strictly it is judged holds for the layer too."""
    configure(repository, DEPS, API)
    plain = reports("deps", "--architecture", "arm64")["deps arm64"]["sha256"]

    made = reports("api", "--architecture", "arm64", "--with", "jobs", "-o", "out.zip")

    assert made["deps arm64"]["sha256"] == plain
    assert packages(made["api arm64"]) == ["beta", "gamma", "my-fn"]


def test_ignored_elsewhere(repository: Project) -> None:
    """What the common table ignores for a bundle that is not made is no mistake of a layer that is."""
    repository.write({"my_env/.env": "A=1\n"})
    web = f'[{TABLE}.web]\ninclude = ["my_env/.env"]\n'
    configure(repository, 'ignore = ["secret"]\n', DEPS, API, web)

    reports("api")
    reports()
    configure(repository, 'ignore = ["secret"]\n', DEPS, API)
    assert bundle().message == "Warning: ignore: 'secret' silences nothing. Drop it, or correct it."


def test_dry_run_and_digest_hold(repository: Project) -> None:
    """The function is planned against the plan of its layer, whatever ZIP is there."""
    configure(repository, DEPS, API)
    reports()
    (repository.folder / "dist/deps.zip").unlink()

    foreseen = reports("--dry-run")

    assert not (repository.folder / "dist/deps.zip").exists()
    assert [report["changed"] for report in foreseen.values()] == [True, False]
    made = reports()
    assert {name: report["sha256"] for name, report in foreseen.items()} == {
        name: report["sha256"] for name, report in made.items()
    }


def test_dry_run_without_the_layers_files(repository: Project) -> None:
    """What the function would leave out is known all the same, sizes are not."""
    configure(repository, DEPS, API)

    made = reports("--dry-run")

    assert packages(made["api x86_64"]) == ["my-fn"]
    assert made["api x86_64"]["layers"][0]["unzipped_bytes"] is None
    assert made["api x86_64"]["layers_unzipped_bytes"] is None


def test_shared_layer_holds_what_all_need(repository: Project) -> None:
    """Just that, without the project; and the functions leave it out without naming it."""
    configure(repository, FUNCTIONS)

    made = reports("mail")

    assert list(made) == ["common x86_64", "mail x86_64"]
    assert packages(made["common x86_64"]) == ["alpha", "beta"]
    assert packages(made["mail x86_64"]) == ["delta", "my-fn"]
    assert packages(reports()["job x86_64"]) == ["gamma", "my-fn"]


def test_shared_by_all(repository: Project) -> None:
    """All functions, but layers, and those that have no dependency in them."""
    configure(
        repository,
        f'[{TABLE}.job]\nwith = ["jobs"]\n[{TABLE}.plain]\n[{TABLE}.redirect]\nonly-root = true\n',
        f'[{TABLE}.common]\nlayer = true\nshared-by = "all"\n{DEPS}',
    )

    made = reports()

    assert packages(made["common x86_64"]) == ["alpha"]
    assert packages(made["job x86_64"]) == ["beta", "gamma", "my-fn"]
    assert packages(made["redirect x86_64"]) == ["my-fn"]
    assert [layer["bundle"] for layer in made["plain x86_64"]["layers"]] == ["common"]


def test_shared_layer_for_each_architecture(repository: Project) -> None:
    """Only the functions that run there count."""
    both = 'architecture = ["x86_64", "arm64"]\n'
    configure(
        repository,
        f'[{TABLE}.job]\nwith = ["jobs"]\n[{TABLE}.mail]\nwith = ["mails"]\n{both}',
        f'[{TABLE}.common]\nlayer = true\nshared-by = ["job", "mail"]\n{both}',
    )

    made = reports()

    assert packages(made["common x86_64"]) == ["alpha", "beta"]
    assert packages(made["common arm64"]) == ["alpha", "beta", "delta"]
    assert packages(made["mail arm64"]) == ["my-fn"]


def test_check_of_a_shared_layer(repository: Project) -> None:
    """It is judged by what it will hold."""
    functions = f'[{TABLE}.a]\nonly = "jobs"\n[{TABLE}.b]\nonly = ["mails", "jobs"]\n'
    configure(repository, functions, f'[{TABLE}.l]\nlayer = true\nshared-by = "all"\n')

    checked = json.loads(run("lambda-check", "--format", "json").output)["bundles"]

    selected = {b["bundle"]: {t["selected"] for t in b["targets"] if t["asked"]} for b in checked}
    assert selected == {"a": {2}, "b": {3}, "l": {2}}
    assert packages(reports()["l x86_64"]) == ["beta", "gamma"]


def test_layers_of_layers(repository: Project) -> None:
    """A layer may leave out what another one holds, and all are made in the right order."""
    configure(
        repository,
        f'[{TABLE}.job]\nwith = ["jobs"]\nexclude-layers = ["base", "top"]\n',
        f'[{TABLE}.top]\nlayer = true\nno-root = true\nwith = ["jobs"]\nexclude-layers = ["base"]\n',
        f"[{TABLE}.base]\nlayer = true\nno-root = true\n",
    )

    made = reports()

    assert {name: packages(report) for name, report in made.items()} == {
        "base x86_64": ["alpha"],
        "top x86_64": ["beta", "gamma"],
        "job x86_64": ["my-fn"],
    }


def test_layer_of_the_common_table(repository: Project) -> None:
    """It is for all others; it does not get itself."""
    configure(repository, 'exclude-layers = ["deps"]\n', DEPS, f"[{TABLE}.a]\n[{TABLE}.b]\n")

    made = reports()

    assert [packages(report) for report in made.values()] == [["alpha"], ["my-fn"], ["my-fn"]]


def test_bundle_beats_a_file_of_its_name(repository: Project) -> None:
    """The file is meant by ./ before its name; one that no bundle has the name of needs none."""
    configure(repository, DEPS, API)
    reports()
    for name in ("deps", "plain"):
        (repository.folder / name).write_bytes((repository.folder / "dist/deps.zip").read_bytes())

    for written, bundled in (("deps", "deps"), ("./deps", None), ("plain", None)):
        configure(repository, DEPS, API.replace('"deps"', f'"{written}"'))
        (layer,) = reports("api")["api x86_64"]["layers"]
        assert layer["bundle"] == bundled


def test_handler_in_a_layer_of_the_run(repository: Project) -> None:
    """It is found in the layer's plan."""
    configure(repository, DEPS, API.replace("exclude", 'no-root = true\nhandler = "alpha.main"\nexclude'))
    outcome = bundle("api")
    assert outcome.message == (
        "api for x86_64 could not be made: There is nothing to bundle: every dependency is left out, by an "
        "exclusion or a layer, and no-root leaves out the project. Drop one of them."
    )

    configure(repository, DEPS, API.replace("exclude", 'handler = "alpha.main"\nexclude'))
    assert "api x86_64" in reports("api")


def test_only_root_for_a_layer(repository: Project) -> None:
    """It would be a layer without what it is for; for functions it is fine."""
    configure(repository, FUNCTIONS, DEPS, API)

    for arguments in ((), ("common",), ("deps",)):
        name = arguments[0] if arguments else "deps"
        outcome = bundle(*arguments, "--only-root")
        assert outcome.exit_code == 1
        assert "--only-root would leave the layer " in outcome.message
        assert name in outcome.message or not arguments
    assert bundle("deps", "--only-root").message == (
        "--only-root would leave the layer deps without the dependencies that it is for. Name functions "
        "instead: `poetry lambda-bundle NAME --only-root`."
    )
    assert packages(reports("api", "--only-root")["api x86_64"]) == ["my-fn"]
    assert packages(reports("mail", "--only-root")["mail x86_64"]) == ["my-fn"]


def failed(outcome: Outcome) -> str:
    assert outcome.exit_code == 1
    return outcome.message


ONE_OF_MANY = "api for python3.12 on x86_64 could not be made: "


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        pytest.param(
            DEPS + API.replace('"deps"', '"dep"'),
            f"api could not be made: Unknown bundle 'dep' in {TABLE}.api.exclude-layers. Did you mean deps? "
            f"[{TABLE}] has api, deps.",
            id="unknown",
        ),
        pytest.param(
            API + f"[{TABLE}.deps]\n",
            f"api could not be made: {TABLE}.api.exclude-layers names 'deps', which is no layer. "
            f"Set layer = true in [{TABLE}.deps], or drop the name.",
            id="no-layer",
        ),
        pytest.param(
            f'[{TABLE}.a]\nlayer = true\nexclude-layers = "b"\n'
            f'[{TABLE}.b]\nlayer = true\nexclude-layers = "a"\n',
            f"{TABLE}.a.exclude-layers: a bundle can't be a layer of its own layer (a → b → a). "
            "Drop one of the names.",
            id="cycle",
        ),
        pytest.param(
            API.replace("deps", "api"),
            f"{TABLE}.api.exclude-layers: a bundle can't be a layer of its own layer (api → api). "
            "Drop one of the names.",
            id="itself",
        ),
        pytest.param(
            DEPS + API + 'architecture = "arm64"\n',
            "api for arm64 could not be made: api is for arm64, but its layer deps is for x86_64 only. "
            f'Set architecture = ["x86_64", "arm64"] in [{TABLE}.deps].',
            id="architecture",
        ),
        pytest.param(
            DEPS + API + 'runtime = "python3.13"\n',
            "api for x86_64 could not be made: api is for python3.13, but its layer deps is for python3.12. "
            f"Set the same runtime in [{TABLE}.api] and [{TABLE}.deps], or make a layer for each runtime.",
            id="runtime",
        ),
        pytest.param(
            "".join(f"[{TABLE}.l{n}]\nlayer = true\nno-root = true\n" for n in range(6))
            + API.replace('"deps"', ", ".join(f'"l{n}"' for n in range(6))),
            f"api could not be made: {TABLE}.api has 6 layers (l0, l1, l2, l3, l4 and l5), and Lambda takes "
            "5 at most. Let one layer hold what several do.",
            id="six",
        ),
        pytest.param(
            f'[{TABLE}.job]\n[{TABLE}.l]\nlayer = true\nshared-by = ["jop"]\n',
            f"l could not be made: Unknown bundle 'jop' in {TABLE}.l.shared-by. Did you mean job? "
            f"[{TABLE}] has job.",
            id="shared-by-unknown",
        ),
        pytest.param(
            f'{DEPS}[{TABLE}.job]\n[{TABLE}.l]\nlayer = true\nshared-by = ["job", "deps"]\n',
            f"l could not be made: {TABLE}.l.shared-by names 'deps', which is a layer itself. "
            "Name functions.",
            id="shared-by-a-layer",
        ),
        pytest.param(
            f'[{TABLE}.job]\nonly-root = true\n[{TABLE}.l]\nlayer = true\nshared-by = ["job"]\n',
            f"l could not be made: {TABLE}.l.shared-by names 'job', which has only-root and so no dependency "
            "to share. Drop one.",
            id="shared-by-the-root",
        ),
        pytest.param(
            f'[{TABLE}.job]\n[{TABLE}.l]\nshared-by = ["job"]\n',
            f"l could not be made: {TABLE}.l.shared-by means nothing without layer. "
            "Set layer too, or drop it.",
            id="shared-by-without-layer",
        ),
        pytest.param(
            f'[{TABLE}.job]\n[{TABLE}.l]\nlayer = true\nshared-by = "job"\nwith = "jobs"\n',
            f"l could not be made: {TABLE}.l.shared-by and {TABLE}.l.with can't be used together. Drop one.",
            id="shared-by-with-groups",
        ),
        pytest.param(
            f'[{TABLE}.a]\nonly = "jobs"\nexclude-packages = ["beta"]\n[{TABLE}.b]\nonly = "mails"\n'
            f'[{TABLE}.l]\nlayer = true\nshared-by = ["a", "b"]\n',
            "l for x86_64 could not be made: a and b need no distribution in common on python3.12 on x86_64, "
            f"so their layer l would be empty. Name other functions in shared-by of [{TABLE}.l], or drop the "
            "layer. a for x86_64 could not be made: Its layer l could not be made. ",
            id="nothing-shared",
        ),
    ],
)
def test_refuses_layers(repository: Project, tables: str, words: str) -> None:
    """Both sides are named, and what to write."""
    configure(repository, tables)

    message = failed(bundle())

    assert message.startswith(words)


def test_layer_counts_for_the_size(repository: Project) -> None:
    """Function and layer are named with their sizes."""
    configure(repository, DEPS, API)
    made = reports()
    layer = made["deps x86_64"]["unzipped_bytes"]
    function = made["api x86_64"]["unzipped_bytes"]

    configure(repository, DEPS, API + f"max-size = {layer + function - 1}\n")

    assert (
        f"{ONE_OF_MANY}Unzipped, api.zip has {function:,} bytes and its layer deps has {layer:,} bytes; "
        f"max-size allows {layer + function - 1:,} bytes."
    ) in failed(bundle())
    configure(repository, DEPS, API + f"max-size = {layer + function}\n")
    assert "api x86_64" in reports()


def test_runtime_is_chosen_with_a_named_layer(repository: Project) -> None:
    """Where only one of them names it, the other takes it."""
    text = (repository.folder / "pyproject.toml").read_text()
    for first, second in ((DEPS + 'runtime = "python3.11"\n', API), (DEPS, API + 'runtime = "python3.11"\n')):
        repository.write({"pyproject.toml": f"{text}\n{first}{second}"})
        assert [report["runtime"] for report in reports().values()] == ["python3.11", "python3.11"]


def test_path_dependency_in_a_layer(project: Project, index: Index) -> None:
    """It is a package like any other, and always that of the folder as it is."""
    project.write(
        {
            "../shared/pyproject.toml": '[project]\nname = "shared"\nversion = "1.0"\n'
            '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n',
            "../shared/shared/__init__.py": "WORD = 'old'\n",
            "my_fn.py": "",
        }
    )
    project.pyproject(dependencies=["shared"])
    project.lock([Locked("shared", source={"type": "directory", "url": "../shared"}, develop=True)])
    configure(project, f'[{TABLE}.api]\n[{TABLE}.l]\nlayer = true\nshared-by = "all"\n')
    first = reports()

    project.write({"../shared/shared/__init__.py": "WORD = 'new'\n"})
    second = reports()

    assert [report["status"] for report in second.values()] == ["written", "unchanged"]
    assert first["l x86_64"]["sha256"] != second["l x86_64"]["sha256"]
    assert contents(project.folder / "dist/l.zip")["python/shared/__init__.py"] == b"WORD = 'new'\n"
