from __future__ import annotations

import numpy as np
import pytest

from osteoserve_client.errors import InputNotFoundError, NoImageError, StudyMatchError
from osteoserve_client.evaluation.studies import (
    PREDICTION_STEMS,
    REFERENCE_STEMS,
    find_label_maps,
    match,
    unreferenced,
)
from tests.client.evaluation.label_files import write_views

PIXELS = np.zeros((2, 2), np.uint8)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(root, stems=REFERENCE_STEMS):
    entries = find_label_maps(root, stems).by_study
    return {study: entry.shown for study, entry in entries.items()}


def test_files_are_studies_by_their_names(tmp_path):
    touch(tmp_path, "b.nii.gz", "a.nrrd", "c.seg.dcm", "d.dcm", "notes.txt", ".hidden.nii")
    assert found(tmp_path) == {
        "a": "a.nrrd",
        "b": "b.nii.gz",
        "c": "c.seg.dcm",
        "d": "d.dcm",
    }


def test_folders_are_studies_by_their_names(tmp_path):
    touch(tmp_path, "a/labels.nii.gz", "a/dicom/1", "b/skeleton.mha", "c/anything.nii", "d/x.txt")
    write_views(tmp_path / "empty").rmdir()
    assert found(tmp_path) == {
        "a": "a/labels.nii.gz",
        "b": "b/skeleton.mha",
        "c": "c/anything.nii",
    }


def test_of_several_label_maps_the_side_says_which(tmp_path):
    touch(tmp_path, "a/skeleton.seg.dcm", "a/skeleton.nii.gz", "a/labels.nii.gz")
    assert found(tmp_path, PREDICTION_STEMS) == {"a": "a/skeleton.nii.gz"}
    assert found(tmp_path, REFERENCE_STEMS) == {"a": "a/labels.nii.gz"}


@pytest.mark.parametrize("given", ["case", "case/labels.nii.gz"])
def test_one_study_may_be_given_by_itself(tmp_path, given):
    touch(tmp_path, "case/labels.nii.gz", "case/dicom/1")
    entries = find_label_maps(tmp_path / given, REFERENCE_STEMS)
    assert entries.single
    assert entries.by_study["case"].image() == tmp_path / "case" / "dicom"


@pytest.mark.parametrize("given", ["p", "p/labels", "p/labels/regions.json", "."])
def test_a_phantoms_bone_scan_is_found(tmp_path, given):
    touch(tmp_path, "p/labels/regions.json", "p/dicom/1")
    (entry,) = find_label_maps(tmp_path / given, REFERENCE_STEMS).by_study.values()
    assert (entry.form, entry.path.name) == ("index", "regions.json")
    if given != "p/labels":
        assert entry.study == "p"
        assert entry.image() == tmp_path / "p" / "dicom"


def test_bone_scans_are_found_by_their_views(tmp_path):
    write_views(tmp_path / "a", anterior=PIXELS)
    write_views(tmp_path / "b", posterior=PIXELS)
    assert found(tmp_path) == {"a": "a", "b": "b"}


def test_what_is_open_is_refused(tmp_path):
    touch(tmp_path, "two/x/one.nii", "two/x/other.nii")
    with pytest.raises(StudyMatchError, match=r"^x: holds several files"):
        find_label_maps(tmp_path / "two", REFERENCE_STEMS)
    touch(tmp_path, "twice/a.nii", "twice/a.nrrd")
    with pytest.raises(StudyMatchError, match="two label maps"):
        find_label_maps(tmp_path / "twice", REFERENCE_STEMS)
    touch(tmp_path, "mixed/a.nii", "mixed/b/regions.json")
    with pytest.raises(StudyMatchError, match="mixes"):
        find_label_maps(tmp_path / "mixed", REFERENCE_STEMS)
    touch(tmp_path, "nothing/a.txt")
    with pytest.raises(StudyMatchError, match="no label map"):
        find_label_maps(tmp_path / "nothing", REFERENCE_STEMS)
    with pytest.raises(StudyMatchError, match="no label map"):
        find_label_maps(tmp_path / "nothing" / "a.txt", REFERENCE_STEMS)
    with pytest.raises(InputNotFoundError):
        find_label_maps(tmp_path / "absent", REFERENCE_STEMS)


def test_predictions_belong_to_references_of_the_same_name(tmp_path):
    touch(tmp_path, "ref/a.nii.gz", "ref/b/labels.nrrd")
    touch(tmp_path, "pred/a/skeleton.nii.gz", "pred/b.mha", "pred/c/skeleton.nii.gz")
    references = find_label_maps(tmp_path / "ref", REFERENCE_STEMS)
    predictions = find_label_maps(tmp_path / "pred", PREDICTION_STEMS)
    pairs = [(one.shown, other.shown) for one, other in match(references, predictions)]
    assert pairs == [("a.nii.gz", "a/skeleton.nii.gz"), ("b/labels.nrrd", "b.mha")]
    assert unreferenced(references, predictions) == "c"
    assert unreferenced(predictions, references) == ""
    with pytest.raises(StudyMatchError, match=r"no prediction belongs to the reference of c$"):
        match(predictions, references)


def test_two_single_studies_belong_together(tmp_path):
    touch(tmp_path, "ref/labels.nii.gz", "out/skeleton.nii.gz")
    references = find_label_maps(tmp_path / "ref", REFERENCE_STEMS)
    predictions = find_label_maps(tmp_path / "out", PREDICTION_STEMS)
    ((reference, _),) = match(references, predictions)
    assert reference.study == "ref"
    assert unreferenced(references, predictions) == ""


def test_a_ct_does_not_belong_to_a_bone_scan(tmp_path):
    touch(tmp_path, "ref/labels.nii.gz", "out/regions.json")
    references = find_label_maps(tmp_path / "ref", REFERENCE_STEMS)
    predictions = find_label_maps(tmp_path / "out", PREDICTION_STEMS)
    with pytest.raises(StudyMatchError, match="bone scan"):
        match(references, predictions)


def test_files_that_share_a_folder_have_no_image_of_their_own(tmp_path):
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "dicom/1")
    entry = find_label_maps(tmp_path, REFERENCE_STEMS).by_study["a"]
    with pytest.raises(NoImageError, match=r"^a: there is no image"):
        entry.image()
