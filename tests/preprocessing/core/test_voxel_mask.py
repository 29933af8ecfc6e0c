from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from osteoserve_preprocessing.core import VoxelMask

MASKS = arrays.arrays(np.bool_, st.tuples(*[st.integers(1, 20)] * 3))


@given(MASKS)
def test_what_goes_in_comes_out(mask: np.ndarray) -> None:
    made = VoxelMask.of(mask)
    assert np.array_equal(made.whole(), mask)
    assert np.array_equal(np.array(list(made)), mask)
    assert made.shape == mask.shape
    assert len(made) == len(mask)


@given(MASKS, st.data())
def test_rows_are_set_and_the_others_stay(mask: np.ndarray, data: st.DataObject) -> None:
    made = VoxelMask.of(mask)
    k = data.draw(st.integers(0, len(mask) - 1))
    first = data.draw(st.integers(0, mask.shape[1]))
    rows = slice(first, data.draw(st.integers(first, mask.shape[1])))
    made.set(k, rows, ~mask[k, rows])
    mask[k, rows] = ~mask[k, rows]
    assert np.array_equal(made.whole(), mask)


@given(MASKS)
def test_a_slice_is_a_copy(mask: np.ndarray) -> None:
    made = VoxelMask.of(mask)
    made[0][:] = ~mask[0]
    assert np.array_equal(made.whole(), mask)


def test_nothing_is_set_at_first() -> None:
    assert not VoxelMask((3, 4, 9)).whole().any()
