"""GET /metrics, for Prometheus: with the TLS and the tokens that the service itself has."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from grpc import StatusCode

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.records import utc_now
from osteoserve_preprocessing.server.security.guard import RefusedError, admitted
from osteoserve_preprocessing.server.security.tokens import TokenFile

logger = logging.getLogger(__name__)

#: The format of Prometheus's text, version 0.0.4, which is also Triton's.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: Longest that one may take to ask and to read, seconds; longest head of a request, bytes; most
#: connections at a time.
PATIENCE_S: Final = 10.0
HEAD_BYTES: Final = 16 << 10
CONNECTIONS: Final = 16

_STATUS: Final = {
    StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

Render = Callable[[], Awaitable[bytes]]


@asynccontextmanager
async def metrics_endpoint(
    host: str,
    port: int,
    render: Render,
    *,
    context: ssl.SSLContext | None,
    tokens: TokenFile | None,
) -> AsyncIterator[None]:
    """Answer until the context ends.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, which the log names.
        render: Makes the metrics' text.
        context: TLS; None for none.
        tokens: Who may ask, with the scope "metrics"; None for everybody.

    Raises:
        OptionError: The port is taken.
    """
    endpoint = _Endpoint(render, tokens)
    try:
        server = await asyncio.start_server(
            endpoint.answer,
            host,
            port,
            limit=HEAD_BYTES,
            ssl=context,
            ssl_handshake_timeout=PATIENCE_S if context else None,
        )
    except OSError as error:
        raise OptionError(f"metrics: port {port} on {host} is taken") from error
    async with server:
        bound = server.sockets[0].getsockname()[1]
        logger.info("metrics on %s://%s:%d/metrics", "https" if context else "http", host, bound)
        yield


class _Endpoint:
    def __init__(self, render: Render, tokens: TokenFile | None) -> None:
        self._render = render
        self._tokens = tokens
        self._open = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        # One who falls silent or hangs up gets no answer, and there is nobody to tell.
        gone = (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)
        try:
            with contextlib.suppress(asyncio.LimitOverrunError, *gone):
                if self._open <= CONNECTIONS:
                    async with asyncio.timeout(PATIENCE_S):
                        head = await reader.readuntil(b"\r\n\r\n")
                        writer.write(await self._response(head))
                        await writer.drain()
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(*gone):
                await asyncio.wait_for(writer.wait_closed(), PATIENCE_S)

    async def _response(self, head: bytes) -> bytes:
        line, _, rest = head.partition(b"\r\n")
        method, _, target = line.decode("latin-1").rpartition(" ")[0].partition(" ")
        if target.partition("?")[0] != "/metrics":
            return _message(HTTPStatus.NOT_FOUND, "there is only /metrics")
        if method not in ("GET", "HEAD"):
            return _message(HTTPStatus.METHOD_NOT_ALLOWED, "GET alone", "Allow: GET, HEAD")
        try:
            headers = http.client.parse_headers(io.BytesIO(rest))
        except http.client.HTTPException:
            return _message(HTTPStatus.BAD_REQUEST, "these are no headers")
        try:
            self._admit(headers.get_all("authorization", []))
        except RefusedError as refused:
            return _message(_STATUS[refused.code], refused.details, "WWW-Authenticate: Bearer")
        content = await self._render()
        return _head(HTTPStatus.OK, len(content), CONTENT_TYPE) + content * (method == "GET")

    def _admit(self, authorization: Sequence[str]) -> None:
        if self._tokens is not None:
            admitted(self._tokens, authorization, "metrics", utc_now())


def _message(status: HTTPStatus, text: str, *headers: str) -> bytes:
    content = f"{text}\n".encode()
    return _head(status, len(content), "text/plain; charset=utf-8", *headers) + content


def _head(status: HTTPStatus, length: int, kind: str, *headers: str) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        "Connection: close",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
