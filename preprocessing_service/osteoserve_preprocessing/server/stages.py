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
    """Laps from one stage to the next.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._laps: list[StageTime] = []

    def lap(self, stage: str) -> None:
        """The time since the last lap was spent on ``stage``."""
        now = self._clock()
        self._laps.append(StageTime(stage, now - self._last))
        self._last = now

    def times(self) -> tuple[StageTime, ...]:
        """Every lap, and the total from the beginning to the last one."""
        return (*self._laps, StageTime("total", self._last - self._began))
