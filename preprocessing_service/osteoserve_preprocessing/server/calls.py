"""The edge of every call: a place, patience, one line in the log, one table of errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import grpc

from osteoserve_preprocessing.errors import StreamTimeoutError
from osteoserve_preprocessing.inference import ModelContract
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.exchange import Progress, Request
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.records import CallRecord, Keep, utc_now
from osteoserve_preprocessing.server.security.callers import caller
from osteoserve_preprocessing.server.stages import StageTime
from osteoserve_preprocessing.server.status import refusal
from osteoserve_preprocessing.server.upload import StreamUpload

Response = TypeVar("Response")
Asked = TypeVar("Asked", bound=Request)

logger = logging.getLogger("osteoserve.calls")


class Subject:
    """What a call is about, as far as it has come.

    Args:
        model: Name of the model that was asked for; whatever a caller sends.
    """

    def __init__(self, model: str = "") -> None:
        self.model, self.shape = model, ""
        self.contract: ModelContract | None = None
        self.stages: tuple[StageTime, ...] = ()

    @property
    def input_sha256(self) -> str:
        """Digest of what was received; empty where nothing was, or not all of it."""
        return ""

    def __str__(self) -> str:
        """What the log says of the call."""
        model = repr(self.model[:64]) if self.model else "-"
        stages = "".join(f" {time.stage}={time.seconds:.3f}" for time in self.stages)
        return f"model={model} shape={self.shape or '-'}{stages}"


class StreamCall(Subject):
    """One call with a volume.

    Args:
        context: gRPC's.
        limits: Patience.
        progress_response: Makes a response of progress.
    """

    def __init__(
        self, context: Any, limits: Limits, progress_response: Callable[[Progress], Any]
    ) -> None:
        super().__init__()
        self._context = context
        self._limits = limits
        self._progress_response = progress_response
        self.upload = StreamUpload(self._read, limits)

    def about(self, request: Asked) -> Asked:
        """Remember, for the log, what the call is about."""
        self.model, self.shape = request.model, "x".join(map(str, request.shape))
        return request

    def answered(self, contract: ModelContract, stages: tuple[StageTime, ...]) -> None:
        """Remember, for the log, which model answered and how long each stage took."""
        self.contract, self.stages = contract, stages

    @property
    def input_sha256(self) -> str:
        """Digest of what was received; empty where nothing was, or not all of it."""
        return self.upload.sha256.hex()

    async def tell(self, progress: Progress) -> None:
        """Send progress."""
        await self._write(self._progress_response(progress))

    async def send(self, responses: Iterable[Any]) -> None:
        """Send an answer.

        Raises:
            StreamTimeoutError: The client does not take it.
        """
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
        clock: Seconds, monotonic.
        now: UTC.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        remembered: Callable[[str], ModelContract | None],
        keep: Keep,
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._remembered = remembered
        self._keep = keep
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
        call = StreamCall(context, self._limits, progress_response)

        async def placed() -> None:
            async with self._admission.call():
                await work(call)

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

        def log(outcome: str) -> None:
            self._log(context, method, subject, outcome, began, self._clock() - clock)

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
        log(end.code.name)
        # Here, where the error and with it the frames that hold the volume are gone: this waits
        # for as long as a client that does not read.
        with _while_connected():
            await context.abort(end.code, end.details, end.metadata)
        raise AssertionError("abort always raises")

    def _log(
        self,
        context: Any,
        method: str,
        subject: Subject,
        outcome: str,
        began: datetime,
        seconds: float,
    ) -> None:
        # A name that no model has could be anything: a patient's, for one.
        contract = subject.contract or self._remembered(subject.model)
        record = CallRecord(
            method=method,
            outcome=outcome,
            client=caller(context),
            began=began,
            seconds=seconds,
            model=contract.name if contract else "",
            digest=contract.digest if contract else "",
            input_sha256=subject.input_sha256,
            stages=subject.stages,
        )
        logger.info(
            "call=%s id=%s client=%s %s outcome=%s seconds=%.3f",
            method,
            record.id,
            repr(record.client) if record.client else "-",
            subject,
            outcome,
            seconds,
        )
        self._keep(record)
