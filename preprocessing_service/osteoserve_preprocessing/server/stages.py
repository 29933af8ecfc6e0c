"""How long each stage of a call took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class StageTime:
    """Wall time of one stage, seconds."""

    stage: str
    seconds: float


class Stopwatch:
    """Goes from one stage to the next, without a gap, so that a call that fails has its times too.

    Args:
        stage: The first one.
        clock: Seconds, monotonic.
    """

    def __init__(self, stage: str, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._stage = stage
        self._began = self._last = clock()
        self._ended: list[StageTime] = []

    def begin(self, stage: str) -> None:
        """From now on it is ``stage``."""
        now = self._clock()
        self._ended.append(StageTime(self._stage, now - self._last))
        self._stage, self._last = stage, now

    def times(self) -> tuple[StageTime, ...]:
        """Every stage up to now, the one that runs included, and the total."""
        now = self._clock()
        running = StageTime(self._stage, now - self._last)
        return (*self._ended, running, StageTime("total", now - self._began))
