"""Keeps one tritonserver from outliving the process that wanted it, however that one ends.

Run by path, as a process of its own between the two, with the standard library alone:

    python guardian.py DIRECTORY SHM_PREFIX COMMAND...

Standard input is a pipe from the parent: a byte there, SIGTERM or SIGINT end the server in good
order; end of file (a parent killed with SIGKILL closes the pipe too) or another parent process id
end it at once. So does the end of the server itself, and that of a child which it does not miss:
without a model's process it answers errors for ever, and says that it is ready. Whatever it started
is killed with it, then DIRECTORY and the segments of shared memory whose names begin with
SHM_PREFIX are removed. The exit status is the server's, 128 and more for a signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

#: Seconds that the server gets to end in good order; it needs about one.
GRACE_S = 5.0

#: Seconds between two looks at the server and the parent.
PERIOD_S = 0.25

#: Where Triton's Python backend puts its segments of shared memory.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STDIN = 0

_signals_received: list[int] = []


def guard(directory: Path, shm_prefix: str, command: list[str]) -> int:
    """Run a command until it ends or is to end; see the module's text."""
    parent = os.getppid()
    # Processes that the server leaves behind become children of ours, to be killed and reaped.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            cwd=directory,
            start_new_session=True,
            preexec_fn=_die_with_guardian,  # safe: this process has one thread
        )
        if _watch(server, parent, shm_prefix):
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(GRACE_S)
        _kill_all(server)
        return server.returncode
    finally:
        remove_traces(directory, shm_prefix)


def remove_traces(directory: Path, shm_prefix: str) -> None:
    """Remove a server's processes, its private directory and its segments of shared memory.

    A guardian that ends by itself has killed the processes. When it was killed, tritonserver was
    killed with it, but a model's process may wait for ever for a lock that tritonserver held.
    """
    for pid in _processes_of(shm_prefix):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    for segment in SHARED_MEMORY.glob(f"{shm_prefix}*"):
        segment.unlink(missing_ok=True)


def _processes_of(shm_prefix: str) -> list[int]:
    """Triton's processes that were started with this prefix, which no other has."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may end, or belong to somebody else.
        with contextlib.suppress(OSError):
            ours = shm_prefix.encode() in (folder / "cmdline").read_bytes()
            if ours and (folder / "comm").read_text().startswith("triton"):
                found.append(int(folder.name))
    return found


def _watch(server: subprocess.Popen[bytes], parent: int, shm_prefix: str) -> bool:
    """Wait until the server ends or is to end; whether somebody waits for its good order."""
    unnoticed: set[str] = set()
    while server.poll() is None:
        readable, _, _ = select.select([_STDIN], [], [], PERIOD_S)
        if readable:
            return os.read(_STDIN, 1) != b""
        if os.getppid() != parent:
            return False
        if _signals_received:
            return True
        _close_to_others(shm_prefix)
        # Seen twice, since a server that ends its children itself takes a moment to reap them.
        before, unnoticed = unnoticed, _ended_children(server.pid)
        if before & unnoticed:
            sys.stderr.write("a model's process has ended: Triton is ended with it\n")
            return False
    return False


def _close_to_others(shm_prefix: str) -> None:
    """Let no other user read the segments, which will hold voxels.

    Triton makes them readable whatever the umask says, when it loads a model: a second and more
    before the first request.
    """
    for segment in SHARED_MEMORY.glob(f"{shm_prefix}*"):
        with contextlib.suppress(FileNotFoundError):
            segment.chmod(0o600)


def _ended_children(parent: int) -> set[str]:
    """Ids of a process' children that have ended, and that it has not reaped."""
    ended = set()
    for listing in Path(f"/proc/{parent}/task").glob("*/children"):
        # Threads and children may be gone before they are read.
        with contextlib.suppress(OSError):
            for child in listing.read_text().split():
                state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
                if state in "ZX":
                    ended.add(child)
    return ended


def _kill_all(server: subprocess.Popen[bytes]) -> None:
    """Kill the server's process group, and reap it and every process that it left behind."""
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _die_with_guardian() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: _signals_received.append(received))
    status = guard(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    sys.exit(status if status >= 0 else 128 - status)
