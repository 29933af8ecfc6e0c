"""Triton, the process of a model, or the guardian of both is killed in the middle of work."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.errors import ServiceError, ServiceUnavailableError
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.inference.session import RETRY_DELAYS_S
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.faults.kills.conftest import MODEL, ONE_PLACE
from tests.faults.kills.held import HeldCall
from tests.faults.kills.service import Call, soon
from tests.traces import Traces


@pytest.mark.slow
@pytest.mark.parametrize("program", ["tritonserver", "stub", "guardian"])
def test_a_call_is_answered_rightly_or_ends_in_an_error_and_the_next_is_answered(
    start: Any, study: Volume, traces: Traces, rounds: int, program: str
) -> None:
    with start(**ONE_PLACE) as service:
        with service.client() as client:
            began = time.monotonic()
            expected, _ = client.segment(study, model=MODEL)
            duration = time.monotonic() - began
        assert expected.any()
        assert not expected.all()
        moments = random.Random(program)  # noqa: S311
        for _ in range(rounds):
            call = Call(service, study, MODEL)
            time.sleep(moments.random() * duration)
            pid = service.pid_of(program)
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            assert soon(partial(service.tells, program, pid), within_s=5), "health does not tell"
            assert soon(service.serving, within_s=30), "not back"
            call.join(60)
            if call.error is None:
                np.testing.assert_array_equal(call.labels, expected)
            else:
                assert isinstance(call.error, ServiceUnavailableError | ServiceError)
                assert call.ended - killed < 2 + sum(RETRY_DELAYS_S)
            # As any client: health may not have noticed yet, and then it is told to try again.
            with ServiceClient(service.address) as client:
                again, _ = client.segment(study, model=MODEL)
            np.testing.assert_array_equal(again, expected)
        service.stop()
    traces.check()


@pytest.mark.slow
def test_while_triton_stays_away_nobody_is_kept_waiting_for_long(
    start: Any, study: Volume, repository: Path
) -> None:
    """Who comes is told at once; who is in the middle waits while a restart is likely."""
    away = repository.with_name("away")
    with start() as service, HeldCall(service.address, study, MODEL) as call:
        repository.rename(away)
        os.kill(service.pid_of("tritonserver"), signal.SIGKILL)
        assert soon(lambda: not service.serving(), within_s=5)
        began = time.monotonic()
        with service.client() as client, pytest.raises(ServiceUnavailableError):
            client.segment(study, model=MODEL)
        assert time.monotonic() - began < 2
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            call.digest()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - began < 2 + sum(RETRY_DELAYS_S)
        away.rename(repository)
        assert soon(service.serving, within_s=30)
        with service.client() as client:
            assert client.segment(study, model=MODEL)[0].any()


@pytest.mark.slow
@pytest.mark.parametrize("program", ["tritonserver", "stub"])
def test_one_that_hangs_is_replaced_as_one_that_is_killed(
    start: Any, study: Volume, traces: Traces, program: str
) -> None:
    """Its connections stay open, and its process is there; so it takes a little longer to tell."""
    with start(**ONE_PLACE) as service:
        with service.client() as client:
            expected, _ = client.segment(study, model=MODEL)
        call = Call(service, study, MODEL)
        assert call.reaches(pb.Progress.STAGE_INFERENCE)
        os.kill(service.pid_of(program), signal.SIGSTOP)
        assert soon(lambda: not service.serving(), within_s=10), "health does not tell"
        assert soon(service.serving, within_s=30), "not back"
        call.join(60)
        if call.error is None:
            np.testing.assert_array_equal(call.labels, expected)
        else:
            assert isinstance(call.error, ServiceUnavailableError | ServiceError)
        with service.client() as client:
            np.testing.assert_array_equal(client.segment(study, model=MODEL)[0], expected)
        service.stop()
    traces.check()
