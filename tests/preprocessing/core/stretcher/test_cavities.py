"""Thin walls of the patient's own cavities stay, however alike a table's shell they look."""

from __future__ import annotations

import numpy as np
import pytest

from osteoserve_preprocessing.core import StretcherMethod
from osteoserve_preprocessing.core.stretcher import find_stretcher
from osteoserve_preprocessing.geometry import Geometry, Volume


def ellipse(shape: tuple[int, int], y: float, x: float, tall: float, wide: float) -> np.ndarray:
    """Filled; in mm from the image's corner, pixels of 1 mm."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside: np.ndarray = ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1
    return inside


def on_a_table(slice_: np.ndarray, top: int) -> np.ndarray:
    """Adds a table of two shells, 10 slices; returns where it is, (10, Y, X) bool."""
    table = np.zeros(slice_.shape, dtype=np.bool_)
    table[top : top + 4, 10:-10] = table[top + 30 : top + 34, 10:-10] = True
    slice_[top : top + 34, 10:-10] = -940
    slice_[table] = 300
    return np.repeat(table[None], 10, axis=0)


def stack(slice_: np.ndarray, spacing: float = 3.0) -> Volume:
    voxels = np.repeat(slice_[None].astype(np.int16), 10, axis=0)
    return Volume(voxels, Geometry(voxels.shape, (spacing, 1.0, 1.0)))


@pytest.mark.parametrize("slices", [1, 10])
@pytest.mark.parametrize("face_down", [False, True])
@pytest.mark.parametrize("with_table", [False, True])
def test_the_front_wall_of_a_frontal_sinus_stays(
    slices: int, face_down: bool, with_table: bool
) -> None:
    slice_ = np.full((260, 240), -1000)
    head = ellipse(slice_.shape, 110, 120, 90, 75)
    slice_[head] = 40
    slice_[ellipse(slice_.shape, 110, 120, 87, 72)] = 900  # 3 mm of skin, then bone
    slice_[ellipse(slice_.shape, 110, 120, 80, 64)] = 35
    sinus = ellipse(slice_.shape, 42, 120, 15, 45) & ellipse(slice_.shape, 110, 120, 84, 69)
    slice_[sinus] = -1000
    if face_down:
        slice_[:220], head[:220] = slice_[219::-1].copy(), head[219::-1].copy()
    table = on_a_table(slice_, 205) if with_table else np.zeros((10, 260, 240), dtype=np.bool_)
    volume = Volume(stack(slice_).voxels[:slices], Geometry((slices, 260, 240), (3.0, 1.0, 1.0)))
    found = find_stretcher(volume, StretcherMethod.BODY)
    assert not (found.mask.whole() & head).any()
    assert found.mask.whole()[table[:slices]].all()


@pytest.mark.parametrize("gap", [0, 1, 3, 10])
def test_the_ribs_of_an_infant_stay(gap: int) -> None:
    slice_ = np.full((170, 200), -1000)
    trunk = ellipse(slice_.shape, 60, 100, 45, 60)
    slice_[trunk] = 20
    wall = ellipse(slice_.shape, 60, 100, 43, 58) & ~ellipse(slice_.shape, 60, 100, 41, 56)
    slice_[wall] = 250  # ribs of 2 mm under 2 mm of skin
    lungs = ellipse(slice_.shape, 60, 100, 40, 55)
    slice_[lungs] = -720
    slice_[ellipse(slice_.shape, 50, 108, 24, 22)] = 45  # heart
    slice_[ellipse(slice_.shape, 90, 100, 14, 14)] = 45
    slice_[ellipse(slice_.shape, 90, 100, 6, 6)] = 350  # vertebra
    table = on_a_table(slice_, 105 + gap)
    found = find_stretcher(stack(slice_), StretcherMethod.BODY)
    assert not (found.mask.whole() & trunk).any()
    assert found.mask.whole()[:, 135 + gap : 139 + gap, 10:-10].all()
    if gap >= 3:
        assert found.mask.whole()[table].all()


def test_the_gap_under_a_hollow_back_is_no_cavity() -> None:
    slice_ = np.full((250, 420), -1000)
    trunk = ellipse(slice_.shape, 110, 210, 70, 150)
    slice_[trunk] = 40
    hollow = ellipse(slice_.shape, 185, 210, 25, 50)
    slice_[hollow] = -1000
    patient = trunk & ~hollow
    table = on_a_table(slice_, int(np.flatnonzero(patient.any(axis=1))[-1]) + 1)
    found = find_stretcher(stack(slice_), StretcherMethod.BODY)
    assert not (found.mask.whole() & patient).any()
    assert found.mask.whole()[table].mean() >= 0.99


def test_a_body_too_small_to_tell_is_left_alone() -> None:
    slice_ = np.full((120, 160), -1000)
    slice_[ellipse(slice_.shape, 50, 80, 22, 30)] = 40
    on_a_table(slice_, 75)
    found = find_stretcher(stack(slice_), StretcherMethod.BODY)
    assert not found.mask.whole().any()
    assert "cm2 was found" in found.report.caution
