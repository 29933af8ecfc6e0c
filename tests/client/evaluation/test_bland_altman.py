from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_client.evaluation.bland_altman import bland_altman, student_t_quantile

#: Peak expiratory flow of 17 people by two meters, l/min (Bland and Altman 1986, Lancet, table 1).
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

READINGS = st.lists(st.tuples(st.floats(1, 1000), st.floats(1, 1000)), min_size=2, max_size=30).map(
    lambda pairs: tuple(np.array(pairs).T)
)


def test_the_example_of_bland_and_altman():
    found = bland_altman(MINI, LARGE)
    assert found.pairs == 17
    # As printed: mean difference -2.1, SD 38.8, its 95 % confidence interval -22.0 to 17.8.
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.bias_interval.low == pytest.approx(-22.0, abs=0.06)
    assert found.bias_interval.high == pytest.approx(17.8, abs=0.06)
    assert found.limits.low == pytest.approx(-2.1176 - 1.96 * 38.7651, abs=1e-3)
    assert found.limits.high == pytest.approx(-2.1176 + 1.96 * 38.7651, abs=1e-3)


def test_intervals_worked_out_by_hand():
    # Differences 1, 2, 3: mean 2, SD 1; t of two degrees of freedom is 4.3027.
    found = bland_altman([10, 20, 30], [11, 22, 33])
    assert (found.bias, found.sd) == (2.0, 1.0)
    assert (found.limits.low, found.limits.high) == (pytest.approx(0.04), pytest.approx(3.96))
    assert found.bias_interval.high == pytest.approx(2 + 4.302653 / math.sqrt(3))
    half = 4.302653 * math.sqrt(1 / 3 + 1.96**2 / 4)
    assert found.low_interval.low == pytest.approx(0.04 - half)
    assert found.low_interval.high == pytest.approx(0.04 + half)
    assert found.high_interval.high == pytest.approx(3.96 + half)


def test_per_cent_are_of_the_mean_of_the_pair():
    # 2 of 20, -1 of 10 and 0: 10, -10 and 0 per cent.
    found = bland_altman([19, 10.5, 7], [21, 9.5, 7], per_cent=True)
    assert found.bias == pytest.approx(0)
    assert found.sd == pytest.approx(10)


def test_too_few_pairs_leave_undefined_what_they_cannot_say():
    assert math.isnan(bland_altman([], []).bias)
    one = bland_altman([3], [5])
    assert one.bias == 2
    assert math.isnan(one.sd)
    assert math.isnan(one.limits.low)


@given(READINGS, st.floats(-100, 100))
def test_exchanged_readings_change_the_sign_and_an_offset_moves_the_bias(readings, offset):
    first, second = readings
    found, swapped = bland_altman(first, second), bland_altman(second, first)
    assert swapped.bias == pytest.approx(-found.bias)
    assert swapped.limits.low == pytest.approx(-found.limits.high)
    moved = bland_altman(first, second + offset)
    assert moved.bias == pytest.approx(found.bias + offset)
    assert moved.sd == pytest.approx(found.sd, abs=1e-6)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 10, 16, 31, 100, 999])
def test_quantiles_are_those_of_scipy(degrees):
    expected = scipy.stats.t.ppf(0.975, degrees)
    assert student_t_quantile(0.975, degrees) == pytest.approx(expected, rel=1e-10)


def test_what_is_no_pair_of_readings_is_refused():
    with pytest.raises(ValueError, match="no pairs"):
        bland_altman([1, 2], [1])
    with pytest.raises(ValueError, match="mean is 0"):
        bland_altman([0, 1], [0, 1], per_cent=True)
