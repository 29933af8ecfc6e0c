"""The embedded Triton's own metrics, as it words them."""

from __future__ import annotations

import asyncio
import http.client
import logging
import urllib.request
from typing import Final

logger = logging.getLogger(__name__)

#: Longest that it may take, seconds, and most that is read of it.
TIMEOUT_S: Final = 2.0
MOST_BYTES: Final = 4 << 20

#: Loopback, whatever proxy the environment names.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def triton_metrics(url: str | None) -> bytes:
    """Prometheus's text; nothing where Triton does not answer, as while it is started again.

    Args:
        url: Where they are; None for nowhere.
    """
    return b"" if url is None else await asyncio.to_thread(_fetched, url)


def _fetched(url: str) -> bytes:
    try:
        with _OPENER.open(url, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read(MOST_BYTES))
    except (OSError, http.client.HTTPException) as error:
        logger.debug("the embedded Triton's metrics: %s", error)
        return b""
