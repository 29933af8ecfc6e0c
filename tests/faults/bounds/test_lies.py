"""Requests that are not what they say, or never end: a typed refusal, and nothing stays behind."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import grpc
import pytest

from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from tests.faults.bounds.conftest import MODEL, Watched

Messages = Iterator[pb.SegmentRequest]
Lie = Callable[[Volume], Messages]

MEBIBYTE = 1 << 20

#: What interpreter and gRPC may grow by in the course of hundreds of calls, volumes of a few
#: hundred kilobytes and all.
MARGIN = 48 * MEBIBYTE


def header(volume: Volume, **changes: int) -> pb.SegmentRequest:
    """A true header, or one that says something else of the geometry."""
    geometry = geometry_to_message(volume.geometry)
    for name, value in changes.items():
        setattr(geometry, name, value)
    head = pb.VolumeHeader(
        geometry=geometry, element_type=pb.ELEMENT_TYPE_INT16, modality=pb.MODALITY_CT
    )
    return pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model=MODEL))


def chunk(data: bytes) -> pb.SegmentRequest:
    return pb.SegmentRequest(chunk=data)


def trailer(data: bytes, count: int | None = None) -> pb.SegmentRequest:
    vouched = pb.Trailer(
        byte_count=len(data) if count is None else count, sha256=hashlib.sha256(data).digest()
    )
    return pb.SegmentRequest(trailer=vouched)


def data(volume: Volume) -> bytes:
    return volume.voxels.astype("<i2").tobytes()


def slowly(messages: Messages, seconds: float) -> Messages:
    for message in messages:
        time.sleep(seconds)
        yield message


#: Each with what it ends as.
LIES: dict[str, tuple[str, Lie]] = {
    "more slices declared than sent": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, slices=13), chunk(data(v)), trailer(data(v))]),
    ),
    "fewer slices declared than sent": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, slices=11), chunk(data(v)), trailer(data(v))]),
    ),
    "a volume of 2 TiB declared": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, rows=1 << 20, columns=1 << 16), chunk(data(v))]),
    ),
    "numbers that overflow": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, slices=2**32 - 1, rows=2**32 - 1, columns=2**32 - 1)]),
    ),
    "the largest volume declared, and nothing sent": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, slices=2000, rows=512, columns=512), trailer(b"")]),
    ),
    "a volume of nothing": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v, rows=0), trailer(b"")]),
    ),
    "a chunk too many": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v), chunk(data(v)), chunk(b"more"), trailer(data(v))]),
    ),
    "another digest": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v), chunk(data(v)), trailer(data(v)[::-1])]),
    ),
    "another count": (
        "INVALID_ARGUMENT",
        lambda v: iter([header(v), chunk(data(v)), trailer(data(v), 5)]),
    ),
    "two headers": ("INVALID_ARGUMENT", lambda v: iter([header(v), header(v)])),
    "no header": ("INVALID_ARGUMENT", lambda v: iter([chunk(data(v))])),
    "nothing": ("INVALID_ARGUMENT", lambda _: iter([])),
    "empty chunks without end": (
        "INVALID_ARGUMENT",
        lambda v: chain([header(v)], repeat(chunk(b""))),
    ),
    "chunks without end": (
        "INVALID_ARGUMENT",
        lambda v: chain([header(v)], repeat(chunk(bytes(MEBIBYTE)))),
    ),
    "headers without end": ("INVALID_ARGUMENT", lambda v: repeat(header(v))),
    "a message larger than messages may be": (
        "RESOURCE_EXHAUSTED",
        lambda v: iter([header(v), chunk(bytes(5 * MEBIBYTE))]),
    ),
}

#: Those that cost patience.
SLOW: dict[str, tuple[str, Lie]] = {
    "a chunk of one byte ten times a second": (
        "DEADLINE_EXCEEDED",
        lambda v: slowly(chain([header(v)], repeat(chunk(b"x"))), 0.1),
    ),
    "silence before the header": (
        "DEADLINE_EXCEEDED",
        lambda v: slowly(iter([header(v)]), 5.0),
    ),
    "silence before the trailer": (
        "DEADLINE_EXCEEDED",
        lambda v: chain([header(v), chunk(data(v))], slowly(iter([trailer(data(v))]), 5.0)),
    ),
}


def outcome(service: Watched, messages: Messages) -> grpc.RpcError:
    with (
        grpc.insecure_channel(service.address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        for _ in PreprocessingServiceStub(channel).Segment(messages, timeout=30):
            pass
    return caught.value


@pytest.mark.parametrize("what", [*LIES, *SLOW])
def test_a_lie_is_refused_by_its_kind_and_leaves_no_place_taken(
    narrow: Watched, volume: Volume, what: str
) -> None:
    code, lie = (LIES | SLOW)[what]
    ended = outcome(narrow, lie(volume))
    assert ended.code().name == code, ended.details()
    assert len(ended.details().splitlines()) == 1
    # The only place there is.
    assert narrow.segment(volume).any()


def test_memory_does_not_grow_with_the_number_of_lies(
    narrow: Watched, volume: Volume, rounds: int
) -> None:
    def all_lies() -> None:
        for _, lie in LIES.values():
            outcome(narrow, lie(volume))

    for _ in range(3):  # what is allocated once
        all_lies()
    before = narrow.resident()
    for _ in range(rounds):
        all_lies()
    assert narrow.segment(volume).any()
    assert narrow.resident() - before < MARGIN
