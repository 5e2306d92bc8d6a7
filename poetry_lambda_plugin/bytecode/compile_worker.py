"""Compiles sources with the Python that runs it.

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


KEY = int.from_bytes(MAGIC_NUMBER, "little")


def main() -> None:
    """Say who is here, then do one job after the other."""
    version = ".".join(map(str, sys.version_info[:3])) + "".join(map(str, sys.version_info[3:]))
    build = [sys.implementation.name, version, getattr(sys, "abiflags", ""), MAGIC_NUMBER.hex()]
    send(" ".join(build).encode())
    work = answer_in_child if sys.argv[1:] == ["fork"] else answer
    # little garbage is made, and what the first compilation sets up, children need not
    gc.disable()
    compile("", "", "exec", dont_inherit=True)
    while True:
        try:
            job = marshal.load(sys.stdin.buffer)
        except EOFError:
            return
        work(*job)


def answer_in_child(flags: int, optimize: int, sources: list[tuple[str, bytes]]) -> None:
    """Leave this process as it is, for what it has compiled before can show in bytecode.

    It ends as the child does, if that goes wrong.
    """
    import posix

    child = posix.fork()
    if not child:
        answer(flags, optimize, sources)
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
