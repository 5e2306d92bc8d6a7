"""`modules = "reachable"`: a function has the project's own code that its handler leads to, and no more."""

from __future__ import annotations

import importlib.util
import json
import zipfile

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import Locked
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.runner import run
from tests.support.runtime_api import Reply
from tests.support.runtime_api import invoke
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index
    from tests.support.projects import Project


SHOP = {
    "shop/__init__.py": "",
    "shop/settings.json": "{}",
    "shop/functions/__init__.py": "",
    "shop/functions/orders.py": (
        "from shop.models import order\n\n\ndef handler(event, context):\n"
        "    from common import money\n\n    return order.NAME + money.SIGN\n"
    ),
    "shop/functions/users.py": (
        "import importlib\n\nTABLE = {'a': 'common.names'}\n\n\ndef handler(event, context):\n"
        "    return importlib.import_module(TABLE['a']).NAME\n"
    ),
    "shop/models/__init__.py": "",
    "shop/models/order.py": "NAME = 'order'\n",
    "shop/models/user.py": "NAME = 'user'\n",
    "shop/mails/__init__.py": "",
    "shop/mails/welcome.html": "",
}

COMMON = {
    "pyproject.toml": (
        '[project]\nname = "common"\nversion = "1.0"\n[project.entry-points."acme.plugins"]\n'
        'x = "common.plugin:make"\n[project.scripts]\ny = "common.cli:main"\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    ),
    "common/__init__.py": "",
    "common/money.py": "SIGN = '$'\n",
    "common/names.py": "NAME = 'name'\n",
    "common/plugin.py": "",
    "common/cli.py": "",
    "common/rates/table.csv": "",
}

TABLES = (
    'runtime = "python3.13"\nmodules = "reachable"\n'
    '[tool.poetry-lambda-plugin.bundles.orders]\nhandler = "shop.functions.orders.handler"\n'
    '[tool.poetry-lambda-plugin.bundles.users]\nhandler = "shop.functions.users.handler"\n'
)

PACKAGE = {"shop/__init__.py", "shop/settings.json", "shop/functions/__init__.py"}
OF_COMMON = {"common/__init__.py", "common/rates/table.csv", "common/plugin.py"}


def monorepo(project: Project, config: str = TABLES) -> None:
    """Write a project with a path dependency."""
    tool = '[tool.poetry.dependencies]\ncommon = {path = "../common"}\n'
    project.pyproject("shop", dependencies=["common"], tool=tool, config=config)
    project.write({**SHOP, **{f"../common/{path}": text for path, text in COMMON.items()}})
    project.lock([Locked("common", source={"type": "directory", "url": "../common"}, develop=True)])


def alone(project: Project, files: dict[str, str], config: str = "") -> None:
    """Write a project of loose modules whose handler is `app.handler`."""
    table = f'runtime = "python3.13"\nhandler = "app.handler"\nmodules = "reachable"\n{config}'
    project.pyproject("fn", config=table)
    project.write(files)
    project.lock()


def warnings() -> list[str]:
    outcome = bundle("--format", "json")
    assert outcome.exit_code == 0
    messages: list[str] = outcome.report["warnings"]
    return messages


def members(path: Path) -> set[str]:
    return {member for member in contents(path) if ".dist-info/" not in member}


HANDLER = "def handler(event, context):\n    return 'answer'\n"


def test_of_each_function(project: Project, tmp_path: Path) -> None:
    """Each has its own modules, those of path dependencies too, the RECORD tells the truth, and it runs."""
    monorepo(project)

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.error) == (0, "")
    dist = project.folder / "dist"
    assert members(dist / "orders.zip") == {
        *(PACKAGE | OF_COMMON),
        *("shop/functions/orders.py", "shop/models/__init__.py", "shop/models/order.py", "common/money.py"),
    }
    assert members(dist / "users.zip") == PACKAGE | OF_COMMON | {
        "shop/functions/users.py",
        "common/names.py",
    }
    record = contents(dist / "users.zip")["common-1.0.dist-info/RECORD"].decode()
    assert {line.partition(",")[0] for line in record.splitlines()} == {
        *(OF_COMMON | {"common/names.py"}),
        *(f"common-1.0.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
    }
    if importlib.util.find_spec("awslambdaric") is not None:
        for name, answer in (("orders", "order$"), ("users", "name")):
            with zipfile.ZipFile(dist / f"{name}.zip") as archive:
                archive.extractall(tmp_path / name)
            assert invoke(tmp_path / name, f"shop.functions.{name}.handler", {}) == Reply("response", answer)


def test_digests_change_with_their_own_code_alone(project: Project) -> None:
    """A change of what another function reaches leaves a function's ZIP and fingerprint as they were."""
    monorepo(project)

    def state() -> tuple[list[bytes], list[str]]:
        assert bundle().exit_code == 0
        zips = [(project.folder / f"dist/{name}.zip").read_bytes() for name in ("orders", "users")]
        listed = json.loads(run("lambda-bundle", "--list", "--format", "json").output)["bundles"]
        return zips, [one["fingerprint"] for one in listed]

    (orders, users), (first, second) = state()
    project.write({"shop/functions/users.py": SHOP["shop/functions/users.py"] + "#", "shop/new.py": ""})
    project.write({"../common/common/names.py": "NAME = 'other'\n", "shop/models/user.py": "NAME = ''\n"})
    (orders_now, users_now), (first_now, second_now) = state()

    assert (orders_now, first_now) == (orders, first)
    assert users_now != users
    assert second_now != second


def test_scripts_lead_on_where_they_are_bundled(project: Project) -> None:
    """With scripts = true, what they call is reached as well."""
    monorepo(project, f"scripts = true\n{TABLES}")

    assert bundle("users").exit_code == 0

    assert "common/cli.py" in members(project.folder / "dist/users.zip")


def test_a_handler_in_a_path_dependency(project: Project) -> None:
    """A folder is own code: the handler may be there, and the project's modules need not be reached."""
    monorepo(project, 'runtime = "python3.13"\nhandler = "common.cli.main"\nmodules = "reachable"')
    project.write({"../common/common/cli.py": "def main(event, context):\n    pass\n"})

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert members(project.folder / "dist/shop.zip") == OF_COMMON | {"common/cli.py"}


def test_explains_what_is_left_out(project: Project) -> None:
    """The report names each file that is not reached, the summary counts them."""
    monorepo(project)

    outcome = bundle("orders", "--explain", "--format", "json")

    left = {one["path"]: one["reason"] for one in outcome.report["left_out"]}
    assert left["shop/functions/users.py"] == left["common/names.py"] == "not reached from the handler"
    assert "(not reached from the handler)" in bundle("orders", "--explain").output


def test_include_is_kept_and_followed(project: Project) -> None:
    """What `include` names stays, with what it imports."""
    files = {"app.py": HANDLER, "extra.py": "import helper", "helper.py": "", "b.py": "", "data/x.txt": ""}
    alone(project, files, 'include = ["extra.py", "data"]')

    assert bundle("--strict").exit_code == 0

    assert members(project.folder / "dist/fn.zip") == {"app.py", "extra.py", "helper.py", "data/x.txt"}


def test_more_modules_by_name(project: Project) -> None:
    """A list may name modules besides those that are reached."""
    files = {"app.py": HANDLER, "plug/__init__.py": "", "plug/one.py": "import low", "low.py": "", "b.py": ""}
    alone(project, files)
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace('"reachable"', '["reachable", "plug.*"]')})

    assert bundle("--strict").exit_code == 0

    assert members(project.folder / "dist/fn.zip") == {"app.py", "plug/__init__.py", "plug/one.py", "low.py"}


DYNAMIC = "import importlib\n\n\ndef handler(event, context):\n    return importlib.import_module({})\n"


def test_warns_of_imports_that_cannot_be_known(project: Project) -> None:
    """The line is named and the warning can be silenced; names that are spelled out are no matter."""
    plain = {"plug/__init__.py": "", "plug/one.py": "", "b.py": ""}
    alone(project, {"app.py": DYNAMIC.format("event['name']"), **plain})
    where = "app.py:5 imports a module whose name is made when it runs, so "

    assert warnings() == [
        (
            f"{where}modules = 'reachable' can't tell whether it is one of the project's. Name what it may "
            'be, as in modules = ["reachable", "plugins.*"], and write ignore = [\'import-dynamic:app.py\'].'
        )
    ]
    project.write({"app.py": DYNAMIC.format("f'plug.{event}'")})
    assert warnings() == [
        (
            f"{where}all that it may be is taken: plug.one. If that is what the function needs, write "
            "ignore = ['import-dynamic:app.py']."
        )
    ]
    assert members(project.folder / "dist/fn.zip") == {"app.py", "plug/__init__.py", "plug/one.py"}
    project.write({"app.py": DYNAMIC.format("{'a': 'plug.one'}[event]")})
    assert bundle("--strict").exit_code == 0
    project.write({"app.py": DYNAMIC.format("event")})
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace("modules", 'ignore = ["import-dynamic:app.py"]\nmodules')})
    assert bundle("--strict").exit_code == 0


def test_a_layer_is_whole(project: Project) -> None:
    """What is said for all bundles is not said of a layer, and own code in it is passed through."""
    config = (
        'runtime = "python3.13"\nmodules = "reachable"\n'
        '[tool.poetry-lambda-plugin.bundles.deps]\nlayer = true\nshared-by = ["orders"]\n'
        '[tool.poetry-lambda-plugin.bundles.orders]\nhandler = "shop.functions.orders.handler"\n'
    )
    monorepo(project, config)
    project.write({"../common/common/money.py": "from shop.models import user\nSIGN = user.NAME\n"})

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert "python/common/cli.py" in members(project.folder / "dist/deps.zip")
    assert "shop/models/user.py" in members(project.folder / "dist/orders.zip")


def test_verifies_what_is_reached(project: Project) -> None:
    """A ZIP is held against what the handler leads to."""
    monorepo(project)
    assert bundle("orders").exit_code == 0

    project.write({"shop/functions/users.py": "changed = 1\n"})
    assert run("lambda-verify", "dist/orders.zip").exit_code == 0
    project.write({"shop/models/order.py": "NAME = 'changed'\n"})
    assert run("lambda-verify", "dist/orders.zip").exit_code == 1


BACKEND = """
import base64, hashlib, pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = pathlib.Path('name').read_text()
    info = f'{name}-1.0.dist-info/'
    files = {p.as_posix(): p.read_bytes() for p in sorted(pathlib.Path(name).rglob('*')) if p.is_file()}
    files[info + 'METADATA'] = f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n'.encode()
    files[info + 'WHEEL'] = b'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'
    with zipfile.ZipFile(f'{folder}/{name}-1.0-py3-none-any.whl', 'w') as archive:
        rows = ''
        for path, data in files.items():
            archive.writestr(path, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
            rows += f'{path},sha256={digest},{len(data)}\\n'
        archive.writestr(info + 'RECORD', rows + info + 'RECORD,,\\n')
    return f'{name}-1.0-py3-none-any.whl'
"""
BUILT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["build"]\n'


def test_what_is_built_is_trimmed_alike(project: Project, index: Index) -> None:
    """Project and path dependency may be built by any backend; what lies beside is found as ever."""
    config = 'runtime = "python3.13"\nhandler = "app.handler"\nmodules = "reachable"'
    tool = '[tool.poetry.dependencies]\ncommon = {path = "../common"}\n'
    project.pyproject(
        "shop", dependencies=["common"], tool=tool, config=config, build_system=BUILT, source=index.url
    )
    both = {"build/backend.py": BACKEND, "name": "common"}
    project.write({**SHOP, **both, "name": "shop", "app.py": f"import shop.models.user\n{HANDLER}"})
    project.write({"shop/models/user.py": "from common import names\n"})
    built = {"pyproject.toml": f'[project]\nname = "common"\nversion = "1.0"\n{BUILT}'}
    project.write({f"../common/{path}": text for path, text in {**COMMON, **both, **built}.items()})
    project.lock([Locked("common", source={"type": "directory", "url": "../common"}, develop=False)])

    outcome = bundle("--strict")

    assert (outcome.exit_code, outcome.error) == (0, "")
    assert members(project.folder / "dist/shop.zip") == {
        *(
            "app.py",
            "shop/__init__.py",
            "shop/settings.json",
            "shop/models/__init__.py",
            "shop/models/user.py",
        ),
        *("common/__init__.py", "common/names.py", "common/rates/table.csv"),
    }
    record = contents(project.folder / "dist/shop.zip")["common-1.0.dist-info/RECORD"].decode()
    assert "common/names.py,sha256=" in record
    assert "common/cli.py" not in record


def test_a_folder_that_a_package_needs_is_whole(project: Project, index: Index) -> None:
    """Nobody knows which modules of a path dependency a package from the index imports."""
    wheel = make_wheel("dep", "1.0", {"dep.py": "import common.names\n"})
    index.add(wheel)
    monorepo(project)
    text = (project.folder / "pyproject.toml").read_text().replace('["common"]', '["common", "dep"]')
    source = f'\n[[tool.poetry.source]]\nname = "tests"\nurl = "{index.url}"\n'
    project.write({"pyproject.toml": text + source})
    dep = Locked.of(wheel, dependencies={"common": "*"})
    common = Locked("common", source={"type": "directory", "url": "../common"}, develop=True)
    project.lock([common, dep], source=index.url)

    assert bundle("orders", "--strict").exit_code == 0

    assert {"common/cli.py", "common/names.py"} <= members(project.folder / "dist/orders.zip")


def test_a_list_names_modules_of_folders_too(project: Project) -> None:
    """A path dependency of which a list names modules has no others, and is whole otherwise."""
    monorepo(project, 'runtime = "python3.13"\nmodules = ["shop.functions.users", "common.names"]')

    assert bundle("--strict").exit_code == 0

    assert members(project.folder / "dist/shop.zip") == {
        *(PACKAGE | {"shop/functions/users.py"}),
        *("common/__init__.py", "common/names.py", "common/rates/table.csv"),
    }
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text.replace(', "common.names"', "")})
    assert bundle("--strict").exit_code == 0
    assert "common/cli.py" in members(project.folder / "dist/shop.zip")
    project.write({"pyproject.toml": text.replace('"common.names"', '"shop.function"')})
    assert bundle().message == (
        "modules: the project has no module or package 'shop.function'. Did you mean 'shop.functions'? "
        "It has shop, shop.functions, shop.functions.orders, shop.functions.users, shop.mails and 3 more."
    )


def test_excluded_packages_matter_where_they_are_imported(project: Project, index: Index) -> None:
    """An import of a module that is not reached is none of the function's."""
    wheel = make_wheel("dep", "1.0", {"dep.py": ""})
    index.add(wheel)
    config = (
        'runtime = "python3.13"\nhandler = "app.handler"\nmodules = "reachable"\nexclude-packages = ["dep"]'
    )
    project.pyproject("fn", dependencies=["dep"], config=config, source=index.url)
    project.write({"app.py": HANDLER, "b.py": "import dep\n"})
    project.lock([Locked.of(wheel)], source=index.url)

    assert bundle("--strict").exit_code == 0
    project.write({"app.py": f"import dep\n{HANDLER}"})
    assert bundle("--strict").exit_code == 1


NO_HANDLER = (
    "modules is 'reachable' for [tool.poetry-lambda-plugin], but no handler is named that it could begin at. "
    'Write `handler = "MODULE.FUNCTION"` there, as Lambda is told, or name the modules themselves.'
)
NOWHERE = (
    "The handler 'ap.handler' needs the module ap, which is not in the bundle. No file of the project is it. "
    "Did you mean 'app.handler'? If a layer has it, name the layer in exclude-layers."
)
LAYER = (
    "tool.poetry-lambda-plugin.modules is 'reachable', which begins at a handler, and a layer has none. "
    "Drop it."
)
FOREIGN = (
    "modules is 'reachable', but the handler 'dep.handler' is in dep, and how that comes to the project's "
    'own modules can\'t be seen. Name what it calls: `modules = ["reachable", "MODULE"]` in '
    "[tool.poetry-lambda-plugin]."
)
FUNCTION = (
    "The handler 'app.handle' names 'handle', but app.py binds no such name at its top level. "
    "Did you mean 'app.handler'?"
)
UNKNOWN = "modules: the project has no module or package 'bb'. Did you mean 'b'? It has app, b."

REFUSED = {
    "no-handler": ('modules = "reachable"', NO_HANDLER),
    "no-handler-in-a-list": ('modules = ["reachable", "b"]', NO_HANDLER),
    "layer": ('modules = "reachable"\nlayer = true\nhandler = "app.handler"', LAYER),
    "handler-nowhere": ('modules = "reachable"\nhandler = "ap.handler"', NOWHERE),
    "unaudited": ('modules = "reachable"\nhandler = "ap.handler"\naudit = false', NOWHERE),
    "handler-of-a-dependency": ('modules = "reachable"\nhandler = "dep.handler"', FOREIGN),
    "unknown-module": ('modules = ["reachable", "bb"]\nhandler = "app.handler"', UNKNOWN),
    "function-missing": ('modules = "reachable"\nhandler = "app.handle"', FUNCTION),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(project: Project, index: Index, name: str) -> None:
    """What can't be meant is refused, and what to write instead is said."""
    config, message = REFUSED[name]
    wheel = make_wheel("dep", "1.0", {"dep.py": HANDLER})
    index.add(wheel)
    project.pyproject(
        "fn", dependencies=["dep"], config=f'runtime = "python3.13"\n{config}', source=index.url
    )
    project.write({"app.py": HANDLER, "b.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    outcome = bundle()

    assert (outcome.exit_code, outcome.message) == (1, message)


def test_a_handler_of_a_dependency_with_what_it_calls(project: Project, index: Index) -> None:
    """A wrapper's own handler is fine where the modules that it calls are named."""
    wheel = make_wheel("dep", "1.0", {"dep.py": HANDLER})
    index.add(wheel)
    config = 'runtime = "python3.13"\nmodules = ["reachable", "app"]\nhandler = "dep.handler"'
    project.pyproject("fn", dependencies=["dep"], config=config, source=index.url)
    project.write({"app.py": "import c\n", "b.py": "", "c.py": ""})
    project.lock([Locked.of(wheel)], source=index.url)

    assert bundle("--strict").exit_code == 0

    assert members(project.folder / "dist/fn.zip") == {"app.py", "c.py", "dep.py"}
