from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.inference.canary import canary_slices


@given(st.integers(1, 512))
def test_the_canary_fits_every_model_and_shows_air_tissue_and_bone(multiple: int) -> None:
    slices = canary_slices(multiple)
    assert slices.dtype == np.uint8
    assert slices.shape[0] == 1
    assert min(slices.shape[1:]) >= 64
    assert all(size % multiple == 0 for size in slices.shape[1:])
    assert {0, 40, 110, 255} == set(np.unique(slices).tolist())
