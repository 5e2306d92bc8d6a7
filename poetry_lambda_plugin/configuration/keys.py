"""The keys of [tool.poetry-lambda-plugin], each with all that there is to say of it but its default."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple

from poetry_lambda_plugin.configuration import readers


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping


KeyType = Literal["boolean", "integer", "list", "string", "string or integer", "string or list"]


class Key(NamedTuple):
    """What can be said of a bundle: in its table, and of many a key on the command line too.

    Its default is that of its field in BundleConfig or Selection.
    """

    name: str
    type: KeyType
    """TOML's; a boolean's option takes no value, that of a list several."""
    reader: Callable[[object, str], object]
    """Checks and normalises a value; errors say where it stands."""
    help: str
    """What `--help` says, and what the README's row begins with."""
    option: str | None = None
    """Name of its option, singular where that is given once for each value, with `no-` where it stands for
    false; None without one.
    """
    shortcut: str | None = None
    commas: bool = False
    """Whether its option may have several in one value, with commas or spaces between."""
    rivals: tuple[str, ...] = ()
    """Keys that can't be meant together with it; each pair is named at one of the two."""
    needs: str | None = None
    """The key without which it means nothing."""

    @property
    def is_turned_off(self) -> bool:
        """Tell whether its option stands for false."""
        return self.option == f"no-{self.name}"

    @property
    def field(self) -> str:
        """Name of its field in BundleConfig or Selection."""
        return FIELDS.get(self.name) or self.name.replace("-", "_")


FIELDS = {"architecture": "architectures", "with": "with_"}
"""Fields that are not named as their keys are."""

# a table of two lines a key is easier to read than one of seven
# fmt: off
_KEYS = (
    Key("runtime", "string", readers.runtime,
        "Lambda runtime, as in python3.13; default: the newest allowed.", option="runtime"),
    Key("architecture", "string or list", readers.architectures, "x86_64 or arm64; may be given twice.",
        option="architecture"),
    Key("output", "string", readers.string, "Path of the ZIP; may hold {name}, {version}, {runtime} …",
        option="output", shortcut="o"),
    Key("sbom", "string", readers.string, "Write an SBOM too, in CycloneDX 1.6; path as of the output.",
        option="sbom"),
    Key("unpacked", "string", readers.string, "Write a folder instead of a ZIP; path as of the output.",
        option="unpacked", rivals=("output",)),
    Key("without", "list", readers.strings, "Leave these dependency groups out.",
        option="without", commas=True),
    Key("with", "list", readers.strings, "Take these dependency groups too.", option="with", commas=True),
    Key("only", "list", readers.strings, "Take these dependency groups only.",
        option="only", commas=True, rivals=("with", "without")),
    Key("extras", "list", readers.strings, "Extra sets of dependencies to include.",
        option="extras", shortcut="E", commas=True, rivals=("all-extras",)),
    Key("all-extras", "boolean", readers.boolean, "Include all extra dependencies.", option="all-extras"),
    Key("no-root", "boolean", readers.boolean, "Bundle the dependencies without the project.",
        option="no-root"),
    Key("only-root", "boolean", readers.boolean, "Bundle the project without its dependencies.",
        option="only-root", rivals=("no-root", "only", "with", "without", "extras", "all-extras")),
    Key("include", "list", readers.includes, "More files, as PATH or PATH:TO.", option="include"),
    Key("exclude", "list", readers.patterns, "Fewer files: a gitignore pattern on bundle paths.",
        option="exclude"),
    Key("exclude-packages", "list", readers.package_names, "Leave out a package and what only it needs.",
        option="exclude-package"),
    Key("exclude-runtime-packages", "boolean", readers.boolean,
        "Leave out what the runtime has: boto3 and its kind.", option="exclude-runtime-packages"),
    Key("exclude-layers", "list", readers.strings,
        "Layers that the function will have, each a bundle's name or a path; what they hold is left out."),
    Key("shared-by", "string or list", readers.strings,
        'The functions that a layer is for, or "all": it holds what all of them need.', needs="layer"),
    Key("botocore-services", "list", readers.strings, 'The AWS services whose models are kept, or "auto".'),
    Key("layer", "boolean", readers.boolean, "Lay the bundle out as a Lambda layer.", option="layer"),
    Key("layer-path", "string", readers.layer_path, "Where a layer's files lie: python or version-specific."),
    Key("max-size", "string or integer", readers.size,
        "Fail above this unzipped size, as in 200MB; none for any; default: Lambda's 250 MB.",
        option="max-size"),
    Key("bytecode", "string", readers.bytecode,
        "Ship bytecode for the runtime: checked-hash or unchecked-hash.", option="bytecode"),
    Key("bytecode-exclude", "list", readers.patterns,
        "Patterns as of exclude, for sources that are bundled without bytecode.", needs="bytecode"),
    Key("optimize", "integer", readers.optimization,
        "0, 1 or 2: the bytecode is for functions that set PYTHONOPTIMIZE to this.", needs="bytecode"),
    Key("handler", "string", readers.handler, "The function's handler, as Lambda will be told."),
    Key("modules", "string or list", readers.modules,
        "Which of the project's own modules and packages are taken."),
    Key("scripts", "boolean", readers.boolean,
        "Bundle scripts and console entry points in bin/, to be run by the runtime's Python."),
    Key("audit", "boolean", readers.boolean, "Don't look into the bundle before it is written.",
        option="no-audit"),
    Key("ignore", "list", readers.ignored, "Warnings that you know of, as CODE or CODE:WHERE."),
    Key("strict", "boolean", readers.boolean, "Turn every warning into an error.", option="strict"),
)
# fmt: on

KEYS: Mapping[str, Key] = {key.name: key for key in _KEYS}

OPTIONS: Mapping[str, Key] = {key.option: key for key in _KEYS if key.option}
"""The keys that have an option, by its name, in the order of `--help`."""
