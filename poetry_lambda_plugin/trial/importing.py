"""Imports a handler as Lambda's runtime does, and reports what became of it.

Started by `isolating.py` with the target's Python, and imported by nothing. Where Python starts as on Lambda,
its own client has loaded these modules before it looks into the bundle, so a bundle can't replace them.
"""

from __future__ import annotations

import builtins
import decimal  # noqa: F401 - see above
import faulthandler
import importlib
import json
import linecache  # noqa: F401
import logging  # noqa: F401
import os
import site
import sys
import threading
import time
import traceback
import warnings  # noqa: F401

from _sitebuiltins import Quitter
from _sitebuiltins import _Helper


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


ARGUMENT = json.loads(sys.argv[1])
"""Of whom reports go where, and how much is forbidden here."""

IMPORTLIB = "<frozen importlib._bootstrap>"
"""What Python leaves out of tracebacks, and out of the frames that a warning counts."""

ITSELF = (IMPORTLIB, "<frozen importlib._bootstrap_external>", "<string>", importlib.__file__)
"""Files whose frames tell a user nothing."""

ENVIRONMENT = (os.__file__, "<frozen os>", "<frozen _collections_abc>", "_collections_abc.py")

PYTHONS_FOLDERS = {sys.base_prefix, sys.exec_prefix} - {"/", "/usr"}
"""Folders that hold nothing but Python, where there are such."""

RESOLVING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
CHANGING = (
    *("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

LOOPBACK = ("127.", "::1", "localhost")

UNREACHABLE, REFUSED = {"linux": (101, 111), "win32": (10051, 10061)}.get(sys.platform, (51, 61))
NO_ANSWER = -3
READ_ONLY = 30
"""Error numbers as the system would have them."""


class Libraries:
    """Shared libraries of this machine that the handler has had loaded, and not Python's own modules."""

    def __init__(self) -> None:
        self._known = mapped()
        self._own = compiled_standard_modules()

    def expects(self, name: str) -> bool:
        """Tell whether a module is compiled and one of Python's own."""
        return name in self._own

    def note(self, before: set[str]) -> None:
        """Take what has been loaded since as Python's."""
        self._known |= mapped() - before

    def foreign(self) -> list[str]:
        """Return the paths of libraries that lie neither in the function nor with Python.

        What only such libraries need of each other is left out.
        """
        places = (ARGUMENT["task"], *ARGUMENT["layers"], ARGUMENT["runtime"], *PYTHONS_FOLDERS)
        folders = tuple(map(os.path.realpath, places))
        paths = [path for path in mapped() - self._known if not is_below(os.path.realpath(path), folders)]
        texts = {path: text_of(path) for path in paths}
        return sorted(path for path in paths if not is_needed(path, texts))


class Times:
    """Seconds that each module took, by name: with all that it imported, and by itself."""

    def __init__(self, libraries: Libraries) -> None:
        self.taken: dict[str, list[float]] = {}
        self.sought: set[str] = set()
        """Names that were imported in vain."""
        self._inner = threading.local()
        self._libraries = libraries

    def watch(self) -> None:
        """Time every import from now on."""
        bootstrap = sys.modules["_frozen_importlib"]
        original = getattr(bootstrap, "_find_and_load", None)
        if original is None:
            return

        def find_and_load(name: str, import_: object) -> object:
            return self.timed(name, original, import_)

        for function in (find_and_load, Times.timed):
            code = function.__code__
            function.__code__ = code.replace(co_filename=IMPORTLIB)
        bootstrap._find_and_load = find_and_load  # type: ignore[attr-defined]

    def timed(self, name: str, original: Callable[[str, object], object], import_: object) -> object:
        """Import a module, and take the time."""
        inner = self._inner
        before = mapped() if self._libraries.expects(name) else None
        outside, inner.seconds = getattr(inner, "seconds", 0.0), 0.0
        start = time.perf_counter()
        try:
            return original(name, import_)
        except ModuleNotFoundError as error:
            if error.name == name:
                self.sought.add(name)
            raise
        finally:
            taken = time.perf_counter() - start
            self.taken.setdefault(name, [taken, taken - inner.seconds])
            inner.seconds = outside + taken
            if before is not None:
                self._libraries.note(before)

    def report(self) -> list[object]:
        """Return name, seconds in all and by itself, and bytes of each module, in the order of their ends."""
        # threads that the handler has started may import meanwhile
        return [[name, *taken, size_of(name)] for name, taken in list(self.taken.items())]


class Surroundings:
    """What was asked of the network and the environment, and what is kept from both."""

    def __init__(self, writable: list[str], closed: list[str], report: TextIO) -> None:
        """Keep files from being changed but in `writable`, and there in `closed`; nothing without either."""
        self._report = report
        self._asked = False
        self.variables: dict[str, str] = {}
        """Variables that are not set, by the file that asked for them first."""
        self._writable, self._closed = (tuple(map(os.path.realpath, paths)) for paths in (writable, closed))

    def watch(self) -> None:
        """Look at the environment, and at all that Python itself sends."""
        lookup = os._Environ.__getitem__

        def getitem(environment: os._Environ[str], name: str) -> str:
            try:
                return lookup(environment, name)
            except KeyError:
                self.variables.setdefault(str(name), asking_file())
                raise

        getitem.__code__ = getitem.__code__.replace(co_filename=os.__file__)
        os._Environ.__getitem__ = getitem  # type: ignore[assignment, method-assign]
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in RESOLVING or event in SENDING:
            self._hear_of_network(event, arguments[-1] if event in SENDING else arguments[:1])
        elif self._closed:
            self._hear_of_files(event, arguments)

    def _hear_of_network(self, event: str, address: object) -> None:
        host = address[0] if isinstance(address, tuple) and address else None
        if isinstance(host, tuple):
            host = host[0]
        name = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
        # other sockets than those of the internet are no network
        if not isinstance(name, str) or (event in RESOLVING and is_number(name)):
            return
        if not self._asked:
            self._asked = True
            tell(self._report, {"network": name})
        if self._closed and not (event in RESOLVING and name == "localhost"):
            refuse_network(event, name)

    def _hear_of_files(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._check_writable(arguments[0])
        elif event in CHANGING:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                self._check_writable(path)

    def _check_writable(self, path: object) -> None:
        if isinstance(path, int) or path is None or path in (os.devnull, os.fsencode(os.devnull)):
            return
        # its folder, since a link is itself what is changed
        name = os.fsdecode(path)  # type: ignore[arg-type]
        place = os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))
        if is_below(place, self._closed) or not is_below(place, self._writable):
            raise OSError(READ_ONLY, "Read-only file system", name)


def mapped() -> set[str]:
    """Return the paths of the shared libraries in this process (proc_pid_maps(5)); none elsewhere."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
            fields = (line.split(None, 5) for line in lines)
            paths = {field[5].strip() for field in fields if len(field) > 5}
    except OSError:
        return set()
    return {path for path in paths if path[0] == "/" and ".so" in os.path.basename(path)}


def text_of(path: str) -> bytes:
    """Return the bytes of a file; none where they can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def is_needed(path: str, texts: dict[str, bytes]) -> bool:
    """Tell whether one of some other libraries names a library."""
    name = b"\0" + os.fsencode(os.path.basename(path).partition(".so")[0]) + b".so."
    return any(name in text for other, text in texts.items() if other != path)


def compiled_standard_modules() -> frozenset[str]:
    """Return the names of Python's own modules that lie in files of their own."""
    folders = [path for path in sys.path if path.endswith("lib-dynload") and os.path.isdir(path)]
    return frozenset(name.partition(".")[0] for folder in folders for name in os.listdir(folder))


def size_of(name: str) -> int:
    """Return the bytes of a module's file; 0 for one that has none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    try:
        return os.path.getsize(file) if isinstance(file, str) else 0
    except OSError:
        return 0


def is_number(host: str) -> bool:
    """Tell whether a host is named by its address, so that nobody has to be asked for it."""
    return not host or ":" in host or host.replace(".", "").isdigit()


def is_below(place: str, folders: tuple[str, ...]) -> bool:
    """Tell whether a path is one of some folders, or in one."""
    return any(place == folder or place.startswith(folder + os.sep) for folder in folders)


def refuse_network(event: str, host: str) -> None:
    """Answer as a system does that has no network but with itself."""
    if event in RESOLVING:
        from _socket import gaierror

        raise gaierror(NO_ANSWER, "Temporary failure in name resolution")
    if host.startswith(LOOPBACK):
        raise ConnectionRefusedError(REFUSED, "Connection refused")
    raise OSError(UNREACHABLE, "Network is unreachable")


def asking_file() -> str:
    """Return the file that asks the environment for something."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.endswith(ENVIRONMENT):
        frame = frame.f_back
    return frame.f_code.co_filename


def main() -> None:
    """Import the handler, and report."""
    process = os.getpid()
    report, stacks = (open_own(ARGUMENT[name]) for name in ("report", "stacks"))
    tell(report, {"started": True})
    faulthandler.enable(stacks)
    faulthandler.dump_traceback_later(ARGUMENT["limit"], file=stacks)
    libraries = Libraries()
    times, surroundings = Times(libraries), Surroundings(ARGUMENT["writable"], ARGUMENT["closed"], report)
    set_up()
    surroundings.watch()
    times.watch()
    start = time.perf_counter()
    outcome = imported(ARGUMENT["handler"])
    seconds = time.perf_counter() - start
    faulthandler.cancel_dump_traceback_later()
    if os.getpid() == process:
        outcome.update(
            seconds=seconds,
            modules=times.report(),
            sought=sorted(times.sought),
            variables=dict(surroundings.variables),
            libraries=libraries.foreign(),
        )
        tell(report, outcome)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: PERF203 - one may be closed
            continue
    # as on Lambda nothing ends here: neither threads are waited for, nor is any farewell said
    os._exit(0)


def open_own(place: int | str) -> TextIO:
    """Open a file that no program started here gets hold of."""
    file = open(place, "w", encoding="utf-8")  # noqa: SIM115
    os.set_inheritable(file.fileno(), False)
    return file


def tell(report: TextIO, what: dict[str, object]) -> None:
    """Add a line to the report at once, since the process may end at any moment."""
    report.write(json.dumps(what, default=str) + "\n")
    report.flush()


def set_up() -> None:
    """Give Python the path, the working folder and the names that it has on Lambda."""
    for name in ("exit", "quit"):
        setattr(builtins, name, Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _Helper()
    sys.argv = [os.path.join(ARGUMENT["runtime"], "bootstrap.py")]
    for stream in (sys.stdout, sys.stderr):
        # Lambda's buffer nothing, and what a crash is preceded by is to be seen
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    task, layers = ARGUMENT["task"], ARGUMENT["layers"]
    first = [task] if "PYTHONPATH" in os.environ else [task, *layers, ARGUMENT["runtime"]]
    os.environ["PYTHONPATH"] = ARGUMENT["runtime"]
    os.chdir(task)
    sys.path[:] = [*first, *filter(None, sys.path)]
    for folder in first:
        site.addsitedir(folder)


def imported(handler: str) -> dict[str, object]:
    """Do as Lambda's client does with a handler, and tell how it went."""
    module_name, _, name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except BaseException as error:
        return failure(error)
    if not hasattr(module, name):
        return {"outcome": "missing"}
    return {"outcome": "passed" if callable(getattr(module, name)) else "no function"}


def failure(error: BaseException) -> dict[str, object]:
    """Tell all of an exception that its cause may be told from."""
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    chain = [*chained(error)]
    return {
        "outcome": "raised",
        "type": module + kind.__qualname__,
        "bases": [base.__name__ for base in kind.__mro__],
        "message": message_of(error),
        "name": getattr(error, "name", None) if isinstance(error, ImportError) else None,
        "key": missing_variable(error),
        "file": str(getattr(error, "filename", None) or ""),
        "line": getattr(error, "lineno", None),
        "frames": frames_of(error),
        "causes": [[[base.__name__ for base in type(e).__mro__], getattr(e, "errno", None)] for e in chain],
    }


def message_of(error: BaseException) -> str:
    """Return an exception's words, which may themselves fail."""
    try:
        return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        return ""


def chained(error: BaseException | None) -> list[BaseException]:
    """Return an exception and those that led to it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def frames_of(error: BaseException) -> list[list[str | int | None]]:
    """Return file, line and function of each step that led to an exception, the first one first."""
    frames = ([f.filename, f.lineno, f.name] for f in traceback.extract_tb(error.__traceback__))
    return [frame for frame in frames if frame[0] not in ITSELF]


def missing_variable(error: BaseException) -> str | None:
    """Return the variable that the environment lacks, where that is what an exception says."""
    for other in chained(error):
        steps = traceback.extract_tb(other.__traceback__)
        if isinstance(other, KeyError) and steps and steps[-1].filename.endswith(ENVIRONMENT):
            return str(other.args[0]) if other.args else None
    return None


main()
