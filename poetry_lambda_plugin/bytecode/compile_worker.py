"""Compiles sources with the Python that runs it, or holds bytecode against bytecode.

Started by `workers.py` with the target's Python, which may be as old as 3.7, and imported by nothing.
Both ways go numbers of four bytes and what they are the length of.
"""

from __future__ import annotations

import gc
import marshal
import sys


# importlib.util has the same two, and takes longer to be imported than a small wheel to be compiled
from _frozen_importlib_external import MAGIC_NUMBER
from _imp import source_hash
from _operator import attrgetter


# typing takes longer still
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


KEY = int.from_bytes(MAGIC_NUMBER, "little")

HEADER = 16
"""Bytes before the code (PEP 552)."""

KINDS = (0b00, 0b01, 0b11)
"""Second words of `.pyc` files that Python takes: by time, by hash unchecked, by hash checked."""

MEMORY = 2 << 30
"""Bytes that bytecode of unknown origin may make a process take."""

NOT_COMPARED = (
    *("co_filename", "co_lines", "co_positions", "co_branches", "co_linetable", "co_lnotab"),
    # on its own
    "co_consts",
)
"""What code says of where it is, which tracebacks alone show, and methods that say so."""

CODE = type(compile("", "", "exec"))

what_runs = attrgetter(*(n for n in dir(CODE) if n.startswith("co_") and n not in NOT_COMPARED))

WRITTEN = (float, complex, slice)


def main() -> None:
    """Say who is here, then do one job after the other."""
    version = ".".join(map(str, sys.version_info[:3])) + "".join(map(str, sys.version_info[3:]))
    build = [sys.implementation.name, version, getattr(sys, "abiflags", ""), MAGIC_NUMBER.hex()]
    send(" ".join(build).encode())
    in_child = sys.argv[1:] == ["fork"]
    # little garbage is made, and what the first compilation sets up, children need not
    gc.disable()
    compile("", "", "exec", dont_inherit=True)
    while True:
        try:
            job = marshal.load(sys.stdin.buffer)
        except EOFError:
            return
        # flags, optimization and sources, or pairs alone
        work: Callable[..., None] = answer if len(job) > 1 else compare
        if in_child:
            answer_in_child(work, *job)
        else:
            work(*job)


def answer_in_child(work: Callable[..., None], *job: Any) -> None:
    """Leave this process as it is, for what it has compiled before can show in bytecode.

    It ends as the child does, if that goes wrong.
    """
    import posix

    child = posix.fork()
    if not child:
        work(*job)
        posix._exit(0)
    _, status = posix.waitpid(child, 0)
    if status & 0x7F:
        posix.kill(posix.getpid(), status & 0x7F)
    if status:
        posix._exit(status >> 8)


def answer(flags: int, optimize: int, sources: list[tuple[str, bytes]]) -> None:
    """Answer each source, by its name, with its bytecode, or with nothing if it has none."""
    for name, source in sources:
        send(bytecode(source, name, flags, optimize))


def compare(pairs: list[tuple[bytes, bytes]]) -> None:
    """Answer each pair of what was compiled here and of what claims to be the same: b"same" or b"other"."""
    limit_memory()
    for made, found in pairs:
        send(b"same" if is_same(made, found) else b"other")


def limit_memory() -> None:
    """Let bytes that ask for more memory than they have end this process, not the machine.

    macOS refuses a limit below the address space that a process has reserved, which may be hundreds of
    gigabytes.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > MEMORY:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
        except (OSError, ValueError):
            return


def is_same(made: bytes, found: bytes) -> bool:
    """Tell whether two `.pyc` files have one code, but for the path that they show in tracebacks.

    What the second one says of its source does not matter: it is known.
    """
    if len(found) < HEADER or found[:4] != MAGIC_NUMBER or int.from_bytes(found[4:8], "little") not in KINDS:
        return False
    try:
        return alike(marshal.loads(made[HEADER:]), marshal.loads(found[HEADER:]))
    except Exception:
        # anything may be in it
        return False


def alike(one: Any, other: Any) -> bool:
    """Tell whether two constants are alike in type and value, however deep: True is not 1, nor 0.0 -0.0."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is CODE:
        return what_runs(one) == what_runs(other) and alike(one.co_consts, other.co_consts)
    if kind is tuple:
        return len(one) == len(other) and all(map(alike, one, other))
    if kind is frozenset:
        return frozenset(map(written, one)) == frozenset(map(written, other))
    return bool(written(one) == written(other)) if kind in WRITTEN else bool(one == other)


def written(constant: Any) -> str:
    """Return a constant as it would be written, which tells its type, however deep."""
    if isinstance(constant, frozenset):
        return repr(sorted(map(written, constant)))
    return repr(tuple(map(written, constant))) if isinstance(constant, tuple) else repr(constant)


def send(data: bytes) -> None:
    """Write at once, so that a crash leaves all that was done before it."""
    sys.stdout.buffer.write(len(data).to_bytes(4, "little") + data)
    sys.stdout.buffer.flush()


def bytecode(source: bytes, name: str, flags: int, optimize: int) -> bytes:
    """Return a hash-based `.pyc` (PEP 552); nothing for source that this Python does not understand."""
    try:
        code = compile(source, name, "exec", dont_inherit=True, optimize=optimize)
        if sys.version_info < (3, 11) and is_unstable(code.co_consts):
            return b""
        return MAGIC_NUMBER + flags.to_bytes(4, "little") + source_hash(KEY, source) + marshal.dumps(code)
    except Exception:
        # what goes wrong with test data and other Pythons' sources can't be listed
        return b""


def is_unstable(constants: object) -> bool:
    """Tell whether a set would be written in an order that changes from run to run.

    Until 3.10 sets are not sorted, and the hash of None and of `...` is where they lie in memory.
    """
    if isinstance(constants, frozenset):
        return len(constants) > 1 and any(has_address_for_hash(item) for item in constants)
    if isinstance(constants, tuple):
        return any(is_unstable(item) for item in constants)
    inner = getattr(constants, "co_consts", None)
    return inner is not None and is_unstable(inner)


def has_address_for_hash(constant: object) -> bool:
    """Tell whether a constant's hash is an address, or made of one."""
    if isinstance(constant, tuple):
        return any(has_address_for_hash(item) for item in constant)
    return constant is None or constant is ...


main()
