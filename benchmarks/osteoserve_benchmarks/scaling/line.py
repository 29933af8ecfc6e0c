"""The straight line through what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Line:
    """A least-squares line.

    Args:
        per_slice: Its slope.
        intercept: Its value at no slices.
        r_squared: Coefficient of determination, 0..1.
        largest_deviation: Of a point from the line, as a part of the point: R^2 alone hides what
            the small volumes do.
    """

    per_slice: float
    intercept: float
    r_squared: float
    largest_deviation: float

    @classmethod
    def through(cls, slices: Sequence[int], values: Sequence[float]) -> Line | None:
        """Fit one; None where there are no two numbers of slices, or nothing varies.

        Args:
            slices: Of each point.
            values: Of each point, above 0.
        """
        if len(set(slices)) < 2 or len(set(values)) < 2:
            return None
        fit = stats.linregress(slices, values)
        on_line = fit.intercept + fit.slope * np.asarray(slices)
        return cls(
            per_slice=float(fit.slope),
            intercept=float(fit.intercept),
            r_squared=float(fit.rvalue**2),
            largest_deviation=float(np.max(np.abs(on_line / np.asarray(values) - 1))),
        )
