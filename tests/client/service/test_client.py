"""The client takes an answer only whole and sound, and tells one kind of failure from another.

A service that misbehaves cannot be had from a service that works, so these tests bring a server
whose answers they script; what a real service answers is tested in tests/preprocessing/server.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.errors import (
    OsteoserveError,
    ServiceBusyError,
    ServiceError,
    ServiceRefusedError,
    ServiceUnavailableError,
)
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.shared_memory import empty_shareable
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import (
    PreprocessingServiceServicer,
    add_PreprocessingServiceServicer_to_server,
)
from osteoserve_preprocessing.v1.shared_volume import SHARED, take

VOLUME = Volume(
    np.arange(24, dtype=np.int16).reshape(2, 3, 4), Geometry((2, 3, 4), (2.0, 1.0, 1.0))
)
LABELS = (np.arange(24) % 2).astype(np.uint8).reshape(2, 3, 4)

Script = Callable[[list[pb.SegmentRequest], Any], Iterator[pb.SegmentResponse]]


class ScriptedService(PreprocessingServiceServicer):
    """Takes every request whole, then answers by script."""

    def __init__(self) -> None:
        self.script: Script = answer
        #: What it says before it takes a request.
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.calls: list[list[pb.SegmentRequest]] = []

    def Segment(self, requests: Iterator[pb.SegmentRequest], context: Any) -> Any:  # noqa: N802
        context.send_initial_metadata(self.metadata)
        self.calls.append(list(requests))
        yield from self.script(self.calls[-1], context)

    def GetModel(self, request: pb.GetModelRequest, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.name}")


def report(requests: list[pb.SegmentRequest]) -> pb.SegmentReport:
    sent = b"".join(request.chunk for request in requests)
    model = pb.Model(name="m", labels=[pb.Label(value=1, name="bone")])
    measure = pb.LabelMeasure(value=1, name="bone", voxels=np.count_nonzero(LABELS))
    digest = hashlib.sha256(sent).digest()
    return pb.SegmentReport(model=model, labels=[measure], input_sha256=digest)


def answer(
    requests: list[pb.SegmentRequest],
    context: Any,
    *,
    labels: Any = LABELS,
    change: Callable[[pb.SegmentResultHeader], None] = lambda _: None,
) -> Iterator[pb.SegmentResponse]:
    yield pb.SegmentResponse(progress=pb.Progress(stage=pb.Progress.STAGE_INFERENCE, done=2))
    head = pb.SegmentResultHeader(
        geometry=requests[0].header.volume.geometry, report=report(requests)
    )
    change(head)
    yield pb.SegmentResponse(header=head)
    for frame in frames(labels, chunk_bytes=7):
        sent = {"chunk": frame} if isinstance(frame, bytes) else {"trailer": frame}
        yield pb.SegmentResponse(**sent)


@pytest.fixture
def scripted() -> Iterator[tuple[ScriptedService, ServiceClient]]:
    server, service = grpc.server(ThreadPoolExecutor(2)), ScriptedService()
    add_PreprocessingServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with ServiceClient(f"127.0.0.1:{port}", timeout_s=10, retry_delays_s=(0.01, 0.01)) as client:
        yield service, client
    server.stop(None).wait()


def test_a_sound_answer_is_taken(scripted: tuple[ScriptedService, ServiceClient]) -> None:
    service, client = scripted
    told: list[pb.Progress] = []
    labels, got = client.segment(VOLUME, model="m", on_progress=told.append)
    assert np.array_equal(labels, LABELS)
    assert got.model.name == "m"
    assert [progress.done for progress in told] == [2]
    header, *_, trailer = service.calls[0]
    assert header.header.model == "m"
    assert trailer.trailer.byte_count == VOLUME.voxels.nbytes


def without_trailer(requests: Any, context: Any) -> Any:
    yield from list(answer(requests, context))[:-1]


def without_a_chunk(requests: Any, context: Any) -> Any:
    messages = list(answer(requests, context))
    yield from messages[:2] + messages[3:]


def with_a_flipped_bit(requests: Any, context: Any) -> Any:
    for message in answer(requests, context):
        if message.chunk:
            message.chunk = bytes([message.chunk[0] ^ 1]) + message.chunk[1:]
        yield message


def with_a_byte_too_many(requests: Any, context: Any) -> Any:
    messages = list(answer(requests, context))
    yield from [*messages[:-1], pb.SegmentResponse(chunk=b"x"), messages[-1]]


def on_another_grid(requests: Any, context: Any) -> Any:
    def shift(head: pb.SegmentResultHeader) -> None:
        head.geometry.origin[0] += 1.0

    yield from answer(requests, context, change=shift)


def about_another_volume(requests: Any, context: Any) -> Any:
    def forget(head: pb.SegmentResultHeader) -> None:
        head.report.input_sha256 = bytes(32)

    yield from answer(requests, context, change=forget)


def with_an_unknown_label(requests: Any, context: Any) -> Any:
    yield from answer(requests, context, labels=LABELS * 9)


def with_a_voxel_of_an_unknown_label(requests: Any, context: Any) -> Any:
    labels = LABELS.copy()
    labels.flat[np.flatnonzero(labels == 0)[0]] = 9
    yield from answer(requests, context, labels=labels)


def measured_otherwise(requests: Any, context: Any) -> Any:
    def miscount(head: pb.SegmentResultHeader) -> None:
        head.report.labels[0].voxels += 1

    yield from answer(requests, context, change=miscount)


def measured_by_no_label_of_the_model(requests: Any, context: Any) -> Any:
    def rename(head: pb.SegmentResultHeader) -> None:
        head.report.model.labels[0].value = 2

    yield from answer(requests, context, change=rename)


def with_two_headers(requests: Any, context: Any) -> Any:
    messages = list(answer(requests, context))
    yield from [messages[1], *messages[1:]]


def with_chunks_before_the_header(requests: Any, context: Any) -> Any:
    messages = list(answer(requests, context))
    yield from [messages[2], *messages]


def with_an_error_after_the_trailer(requests: Any, context: Any) -> Any:
    yield from answer(requests, context)
    context.abort(grpc.StatusCode.INTERNAL, "late")


def with_nothing(requests: Any, context: Any) -> Any:
    yield from ()


@pytest.mark.parametrize(
    "script",
    [
        without_trailer,
        without_a_chunk,
        with_a_flipped_bit,
        with_a_byte_too_many,
        on_another_grid,
        about_another_volume,
        with_an_unknown_label,
        with_a_voxel_of_an_unknown_label,
        measured_otherwise,
        measured_by_no_label_of_the_model,
        with_two_headers,
        with_chunks_before_the_header,
        with_an_error_after_the_trailer,
        with_nothing,
    ],
)
def test_an_unsound_answer_is_refused(
    scripted: tuple[ScriptedService, ServiceClient], script: Script
) -> None:
    service, client = scripted
    service.script = script
    with pytest.raises(ServiceError):
        client.segment(VOLUME, model="m")
    assert len(service.calls) == 1


def shareable() -> Volume:
    """The volume in memory that a service on this machine may see."""
    voxels = empty_shareable(VOLUME.voxels.shape, np.int16)
    voxels[...] = VOLUME.voxels
    return Volume(voxels, VOLUME.geometry)


def test_a_service_that_knows_no_shared_memory_is_sent_the_volume(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    labels, _ = client.segment(shareable(), model="m")
    assert np.array_equal(labels, LABELS)
    assert b"".join(each.chunk for each in service.calls[0]) == VOLUME.voxels.tobytes()


def in_shared_memory(
    requests: list[pb.SegmentRequest], byte_count: int = 24, labels: Any = LABELS
) -> Iterator[pb.SegmentResponse]:
    header, trailer = requests
    voxels, place = take(header.header.shared, LABELS.shape)
    assert np.array_equal(voxels, VOLUME.voxels)
    assert trailer.trailer.sha256 == hashlib.sha256(voxels.data).digest()
    place[...] = labels
    message = report([pb.SegmentRequest(chunk=voxels.tobytes())])
    head = pb.SegmentResultHeader(geometry=header.header.volume.geometry, report=message)
    yield pb.SegmentResponse(header=head)
    yield pb.SegmentResponse(trailer=pb.Trailer(byte_count=byte_count))


def sound(requests: Any, _: Any) -> Any:
    yield from in_shared_memory(requests)


def of_fewer_labels(requests: Any, _: Any) -> Any:
    yield from in_shared_memory(requests, byte_count=23)


def that_was_not_filled(requests: Any, _: Any) -> Any:
    yield from in_shared_memory(requests, labels=0)


def that_ends_before_its_trailer(requests: Any, _: Any) -> Any:
    yield next(in_shared_memory(requests))


def that_is_sent_all_the_same(requests: Any, _: Any) -> Any:
    header, trailer = in_shared_memory(requests)
    yield from (header, pb.SegmentResponse(chunk=LABELS.tobytes()), trailer)


def test_labels_in_shared_memory_are_taken(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    service.metadata, service.script = (SHARED,), sound
    labels, _ = client.segment(shareable(), model="m")
    assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize(
    "script",
    [
        of_fewer_labels,
        that_was_not_filled,
        that_ends_before_its_trailer,
        that_is_sent_all_the_same,
    ],
)
def test_an_unsound_answer_in_shared_memory_is_refused(
    scripted: tuple[ScriptedService, ServiceClient], script: Script
) -> None:
    service, client = scripted
    service.metadata, service.script = (SHARED,), script
    with pytest.raises(ServiceError):
        client.segment(shareable(), model="m")


def test_an_offer_to_nobody_ends(scripted: tuple[ScriptedService, ServiceClient]) -> None:
    service, client = scripted
    service.script = failing(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(ServiceUnavailableError):
        client.segment(shareable(), model="m")
    with (
        ServiceClient("127.0.0.1:9", retry_delays_s=()) as nobody,
        pytest.raises(ServiceUnavailableError),
    ):
        nobody.segment(shareable(), model="m")


def failing(code: grpc.StatusCode, *, times: int = 99, hint: str = "") -> Script:
    failed = 0

    def script(requests: Any, context: Any) -> Any:
        nonlocal failed
        failed += 1
        if failed <= times:
            context.set_trailing_metadata((("retry-after-s", hint),) if hint else ())
            context.abort(code, "the\n reason")
        yield from answer(requests, context)

    return script


@pytest.mark.parametrize(
    ("code", "error", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ServiceRefusedError, 5),
        (grpc.StatusCode.NOT_FOUND, ServiceRefusedError, 5),
        (grpc.StatusCode.FAILED_PRECONDITION, ServiceRefusedError, 5),
        (grpc.StatusCode.INTERNAL, ServiceError, 5),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ServiceError, 5),
        (grpc.StatusCode.UNKNOWN, ServiceError, 5),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ServiceBusyError, 4),
    ],
)
def test_every_status_but_one_is_raised_at_once(
    scripted: tuple[ScriptedService, ServiceClient],
    code: grpc.StatusCode,
    error: type[OsteoserveError],
    exit_code: int,
) -> None:
    service, client = scripted
    service.script = failing(code)
    with pytest.raises(OsteoserveError, match="the reason") as caught:
        client.segment(VOLUME, model="m")
    assert type(caught.value) is error
    assert caught.value.exit_code == exit_code
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    assert "\n" not in str(caught.value)
    assert len(service.calls) == 1


def test_unavailable_is_tried_twice_more_with_the_whole_upload(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    service.script = failing(grpc.StatusCode.UNAVAILABLE, times=2)
    labels, _ = client.segment(VOLUME, model="m")
    assert np.array_equal(labels, LABELS)
    assert len(service.calls) == 3
    assert service.calls[0] == service.calls[1] == service.calls[2]


def test_unavailable_three_times_is_unavailable(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    service.script = failing(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(ServiceUnavailableError) as caught:
        client.segment(VOLUME, model="m")
    assert caught.value.exit_code == 4
    assert len(service.calls) == 3


def test_the_hint_of_a_busy_service_is_passed_on(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    service.script = failing(grpc.StatusCode.RESOURCE_EXHAUSTED, hint="12")
    with pytest.raises(ServiceBusyError, match="try again in 12 s"):
        client.segment(VOLUME, model="m")


def test_an_unknown_model_is_refused(scripted: tuple[ScriptedService, ServiceClient]) -> None:
    with pytest.raises(ServiceRefusedError, match="no model m"):
        scripted[1].model("m")


def test_where_nobody_listens_the_service_is_unavailable() -> None:
    with ServiceClient("127.0.0.1:1", retry_delays_s=()) as client:
        with pytest.raises(ServiceUnavailableError, match="no service answers"):
            client.models()
        with pytest.raises(ServiceUnavailableError, match="not ready within"):
            client.wait_ready(0.1)


def test_a_caller_who_leaves_cancels_the_call(
    scripted: tuple[ScriptedService, ServiceClient],
) -> None:
    service, client = scripted
    ended: list[bool] = []

    def script(requests: Any, context: Any) -> Any:
        context.add_callback(lambda: ended.append(True))
        yield from answer(requests, context)

    service.script = script

    def leave(_: pb.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.segment(VOLUME, model="m", on_progress=leave)
    for _ in range(100):
        if ended:
            break
        time.sleep(0.02)
    assert ended == [True]
