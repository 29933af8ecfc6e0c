"""When the volumes of an open loop arrive: fixed before the first is sent."""

from __future__ import annotations

import numpy as np


def poisson_arrivals(*, per_second: float, duration_s: float, seed: int) -> tuple[float, ...]:
    """Times of a Poisson process, the first at 0.

    Nothing that the service does moves them, so a slow answer cannot thin out what comes after it
    (coordinated omission). Of one seed, all rates have the same gaps, in proportion.

    Args:
        per_second: Mean rate.
        duration_s: Arrivals lie in [0, duration_s).
        seed: Of the gaps.

    Returns:
        Seconds, ascending.
    """
    draw = np.random.default_rng(seed)
    times = [0.0]
    while (next_ := times[-1] + draw.exponential() / per_second) < duration_s:
        times.append(next_)
    return tuple(times)
