"""A canary that is dear: asked seldom, and beside the checks of health, which must not wait for it.

A detector has one size of images, so its canary is a whole inference: a second and more on a CPU.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.inference import ModelContract
from osteoserve_preprocessing.inference.tasks import end

logger = logging.getLogger(__name__)

#: Between two canaries of a model that answers; one that does not is asked at every check.
INTERVAL_S: Final = 30.0


class SeldomCanary:
    """The canary of one model.

    Args:
        canary: One inference; raises where it fails.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, canary: Callable[[ModelContract], Awaitable[None]], clock: Callable[[], float]
    ) -> None:
        self._canary = canary
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._alive = False
        self._succeeded_at = float("-inf")

    def alive(self, contract: ModelContract) -> bool:
        """Whether the last one succeeded; starts the next where it is time."""
        running = self._task is not None and not self._task.done()
        if not running and self._clock() - self._succeeded_at >= INTERVAL_S:
            self._task = asyncio.create_task(self._ask(contract))
        return self._alive

    def forget(self) -> None:
        """What succeeded before says nothing now, as after a failure of Triton."""
        self._alive, self._succeeded_at = False, float("-inf")

    async def end(self) -> None:
        """Ask no more."""
        await end(self._task)

    async def ask(self, contract: ModelContract) -> None:
        """Ask now, and wait for the answer.

        Raises:
            PreprocessingError: It fails.
        """
        await self._canary(contract)
        self._alive, self._succeeded_at = True, self._clock()

    async def _ask(self, contract: ModelContract) -> None:
        try:
            await self.ask(contract)
        except PreprocessingError as error:
            logger.warning("canary of %s failed: %s", contract.name, error)
            self.forget()
