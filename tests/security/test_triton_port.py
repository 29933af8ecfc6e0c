"""What somebody else on this machine gets from the embedded Triton's port: nothing of others."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from osteoserve_client.local_service import LocalService
from tests.security.observation import COMMAND, listening_port

Headers = Iterable[tuple[bytes, bytes]]

SECRET = b"of somebody else"
MODEL = "unet_skeleton"


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the Triton inside a service as the command starts it."""
    with LocalService(command=(*COMMAND, "serve", *SERVE)) as service:
        yield f"127.0.0.1:{listening_port(service.process, 'tritonserver')}"


SERVE = ("--port", "0", "--announce", "--model", MODEL)


@pytest.fixture
def client(triton: str) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(triton) as connected:
        assert connected.is_model_ready(MODEL)
        yield connected


@pytest.fixture
def secret() -> Iterator[str]:
    """Name of a region of shared memory that belongs to another program."""
    region = shared_memory.SharedMemory(create=True, size=4096)
    region.buf[: len(SECRET)] = SECRET
    yield region.name
    region.close()
    region.unlink()


def test_shared_memory_of_others_is_not_opened(client: InferenceServerClient, secret: str) -> None:
    with pytest.raises(InferenceServerException, match="restricted"):
        client.register_system_shared_memory("mine", f"/{secret}", 4096)
    with pytest.raises(InferenceServerException, match="restricted"):
        client.get_system_shared_memory_status()
    with pytest.raises(InferenceServerException, match="restricted"):
        client.register_cuda_shared_memory("mine", b"aGFuZGxl", 0, 4096)
    slices = InferInput("slices", [1, 16, 16], "UINT8")
    slices.set_shared_memory("mine", 256)
    with pytest.raises(InferenceServerException, match="mine"):
        client.infer(MODEL, [slices])
    slices.set_data_from_numpy(np.zeros((1, 16, 16), np.uint8))
    labels = InferRequestedOutput("labels")
    labels.set_shared_memory("mine", 256)
    with pytest.raises(InferenceServerException, match="mine"):
        client.infer(MODEL, [slices], outputs=[labels])


def test_no_model_is_loaded_or_unloaded(client: InferenceServerClient, tmp_path: Path) -> None:
    with pytest.raises(InferenceServerException, match="not allowed"):
        client.unload_model(MODEL)
    with pytest.raises(InferenceServerException, match="not allowed"):
        client.load_model(MODEL)
    code = {"file:1/model.py": f"open({str(tmp_path / 'owned')!r}, 'w')".encode()}
    with pytest.raises(InferenceServerException, match="not allowed"):
        client.load_model("evil", config='{"backend": "python"}', files=code)
    assert client.is_model_ready(MODEL)
    assert list(tmp_path.iterdir()) == []


def test_nobody_has_requests_logged_or_traced(
    client: InferenceServerClient, tmp_path: Path
) -> None:
    trace = {"trace_level": ["TENSORS"], "trace_rate": "1", "trace_file": str(tmp_path / "trace")}
    with pytest.raises(InferenceServerException, match="restricted"):
        client.update_trace_settings(settings=trace)
    with pytest.raises(InferenceServerException, match="restricted"):
        client.update_log_settings({"log_verbose_level": 2})
    with pytest.raises(InferenceServerException, match="restricted"):
        client.update_log_settings({"log_file": str(tmp_path / "log")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nobody", "NOBODY", "Nobody"])
def test_the_header_that_would_open_them_cannot_be_sent(triton: str, name: str) -> None:
    """Not by a client that follows HTTP/2, and not by one that does not."""
    header = (f"triton-grpc-protocol-{name}".encode(), b"0")
    assert b"grpc-status\x010" in bare_call(triton, "ServerLive", ()), "the way of asking is right"
    answer = bare_call(triton, "SystemSharedMemoryStatus", (header,))
    assert b"grpc-status" in answer
    assert b"grpc-status\x010" not in answer


def bare_call(address: str, method: str, more: Headers) -> bytes:
    """One call with an empty message, over a bare socket, with whatever headers (RFC 9113)."""
    host, port = address.split(":")
    headers = (
        *((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"localhost")),
        (b":path", f"/inference.GRPCInferenceService/{method}".encode()),
        *((b"te", b"trailers"), (b"content-type", b"application/grpc")),
        *more,
    )
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)
    asked = (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        _frame(4, 0, 0, b""),  # SETTINGS
        _frame(1, 4, 1, block),  # HEADERS, all of them
        _frame(0, 1, 1, bytes(5)),  # DATA, the last: a message of no bytes
    )
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"".join(asked))
        while b"grpc-status" not in answer:
            received = connection.recv(1 << 16)
            if not received:
                break
            answer += received
    return answer


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: bytes) -> bytes:
    """As RFC 7541, section 5.2, writes text of up to 126 bytes."""
    return bytes([len(text)]) + text
