"""Whether one thing became slower: by more than chance, by more than its rounds scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from scipy import stats

from osteoserve_benchmarks.comparison.saved import SavedRun, SavedRunError

#: One-sided probability that rounds of one and the same code lie so by chance.
CHANCE: Final = 0.01

#: Smaller changes are not judged: the same code differs as much from one start to the next.
LEAST: Final = 0.05


@dataclass(frozen=True)
class Judgement:
    """One thing in two runs.

    Args:
        name: What was measured.
        old_s: Median of the earlier run's rounds.
        new_s: Of the later one's.
        noise: The larger of the two interquartile ranges over their medians.
        chance: Probability, by the exact test of Mann and Whitney, that rounds without any change
            lie so far to the side to which the median went.
        yardstick: Whether nothing in it is ours.
    """

    name: str
    old_s: float
    new_s: float
    noise: float
    chance: float
    yardstick: bool

    @property
    def change(self) -> float:
        """Relative; above 0 is slower."""
        return self.new_s / self.old_s - 1

    @property
    def changed(self) -> bool:
        """Whether by more than chance, by more than the noise, and enough to matter."""
        # As factors, so that exchanging the runs changes nothing.
        factor = max(self.new_s / self.old_s, self.old_s / self.new_s) - 1
        return self.chance <= CHANCE and factor > max(self.noise, LEAST)

    @property
    def slower(self) -> bool:
        """Whether it is a regression."""
        return self.changed and self.change > 0


def judge(name: str, old: Sequence[float], new: Sequence[float], *, yardstick: bool) -> Judgement:
    """Compare the rounds of two runs.

    Args:
        name: What was measured.
        old: Seconds, one for each round.
        new: The same later.
        yardstick: Whether nothing in it is ours.

    Raises:
        SavedRunError: There are too few rounds for any difference to be beyond chance.
    """
    if 1 / comb(len(old) + len(new), len(new)) > CHANCE:
        raise SavedRunError(
            f"{name}: {len(old)} and {len(new)} rounds are too few to tell change from chance; "
            "take five each"
        )
    old_s, new_s = float(np.median(old)), float(np.median(new))
    side = "greater" if new_s > old_s else "less"
    return Judgement(
        name=name,
        old_s=old_s,
        new_s=new_s,
        noise=max(_scatter(old), _scatter(new)),
        chance=float(stats.mannwhitneyu(new, old, alternative=side).pvalue),
        yardstick=yardstick,
    )


def judge_runs(old: SavedRun, new: SavedRun) -> list[Judgement]:
    """Compare everything that both runs measured.

    Raises:
        SavedRunError: They are of different machines or were measured differently, have nothing in
            common, or have too few rounds.
    """
    if old.place != new.place:
        raise SavedRunError(
            f"{old.name} and {new.name} are not of one machine and one way of measuring: "
            f"{_first_difference(old.place, new.place)}"
        )
    common = [name for name in old.series if name in new.series]
    if not common:
        raise SavedRunError(f"{old.name} and {new.name} have measured nothing in common")
    return [
        judge(name, old.series[name], new.series[name], yardstick=name in new.yardsticks)
        for name in common
    ]


def _scatter(values: Sequence[float]) -> float:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float((high - low) / middle)


def _first_difference(one: tuple[object, ...], other: tuple[object, ...]) -> str:
    return next(f"{a} and {b}" for a, b in zip(one, other, strict=True) if a != b)
