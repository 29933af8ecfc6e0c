"""The service is killed in the middle of work, alone or with the guardian of its Triton."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import numpy as np
import pytest

from osteoserve_client.errors import ServiceError, ServiceUnavailableError
from osteoserve_preprocessing.geometry import Volume
from tests.faults.kills.conftest import MODEL
from tests.faults.kills.service import Call
from tests.preprocessing.conftest import all_processes
from tests.traces import SHARED_MEMORY, Traces


@pytest.mark.slow
def test_its_caller_is_told_within_two_seconds_and_nothing_is_left(
    start: Any, study: Volume, traces: Traces, rounds: int
) -> None:
    moments = random.Random(1)  # noqa: S311
    expected, duration = None, 1.0
    for _ in range(rounds):
        with start() as service:
            if expected is None:
                began = time.monotonic()
                with service.client() as client:
                    expected, _ = client.segment(study, model=MODEL)
                duration = time.monotonic() - began
            call = Call(service, study, MODEL)
            time.sleep(moments.random() * duration)
            service.send(signal.SIGKILL)
            killed = time.monotonic()
            call.join(10)
            if call.error is None:
                np.testing.assert_array_equal(call.labels, expected)
            else:
                assert isinstance(call.error, ServiceUnavailableError | ServiceError)
                assert call.ended - killed < 2
        traces.check()


@pytest.mark.slow
def test_what_nobody_could_tidy_is_tidied_by_the_next_start(
    start: Any, traces: Traces, private: Any
) -> None:
    with start() as service:
        guardian, stub = service.pid_of("guardian"), service.pid_of("stub")
        (command,) = (each.command for each in all_processes() if each.pid == guardian)
        prefix = next(word for word in command.split() if word.startswith("osteoserve_"))
        for pid in (service.process, guardian):
            os.kill(pid, signal.SIGSTOP)  # so that neither sees the other die
        for pid in (service.process, guardian, stub):
            os.kill(pid, signal.SIGKILL)
    assert list(private.iterdir()), "nothing was left to tidy"
    assert list(SHARED_MEMORY.glob(f"{prefix}*"))
    with start():
        assert len(list(private.glob("osteoserve-run-*"))) == 1
        assert not list(SHARED_MEMORY.glob(f"{prefix}*"))
    traces.check()


def test_a_run_that_goes_on_is_not_tidied(start: Any, study: Volume) -> None:
    with start() as first, start() as second:
        for service in (first, second):
            with service.client() as client:
                assert client.segment(study, model=MODEL)[0].any()
