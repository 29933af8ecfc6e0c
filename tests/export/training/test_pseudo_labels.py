from __future__ import annotations

import numpy as np
import pytest

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.pseudo_labels import PseudoLabelOptions, body, pseudo_labels
from osteoserve_preprocessing.geometry import Geometry, Volume


def scene() -> Volume:
    """A body with a hollow bone, a bright organ, a wide ring, and a table below it."""
    y, x = np.mgrid[:200, :200]
    plane = np.full((200, 200), -1000, dtype=np.int16)
    plane[(y - 95) ** 2 + (x - 100) ** 2 < 80**2] = 40
    shaft = (y - 90) ** 2 + (x - 60) ** 2
    plane[shaft < 12**2] = 900
    plane[shaft < 5**2] = -40
    plane[(y - 60) ** 2 + (x - 120) ** 2 < 12**2] = 350
    ring = (y - 120) ** 2 + (x - 130) ** 2
    plane[(ring < 20**2) & (ring > 16**2)] = 800
    plane[190:193, 20:180] = 600
    geometry = Geometry(shape=(5, 200, 200), spacing=(3.0, 1.0, 1.0))
    return Volume(np.repeat(plane[None], 5, axis=0), geometry)


def test_the_body_leaves_the_table_out():
    found = body(scene())
    assert found[:, 90, 60].all()
    assert not found[:, 190:193].any()


def test_cortex_and_marrow_are_bone_and_the_table_is_not():
    target = pseudo_labels(scene(), PseudoLabelOptions())
    assert (target[:, 90, 60] == 1).all()
    assert (target[:, 90, 68] == 1).all()
    assert (target[:, 190:193, 20:180] == 0).all()


def test_a_wide_canal_stays_open():
    target = pseudo_labels(scene(), PseudoLabelOptions(largest_marrow_cm2=1.2))
    assert (target[:, 120, 130] == 0).all()
    filled = pseudo_labels(scene(), PseudoLabelOptions(largest_marrow_cm2=20.0))
    assert (filled[:, 120, 130] == 1).all()


def test_a_point_takes_its_whole_component_out():
    assert (pseudo_labels(scene(), PseudoLabelOptions())[:, 60, 120] == 1).all()
    target = pseudo_labels(scene(), PseudoLabelOptions(not_bone=((2, 60, 120),)))
    assert (target[:, 50:70, 110:130] == 0).all()
    assert (target[:, 90, 60] == 1).all()


def test_a_box_of_marrow_is_filled_whatever_its_size():
    target = pseudo_labels(scene(), PseudoLabelOptions(marrow=((1, 2, 110, 130, 110, 150),)))
    assert (target[1:3, 120, 130] == 1).all()
    assert (target[[0, 3], 120, 130] == 0).all()
    # What no bone encloses stays as it is, inside the box and outside.
    assert (target[1:3, 111, 111] == 0).all()


def test_a_soft_box_holds_no_doubt():
    volume = scene()
    voxels = volume.voxels.copy()
    voxels[:, 104:107, 55:65] = 150
    faint = Volume(voxels, volume.geometry)
    assert (pseudo_labels(faint, PseudoLabelOptions())[:, 104, 60] == 255).all()
    target = pseudo_labels(faint, PseudoLabelOptions(soft=((0, 4, 103, 108, 50, 70),)))
    assert (target[:, 104, 60] == 0).all()
    assert (target[:, 90, 60] == 1).all()


def test_a_box_is_ignored():
    target = pseudo_labels(scene(), PseudoLabelOptions(ignored=((1, 2, 80, 100, 50, 70),)))
    assert (target[1:3, 80:101, 50:71] == 255).all()
    assert (target[0, 90, 60], target[3, 90, 60]) == (1, 1)


def test_a_speck_is_ignored_rather_than_believed():
    volume = scene()
    voxels = volume.voxels.copy()
    voxels[2, 100, 100] = 1000
    target = pseudo_labels(Volume(voxels, volume.geometry), PseudoLabelOptions())
    assert target[2, 100, 100] == 255


def test_thresholds_out_of_order_are_refused():
    with pytest.raises(RecipeError):
        PseudoLabelOptions(edge_hu=400, core_hu=300)
