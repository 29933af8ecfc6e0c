"""The law of stretcher removal: no patient voxel goes, and no bright table voxel stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from osteoserve_preprocessing.core import StretcherMethod
from osteoserve_preprocessing.core.stretcher import TABLE_HU, find_stretcher
from osteoserve_preprocessing.core.stretcher.body import DENSE_HU
from osteoserve_preprocessing.geometry import Geometry, Volume

TURNS = {
    "supine": lambda array: array,
    "prone": lambda array: array[:, ::-1, ::-1],
    "feet first": lambda array: array[::-1],
    "on the left side": lambda array: array.swapaxes(1, 2),
    "on the right side": lambda array: array[:, ::-1, ::-1].swapaxes(1, 2),
}


def assert_law(scene: Any, *, share: float = 0.99) -> None:
    found = find_stretcher(scene.volume, StretcherMethod.BODY)
    bright = scene.volume.voxels > TABLE_HU
    assert not (found.mask.whole() & scene.patient).any()
    table = np.count_nonzero(scene.table & bright)
    assert table > 100
    assert np.count_nonzero(found.mask.whole() & scene.table & bright) >= share * table
    assert found.report.removed_voxels == np.count_nonzero(found.mask.whole() & bright)
    assert found.report.caution == ""


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("kind", ["flat", "curved", "double", "board"])
def test_table_goes_and_patient_stays_however_they_lie(
    draw_scene: Any, kind: str, turn: Any
) -> None:
    assert_law(draw_scene(table=kind).turned(turn))


@pytest.mark.parametrize("gap_mm", [0.0, 2.0, 6.0, 30.0])
@pytest.mark.parametrize("arms", [True, False])
def test_gap_between_back_and_table_does_not_matter(
    draw_scene: Any, gap_mm: float, arms: bool
) -> None:
    assert_law(draw_scene(table="flat", gap_mm=gap_mm, arms=arms))


@pytest.mark.parametrize("kind", ["flat", "curved", "double", None])
def test_more_air_round_about_changes_nothing(draw_scene: Any, kind: str | None) -> None:
    volume = draw_scene(table=kind).volume
    # Whole cells of any size, so that the same voxels share one.
    more = ((0, 0), (24, 48), (72, 24))
    voxels = np.pad(volume.voxels, more, constant_values=-1000)
    padded = Volume(voxels, Geometry(voxels.shape, volume.geometry.spacing))
    small, large = (find_stretcher(v, StretcherMethod.BODY) for v in (volume, padded))
    assert small.report == large.report
    (_, _), (top, bottom), (left, right) = more
    inside = large.mask.whole()[:, top:-bottom, left:-right]
    dense = volume.voxels > DENSE_HU
    np.testing.assert_array_equal(inside & dense, small.mask.whole() & dense)


def test_patient_off_centre(draw_scene: Any) -> None:
    assert_law(draw_scene(arms=False, offset_mm=70.0))


@pytest.mark.parametrize("noise", [30.0, 60.0, 120.0])
def test_bone_stays_in_a_noisy_scan(draw_scene: Any, noise: float) -> None:
    scene = draw_scene(noise=noise)
    found = find_stretcher(scene.volume, StretcherMethod.BODY)
    bone = scene.patient & (draw_scene(noise=0.0).volume.voxels > TABLE_HU)
    assert not (found.mask.whole() & bone).any()


def test_table_cut_by_the_field_of_view(draw_scene: Any) -> None:
    assert_law(draw_scene().cropped(slice(0, 210), slice(60, 300)))


def test_half_a_patient_and_half_a_table(draw_scene: Any) -> None:
    assert_law(draw_scene(table="flat").cropped(slice(40, 240), slice(0, 170)))


def test_single_slice(draw_scene: Any) -> None:
    assert_law(draw_scene(slices=1, arms=True))


def test_without_table_nothing_is_removed(draw_scene: Any) -> None:
    found = find_stretcher(draw_scene(table=None).volume, StretcherMethod.BODY)
    assert not found.mask.whole().any()
    assert found.report.caution == ""


def test_body_that_fills_the_image_is_left_alone(draw_scene: Any) -> None:
    scene = draw_scene().cropped(slice(70, 160), slice(90, 230))
    assert scene.patient.all()
    assert not find_stretcher(scene.volume, StretcherMethod.BODY).mask.whole().any()


def test_table_without_a_patient_is_left_with_a_caution(draw_scene: Any) -> None:
    scene = draw_scene().cropped(slice(205, 260), slice(0, 320))
    assert not scene.patient.any()
    found = find_stretcher(scene.volume, StretcherMethod.BODY)
    assert found.report.removed_voxels == 0
    assert "no body" in found.report.caution


def test_finger_resting_on_the_table_stays(draw_scene: Any) -> None:
    scene = draw_scene(table="flat", arms=False, slices=30)
    voxels = scene.volume.voxels.copy()
    top = int(np.flatnonzero(scene.table[0, :, 40])[0])
    rows, columns = np.ogrid[: voxels.shape[1], : voxels.shape[2]]
    # A hand of 75 x 27 mm, 30 mm of a finger of 15 mm, and 10 mm of its tip, 7 mm thick.
    bone = np.zeros_like(scene.table)
    voxels[18:24, top - 18 : top, 20:70] = 40
    for slices, radius, marrow in ((slice(12, 18), 5.0, 2.0), (slice(10, 12), 2.3, 1.0)):
        distance = np.hypot(rows - (top - np.ceil(radius)), columns - 40)
        voxels[slices, distance <= radius] = 40
        voxels[slices, distance <= marrow] = 600
        bone[slices] = distance <= marrow
    found = find_stretcher(type(scene.volume)(voxels, scene.volume.geometry), StretcherMethod.BODY)
    assert not (found.mask.whole() & bone).any()
    bright = scene.table & (voxels > TABLE_HU)
    assert np.count_nonzero(found.mask.whole() & bright) >= 0.99 * np.count_nonzero(bright)


def test_leads_on_the_chest_are_left_with_a_caution(draw_scene: Any) -> None:
    scene = draw_scene(slices=40)
    voxels = scene.volume.voxels.copy()
    voxels[10:30, 20:22, 100:140] = 800
    volume = type(scene.volume)(voxels, scene.volume.geometry)
    found = find_stretcher(volume, StretcherMethod.BODY)
    assert not found.mask.whole()[10:30, 20:22, 100:140].any()
    assert "left" in found.report.caution


def test_slices_beyond_the_patient_hold_table_alone(draw_scene: Any) -> None:
    scene = draw_scene(slices=30)
    voxels, patient = scene.volume.voxels.copy(), scene.patient.copy()
    above = np.where(scene.patient[:8], -1000, voxels[:8])
    voxels[:8] = above
    patient[:8] = False
    volume = type(scene.volume)(voxels, scene.volume.geometry)
    assert_law(type(scene)(volume, patient, scene.table))


def test_method_none_removes_nothing(draw_scene: Any) -> None:
    found = find_stretcher(draw_scene().volume, StretcherMethod.NONE)
    assert not found.mask.whole().any()
    assert found.report.removed_voxels == 0
    assert found.report.method is StretcherMethod.NONE
