"""The laws of the segmentation object: it lies on the stored frames, to the pixel."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation, segread
from pydicom.uid import NuclearMedicineImageStorage, SecondaryCaptureImageStorage

from osteoserve_client.writing.scintigraphy.nm_source import nm_source
from osteoserve_client.writing.scintigraphy.regions_object import write_regions_object
from tests.client.dicom_checks import dciodvfy_errors, module_errors, tables_of_highdicom
from tests.client.writing.scintigraphy.conftest import STORAGES, Case, make_case, make_model

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


def saved(path: Path, case: Case, model=None, labels=None) -> Path:
    labels = case.labels if labels is None else labels
    write_regions_object(path, case.scan, nm_source(case.scan), labels, model or make_model())
    return path


def decoded(seg: Segmentation, case: Case, file: int) -> np.ndarray:
    """(frames, rows, columns) labels of one source file, as highdicom finds them."""
    return seg.get_pixels_by_source_frame(
        case.scan.datasets[file].SOPInstanceUID,
        list(range(1, len(case.stored[file]) + 1)),
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )


@pytest.mark.parametrize("shape", [(19, 9), (16, 12)], ids=str)
@pytest.mark.parametrize("storage", STORAGES)
def test_each_stored_pixel_has_the_label_that_its_counts_tell(tmp_path, storage, shape) -> None:
    case = make_case(storage, shape=shape)
    seg = segread(saved(tmp_path / "seg.dcm", case))
    for file, stored in enumerate(case.stored):
        assert np.array_equal(decoded(seg, case, file), stored % 11)


def test_of_a_file_with_one_frame_the_instance_is_enough(tmp_path) -> None:
    case = make_case("two files")
    seg = segread(saved(tmp_path / "seg.dcm", case))
    for dataset, stored in zip(case.scan.datasets, case.stored, strict=True):
        found = seg.get_pixels_by_source_instance([dataset.SOPInstanceUID], combine_segments=True)
        assert np.array_equal(found, stored % 11)


def test_frames_name_file_frame_segment_and_view(case: Case, tmp_path) -> None:
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", case))
    assert [item.DimensionIndexPointer for item in seg.DimensionIndexSequence] == [
        pydicom.tag.Tag("ReferencedSegmentNumber"),
        pydicom.tag.Tag("FrameLabel"),
    ]
    places = {}
    for view in case.scan.views:
        places.setdefault((view.file, view.frame), []).append(view.view.upper())
    files = {ds.SOPInstanceUID: n for n, ds in enumerate(case.scan.datasets)}
    indices = []
    for groups, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        place = files[source.ReferencedSOPInstanceUID], source.ReferencedFrameNumber
        assert source.ReferencedSOPClassUID == NuclearMedicineImageStorage
        assert source.SpatialLocationsPreserved == "YES"
        content = groups.FrameContentSequence[0]
        assert content.FrameLabel == " AND ".join(places[place])
        segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert np.array_equal(pixels, case.stored[place[0]][place[1] - 1] % 11 == segment)
        indices.append(list(content.DimensionIndexValues))
    assert indices == sorted(indices)
    assert len({tuple(each) for each in indices}) == len(indices)


def test_no_frame_claims_a_place_in_the_patient(case: Case, tmp_path) -> None:
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", case))
    assert "FrameOfReferenceUID" not in seg
    assert all("PlanePositionSequence" not in g for g in seg.PerFrameFunctionalGroupsSequence)


def test_every_file_is_referenced_and_patient_and_study_are_the_sources(
    case: Case, tmp_path
) -> None:
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", case))
    uids = {dataset.SOPInstanceUID for dataset in case.scan.datasets}
    (series,) = seg.ReferencedSeriesSequence
    for references in (seg.SourceImageSequence, series.ReferencedInstanceSequence):
        assert {item.ReferencedSOPInstanceUID for item in references} == uids
        assert {item.ReferencedSOPClassUID for item in references} == {NuclearMedicineImageStorage}
    assert series.SeriesInstanceUID == case.scan.datasets[0].SeriesInstanceUID
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate"):
        assert seg[keyword].value == case.scan.datasets[0][keyword].value
    assert seg.SeriesNumber == 1007


def test_files_of_two_series_are_both_referenced(tmp_path) -> None:
    case = make_case("two files")
    case.scan.datasets[1].SeriesInstanceUID += ".9"
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", case))
    assert [series.SeriesInstanceUID for series in seg.ReferencedSeriesSequence] == [
        dataset.SeriesInstanceUID for dataset in case.scan.datasets
    ]


def test_segments_are_the_models_labels_and_humeri_say_their_side(tmp_path) -> None:
    case = make_case("one file")
    seg = segread(saved(tmp_path / "seg.dcm", case))
    model = make_model()
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == [
        label.name for label in model.labels
    ]
    for label, segment in zip(model.labels, seg.SegmentSequence, strict=True):
        (kind,) = segment.SegmentedPropertyTypeCodeSequence
        assert kind.CodeValue == label.type.value
        modifiers = kind.get("SegmentedPropertyTypeModifierCodeSequence", [])
        sides = [(item.CodeValue, item.CodingSchemeDesignator) for item in modifiers]
        said = {"right": [("24028007", "SCT")], "left": [("7771000", "SCT")]}
        (expected,) = [said[w] for w in label.name.split("_") if w in said] or [[]]
        assert sides == expected


def test_a_view_without_a_region_has_no_frame(tmp_path) -> None:
    case = make_case("one file")
    labels = case.labels.copy()
    labels[0] = 0
    seg = segread(saved(tmp_path / "seg.dcm", case, labels=labels))
    assert np.array_equal(decoded(seg, case, 0), np.stack([case.stored[0][0] * 0, labels[1]]))
    assert seg.NumberOfFrames == 10


def test_no_region_at_all_still_makes_a_segmentation_object(case: Case, tmp_path, caplog) -> None:
    path = saved(tmp_path / "seg.dcm", case, labels=np.zeros_like(case.labels))
    seg = pydicom.dcmread(path)
    assert not seg.pixel_array.any()
    assert not caplog.records
    frames = {(view.file, view.frame) for view in case.scan.views}
    assert seg.NumberOfFrames == 10 * len(frames)


def test_a_model_of_one_label_in_any_number(tmp_path) -> None:
    case = make_case("one file")
    model = make_model()
    del model.labels[1:]
    model.labels[0].value = 200
    labels = np.where(case.labels == 1, 200, 0).astype(np.uint8)
    seg = segread(saved(tmp_path / "seg.dcm", case, model, labels))
    assert np.array_equal(decoded(seg, case, 0), case.stored[0] % 11 == 1)


def test_a_single_frame_secondary_capture_is_referenced_without_a_frame_number(tmp_path) -> None:
    case = make_case("anterior alone")
    (dataset,) = case.scan.datasets
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    assert dataset.NumberOfFrames == 1
    path = saved(tmp_path / "seg.dcm", case)
    (source, *_) = (
        groups.DerivationImageSequence[0].SourceImageSequence[0]
        for groups in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    )
    assert source.ReferencedSOPClassUID == SecondaryCaptureImageStorage
    assert "ReferencedFrameNumber" not in source
    found = segread(path).get_pixels_by_source_instance(
        [dataset.SOPInstanceUID], combine_segments=True
    )
    assert np.array_equal(found, case.stored[0] % 11)


def test_a_class_that_the_standard_has_retired_is_repeated(tmp_path) -> None:
    case = make_case("two files")
    retired = "1.2.840.10008.5.1.4.1.1.5"
    for dataset in case.scan.datasets:
        dataset.SOPClassUID = retired
    seg = segread(saved(tmp_path / "seg.dcm", case))
    assert {item.ReferencedSOPClassUID for item in seg.SourceImageSequence} == {retired}
    assert np.array_equal(decoded(seg, case, 1), case.stored[1] % 11)


def test_the_sources_headers_stay_as_they_were(case: Case, tmp_path) -> None:
    before = deepcopy(case.scan.datasets)
    saved(tmp_path / "seg.dcm", case)
    assert case.scan.datasets == before


def test_dicom_validator_finds_no_error(case: Case, tmp_path) -> None:
    tables = tables_of_highdicom("segmentation", "Segmentation", SEGMENTATION_STORAGE)
    assert module_errors(saved(tmp_path / "seg.dcm", case), tables, SEGMENTATION_STORAGE) == {}


def test_dciodvfy_finds_no_error(case: Case, tmp_path) -> None:
    assert dciodvfy_errors(saved(tmp_path / "seg.dcm", case), "Segmentation") == []
