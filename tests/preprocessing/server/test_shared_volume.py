"""A caller of the same machine need not send its volume, and is answered as if it had."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.shared_memory import empty_shareable, reference_to
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import chunks, geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from osteoserve_preprocessing.v1.shared_volume import agreed, offer
from tests.preprocessing.server.test_orientations import ORIENTATIONS, reordered_volume

MODEL = "edges"


def shareable(volume: Volume) -> Volume:
    """The same volume as reading would give it."""
    voxels = empty_shareable(volume.voxels.shape, np.int16)
    voxels[...] = volume.voxels
    return Volume(voxels, volume.geometry)


def comparable(report: pb.SegmentReport) -> pb.SegmentReport:
    """A report without what differs from call to call."""
    report.ClearField("stages")
    report.ClearField("request_id")
    return report


def test_an_answer_to_shared_memory_is_that_to_chunks_in_every_orientation(
    client: ServiceClient, volume: Volume
) -> None:
    for axes, flips in ORIENTATIONS:
        sent = reordered_volume(volume, axes, flips)
        shared = shareable(sent)
        expected, expected_report = client.segment(sent, model=MODEL)
        labels, report = client.segment(shared, model=MODEL)
        assert reference_to(labels), "it was sent after all"
        assert reference_to(expected) is None
        assert np.array_equal(labels, expected), (axes, flips)
        assert comparable(report) == comparable(expected_report)
        assert np.array_equal(shared.voxels, sent.voxels)


def test_labels_of_an_earlier_call_stay_as_they_are(client: ServiceClient, volume: Volume) -> None:
    shared = shareable(volume)
    first, _ = client.segment(shared, model=MODEL)
    before = first.copy()
    shared.voxels[...] = -1000
    shared.voxels[:, 20:28] = 40
    second, _ = client.segment(shared, model=MODEL)
    assert np.array_equal(first, before)
    assert not np.array_equal(second, before)


def test_who_does_not_want_it_sends(
    start_session_service: Any, service: Any, client: ServiceClient, volume: Volume
) -> None:
    expected, _ = client.segment(volume, model=MODEL)
    closed = start_session_service({"shared_memory": False})
    for address, wanted in ((closed.address, True), (service.address, False)):
        with ServiceClient(address, share_memory=wanted) as asking:
            labels, _ = asking.segment(shareable(volume), model=MODEL)
        assert reference_to(labels) is None
        assert np.array_equal(labels, expected)


class Call:
    """A call whose messages are made by hand."""

    def __init__(self, address: str, volume: Volume) -> None:
        self.volume = shareable(volume)
        self.labels = empty_shareable(volume.voxels.shape, np.uint8)
        self.header = pb.SegmentHeader(
            volume=pb.VolumeHeader(
                geometry=geometry_to_message(volume.geometry),
                element_type=pb.ELEMENT_TYPE_INT16,
                modality=pb.MODALITY_CT,
            ),
            model=MODEL,
            shared=offer(self.volume.voxels, self.labels),
        )
        self.trailer = pb.Trailer(
            byte_count=volume.voxels.nbytes,
            sha256=hashlib.sha256(self.volume.voxels.data).digest(),
        )
        self._channel = grpc.insecure_channel(address)

    def ask(self, *messages: pb.SegmentRequest) -> tuple[bool, list[pb.SegmentResponse]]:
        """Whether the memory was shared, and the answer."""
        with self._channel as channel:
            call = PreprocessingServiceStub(channel).Segment(
                iter([pb.SegmentRequest(header=self.header), *messages]), timeout=30
            )
            return agreed(call.initial_metadata()), list(call)


@pytest.fixture
def call(service: Any, volume: Volume) -> Iterator[Call]:
    return Call(service.address, volume)


def sent(call: Call) -> list[pb.SegmentRequest]:
    """Its volume in chunks, with the trailer."""
    parts = [pb.SegmentRequest(chunk=chunk) for chunk in chunks(call.volume.voxels)]
    return [*parts, pb.SegmentRequest(trailer=call.trailer)]


def with_a_wrong_secret(call: Call) -> None:
    call.header.shared.voxels.secret = bytes(16)


def with_a_wrong_secret_of_labels(call: Call) -> None:
    call.header.shared.labels.secret = bytes(16)


def with_the_volume_in_place_of_labels(call: Call) -> None:
    call.header.shared.labels.CopyFrom(call.header.shared.voxels)


def without_labels(call: Call) -> None:
    call.header.shared.ClearField("labels")


@pytest.mark.parametrize(
    "spoil",
    [
        with_a_wrong_secret,
        with_a_wrong_secret_of_labels,
        with_the_volume_in_place_of_labels,
        without_labels,
    ],
)
def test_an_offer_that_the_service_cannot_take_is_passed_over(
    call: Call, client: ServiceClient, volume: Volume, spoil: Callable[[Call], None]
) -> None:
    expected, _ = client.segment(volume, model=MODEL)
    spoil(call)
    shared, answer = call.ask(*sent(call))
    assert not shared
    assert b"".join(each.chunk for each in answer) == expected.tobytes()
    assert np.array_equal(call.volume.voxels, volume.voxels)


def test_a_trailer_follows_the_header(call: Call, client: ServiceClient, volume: Volume) -> None:
    expected, _ = client.segment(volume, model=MODEL)
    shared, answer = call.ask(pb.SegmentRequest(trailer=call.trailer))
    assert shared
    assert not any(each.chunk for each in answer)
    assert answer[-1].trailer.byte_count == expected.nbytes
    assert np.array_equal(call.labels, expected)


def of_other_voxels(call: Call) -> list[pb.SegmentRequest]:
    call.trailer.sha256 = hashlib.sha256(b"other").digest()
    return [pb.SegmentRequest(trailer=call.trailer)]


def of_fewer_bytes(call: Call) -> list[pb.SegmentRequest]:
    call.trailer.byte_count -= 2
    return [pb.SegmentRequest(trailer=call.trailer)]


def no_trailer(_: Call) -> list[pb.SegmentRequest]:
    return []


@pytest.mark.parametrize("messages", [of_other_voxels, of_fewer_bytes, no_trailer, sent])
def test_nothing_is_answered_without_a_trailer_that_agrees(
    call: Call, messages: Callable[[Call], list[pb.SegmentRequest]], volume: Volume
) -> None:
    call.labels[...] = 7
    with pytest.raises(grpc.RpcError) as caught:
        call.ask(*messages(call))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (call.labels == 7).all()
    assert np.array_equal(call.volume.voxels, volume.voxels)


def test_the_memory_of_a_caller_who_is_gone_is_let_go(call: Call, service: Any) -> None:
    left = Event()

    def messages() -> Iterator[pb.SegmentRequest]:
        yield pb.SegmentRequest(header=call.header)
        left.wait(30)

    def seen() -> bool:
        return "memfd:osteoserve" in Path(f"/proc/{service.process}/maps").read_text()

    with grpc.insecure_channel(service.address) as channel:
        asked = PreprocessingServiceStub(channel).Segment(messages(), timeout=30)
        assert agreed(asked.initial_metadata())
        assert seen()
        asked.cancel()
        left.set()
    deadline = monotonic() + 10
    while seen():
        assert monotonic() < deadline
        sleep(0.05)
