"""Computing beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(executor: Executor | None, work: Callable[[], Result]) -> Result:
    """Run ``work`` in a thread, in the context of the caller, and await it.

    Without an executor it is the event loop's own: for what need not wait behind a volume.

    A thread cannot be interrupted. When the caller is cancelled, this ends only with the thread,
    so that nobody takes the memory for free that it still uses.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, copy_context().run, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.cancel():
            await asyncio.wait([future])
        raise
    finally:
        # Its error would hold this frame, this frame it, and both the caller's arrays.
        del future
