from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from osteoserve_export.training.classes import CLASSES, class_target, regions
from osteoserve_export.training.pairs import TrainingPair
from osteoserve_preprocessing.geometry import Volume
from tests.export.conftest import tube_pair

PATIENT_AND_BONE = ("patient", "bone")


def changed(pair: TrainingPair, **places) -> TrainingPair:
    """The same study with other HU in some places, by (rows, columns, HU)."""
    voxels = pair.volume.voxels.copy()
    for rows, columns, hounsfield in places.values():
        voxels[:, rows, columns] = hounsfield
    return TrainingPair(pair.name, Volume(voxels, pair.volume.geometry), pair.target)


@pytest.mark.parametrize("classes", CLASSES)
def test_each_region_lies_inside_the_one_before(classes):
    found = regions(tube_pair(), classes)
    assert len(found) == len(classes)
    for outer, inner in pairwise(found):
        assert not (inner & ~outer).any()
    assert np.array_equal(found[-1], tube_pair().target == 1)


def test_bone_alone_is_the_pair_s_own_target():
    pair = tube_pair(ignored=True)
    assert np.array_equal(class_target(pair, ("bone",)), pair.target)


def test_voxels_are_background_patient_or_bone(tube):
    target = class_target(tube, PATIENT_AND_BONE)
    assert (target[:, 30, 52] == 2).all()
    assert (target[:, 45, 30] == 1).all()
    assert (target[:, :3, :3] == 0).all()
    assert np.array_equal(target == 2, tube.target == 1)


def test_gas_inside_is_the_patient_s_and_a_thin_table_is_not(tube):
    pair = changed(
        tube,
        bowel=(slice(48, 58), slice(30, 42), -1000),
        table=(slice(77, 79), slice(10, 70), 300),
    )
    target = class_target(pair, PATIENT_AND_BONE)
    assert (target[:, 48:58, 30:42] == 1).all()
    assert (target[:, 77:79, 10:70] == 0).all()


def test_bone_that_the_body_leaves_out_is_the_patient_s(tube):
    target = tube.target.copy()
    target[:, :2, :2] = 1
    found, _ = regions(TrainingPair("corner", tube.volume, target), PATIENT_AND_BONE)
    assert found[:, :2, :2].all()


def test_where_bone_is_unknown_the_class_is():
    pair = tube_pair(ignored=True)
    target = class_target(pair, PATIENT_AND_BONE)
    assert np.array_equal(target == 255, pair.target == 255)
