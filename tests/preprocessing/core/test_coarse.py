from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core.coarse import coarsen
from osteoserve_preprocessing.geometry import Geometry, Volume


def volume(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Volume:
    rng = np.random.default_rng(0)
    return Volume(rng.integers(-1000, 1000, shape).astype(np.int16), Geometry(shape, spacing))


@pytest.mark.parametrize(
    ("spacing", "step"),
    [
        ((5.0, 0.8, 0.8), (1, 2, 2)),
        ((1.0, 1.0, 1.0), (4, 2, 2)),
        ((2.0, 0.5, 0.66), (2, 4, 3)),
        ((0.5, 3.0, 3.0), (8, 1, 1)),
    ],
)
def test_cells_are_as_large_as_allowed(
    spacing: tuple[float, float, float], step: tuple[int, int, int]
) -> None:
    coarse = coarsen(volume((9, 10, 11), spacing))
    assert coarse.step == step
    assert coarse.spacing == pytest.approx([s * n for s, n in zip(spacing, step, strict=True)])


@given(
    shape=st.tuples(*[st.integers(1, 13)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.4, 0.7, 1.0, 2.5])] * 3),
)
def test_a_cell_knows_the_extremes_of_its_voxels_and_gives_its_code_to_all(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    source = volume(shape, spacing)
    coarse = coarsen(source)
    z, y, x = coarse.step
    number = (np.arange(coarse.lowest.size) % 255 + 1).astype(np.uint8).reshape(coarse.lowest.shape)
    fine = np.zeros(shape, dtype=np.uint8)
    for k, rows, codes in coarse.expand(number):
        fine[k, rows] = codes
    for k, j, i in np.ndindex(shape):
        assert fine[k, j, i] == number[k // z, j // y, i // x]
        shown = source.voxels[k // z * z, j, i]
        cell = k // z, j // y, i // x
        assert coarse.lowest[cell] <= shown <= coarse.highest[cell]


def test_slices_without_a_code_are_left_out() -> None:
    coarse = coarsen(volume((6, 8, 8), (5.0, 1.0, 1.0)))
    codes = np.zeros(coarse.lowest.shape, dtype=np.uint8)
    codes[2, 1:3, 0] = 7
    ((k, rows, fine),) = coarse.expand(codes)
    assert (k, rows) == (2, slice(2, 6))
    assert fine.tolist() == [[7, 7, 0, 0, 0, 0, 0, 0]] * 4


@pytest.mark.parametrize("noise", [5.0, 30.0, 80.0])
def test_noise_is_estimated_in_soft_tissue(noise: float) -> None:
    rng = np.random.default_rng(3)
    voxels = np.full((4, 64, 64), -1000.0)
    voxels[:, 16:48, 16:48] = 40.0
    voxels += rng.normal(0, noise, voxels.shape)
    coarse = coarsen(Volume(voxels.astype(np.int16), Geometry(voxels.shape, (5.0, 1.0, 1.0))))
    assert coarse.noise_hu == pytest.approx(noise, rel=0.15)


def test_without_soft_tissue_there_is_no_noise() -> None:
    voxels = np.full((2, 8, 8), -1000, dtype=np.int16)
    assert coarsen(Volume(voxels, Geometry(voxels.shape, (5.0, 1.0, 1.0)))).noise_hu == 0.0


@given(
    first=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    margin_mm=st.sampled_from([0.0, 3.0, 50.0]),
)
def test_what_lies_within_is_every_cell_that_is_dense_and_the_margin(
    first: tuple[int, int], size: tuple[int, int], margin_mm: float
) -> None:
    voxels = np.full((3, 29, 31), -1000, dtype=np.int16)
    rows, columns = (slice(f, f + s) for f, s in zip(first, size, strict=True))
    voxels[1, rows, columns] = 40
    volume = Volume(voxels, Geometry(voxels.shape, (5.0, 1.0, 0.6)))
    whole, part = coarsen(volume), coarsen(volume, above_hu=-250, margin_mm=margin_mm)
    codes = np.zeros(whole.lowest.shape, dtype=np.uint8)
    kept = tuple(slice(c, c + n) for c, n in zip(part.corner, part.lowest.shape[1:], strict=True))
    codes[:, kept[0], kept[1]] = 1
    assert not (whole.highest > -250)[codes == 0].any()
    np.testing.assert_array_equal(part.highest, whole.highest[:, kept[0], kept[1]])
    np.testing.assert_array_equal(part.lowest, whole.lowest[:, kept[0], kept[1]])
    reach = [int(np.ceil(margin_mm / side)) for side in whole.spacing[1:]]
    dense = (whole.highest > -250).any(axis=0)
    for axis, (side, n) in enumerate(zip(kept, reach, strict=True)):
        filled = np.flatnonzero(dense.any(axis=1 - axis))
        assert side.start == max(0, filled[0] - n)
        assert side.stop == min(dense.shape[axis], filled[-1] + 1 + n)
    # A code of a cell goes to the same voxels, whichever of the two says it.
    said = {k: (block, fine) for k, block, fine in whole.expand(codes)}
    for k, block, fine in part.expand(np.ones(part.lowest.shape, dtype=np.uint8)):
        assert said[k][0] == block
        np.testing.assert_array_equal(said[k][1], fine)


def test_within_nothing_but_air_is_everything() -> None:
    voxels = np.full((2, 8, 8), -1000, dtype=np.int16)
    volume = Volume(voxels, Geometry(voxels.shape, (5.0, 1.0, 1.0)))
    assert coarsen(volume, above_hu=-250, margin_mm=3.0).cells == coarsen(volume).cells
