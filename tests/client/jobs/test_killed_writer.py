"""What a store said was done is done, whenever its process is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from osteoserve_client.errors import JobStoreHeldError
from osteoserve_client.jobs import JobStore, State

WRITER = Path(__file__).with_name("writer.py")


def start(path: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, WRITER, path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child


def kill(child: subprocess.Popen[str]) -> str:
    child.send_signal(signal.SIGKILL)
    assert child.stdout is not None
    said = child.stdout.read()
    child.stdout.close()
    child.wait()
    # The last line may have been cut off in the middle.
    return said[: said.rfind("\n") + 1]


def test_nothing_that_was_said_is_lost_and_nothing_stays_running(
    tmp_path: Path, rounds: int
) -> None:
    path, draw = tmp_path / "jobs.sqlite", np.random.default_rng(7)
    expected: dict[str, str] = {}
    for _ in range(max(rounds, 4)):
        child = start(path)
        time.sleep(draw.uniform(0, 0.3))
        for line in kill(child).splitlines():
            state, key = line.split()
            expected[key] = state
        with JobStore(path) as store:
            jobs = {job.key: job for job in store.jobs()}
            assert store.counts()[State.RUNNING] == 0
        for key, state in expected.items():
            if state != "added":
                assert jobs[key].state == state
                assert jobs[key].digests == ({"output": key} if state == "done" else {})
            else:
                # It was added for certain; the kill may have come after it ended unsaid.
                assert key in jobs
        assert all(job.attempts <= 1 for job in jobs.values())
    assert expected


def test_a_second_process_is_told_that_the_store_is_held(tmp_path: Path) -> None:
    child = start(tmp_path / "jobs.sqlite")
    try:
        with pytest.raises(JobStoreHeldError) as refusal:
            JobStore(tmp_path / "jobs.sqlite")
    finally:
        kill(child)
    assert len(str(refusal.value).splitlines()) == 1
    JobStore(tmp_path / "jobs.sqlite").close()
