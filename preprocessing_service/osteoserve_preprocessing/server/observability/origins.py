"""Takes from every call's metadata by what id and in what trace it is to be known."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from osteoserve_preprocessing.inference.origin import ORIGIN, Origin
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID, new_request_id, well_formed

#: W3C trace context, section 3.2.2: version 00, trace, parent, flags; no part but the flags is 0.
#: Of ``tracestate``, which may hold any text, nothing is taken.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def current_request_id() -> str:
    """The id of the call that runs, or a new one where none does."""
    return ORIGIN.get().request_id or new_request_id()


class Origins(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Stands before all others: gRPC runs interceptors and method in one task."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The method's own handler."""
        ORIGIN.set(origin_of(handler_call_details.invocation_metadata))
        return await continuation(handler_call_details)


def origin_of(metadata: Any) -> Origin:
    """What a call states; a new id where it states none that is well-formed.

    Args:
        metadata: Pairs of name and text.
    """
    stated = list(metadata or ())
    request_id, traceparent = _only(stated, REQUEST_ID), _only(stated, "traceparent")
    return Origin(
        request_id if well_formed(request_id) else new_request_id(),
        traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
    )


def _only(metadata: list[tuple[str, Any]], name: str) -> str:
    """The one text of that name."""
    texts = [str(text) for key, text in metadata if key == name]
    return texts[0] if len(texts) == 1 else ""
