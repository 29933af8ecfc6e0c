"""What a caller is called in logs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

#: Set by the guard for the call that it lets in: gRPC runs interceptors and method in one task.
TOKEN_NAME: ContextVar[str] = ContextVar("TOKEN_NAME", default="")

_LONGEST: Final = 256


def caller(context: Any) -> str:
    """Name of the call's token, else subject of its certificate, else nothing.

    Args:
        context: gRPC's.
    """
    return TOKEN_NAME.get() or _subject(context.auth_context() or {})


def _subject(properties: Any) -> str:
    # Only of a certificate that the handshake has verified: without a client CA none is asked for.
    for key in ("x509_subject", "x509_common_name"):
        for value in properties.get(key, ()):
            return bytes(value).decode(errors="replace")[:_LONGEST]
    return ""
