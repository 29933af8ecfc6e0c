"""A call that has said what it is about, and sends its voxels when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc

from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub


class HeldCall:
    """A Segment call; the service has its header, and so has chosen a model, when it is entered.

    Args:
        address: The service's.
        study: What it is about.
        model: Which model is asked.
    """

    def __init__(self, address: str, study: Volume, model: str) -> None:
        self._study, self._model = study, model
        self._go_on = threading.Event()
        self._channel = grpc.insecure_channel(address)
        stub = PreprocessingServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._responses: Any = stub.Segment(self._messages(), timeout=120)

    def __enter__(self) -> HeldCall:
        for response in self._responses:
            if response.progress.stage == pb.Progress.STAGE_RECEIVING:
                return self
        raise AssertionError("it ended before it was told to go on")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._go_on.set()
        self._responses.cancel()
        self._channel.close()

    def digest(self) -> str:
        """Send the rest; the digest of the model that answered.

        Raises:
            grpc.RpcError: It was not answered.
        """
        self._go_on.set()
        (header,) = (each.header for each in self._responses if each.HasField("header"))
        return str(header.report.model.digest)

    def _messages(self) -> Iterator[pb.SegmentRequest]:
        head = pb.VolumeHeader(
            geometry=geometry_to_message(self._study.geometry),
            element_type=pb.ELEMENT_TYPE_INT16,
            modality=pb.MODALITY_CT,
        )
        yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model=self._model))
        for number, frame in enumerate(frames(self._study.voxels)):
            if number == 1:
                self._go_on.wait(60)
            if isinstance(frame, bytes):
                yield pb.SegmentRequest(chunk=frame)
            else:
                yield pb.SegmentRequest(trailer=frame)
