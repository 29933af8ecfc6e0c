"""Laws of the framing: what was sent is what is received, or nothing is."""

from __future__ import annotations

import hashlib
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from osteoserve_preprocessing.errors import GeometryError, UploadError
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import (
    CHUNK_BYTES,
    Receiver,
    chunks,
    frames,
    geometry_from_message,
    geometry_to_message,
)

volumes = hnp.arrays(
    dtype=st.sampled_from([np.dtype("<i2"), np.dtype(">i2"), np.dtype("u1")]),
    shape=hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def little_endian(array: npt.NDArray[np.generic]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes(order="C")


@given(volumes, st.integers(1, 400))
def test_the_chunks_are_the_array_in_c_order_little_endian(
    array: npt.NDArray[np.int16], chunk_bytes: int
) -> None:
    cut = list(chunks(array, chunk_bytes=chunk_bytes))
    assert b"".join(cut) == little_endian(array)
    assert all(1 <= len(chunk) <= chunk_bytes for chunk in cut)


@given(volumes, st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_views_are_sent_in_their_own_order(
    array: npt.NDArray[np.int16], axes: list[int], steps: tuple[int, int, int]
) -> None:
    view = array.transpose(axes)[:: steps[0], :: steps[1], :: steps[2]]
    assert b"".join(chunks(view, chunk_bytes=7)) == little_endian(view)


def test_a_volume_is_cut_into_chunks_of_one_mebibyte() -> None:
    sizes = [len(chunk) for chunk in chunks(np.zeros((5, 512, 512), dtype=np.int16))]
    assert sizes == [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES // 2]


@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_way_of_cutting_changes_what_is_received(sent: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(1, len(sent)), unique=True).map(sorted))
    edges = [0, *[cut for cut in cuts if cut < len(sent)], len(sent)]
    receiver = Receiver(len(sent))
    for start, end in pairwise(edges):
        receiver.add(sent[start:end])
    trailer = pb.Trailer(byte_count=len(sent), sha256=hashlib.sha256(sent).digest())
    assert receiver.finish(trailer).tobytes() == sent


@given(volumes, volumes)
def test_frames_end_with_the_trailer_that_the_receiver_takes(
    first: npt.NDArray[np.int16], second: npt.NDArray[np.int16]
) -> None:
    *cut, trailer = frames(first, second, chunk_bytes=64)
    assert isinstance(trailer, pb.Trailer)
    receiver = Receiver(first.nbytes + second.nbytes)
    for chunk in cut:
        assert isinstance(chunk, bytes)
        receiver.add(chunk)
    assert receiver.finish(trailer).tobytes() == little_endian(first) + little_endian(second)


def test_a_byte_too_many_is_refused_before_it_is_kept() -> None:
    receiver = Receiver(4)
    receiver.add(b"abc")
    with pytest.raises(UploadError, match="5 of 4"):
        receiver.add(b"de")
    assert receiver.received_bytes == 3


def test_an_empty_chunk_is_refused() -> None:
    with pytest.raises(UploadError, match="empty"):
        Receiver(4).add(b"")


@pytest.mark.parametrize(
    ("received", "trailer", "message"),
    [
        (b"abc", pb.Trailer(byte_count=3, sha256=hashlib.sha256(b"abc").digest()), "3 bytes"),
        (b"abcd", pb.Trailer(byte_count=3, sha256=hashlib.sha256(b"abcd").digest()), "declares 3"),
        (b"abcd", pb.Trailer(byte_count=4, sha256=hashlib.sha256(b"abce").digest()), "SHA-256"),
        (b"abcd", pb.Trailer(), "declares 0"),
    ],
)
def test_a_trailer_that_disagrees_is_refused(
    received: bytes, trailer: pb.Trailer, message: str
) -> None:
    receiver = Receiver(4)
    receiver.add(received)
    with pytest.raises(UploadError, match=message):
        receiver.finish(trailer)


def test_a_header_that_promises_much_costs_no_memory() -> None:
    before = resident_bytes()
    receiver = Receiver(1 << 30)
    receiver.add(bytes(1000))
    assert resident_bytes() - before < 16 << 20


finite = st.floats(-1e4, 1e4)
lengths = st.floats(1e-3, 1e3)


@given(
    st.tuples(*[st.integers(1, 2000)] * 3),
    st.tuples(lengths, lengths, lengths),
    st.tuples(finite, finite, finite),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([1.0, -1.0])] * 3),
    st.floats(0, 0.3),
)
@settings(max_examples=50)
def test_a_geometry_survives_the_wire_to_the_last_bit(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    axes: list[int],
    signs: tuple[float, float, float],
    angle: float,
) -> None:
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    geometry = Geometry(shape, spacing, origin, (turned * signs)[:, axes])
    wire = geometry_to_message(geometry).SerializeToString()
    back = geometry_from_message(pb.Geometry.FromString(wire))
    assert (back.shape, back.spacing, back.origin) == (shape, spacing, origin)
    assert np.array_equal(back.direction, geometry.direction)


@pytest.mark.parametrize("name", ["spacing", "origin", "direction"])
@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_a_geometry_of_the_wrong_length_is_refused(name: str, change: str) -> None:
    message = geometry_to_message(Geometry((2, 3, 4), (1.0, 1.0, 1.0)))
    numbers = getattr(message, name)
    numbers.append(1.0) if change == "longer" else numbers.pop()
    with pytest.raises(GeometryError, match=name):
        geometry_from_message(message)
