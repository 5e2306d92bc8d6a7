"""How the project's table and the command line become one value per bundle."""

from __future__ import annotations

import ntpath
import os
import re

from pathlib import Path
from pathlib import PureWindowsPath
from typing import Any

import pytest

from poetry_lambda_plugin.configuration.bundles import bundle_configs
from poetry_lambda_plugin.configuration.bundles import checked_options
from poetry_lambda_plugin.configuration.bundles import output_path
from poetry_lambda_plugin.configuration.bundles import sbom_path
from poetry_lambda_plugin.configuration.readers import ConfigError
from poetry_lambda_plugin.configuration.readers import parse_include
from poetry_lambda_plugin.configuration.readers import source_date_epoch
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.configuration.values import Include
from poetry_lambda_plugin.configuration.values import Selection
from poetry_lambda_plugin.configuration.values import seen_from
from poetry_lambda_plugin.exceptions import LambdaBundleError
from poetry_lambda_plugin.runtime.platform import find_runtime


ROOT, CWD = Path("/root-of-project"), Path("/somewhere/else")
VALUES = {
    "name": "my-fn",
    "version": "1.0",
    "runtime": "python3.13",
    "architecture": "arm64",
    "bundle": "api",
}


def configs(
    table: object = None, options: dict[str, Any] | None = None, bundles: tuple[str, ...] = ()
) -> tuple[BundleConfig, ...]:
    return bundle_configs(
        {} if table is None else table, checked_options(options or {}), bundles, root=ROOT, cwd=CWD
    )


def one(table: object = None, options: dict[str, Any] | None = None) -> BundleConfig:
    (config,) = configs(table, options)
    return config


def error(table: object = None, options: dict[str, Any] | None = None) -> str:
    with pytest.raises(LambdaBundleError) as caught:
        configs(table, options)
    return str(caught.value)


def test_has_defaults() -> None:
    """Without a table and options, everything is as documented."""
    assert one() == BundleConfig()


def test_reads_every_key() -> None:
    """Each key of the table ends where it belongs."""
    table = {
        "runtime": "python3.12",
        "architecture": ["arm64", "x86_64"],
        "output": "out/{name}.zip",
        "with": ["dev"],
        "without": ["main"],
        "extras": ["fast"],
        "no-root": True,
        "include": ["data", "a.py:b.py", {"path": "c.py", "to": "d/"}],
        "exclude": ["*.pyi"],
        "handler": "my_fn.handler",
        "scripts": True,
        "strict": True,
    }

    assert one(table) == BundleConfig(
        runtime=find_runtime("python3.12"),
        runtime_set_by="tool.poetry-lambda-plugin.runtime",
        architectures=("arm64", "x86_64"),
        output=ROOT / "out/{name}.zip",
        selection=Selection(with_=("dev",), without=("main",), extras=("fast",)),
        no_root=True,
        include=(Include("data"), Include("a.py", "b.py"), Include("c.py", "d/")),
        exclude=("*.pyi",),
        handler="my_fn.handler",
        scripts=True,
        strict=True,
    )


def test_takes_one_string_for_a_list() -> None:
    """A list with one member may be written without brackets."""
    config = one({"architecture": "arm64", "extras": "fast", "include": "data", "exclude": "*.txt"})

    assert config == BundleConfig(
        architectures=("arm64",),
        selection=Selection(extras=("fast",)),
        include=(Include("data"),),
        exclude=("*.txt",),
    )


def test_takes_an_architecture_once() -> None:
    """The same architecture twice is one."""
    assert one({}, {"architecture": ["arm64", "x86_64", "arm64"]}).architectures == ("arm64", "x86_64")


@pytest.mark.parametrize(
    ("key", "table", "bundle", "option", "read"),
    [
        pytest.param("handler", "a.a", "b.b", None, ("a.a", "b.b", None), id="handler"),
        pytest.param("exclude", ["a"], ["b"], ["c"], (("a",), ("b",), ("c",)), id="exclude"),
        pytest.param("strict", False, True, True, (False, True, True), id="strict"),
    ],
)
def test_later_layer_beats_earlier(key: str, table: Any, bundle: Any, option: Any, read: Any) -> None:
    """An option beats a bundle's key, which beats the table's."""
    whole = {key: table, "bundles": {"api": {key: bundle}, "job": {}}}

    api, job = configs(whole)
    assert (getattr(job, key), getattr(api, key)) == read[:2]
    if option is not None:
        assert {getattr(config, key) for config in configs(whole, {key: option})} == {read[2]}


def test_bundle_may_undo_a_key_of_the_table() -> None:
    """False and an empty list in a bundle beat what the table has."""
    table = {"strict": True, "exclude": ["a"], "bundles": {"api": {"strict": False, "exclude": []}}}

    assert one(table) == BundleConfig(bundle="api")


def test_makes_every_bundle_in_order() -> None:
    """Without a name all bundles are meant, in the order of the file."""
    table: dict[str, Any] = {"bundles": {"job": {}, "api": {}}}

    assert [config.bundle for config in configs(table)] == ["job", "api"]


def test_makes_the_bundles_named() -> None:
    """Names on the command line choose bundles, each once."""
    table: dict[str, Any] = {"bundles": {"job": {}, "api": {}, "web": {}}}

    chosen = configs(table, bundles=("web", "job", "web"))

    assert [config.bundle for config in chosen] == ["web", "job"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(
            {"bundles": {"api": {}, "job": {}}},
            "Unknown bundle 'apo'. Did you mean api? [tool.poetry-lambda-plugin.bundles] has api, job.",
            id="nearest",
        ),
        pytest.param(
            {}, "Unknown bundle 'apo'. [tool.poetry-lambda-plugin.bundles] has none.", id="no-bundles"
        ),
    ],
)
def test_refuses_unknown_bundle(table: dict[str, Any], message: str) -> None:
    """A bundle that does not exist is named, with those that do."""
    with pytest.raises(ConfigError) as caught:
        configs(table, bundles=("apo",))

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("table", "start"),
    [
        pytest.param(
            {"runtimes": "python3.12"},
            "Unknown key tool.poetry-lambda-plugin.runtimes. Did you mean runtime? "
            "[tool.poetry-lambda-plugin] has runtime, ",
            id="plural",
        ),
        pytest.param(
            {"no_root": True},
            "Unknown key tool.poetry-lambda-plugin.no_root. Did you mean no-root?",
            id="underscore",
        ),
        pytest.param(
            {"qqqq": 1}, "Unknown key tool.poetry-lambda-plugin.qqqq. [tool.poetry-", id="nothing-near"
        ),
        pytest.param(
            {"bundles": {"api": {"handlers": "a.b"}}},
            "Unknown key tool.poetry-lambda-plugin.bundles.api.handlers. Did you mean handler? "
            "[tool.poetry-lambda-plugin.bundles.api] has",
            id="in-bundle",
        ),
        pytest.param(
            {"include": [{"path": "a", "dest": "b"}]},
            "Unknown key tool.poetry-lambda-plugin.include[0].dest. "
            "tool.poetry-lambda-plugin.include[0] has path, to.",
            id="in-include",
        ),
    ],
)
def test_refuses_unknown_key(table: dict[str, Any], start: str) -> None:
    """The message has the dotted key and the nearest right one."""
    assert error(table).startswith(start)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param([], "tool.poetry-lambda-plugin must be a table, not a list.", id="table"),
        pytest.param(
            {"bundles": ["api"]},
            "tool.poetry-lambda-plugin.bundles must be a table, not a list.",
            id="bundles",
        ),
        pytest.param(
            {"bundles": {"api": "x"}},
            "tool.poetry-lambda-plugin.bundles.api must be a table, not 'x'.",
            id="bundle",
        ),
        pytest.param(
            {"runtime": 3.13},
            "tool.poetry-lambda-plugin.runtime must be a non-empty string, not a number.",
            id="runtime",
        ),
        pytest.param(
            {"output": ""},
            "tool.poetry-lambda-plugin.output must be a non-empty string, not an empty string.",
            id="empty",
        ),
        pytest.param(
            {"handler": ["a.b"]},
            "tool.poetry-lambda-plugin.handler must be a non-empty string, not a list.",
            id="handler",
        ),
        pytest.param(
            {"strict": "yes"},
            "tool.poetry-lambda-plugin.strict must be true or false, not 'yes'.",
            id="boolean",
        ),
        pytest.param(
            {"no-root": 1}, "tool.poetry-lambda-plugin.no-root must be true or false, not a number.", id="one"
        ),
        pytest.param(
            {"with": ["dev", 1]},
            "tool.poetry-lambda-plugin.with must be a list of strings; it has a number.",
            id="list",
        ),
        pytest.param(
            {"exclude": {"a": 1}},
            "tool.poetry-lambda-plugin.exclude must be a list of strings; it has a table.",
            id="list-is-table",
        ),
        pytest.param(
            {"architecture": []},
            "tool.poetry-lambda-plugin.architecture is empty. Leave it out for x86_64.",
            id="no-architecture",
        ),
        pytest.param(
            {"include": ["a", True]},
            "tool.poetry-lambda-plugin.include[1] must be a string or a table with path and to, "
            "not a boolean.",
            id="include",
        ),
        pytest.param(
            {"include": [{"to": "a"}]},
            "tool.poetry-lambda-plugin.include[0].path must be a non-empty string, not nothing.",
            id="include-without-path",
        ),
        pytest.param(
            {"bundles": {"api": {"scripts": 0}}},
            "tool.poetry-lambda-plugin.bundles.api.scripts must be true or false, not a number.",
            id="in-bundle",
        ),
        pytest.param(
            {"bundles": {"../api": {}}},
            "tool.poetry-lambda-plugin.bundles.../api: a bundle's name has letters, digits, "
            "'.', '_' and '-' only.",
            id="bundle-name",
        ),
    ],
)
def test_refuses_wrong_type(table: object, message: str) -> None:
    """The message has the dotted key, what it must be and what it is."""
    assert error(table) == message


@pytest.mark.parametrize(
    ("one_key", "other_key"),
    [
        pytest.param("only", "with", id="only-with"),
        pytest.param("only", "without", id="only-without"),
        pytest.param("extras", "all-extras", id="extras"),
        pytest.param("only-root", "no-root", id="root"),
        pytest.param("only-root", "only", id="only-root-only"),
        pytest.param("only-root", "with", id="only-root-with"),
        pytest.param("only-root", "without", id="only-root-without"),
        pytest.param("only-root", "extras", id="only-root-extras"),
        pytest.param("only-root", "all-extras", id="only-root-all-extras"),
    ],
)
def test_refuses_contradiction_inside_a_layer(one_key: str, other_key: str) -> None:
    """Two keys that can't both be meant are refused in the words of their origin."""
    values: dict[str, Any] = {
        key: True if key.startswith(("all", "no-", "only-")) else ["a"] for key in (one_key, other_key)
    }

    assert error({}, values) == f"--{one_key} and --{other_key} can't be used together. Drop one."
    prefix = "tool.poetry-lambda-plugin"
    assert error(values) == f"{prefix}.{one_key} and {prefix}.{other_key} can't be used together. Drop one."
    assert error({"bundles": {"api": values}}).startswith(f"{prefix}.bundles.api.{one_key} and ")


def test_refuses_group_in_with_and_without() -> None:
    """A group that is wanted and unwanted is a contradiction."""
    assert error({}, {"with": ["a", "b"], "without": ["b"]}) == (
        "--with and --without both name 'b'. Drop one."
    )


def test_false_contradicts_nothing() -> None:
    """Keys that are switched off exclude no other."""
    config = one({"only-root": False, "no-root": True, "only": [], "with": ["a"]})

    assert (config.no_root, config.only_root, config.selection.with_) == (True, False, ("a",))


@pytest.mark.parametrize(
    ("table", "options", "expected"),
    [
        pytest.param(
            {"with": ["a"], "without": ["main"]}, {"only": ["b"]}, Selection(only=("b",)), id="only"
        ),
        pytest.param({"only": ["b"]}, {"with": ["a"]}, Selection(with_=("a",)), id="with"),
        pytest.param({"extras": ["a"]}, {"all-extras": True}, Selection(all_extras=True), id="all-extras"),
        pytest.param({"all-extras": True}, {"extras": ["a"]}, Selection(extras=("a",)), id="extras"),
        pytest.param({"with": ["a"]}, {"without": ["b"]}, Selection(with_=("a",), without=("b",)), id="both"),
        pytest.param({"without": ["a"]}, {"with": ["a"]}, Selection(with_=("a",)), id="with-beats-without"),
        pytest.param(
            {"with": ["a", "b"]},
            {"without": ["a"]},
            Selection(with_=("b",), without=("a",)),
            id="without-beats-with",
        ),
    ],
)
def test_option_beats_contradicting_key(
    table: dict[str, Any], options: dict[str, Any], expected: Selection
) -> None:
    """What is typed wins also over keys that can't hold together with it."""
    assert one(table, options).selection == expected
    assert configs({**table, "bundles": {"api": options}})[0].selection == expected


def test_option_beats_contradicting_root_key() -> None:
    """--only-root undoes the table's no-root and selection."""
    config = one({"no-root": True, "with": ["a"], "extras": ["b"]}, {"only-root": True})

    assert config == BundleConfig(only_root=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("data", Include("data"), id="path"),
        pytest.param("data:conf", Include("data", "conf"), id="to"),
        pytest.param("data:conf/", Include("data", "conf/"), id="into-folder"),
        pytest.param("data/x.py:", Include("data/x.py", "."), id="to-the-root"),
        pytest.param("data:./conf//x", Include("data", "conf/x"), id="tidied"),
        pytest.param(r"C:\data:conf", Include(r"C:\data", "conf"), id="drive"),
        pytest.param("C:/data", Include("C:/data"), id="drive-alone"),
        pytest.param("../common:shared", Include("../common", "shared"), id="outside"),
    ],
)
def test_reads_include(text: str, expected: Include) -> None:
    """PATH and PATH:TO are told apart, drives of Windows aside."""
    assert parse_include(text, "--include") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(":to", "--include: the path is empty.", id="no-path"),
        pytest.param("a:../b", "--include: '../b' is not a path inside the bundle.", id="parent"),
        pytest.param("a:b/../../c", "--include: 'b/../../c' is not a path inside the bundle.", id="inner"),
        pytest.param("aa:/b", "--include: '/b' is not a path inside the bundle.", id="absolute"),
        pytest.param("a:b\\c", "--include: 'b\\\\c' is not a path inside the bundle.", id="backslash"),
    ],
)
def test_refuses_include(text: str, message: str) -> None:
    """A destination outside the bundle is refused."""
    with pytest.raises(ConfigError) as caught:
        parse_include(text, "--include")

    assert str(caught.value) == message


def test_output_of_a_key_is_relative_to_the_project() -> None:
    """A key means the same from wherever the command is called."""
    assert one({"output": "out/a.zip"}).output == ROOT / "out/a.zip"


def test_output_of_an_option_is_relative_to_the_current_folder() -> None:
    """What is typed means what it means to a shell."""
    assert one({"output": "out/a.zip"}, {"output": "b.zip"}).output == CWD / "b.zip"


def test_absolute_output_is_kept() -> None:
    """An absolute path is nobody's relative."""
    assert one({"output": "/out/a.zip"}).output == Path("/out/a.zip")


def test_sbom_is_named_as_an_output() -> None:
    """Keys, options and folders mean what they mean for the ZIP."""
    assert one({"sbom": "out/a.json"}).sbom == ROOT / "out/a.json"
    assert one({"sbom": "a.json"}, {"sbom": "out/"}).sbom == CWD / "out/{bundle}.cdx.json"
    assert sbom_path(one({"sbom": "{name}-{runtime}.json"}), VALUES) == ROOT / "my-fn-python3.13.json"
    assert sbom_path(BundleConfig(), VALUES) is None


def test_output_expands_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a key means the user's home."""
    monkeypatch.setenv("HOME", "/home/of-me")

    assert one({"output": "~/a.zip"}).output == Path("/home/of-me/a.zip")


def test_refuses_output_in_unknown_home() -> None:
    """The home of a user who does not exist is an error of the output."""
    assert error({"output": "~no-such-user-here/a.zip"}).startswith(
        "The path '~no-such-user-here/a.zip' can't be understood: "
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(BundleConfig(), "dist/my-fn.zip", id="default"),
        pytest.param(BundleConfig(bundle="api"), "dist/api.zip", id="bundle"),
        pytest.param(
            BundleConfig(architectures=("x86_64", "arm64")), "dist/my-fn-arm64.zip", id="two-architectures"
        ),
        pytest.param(
            BundleConfig(bundle="api", architectures=("x86_64", "arm64")), "dist/api-arm64.zip", id="both"
        ),
        pytest.param(
            BundleConfig(output=ROOT / "{bundle}/{name}-{version}-{runtime}-{architecture}.zip"),
            "api/my-fn-1.0-python3.13-arm64.zip",
            id="placeholders",
        ),
        pytest.param(BundleConfig(output=ROOT / "{{name}}.zip"), "{name}.zip", id="braces"),
    ],
)
def test_output_path(config: BundleConfig, expected: str) -> None:
    """Placeholders are filled in; the default tells bundles and architectures apart."""
    assert output_path(config, ROOT / "dist", VALUES) == ROOT / expected


def test_braces_of_folders_are_no_placeholders() -> None:
    """A project in a folder such as `{{cookiecutter.name}}` keeps its place."""
    root = Path("/templates/{{cookiecutter.name}}/{x")
    (keyed,) = bundle_configs({"output": "{name}.zip"}, {}, (), root=root, cwd=CWD)

    assert output_path(keyed, root / "dist", VALUES) == root / "my-fn.zip"
    assert output_path(BundleConfig(), root / "dist", VALUES) == root / "dist/my-fn.zip"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param(
            "{nam}.zip", "has an unknown placeholder {nam}. Known: {name}, {version},", id="unknown"
        ),
        pytest.param("{}.zip", "has an unknown placeholder {}.", id="empty"),
        pytest.param("{0}.zip", "has an unknown placeholder {0}.", id="number"),
        pytest.param("{name.x}.zip", "has an unknown placeholder {name.x}.", id="attribute"),
        pytest.param("{name!z}.zip", "has an unknown placeholder {name!z}.", id="conversion"),
        pytest.param("{name:>99}.zip", "has an unknown placeholder {name:>99}.", id="format"),
        pytest.param("{name.zip", "can't be understood: ", id="open-brace"),
        pytest.param("name}.zip", "can't be understood: ", id="closing-brace"),
    ],
)
def test_refuses_output_with_unknown_placeholder(template: str, words: str) -> None:
    """Only the documented placeholders are filled in."""
    with pytest.raises(ConfigError, match=re.escape(words)):
        output_path(one({"output": template}), ROOT / "dist", VALUES)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param(" 1700000000\n", 1700000000, id="spaces"),
        pytest.param("-5", -5, id="negative"),
        pytest.param("9" * 40, int("9" * 40), id="huge"),
    ],
)
def test_reads_source_date_epoch(value: str, expected: int) -> None:
    """Any whole number is a time; clamping is the archive's business."""
    assert source_date_epoch({"SOURCE_DATE_EPOCH": value}) == expected


def test_source_date_epoch_may_be_unset() -> None:
    """Without the variable there is no time."""
    assert source_date_epoch({}) is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("now", id="word"),
        pytest.param("1.5", id="fraction"),
        pytest.param("1e9", id="exponent"),
        pytest.param("1_000", id="underscore"),
        pytest.param("\u0661", id="other-digits"),
    ],
)
def test_refuses_malformed_source_date_epoch(value: str) -> None:
    """What is no whole number is an error, not a guess."""
    with pytest.raises(ConfigError) as caught:
        source_date_epoch({"SOURCE_DATE_EPOCH": value})

    assert str(caught.value) == (
        f"SOURCE_DATE_EPOCH is {value!r}, not a number of seconds since 1970. "
        "Correct the variable or unset it."
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(262144000, 262144000, id="number"),
        pytest.param("1000", 1000, id="bytes"),
        pytest.param("250 MB", 262144000, id="megabytes"),
        pytest.param("1.5MB", 1572864, id="fraction"),
        pytest.param("10kb", 10240, id="kilobytes"),
        pytest.param("1 GB", 1073741824, id="gigabytes"),
        pytest.param("none", 1 << 63, id="no-limit"),
        pytest.param("1" + "0" * 400, 10**400, id="huge"),
    ],
)
def test_reads_size(size: object, expected: int) -> None:
    """A size is in bytes, or in KB, MB and GB as AWS counts them; or there is no limit."""
    assert one({"max-size": size}).max_size == expected


@pytest.mark.parametrize(
    ("size", "given"),
    [
        pytest.param("large", "'large'", id="word"),
        pytest.param("2 TB", "'2 TB'", id="unit"),
        pytest.param("nil", "'nil'", id="no-word-for-none"),
        pytest.param("-1", "'-1'", id="negative"),
        pytest.param(-1, "-1", id="negative-number"),
        pytest.param("", "an empty string", id="empty"),
        pytest.param([1], "a list", id="list"),
    ],
)
def test_refuses_size(size: object, given: str) -> None:
    """What is no size is named."""
    assert error({"max-size": size}) == (
        f"tool.poetry-lambda-plugin.max-size must be a size such as 262144000 or '250 MB', or 'none', "
        f"not {given}."
    )


def test_refuses_boolean_as_size() -> None:
    """TOML's booleans are no numbers."""
    assert error({"max-size": True}).startswith("tool.poetry-lambda-plugin.max-size must be a size")


def test_refuses_layer_path() -> None:
    """The two places of a layer that Lambda looks in are told."""
    assert error({"layer-path": "opt"}) == (
        "tool.poetry-lambda-plugin.layer-path must be 'python' or 'version-specific', not 'opt'."
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("@test", " Did you mean @tests?", id="nearest"),
        pytest.param("@zzz", "", id="nothing-near"),
    ],
)
def test_refuses_unknown_set(name: str, hint: str) -> None:
    """A set of patterns that does not exist is an error with the nearest name and all names."""
    assert error({"exclude": ["*.md", name]}) == (
        f"tool.poetry-lambda-plugin.exclude: there is no set {name!r}.{hint} "
        "The sets are @tests, @type-stubs, @headers-and-sources, @docs."
    )


def test_package_names_are_normalised() -> None:
    """A package may be named in any of its spellings, and more than once."""
    config = one({}, {"exclude-packages": ["Ruamel_Yaml", "ruamel.yaml", "six"]})

    assert config.exclude_packages == ("ruamel-yaml", "six")


def test_layers_are_relative_to_the_project() -> None:
    """A layer's path is relative to the project's root, as the output is; `~` is the home."""
    assert one({"exclude-layers": ["dist/{x}.zip"]}).exclude_layers == (ROOT / "dist/{x}.zip",)
    assert error({"exclude-layers": ["~no-such-user-here/a.zip"]}).startswith(
        "The path '~no-such-user-here/a.zip' can't be understood: "
    )


def test_layer_has_an_output_of_its_own() -> None:
    """A layer and a function of one project don't overwrite each other by default."""
    folder = Path("dist")

    assert output_path(BundleConfig(layer=True), folder, VALUES) == Path("dist/my-fn-layer.zip")
    assert output_path(BundleConfig(layer=True, bundle="api"), folder, VALUES) == Path("dist/api.zip")


@pytest.mark.parametrize(("key", "value"), [("optimize", 1), ("bytecode-exclude", ["templates/"])])
def test_needs_bytecode(key: str, value: object) -> None:
    """What is said of bytecode is an error where none is asked for, by a table, its bundles or an option."""
    mode = {"bytecode": "checked-hash"}
    words = " means nothing without bytecode. Set bytecode too, or drop it."

    assert error({key: value}) == f"tool.poetry-lambda-plugin.{key}{words}"
    assert one({**mode, key: value}).bytecode == "checked-hash"
    assert one({key: value}, mode).bytecode == "checked-hash"
    assert len(configs({key: value, "bundles": {"a": mode, "b": {}}})) == 2
    assert error({"bundles": {"a": mode, "b": {key: value}}}) == (
        f"tool.poetry-lambda-plugin.bundles.b.{key}{words}"
    )


def test_what_is_as_by_default_needs_no_bytecode() -> None:
    """A key that changes nothing is no error."""
    assert one({"optimize": 0, "bytecode-exclude": []}) == BundleConfig()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "secrets",
            "Unknown code 'secrets' in tool.poetry-lambda-plugin.ignore. Did you mean secret? ",
        ),
        (
            ["secret", "Secret:x"],
            "Unknown code 'Secret' in tool.poetry-lambda-plugin.ignore. Did you mean ",
        ),
        (
            "secret:",
            "tool.poetry-lambda-plugin.ignore: no place follows the colon of 'secret:'. Write",
        ),
        (5, "tool.poetry-lambda-plugin.ignore must be a list of strings; it has a number."),
    ],
)
def test_wrong_ignore(value: object, words: str) -> None:
    """A code that does not exist is answered with the nearest."""
    assert error({"ignore": value}).startswith(words)


def test_ignore_of_a_table_that_others_have_too() -> None:
    """It is noted where not all bundles that have it from the common table are made."""
    table = {"ignore": ["secret"], "bundles": {"a": {}, "b": {"ignore": ["secret"]}}}

    assert [config.ignore_is_shared for config in configs(table)] == [False, False]
    assert [config.ignore_is_shared for config in configs(table, bundles=("a",))] == [True]
    assert [config.ignore_is_shared for config in configs(table, bundles=("b",))] == [False]


def test_path_on_another_drive_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one drive of Windows no relative path leads to another."""
    monkeypatch.setattr(os.path, "relpath", ntpath.relpath)
    root = PureWindowsPath("D:/a/project")

    assert seen_from(root, PureWindowsPath("D:/a/data")) == PureWindowsPath("../data")
    assert seen_from(root, PureWindowsPath("C:/data")) == PureWindowsPath("C:/data")
