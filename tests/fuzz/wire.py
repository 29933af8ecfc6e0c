"""Messages as a stranger may send them: accepted whole, or refused in our own words."""

from __future__ import annotations

import asyncio
import hashlib
import math
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from osteoserve_client.errors import ServiceError
from osteoserve_client.service.answer import Answer
from osteoserve_preprocessing.core import canonical_orientation
from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.server.converters import header_of, volume_request
from osteoserve_preprocessing.server.exchange import Progress
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.scintigram_converters import scintigram_request
from osteoserve_preprocessing.server.upload import StreamUpload
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Small, so that a header that declares much is refused by them and not by the machine.
LIMITS = Limits(volume_bytes=1 << 20, slices=64)
#: The grid of the request to which the corpus' answers belong.
ASKED = pb.Geometry(
    slices=2,
    rows=3,
    columns=4,
    spacing=(1, 1, 1),
    origin=(0, 0, 0),
    direction=(1, 0, 0, 0, 1, 0, 0, 0, 1),
)


def packed(messages: Iterable[Any]) -> bytes:
    """Messages as the functions below take them: each behind its length, 2 bytes."""
    texts = [message.SerializeToString() for message in messages]
    return b"".join(struct.pack("<H", len(text)) + text for text in texts)


def segment(data: bytes) -> None:
    """A stream of requests with a CT volume."""
    segment_messages(list(_messages(data, pb.SegmentRequest)))


def scintigram(data: bytes) -> None:
    """A stream of requests with a bone scan."""
    scintigram_messages(list(_messages(data, pb.SegmentScintigramRequest)))


def answer(data: bytes) -> None:
    """A stream of answers, taken by the client."""
    answer_messages(list(_messages(data, pb.SegmentResponse)))


def segment_messages(messages: list[Any]) -> None:
    """The same of parsed messages."""
    try:
        request = volume_request(header_of(messages[0] if messages else pb.SegmentRequest()))
        LIMITS.check(request.shape)
        orientation = canonical_orientation(request.geometry)
        received = _received(messages[1:], request.shape, np.int16)
    except PreprocessingError as refusal:
        _check_refusal(refusal)
        return
    _check_received(received, request.shape, np.int16, messages)
    assert sorted(abs(axis) for axis in _axes(orientation)) == [0, 1, 2]


def scintigram_messages(messages: list[Any]) -> None:
    """The same of a bone scan."""
    empty = pb.SegmentScintigramRequest()
    try:
        request = scintigram_request(header_of(messages[0] if messages else empty))
        LIMITS.check(request.shape)
        received = _received(messages[1:], request.shape, np.uint16)
    except PreprocessingError as refusal:
        _check_refusal(refusal)
        return
    _check_received(received, request.shape, np.uint16, messages)
    assert math.isfinite(request.brightness * request.retry_brightness) or request.brightness > 1


def answer_messages(messages: list[Any]) -> None:
    """The same of answers."""
    taker = Answer(("geometry", ASKED), (1, 2, 3, 4), None)
    try:
        labels, _ = taker.take(messages)
    except ServiceError as refusal:
        _check_refusal(refusal)
        return
    chunks = b"".join(each.chunk for each in messages if each.WhichOneof("payload") == "chunk")
    assert labels.shape == (1, 2, 3, 4)
    assert labels.tobytes() == chunks


def _messages(data: bytes, kind: Any) -> Iterator[Any]:
    """Messages until one is none, as gRPC would end the stream."""
    while len(data) >= 2:
        (length,) = struct.unpack_from("<H", data)
        try:
            yield kind.FromString(data[2 : 2 + length])
        except DecodeError:
            return
        data = data[2 + length :]


def _received(
    messages: list[Any], shape: tuple[int, int, int], dtype: Any
) -> tuple[npt.NDArray[Any], bytes]:
    left = iter(messages)

    async def read() -> Any:
        return next(left, None)

    async def tell(progress: Progress) -> None:
        assert 0 <= progress.done <= progress.total

    async def received() -> tuple[npt.NDArray[Any], bytes]:
        upload = StreamUpload(read, LIMITS)
        return await upload.receive(shape, dtype, tell), await upload.confirmed()

    return asyncio.run(received())


def _check_received(
    received: tuple[npt.NDArray[Any], bytes],
    shape: tuple[int, int, int],
    dtype: Any,
    messages: list[Any],
) -> None:
    """Only what was sent, all of it, and vouched for."""
    kinds = [message.WhichOneof("payload") for message in messages]
    sent = messages[: kinds.index("trailer")]
    data = b"".join(each.chunk for each in sent[1:])
    voxels, sha256 = received
    assert voxels.shape == shape
    assert voxels.dtype == dtype
    assert voxels.astype(np.dtype(dtype).newbyteorder("<")).tobytes() == data
    assert sha256 == hashlib.sha256(data).digest()


def _check_refusal(refusal: Exception) -> None:
    assert str(refusal)
    assert "\n" not in str(refusal)


def _axes(orientation: Any) -> tuple[int, ...]:
    return tuple(orientation.axes)
