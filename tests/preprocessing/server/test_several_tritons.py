"""A service on two Tritons, one of which is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.core import Window
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.server.doctor import State
from osteoserve_preprocessing.triton import EmbeddedTriton
from tests.preprocessing.server.conftest import edges_model, write_model
from tests.preprocessing.server.test_doctor import examined

MODEL = "edges"


@pytest.fixture(scope="module")
def second(model_repository: Path) -> Iterator[EmbeddedTriton]:
    with EmbeddedTriton(model_repository) as started:
        yield started


def kill(one: EmbeddedTriton, processes_below: Callable[[int], list[Any]]) -> None:
    port = one.grpc_address.rpartition(":")[2]
    for process in processes_below(os.getpid()):
        if f"--grpc-port={port} " in process.command and "guardian" not in process.command:
            os.kill(process.pid, signal.SIGKILL)


def test_callers_do_not_notice_that_one_is_killed(
    start_session_service: Any,
    client: ServiceClient,
    triton: str,
    second: EmbeddedTriton,
    volume: Volume,
    processes_below: Callable[[int], list[Any]],
) -> None:
    expected, _ = client.segment(volume, model=MODEL)
    started = start_session_service({"triton": f"{triton},{second.grpc_address}"})
    with ServiceClient(started.address, retry_delays_s=()) as asking, ThreadPoolExecutor(1) as pool:
        killed = pool.submit(lambda: (time.sleep(0.5), kill(second, processes_below)))
        began = time.monotonic()
        while time.monotonic() < began + 4:
            labels, _ = asking.segment(volume, model=MODEL)
            np.testing.assert_array_equal(labels, expected)
            assert [model.name for model in asking.models()] == [MODEL]
            asking.wait_ready(0.1)
        killed.result()
    assert f"Triton {second.grpc_address}: connection: left out" in started.log
    assert "outcome=UNAVAILABLE" not in started.log


def test_the_doctor_looks_at_each_and_compares_them(
    triton: str, model_repository: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "models" / MODEL, edges_model(), window=Window(0, 500))
    with EmbeddedTriton(tmp_path / "models") as started:
        other = started.grpc_address
        url = f"{triton},127.0.0.1:1,{other}"
        code, findings = examined(
            "--port", "0", "--triton", url, "--repository", str(model_repository)
        )
    assert code == 4
    for place in (triton, other):
        assert findings[f"Triton at {place}"].state is State.OK
        assert findings[f"canary of {MODEL} at {place}"].state is State.OK
    assert findings["Triton at 127.0.0.1:1"].state is State.BROKEN
    differing = findings[f"{MODEL} at {other}"]
    assert differing.state is State.BROKEN
    assert differing.detail == f"differs from that at {triton}: window"
