"""The embedded Triton: a real tritonserver, from start to the last trace of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton import EmbeddedTriton
from osteoserve_preprocessing.triton.guardian import SHARED_MEMORY
from osteoserve_preprocessing.triton.repository import model_folders
from osteoserve_preprocessing.triton.supervisor import PROBE_PERIOD_S

WaitUntil = Callable[..., None]
ProcessesBelow = Callable[[int], list[Any]]


def answers(address: str) -> bool:
    slices = np.full((1, 16, 16), 255, np.uint8)
    tensor = InferInput("slices", [1, 16, 16], "UINT8")
    tensor.set_data_from_numpy(slices)
    client = InferenceServerClient(address)
    try:
        labels = client.infer("box", [tensor], client_timeout=5).as_numpy("labels")
    except InferenceServerException:
        return False
    finally:
        client.close()
    return labels is not None and bool(labels.all())


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, write_model: Any) -> Path:
    folder = tmp_path_factory.mktemp("one-model")
    write_model(folder / "box")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def triton(repository: Path, home: Path) -> Iterator[EmbeddedTriton]:
    """One that the tests may harm, so long as it recovers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        with EmbeddedTriton(repository, log=repository.parent / "triton.log") as embedded:
            yield embedded


def pid_of(program: str, processes_below: ProcessesBelow) -> int:
    """Process id of the tritonserver, or of its stub, of the fixture above."""
    mine = [
        process.pid
        for process in processes_below(os.getpid())
        if program in process.command.split()[0] and "one-model" in process.command
    ]
    assert len(mine) == 1
    return int(mine[0])


def test_serves_and_says_so(triton: EmbeddedTriton) -> None:
    assert triton.alive
    assert answers(triton.grpc_address)


@pytest.mark.parametrize("program", ["tritonserver", "triton_python_backend_stub"])
def test_recovers_from_the_death_of_a_process(
    triton: EmbeddedTriton,
    processes_below: ProcessesBelow,
    wait_until: WaitUntil,
    program: str,
) -> None:
    address = triton.grpc_address
    os.kill(pid_of(program, processes_below), signal.SIGKILL)
    wait_until(lambda: not answers(address), within_s=5)
    wait_until(lambda: triton.alive and answers(address), within_s=30)
    assert triton.grpc_address == address


def test_recovers_from_the_death_of_its_guardian(
    triton: EmbeddedTriton, processes_below: ProcessesBelow, wait_until: WaitUntil
) -> None:
    server = pid_of("tritonserver", processes_below)
    stub = pid_of("triton_python_backend_stub", processes_below)
    (guardian,) = [
        process.pid
        for process in processes_below(os.getpid())
        if "guardian.py" in process.command and "one-model" in process.command
    ]
    os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{server}").exists(), within_s=5)
    wait_until(lambda: not Path(f"/proc/{stub}").exists(), within_s=5)
    wait_until(lambda: triton.alive and answers(triton.grpc_address), within_s=30)


@pytest.mark.slow
def test_goes_on_trying_while_a_restart_fails(
    triton: EmbeddedTriton, repository: Path, processes_below: ProcessesBelow, wait_until: WaitUntil
) -> None:
    file = repository / "box" / "1" / "model.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    try:
        os.kill(pid_of("tritonserver", processes_below), signal.SIGKILL)
        wait_until(lambda: not triton.alive, within_s=5)
        with pytest.raises(AssertionError, match="did not happen"):
            wait_until(lambda: triton.alive or answers(triton.grpc_address), within_s=4)
    finally:
        file.write_bytes(content)
    wait_until(lambda: triton.alive and answers(triton.grpc_address), within_s=30)


def test_nobody_else_can_read_what_goes_through_shared_memory(
    triton: EmbeddedTriton, processes_below: ProcessesBelow
) -> None:
    words = [
        word
        for process in processes_below(os.getpid())
        if "one-model" in process.command
        for word in process.command.split()
    ]
    (prefix,) = {word for word in words if re.fullmatch(r"osteoserve_[0-9a-f]+_", word)}
    segments = list(SHARED_MEMORY.glob(f"{prefix}*"))
    assert answers(triton.grpc_address)
    assert segments
    assert {segment.stat().st_mode & 0o077 for segment in segments} == {0}


def test_models_that_come_and_go_on_disk_change_nothing(
    tmp_path: Path, write_model: Any, processes_below: ProcessesBelow
) -> None:
    write_model(tmp_path / "models" / "box")
    with EmbeddedTriton(tmp_path / "models") as embedded:
        processes = {process.pid for process in processes_below(os.getpid())}
        write_model(tmp_path / "models" / "new")
        shutil.rmtree(tmp_path / "models" / "box")
        time.sleep(2 * PROBE_PERIOD_S)
        assert embedded.alive
        assert answers(embedded.grpc_address)
        assert {process.pid for process in processes_below(os.getpid())} == processes


def test_speaks_on_loopback_alone(triton: EmbeddedTriton, processes_below: ProcessesBelow) -> None:
    server = pid_of("tritonserver", processes_below)
    pids = [server, *(process.pid for process in processes_below(server))]
    sockets = [entry for pid in pids for entry in tcp_sockets(pid)]
    port = int(triton.grpc_address.rpartition(":")[2])
    assert {local for local, _, listening in sockets if listening} == {("127.0.0.1", port)}
    assert {host for local, remote, _ in sockets for host, _ in (local, remote)} <= {
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104  # of no remote, where a socket listens
    }


def test_writes_nothing_into_the_home_folder(triton: EmbeddedTriton, home: Path) -> None:
    """OpenVINO's telemetry would leave its identity there before it reports."""
    assert answers(triton.grpc_address)
    assert list(home.rglob("*")) == []


def test_stop_leaves_nothing(repository: Path, no_trace_left: Callable[[], None]) -> None:
    with EmbeddedTriton(repository) as embedded:
        address = embedded.grpc_address
        assert answers(address)
    no_trace_left()
    assert not embedded.alive
    assert not answers(address)


def test_serves_the_models_that_are_asked_for(
    repository: Path, tmp_path: Path, write_model: Any, no_trace_left: Callable[[], None]
) -> None:
    write_model(tmp_path / "both" / "box")
    write_model(tmp_path / "both" / "other")
    with EmbeddedTriton(tmp_path / "both", models=["box"]) as embedded:
        assert answers(embedded.grpc_address)
        with InferenceServerClient(embedded.grpc_address) as client:
            assert not client.is_model_ready("other")
    no_trace_left()
    assert model_folders(tmp_path / "both"), "the models themselves are still there"


def test_can_be_started_again_after_a_stop(
    repository: Path, no_trace_left: Callable[[], None]
) -> None:
    embedded = EmbeddedTriton(repository)
    embedded.start()
    with pytest.raises(TritonStartError, match="already"):
        embedded.start()
    embedded.stop()
    embedded.stop()
    embedded.start()
    assert answers(embedded.grpc_address)
    embedded.stop()
    no_trace_left()


def tcp_sockets(pid: int) -> list[tuple[tuple[str, int], tuple[str, int], bool]]:
    """Local end, remote end and whether it listens, of every TCP socket of a process."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        if found:
            inodes.add(found[1])
    entries = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                entries.append((_end(fields[1]), _end(fields[2]), fields[3] == "0A"))
    return entries


def _end(text: str) -> tuple[str, int]:
    """An address of /proc/net/tcp; an IPv4 address in IPv6 is the IPv4 address."""
    host, port = text.split(":")
    last = bytes.fromhex(host)[-4:][::-1]
    return socket.inet_ntoa(last), int(port, 16)
