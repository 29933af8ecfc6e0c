"""Too many, too slow, or gone: none of them takes a place for long."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.errors import ServiceBusyError
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub

pytestmark = pytest.mark.alone

MODEL = "edges"


class HeldCall:
    """A call that has sent its header and half of its voxels, and then nothing more."""

    def __init__(self, stub: Any, volume: Volume) -> None:
        self._volume = volume
        self._end = threading.Event()
        self.responses = stub.Segment(self._messages(), timeout=30)

    def _messages(self) -> Iterator[pb.SegmentRequest]:
        head = pb.VolumeHeader(
            geometry=geometry_to_message(self._volume.geometry),
            element_type=pb.ELEMENT_TYPE_INT16,
            modality=pb.MODALITY_CT,
        )
        yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model=MODEL))
        yield pb.SegmentRequest(chunk=self._volume.voxels[:6].tobytes())
        self._end.wait(30)

    def until_received(self) -> None:
        """Wait until the service holds a place for it."""
        for response in self.responses:
            if response.progress.stage == pb.Progress.STAGE_RECEIVING:
                return

    def cancel(self) -> None:
        self.responses.cancel()
        self._end.set()

    def outcome(self) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as caught:
            for _ in self.responses:
                pass
        self._end.set()
        code: grpc.StatusCode = caught.value.code()
        return code


@pytest.fixture
def hold(narrow_service: Any, volume: Volume) -> Iterator[Callable[[], HeldCall]]:
    held: list[HeldCall] = []
    with grpc.insecure_channel(narrow_service.address) as channel:
        stub = PreprocessingServiceStub(channel)

        def start() -> HeldCall:
            held.append(HeldCall(stub, volume))
            return held[-1]

        yield start
        for call in held:
            call.cancel()
    # Places are given in order: once this call had one, the log has a line for all before it.
    with ServiceClient(narrow_service.address) as client:
        assert soon(lambda: answers(client, volume), seconds=20)


@pytest.fixture
def narrow_client(narrow_service: Any) -> Iterator[ServiceClient]:
    with ServiceClient(narrow_service.address, timeout_s=30) as client:
        yield client


def enlarged(volume: Volume) -> Volume:
    """48 slices of 384x512, side by side what was there."""
    voxels = np.tile(volume.voxels, (4, 8, 8))
    return Volume(voxels, Geometry(voxels.shape, volume.geometry.spacing))


def whole(volume: Volume) -> Iterator[pb.SegmentRequest]:
    """All messages of a request."""
    head = pb.VolumeHeader(
        geometry=geometry_to_message(volume.geometry),
        element_type=pb.ELEMENT_TYPE_INT16,
        modality=pb.MODALITY_CT,
    )
    yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model=MODEL))
    for frame in frames(volume.voxels):
        if isinstance(frame, bytes):
            yield pb.SegmentRequest(chunk=frame)
        else:
            yield pb.SegmentRequest(trailer=frame)


def answers(client: ServiceClient, volume: Volume) -> bool:
    try:
        client.segment(volume, model=MODEL)
    except ServiceBusyError:
        return False
    return True


def soon(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_flood_is_refused_at_once_with_a_hint(
    hold: Callable[[], HeldCall], narrow_client: ServiceClient, volume: Volume
) -> None:
    running = hold()
    running.until_received()
    queued = hold()
    time.sleep(0.2)  # until it has arrived, of which the service tells nobody
    began = time.monotonic()
    with pytest.raises(ServiceBusyError, match="try again in 3 s"):
        narrow_client.segment(volume, model=MODEL)
    assert time.monotonic() - began < 0.7, "refused only when the other call's patience ended"
    # Small calls and health are answered none the less.
    assert narrow_client.models()
    narrow_client.wait_ready(5)
    del queued


def test_a_stopped_client_loses_its_place(
    hold: Callable[[], HeldCall], narrow_client: ServiceClient, volume: Volume
) -> None:
    stopped = hold()
    stopped.until_received()
    began = time.monotonic()
    labels, _ = narrow_client.segment(volume, model=MODEL)  # waits in the queue
    assert labels.any()
    assert time.monotonic() - began < 5
    assert stopped.outcome() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_cancelled_call_frees_its_place_at_once(
    hold: Callable[[], HeldCall], narrow_service: Any, narrow_client: ServiceClient, volume: Volume
) -> None:
    calls = [hold(), hold()]
    calls[0].until_received()
    before = len(narrow_service.calls())
    for call in calls:
        call.cancel()
    # The second may be gone before the service has heard of it.
    assert soon(lambda: len(narrow_service.calls()) > before, seconds=0.8)
    # To the one that reads, the stream of a caller who is gone may just end.
    outcomes = ("outcome=CANCELLED", "outcome=INVALID_ARGUMENT")
    assert all(any(o in line for o in outcomes) for line in narrow_service.calls()[before:])
    assert narrow_client.segment(volume, model=MODEL)[0].any()


@pytest.mark.parametrize("stage", [pb.Progress.STAGE_PREPROCESSING, pb.Progress.STAGE_INFERENCE])
def test_a_call_that_is_cancelled_while_it_computes_stops_and_frees_its_place(
    narrow_service: Any, narrow_client: ServiceClient, volume: Volume, stage: int
) -> None:
    before = len(narrow_service.calls())
    with grpc.insecure_channel(narrow_service.address) as channel:
        call = PreprocessingServiceStub(channel).Segment(whole(enlarged(volume)), timeout=60)
        assert any(response.progress.stage == stage for response in call)
        call.cancel()
        assert soon(lambda: len(narrow_service.calls()) > before)
    (line,) = narrow_service.calls()[before:]
    assert "outcome=CANCELLED" in line
    assert narrow_client.segment(volume, model=MODEL)[0].any()


KILLED = """
import sys, time, numpy as np
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
import grpc

voxels = np.full((12, 48, 64), -1000, dtype=np.int16)

def messages():
    head = pb.VolumeHeader(geometry=geometry_to_message(Geometry(voxels.shape, (2, 1, 1))),
                           element_type=pb.ELEMENT_TYPE_INT16, modality=pb.MODALITY_CT)
    yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model="edges"))
    # Every byte; only the trailer is missing.
    yield pb.SegmentRequest(chunk=voxels.tobytes())
    time.sleep(30)

stub = PreprocessingServiceStub(grpc.insecure_channel(sys.argv[1]))
for response in stub.Segment(messages()):
    print(response.progress.stage, flush=True)
"""


def test_a_killed_uploader_computes_nothing_and_loses_its_place(
    narrow_service: Any, narrow_client: ServiceClient, volume: Volume
) -> None:
    before = len(narrow_service.calls())
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, narrow_service.address], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) == pb.Progress.STAGE_RECEIVING
        time.sleep(0.1)
        child.kill()
    assert soon(lambda: len(narrow_service.calls()) > before)
    (line,) = narrow_service.calls()[before:]
    assert "outcome=CANCELLED" in line or "outcome=INVALID_ARGUMENT" in line
    assert "shape=12x48x64" in line
    assert "inference=" not in line
    assert narrow_client.segment(volume, model=MODEL)[0].any()


def test_a_client_that_takes_no_answer_loses_its_place(
    narrow_service: Any, narrow_client: ServiceClient, volume: Volume
) -> None:
    """Its answer is larger than what the transport holds for a reader that does not read."""
    before = len(narrow_service.calls())
    with grpc.insecure_channel(narrow_service.address) as channel:
        call = PreprocessingServiceStub(channel).Segment(whole(enlarged(volume)), timeout=60)
        assert soon(lambda: len(narrow_service.calls()) > before, seconds=30)
        assert "outcome=DEADLINE_EXCEEDED" in narrow_service.calls()[before]
        call.cancel()
    assert narrow_client.segment(volume, model=MODEL)[0].any()
