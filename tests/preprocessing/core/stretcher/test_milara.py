from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from osteoserve_preprocessing.core import StretcherMethod
from osteoserve_preprocessing.core.stretcher import TABLE_HU, find_stretcher
from osteoserve_preprocessing.core.stretcher.milara import Margins, find_margins, polyline
from osteoserve_preprocessing.geometry import Geometry, Volume


def curved_shell() -> np.ndarray:
    """(200, 160) bool: a shell 4 rows thick, its top at row 150 in the middle, higher outside."""
    bright = np.zeros((200, 160), dtype=np.bool_)
    for column in range(160):
        top = 150 - round(abs(column - 79.5) ** 2 / 320)
        bright[top : top + 4, column] = True
    return bright


def test_margin_lines_lie_just_above_the_shell() -> None:
    # Bands are 20 columns wide. Seen from the middle, R4/R5 end after 20 columns, where the shell
    # has risen by 19.5^2 / 320 = 1 row, R3/R6 after 40 by 5, R2/R7 after 60 by 11; 2 mm clearance.
    margins = find_margins(curved_shell(), row_mm=1.0)
    assert margins == Margins(central=147, inclined=143, ends=137)


def test_a_second_shell_is_followed_and_organs_above_are_not() -> None:
    bright = curved_shell()
    bright[:150] |= curved_shell()[30:180] & ~bright[:150]  # another shell, 30 rows higher
    margins = find_margins(bright, row_mm=1.0)
    assert margins is not None
    assert margins.central == 117
    bright[40:90, 50:110] = True  # an organ full of contrast medium
    assert find_margins(bright, row_mm=1.0) == margins


def test_a_spine_alone_is_no_table() -> None:
    bright = np.zeros((200, 160), dtype=np.bool_)
    bright[100:140, 70:90] = True
    assert find_margins(bright, row_mm=1.0) is None


def test_polyline_passes_through_the_papers_eight_points() -> None:
    line = polyline(Margins(central=150, inclined=140, ends=130), columns=160)
    assert line.shape == (160,)
    assert line[[0, 20, 40, 50, 60, 80, 100, 110, 120, 140, 159]].tolist() == [
        130, 130, 130, 140, 150, 150, 150, 140, 130, 130, 130,
    ]  # fmt: skip
    assert line[45] == 135


@pytest.mark.parametrize("kind", ["flat", "curved", "double"])
@pytest.mark.parametrize("prone", [False, True])
def test_table_goes_and_patient_stays(draw_scene: Any, kind: str, prone: bool) -> None:
    scene = draw_scene(table=kind, gap_mm=20.0, arms=False)
    if prone:
        scene = scene.turned(lambda array: array[:, ::-1, ::-1])
    found = find_stretcher(scene.volume, StretcherMethod.MILARA)
    bright = scene.volume.voxels > TABLE_HU
    assert not (found.mask.whole() & scene.patient).any()
    table = scene.table & bright
    assert np.count_nonzero(found.mask.whole() & table) >= 0.99 * np.count_nonzero(table)
    assert found.report.removed_voxels == np.count_nonzero(found.mask.whole() & bright)


def test_without_table_nothing_is_removed(draw_scene: Any) -> None:
    found = find_stretcher(draw_scene(table=None).volume, StretcherMethod.MILARA)
    assert not found.mask.whole().any()
    assert "no table" in found.report.caution


def test_a_margin_through_the_body_removes_nothing(draw_scene: Any) -> None:
    # The arms hang below the rim of this table, where the paper's line i3 runs to the border.
    scene = draw_scene(table="curved", arms=True, offset_mm=25.0)
    found = find_stretcher(scene.volume, StretcherMethod.MILARA)
    bright = scene.patient & (scene.volume.voxels > TABLE_HU)
    assert not (found.mask.whole() & bright).any()


@pytest.mark.parametrize("columns", [1, 5, 7])
def test_slices_too_narrow_for_eight_bands_keep_everything(columns: int) -> None:
    voxels = np.full((3, 40, columns), -1000, dtype=np.int16)
    voxels[:, 5:20], voxels[:, 30:] = 50, 200
    volume = Volume(voxels, Geometry(voxels.shape, (3.0, 1.0, 1.0)))
    found = find_stretcher(volume, StretcherMethod.MILARA)
    assert not found.mask.whole().any()
    assert found.report.caution
