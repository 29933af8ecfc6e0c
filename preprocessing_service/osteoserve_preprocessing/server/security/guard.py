"""Stands before every method, and lets in who has a token that is good for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
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
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID

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


class RefusedError(Exception):
    """A caller is not let in.

    Args:
        code: The gRPC status that says so.
        details: One line for the caller.
        client: Name of its token, where it is one.
    """

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
        stated = _authorization(handler_call_details.invocation_metadata)
        try:
            name = admitted(self._tokens, stated, SCOPE_OF.get(method), self._now())
        except RefusedError as refused:
            return self._refusing(method, refused)
        TOKEN_NAME.set(name)
        return await continuation(handler_call_details)

    def _refusing(self, method: str, refused: RefusedError) -> Any:
        record = CallRecord(
            # What a stranger calls a method could be anything.
            method=method.rpartition("/")[2] if method in SCOPE_OF else "unknown",
            outcome=refused.code.name,
            client=refused.client,
            began=self._now(),
            seconds=0.0,
            reason="token",
        )
        logger.warning(
            "call=%(call)s id=%(id)s client=%(client)s outcome=%(outcome)s", record.said()
        )
        self._keep(record)

        async def refuse(_requests: Any, context: Any) -> None:
            await context.abort(refused.code, refused.details, ((REQUEST_ID, record.id),))

        # Of the four kinds the one that waits for no message; on the wire they are alike.
        return grpc.stream_stream_rpc_method_handler(refuse)


def admitted(
    tokens: TokenFile, authorization: Sequence[str], scope: str | None, now: datetime
) -> str:
    """Name of the token that a caller brings, if it is good for what is asked.

    Args:
        tokens: Who may ask.
        authorization: Every value of that header or metadata.
        scope: What is asked for; None is for nobody.
        now: UTC.

    Raises:
        RefusedError: It is not.
    """
    token = _bearer(authorization)
    try:
        entry = tokens.find(token)
    except OptionError as error:
        logger.error("nobody is let in: %s", error)
        raise RefusedError(StatusCode.UNAVAILABLE, "the service cannot read its tokens") from error
    if entry is None:
        raise RefusedError(StatusCode.UNAUTHENTICATED, "the token is none of this service's")
    if entry.expired(now):
        raise RefusedError(StatusCode.UNAUTHENTICATED, "the token has expired", entry.name)
    if scope not in entry.scopes:
        what = f"the token lacks the scope {scope}" if scope else "no scope has this method"
        raise RefusedError(StatusCode.PERMISSION_DENIED, what, entry.name)
    return entry.name


def _authorization(metadata: Any) -> list[str]:
    return [str(value) for key, value in metadata or () if key == "authorization"]


def _bearer(stated: Sequence[str]) -> str:
    """The one token that a call brings (RFC 6750, section 2.1)."""
    scheme, _, token = stated[0].partition(" ") if len(stated) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise RefusedError(
            StatusCode.UNAUTHENTICATED,
            "this service asks for a token: metadata authorization, Bearer TOKEN",
        )
    return token.strip()
