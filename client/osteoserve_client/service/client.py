"""The service's calls as Python functions: a volume in, arrays and a report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from types import TracebackType
from typing import Any, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc

from osteoserve_client.errors import (
    ServiceBusyError,
    ServiceError,
    ServiceNotTrustedError,
    ServiceUnavailableError,
)
from osteoserve_client.label_counts import check_counts
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.service.answer import Answer, OnProgress
from osteoserve_client.service.credentials import Credentials, host_and_port, is_loopback
from osteoserve_client.service.faults import RETRY_DELAYS_S, STRANGERS, attempt, translate
from osteoserve_client.service.handshake import handshake_fault
from osteoserve_client.service.upload import Upload, scintigram_upload, volume_upload
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID, new_request_id

#: A dead peer is noticed within half a minute even while nothing is sent.
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 4 << 20),
    # Retries are decided in faults.py; the library's own would hide them.
    ("grpc.enable_retries", 0),
)

Result = TypeVar("Result")

#: How often readiness is asked for, seconds.
POLL_S = 0.2


@dataclass(frozen=True, eq=False)
class PreprocessedVolume:
    """What the network would see, on the grid of the request.

    Args:
        slices: (Z, Y, X) uint8, 0..255: windowed and normalised.
        stretcher_mask: (Z, Y, X) bool: what was taken for stretcher.
        report: What was done.
    """

    slices: npt.NDArray[np.uint8]
    stretcher_mask: npt.NDArray[np.bool_]
    report: pb.PreprocessingReport


class ServiceClient:
    """A connection to one service; a context manager.

    A call that finds the service unavailable is tried twice more; every other error is raised
    at once, as one of `osteoserve_client.errors`.

    Args:
        address: "HOST:PORT".
        credentials: TLS and token; None connects without.
        timeout_s: Longest that one call may take, waiting for a free place included.
        retry_delays_s: Seconds before each further attempt.
        share_memory: Whether to offer a service on this machine the memory of a volume that reading
            made, so that nothing has to be sent; a service that cannot see it is sent all the same.

    Raises:
        UsageError: A file of the credentials cannot be read or is open to others, or a token
            would travel to another machine unencrypted.
    """

    def __init__(
        self,
        address: str,
        *,
        credentials: Credentials | None = None,
        timeout_s: float = 900.0,
        retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
        share_memory: bool = True,
    ) -> None:
        self.address = address
        self._share_memory = share_memory and is_loopback(host_and_port(address)[0])
        self._retry_delays_s = retry_delays_s
        self._timeout_s = timeout_s
        self._credentials = credentials or Credentials()
        self._metadata = self._credentials.metadata()
        self._channel = self._credentials.channel(address, CHANNEL_OPTIONS)
        self._stub: Any = PreprocessingServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> ServiceClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls that still run are cancelled."""
        self._channel.close()

    def segment(
        self,
        volume: Volume,
        *,
        model: str,
        options: pb.PreprocessingOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> tuple[npt.NDArray[np.uint8], pb.SegmentReport]:
        """Have a CT volume segmented.

        Args:
            volume: In any orientation.
            model: Name of a model that the service serves.
            options: See `preprocessing_options`; None takes the defaults.
            on_progress: Called with every progress message, in the caller's thread.

        Returns:
            labels: (Z, Y, X) uint8 on exactly the grid of ``volume``; 0 is background, the
                others are in ``report.model.labels``.
            report: Model, what was done, measures of every label, times.

        Raises:
            ServiceUnavailableError: No service answers (`ServiceBusyError`: it is full;
                `ServiceNotTrustedError`: its certificate or the client's is not accepted).
            ServiceRefusedError: The volume, the model or an option is not acceptable.
            ServiceError: The service failed, or its answer is not whole or not sound.
        """

        def upload() -> Upload:
            header = pb.SegmentHeader(options=options, model=model)
            return volume_upload(volume, pb.SegmentRequest, header, share=self._share_memory)

        (labels,), report, sent = self._stream(self._stub.Segment, upload, 1, on_progress)
        _check_subject(report, sent)
        check_counts(labels, report)
        return labels, report

    def segment_scintigram(
        self,
        scan: Scintigram,
        *,
        model: str,
        options: pb.ScintigraphyOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], pb.ScintigramReport]:
        """Have the regions of a whole-body bone scan found.

        Args:
            scan: One view or both.
            model: Name of a model that the service serves.
            options: See `scintigraphy_options`; None takes the defaults.
            on_progress: Called with every progress message, in the caller's thread.

        Returns:
            labels: (V, Y, X) uint8 on exactly the grid of the views, in their order; 0 is
                background, the others are in ``report.model.labels``.
            regions: (V, Y, X) uint8, 0 or the number of a region in ``report.regions``.
            report: Model, what was done, every region, what is missing or doubled, times.

        Raises:
            OsteoserveError: As `segment`.
        """

        def upload() -> Upload:
            return scintigram_upload(scan, pb.SegmentScintigramHeader(options=options, model=model))

        (labels, regions), report, sent = self._stream(
            self._stub.SegmentScintigram, upload, 2, on_progress
        )
        _check_subject(report, sent)
        _check_known(labels, report.model)
        label_of = {region.number: region.label for region in report.regions}
        table = np.full(256, 255, dtype=np.uint8)
        table[[0, *label_of]] = [0, *label_of.values()]
        if not np.array_equal(table[regions], labels):
            raise ServiceError("the labels of the answer are not those of its regions")
        return labels, regions, report

    def preprocess(
        self,
        volume: Volume,
        *,
        model: str = "",
        options: pb.PreprocessingOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> PreprocessedVolume:
        """Have a CT volume preprocessed only.

        Args:
            volume: In any orientation.
            model: Whose window and normalisation to use; where empty, 0..300 HU.
            options: See `preprocessing_options`; None takes the defaults.
            on_progress: Called with every progress message, in the caller's thread.

        Raises:
            OsteoserveError: As `segment`.
        """

        def upload() -> Upload:
            header = pb.PreprocessHeader(options=options, model=model)
            return volume_upload(volume, pb.PreprocessRequest, header)

        (slices, mask), report, _ = self._stream(self._stub.Preprocess, upload, 2, on_progress)
        return PreprocessedVolume(slices, mask.astype(bool), report)

    def models(self) -> tuple[pb.Model, ...]:
        """What the service serves now.

        Raises:
            OsteoserveError: As `segment`.
        """
        return tuple(self._unary(self._stub.ListModels, pb.ListModelsRequest()).models)

    def model(self, name: str) -> pb.Model:
        """One model of those.

        Raises:
            ServiceRefusedError: There is none of that name.
            OsteoserveError: As `segment`.
        """
        answer: pb.GetModelResponse = self._unary(
            self._stub.GetModel, pb.GetModelRequest(name=name)
        )
        return answer.model

    def wait_ready(self, timeout_s: float, *, service: str = "") -> None:
        """Wait until the service says that it can segment.

        Args:
            timeout_s: Longest to wait.
            service: Name of one model; where empty, the service as a whole.

        Raises:
            ServiceUnavailableError: It was not ready in time.
            ServiceRefusedError: It does not let this client ask.
        """
        deadline = monotonic() + timeout_s
        while not self._serving(service):
            if monotonic() >= deadline:
                self._raise_handshake_fault()
                raise ServiceUnavailableError(
                    f"the service at {self.address} was not ready within {timeout_s:g} s"
                )
            sleep(POLL_S)

    def _serving(self, service: str) -> bool:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = self._health.Check(request, timeout=5.0, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() in STRANGERS:
                raise translate(error, self.address) from error
            # Not there yet, or not yet known by that name: the caller goes on asking until its
            # time is up.
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _unary(self, method: Any, request: Any) -> Any:
        metadata = self._metadata_of_call()
        return self._attempt(lambda: method(request, timeout=self._timeout_s, metadata=metadata))

    def _metadata_of_call(self) -> tuple[tuple[str, str], ...]:
        """With an id of its own, which all attempts share."""
        return (*self._metadata, (REQUEST_ID, new_request_id()))

    def _attempt(self, call: Callable[[], Result]) -> Result:
        try:
            return attempt(call, self.address, self._retry_delays_s)
        except ServiceBusyError:
            raise
        except ServiceUnavailableError:
            self._raise_handshake_fault()
            raise

    def _raise_handshake_fault(self) -> None:
        fault = handshake_fault(self.address, self._credentials)
        if fault:
            raise ServiceNotTrustedError(f"the service at {self.address} is not talked to: {fault}")

    def _stream(
        self,
        method: Any,
        make_upload: Callable[[], Upload],
        arrays: int,
        on_progress: OnProgress | None,
    ) -> tuple[npt.NDArray[np.uint8], Any, bytes]:
        """Arrays and report of an answer, and the digest of what it must be about."""
        metadata = self._metadata_of_call()

        def once() -> tuple[npt.NDArray[np.uint8], Any, bytes]:
            upload = make_upload()
            call = method(iter(upload), timeout=self._timeout_s, metadata=metadata)
            try:
                place = upload.place_of_labels(call)
                shape = (arrays, *upload.shape)
                answered, report = Answer(upload.grid, shape, on_progress, place).take(call)
            finally:
                upload.end()
                # Without this an interrupted caller would leave the service at work.
                call.cancel()
            return answered, report, upload.sha256

        return self._attempt(once)


def _check_subject(report: Any, sent: bytes) -> None:
    """Refuse an answer about something else than what has this digest."""
    if report.input_sha256 != sent:
        raise ServiceError("the service's answer is about something else than was sent")


def _check_known(labels: npt.NDArray[np.uint8], model: pb.Model) -> None:
    """Refuse labels that a model does not have."""
    known = np.zeros(256, dtype=bool)
    known[[0, *(label.value for label in model.labels)]] = True
    if not known[labels].all():
        raise ServiceError(f"the answer holds labels that {model.name} does not declare")
