"""The edge of every call: a place, patience, one line in the log, one table of errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import grpc

from osteoserve_preprocessing.errors import SharedMemoryError, StreamTimeoutError
from osteoserve_preprocessing.inference import ModelContract
from osteoserve_preprocessing.inference.origin import ORIGIN
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.exchange import Progress, Request
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.observability.spans import UNTRACED, Traces
from osteoserve_preprocessing.server.records import CallRecord, Keep, utc_now
from osteoserve_preprocessing.server.security.callers import caller
from osteoserve_preprocessing.server.stages import StageTime, Stopwatch
from osteoserve_preprocessing.server.status import refusal
from osteoserve_preprocessing.server.upload import StreamUpload
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID
from osteoserve_preprocessing.v1.shared_volume import SHARED, take

Response = TypeVar("Response")
Asked = TypeVar("Asked", bound=Request)

#: How gRPC writes the address of a caller on this machine.
_THIS_MACHINE = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "unix:")

logger = logging.getLogger("osteoserve.calls")

LINE = (
    "call=%(call)s id=%(id)s client=%(client)s model=%(model)s shape=%(shape)s "
    "outcome=%(outcome)s reason=%(reason)s seconds=%(seconds).3f %(stages)s"
)


class Subject:
    """What a call is about, as far as it has come.

    Args:
        model: Name of the model that was asked for; whatever a caller sends.
    """

    def __init__(self, model: str = "") -> None:
        self.model, self.shape = model, "-"
        #: Of the model that answered.
        self.contract: ModelContract | None = None

    @property
    def input_sha256(self) -> str:
        """Digest of what was received; empty where nothing was, or not all of it."""
        return ""

    @property
    def received_bytes(self) -> int:
        """How much was received."""
        return 0

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """How long each stage took, up to now."""
        return ()


class StreamCall(Subject):
    """One call with a volume.

    Args:
        context: gRPC's.
        limits: Patience.
        progress_response: Makes a response of progress.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        context: Any,
        limits: Limits,
        progress_response: Callable[[Progress], Any],
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self._context = context
        self._limits = limits
        self._progress_response = progress_response
        self.upload = StreamUpload(self._read, limits)
        self.watch = Stopwatch("queue", clock)

    def about(self, request: Asked) -> Asked:
        """Remember, for the log, what the call is about."""
        self.model, self.shape = request.model, "x".join(map(str, request.shape))
        return request

    @property
    def input_sha256(self) -> str:
        """Digest of what was received; empty where nothing was, or not all of it."""
        return self.upload.sha256.hex()

    @property
    def received_bytes(self) -> int:
        """How much was received."""
        return self.upload.received_bytes

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """How long each stage took, up to now."""
        return self.watch.times()

    async def share(self, offered: pb.SharedVolume, shape: tuple[int, int, int]) -> None:
        """Take what the caller offers of its memory, where it can be seen, and say so.

        To a caller of another machine, or another user, nothing is said, and it sends chunks.
        """
        if not self._context.peer().startswith(_THIS_MACHINE):
            return
        try:
            voxels, labels = take(offered, shape)
        except SharedMemoryError:
            return
        self.upload.share(voxels, labels)
        with _while_connected():
            await self._context.send_initial_metadata((SHARED,))

    async def tell(self, progress: Progress) -> None:
        """Send progress."""
        await self._write(self._progress_response(progress))

    async def send(self, responses: Iterable[Any]) -> None:
        """Send an answer.

        Raises:
            StreamTimeoutError: The client does not take it.
        """
        self.watch.begin("send")
        for response in responses:
            await self._write(response)

    async def _read(self) -> Any:
        with _while_connected():
            message = await self._context.read()
        return None if message is grpc.aio.EOF else message

    async def _write(self, response: Any) -> None:
        try:
            with _while_connected():
                await asyncio.wait_for(self._context.write(response), self._limits.idle_s)
        except TimeoutError as error:
            raise StreamTimeoutError("the client does not take its answer") from error


@contextmanager
def _while_connected() -> Iterator[None]:
    """A caller who is gone cancels the call, also where gRPC's own word for it comes later."""
    try:
        yield
    except (grpc.aio.InternalError, grpc.aio.UsageError) as error:
        raise asyncio.CancelledError from error


class Calls:
    """Runs calls.

    Args:
        admission: Places.
        limits: Bounds.
        remembered: What is known of a model without asking.
        keep: Told of every call that has ended.
        traces: Told when one begins, too.
        clock: Seconds, monotonic.
        now: UTC.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        remembered: Callable[[str], ModelContract | None],
        keep: Keep,
        traces: Traces = UNTRACED,
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._remembered = remembered
        self._keep = keep
        self._traces = traces
        self._clock = clock
        self._now = now

    async def stream(
        self,
        context: Any,
        method: str,
        work: Callable[[StreamCall], Awaitable[None]],
        progress_response: Callable[[Progress], Any],
    ) -> None:
        """Run a call with a volume, when there is a place for it."""
        call = StreamCall(context, self._limits, progress_response, self._clock)

        async def placed() -> None:
            try:
                async with self._admission.call():
                    await work(call)
            finally:
                call.upload.let_go()

        await self._run(context, method, placed, call)

    async def unary(
        self,
        context: Any,
        method: str,
        work: Callable[[], Awaitable[Response]],
        *,
        model: str = "",
    ) -> Response:
        """Run a small call, about a model or about none."""
        return await self._run(context, method, work, Subject(model))

    async def _run(
        self,
        context: Any,
        method: str,
        work: Callable[[], Awaitable[Response]],
        subject: Subject,
    ) -> Response:
        began, clock = self._now(), self._clock()
        origin = ORIGIN.get()
        asked = ((REQUEST_ID, origin.request_id),)
        context.set_trailing_metadata(asked)
        span = self._traces.begin(method, origin.traceparent, began)
        ORIGIN.set(replace(origin, traceparent=span.traceparent))

        def log(outcome: str, reason: str = "") -> None:
            record = self._record(context, method, subject, outcome, reason, began, clock)
            logger.info(LINE, record.said() | {"shape": subject.shape})
            span.end(record)
            self._keep(record)

        try:
            answer = await work()
        except asyncio.CancelledError:
            log("CANCELLED")
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a status
            end = refusal(error, retry_after_s=self._limits.retry_after_s)
        else:
            log("OK")
            return answer
        log(end.code.name, end.reason)
        # Here, where the error and with it the frames that hold the volume are gone: this waits
        # for as long as a client that does not read.
        with _while_connected():
            await context.abort(end.code, end.details, (*end.metadata, *asked))
        raise AssertionError("abort always raises")

    def _record(
        self,
        context: Any,
        method: str,
        subject: Subject,
        outcome: str,
        reason: str,
        began: datetime,
        clock: float,
    ) -> CallRecord:
        # Before its seconds, or they would be fewer than those of its stages.
        stages = subject.stages
        # A name that no model has could be anything: a patient's, for one.
        contract = subject.contract or self._remembered(subject.model)
        return CallRecord(
            method=method,
            outcome=outcome,
            client=caller(context),
            began=began,
            seconds=self._clock() - clock,
            model=contract.name if contract else "",
            digest=contract.digest if contract else "",
            input_sha256=subject.input_sha256,
            received_bytes=subject.received_bytes,
            stages=stages,
            reason=reason,
        )
