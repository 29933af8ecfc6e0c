from __future__ import annotations

import numpy as np
import pytest

from osteoserve_client.errors import GridMismatchError, LabelMapError, StudyMatchError
from osteoserve_client.evaluation.comparison import compare
from osteoserve_client.evaluation.label_maps import LabelViews, LabelVolume
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.metrics import Confusion

PLACE = Geometry((1, 2, 4), (10.0, 10.0, 10.0))


def volume(values, **names):
    labels = np.array(values, np.uint8).reshape(PLACE.shape)
    return LabelVolume(labels, PLACE, {value: name for name, value in names.items()})


def test_a_study_worked_out_by_hand():
    true = volume([1, 1, 1, 0, 2, 2, 0, 255])
    found = volume([1, 1, 2, 1, 2, 0, 0, 1])
    counts = compare("study", true, found)
    assert counts.confusions == {"label 1": Confusion(2, 1, 1, 3), "label 2": Confusion(1, 1, 1, 4)}
    assert counts.voxels == 7
    assert counts.unit_size == pytest.approx(1.0)  # ml: (10 mm)³


def test_the_ignored_value_can_be_another():
    true, found = volume([1, 9, 9, 0, 0, 0, 0, 255]), volume([1, 1, 0, 0, 0, 0, 0, 0])
    counts = compare("study", true, found, ignored=9)
    assert counts.confusions["label 1"] == Confusion(1, 0, 0, 5)
    assert counts.confusions["label 255"] == Confusion(0, 0, 1, 5)


def test_labels_are_matched_by_name_where_both_sides_name_them():
    true = volume([1, 1, 2, 2, 0, 0, 0, 0], Left_Femur=1, Pelvis=2)
    found = volume([7, 7, 3, 0, 0, 0, 0, 0], pelvis=3, left_femur=7)
    counts = compare("study", true, found)
    assert counts.confusions == {
        "Left_Femur": Confusion(2, 0, 0, 6),
        "Pelvis": Confusion(1, 0, 1, 6),
    }


def test_names_of_one_side_are_those_of_both():
    named, bare = volume([1, 2, 0, 0, 0, 0, 0, 0], a=1, b=2), volume([1, 0, 0, 0, 0, 0, 0, 0])
    assert set(compare("study", named, bare).confusions) == {"a", "b"}
    assert set(compare("study", bare, named).confusions) == {"a", "b"}


def test_given_names_hold_whatever_the_files_say():
    true, found = volume([1] * 8, bone=1), volume([1] * 8, skeleton=1)
    with pytest.raises(LabelMapError, match="--labels"):
        compare("study", true, found)
    counts = compare("study", true, found, names={1: "osseous"})
    assert counts.confusions == {"osseous": Confusion(8, 0, 0, 0)}


def test_a_value_without_a_name_is_not_lost():
    true = volume([1, 0, 0, 0, 0, 0, 0, 0], a=1)
    found = volume([1, 5, 0, 0, 0, 0, 0, 0], a=1)
    assert compare("study", true, found).confusions["label 5"] == Confusion(0, 1, 0, 7)


def views(spacing=None, **by_view):
    return LabelViews({view: np.array(v, np.uint8) for view, v in by_view.items()}, spacing)


def test_a_bone_scans_views_are_counted_together():
    true = views((4.0, 2.5), anterior=[[1, 0]], posterior=[[1, 1]])
    found = views(anterior=[[1, 1]], posterior=[[0, 1]])
    counts = compare("study", true, found)
    assert counts.confusions == {"label 1": Confusion(2, 1, 1, 0)}
    assert counts.unit_size == pytest.approx(0.1)  # cm²
    assert compare("study", found, found).unit_size is None


def test_views_that_do_not_fit_are_refused():
    one, both = views(anterior=[[1]]), views(anterior=[[1]], posterior=[[1]])
    with pytest.raises(
        StudyMatchError, match="anterior and posterior views, the prediction anterior"
    ):
        compare("study", both, one)
    with pytest.raises(GridMismatchError, match="1x2 pixels in the prediction and 1x1"):
        compare("study", one, views(anterior=[[1, 1]]))
    with pytest.raises(StudyMatchError, match="CT"):
        compare("study", one, volume([0] * 8))
