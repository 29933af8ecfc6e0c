"""``osteoserve serve`` starts, says so, and ends, leaving nothing behind."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

MODEL = "edges"
SERVE = (sys.executable, "-m", "osteoserve_client", "serve")


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running command and the line that it printed."""
    with subprocess.Popen(
        [*SERVE, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def refused(*options: str) -> tuple[int, str]:
    """Exit code and standard error of a command that does not start."""
    ended = subprocess.run(
        [*SERVE, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_it_announces_where_it_serves_and_ends_with_its_standard_input(triton: str) -> None:
    with serving("--announce", "--port", "0", "--triton", triton) as (process, line):
        assert list(line) == ["address"]
        with ServiceClient(line["address"]) as client:
            client.wait_ready(0)
            assert [model.name for model in client.models()] == [MODEL]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_when_told_to(triton: str, number: signal.Signals) -> None:
    with serving("--json", "--port", "0", "--triton", triton) as (process, _):
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_running_call_may_end_before_the_service_does(triton: str, volume: Volume) -> None:
    large = np.tile(volume.voxels, (4, 6, 6))
    study = Volume(large, Geometry(large.shape, (2.0, 0.9, 0.9)))
    answers: list[Any] = []
    with serving("--json", "--port", "0", "--triton", triton) as (process, line):
        computing = threading.Event()

        def told(progress: pb.Progress) -> None:
            if progress.stage >= pb.Progress.STAGE_PREPROCESSING:
                computing.set()

        def call() -> None:
            with ServiceClient(line["address"], retry_delays_s=()) as client:
                answers.append(client.segment(study, model=MODEL, on_progress=told))

        caller = threading.Thread(target=call)
        caller.start()
        assert computing.wait(20)
        process.terminate()
        caller.join(30)
        assert process.wait(10) == 0
    ((labels, _),) = answers
    assert labels.any()


def test_a_port_that_is_taken_is_refused_before_anything_starts(model_repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = refused("--port", port, "--repository", str(model_repository))
    assert (code, said) == (2, f"osteoserve: port {port} on 127.0.0.1 is taken\n")


def test_only_loopback_is_listened_on(triton: str) -> None:
    code, said = refused("--host", "0.0.0.0", "--triton", triton)  # noqa: S104 - is refused
    assert code == 2
    assert "not loopback" in said
    assert len(said.splitlines()) == 1


def test_an_empty_repository_is_refused_in_one_line(tmp_path: Path) -> None:
    code, said = refused("--port", "0", "--repository", str(tmp_path))
    assert code == 4
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


def test_a_damaged_model_is_refused_with_its_name(model_repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(model_repository, copy)
    path = copy / MODEL / "1" / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, said = refused("--port", "0", "--repository", str(copy))
    assert code == 4
    assert MODEL in said
    assert len(said.splitlines()) == 1


REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def reflected(address: str) -> set[str]:
    """Names of the services that reflection lists."""
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            REFLECTION,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = call(iter([question]), timeout=5)
    return {service.name for service in answer.list_services_response.service}


def test_reflection_is_off_unless_asked_for(service: Any, triton: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        reflected(service.address)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with serving("--json", "--port", "0", "--triton", triton, "--reflection") as (_, line):
        assert "osteoserve.preprocessing.v1.PreprocessingService" in reflected(line["address"])


def test_help_is_quick() -> None:
    """No gRPC, no NumPy, no SciPy for a question about options."""
    program = (
        "import sys; from click.testing import CliRunner; "
        "from osteoserve_preprocessing.server.cli import doctor, serve; "
        "assert CliRunner().invoke(serve, ['--help']).exit_code == 0; "
        "assert CliRunner().invoke(doctor, ['--help']).exit_code == 0; "
        "print([m for m in ('grpc', 'numpy', 'scipy', 'tritonclient') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout == "[]\n", ended.stderr


@pytest.mark.slow
def test_a_killed_client_takes_its_embedded_service_along(
    model_repository: Path, tmp_path: Path
) -> None:
    """Neither the service nor its Triton outlives a parent that dies without a word."""
    program = (
        "import sys, time; from osteoserve_client.local_service import COMMAND, LocalService; "
        f"command = (*COMMAND, '--repository', {str(model_repository)!r}); "
        "local = LocalService(command=command).__enter__(); "
        "print(local._child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        service = int(parent.stdout.readline())
        family = descendants(service)
        assert any("tritonserver" in line for line in family.values())
        parent.kill()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in [service, *family]):
        assert time.monotonic() < deadline, "left behind"
        time.sleep(0.1)


def descendants(parent: int) -> dict[int, str]:
    found: dict[int, str] = {}
    queue = [parent]
    while queue:
        for children in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
                queue.append(child)
    return found


@pytest.mark.slow
def test_an_embedded_service_of_the_client_serves(model_repository: Path, volume: Volume) -> None:
    command = (*SERVE, "--announce", "--port", "0", "--repository", str(model_repository))
    with LocalService(command=command) as local, ServiceClient(local.address) as client:
        labels, report = client.segment(volume, model=MODEL)
    assert labels.any()
    assert report.model.name == MODEL
