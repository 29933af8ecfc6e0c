"""How voxels travel, the same at both ends and in both directions: chunks, then a trailer.

To a gRPC server a killed uploader looks exactly like a finished one. The trailer, with the byte
count and the SHA-256 of all chunks together, is what tells them apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import GeometryError, UploadError
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Size of a chunk that is sent: far below gRPC's default message limit of 4 MiB.
CHUNK_BYTES = 1 << 20

Array = npt.NDArray[Any]


def chunks(*arrays: Array, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Cut arrays into the bytes of a stream, one array after the other.

    An array is copied a few slices at a time, never as a whole, whatever view it is.

    Args:
        arrays: Each (Z, Y, X), any dtype; sent in C order, little-endian.
        chunk_bytes: Largest size of a chunk.

    Yields:
        At least 1 and at most ``chunk_bytes`` bytes.
    """
    for array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        slices = max(1, chunk_bytes // max(1, array[0].nbytes))
        for first in range(0, len(little), slices):
            data = b"".join(
                np.ascontiguousarray(one).data for one in little[first : first + slices]
            )
            for start in range(0, len(data), chunk_bytes):
                yield data[start : start + chunk_bytes]


def frames(*arrays: Array, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes | pb.Trailer]:
    """The chunks of ``arrays`` and, last, the trailer that vouches for them."""
    digest, count = hashlib.sha256(), 0
    for chunk in chunks(*arrays, chunk_bytes=chunk_bytes):
        digest.update(chunk)
        count += len(chunk)
        yield chunk
    yield pb.Trailer(byte_count=count, sha256=digest.digest())


def trailer_of(array: Array) -> pb.Trailer:
    """The trailer that vouches for an array which lies in memory as it would be sent."""
    return pb.Trailer(byte_count=array.nbytes, sha256=hashlib.sha256(array.data).digest())


class Receiver:
    """Collects the chunks of one stream in memory of exactly the declared size.

    Memory is touched only as bytes arrive, so a header that promises much costs nothing.

    Args:
        expected_bytes: What the header's geometry and element type amount to.
    """

    def __init__(self, expected_bytes: int) -> None:
        self._buffer = np.empty(expected_bytes, dtype=np.uint8)
        self._digest = hashlib.sha256()
        self._received = 0

    @property
    def received_bytes(self) -> int:
        """How many bytes have arrived."""
        return self._received

    def add(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
            UploadError: It is empty, or holds more than the header left to come.
        """
        end = self._received + len(chunk)
        if not chunk:
            raise UploadError("a chunk is empty")
        if end > self._buffer.size:
            raise UploadError(
                f"more bytes arrived than the header declares: {end} of {self._buffer.size}"
            )
        self._buffer[self._received : end] = np.frombuffer(chunk, dtype=np.uint8)
        self._digest.update(chunk)
        self._received = end

    def finish(self, trailer: pb.Trailer) -> npt.NDArray[np.uint8]:
        """Check the trailer and hand the bytes over.

        Returns:
            (expected_bytes,) uint8; a view of another dtype needs no copy.

        Raises:
            UploadError: Bytes are missing, or count or digest are not those that were sent.
        """
        if self._received != self._buffer.size:
            raise UploadError(
                f"{self._received} bytes arrived, the header declares {self._buffer.size}"
            )
        if trailer.byte_count != self._received:
            raise UploadError(
                f"{self._received} bytes arrived, the trailer declares {trailer.byte_count}"
            )
        if trailer.sha256 != self.sha256:
            raise UploadError("the SHA-256 in the trailer is not that of the bytes that arrived")
        return self._buffer

    @property
    def sha256(self) -> bytes:
        """Digest, 32 bytes, of what has arrived so far."""
        return self._digest.digest()


def geometry_to_message(geometry: Geometry) -> pb.Geometry:
    """Pack a geometry; `geometry_from_message` is the exact inverse."""
    slices, rows, columns = geometry.shape
    return pb.Geometry(
        slices=slices,
        rows=rows,
        columns=columns,
        spacing=geometry.spacing,
        origin=geometry.origin,
        direction=geometry.direction.ravel().tolist(),
    )


def geometry_from_message(message: pb.Geometry) -> Geometry:
    """Unpack and check a geometry.

    Raises:
        GeometryError: A list has the wrong length, or the grid is impossible.
    """
    for name, values, length in (
        ("spacing", message.spacing, 3),
        ("origin", message.origin, 3),
        ("direction", message.direction, 9),
    ):
        if len(values) != length:
            raise GeometryError(f"{name} must hold {length} numbers, not {len(values)}")
    z, y, x = message.spacing
    left, back, head = message.origin
    return Geometry(
        shape=(message.slices, message.rows, message.columns),
        spacing=(z, y, x),
        origin=(left, back, head),
        direction=np.array(message.direction).reshape(3, 3),
    )
