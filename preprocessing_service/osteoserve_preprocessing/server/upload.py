"""Puts an upload together from the messages of a stream, with patience that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import StreamTimeoutError, UploadError
from osteoserve_preprocessing.server.exchange import Progress, Stage, Tell, Voxel
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.threads import in_thread
from osteoserve_preprocessing.v1.framing import Receiver, trailer_of

#: How many bytes arrive between two words of progress.
PROGRESS_BYTES = 16 << 20


class StreamUpload:
    """One request's stream.

    Args:
        read: Awaits the next message; None at the end of the stream.
        limits: Patience.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Any]],
        limits: Limits,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._read = read
        self._limits = limits
        self._clock = clock
        #: In the caller's memory, where that is shared.
        self._voxels: npt.NDArray[Any] | None = None
        self.labels: npt.NDArray[np.uint8] | None = None
        #: Of what was received, 32 bytes; empty until it is whole.
        self.sha256 = b""
        #: How many bytes of voxels have arrived.
        self.received_bytes = 0

    async def header(self) -> Any:
        """The first message.

        Raises:
            UploadError: There is none.
            StreamTimeoutError: It did not come in time.
        """
        return await self._next(self._limits.idle_s)

    def share(self, voxels: npt.NDArray[np.int16], labels: npt.NDArray[np.uint8]) -> None:
        """Take the voxels where they lie in the caller's memory, and let the labels go there.

        Args:
            voxels: (Z, Y, X), instead of chunks.
            labels: (Z, Y, X), instead of those of the answer.
        """
        self._voxels, self.labels = voxels, labels

    def let_go(self) -> None:
        """Hold the caller's memory no longer: a call's own objects may live on for a while."""
        self._voxels = self.labels = None

    async def receive(
        self, shape: tuple[int, int, int], dtype: type[Voxel], tell: Tell
    ) -> npt.NDArray[Voxel]:
        """Take the chunks and the trailer, or what is shared.

        Args:
            shape: What the header declares.
            dtype: Of the numbers on the wire, which are little-endian.
            tell: Told how many whole slices have arrived, now and then.

        Returns:
            Of that shape; not to be written to where it is shared.

        Raises:
            UploadError: The stream broke the protocol.
            StreamTimeoutError: The sender fell silent, or took too long as a whole.
        """
        slices, rows, columns = shape
        await tell(Progress(Stage.RECEIVING, 0, slices))
        if self._voxels is not None:
            return self._voxels.astype(dtype, copy=False)
        wire = np.dtype(dtype).newbyteorder("<")
        slice_bytes = rows * columns * wire.itemsize
        receiver = Receiver(slices * slice_bytes)
        deadline, told = self._clock() + self._limits.upload_s, 0
        while True:
            message = await self._next(min(self._limits.idle_s, deadline - self._clock()))
            kind = message.WhichOneof("payload")
            if kind == "trailer":
                break
            if kind != "chunk":
                raise UploadError(f"expected a chunk or the trailer, not {kind or 'nothing'}")
            receiver.add(message.chunk)
            self.received_bytes = receiver.received_bytes
            if receiver.received_bytes - told >= PROGRESS_BYTES:
                told = receiver.received_bytes
                await tell(Progress(Stage.RECEIVING, told // slice_bytes, slices))
        voxels = receiver.finish(message.trailer).view(wire).reshape(shape)
        self.sha256 = receiver.sha256
        return voxels.astype(dtype, copy=False)

    async def confirmed(self) -> bytes:
        """Digest of what was received, 32 bytes, once the caller's own is known to agree.

        Raises:
            UploadError: The stream broke the protocol, or the caller saw other voxels.
            StreamTimeoutError: The sender fell silent.
        """
        if self._voxels is not None and not self.sha256:
            await self._confirm(self._voxels)
        return self.sha256

    async def _confirm(self, voxels: npt.NDArray[Any]) -> None:
        # First the trailer: the caller computes the same digest, on the same cores.
        message = await self._next(self._limits.idle_s)
        kind = message.WhichOneof("payload")
        if kind != "trailer":
            raise UploadError(f"expected the trailer, not {kind or 'nothing'}")
        own, theirs = await in_thread(None, lambda: trailer_of(voxels)), message.trailer
        if (theirs.byte_count, theirs.sha256) != (own.byte_count, own.sha256):
            raise UploadError("count or SHA-256 of the trailer is not that of the shared voxels")
        self.sha256, self.received_bytes = own.sha256, own.byte_count

    async def _next(self, patience_s: float) -> Any:
        try:
            message = await asyncio.wait_for(self._read(), max(0.0, patience_s))
        except TimeoutError as error:
            raise StreamTimeoutError("the upload stalled, or took too long") from error
        if message is None:
            raise UploadError("the stream ended before its trailer")
        return message
