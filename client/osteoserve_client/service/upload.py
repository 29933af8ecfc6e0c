"""The messages of a request: header, chunks, trailer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.service.options import VIEW_MESSAGES
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message


class Upload:
    """The messages of one request; every iteration starts anew, so a call can be repeated.

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
        self.sha256 = b""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X) of what is sent."""
        slices, rows, columns = self._voxels.shape
        return slices, rows, columns

    def __iter__(self) -> Iterator[Any]:
        yield self._request(header=self._header)
        for frame in frames(self._voxels):
            if isinstance(frame, bytes):
                yield self._request(chunk=frame)
            else:
                self.sha256 = frame.sha256
                yield self._request(trailer=frame)


def volume_upload(volume: Volume, request: Any, header: Any) -> Upload:
    """A volume's upload; the header's grid is filled in."""
    header.volume.CopyFrom(
        pb.VolumeHeader(
            geometry=geometry_to_message(volume.geometry),
            element_type=pb.ELEMENT_TYPE_INT16,
            modality=pb.MODALITY_CT,
        )
    )
    return Upload(volume.voxels, request, header, ("geometry", header.volume.geometry))


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
