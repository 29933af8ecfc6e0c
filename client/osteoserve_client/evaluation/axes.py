"""A plot's axes: from numbers to pixels, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One axis of a plot.

    Args:
        low: Number at its beginning.
        high: Number at its end, above ``low``.
        start: Pixel of its beginning.
        end: Pixel of its end; above or below ``start``.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> Axis:
        """An axis that holds all finite values, with a margin of 8 % on either side."""
        finite = [value for value in values if math.isfinite(value)]
        low, high = min(finite), max(finite)
        # One value alone, or equal ones, still need a length.
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - margin, high + margin, start, end)

    def pixel(self, value: float) -> float:
        """Where a number lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[tuple[float, str]]:
        """Round numbers on the axis, about as many as wanted, with their labels."""
        raw = (self.high - self.low) / wanted
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= raw * 0.999)
        decimals = max(0, -math.floor(math.log10(step)) + (step / power == 2.5))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(n * step, f"{n * step + 0.0:.{decimals}f}") for n in range(first, last + 1)]
