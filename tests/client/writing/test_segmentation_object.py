"""The laws of the segmentation object: it lies on the source, to the voxel."""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from highdicom.seg import Segmentation, segread

from osteoserve_client.study import Study
from osteoserve_client.writing.dicom_source import dicom_source
from osteoserve_client.writing.segmentation_object import write_segmentation_object
from osteoserve_preprocessing.geometry import Geometry

Points = dict[tuple[float, ...], int]


def saved(path: Path, study: Study, labels, report) -> Path:
    write_segmentation_object(path, study, dicom_source(study), labels, report.model)
    return path


def points(array: npt.NDArray[np.generic], affine: npt.NDArray[np.float64], order: int) -> Points:
    """Where in the patient each labelled voxel lies, LPS in mm, and its label.

    ``affine`` takes indices in the array's order (1) or in the reverse one (-1).
    """
    indices = np.argwhere(array)
    homogeneous = np.c_[indices[:, ::order], np.ones(len(indices))]
    places = np.round((homogeneous @ affine.T)[:, :3], 3) + 0.0
    return {
        tuple(place): int(array[tuple(index)])
        for place, index in zip(places.tolist(), indices, strict=True)
    }


def seg_points(path: Path) -> Points:
    # Without the frames that were left out for being empty a volume can still be put together.
    volume = segread(path).get_volume(combine_segments=True, allow_missing_positions=True)
    return points(volume.array, volume.affine, 1)


def study_points(labels, geometry: Geometry) -> Points:
    return points(labels, geometry.affine, -1)


def test_it_lies_on_the_source_in_every_orientation(
    factory, report_of, tmp_path, dicom_orientation
) -> None:
    study, labels = factory.dicom(dicom_orientation), factory.labels(1)
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
    assert seg_points(path) == study_points(labels, study.volume.geometry)


def test_it_lies_on_an_oblique_source(factory, report_of, tmp_path) -> None:
    turn = np.radians(17.0)
    around_x = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    study, labels = factory.dicom(around_x), factory.labels(1)
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
    assert seg_points(path) == study_points(labels, study.volume.geometry)


def test_every_frame_is_its_source_slices_labels_read_with_pydicom_alone(
    factory, report_of, tmp_path, dicom_orientation
) -> None:
    study, labels = factory.dicom(dicom_orientation), factory.labels(1)
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels)))
    slices = {dataset.SOPInstanceUID: k for k, dataset in enumerate(study.datasets)}
    seen = set()
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0]
        k = slices[reference.ReferencedSOPInstanceUID]
        seen.add(k)
        assert np.array_equal(frame, labels[k])
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        assert position == study.datasets[k].ImagePositionPatient
    assert seen == set(np.flatnonzero(labels.any(axis=(1, 2))))
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert orientation == study.datasets[0].ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == study.datasets[0].PixelSpacing


def test_every_source_image_is_referenced_those_without_a_label_too(
    factory, report_of, tmp_path
) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    assert not labels[0].any()
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels)))
    (series,) = seg.ReferencedSeriesSequence
    referenced = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    assert referenced == {dataset.SOPInstanceUID for dataset in study.datasets}
    assert series.SeriesInstanceUID == study.datasets[0].SeriesInstanceUID
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert seg[keyword].value == study.datasets[0][keyword].value
    assert seg.SeriesInstanceUID != series.SeriesInstanceUID


def test_labels_of_any_value_become_segments_in_their_order(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(2, 7, 200)
    names = {200: "Femur", 2: "Spine", 7: "Skull"}
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels, names))
    seg = segread(path)
    assert [seg.get_segment_description(n).segment_label for n in (1, 2, 3)] == [
        "Spine",
        "Skull",
        "Femur",
    ]
    numbers = {2: 1, 7: 2, 200: 3}
    expected = {
        place: numbers[value]
        for place, value in study_points(labels, study.volume.geometry).items()
    }
    assert seg_points(path) == expected


def test_a_label_without_a_voxel_is_described_and_has_no_frame(
    factory, report_of, tmp_path
) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    report = report_of(study, labels, {1: "Spine", 2: "Skull"})
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", study, labels, report))
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["Spine", "Skull"]
    frames = {
        groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for groups in seg.PerFrameFunctionalGroupsSequence
    }
    assert frames == {1}


def test_no_voxel_at_all_still_makes_a_segmentation_object(
    factory, report_of, tmp_path, caplog
) -> None:
    study = factory.dicom()
    labels = np.zeros(factory.shape, np.uint8)
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
    assert seg_points(path) == {}
    assert not caplog.records
    assert pydicom.dcmread(path).NumberOfFrames == factory.shape[0]


@pytest.mark.parametrize("frames", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (3, 1, 5, 2, 4)])
def test_a_multi_frame_source_in_any_order_of_frames(factory, report_of, tmp_path, frames) -> None:
    study, labels = factory.enhanced(frames), factory.labels(1)
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
    assert seg_points(path) == study_points(labels, study.volume.geometry)
    seg = pydicom.dcmread(path)
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        reference = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == study.datasets[0].SOPInstanceUID
        k = frames.index(reference.ReferencedFrameNumber)
        assert np.array_equal(frame, labels[k])


def test_the_sources_headers_stay_as_they_were(factory, report_of, tmp_path) -> None:
    labels = factory.labels(1)
    for study in (factory.dicom(), factory.enhanced((2, 1, 3, 5, 4))):
        before = deepcopy(study.datasets)
        saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
        assert study.datasets == before


def test_a_single_slice(factory, report_of, tmp_path) -> None:
    study = dataclasses.replace(factory, shape=(1, 6, 7)).dicom()
    labels = np.ones((1, 6, 7), np.uint8)
    path = saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels))
    seg = pydicom.dcmread(path)
    assert seg.NumberOfFrames == 1
    assert np.array_equal(seg.pixel_array, labels[0])


def test_it_says_which_model_made_it(factory, report_of, tmp_path) -> None:
    study, labels = factory.dicom(), factory.labels(1)
    report = report_of(study, labels)
    seg = segread(saved(tmp_path / "seg.dcm", study, labels, report))
    assert isinstance(seg, Segmentation)
    segment = seg.get_segment_description(1)
    assert segment.segmented_property_type.value == "272673000"
    assert segment.segmented_property_category.value == "123037004"
    assert segment.algorithm_type.value == "AUTOMATIC"
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("unet_skeleton", "3")
    assert report.model.digest in algorithm.AlgorithmParameters


@pytest.mark.parametrize("name", ["Einzelname", "Кириллица^Имя", "Yamada^Tarou=山田^太郎"])
def test_a_name_in_any_script_survives_and_is_never_printed(
    factory, report_of, tmp_path, name, capfd, caplog
) -> None:
    study = factory.dicom(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    labels = factory.labels(1)
    seg = pydicom.dcmread(saved(tmp_path / "seg.dcm", study, labels, report_of(study, labels)))
    assert seg.PatientName == name
    assert name not in "".join((*capfd.readouterr(), caplog.text))
