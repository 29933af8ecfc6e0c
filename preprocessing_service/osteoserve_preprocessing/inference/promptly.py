"""Asking several at once, and not waiting for the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from osteoserve_preprocessing.inference.tasks import end

#: Seconds that the others have once the first has answered.
GRACE_S = 0.5


async def promptly(
    questions: Iterable[Coroutine[Any, Any, bool]], *, grace_s: float = GRACE_S
) -> None:
    """Wait until one question has succeeded or all have ended; give the rest a moment, and end it.

    Args:
        questions: Each says whether it succeeded.
        grace_s: The moment, seconds.
    """
    tasks = [asyncio.create_task(question) for question in questions]
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pending and any(task.result() for task in done):
                done, _ = await asyncio.wait(pending, timeout=grace_s)
                break
    finally:
        ends = await end(*tasks)
    for ended in ends:
        if isinstance(ended, Exception):
            raise ended
