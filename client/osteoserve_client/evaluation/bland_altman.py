"""Agreement of two readings of the same quantity, as Belal 2019 reports it of bone volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

#: Standard normal quantile of 97.5 %, as Bland and Altman round it.
_NORMAL: Final = 1.96


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``; both NaN where undefined."""

    low: float
    high: float


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two readings of the same quantity (Bland and Altman 1986, 1999).

    Args:
        pairs: How many were compared.
        bias: Mean of the differences, second reading minus first; NaN without a pair.
        sd: Their standard deviation, n - 1 in the denominator; NaN with fewer than two pairs.
        limits: 95 % limits of agreement, bias -/+ 1.96 SD.
        bias_interval: 95 % confidence interval of the bias.
        low_interval: 95 % confidence interval of the lower limit.
        high_interval: 95 % confidence interval of the upper limit.
    """

    pairs: int
    bias: float
    sd: float
    limits: Interval
    bias_interval: Interval
    low_interval: Interval
    high_interval: Interval


def bland_altman(
    first: npt.ArrayLike, second: npt.ArrayLike, *, per_cent: bool = False
) -> BlandAltman:
    """Compare two readings by their differences.

    The intervals are those of Bland and Altman 1999 (Stat Methods Med Res 8:135, section 2.2):
    Student's t with n - 1 degrees of freedom, standard error SD / sqrt(n) for the bias and
    SD sqrt(1 / n + 1.96² / (2 (n - 1))) for a limit.

    Args:
        first: (n,) the first reading, such as a reference's volumes in ml.
        second: (n,) the second reading, in the same order and unit.
        per_cent: Take each difference in per cent of the pair's mean, as Belal 2019 does.

    Raises:
        ValueError: The readings differ in length, or a pair's mean is 0 and per cent are wanted.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"readings of shape {one.shape} and {other.shape} are no pairs")
    differences = other - one
    if per_cent:
        means = (one + other) / 2
        if not means.all():
            raise ValueError("a pair whose mean is 0 has no difference in per cent")
        differences = 100 * differences / means
    return _agreement(differences)


def _agreement(differences: npt.NDArray[np.float64]) -> BlandAltman:
    pairs = differences.size
    bias = float(differences.mean()) if pairs else math.nan
    if pairs < 2:
        nothing = Interval(math.nan, math.nan)
        return BlandAltman(pairs, bias, math.nan, nothing, nothing, nothing, nothing)
    sd = float(differences.std(ddof=1))
    t = student_t_quantile(0.975, pairs - 1)
    limits = _around(bias, _NORMAL * sd)
    of_limit = t * sd * math.sqrt(1 / pairs + _NORMAL**2 / (2 * (pairs - 1)))
    return BlandAltman(
        pairs=pairs,
        bias=bias,
        sd=sd,
        limits=limits,
        bias_interval=_around(bias, t * sd / math.sqrt(pairs)),
        low_interval=_around(limits.low, of_limit),
        high_interval=_around(limits.high, of_limit),
    )


def student_t_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t, by halving an interval of angles.

    Args:
        probability: From 0.5 to below 1.
        degrees: Degrees of freedom, at least 1.
    """
    # P(|T| < t) with t = sqrt(degrees) tan(angle): Abramowitz and Stegun, 26.7.3 and 26.7.4.
    wanted, low, high = 2 * probability - 1, 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < wanted else (low, middle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _within(angle: float, degrees: int) -> float:
    odd, square = degrees % 2, math.cos(angle) ** 2
    term = math.cos(angle) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for n in range(2 if odd else 1, degrees - 1, 2):
        term *= square * n / (n + 1)
        total += term
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def _around(middle: float, half: float) -> Interval:
    return Interval(middle - half, middle + half)
