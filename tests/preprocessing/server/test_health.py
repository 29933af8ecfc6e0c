"""Health says SERVING only while an inference through Triton succeeds, and says so soon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.server.health import SERVICE_NAME, Health

MODEL = "edges"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def soon(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def status(address: str, name: str) -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status)


@pytest.mark.parametrize("name", ["", SERVICE_NAME, MODEL])
def test_a_service_whose_model_answers_is_serving(service: Any, name: str) -> None:
    assert status(service.address, name) == SERVING


def test_a_name_that_is_not_known_is_not_found(service: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        status(service.address, "no_such_model")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_nothing_is_serving_before_the_first_check() -> None:
    health = Health()
    assert health.status("") == NOT_SERVING
    await health.note({})
    assert health.status("") == NOT_SERVING, "a service without a model serves nothing"


async def test_one_model_that_fails_is_not_hidden_by_another() -> None:
    health = Health()
    await health.note({"a": True, "b": False})
    assert [health.status(name) for name in ("a", "b", "")] == [SERVING, NOT_SERVING, NOT_SERVING]
    await health.note({"a": True, "b": True})
    assert health.status("") == SERVING
    await health.drain()
    assert [health.status(name) for name in ("a", "b", "")] == [NOT_SERVING] * 3


async def test_every_watcher_is_told_whoever_leaves() -> None:
    health = Health()
    first, second = health.statuses(""), health.statuses("")
    assert [await anext(first), await anext(second)] == [NOT_SERVING, NOT_SERVING]
    await first.aclose()  # type: ignore[attr-defined]
    await health.note({"a": True})
    assert await anext(second) == SERVING
    await health.drain()
    assert [told async for told in second] == [NOT_SERVING]


def processes_below(parent: int) -> dict[int, str]:
    """Command line of every process that descends from another."""
    found: dict[int, str] = {}
    queue = [parent]
    while queue:
        # What has ended meanwhile has neither children nor a command line.
        with suppress(FileNotFoundError, ProcessLookupError):
            for children in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
                for child in map(int, children.read_text().split()):
                    queue.append(child)
                    found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
    return found


@pytest.fixture
def own_service(model_repository: Path) -> Iterator[tuple[str, int]]:
    """Address and process of a service with a Triton of its own, started by the command."""
    command = [sys.executable, "-m", "osteoserve_client", "serve", "--announce", "--port", "0"]
    with subprocess.Popen(
        [*command, "--repository", str(model_repository)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"], process.pid
        process.stdin.close()
        assert process.wait(40) == 0


@pytest.mark.slow
def test_health_follows_triton_down_and_up(own_service: tuple[str, int], volume: Volume) -> None:
    address, process = own_service
    assert status(address, "") == SERVING

    def is_down() -> bool:
        # A killed Triton is back within two seconds, which a check may miss: so none stays up.
        for pid, line in processes_below(process).items():
            if "bin/tritonserver" in line:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return bool(status(address, "") == NOT_SERVING)

    with ServiceClient(address) as client:
        before, _ = client.segment(volume, model=MODEL)
        assert soon(is_down, 20)
        assert soon(lambda: status(address, MODEL) == SERVING, 60)
        after, _ = client.segment(volume, model=MODEL)
    assert (after == before).all()
