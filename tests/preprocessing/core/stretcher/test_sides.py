"""What lies past the patient on a side, against the sentence that defines it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from osteoserve_preprocessing.core.stretcher.sides import BACK, FRONT, LEFT, RIGHT, Past, beside

SIDES = (BACK, FRONT, LEFT, RIGHT)

patients = arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=6)).filter(np.any)


def past(patient: np.ndarray, side: int) -> np.ndarray:
    """The definition, cell by cell, of the back; other sides are turned there and back."""
    if side in (LEFT, RIGHT):
        return past(patient.swapaxes(1, 2), BACK if side == LEFT else FRONT).swapaxes(1, 2)
    if side == FRONT:
        return past(patient[:, ::-1], BACK)[:, ::-1]
    lowest = [max((y for y, _ in np.argwhere(slice_)), default=None) for slice_ in patient]
    found = np.zeros_like(patient)
    for z, y, x in np.ndindex(patient.shape):
        in_column = np.flatnonzero(patient[z, :, x])
        of_slice = max(k for k in lowest if k is not None) if lowest[z] is None else lowest[z]
        found[z, y, x] = y > (in_column[-1] if in_column.size else of_slice)
    return found


@pytest.mark.parametrize("side", SIDES)
@given(patient=patients)
def test_past_the_last_cell_in_line_or_in_the_slice_or_of_all(
    side: int, patient: np.ndarray
) -> None:
    np.testing.assert_array_equal(Past.of(patient, side).mask(slice(None)), past(patient, side))


@given(patient=patients, side=st.sampled_from(SIDES), data=st.data())
def test_single_cells_are_told_as_the_mask_tells_them(
    patient: np.ndarray, side: int, data: st.DataObject
) -> None:
    cells = np.nonzero(data.draw(arrays(np.bool_, patient.shape)))
    there = Past.of(patient, side)
    np.testing.assert_array_equal(there.holds(cells), there.mask(slice(None))[cells])


def test_what_the_patient_encloses_is_beside_it_on_no_side() -> None:
    ring = np.zeros((1, 5, 5), dtype=np.bool_)
    ring[0, 1:4, 1:4] = True
    ring[0, 2, 2] = False
    sides = tuple(Past.of(ring, side) for side in SIDES)
    assert beside(sides, np.nonzero(~ring)) == 16  # all but the hole
