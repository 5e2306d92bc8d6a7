"""`--sbom`: what a bundle holds, as CycloneDX, beside the ZIP."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import re
import sys
import uuid
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from poetry_lambda_plugin import extras
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run_apart
from tests.support.sources import commit_all
from tests.support.sources import make_sdist
from tests.support.sources import poetry_project
from tests.support.sources import wheel_of_installed
from tests.support.sources import write_tree
from tests.support.wheels import MadeFile
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.index import Index


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


OWN = "poetry-lambda-plugin:"
BOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'

TWO_BUNDLES = """
[tool.poetry-lambda-plugin.bundles.one]
[tool.poetry-lambda-plugin.bundles.two]
"""

FAIL_AT_RENAME = """
import os, pathlib
replace = pathlib.Path.replace
def failing(path, target):
    if str(target).endswith({name!r}):
        raise OSError(28, os.strerror(28))
    return replace(path, target)
pathlib.Path.replace = failing
"""


@pytest.fixture(scope="module")
def validator() -> Any:
    """The official schema of 1.6, which comes with the library: no network is asked."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


@pytest.fixture
def package(project: Project) -> Project:
    """A project whose folder is taken whole."""
    project.pyproject()
    project.write({"my_fn/__init__.py": "", "my_fn/data.json": "{}", "README.md": "words"})
    project.lock()
    return project


def licensed(name: str, metadata: str, files: Mapping[str, str], requires: tuple[str, ...] = ()) -> MadeFile:
    """Make a wheel with more fields of metadata."""
    info = f"{name}-1.0.dist-info"
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}"
    head += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    # the later of two members of one name is the one that make_wheel writes itself
    wheel = make_wheel(name, files={f"{name}.py": "", **{f"{info}/{p}": t for p, t in files.items()}})
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.infolist():
            is_metadata = member.filename == f"{info}/METADATA"
            new.writestr(member, f"{head}\nwords\n" if is_metadata else old.read(member))
    return MadeFile(wheel.filename, buffer.getvalue())


def sbom(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_bytes())
    assert isinstance(document, dict)
    return document


def properties(thing: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what we say in words of our own."""
    return [(p["name"].removeprefix(OWN), p["value"]) for p in thing.get("properties", ())]


def test_document(project: Project, index: Index, validator: Any) -> None:
    """It says what is in the ZIP and what is not, and is valid by the schema."""
    alpha = licensed(
        "alpha",
        "Summary: The first\nLicense-Expression: MIT AND ISC\nLicense-File: LICENSE\n",
        {"licenses/LICENSE": "free", "sboms/vendored lib.cdx.json": "{}", "tests/test_a.py": ""},
    )
    middle, last = make_wheel("middle"), make_wheel("last")
    index.add(alpha, middle, last)
    project.pyproject(
        dependencies=["alpha", "middle"],
        project='description = "A function"\nlicense = "MIT"\n',
        source=index.url,
        config='runtime = "python3.13"\nhandler = "my_fn.handler"\n'
        'exclude-packages = ["middle"]\ninclude = ["last.txt"]\nexclude = ["LICENSE"]\n',
    )
    project.write({"my_fn.py": "handler = print\n", "last.txt": ""})
    locked = [
        Locked.of(alpha, dependencies={"middle": "*"}),
        Locked.of(middle, dependencies={"last": "*"}),
        Locked.of(last),
    ]
    project.lock(locked, source=index.url)

    outcome = bundle("--sbom", "dist/")

    path = project.folder / "dist/my-fn.cdx.json"
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert f"  SBOM        {path}\n" in outcome.output
    assert validator.validate_str(path.read_text()) is None
    document = sbom(path)
    zipped = (project.folder / "dist/my-fn.zip").read_bytes()
    assert {k: document[k] for k in ("$schema", "bomFormat", "specVersion", "version")} == {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
    }
    assert uuid.UUID(document["serialNumber"]).version == 5
    assert properties(document) == [
        ("left-out", "last@1.0: needed by excluded packages only"),
        ("left-out", "middle@1.0: excluded"),
    ]
    assert document["metadata"]["component"] == {
        "bom-ref": "my-fn@0.1.0",
        "description": "A function",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(zipped).hexdigest()}],
        "licenses": [{"license": {"acknowledgement": "declared", "id": "MIT"}}],
        "name": "my-fn",
        "properties": [
            {"name": f"{OWN}architecture", "value": "x86_64"},
            {"name": f"{OWN}handler", "value": "my_fn.handler"},
            {"name": f"{OWN}runtime", "value": "python3.13"},
        ],
        "type": "application",
        "version": "0.1.0",
    }
    (tool,) = document["metadata"]["tools"]["components"]
    assert tool == {
        "bom-ref": "poetry-lambda-plugin",
        "name": "poetry-lambda-plugin",
        "type": "application",
        "version": importlib.metadata.version("poetry-lambda-plugin"),
    }
    assert document["metadata"].keys() == {"component", "tools"}
    assert document["components"] == [
        {
            "bom-ref": "pkg:pypi/alpha@1.0",
            "description": "The first",
            "externalReferences": [
                {
                    "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b"{}").hexdigest()}],
                    "type": "bom",
                    "url": "alpha-1.0.dist-info/sboms/vendored%20lib.cdx.json",
                }
            ],
            "hashes": [{"alg": "SHA-256", "content": alpha.sha256}],
            "licenses": [{"acknowledgement": "declared", "expression": "MIT AND ISC"}],
            "name": "alpha",
            "properties": [
                {"name": f"{OWN}file", "value": alpha.filename},
                {"name": f"{OWN}left-out-files", "value": "1: excluded"},
                {"name": f"{OWN}origin", "value": "index"},
            ],
            "purl": f"pkg:pypi/alpha@1.0?repository_url={index.url}",
            "type": "library",
            "version": "1.0",
        }
    ]
    assert document["dependencies"] == [
        {"dependsOn": ["pkg:pypi/alpha@1.0"], "ref": "my-fn@0.1.0"},
        {"ref": "pkg:pypi/alpha@1.0"},
    ]


def test_every_origin(project: Project, index: Index, tmp_path: Path, validator: Any) -> None:
    """Each kind of source has its place in the package URL, and only what an index has a hash."""
    sdist = make_sdist("built", poetry_project("built"))
    wheel, by_path, by_url = make_wheel("plain"), make_wheel("pathed"), make_wheel("fetched")
    index.add(sdist, wheel, by_url, wheel_of_installed("poetry-core"))
    write_tree(tmp_path / "shared", poetry_project("shared", extra='license = "ISC"\n'))
    revision = commit_all(write_tree(tmp_path / "repo", poetry_project("versioned")))
    url = f"{index.root}files/{by_url.filename}"
    project.write({"my_fn.py": "", f"lib/{by_path.filename}": by_path.data})
    repository = (tmp_path / "repo").as_uri()
    git = {"type": "git", "url": repository, "reference": "HEAD", "resolved_reference": revision}
    project.pyproject(
        dependencies=["built", "plain", "pathed", "fetched", "shared", "versioned"], source=index.url
    )
    project.lock(
        [
            Locked.of(sdist),
            Locked.of(by_url, source={"type": "url", "url": url}),
            Locked.of(by_path, source={"type": "file", "url": f"lib/{by_path.filename}"}),
            Locked.of(wheel),
            Locked("shared", source={"type": "directory", "url": "../shared"}),
            Locked("versioned", source=git),
        ],
        source=index.url,
    )

    outcome = bundle("--sbom", "dist/sbom.json")

    assert (outcome.exit_code, outcome.error) == (0, "")
    path = project.folder / "dist/sbom.json"
    assert validator.validate_str(path.read_text()) is None
    found = {c["name"]: c for c in sbom(path)["components"]}
    assert {name: c["purl"].replace("%3A", ":").replace("%2F", "/") for name, c in found.items()} == {
        "built": f"pkg:pypi/built@1.0?repository_url={index.url}",
        "fetched": f"pkg:pypi/fetched@1.0?download_url={url}",
        "pathed": f"pkg:pypi/pathed@1.0?download_url=file:lib/{by_path.filename}",
        "plain": f"pkg:pypi/plain@1.0?repository_url={index.url}",
        "shared": "pkg:pypi/shared@1.0?download_url=file:../shared",
        "versioned": f"pkg:pypi/versioned@1.0?vcs_url=git%2B{repository}%40{revision}",
    }
    assert {name: properties(c) for name, c in found.items()} == {
        "built": [("built", "true"), ("file", sdist.filename), ("origin", "index")],
        "fetched": [("file", by_url.filename), ("origin", "url")],
        "pathed": [("file", by_path.filename), ("origin", "file")],
        "plain": [("file", wheel.filename), ("origin", "index")],
        "shared": [("origin", "directory")],
        "versioned": [("origin", "git")],
    }
    assert {name: c["hashes"][0]["content"] for name, c in found.items() if "hashes" in c} == {
        "fetched": by_url.sha256,
        "pathed": by_path.sha256,
        "plain": wheel.sha256,
    }
    assert found["built"]["externalReferences"] == [
        {
            "hashes": [{"alg": "SHA-256", "content": sdist.sha256}],
            "type": "source-distribution",
            "url": sdist.filename,
        }
    ]
    assert found["shared"]["licenses"] == [{"license": {"acknowledgement": "declared", "id": "ISC"}}]
    assert str(tmp_path) not in path.read_text().replace(repository, "").replace("%2F", "/")


def test_layer_and_bytecode(locked_project: Project, index: Index, validator: Any) -> None:
    """Paths are those in the bundle, and what a layer has is left out for that reason."""
    wheel = licensed("greeting", "License: BSD\n", {"licenses/COPYING": "free"})
    index.add(wheel)
    locked_project.pyproject(
        dependencies=["greeting"],
        source=index.url,
        config="""[tool.poetry-lambda-plugin.bundles.deps]
layer = true
no-root = true
bytecode = "checked-hash"
[tool.poetry-lambda-plugin.bundles.api]
exclude-layers = ["dist/deps.zip"]
""",
    )
    locked_project.lock([Locked.of(wheel)], source=index.url)
    locked_project.write({"my_fn.py": ""})
    python = f"python3.{sys.version_info[1]}"

    for name in ("deps", "api"):
        assert bundle(name, "--sbom", "dist/", "--runtime", python).exit_code == 0

    layer, api = (sbom(locked_project.folder / f"dist/{name}.cdx.json") for name in ("deps", "api"))
    (component,) = layer["components"]
    (licence,) = component["externalReferences"]
    assert licence["url"] == "python/greeting-1.0.dist-info/licenses/COPYING"
    told = dict(properties(layer["metadata"]["component"]))
    assert (told["bundle"], told["layer"]) == ("deps", "true")
    assert re.fullmatch(r"checked-hash, CPython 3\.\d+\.\S+", told["bytecode"])
    assert "components" not in api
    assert properties(api) == [("left-out", "greeting@1.0: in the layer deps.zip")]
    for name in ("deps", "api"):
        text = (locked_project.folder / f"dist/{name}.cdx.json").read_text()
        assert validator.validate_str(text) is None


@pytest.mark.parametrize(
    ("arguments", "components", "left_out"),
    [
        pytest.param(["--only-root"], [], [], id="project-alone"),
        pytest.param(["--no-root"], ["greeting"], [], id="no-project"),
        pytest.param(
            ["--exclude", "greeting*"],
            [],
            [("left-out", "greeting@1.0: every file of it is excluded")],
            id="nothing-left",
        ),
        pytest.param(["--exclude", "greeting-*"], ["greeting"], [], id="no-metadata"),
    ],
)
def test_holds_what_the_bundle_holds(
    locked_project: Project,
    validator: Any,
    arguments: list[str],
    components: list[str],
    left_out: list[tuple[str, str]],
) -> None:
    """A distribution is a component where the bundle has a file of it."""
    assert bundle("--sbom", "bom.json", *arguments).exit_code == 0

    path = locked_project.folder / "bom.json"
    document = sbom(path)
    assert validator.validate_str(path.read_text()) is None
    assert [component["name"] for component in document.get("components", ())] == components
    assert properties(document) == left_out
    assert document["metadata"]["component"]["name"] == "my-fn"


def test_same_bundle_same_bytes(locked_project: Project, tmp_path: Path) -> None:
    """Neither time, seed nor folder changes it; equal bytes are left untouched."""
    folder = locked_project.folder
    first = bundle("--sbom", "dist/a.json", "--format", "json").report
    path = folder / "dist/a.json"
    before, data = path.stat().st_mtime_ns, path.read_bytes()
    second = run_apart(tmp_path / "hook", "lambda-bundle", "--sbom", "dist/a.json", PYTHONHASHSEED="7")
    third = bundle("--sbom", str(tmp_path / "elsewhere/b.json"), "--format", "json").report

    assert (second.exit_code, second.error) == (0, "")
    assert (path.stat().st_mtime_ns, path.read_bytes()) == (before, data)
    assert (tmp_path / "elsewhere/b.json").read_bytes() == data
    assert (first["sbom"], third["sbom"]) == (str(path), str(tmp_path / "elsewhere/b.json"))
    # what changes the bundle changes the number
    locked_project.write({"my_fn.py": "changed = True\n"})
    assert bundle("--sbom", "dist/a.json").exit_code == 0
    assert sbom(path)["serialNumber"] != json.loads(data)["serialNumber"]


def test_name_with_the_digest(package: Project) -> None:
    """The digest in its name is the ZIP's, so the two stay together; earlier ones are not bundled."""
    arguments = ("-o", "my_fn/{sha256:12}.zip", "--sbom", "my_fn/{sha256:12}.cdx.json", "--format", "json")
    reports = [bundle(*arguments).report for _ in range(2)]
    package.write({"my_fn/__init__.py": "changed = True\n"})
    reports.append(bundle(*arguments).report)

    for report in reports:
        path = Path(report["sbom"])
        assert path == Path(report["output"]).with_suffix(".cdx.json")
        (digest,) = sbom(path)["metadata"]["component"]["hashes"]
        assert path.name == f"{digest['content'][:12]}.cdx.json"
    assert reports[0]["sbom"] == reports[1]["sbom"] != reports[2]["sbom"]
    assert {p for p in contents(Path(reports[2]["output"])) if p.endswith("json")} == {"my_fn/data.json"}


def test_sboms_of_one_content_are_two(package: Project) -> None:
    """Two bundles that are the same may share a ZIP, but each has its own SBOM."""
    config = (
        f'runtime = "python3.13"\noutput = "out/{{sha256}}.zip"\nsbom = "out/{{sha256}}.json"{TWO_BUNDLES}'
    )
    package.pyproject(config=config)

    outcome = bundle()

    assert outcome.exit_code == 1
    assert outcome.message.startswith(f"Two different files would be written to {package.folder}/out/")
    assert outcome.message.endswith(".json. Leave room for more digits, as in {sha256:12}, or for {bundle}.")
    assert not (package.folder / "out").exists()


def test_dry_run_writes_none(locked_project: Project) -> None:
    """It says where it would be."""
    report = bundle("--sbom", "a.json", "--dry-run", "--format", "json").report

    assert report["sbom"] == str(locked_project.folder / "a.json")
    assert not (locked_project.folder / "a.json").exists()


def test_is_not_bundled(package: Project) -> None:
    """What an earlier run has left among the project's files is not in the next bundle, of any version."""
    package.pyproject(config='sbom = "my_fn/{name}-{version}-{architecture}.json"')
    digests = {bundle("--format", "json").report["sha256"] for _ in range(2)}
    package.write({"my_fn/my-fn-0.0.9-arm64.json": BOM, "my_fn/other.json": BOM})
    last = bundle("--format", "json").report

    found = {path for path in contents(Path(last["output"])) if path.endswith(".json")}
    assert len(digests) == 1
    assert found == {"my_fn/data.json", "my_fn/other.json"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("README.md", "it is there and no SBOM, and would be lost", id="text"),
        pytest.param("my_fn/data.json", "it is there and no SBOM, and would be lost", id="json"),
        pytest.param("my_fn/__init__.py", "it is a file of the project, and would be lost", id="empty"),
        pytest.param("my_fn", "it is a folder", id="folder"),
    ],
)
def test_replaces_no_other_file(package: Project, path: str, reason: str) -> None:
    """What is no SBOM stays, before anything is done."""
    outcome = bundle("--sbom", path)

    there = package.folder / path
    assert outcome.exit_code == 1
    assert outcome.message == f"The SBOM can't be written to {there}: {reason}. Choose another --sbom."
    assert not (package.folder / "dist").exists()


@pytest.mark.parametrize("content", [b"", BOM, b'{\n "version": 1, "bomFormat" : "CycloneDX"}'])
def test_replaces_sboms(package: Project, content: bytes) -> None:
    """What any tool wrote, and what is empty, is replaced."""
    package.write({"bom.json": content})

    assert bundle("--sbom", "bom.json").exit_code == 0
    assert sbom(package.folder / "bom.json")["metadata"]["component"]["name"] == "my-fn"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["-o", "dist/", "--sbom", "x.json"],
            "Two SBOMs would be written to {folder}/x.json, of one for python3.13 on x86_64 and two for "
            "python3.13 on x86_64. Tell them apart in --sbom with {{bundle}}.",
            id="bundles",
        ),
        pytest.param(
            ["one", "--architecture", "arm64", "--architecture", "x86_64", "--sbom", "{{bundle}}.json"],
            "Two SBOMs would be written to {folder}/one.json, of one for python3.13 on arm64 and one for "
            "python3.13 on x86_64. Tell them apart in --sbom with {{architecture}}.",
            id="architectures",
        ),
        pytest.param(
            ["one", "-o", "x.zip", "--sbom", "dist/../x.zip"],
            "{folder}/x.zip would be an SBOM and the bundle one for python3.13 on x86_64. "
            "Choose another --sbom.",
            id="zip",
        ),
        pytest.param(
            ["one", "--sbom", "{{nme}}.json"],
            "The sbom '{folder}/{{nme}}.json' has an unknown placeholder {{nme}}. Known: {{name}}, "
            "{{version}}, {{runtime}}, {{architecture}}, {{bundle}}, {{sha256}}.",
            id="placeholder",
        ),
    ],
)
def test_collisions(package: Project, arguments: list[str], message: str) -> None:
    """Two things for one place are an error that says which."""
    package.pyproject(config=f'runtime = "python3.13"{TWO_BUNDLES}')

    outcome = bundle(*[argument.format() for argument in arguments])

    assert outcome.exit_code == 1
    assert outcome.message == message.format(folder=package.folder)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(None, "(>=10,<12), which is not in Poetry's environment", id="none"),
        pytest.param("9.1.0", "(>=10,<12), and Poetry's environment has 9.1.0", id="old"),
    ],
)
def test_without_the_library(
    package: Project, monkeypatch: pytest.MonkeyPatch, found: str | None, words: str
) -> None:
    """The error has the line to type; without the option nobody misses it."""

    def version(name: str) -> str:
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(extras, "version", version)
    outcome = bundle("--sbom", "bom.json")

    assert outcome.exit_code == 1
    first, *lines = outcome.error.strip().splitlines()
    assert first == (
        f"An SBOM is written with cyclonedx-python-lib {words}. Add it with the first of these lines, or "
        "with the second one where Poetry was installed with pipx:"
    )
    assert lines == [
        "  poetry self add 'poetry-lambda-plugin[sbom]'",
        "  pipx inject poetry 'cyclonedx-python-lib>=10,<12'",
    ]
    assert not (package.folder / "dist").exists()
    assert bundle().exit_code == 0


def test_library_is_the_one_of_the_extra() -> None:
    """pyproject.toml and the error name the same versions."""
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    (extra,) = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]["sbom"]

    assert extra == f"{extras.SBOM.library} ({extras.SBOM.versions})"


@pytest.mark.parametrize(
    ("name", "there", "missing"),
    [
        pytest.param("one.zip", ["one.json"], ["one.zip", "two.json", "two.zip"], id="zip"),
        pytest.param("two.json", ["one.json", "one.zip"], ["two.json", "two.zip"], id="sbom"),
    ],
)
def test_can_not_take_its_place(
    package: Project, tmp_path: Path, name: str, there: list[str], missing: list[str]
) -> None:
    """An SBOM comes with its ZIP; where that fails, both lists are true."""
    package.pyproject(config=f'output = "out/"\nsbom = "out/{{bundle}}.json"{TWO_BUNDLES}')

    outcome = run_apart(
        tmp_path / "hook", "lambda-bundle", "--format", "json", hook=FAIL_AT_RENAME.format(name=name)
    )

    out = package.folder / "out"
    document = json.loads(outcome.output)
    assert outcome.exit_code == 1
    assert [b["status"] for b in document["bundles"]] == [
        "written" if f"{bundle}.zip" in there else "failed" for bundle in ("one", "two")
    ]
    assert document["error"].endswith(
        f"In place already: {', '.join(str(out / n) for n in there)}. "
        f"Not written, and as before: {', '.join(str(out / n) for n in missing)}."
    )
    kind, option = ("SBOM", "sbom") if name.endswith("json") else ("bundle", "output")
    assert document["error"].startswith(
        f"The {kind} can't be written to {out / name}: No space left on device. Choose another --{option}."
    )
    assert sorted(path.name for path in out.iterdir()) == sorted(there)
