"""The messages of a request: header, chunks, trailer; or memory instead of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.service.options import VIEW_MESSAGES
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.shared_memory import empty_shareable
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message, trailer_of
from osteoserve_preprocessing.v1.shared_volume import agreed, can_be_shared, offer


class Upload:
    """The messages of one request, sent once.

    Args:
        voxels: (Z, Y, X), sent slice by slice.
        request: The type of the stream's messages.
        header: Its first message.
        grid: The field of the answer's header that must be the request's grid, and that grid.
    """

    def __init__(
        self,
        voxels: npt.NDArray[Any],
        request: Any,
        header: Any,
        grid: tuple[str, pb.Geometry | pb.ScintigramHeader],
    ) -> None:
        self._voxels = voxels
        self._request = request
        self._header = header
        self.grid = grid
        #: Of the voxels, 32 bytes; empty until the trailer is sent.
        self.sha256 = b""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X) of what is sent."""
        slices, rows, columns = self._voxels.shape
        return slices, rows, columns

    def __iter__(self) -> Iterator[Any]:
        yield self._request(header=self._header)
        yield from self._frames()

    def place_of_labels(self, call: Any) -> npt.NDArray[np.uint8] | None:
        """Where the service puts its labels; None where it sends them.

        Args:
            call: gRPC's, which these messages are sent by.
        """
        del call
        return None

    def end(self) -> None:
        """Send no more."""

    def _frames(self) -> Iterator[Any]:
        for frame in frames(self._voxels):
            if isinstance(frame, bytes):
                yield self._request(chunk=frame)
            else:
                self.sha256 = frame.sha256
                yield self._request(trailer=frame)


class SharedUpload(Upload):
    """A volume's upload that offers its memory to the service, and waits for its word.

    Args:
        voxels: (Z, Y, X) int16; `can_be_shared`.
        labels: The same shape, uint8, likewise: where the service may put its labels.
        request: As of `Upload`.
        header: Its first message, in which the offer is filled in.
        grid: As of `Upload`.
    """

    def __init__(
        self,
        voxels: npt.NDArray[np.int16],
        labels: npt.NDArray[np.uint8],
        request: Any,
        header: Any,
        grid: tuple[str, pb.Geometry | pb.ScintigramHeader],
    ) -> None:
        super().__init__(voxels, request, header, grid)
        self._agreed: Future[bool] = Future()
        self._labels = labels
        header.shared.CopyFrom(offer(voxels, labels))

    def __iter__(self) -> Iterator[Any]:
        yield self._request(header=self._header)
        try:
            shared = self._agreed.result()
        except CancelledError:
            return
        if shared:
            trailer = trailer_of(self._voxels)
            self.sha256 = trailer.sha256
            yield self._request(trailer=trailer)
        else:
            yield from self._frames()

    def place_of_labels(self, call: Any) -> npt.NDArray[np.uint8] | None:
        """Where the service puts its labels; None where it sends them. Waits for its word."""
        shared = agreed(call.initial_metadata())
        self._agreed.set_result(shared)
        return self._labels if shared else None

    def end(self) -> None:
        """Send no more, also where the service never said its word."""
        self._agreed.cancel()


def volume_upload(volume: Volume, request: Any, header: Any, *, share: bool = False) -> Upload:
    """A volume's upload; the header's grid is filled in.

    Args:
        volume: The volume.
        request: The type of the stream's messages.
        header: Its first message.
        share: Whether to offer the volume's memory where that can be.
    """
    header.volume.CopyFrom(
        pb.VolumeHeader(
            geometry=geometry_to_message(volume.geometry),
            element_type=pb.ELEMENT_TYPE_INT16,
            modality=pb.MODALITY_CT,
        )
    )
    grid = ("geometry", header.volume.geometry)
    if share and can_be_shared(volume.voxels):
        # New with every upload: labels of an earlier one may be in use.
        labels: npt.NDArray[np.uint8] = empty_shareable(volume.voxels.shape, np.uint8)
        if can_be_shared(labels):
            return SharedUpload(volume.voxels, labels, request, header, grid)
    return Upload(volume.voxels, request, header, grid)


def scintigram_upload(scan: Scintigram, header: pb.SegmentScintigramHeader) -> Upload:
    """A bone scan's upload; the header's grid is filled in."""
    counts = scan.counts
    _, rows, columns = counts.shape
    header.scintigram.CopyFrom(
        pb.ScintigramHeader(
            rows=rows,
            columns=columns,
            views=[VIEW_MESSAGES[view.view] for view in scan.views],
            pixel_spacing=scan.pixel_spacing_mm or (),
            element_type=pb.ELEMENT_TYPE_UINT16,
        )
    )
    return Upload(counts, pb.SegmentScintigramRequest, header, ("scintigram", header.scintigram))
