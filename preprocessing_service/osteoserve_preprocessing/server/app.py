"""The life of the process: starts the service, listens to signals, ends without losing a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from osteoserve_preprocessing.inference.tasks import end
from osteoserve_preprocessing.server.memory import give_back_large_blocks
from osteoserve_preprocessing.server.running import Service, running
from osteoserve_preprocessing.server.settings import Settings
from osteoserve_preprocessing.server.signals import Signals

logger = logging.getLogger(__name__)


def run(
    settings: Settings,
    *,
    announce: Callable[[str], None] | None = None,
    until_stdin_ends: bool = False,
) -> None:
    """Run a service until SIGTERM or SIGINT; SIGHUP reloads its models.

    Args:
        settings: How.
        announce: Called with the address once it is SERVING.
        until_stdin_ends: Stop also when standard input ends, as it does when the parent dies.

    Raises:
        PreprocessingError: It could not be started.
    """
    give_back_large_blocks()
    asyncio.run(_run(settings, announce, until_stdin_ends))


async def _run(
    settings: Settings, announce: Callable[[str], None] | None, until_stdin_ends: bool
) -> None:
    signals, started = Signals(), asyncio.Event()
    signals.listen(until_stdin_ends=until_stdin_ends)
    serving = asyncio.create_task(_serve(settings, announce, signals, started))
    stopping = asyncio.create_task(signals.stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not started.is_set():
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _serve(
    settings: Settings,
    announce: Callable[[str], None] | None,
    signals: Signals,
    started: asyncio.Event,
) -> None:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running(settings))
        started.set()
        logger.info("listening on %s", service.address)
        service.generations.reload_whenever(signals.reload)
        announcing = asyncio.create_task(_announce(service, announce))
        await signals.stop.wait()
        logger.info("draining")
        await end(announcing)
        giving_up = asyncio.create_task(service.give_up_when(signals.stop_at_once))
        await stack.aclose()
        await end(giving_up)


async def _announce(service: Service, announce: Callable[[str], None] | None) -> None:
    await service.serving()
    logger.info("serving on %s", service.address)
    if announce:
        announce(service.address)
