"""An upload is whole, or it is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.errors import StreamTimeoutError, UploadError
from osteoserve_preprocessing.server.exchange import Progress, Stage
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.upload import StreamUpload
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

SHAPE = (3, 4, 5)
VOXELS = np.arange(60, dtype=np.int16).reshape(SHAPE) - 30
BYTES = VOXELS.astype("<i2").tobytes()
TRAILER = pb.SegmentRequest(
    trailer=pb.Trailer(byte_count=len(BYTES), sha256=hashlib.sha256(BYTES).digest())
)


def chunk(data: bytes) -> pb.SegmentRequest:
    return pb.SegmentRequest(chunk=data)


def from_list(messages: Iterable[Any]) -> Callable[[], Awaitable[Any]]:
    left = iter(messages)

    async def read() -> Any:
        return next(left, None)

    return read


async def unheard(_: Progress) -> None:
    return None


def receive(
    messages: Iterable[Any], limits: Limits | None = None
) -> tuple[npt.NDArray[np.int16], bytes]:
    async def received() -> tuple[npt.NDArray[np.int16], bytes]:
        upload = StreamUpload(from_list(messages), limits or Limits())
        return await upload.receive(SHAPE, np.int16, unheard), await upload.confirmed()

    return asyncio.run(received())


@given(st.lists(st.integers(1, len(BYTES) - 1), unique=True).map(sorted))
def test_no_way_of_cutting_changes_the_volume(cuts: list[int]) -> None:
    edges = [0, *cuts, len(BYTES)]
    pieces = [chunk(BYTES[a:b]) for a, b in pairwise(edges)]
    voxels, sha256 = receive([*pieces, TRAILER])
    assert voxels.dtype == np.int16
    assert np.array_equal(voxels, VOXELS)
    assert sha256 == hashlib.sha256(BYTES).digest()


WRONG_DIGEST = pb.SegmentRequest(trailer=pb.Trailer(byte_count=len(BYTES), sha256=bytes(32)))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "before its trailer"),
        ([chunk(BYTES)], "before its trailer"),
        ([chunk(BYTES[:-1]), TRAILER], "119 bytes arrived"),
        ([chunk(BYTES), chunk(b"x"), TRAILER], "121 of 120"),
        ([chunk(BYTES), WRONG_DIGEST], "SHA-256"),
        ([chunk(BYTES[::-1]), TRAILER], "SHA-256"),
        ([TRAILER], "0 bytes arrived"),
        ([pb.SegmentRequest()], "not nothing"),
        ([chunk(BYTES[:4]), pb.SegmentRequest(header=pb.SegmentHeader())], "not header"),
    ],
)
def test_what_is_not_whole_is_refused(messages: list[Any], reason: str) -> None:
    with pytest.raises(UploadError, match=reason):
        receive(messages)


def test_a_silent_sender_is_given_up() -> None:
    async def silence() -> Any:
        await asyncio.sleep(60)

    async def tell(_: Progress) -> None:
        return None

    upload = StreamUpload(silence, Limits(idle_s=0.05))
    with pytest.raises(StreamTimeoutError):
        asyncio.run(upload.receive(SHAPE, np.int16, tell))
    with pytest.raises(StreamTimeoutError):
        asyncio.run(upload.header())


def test_a_trickling_sender_is_given_up() -> None:
    async def trickle() -> Any:
        await asyncio.sleep(0.01)
        return chunk(b"x")

    async def tell(_: Progress) -> None:
        return None

    upload = StreamUpload(trickle, Limits(idle_s=10, upload_s=0.2))
    with pytest.raises(StreamTimeoutError):
        asyncio.run(upload.receive(SHAPE, np.int16, tell))


def test_progress_begins_with_nothing_received() -> None:
    told: list[Progress] = []

    async def tell(progress: Progress) -> None:
        told.append(progress)

    upload = StreamUpload(from_list([chunk(BYTES), TRAILER]), Limits())
    asyncio.run(upload.receive(SHAPE, np.int16, tell))
    assert told == [Progress(Stage.RECEIVING, 0, 3)]
