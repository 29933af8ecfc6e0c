"""Takes an answer's stream apart, and accepts it only whole and for the grid that was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import ServiceError
from osteoserve_preprocessing.errors import UploadError
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import Receiver

OnProgress = Callable[[pb.Progress], None]


class Answer:
    """One answer while it arrives: progress, header, chunks, trailer, in that order.

    Args:
        grid: The field of the request's header that states its grid, and its value; an answer on
            any other grid is refused.
        shape: (arrays, Z, Y, X): how many uint8 arrays of the grid's shape the answer holds, one
            after the other.
        on_progress: Called with every progress message.
        place: Memory of that size into which the service puts the arrays; None where it sends them.
    """

    def __init__(
        self,
        grid: tuple[str, pb.Geometry | pb.ScintigramHeader],
        shape: tuple[int, int, int, int],
        on_progress: OnProgress | None,
        place: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        self._grid = grid
        self._shape = shape
        self._on_progress = on_progress
        self._place = place
        self._receiver: Receiver | None = None
        self._report: Any = None
        self._arrays: npt.NDArray[np.uint8] | None = None

    def take(self, responses: Iterable[Any]) -> tuple[npt.NDArray[np.uint8], Any]:
        """Read the stream to its end.

        Returns:
            (arrays, Z, Y, X) uint8, and the header's report.

        Raises:
            ServiceError: The stream is not whole, broke the protocol, or is about another grid.
        """
        for response in responses:
            self._take_one(response)
        if self._arrays is None:
            raise ServiceError("the service's answer ended before its trailer")
        return self._arrays, self._report

    def _take_one(self, response: Any) -> None:
        kind = response.WhichOneof("payload")
        begun, ended = self._report is not None, self._arrays is not None
        if kind == "progress" and not begun:
            if self._on_progress:
                self._on_progress(response.progress)
        elif kind == "header" and not begun:
            self._begin(response.header)
        elif kind == "chunk" and self._receiver is not None and not ended:
            self._checked(self._receiver.add, response.chunk)
        elif kind == "trailer" and begun and not ended:
            self._arrays = self._finished(response.trailer).reshape(self._shape)
        else:
            raise ServiceError(f"the service's answer broke the protocol: unexpected {kind}")

    def _begin(self, header: Any) -> None:
        field, asked = self._grid
        if getattr(header, field) != asked:
            raise ServiceError("the service answered on another grid than that of the request")
        self._report = header.report
        if self._place is None:
            self._receiver = Receiver(int(np.prod(self._shape, dtype=np.int64)))

    def _finished(self, trailer: pb.Trailer) -> npt.NDArray[np.uint8]:
        if self._receiver is not None:
            received: npt.NDArray[np.uint8] = self._checked(self._receiver.finish, trailer)
            return received
        if self._place is None or trailer.byte_count != self._place.nbytes:
            raise ServiceError("the service did not put a whole answer into the shared memory")
        return self._place

    @staticmethod
    def _checked(step: Callable[[Any], Any], payload: Any) -> Any:
        try:
            return step(payload)
        except UploadError as error:
            raise ServiceError(f"the service's answer is damaged: {error}") from error
