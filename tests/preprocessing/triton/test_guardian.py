"""The guardian, with programs simpler than tritonserver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from osteoserve_preprocessing.triton import guardian

Start = Callable[..., "subprocess.Popen[bytes]"]

#: Announces itself, ignores SIGTERM if told so, and has a child that would outlive it.
PROGRAM = """
import signal, subprocess, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"])
print("started", flush=True)
time.sleep(0 if "brief" in sys.argv else 1000)
sys.exit(7)
"""


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return f"osteoserve_test_{tmp_path.name}_"


@pytest.fixture
def start(tmp_path: Path, prefix: str) -> Iterator[Start]:
    started = []

    def start_guardian(*arguments: str) -> subprocess.Popen[bytes]:
        directory = tmp_path / "private"
        directory.mkdir()
        (guardian.SHARED_MEMORY / f"{prefix}segment").write_bytes(b"x")
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", guardian.__file__, str(directory), prefix),
                *(sys.executable, "-c", PROGRAM, *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        return process

    yield start_guardian
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
    guardian.remove_traces(tmp_path / "private", prefix)


def end_of(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a guardian, once every process below it has closed its output."""
    process.wait(20)
    assert process.stdout is not None
    assert process.stdout.read() == b""
    return process.returncode


def child_of(
    process: subprocess.Popen[bytes],
    processes_below: Callable[[int], list[Any]],
    wait_until: Callable[..., None],
) -> int:
    """The process that `PROGRAM` starts; for a moment after its start it has no command line."""

    def found() -> list[int]:
        below = processes_below(process.pid)
        return [each.pid for each in below if each.command.startswith("sleep")]

    wait_until(lambda: bool(found()), within_s=5)
    (child,) = found()
    return child


def assert_tidy(tmp_path: Path, prefix: str) -> None:
    assert list(tmp_path.iterdir()) == []
    assert list(guardian.SHARED_MEMORY.glob(f"{prefix}*")) == []


def test_ends_with_its_command(start: Start, tmp_path: Path, prefix: str) -> None:
    assert end_of(start("brief")) == 7
    assert_tidy(tmp_path, prefix)


def test_closed_input_ends_all_at_once(start: Start, tmp_path: Path, prefix: str) -> None:
    process = start("stubborn")
    assert process.stdin is not None
    process.stdin.close()
    assert end_of(process) == 128 + signal.SIGKILL
    assert_tidy(tmp_path, prefix)


def test_a_byte_ends_all_in_good_order(start: Start, tmp_path: Path, prefix: str) -> None:
    process = start()
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert end_of(process) == 128 + signal.SIGTERM
    assert_tidy(tmp_path, prefix)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_good_order(
    start: Start, tmp_path: Path, prefix: str, number: signal.Signals
) -> None:
    process = start()
    process.send_signal(number)
    assert end_of(process) == 128 + signal.SIGTERM
    assert_tidy(tmp_path, prefix)


def test_a_command_that_does_not_stop_is_killed(start: Start, tmp_path: Path, prefix: str) -> None:
    process = start("stubborn")
    process.send_signal(signal.SIGTERM)
    assert end_of(process) == 128 + signal.SIGKILL
    assert_tidy(tmp_path, prefix)


def test_a_child_that_the_command_does_not_miss_ends_it(
    start: Start,
    processes_below: Callable[[int], list[Any]],
    wait_until: Callable[..., None],
    tmp_path: Path,
    prefix: str,
) -> None:
    process = start("stubborn")
    child = child_of(process, processes_below, wait_until)
    os.kill(child, signal.SIGKILL)
    assert end_of(process) == 128 + signal.SIGKILL
    assert_tidy(tmp_path, prefix)


def test_its_own_death_kills_the_command(
    start: Start, processes_below: Callable[[int], list[Any]], wait_until: Callable[..., None]
) -> None:
    process = start("stubborn")
    below = processes_below(process.pid)
    (command,) = (found.pid for found in below if "print" in found.command)
    child = child_of(process, processes_below, wait_until)
    process.kill()
    wait_until(lambda: not Path(f"/proc/{command}/exe").exists(), within_s=5)
    os.kill(child, signal.SIGKILL)  # Triton's own stub ends by itself; a sleep does not


def test_traces_of_others_stay(tmp_path: Path, prefix: str) -> None:
    segment = guardian.SHARED_MEMORY / f"{prefix}segment"
    segment.write_bytes(b"x")
    try:
        guardian.remove_traces(tmp_path / "absent", f"{prefix}other")
        assert segment.exists()
    finally:
        segment.unlink()
