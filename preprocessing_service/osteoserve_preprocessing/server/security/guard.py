"""Stands before every method, and lets in who has a token that is good for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import grpc
from grpc import StatusCode

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.health import SERVICE_NAME
from osteoserve_preprocessing.server.records import CallRecord, Keep, utc_now
from osteoserve_preprocessing.server.security.callers import TOKEN_NAME
from osteoserve_preprocessing.server.security.tokens import TokenFile

logger = logging.getLogger("osteoserve.calls")

_OURS, _HEALTH = f"/{SERVICE_NAME}", "/grpc.health.v1.Health"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection"

#: Which scope a method needs. One that is not here is refused to everybody; a test fails where one
#: is missing.
SCOPE_OF: Final = MappingProxyType(
    {
        f"{_OURS}/Preprocess": "segment",
        f"{_OURS}/Segment": "segment",
        f"{_OURS}/SegmentScintigram": "segment",
        f"{_OURS}/ListModels": "models",
        f"{_OURS}/GetModel": "models",
        f"{_HEALTH}/Check": "health",
        f"{_HEALTH}/Watch": "health",
        f"{_REFLECTION}/ServerReflectionInfo": "reflection",
    }
)


class _RefusedError(Exception):
    def __init__(self, code: StatusCode, details: str, client: str = "") -> None:
        super().__init__(details)
        self.code, self.details, self.client = code, details, client


class TokenGuard(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses before a byte of the request's messages is read.

    Args:
        tokens: Who may call.
        keep: Told of every refusal.
        now: UTC.
    """

    def __init__(
        self, tokens: TokenFile, keep: Keep, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._tokens = tokens
        self._keep = keep
        self._now = now

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The method's own handler, or one that refuses."""
        method = handler_call_details.method
        try:
            name = self._admitted(method, handler_call_details.invocation_metadata)
        except _RefusedError as refused:
            return self._refusing(method, refused)
        TOKEN_NAME.set(name)
        return await continuation(handler_call_details)

    def _admitted(self, method: str, metadata: Any) -> str:
        token = _bearer(metadata)
        try:
            entry = self._tokens.find(token)
        except OptionError as error:
            logger.error("nobody is let in: %s", error)
            raise _RefusedError(
                StatusCode.UNAVAILABLE, "the service cannot read its tokens"
            ) from error
        if entry is None:
            raise _RefusedError(StatusCode.UNAUTHENTICATED, "the token is none of this service's")
        if entry.expired(self._now()):
            raise _RefusedError(StatusCode.UNAUTHENTICATED, "the token has expired", entry.name)
        scope = SCOPE_OF.get(method)
        if scope not in entry.scopes:
            what = f"the token lacks the scope {scope}" if scope else "no scope has this method"
            raise _RefusedError(StatusCode.PERMISSION_DENIED, what, entry.name)
        return entry.name

    def _refusing(self, method: str, refused: _RefusedError) -> Any:
        record = CallRecord(
            # What a stranger calls a method could be anything.
            method=method.rpartition("/")[2] if method in SCOPE_OF else "unknown",
            outcome=refused.code.name,
            client=refused.client,
            began=self._now(),
            seconds=0.0,
        )
        logger.warning(
            "call=%s id=%s client=%s outcome=%s",
            record.method,
            record.id,
            repr(record.client) if record.client else "-",
            record.outcome,
        )
        self._keep(record)

        async def refuse(_requests: Any, context: Any) -> None:
            await context.abort(refused.code, refused.details)

        # Of the four kinds the one that waits for no message; on the wire they are alike.
        return grpc.stream_stream_rpc_method_handler(refuse)


def _bearer(metadata: Any) -> str:
    """The one token that a call brings (RFC 6750, section 2.1)."""
    stated = [value for key, value in metadata or () if key == "authorization"]
    scheme, _, token = str(stated[0]).partition(" ") if len(stated) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise _RefusedError(
            StatusCode.UNAUTHENTICATED,
            "this service asks for a token: metadata authorization, Bearer TOKEN",
        )
    return token.strip()
