"""The edge of every call: a place, patience, one line in the log, one table of errors."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

import grpc

from osteoserve_preprocessing.errors import StreamTimeoutError
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.exchange import Progress, Request
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.stages import StageTime
from osteoserve_preprocessing.server.status import refusal
from osteoserve_preprocessing.server.upload import StreamUpload

Response = TypeVar("Response")
Asked = TypeVar("Asked", bound=Request)

logger = logging.getLogger("osteoserve.calls")


class StreamCall:
    """One call with a volume.

    Args:
        context: gRPC's.
        limits: Patience.
        progress_response: Makes a response of progress.
    """

    def __init__(
        self, context: Any, limits: Limits, progress_response: Callable[[Progress], Any]
    ) -> None:
        self._context = context
        self._limits = limits
        self._progress_response = progress_response
        self.upload = StreamUpload(self._read, limits)
        self._model, self._shape, self._stages = "-", "-", ""

    def about(self, request: Asked) -> Asked:
        """Remember, for the log, what the call is about."""
        self._model = repr(request.model[:64])
        self._shape = "x".join(map(str, request.shape))
        return request

    def took(self, stages: Iterable[StageTime]) -> None:
        """Remember, for the log, how long each stage took."""
        self._stages = "".join(f" {time.stage}={time.seconds:.3f}" for time in stages)

    def __str__(self) -> str:
        """What the log says of the call."""
        return f"model={self._model} shape={self._shape}{self._stages}"

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
        clock: Seconds, monotonic.
    """

    def __init__(
        self, admission: Admission, limits: Limits, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._clock = clock

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
        self, context: Any, method: str, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Run a small call."""
        return await self._run(context, method, work, "model=- shape=-")

    async def _run(
        self,
        context: Any,
        method: str,
        work: Callable[[], Awaitable[Response]],
        subject: object,
    ) -> Response:
        began = self._clock()
        try:
            answer = await work()
        except asyncio.CancelledError:
            self._log(method, subject, "CANCELLED", began)
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a status
            end = refusal(error, retry_after_s=self._limits.retry_after_s)
        else:
            self._log(method, subject, "OK", began)
            return answer
        self._log(method, subject, end.code.name, began)
        # Here, where the error and with it the frames that hold the volume are gone: this waits
        # for as long as a client that does not read.
        with _while_connected():
            await context.abort(end.code, end.details, end.metadata)
        raise AssertionError("abort always raises")

    def _log(self, method: str, subject: object, outcome: str, began: float) -> None:
        logger.info(
            "call=%s id=%s %s outcome=%s seconds=%.3f",
            method,
            secrets.token_hex(4),
            subject,
            outcome,
            self._clock() - began,
        )
