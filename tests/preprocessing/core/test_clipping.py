from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.core.clipping import clip_femur_to_head
from osteoserve_preprocessing.geometry import Geometry, Volume

PIXEL_MM, SLICE_MM = 4.0, 8.0
ROWS, COLUMNS = 90, 130
#: Heights over the soles in mm.
KNEE, HIP, SHOULDER, CHIN, VAULT, CROWN = 450.0, 850.0, 1450.0, 1560.0, 1620.0, 1740.0


def _disk(
    slice_: npt.NDArray[np.int16], x: float, y: float, radius: float, hu: int, tall: float = 1.0
) -> None:
    rows = (np.arange(ROWS) - ROWS / 2)[:, None] * PIXEL_MM
    columns = (np.arange(COLUMNS) - COLUMNS / 2)[None, :] * PIXEL_MM
    slice_[np.hypot(columns - x, (rows - y) / tall) <= radius] = hu


def _slice(height: float, arms_up: bool) -> npt.NDArray[np.int16]:
    slice_ = np.full((ROWS, COLUMNS), -1000, dtype=np.int16)
    if height < HIP:
        for x in (-90.0, 90.0):
            _disk(slice_, x, 0, 50 + 30 * height / HIP, 40)
            knee = 20 * max(0.0, 1 - abs(height - KNEE) / 60)
            _disk(slice_, x, 0, 14 + knee, 700)
    elif height < SHOULDER:
        _disk(slice_, 0, 0, 170, 40, 0.6)
        _disk(slice_, 0, 50, 20, 500)
    elif height < CHIN:
        _disk(slice_, 0, 10, 95 - 40 * min(1.0, (height - SHOULDER) / 60), 40)
        _disk(slice_, 0, 20, 16, 500)
    else:
        _disk(slice_, 0, 0, 80, 40, 1.2)
        if height < VAULT:
            _disk(slice_, 0, 20, 16, 500)
        else:
            _disk(slice_, 0, 0, 74, 900, 1.2)
            _disk(slice_, 0, 0, 66, 35, 1.2)
    if arms_up and height > SHOULDER:
        for x in (-160.0, 160.0):
            _disk(slice_, x, 20, 40, 40)
            _disk(slice_, x, 20, 12, 700)
    return slice_


def patient(first_mm: float, end_mm: float, *, arms_up: bool = False) -> Volume:
    heights = np.arange(first_mm, end_mm, SLICE_MM)
    voxels = np.stack([_slice(height, arms_up) for height in heights])
    return Volume(voxels, Geometry(voxels.shape, (SLICE_MM, PIXEL_MM, PIXEL_MM)))


@pytest.mark.parametrize("arms_up", [True, False])
def test_a_whole_body_is_clipped_from_knee_to_neck(arms_up: bool) -> None:
    clip = clip_femur_to_head(patient(0, CROWN, arms_up=arms_up))
    assert clip.warnings == ()
    first, end = clip.kept.start * SLICE_MM, clip.kept.stop * SLICE_MM
    assert abs(first - KNEE) <= 20
    assert SHOULDER <= end <= CHIN + SLICE_MM


def test_from_mid_thigh_up_only_the_head_goes() -> None:
    clip = clip_femur_to_head(patient(650, CROWN))
    assert clip.warnings == ()
    assert clip.kept.start == 0
    assert SHOULDER <= 650 + clip.kept.stop * SLICE_MM <= CHIN + SLICE_MM


def test_from_the_feet_to_the_chest_only_what_is_below_the_knee_goes() -> None:
    volume = patient(0, 1300)
    clip = clip_femur_to_head(volume)
    assert abs(clip.kept.start * SLICE_MM - KNEE) <= 20
    assert clip.kept.stop == len(volume.voxels)
    assert clip.warnings == ("axial clipping: no head was found, so none was left out",)


@pytest.mark.parametrize(
    ("first", "end"),
    [(900, 1300), (0, 800), (1500, CROWN)],
    ids=["trunk alone", "legs alone", "head alone"],
)
def test_in_doubt_all_slices_are_kept_with_a_warning(first: float, end: float) -> None:
    volume = patient(first, end)
    clip = clip_femur_to_head(volume)
    assert clip.kept == range(len(volume.voxels))
    assert clip.warnings


def test_finer_slices_are_clipped_at_the_same_place() -> None:
    coarse = clip_femur_to_head(patient(0, CROWN)).kept
    volume = patient(0, CROWN)
    fine = Volume(
        np.repeat(volume.voxels, 4, axis=0),
        Geometry((4 * len(volume.voxels), ROWS, COLUMNS), (2.0, PIXEL_MM, PIXEL_MM)),
    )
    clip = clip_femur_to_head(fine).kept
    assert abs(clip.start * 2.0 - coarse.start * SLICE_MM) <= SLICE_MM
    assert abs(clip.stop * 2.0 - coarse.stop * SLICE_MM) <= SLICE_MM
