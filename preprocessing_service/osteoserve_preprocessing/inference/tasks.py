"""How a task is ended."""

from __future__ import annotations

import asyncio
from typing import Any


async def end(*tasks: asyncio.Task[Any] | None) -> list[Any]:
    """Cancel tasks, and wait until each has ended; what they raise is returned, not raised.

    Args:
        tasks: Those that were begun; None where one never was.
    """
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    return await asyncio.gather(*begun, return_exceptions=True)
