"""Puts a process where it can reach neither network nor files of the host, and sees to its end.

Started by `process.py` with the target's Python, and imported by nothing. Standard input is a job as one line
of JSON, and then the lifeline: when it ends, all that was started here is ended too. The verdict is a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import threading
import time


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

WIN32 = sys.platform == "win32"

GRACE = 1.0
"""Seconds after the time limit in which a process says where it is."""

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 0x20, 0x1000, 0x4000, 0x40000
MOUNT_FLAGS = {
    b"nosuid": 2,
    b"nodev": 4,
    b"noexec": 8,
    b"noatime": 0x400,
    b"nodiratime": 0x800,
    b"relatime": 0x200000,
}
MOUNT_ATTR_RDONLY, AT_RECURSIVE, AT_FDCWD = 1, 0x8000, -100
PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 24, 22, 36, 38
SECCOMP_MODE_FILTER = 2
O_PATH = 0x200000

MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
"""Numbers of system calls, the same on all machines."""
SYSTEM_CALLS = {442: "mount_setattr", **dict.fromkeys((444, 445, 446), "Landlock")}

LANDLOCK_WRITE = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}
"""Rights to change files, by the version of Landlock that has them first (linux/landlock.h)."""
LANDLOCK_WRITE_FILE = 1 << 1

MACHINES = {
    "x86_64": (0xC000003E, {"connect": 42, "sendto": 44, "sendmsg": 46, "sendmmsg": 307}),
    "aarch64": (0xC00000B7, {"connect": 203, "sendto": 206, "sendmsg": 211, "sendmmsg": 269}),
}
"""How seccomp knows machines, and the numbers of their system calls that reach another one."""
IO_URING_SETUP = 425
X32 = 0x40000000

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
ENOSYS, ENETUNREACH = 38, 101

HIDDEN = ("home", "opt", "root", "run", "tmp", "var")
"""Folders of the host that are not to be seen: Lambda has others, or none, in their places."""

TMPFS_OPTIONS = b"mode=755,size=16m"
TMP_OPTIONS = b"mode=1777,size=512m"
"""Lambda's default size (AWS page "Configure ephemeral storage")."""


class RefusedError(Exception):
    """Says what the host does not allow."""


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; raises RefusedError with its name and the system's reason."""
    library = libc()
    import ctypes

    if name == "syscall":
        arguments = tuple(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    result = getattr(library, name)(*arguments)
    if result < 0:
        told = SYSTEM_CALLS[arguments[0].value] if name == "syscall" else name  # type: ignore[attr-defined]
        told = f"{name} at {os.fsdecode(arguments[1])}" if name == "mount" else told  # type: ignore[arg-type]
        raise RefusedError(f"{told}: {os.strerror(ctypes.get_errno())}")
    return int(result)


def libc() -> CDLL:
    """Return the C library, which a Python without ctypes can't call."""
    try:
        import ctypes
    except ImportError as error:
        raise RefusedError(f"this Python has no ctypes: {error}") from error
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    library.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
    return library


# --- namespaces ---------------------------------------------------------------------------------------------


def enter_namespaces(job: dict[str, object]) -> None:
    """Build a root of its own, where bundle and layers lie as on Lambda, and only /tmp can be written to."""
    unshare()
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    raise_loopback()
    root = str(job["root"])
    call("mount", b"tmpfs", os.fsencode(root), b"tmpfs", 0, TMPFS_OPTIONS)
    build_root(root, job)
    os.chroot(root)
    os.chdir("/")
    make_read_only("/")
    call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, TMP_OPTIONS)
    drop_privileges()


def unshare() -> None:
    """Leave the host's namespaces, as root without a user namespace where there is to be none."""
    user, group = os.geteuid(), os.getegid()
    spaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC
    try:
        call("unshare", CLONE_NEWUSER | spaces)
    except RefusedError:
        if user:
            raise
        call("unshare", spaces)
        return
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{user} {user} 1")
    write("/proc/self/gid_map", f"{group} {group} 1")


def write(path: str, text: str) -> None:
    """Write to a file of the kernel."""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}") from error


def raise_loopback() -> None:
    """Bring up `lo`, the only network on Lambda that answers at once (linux/if.h, SIOCSIFFLAGS)."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))


def build_root(root: str, job: dict[str, object]) -> None:
    """Mount the host's folders below `root` but for the hidden ones, in whose places are those of Lambda."""
    for name in os.listdir("/"):
        if name not in HIDDEN:
            mirror(f"/{name}", f"{root}/{name}")
    for name in HIDDEN:
        os.mkdir(f"{root}/{name}")
    folders = {"task": "/var/task", "runtime": "/var/runtime", "layers": "/opt"}
    for name, place in folders.items():
        os.makedirs(root + place, exist_ok=True)
        bind(str(job[name]), root + place)
    for folder in job["python"]:  # type: ignore[attr-defined]
        os.makedirs(root + folder, exist_ok=True)
        bind(folder, root + folder)
    if os.path.exists("/etc/passwd"):
        bind(str(job["passwd"]), f"{root}/etc/passwd")
    for library in job["without"]:  # type: ignore[attr-defined]
        # what no loader takes for a library
        bind(str(job["passwd"]), root + library)


def mirror(source: str, place: str) -> None:
    """Let something at the top of the host be seen; what can't be is left out."""
    try:
        if os.path.islink(source):
            os.symlink(os.readlink(source), place)
            return
        if os.path.isdir(source):
            os.mkdir(place)
        else:
            open(place, "xb").close()
        bind(source, place)
    except (OSError, RefusedError):
        return


def bind(source: str, place: str) -> None:
    """Mount a folder or file at another place too."""
    try:
        call("mount", os.fsencode(source), os.fsencode(place), None, MS_BIND | MS_REC, None)
    except RefusedError as error:
        raise RefusedError(f"{error} ({source})") from error


def make_read_only(place: str) -> None:
    """Forbid writing to all that is mounted at a place and below it (mount_setattr(2), Linux 5.12)."""
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    try:
        call(
            "syscall", MOUNT_SETATTR, AT_FDCWD, os.fsencode(place), AT_RECURSIVE, attributes, len(attributes)
        )
    except RefusedError:
        make_each_read_only()


def make_each_read_only() -> None:
    """Forbid writing to one mount after the other, with all else that is forbidden there (mount(2))."""
    with open("/proc/self/mountinfo", "rb") as file:
        mounts = [line.split(b" ")[4:6] for line in file]
    for place, options in mounts:
        # spaces and their kind are written in octal (proc_pid_mountinfo(5))
        path = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), place)
        kept = sum(MOUNT_FLAGS.get(option, 0) for option in options.split(b","))
        call("mount", None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept, None)


def python_folders() -> list[str]:
    """Return the folders that this Python needs and that lie in hidden ones, none within another."""
    needed = [sys.base_prefix, sys.base_exec_prefix, os.path.dirname(python()), os.path.dirname(os.__file__)]
    needed += [str(sysconfig.get_config_var("LIBDIR") or "/usr")]
    needed += os.environ.get("LD_LIBRARY_PATH", "").split(":")
    existing = {os.path.realpath(folder) for folder in needed if folder and os.path.isdir(folder)}
    hidden = [f for f in sorted(existing) if f.split("/")[1] in HIDDEN]
    if shallow := [folder for folder in hidden if folder.count("/") < 2]:
        raise RefusedError(f"Python lies in {shallow[0]} itself")
    return [f for f in hidden if not any(f.startswith(other + "/") for other in hidden)]


def python() -> str:
    """Return the interpreter itself, without the links and the environment that lead to it."""
    return getattr(sys, "_base_executable", sys.executable) if WIN32 else os.path.realpath(sys.executable)


def drop_privileges() -> None:
    """Give up what root may do, and what programs of root could give."""
    library = libc()
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    # version 3 of the header, this process; two times effective, permitted, inheritable (capset(2))
    library.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 0, 0, 0, 0, 0, 0))


# --- seccomp and Landlock -----------------------------------------------------------------------------------


def enter_landlock(job: dict[str, object]) -> None:
    """Forbid this process and its children all network, and changes of files but in `writable`."""
    drop_privileges()
    restrict_files([str(path) for path in job["writable"]])  # type: ignore[attr-defined]
    restrict_calls()


def restrict_files(writable: list[str]) -> None:
    """Apply Landlock (Linux 5.13)."""
    version = call("syscall", LANDLOCK_CREATE_RULESET, None, 0, 1)
    handled = sum(rights for since, rights in LANDLOCK_WRITE.items() if since <= version)
    ruleset = call("syscall", LANDLOCK_CREATE_RULESET, struct.pack("Q", handled), 8, 0)
    for path, rights in [*((path, handled) for path in writable), ("/dev", LANDLOCK_WRITE_FILE)]:
        folder = os.open(path, O_PATH | os.O_CLOEXEC)
        # packed, as the kernel has it
        call("syscall", LANDLOCK_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, folder), 0)
        os.close(folder)
    call("syscall", LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def restrict_calls() -> None:
    """Answer every way to another machine as a system without network does; sockets themselves do no harm.

    A message can't be told from one to a socket's own other end, so what sends one is refused altogether.
    """
    import ctypes

    machine = os.uname().machine
    if machine not in MACHINES:
        raise RefusedError(f"seccomp: the system calls of {machine} are not known")
    audit, numbers = MACHINES[machine]
    load, equal, not_below, end = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, audit),
        (end, 0, 0, KILL),
        (load, 0, 0, 0),
        (not_below, 0, 1, X32),
        (end, 0, 0, ERRNO | ENOSYS),
        (equal, 0, 1, IO_URING_SETUP),
        (end, 0, 0, ERRNO | ENOSYS),
    ]
    for name in ("connect", "sendmsg", "sendmmsg"):
        program += [(equal, 0, 1, numbers[name]), (end, 0, 0, ERRNO | ENETUNREACH)]
    # sendto, whose fifth argument is an address: both halves of it are 0 for a connected socket
    program += [(equal, 0, 5, numbers["sendto"]), (load, 0, 0, 48), (equal, 0, 2, 0)]
    program += [(load, 0, 0, 52), (equal, 1, 0, 0), (end, 0, 0, ERRNO | ENETUNREACH)]
    program += [(end, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    buffer = ctypes.create_string_buffer(filter_, len(filter_))
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(buffer), 0, 0)


# --- the process --------------------------------------------------------------------------------------------


ISOLATIONS = {"namespaces": enter_namespaces, "landlock": enter_landlock}
"""What goes before the audit hook, which Python has itself."""


def start(job: dict[str, object], isolation: str) -> subprocess.Popen[bytes]:
    """Start the importing process in an isolation; raises RefusedError."""
    places = {"task": "/var/task", "runtime": "/var/runtime", "layers": "/opt"}
    if isolation != "namespaces":
        places = {name: str(job[name]) for name in places}
    files = [str(job[name]) for name in ("report", "stacks")]
    descriptors = [] if WIN32 else [os.open(file, os.O_WRONLY | os.O_CREAT) for file in files]
    report, stacks = descriptors or files
    argument = {
        "report": report,
        "stacks": stacks,
        "limit": job["limit"],
        "handler": job["handler"],
        "writable": job["writable"] if isolation == "audit-hook" else [],
        "closed": list(places.values()) if isolation == "audit-hook" else [],
        "task": places["task"],
        "runtime": places["runtime"],
        "layers": [os.path.join(places["layers"], *path.split("/")) for path in job["layer_paths"]],  # type: ignore[attr-defined]
    }
    reading, writing = os.pipe()

    def isolate() -> None:
        try:
            ISOLATIONS[isolation](job)
            os.chdir("/")
        except Exception as error:
            os.write(writing, str(error).encode("utf-8", "replace"))
            raise

    try:
        return subprocess.Popen(
            [python(), "-s", "-S", "-B", "-c", str(job["program"]), json.dumps(argument)],
            env=environment(job, places),
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            cwd=os.sep,
            preexec_fn=None if isolation == "audit-hook" else isolate,
            start_new_session=not WIN32,
        )
    except (OSError, subprocess.SubprocessError) as error:
        os.close(writing)
        writing = -1
        words = os.read(reading, 4096).decode("utf-8", "replace") if not WIN32 else ""
        raise RefusedError(words or str(error)) from error
    finally:
        for descriptor in (reading, writing, *descriptors):
            if descriptor >= 0:
                os.close(descriptor)


def environment(job: dict[str, object], places: dict[str, str]) -> dict[str, str]:
    """Return Lambda's variables with the paths that it has here, and the user's own."""
    task, runtime, opt = places["task"], places["runtime"], places["layers"]
    # Python's own ones come first, as /var/lang/lib does
    libraries = [os.environ.get("LD_LIBRARY_PATH", ""), os.path.join(sys.base_prefix, "lib")]
    libraries += [*job["libraries"], runtime, f"{runtime}/lib", task, f"{task}/lib", f"{opt}/lib"]  # type: ignore[misc]
    lambdas = {
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": runtime,
        "PWD": task,
        "PATH": f"/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:{opt}/bin",
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
    }
    if WIN32:
        root = os.environ.get("SYSTEMROOT", "C:\\Windows")
        lambdas.update(SYSTEMROOT=root, PATH=f"{root}\\System32")
    if places["task"] != "/var/task":
        # on Lambda these are nowhere, and the user's own are no business of a bundle
        nowhere = os.path.join(str(job["root"]), "none")
        lambdas.update(AWS_CONFIG_FILE=nowhere, AWS_SHARED_CREDENTIALS_FILE=nowhere)
        if not has_home():
            lambdas["HOME"] = "/home/sbx_user1051"
    return {**lambdas, **job["environment"]}  # type: ignore[dict-item]


def has_home() -> bool:
    """Tell whether Python can say where this user's home is."""
    return os.path.expanduser("~") != "~"


class Watch:
    """Ends what runs at present when it is late, or when whoever started this is gone."""

    def __init__(self) -> None:
        self.abandoned = self.timed_out = False
        self._process: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._follow_lifeline, daemon=True).start()

    def wait(self, process: subprocess.Popen[bytes], limit: float) -> int:
        """Return the exit code of a process, which is killed after `limit` seconds."""
        self._process = process
        timer = threading.Timer(limit, self._end_late)
        timer.daemon = True
        timer.start()
        if self.abandoned:
            process.kill()
        status = process.wait()
        timer.cancel()
        end_descendants(process.pid)
        return status

    def _end_late(self) -> None:
        self.timed_out = True
        if self._process is not None:
            self._process.kill()

    def _follow_lifeline(self) -> None:
        sys.stdin.buffer.read()
        self.abandoned = True
        if self._process is not None:
            self._process.kill()


def main() -> None:
    """Do one job in the strongest isolation that holds, and write the verdict."""
    job = json.loads(sys.stdin.buffer.readline())
    refused: list[tuple[str, str]] = []
    verdict: dict[str, object] = {"isolation": None, "refused": refused, "status": None, "timed_out": False}
    if sys.platform == "linux":
        adopt_orphans()
    # an interpreter that is started can't fork safely beside a thread
    watch: Watch | None = None
    for isolation in job["isolations"]:
        try:
            job["python"] = python_folders() if isolation == "namespaces" else []
            process = start(job, isolation)
        except (RefusedError, OSError) as error:
            refused.append((isolation, str(error)))
            continue
        watch = watch or Watch()
        status = watch.wait(process, job["limit"] + GRACE)
        if watch.abandoned:
            break
        if watch.timed_out or os.path.getsize(job["report"]):
            verdict.update(isolation=isolation, status=status, timed_out=watch.timed_out)
            break
        refused.append((isolation, f"Python does not start there (exit code {status})"))
    with open(job["verdict"], "w", encoding="utf-8") as file:
        json.dump(verdict, file)
    os._exit(0)


def adopt_orphans() -> None:
    """Become the parent of all that the process leaves behind, so that it can be found (prctl(2))."""
    try:
        libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except RefusedError:
        return


def end_descendants(session: int) -> None:
    """End all that the process has started and left: on Linux they are now children of this one."""
    if WIN32:
        return
    with contextlib.suppress(OSError):
        os.killpg(session, signal.SIGKILL)
    deadline = time.monotonic() + GRACE
    while sys.platform == "linux" and time.monotonic() < deadline:
        for child in children():
            try:
                os.kill(child, signal.SIGKILL)
            except OSError:
                continue
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
        except ChildProcessError:
            return


def children() -> list[int]:
    """Return the processes that this one is the parent of (proc_pid_stat(5))."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
        except OSError:
            continue
        if name.isdecimal() and int(fields[1]) == os.getpid() and fields[0] != b"Z":
            found.append(int(name))
    return found


main()
