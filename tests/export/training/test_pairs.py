from __future__ import annotations

import numpy as np
import pytest

from osteoserve_export.errors import PairError
from osteoserve_export.training.pairs import (
    TrainingPair,
    canonical_volume,
    find_pairs,
    read_image,
    read_pair,
)


def blocks() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    image = random.integers(-1000, 1500, (4, 6, 5)).astype(np.int16)
    return image, (image > 200).astype(np.uint8)


def test_labels_are_matched_by_position_not_by_index(write_image):
    image, labels = blocks()
    ct = write_image(image, "ct.nii.gz", spacing=(1.0, 2.0, 3.0))
    # The same labels, stored with rows from back to front: origin at the last row.
    flipped = write_image(
        np.ascontiguousarray(labels[:, ::-1]),
        "labels.nii.gz",
        spacing=(1.0, 2.0, 3.0),
        origin=(0.0, 10.0, 0.0),
        direction=np.diag([1, -1, 1]),
    )
    pair = read_pair("blocks", ct, flipped)
    assert np.array_equal(pair.volume.voxels, image)
    assert np.array_equal(pair.target, labels)


def test_a_study_stored_upside_down_comes_out_canonical(write_image):
    image, labels = blocks()
    upside_down = np.diag([-1, -1, 1])
    place = {"origin": (4.0, 5.0, 0.0), "direction": upside_down}
    ct = write_image(np.ascontiguousarray(image[:, ::-1, ::-1]), "ct.nrrd", **place)
    map_ = write_image(np.ascontiguousarray(labels[:, ::-1, ::-1]), "labels.nrrd", **place)
    pair = read_pair("blocks", ct, map_)
    assert np.array_equal(pair.volume.voxels, image)
    assert np.array_equal(pair.target, labels)
    assert np.allclose(pair.volume.geometry.direction, np.eye(3))


def test_only_the_named_values_are_bone_and_255_stays_ignored(write_image):
    labels = np.array([[[0, 24, 25, 50, 51, 255]]], dtype=np.uint8)
    ct = write_image(np.zeros((1, 1, 6), dtype=np.int16), "ct.nrrd")
    pair = read_pair("values", ct, write_image(labels, "labels.nrrd"), bone=[(25, 50)])
    assert pair.target.ravel().tolist() == [0, 0, 1, 1, 0, 255]


def test_what_the_labels_do_not_cover_is_ignored(write_image):
    ct = write_image(np.zeros((4, 6, 5), dtype=np.int16), "ct.nrrd")
    part = write_image(np.ones((3, 6, 5), dtype=np.uint8), "labels.nrrd", origin=(0.0, 0.0, 1.0))
    pair = read_pair("part", ct, part)
    assert (pair.target[0] == 255).all()
    assert (pair.target[1:] == 1).all()


def test_labels_of_another_place_are_refused(write_image):
    ct = write_image(np.zeros((4, 6, 5), dtype=np.int16), "ct.nrrd")
    away = write_image(np.ones((4, 6, 5), dtype=np.uint8), "labels.nrrd", origin=(500.0, 0.0, 0.0))
    with pytest.raises(PairError, match="100%"):
        read_pair("away", ct, away)


def test_a_folder_of_studies_is_read_in_order_of_their_names(write_image, tmp_path):
    image, labels = blocks()
    for name in ("b", "a"):
        write_image(image, f"pairs/{name}/image.nii.gz")
        write_image(labels, f"pairs/{name}/labels.nii.gz")
    assert [pair.name for pair in find_pairs(tmp_path / "pairs")] == ["a", "b"]


def test_a_study_without_labels_is_refused(write_image, tmp_path):
    write_image(blocks()[0], "pairs/a/image.nii.gz")
    with pytest.raises(PairError, match=r"labels\.nii\.gz"):
        find_pairs(tmp_path / "pairs")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(PairError, match="no study folders"):
        find_pairs(tmp_path)


def test_a_missing_image_is_refused(tmp_path):
    with pytest.raises(PairError, match="no image"):
        read_image(tmp_path / "nothing.nii.gz")


def test_a_target_with_another_value_is_refused(tube):
    with pytest.raises(PairError, match="2"):
        TrainingPair("tube", tube.volume, tube.target * np.uint8(2))


@pytest.mark.real_data
def test_the_abdomen_s_labels_lie_on_its_bones(shared_data):
    folder = shared_data / "ct_abdomen_j2k"
    pair = read_pair(
        "ct_abdomen_j2k",
        folder / "example_ct_dicom",
        folder / "example_seg_dicom.nii.gz",
        bone=[(25, 50), (69, 78), (91, 116)],
    )
    voxels = pair.volume.voxels
    # Matched by index instead of by position the labels lie on air and soft tissue.
    assert voxels[pair.target == 1].mean() > 250
    assert voxels[pair.target == 0].mean() < 0


@pytest.mark.real_data
def test_a_dicom_folder_is_ordered_by_position(shared_data):
    volume = canonical_volume(read_image(shared_data / "ct_abdomen_table" / "image"))
    assert volume.geometry.shape == (41, 512, 512)
    assert volume.geometry.spacing[0] == pytest.approx(5.0)
