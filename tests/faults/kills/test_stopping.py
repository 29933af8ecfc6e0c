"""SIGTERM lets running calls end and takes no new ones; what comes after is told at once."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from osteoserve_client.errors import ServiceUnavailableError
from osteoserve_client.local_service import COMMAND
from osteoserve_preprocessing.geometry import Volume
from tests.faults.kills.conftest import FIRST, MODEL
from tests.faults.kills.held import HeldCall
from tests.faults.kills.service import soon
from tests.preprocessing.conftest import tree_below
from tests.traces import Traces


def test_a_running_call_is_answered_and_a_new_one_refused(
    start: Any, study: Volume, traces: Traces
) -> None:
    with start() as service:
        pid = service.process
        with HeldCall(service.address, study, MODEL) as running:
            service.send(signal.SIGTERM)
            assert soon(lambda: bool(service.log("draining")), within_s=10)
            began = time.monotonic()
            with service.client() as client, pytest.raises(ServiceUnavailableError):
                client.segment(study, model=MODEL)
            assert time.monotonic() - began < 2
            assert running.digest() == FIRST
        assert ended(pid, within_s=20) == 0
    traces.check()


def test_a_second_signal_does_not_wait_for_running_calls(
    start: Any, study: Volume, traces: Traces
) -> None:
    with start() as service:
        pid = service.process
        with HeldCall(service.address, study, MODEL) as running:
            service.send(signal.SIGTERM)
            assert soon(lambda: bool(service.log("draining")), within_s=10)
            service.send(signal.SIGTERM)
            with pytest.raises(grpc.RpcError):
                running.digest()
        assert ended(pid, within_s=20) == 0
        assert service.log("told to stop again")
    traces.check()


def test_a_service_that_is_starting_ends_without_having_started(
    repository: Path, traces: Traces, tmp_path: Path
) -> None:
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*COMMAND, "--repository", str(repository)], stdin=subprocess.PIPE, stderr=log
        ) as starting,
    ):
        assert soon(lambda: has_triton(starting.pid), within_s=60)
        starting.terminate()
        assert starting.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    traces.check()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_terminal_that_is_closed_ends_the_service(
    repository: Path,
    traces: Traces,
    external_triton: str,
    monkeypatch: pytest.MonkeyPatch,
    unbuffered: str,
) -> None:
    """SIGHUP means this, too, and only then."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "osteoserve_client", "serve", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_SESSION, *command, "--triton", external_triton],
        stdin=its,
        stdout=its,
        stderr=its,
    ) as service:
        os.close(its)
        assert read_until(ours, b"serving on")
        service.send_signal(signal.SIGHUP)
        assert read_until(ours, b"reloaded: ")
        os.close(ours)
        assert service.wait(20) == 0


#: Runs a command whose terminal is its standard input's.
IN_A_SESSION = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def read_until(terminal: int, word: bytes) -> bool:
    said = b""
    while word not in said:
        said += os.read(terminal, 4096)
    return True


def has_triton(pid: int) -> bool:
    return any("triton_python_backend_stub " in each.command for each in tree_below(pid))


def ended(pid: int, *, within_s: float) -> int:
    """Exit code of a child of ours, which somebody else reaps."""
    status: list[Any] = []

    def has() -> bool:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        status.append(found)
        return found is not None

    assert soon(has, within_s=within_s), "it does not end"
    assert status[-1].si_code == os.CLD_EXITED
    return int(status[-1].si_status)
